// The page in which image models are tested.

/**
 * A page with the package and the helpers of images-page.js as globals, and an `engine` on `device`; with `model`, a
 * folder of tests/conformance, also that model as `vit`.
 */
export async function openImagesPage(browser, server, device, model) {
  const page = await browser.newPage();
  await page.goto(`${server.url}tests/support/page.html`);
  await page.evaluate(async ({ device, model }) => {
    Object.assign(globalThis, await import("/dist/index.js"), await import("/tests/support/images-page.js"));
    globalThis.engine = await Engine.create({ device });
    if (model) globalThis.vit = await ImageClassifier.load(await sourceOf(model), { engine });
  }, { device, model });
  return page;
}
