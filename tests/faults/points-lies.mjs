// Servers that say one thing and send another: lengths, ranges, versions, compression. Whatever they say, a load gives
// the right bytes or an error, and what was wrong is not kept.

import { places } from "./injector.mjs";
import { MODELS } from "./models.mjs";
import { gzipped, partial, text } from "./server.mjs";
import { inspected } from "./world.mjs";

const { gguf, folder } = MODELS;
const WEIGHTS = { gguf: "gguf/tiny.gguf", folder: "folder/model.safetensors" };

const withHeaders = (answer, headers) => ({ ...answer, headers: { ...answer.headers, ...headers } });
const unnamed = { etag: undefined, "last-modified": undefined };
const half = ({ body }) => body.length >> 1;

const saysLength = (answer, length) => withHeaders(answer, { "content-length": length });
const until = (answer, at, how) => ({ ...answer, ends: { at, how } });
/** To who asked for the whole. */
const partOf = (answer, from, to) => (answer.status === 200 ? partial(answer, from, to) : answer);
const EITHER = ["network", "corrupt-file"];

/** Of answers to a GET: [twist, codes that may come of it]. */
const LENGTHS = {
  "too-long": [(answer) => saysLength(answer, answer.body.length + 1000), EITHER],
  "too-long-and-broken": [(answer) => until(saysLength(answer, answer.body.length + 1000), answer.body.length, "broken"), EITHER],
  "cut-to-what-it-says": [(answer) => ({ ...saysLength(answer, half(answer)), body: answer.body.subarray(0, half(answer)) }), EITHER],
  "more-than-it-says": [(answer) => saysLength(answer, half(answer)), EITHER],
  "not-said": [(answer) => saysLength(answer, undefined), []],
  "nothing-said": [(answer) => withHeaders(answer, { "content-length": undefined, "accept-ranges": undefined, ...unnamed }), []],
  "no-number": [(answer) => saysLength(answer, "many"), []],
  "partial-unasked": [(answer) => partOf(answer, 0, answer.body.length), []],
  "half-unasked": [(answer) => partOf(answer, 0, half(answer)), EITHER],
  "other-half-unasked": [(answer) => partOf(answer, half(answer), answer.body.length), EITHER],
  gzip: [gzipped, []],
};

/** Answers to the range that resumes; `whole` is all of the file, `from` what was asked. */
const RANGES = {
  "begins-a-byte-early": (whole, from) => shifted(whole, from, -1),
  "begins-a-byte-late": (whole, from) => shifted(whole, from, 1),
  "begins-early": (whole, from) => shifted(whole, from, -1000),
  "begins-late": (whole, from) => shifted(whole, from, 1000),
  "begins-at-zero": (whole) => partial(whole, 0, whole.body.length),
  "says-early": (whole, from) => saying(whole, from, `bytes ${from - 1000}-${whole.body.length - 1001}/${whole.body.length}`),
  "says-nothing": (whole, from) => saying(whole, from, undefined),
  "says-nonsense": (whole, from) => saying(whole, from, "bytes and more bytes"),
  "total-a-byte-less": (whole, from) => saying(whole, from, `bytes ${from}-${whole.body.length - 2}/${whole.body.length - 1}`),
  "total-more": (whole, from) => saying(whole, from, `bytes ${from}-${whole.body.length - 1}/${whole.body.length + 1000}`),
  "total-unknown": (whole, from) => saying(whole, from, `bytes ${from}-${whole.body.length - 1}/*`),
  "fewer-than-asked": (whole, from) => partial(whole, from, from + 999),
  "fewer-than-said": (whole, from) => ({ ...partial(whole, from, whole.body.length), body: whole.body.subarray(from, -999) }),
  "more-than-said": (whole, from) => ({ ...partial(whole, from, whole.body.length), body: whole.body.subarray(from - 999) }),
  "packed": (whole, from) => gzipped(partial(whole, from, whole.body.length)),
  "in-parts": (whole, from) => inParts(partial(whole, from, whole.body.length)),
  "whole": (whole) => whole,
  "unnamed": (whole, from) => withHeaders(partial(whole, from, whole.body.length), unnamed),
  "renamed": (whole, from) => withHeaders(partial(whole, from, whole.body.length), { etag: '"other"' }),
};

const inParts = (part) => ({
  ...withHeaders(part, { "content-type": "multipart/byteranges; boundary=x", "content-range": undefined }),
  body: text("--x\r\ncontent-range: …"),
});
/** From the front there is nothing earlier. */
const shifted = (whole, from, by) => partial(whole, Math.max(0, from + by), whole.body.length);
const saying = (whole, from, range) => withHeaders(partial(whole, from, whole.body.length), { "content-range": range });

/** Answers to the question whether a kept copy is still the file. */
const QUESTIONS = {
  "says-nothing": () => ({ status: 200, headers: {}, body: text("") }),
  "no-length": (answer) => withHeaders(answer, { "content-length": undefined }),
  "length-only": (answer) => withHeaders(answer, unnamed),
  "other-length": (answer) => withHeaders(answer, { "content-length": answer.body.length + 7 }),
  "no-length-is-zero": (answer) => withHeaders(answer, { "content-length": 0 }),
  packed: gzipped,
  weak: (answer) => withHeaders(answer, { etag: `W/${answer.headers.etag}` }),
  "other-name": (answer) => withHeaders(answer, { etag: '"other"' }),
  "other-date": (answer) => withHeaders(answer, { "last-modified": "Tue, 07 Jul 2026 10:00:00 GMT" }),
  "405": () => ({ status: 405, headers: {}, body: text("") }),
  "501": () => ({ status: 501, headers: {}, body: text("") }),
};

