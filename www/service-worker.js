// Makes the hosted page work offline after one visit, and gives its files the headers of cross-origin isolation, which
// threads need and many hosts cannot send. scripts/site.mjs puts two lines before this:
//
//     const VERSION = "…";      of the files' contents: with another one the browser installs this anew
//     const FILES = ["./", …];  what makes the page, without its wasm builds: of these it is kept what was used
//
// Models are the package's business: they are kept in the origin's private file system and pass by here.

const NAME = `azulejo page ${registration.scope} `;
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};
const ADDRESSES = new Set(FILES.map((file) => new URL(file, registration.scope).href));
const WASM = new URL("azulejo/", registration.scope).href;

addEventListener("install", (event) => event.waitUntil(install()));
addEventListener("activate", (event) => event.waitUntil(activate()));
addEventListener("fetch", (event) => {
  const { request } = event;
  const address = addressOf(request);
  const ours = ADDRESSES.has(address) || (address.startsWith(WASM) && address.endsWith(".wasm"));
  if (ours && ["GET", "HEAD"].includes(request.method)) event.respondWith(answer(request, address));
});

/** All or nothing: a version is never mixed with another. It takes over once no tab shows the one before. */
async function install() {
  const cache = await caches.open(NAME + VERSION);
  await cache.addAll(FILES.map((file) => new Request(file, { cache: "no-cache" })));
}

async function activate() {
  const old = (await caches.keys()).filter((name) => name.startsWith(NAME) && name !== NAME + VERSION);
  await Promise.all(old.map((name) => caches.delete(name)));
  await clients.claim(); // the page of the first visit
}

/** What follows ? and # is the page's own. */
function addressOf({ url, mode }) {
  const { origin, pathname } = new URL(url);
  return origin + (mode === "navigate" ? pathname.replace(/\/index\.html$/, "/") : pathname);
}

async function answer(request, address) {
  const cache = await caches.open(NAME + VERSION);
  const kept = await cache.match(address);
  if (kept) return isolated(kept, request.method === "HEAD");
  const response = await fetch(request);
  if (request.method === "GET" && response.status === 200) await cache.put(address, response.clone());
  return isolated(response);
}

function isolated(response, empty = false) {
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(empty ? null : response.body, { status: response.status, statusText: response.statusText, headers });
}
