// How a source is spelled: what each address is taken for, in a page and under Node. Nothing is fetched.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { CausalLM, inspect } from "../dist/index.js";
import { sourceOf } from "../dist/page/source.js";
import { rejection } from "./support/rejections.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(5);

const HUB = "https://huggingface.co/";
const hub = (repo, revision = "main", path = "", endpoint = HUB) => ({ kind: "hub", endpoint, repo, revision, path });
const wire = (source, endpoint) => sourceOf(source, endpoint).open().wire;

/** Spellings of places on the hub, the same everywhere. */
const ON_THE_HUB = {
  "hf:org/name": hub("org/name"),
  "HF:org/name": hub("org/name"),
  "hf://org/name": hub("org/name"),
  "hf:org/name/": hub("org/name"),
  "hf:gpt2": hub("gpt2"),
  "hf:gpt2@v1": hub("gpt2", "v1"),
  "hf:gpt2@v1/model.gguf": hub("gpt2", "v1", "model.gguf"),
  "hf:org/name.with-dots_1": hub("org/name.with-dots_1"),
  "hf:org/name/model.gguf": hub("org/name", "main", "model.gguf"),
  "hf:org/name/model.GGUF": hub("org/name", "main", "model.GGUF"),
  "hf:org/name/sub/model.gguf": hub("org/name", "main", "sub/model.gguf"),
  "hf:org/name/model.gguf?download=true": hub("org/name", "main", "model.gguf"),
  "hf:org/name/my%20model.gguf": hub("org/name", "main", "my model.gguf"),
  "hf:org/name/100%.gguf": hub("org/name", "main", "100%.gguf"),
  "hf:org/name/sub/": hub("org/name", "main", "sub/"),
  "hf:org/name/a/b/": hub("org/name", "main", "a/b/"),
  "hf:org/name@v1.0": hub("org/name", "v1.0"),
  "hf:org/name@v1.0/": hub("org/name", "v1.0"),
  "hf:org/name@v1.0/sub/": hub("org/name", "v1.0", "sub/"),
  "hf:org/name@607a30d783dfa663caf39e06633721c8d4cfcd7e/m.gguf": hub("org/name", "607a30d783dfa663caf39e06633721c8d4cfcd7e", "m.gguf"),
  "hf:org/name@refs/pr/1": hub("org/name", "refs/pr/1"),
  "hf:org/name@refs/pr/12/sub/m.gguf": hub("org/name", "refs/pr/12", "sub/m.gguf"),
  "hf:org/name@refs%2Fpr%2F1": hub("org/name", "refs/pr/1"),
  "hf:org/name@refs%2Fpr%2F1/m.gguf": hub("org/name", "refs/pr/1", "m.gguf"),
  "hf:org/name@refs/convert/onnx/sub/": hub("org/name", "refs/convert/onnx", "sub/"),
  "hf:org/name@feature%2Fx/": hub("org/name", "feature/x"),
  "https://huggingface.co/org/name": hub("org/name"),
  "https://huggingface.co/org/name/": hub("org/name"),
  "https://www.huggingface.co/org/name": hub("org/name"),
  "http://huggingface.co/org/name": hub("org/name"),
  "https://hf.co/org/name": hub("org/name"),
  "huggingface.co/org/name": hub("org/name"),
  "hf.co/org/name": hub("org/name"),
  "https://huggingface.co/gpt2": hub("gpt2"),
  "https://huggingface.co/gpt2/tree/main": hub("gpt2"),
  "https://huggingface.co/org/name?library=transformers": hub("org/name"),
  "https://huggingface.co/org/name?show_file_info=model.gguf": hub("org/name", "main", "model.gguf"),
  "https://huggingface.co/org/name?show_file_info=model.safetensors": hub("org/name"),
  "https://huggingface.co/org/name/tree/main": hub("org/name"),
  "https://huggingface.co/org/name/tree/main/": hub("org/name"),
  "https://huggingface.co/org/name/tree/v2/sub": hub("org/name", "v2", "sub/"),
  "https://huggingface.co/org/name/tree/refs%2Fpr%2F1": hub("org/name", "refs/pr/1"),
  "https://huggingface.co/org/name/tree/refs/pr/1/sub": hub("org/name", "refs/pr/1", "sub/"),
  "https://huggingface.co/org/name/blob/main/model.gguf": hub("org/name", "main", "model.gguf"),
  "https://huggingface.co/org/name/blob/main/sub/model.gguf": hub("org/name", "main", "sub/model.gguf"),
  "https://huggingface.co/org/name/resolve/main/model.gguf": hub("org/name", "main", "model.gguf"),
  "https://huggingface.co/org/name/resolve/main/model.gguf?download=true": hub("org/name", "main", "model.gguf"),
  "https://huggingface.co/org/name/resolve/main/my%20model.gguf": hub("org/name", "main", "my model.gguf"),
  "https://huggingface.co/org/name/resolve/refs%2Fpr%2F1/model.gguf": hub("org/name", "refs/pr/1", "model.gguf"),
  "https://huggingface.co/org/name/resolve/refs/pr/1/model.gguf": hub("org/name", "refs/pr/1", "model.gguf"),
  "https://huggingface.co/org/name/raw/main/model.gguf": hub("org/name", "main", "model.gguf"),
  "https://huggingface.co/org/name/resolve/main/": hub("org/name"),
};

