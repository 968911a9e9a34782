// Visits to the apps' pages in Chromium.

/** A bundler's own server builds while the page waits. */
const DEADLINE = 120_000;

/** What an app's page says of itself: that it has the device, that it has answered, or why not. */
export const STAGES = { device: "body[data-device]", answer: "body[data-state=done]" };

/**
 * Opens an app's page in a profile of its own, and waits for a stage.
 * @returns what the page says: `state`, `text`, `device`, `error`
 */
export async function visit(browser, url, asked, stage) {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE);
  const complaints = [];
  page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(error.stack));
  try {
    await page.goto(`${url}?${new URLSearchParams(asked)}`, { waitUntil: "commit" });
    await page.waitForSelector(`${stage}, body[data-state=failed]`, { state: "attached" });
    return await page.evaluate(() => {
      const { state, error, device } = document.body.dataset;
      return { state, error, device: device && JSON.parse(device), text: document.getElementById("answer").textContent, isolated: crossOriginIsolated };
    });
  } catch (error) {
    return { state: "failed", error: [error.message, ...complaints].join("\n") };
  } finally {
    await context.close();
  }
}
