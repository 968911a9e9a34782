// The page in which models that read text, or match it with images, are tested.

/**
 * A page with the package and the helpers of images-page.js and text-page.js as globals, and an `engine` on `device`;
 * `source(family, files)` is a folder of tests/conformance with a tokenizer and a processor, and other files in place of
 * some (`null`: none).
 */
export async function openTextPage(browser, server, device) {
  const page = await browser.newPage();
  await page.goto(`${server.url}tests/support/page.html`);
  await page.evaluate(async (device) => {
    const modules = ["/dist/index.js", "/tests/support/images-page.js", "/tests/support/text-page.js"];
    for (const module of modules) Object.assign(globalThis, await import(module));
    globalThis.engine = await Engine.create({ device });
    globalThis.source = async (family, files = {}) => {
      const all = { ...await sourceOf(family), "tokenizer.json": JSON.stringify(tokenizerOf(family)), ...files };
      return Object.fromEntries(Object.entries(all).filter(([, content]) => content !== null));
    };
    globalThis.plain = ({ data, dims }) => ({ data: Array.from(data), dims });
  }, device);
  return page;
}
