// What says where a model on a server is.

import { oneOf, optionsOf } from "../page/options.js";
import { absolute } from "../page/source.js";
import { checkHeaders, checkList, checkName, checkOptions, checkText, describe } from "../page/validate.js";
import { AzulejoError, invalid } from "../shared/errors.js";
import type { Task } from "../shared/protocol.js";
import type { RemoteImages, RemoteOptions } from "../shared/types.js";

const readImages = /* @__PURE__ */ optionsOf<RemoteImages>("images", {
  mean: (value, name) => checkList(value, name, "numbers", checkNumber),
  std: (value, name) => checkList(value, name, "numbers", checkPositive),
  labels: (value, name) => checkList(value, name, "strings", checkText),
});
const readRemote = /* @__PURE__ */ optionsOf<RemoteOptions>("a server", {
  url: checkAddress,
  protocol: /* @__PURE__ */ oneOf("openai", "kserve"),
  model: checkName,
  headers: (value, name) => (typeof value === "function" ? (value as () => Promise<Record<string, string>>) : checkHeaders(value, name)),
  images: checkImages,
});

/** Whole, and a copy. `name` is what messages call it. */
export function checkRemote(options: unknown, name = "options"): RemoteOptions {
  checkOptions(options, name);
  const checked = readRemote(options as RemoteOptions, name);
  if (checked.url === undefined) throw invalid(`${name === "options" ? "" : `${name}.`}url is missing`);
  return checked;
}

const PROTOCOLS: Partial<Record<Task, "openai" | "kserve">> = {
  "causal-lm": "openai",
  "text-embedding": "openai",
  "text-classification": "openai",
  "image-classification": "kserve",
};

/** Throws where no server has such models. */
export function checkProtocol(task: Task, { protocol, images }: RemoteOptions): "openai" | "kserve" {
  const spoken = PROTOCOLS[task];
  if (spoken === undefined) throw new AzulejoError("unsupported-model", `models for ${task} are not to be had of a server`);
  if ((protocol ?? spoken) !== spoken) throw invalid(`protocol: models for ${task} are reached by ${JSON.stringify(spoken)}`);
  if (images !== undefined && spoken !== "kserve") throw invalid("images: for an ImageClassifier");
  return spoken;
}

function checkImages(value: unknown, name: string): RemoteImages {
  const images = readImages(value as RemoteImages, name);
  if (images.mean?.length !== images.std?.length) throw invalid(`${name}.mean and ${name}.std go together, one number for each channel`);
  return images;
}

function checkAddress(value: unknown, name: string): string {
  if (typeof value !== "string" && Object.prototype.toString.call(value) !== "[object URL]")
    throw invalid(`${name} should be an address, not ${describe(value)}`);
  const url = absolute(String(value));
  if (!/^https?:$/.test(url.protocol)) throw invalid(`${name} should be an address of http or https, not ${describe(value)}`);
  if (url.username !== "" || url.search !== "" || url.hash !== "") throw invalid(`${name} should be without a user, a query and a fragment: keys go into headers`);
  return url.href;
}

function checkNumber(value: unknown, name: string): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw invalid(`${name} should be a number, not ${describe(value)}`);
  return value;
}

function checkPositive(value: unknown, name: string): number {
  if (checkNumber(value, name) <= 0) throw invalid(`${name} should be more than 0, not ${describe(value)}`);
  return value as number;
}