/** Addresses of anybody's. */
const ELSEWHERE = {
  "https://a.example/m.gguf": { kind: "url", url: "https://a.example/m.gguf" },
  "https://a.example/m.gguf?download=true": { kind: "url", url: "https://a.example/m.gguf?download=true" },
  "https://a.example/download?id=5": { kind: "url", url: "https://a.example/download?id=5" },
  "https://a.example/folder/": { kind: "folder", url: "https://a.example/folder/" },
  "https://a.example/org/name/": { kind: "folder", url: "https://a.example/org/name/" },
  "https://huggingface.co.a.example/org/m.gguf": { kind: "url", url: "https://huggingface.co.a.example/org/m.gguf" },
  "https://huggingface.co/datasets/org/name/resolve/main/m.gguf": { kind: "url", url: "https://huggingface.co/datasets/org/name/resolve/main/m.gguf" },
  "blob:https://a.example/1234": { kind: "url", url: "blob:https://a.example/1234" },
  "data:application/octet-stream;base64,R0dVRg==": { kind: "url", url: "data:application/octet-stream;base64,R0dVRg==" },
};

/** What cannot be meant, and what is said of it. */
const WRONG = {
  "": /empty string/,
  "hf:": /should read hf:org\/name/,
  "hf:/name": /should read/,
  "hf:org/na me": /should read/,
  "hf:org/name@": /a revision should follow "@"/,
  "hf:org/name//m.gguf": /should read/,
  "hf:org/name/../m.gguf": /goes down only/,
  "hf:org/name/%2e%2e/m.gguf": /goes down only/,
  "hf:org/name:Q4_K_M": /load\("hf:org\/name", \{ quant: "Q4_K_M" \}\)/,
  "hf:org/name/model.safetensors": /give the folder that it lies in: hf:org\/name\/$/,
  "hf:org/name@v1/sub/config.json": /give the folder that it lies in: hf:org\/name@v1\/sub\/$/,
  "hf:org/name/sub": /its name ends in "\/": hf:org\/name\/sub\/$/,
  "hf:org/name/model.onnx": /GGUF files and folders with safetensors/,
  "hf:datasets/org/name": /no model's repository/,
  "https://huggingface.co/": /no model's address/,
  "https://huggingface.co/models": /no model's address/,
  "https://huggingface.co/datasets/org/name": /no model's address/,
  "https://huggingface.co/org/name/discussions/3": /the model itself is hf:org\/name$/,
  "https://huggingface.co/org/name/blob/main/model.safetensors": /give the folder that it lies in: hf:org\/name\/$/,
  "https://huggingface.co/org/name/resolve/main/config.json": /give the folder/,
  "https://a.example/models/vit": /if that is a folder: https:\/\/a\.example\/models\/vit\/$/,
  "https://a.example/models/Qwen2.5-0.5B": /if that is a folder: /,
  "https://a.example/vit/model.safetensors": /give the folder that it lies in: https:\/\/a\.example\/vit\/$/,
  "https://": /is not a URL/,
};

