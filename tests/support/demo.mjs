// The demo page as a visitor gets it, for the tests that look at it.

import { startServer } from "./server.mjs";

/**
 * The page in a browser that never saw it. `complaints`: what it or the browser said in the console.
 * @param {import("playwright-core").Browser} browser
 * @param {{ server?: object, hash?: string, context?: object }} [options] how it is served, which view, what browser window
 */
export async function visit(browser, { server: how = {}, hash = "", context: window = {} } = {}) {
  const server = await startServer(how);
  const context = await browser.newContext(window);
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
  page.on("worker", (worker) => worker.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); }));
  await page.goto(server.url + hash);
  return {
    page, complaints, url: server.url,
    async close() {
      await context.close();
      await server.close();
    },
  };
}