export function points(world) {
  return [...lengths(), ...silentEnds(), ...resumes(), ...questions(), ...versions(world), ...inspections(world)];
}

/** A point whose twist is for the weights, at the first GET or at all. */
function lie({ model, state, mode = "always", ...rest }, kind, name, change) {
  return {
    model, state, kind,
    name: `${kind}/${name}`,
    arm(world) {
      let first = true;
      world.server.twist = (answer, request) => {
        const isMeant = request.path === WEIGHTS[model.name] && request.method !== "HEAD" && answer.status < 400;
        if (!isMeant || (mode === "once" && !first)) return answer;
        first = false;
        return change(answer, request, world);
      };
    },
    ...rest,
  };
}

function lengths() {
  return [gguf, folder].flatMap((model) => ["once", "always"].flatMap((mode) =>
    Object.entries(LENGTHS).map(([name, [change, codes]]) =>
      lie({ model, state: "first", mode, codes }, `lies/${model.name}-first/length`, `${mode}-${name}`, change))));
}

/** The body ends without a word, where nobody has said how long it is; packed, it is never known. */
function silentEnds() {
  const size = gguf.versions[0][WEIGHTS.gguf].bytes.length;
  const kinds = {
    unsaid: [(answer) => withHeaders(answer, { "content-length": undefined }), []],
    packed: [gzipped, []],
    // Nothing would tell that the rest is of the same file.
    unnamed: [(answer) => withHeaders(answer, unnamed), ["network"]],
  };
  const point = (name, [change, codes], at, how) => {
    const place = { model: gguf, state: "first", mode: "once", codes: how === "silently" ? EITHER : codes };
    return lie(place, `lies/gguf-first/end-${how}`, `${name}-${at}`, (answer) => until(change(answer), at, how));
  };
  return ["silently", "broken"].flatMap((how) => Object.entries(kinds).flatMap(([name, way]) =>
    places(size, 10).map((at) => point(name, way, at, how))));
}

function resumes() {
  const twist = (change) => (answer, { range }, { server }) => {
    if (range === undefined) return answer;
    const { bytes } = server.files[WEIGHTS.gguf];
    const headers = { ...answer.headers, "content-length": bytes.length, "content-range": undefined };
    return change({ status: 200, headers, body: bytes }, Number(/\d+/.exec(range)[0]));
  };
  return ["once", "always"].flatMap((mode) => Object.entries(RANGES).map(([name, change]) => {
    // Who begins anew, and is told a wrong size again, has a file that is cut.
    const place = { model: gguf, state: "resumed", mode, codes: mode === "always" ? EITHER : ["network"] };
    return lie(place, "lies/gguf-resumed/range", `${mode}-${name}`, twist(change));
  }));
}

function questions() {
  return [gguf, folder].flatMap((model) => Object.entries(QUESTIONS).map(([name, change]) => {
    const kind = `lies/${model.name}-kept/question`;
    return {
      model, state: "kept", kind,
      name: `${kind}/${name}`,
      arm({ server }) {
        server.twist = (answer, { method }) => (method === "HEAD" && answer.status === 200 ? change(answer) : answer);
      },
    };
  }));
}

/** The file changes while it comes: after a break another one is there. Half of one and half of the other is no file. */
function versions(world) {
  const size = gguf.versions[0][WEIGHTS.gguf].bytes.length;
  const codes = ["network", "corrupt-file", "integrity"];
  const both = world.right.gguf;
  const midway = (name, files) => places(size, 10).map((at) => ({
    model: gguf, state: "first", version: 1, codes, right: both,
    kind: `lies/gguf-first/${name}`,
    name: `lies/gguf-first/${name}/${at}`,
    arm({ server }) {
      server.breakAt = at;
      server.onBreak = () => { server.files = files; };
    },
  }));
  const [path, file] = Object.entries(gguf.versions[1])[0];
  const nameless = { [path]: { bytes: file.bytes } };
  const renames = places(size, 5).map((at) => {
    let answers = 0;
    return lie({ model: gguf, state: "first", codes: ["network"] }, "lies/gguf-first/renamed-each-time", `${at}`, (answer) => ({
      ...withHeaders(answer, { etag: `"${++answers}"`, "last-modified": undefined }),
      ...(answers === 1 && at > 0 && { ends: { at, how: "broken" } }),
    }));
  });
  return [...midway("changed-midway", gguf.versions[1]), ...midway("changed-midway-unnamed", nameless), ...renames];
}

/** `inspect` reads the front by ranges. */
function inspections(world) {
  const ways = {
    ...Object.fromEntries(Object.entries(LENGTHS).map(([name, [change]]) => [name, change])),
    "ends-silently": (answer) => until(answer, 500, "silently"),
    breaks: (answer) => until(answer, 500, "broken"),
  };
  const point = (model, mode, name, change) => {
    const expected = { attempt: inspected, right: [world.inspected[model.name]], codes: EITHER };
    return lie({ model, state: "first", mode, ...expected }, `lies/${model.name}-first/inspect`, `${mode}-${name}`, change);
  };
  return [gguf, folder].flatMap((model) => ["once", "always"].flatMap((mode) =>
    Object.entries(ways).map(([name, change]) => point(model, mode, name, change))));
}