/** The same as a URL, where it is one. */
const asUrl = (text) => (/^(hf|https?|blob|data):/.test(text) && URL.canParse(text) && text === new URL(text).href ? new URL(text) : undefined);

function everywhere() {
  for (const [text, expected] of Object.entries({ ...ON_THE_HUB, ...ELSEWHERE })) {
    test(text, () => {
      assert.deepEqual(wire(text), expected);
      const url = asUrl(text);
      if (url !== undefined) assert.deepEqual(wire(url), expected);
    });
  }
  for (const [text, says] of Object.entries(WRONG)) {
    test(`${JSON.stringify(text)} is refused`, () => rejection(() => wire(text), "invalid-argument", says));
  }
}

describe("under Node", () => {
  everywhere();

  test("a path is a path, and what was meant is said where there is nothing", async () => {
    assert.deepEqual(wire("a/b"), { kind: "path", path: "a/b" });
    for (const use of [CausalLM.load, inspect]) {
      await rejection(() => use("no-org/no-name"), "missing-file", /if you mean the Hugging Face hub: hf:no-org\/no-name$/);
      const { message } = await rejection(() => use("./no-org/no-name"), "missing-file");
      assert.doesNotMatch(message, /hf:/);
    }
  });
});

describe("in a page", () => {
  const page = { window: {}, Worker: class {}, location: { href: "https://page.example/app/index.html" } };
  before(() => Object.assign(globalThis, page));
  after(() => { for (const name of Object.keys(page)) delete globalThis[name]; });
  everywhere();

  test("relative addresses are the page's own", () => {
    assert.deepEqual(wire("m.gguf"), { kind: "url", url: "https://page.example/app/m.gguf" });
    assert.deepEqual(wire("models/vit/"), { kind: "folder", url: "https://page.example/app/models/vit/" });
    assert.deepEqual(wire("models/m.gguf"), { kind: "url", url: "https://page.example/app/models/m.gguf" });
    assert.deepEqual(wire("/m.gguf"), { kind: "url", url: "https://page.example/m.gguf" });
  });

  test("what may be a repository's name is refused, with both that may be meant", async () => {
    for (const text of ["org/name", "HuggingFaceTB/SmolLM2-135M-Instruct", "Qwen/Qwen2.5-0.5B", "org/name@v1"]) {
      await rejection(() => wire(text), "invalid-argument", new RegExp(`the Hugging Face hub: hf:${text.replaceAll(".", "\\.")}; a folder's address ends in "/"`));
    }
    for (const text of ["./org/name", "../org/name", "/org/name", "a/b/c"]) {
      const { message } = await rejection(() => wire(text), "invalid-argument", /if that is a folder/);
      assert.doesNotMatch(message, /hf:/);
    }
  });
});

test("another endpoint takes the hub's place, and its own addresses are read alike", () => {
  const mine = "https://hub.example/mirror/";
  assert.deepEqual(wire("hf:org/name@v1/m.gguf", mine), hub("org/name", "v1", "m.gguf", mine));
  assert.deepEqual(wire("https://huggingface.co/org/name/tree/main", mine), hub("org/name", "main", "", mine));
  assert.deepEqual(wire("https://hub.example/mirror/org/name/blob/main/m.gguf", mine), hub("org/name", "main", "m.gguf", mine));
  assert.deepEqual(wire("https://hub.example/mirror/org/name", mine), hub("org/name", "main", "", mine));
  // What else lies on its host is no repository.
  for (const url of ["https://hub.example/files/m.gguf", "https://hub.example/mirror/a/b/c/m.gguf", "https://hub.example/mirror/files/m.gguf"]) {
    assert.deepEqual(wire(url, mine), { kind: "url", url });
  }
});
