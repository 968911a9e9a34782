// Requests that the page makes for its worker, with the caller's `fetch`: message by message.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PageFetches } from "../dist/page/page-fetch.js";
import { deadline } from "./support/deadline.mjs";

deadline(5);

const GET = { method: "GET", headers: { range: "bytes=0-" } };

/** A page's side whose answers can be awaited in their order. */
function start() {
  const answers = [];
  let heard;
  const fetches = new PageFetches((message, transfer = []) => {
    answers.push(structuredClone(message, { transfer }));
    heard?.();
  });
  const answer = async () => {
    if (answers.length === 0) await new Promise((resolve) => { heard = resolve; });
    return answers.shift();
  };
  const ask = (how, { id = 1, fetch = 7, request = GET } = {}) => void fetches.start({ kind: "fetch", id, fetch, url: "https://a.example/m.gguf", request }, how);
  const pull = (fetch = 7) => { void fetches.pull(fetch); return answer(); };
  return { fetches, answers, answer, ask, pull };
}

const bodyOf = (...pieces) => new ReadableStream({
  start(stream) {
    for (const piece of pieces) stream.enqueue(piece);
    stream.close();
  },
});

test("a response comes head first, then piece by piece, then its end", async () => {
  const { ask, answer, pull } = start();
  let asked;
  ask(async (...given) => {
    asked = given;
    return new Response(bodyOf(new Uint8Array([1, 2]), new Uint8Array([3])), { status: 206, statusText: "Partial", headers: { etag: "a" } });
  }, { request: { ...GET, credentials: "omit", cache: "no-store" } });
  const { response, ...rest } = await answer();
  assert.deepEqual(rest, { kind: "fetched", fetch: 7 });
  assert.deepEqual(response, { status: 206, statusText: "Partial", url: "", type: "default", headers: [["etag", "a"]] });
  const [url, { signal, ...init }] = asked;
  assert.equal(url, "https://a.example/m.gguf");
  assert.deepEqual(init, { method: "GET", headers: { range: "bytes=0-" }, credentials: "omit", cache: "no-store" });
  assert.equal(signal.aborted, false);
  assert.deepEqual(await pull(), { kind: "fetchPiece", fetch: 7, bytes: new Uint8Array([1, 2]) });
  assert.deepEqual(await pull(), { kind: "fetchPiece", fetch: 7, bytes: new Uint8Array([3]) });
  assert.deepEqual(await pull(), { kind: "fetchPiece", fetch: 7 });
});

test("the caller's own bytes stay the caller's", async () => {
  const { ask, answer, pull } = start();
  const mine = new Uint8Array([9, 1, 2, 9]);
  ask(async () => new Response(bodyOf(mine.subarray(1, 3))));
  await answer();
  assert.deepEqual((await pull()).bytes, new Uint8Array([1, 2]));
  assert.equal(mine.buffer.byteLength, 4);
});

test("without a body it ends at once; a body of another kind comes whole", async () => {
  const { ask, answer, pull } = start();
  ask(async () => new Response(null, { status: 204 }));
  await answer();
  assert.deepEqual(await pull(), { kind: "fetchPiece", fetch: 7 });
  ask(async () => ({ status: 200, headers: new Headers(), body: { pipe() {} }, arrayBuffer: async () => new Uint8Array([5]).buffer }), { fetch: 8 });
  await answer();
  assert.deepEqual((await pull(8)).bytes, new Uint8Array([5]));
  assert.deepEqual(await pull(8), { kind: "fetchPiece", fetch: 8 });
});

test("what fails is told: the request, the answer, the body", async () => {
  const { ask, answer, pull } = start();
  const failure = async (how) => {
    ask(how);
    const { code, message } = (await answer()).error;
    return { code, message };
  };
  assert.deepEqual(await failure(async () => { throw new TypeError("no route"); }), { code: "network", message: "no route" });
  assert.deepEqual(await failure(() => { throw "words"; }), { code: "network", message: "words" });
  const none = { code: "invalid-argument", message: "fetch should resolve to a Response" };
  for (const wrong of [undefined, null, 5, "text", { status: "200" }, { status: 200 }]) assert.deepEqual(await failure(async () => wrong), none);
  ask(async () => new Response(new ReadableStream({ pull: (stream) => stream.error(new TypeError("it broke")) })));
  assert.equal((await answer()).response.status, 200);
  const { error } = await pull();
  assert.deepEqual([error.code, error.message], ["network", "it broke"]);
  ask(async () => new Response(bodyOf("letters")));
  await answer();
  assert.equal((await pull()).error.code, "invalid-argument");
});

test("what is cancelled is aborted and not answered, before its head comes and after", async () => {
  const { fetches, ask, answers, answer } = start();
  let signal;
  const hang = (_, init) => new Promise((_, reject) => {
    signal = init.signal;
    signal.addEventListener("abort", () => reject(signal.reason));
  });
  ask(hang);
  fetches.cancel(7);
  assert.equal(signal.aborted, true);
  let cancelled;
  const gone = new Promise((resolve) => { cancelled = resolve; });
  let respond;
  ask(() => new Promise((resolve) => { respond = resolve; }), { fetch: 8 });
  fetches.cancel(8);
  respond(new Response(new ReadableStream({ cancel: cancelled })));
  await gone;
  ask((_, init) => { signal = init.signal; return Promise.resolve(new Response(bodyOf(new Uint8Array(1)))); }, { fetch: 9 });
  await answer();
  fetches.cancel(9);
  assert.equal(signal.aborted, true);
  await fetches.pull(9);
  assert.deepEqual(answers, []);
});

test("with its call ends what the call has asked for, and nothing else", async () => {
  const { fetches, ask } = start();
  const signals = {};
  const keep = (name) => (_, init) => { signals[name] = init.signal; return new Promise(() => {}); };
  ask(keep("one"), { id: 1, fetch: 1 });
  ask(keep("two"), { id: 2, fetch: 2 });
  ask(keep("three"), { id: 2, fetch: 3 });
  fetches.endOf(1);
  assert.deepEqual([signals.one.aborted, signals.two.aborted], [true, false]);
  fetches.endOf(2);
  assert.deepEqual([signals.two.aborted, signals.three.aborted], [true, true]);
  fetches.start({ kind: "fetch", id: 3, fetch: 4, url: "https://a.example/", request: GET }, undefined);
});
