// How long a page's own thread is busy at a time.

const MARK = "the page's own thread";
const threadOf = ({ pid, tid }) => `${pid} ${tid}`;

/**
 * Runs `work`, and gives what it gives and the longest task of a page's own thread meanwhile: in milliseconds of CPU time,
 * since the clock of a busy machine counts what others do. A busy browser may lose a trace: then once more.
 * @template T
 * @param {import("playwright-core").Browser} browser with no other page at work
 * @param {import("playwright-core").Page} page
 * @param {() => Promise<T>} work
 * @returns {Promise<{ result: T, longest: number }>}
 */
export async function longestTask(browser, page, work) {
  for (let tries = 0; tries < 5; tries++) {
    await browser.startTracing(page, { categories: ["toplevel", "blink.user_timing"] });
    await page.evaluate((mark) => performance.mark(mark), MARK);
    const result = await work();
    await page.evaluate((mark) => performance.mark(mark), MARK);
    const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
    const marks = traceEvents.filter(({ name }) => name === MARK);
    if (marks.length < 2) continue;
    const thread = threadOf(marks[0]);
    const tasks = traceEvents.filter((event) => event.ph === "X" && event.name.endsWith("RunTask") && threadOf(event) === thread);
    if (tasks.length > 0) return { result, longest: Math.max(...tasks.map(({ tdur }) => tdur)) / 1000 };
  }
  throw new Error("no trace has the tasks of the page's own thread");
}
