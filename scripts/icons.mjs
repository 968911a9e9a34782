// Makes what needs pixels of www/logo.svg: the icons of the installed page and the card of link previews.
//
//     node scripts/icons.mjs       writes www/icons/, which is kept in the repository

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { CHROMIUM_ARGUMENTS, findChromium } from "./chromium.mjs";
import { root } from "./run.mjs";

const logo = `data:image/svg+xml;base64,${readFileSync(join(root, "www", "logo.svg")).toString("base64")}`;
const tile = (size) => ({ size: { width: size, height: size }, html: `<img src="${logo}" width="${size}" height="${size}" style="display: block">` });
const PICTURES = {
  "192.png": tile(192),
  "512.png": tile(512),
  "card.png": {
    size: { width: 1200, height: 630 },
    html: `<div style="height: 630px; box-sizing: border-box; padding: 200px 90px; color: #16202e; font: 44px/1.3 system-ui, sans-serif;
      background: url(${logo}) 0 0 / 90px 90px repeat-x, url(${logo}) 0 540px / 90px 90px repeat-x, #f7f9fc">
      <b style="font-size: 96px">azulejo</b><br>Transformers that run in the page</div>`,
  },
};

const browser = await chromium.launch({ executablePath: findChromium(), args: CHROMIUM_ARGUMENTS });
try {
  mkdirSync(join(root, "www", "icons"), { recursive: true });
  for (const [name, { size, html }] of Object.entries(PICTURES)) {
    const page = await browser.newPage({ viewport: size });
    await page.setContent(`<body style="margin: 0">${html}</body>`);
    const path = join(root, "www", "icons", name);
    await page.screenshot({ path });
    await page.close();
    spawnSync("pngquant", ["--force", "--skip-if-larger", "--output", path, path]); // where it is installed
  }
} finally {
  await browser.close();
}
