// The hosted page's service worker: offline use, and threads where the host sends no headers.

const RELOADED = "azulejo reloaded for its headers";

/** Registers it where the page was built with one. `untouched`: whether a reload would take nothing from the user. */
export async function initOffline(untouched: () => boolean): Promise<void> {
  const script = document.documentElement.dataset["serviceWorker"];
  if (!script || !("serviceWorker" in navigator)) return;
  await navigator.serviceWorker.register(script);
  await navigator.serviceWorker.ready;
  document.documentElement.dataset["offline"] = "ready";
  // The first visit's page came from the host: once more from the service worker it has its headers. Once, for where that does
  // not help.
  if (crossOriginIsolated || sessionStorage.getItem(RELOADED) || !untouched()) return;
  sessionStorage.setItem(RELOADED, "yes");
  location.reload();
}
