// What the apps' pages say, in Chromium.

/** A bundler's own server builds while the page waits. */
const DEADLINE = 120_000;

/** What an app's page says of itself: that it has the device, or that it has answered. */
export const STAGES = { device: "body[data-device]", answer: "body[data-state=done]" };

/**
 * Opens an app's page, and waits for a stage or a failure.
 * @returns what the page says: `device`, `text`, `isolated`, `error`
 */
export async function read(context, url, stage) {
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE);
  const complaints = [];
  page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(error.stack));
  try {
    await page.goto(url, { waitUntil: "commit" });
    await page.waitForSelector(`${stage}, body[data-state=failed]`, { state: "attached" });
    return await page.evaluate(() => {
      const { error, device } = document.body.dataset;
      return { error, device: device && JSON.parse(device), text: document.getElementById("answer").textContent, isolated: crossOriginIsolated };
    });
  } catch (error) {
    return { error: [error.message, ...complaints].join("\n") };
  }
}

/** The same in a profile of its own. */
export async function visit(browser, url, stage) {
  const context = await browser.newContext();
  try {
    return await read(context, url, stage);
  } finally {
    await context.close();
  }
}
