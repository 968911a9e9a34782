// How long a page's own thread is busy at a time.

/**
 * Runs `work`, and gives what it gives and the longest task of a page's main thread meanwhile: in milliseconds of CPU time,
 * since the clock of a busy machine counts what others do.
 * @template T
 * @param {import("playwright-core").Browser} browser with no other page at work
 * @param {import("playwright-core").Page} page
 * @param {() => Promise<T>} work
 * @returns {Promise<{ result: T, longest: number }>}
 */
export async function longestTask(browser, page, work) {
  await browser.startTracing(page, { categories: ["toplevel"] });
  const result = await work();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
  const isMain = new Set(traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain").map(threadOf));
  const tasks = traceEvents.filter((event) => event.ph === "X" && event.name.endsWith("RunTask") && isMain.has(threadOf(event)));
  if (tasks.length === 0) throw new Error("the trace has no task of a page's main thread");
  return { result, longest: Math.max(...tasks.map(({ tdur }) => tdur)) / 1000 };
}

const threadOf = ({ pid, tid }) => `${pid} ${tid}`;
