// Firefox and WebKit, as Debian packages them: each opens one address in a profile of its own, without a driver.

import { spawnSync } from "node:child_process";
import { accessSync, constants, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { start } from "./processes.mjs";

/** The program, looked for on the PATH and in more folders. */
function find(name, folders = []) {
  return [...(process.env.PATH ?? "").split(delimiter), ...folders].map((folder) => join(folder, name)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** A folder for all that a browser writes, removed after `stop`. */
function profile(processes) {
  const folder = mkdtempSync(join(tmpdir(), "azulejo-browser-"));
  return {
    folder,
    async stop() {
      for (const each of processes.reverse()) await each.stop();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** What the program says of itself. */
function version(program, env) {
  const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8", env: { ...process.env, ...env }, timeout: 30_000 });
  return /\d[\d.]*/.exec(stdout)?.[0] ?? "";
}

/** Firefox asks for nothing but the page: every other host is behind a proxy that is not there. */
const FIREFOX_PREFERENCES = {
  "network.proxy.type": 1,
  "network.proxy.http": "127.0.0.1",
  "network.proxy.http_port": 9,
  "network.proxy.ssl": "127.0.0.1",
  "network.proxy.ssl_port": 9,
  "network.proxy.no_proxies_on": "127.0.0.1, localhost",
  "app.update.enabled": false,
  "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "browser.aboutwelcome.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "extensions.update.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "data:,none",
  "toolkit.telemetry.enabled": false,
};

const firefox = {
  packages: ["firefox-esr"],
  find: () => find("firefox-esr") ?? find("firefox"),
  open(program, url, settings = {}) {
    const processes = [];
    const { folder, stop } = profile(processes);
    const lines = Object.entries(FIREFOX_PREFERENCES).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`);
    writeFileSync(join(folder, "user.js"), lines.join(""));
    const env = { HOME: folder, ...settings };
    const browser = start(program, ["--headless", "--no-remote", "--profile", folder, url], { env });
    processes.push(browser);
    return { version: version(program, env), ended: browser.ended, printed: browser.printed, stop };
  },
};

const LIBRARIES = ["/usr/lib", "/usr/libexec"];

/** MiniBrowser lies beside the library, in a folder that names machine and version. */
function findMiniBrowser() {
  const folders = LIBRARIES.flatMap((library) => under(library).flatMap((each) => [each, ...under(each)]));
  return find("MiniBrowser", folders.filter((each) => /webkit2?gtk/.test(each)));
}

function under(folder) {
  try {
    return readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => join(folder, entry.name));
  } catch {
    return [];
  }
}

const webkit = {
  packages: ["libwebkit2gtk-4.1-0", "xvfb"],
  find: () => find("Xvfb") && findMiniBrowser(),
  async open(program, url, settings = {}) {
    const processes = [];
    const { folder, stop } = profile(processes);
    // It takes the first display that is free, and says which.
    const screen = start(find("Xvfb"), ["-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp"]);
    processes.push(screen);
    const [display] = await screen.says(/^\d+$/m);
    const env = {
      HOME: folder, XDG_CACHE_HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, DISPLAY: `:${display}`,
      WEBKIT_DISABLE_COMPOSITING_MODE: "1", NO_AT_BRIDGE: "1", ...settings,
    };
    const browser = start(program, [url], { env });
    processes.push(browser);
    return { version: version(program, env), ended: browser.ended, printed: browser.printed, stop };
  },
};

export const BROWSERS = { firefox, webkit };
