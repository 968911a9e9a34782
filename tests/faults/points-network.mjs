// Every answer of the network is another than expected: each status, a start page, nothing, no answer at all; and the
// connection breaks at each of 40 places. Servers that lie have a file of their own.

import { numbered, places } from "./injector.mjs";
import { isOptional, MODELS } from "./models.mjs";
import { HANG, refused, text } from "./server.mjs";

const { gguf, folder, sharded } = MODELS;

const status = (code) => () => ({ status: code, headers: { "content-type": "text/plain" }, body: text("no") });
const STATUSES = [401, 403, 404, 408, 410, 416, 429, 500, 502, 503, 504];
const ANSWERS = {
  ...Object.fromEntries(STATUSES.map((code) => [code, status(code)])),
  html: () => ({ status: 200, headers: { "content-type": "text/html; charset=utf-8" }, body: text("<!doctype html><p>Welcome") }),
  empty: () => ({ status: 200, headers: { "content-length": 0 }, body: text("") }),
  refused,
  silence: () => HANG,
};
/** What a second try may mend. */
const PASSING = new Set(["408", "429", "500", "502", "503", "504", "refused"]);
/** What says that a file is not there. */
const GONE = new Set(["403", "404", "410", "html", "empty"]);

/** Which errors may come of an answer; whatever it is, a complete copy is not lost. */
function codesOf(answer, { state, request, mode }) {
  const { missing, optional } = request;
  if (state === "kept") return [];
  if (answer === "silence") return ["aborted", "network"];
  const spreads = mode === "onwards";
  if (PASSING.has(answer)) return spreads || answer === "408" ? ["network"] : [];
  if (state === "resumed" && answer === "416") return spreads ? ["network"] : [];
  if (!GONE.has(answer)) return ["network"];
  if ((missing || optional) && !spreads) return answer === "empty" && optional ? ["network", "corrupt-file"] : [];
  return ["network", "missing-file", ...(answer === "empty" ? ["corrupt-file"] : [])];
}

/** Without its tokenizer a model is right too where the server says that there is none. */
function rightOf(world, answer, { model, state, request, mode }) {
  const { right: { [model.name]: right }, bare: { [model.name]: bare } } = world;
  if (state === "changed") return right;
  const mayLack = state === "first" && (request.optional || mode === "onwards") && !PASSING.has(answer);
  return mayLack ? [right[0], bare[0]] : [right[0]];
}

/** The worker asks the page, and that the caller's own `fetch`. */
export function byPage(place) {
  return { ...place, by: "-by-page", optionsIn: ({ server }) => ({ fetch: (...given) => server.fetch(...given) }) };
}

const PLACES = [
  { model: gguf, state: "first" },
  byPage({ model: gguf, state: "first" }),
  byPage({ model: gguf, state: "kept" }),
  { model: gguf, state: "kept" },
  { model: gguf, state: "resumed" },
  { model: gguf, state: "changed" },
  { model: folder, state: "first" },
  { model: folder, state: "kept" },
  { model: sharded, state: "first", modes: ["once"] },
];

export async function points(world) {
  const found = [];
  for (const place of PLACES) {
    const { requests } = await dryRun(world, place);
    for (const mode of place.modes ?? ["once", "onwards"])
      for (const request of requests)
        for (const answer of Object.keys(ANSWERS)) found.push(answered(world, { ...place, mode, request }, answer));
  }
  for (const place of PLACES.filter(({ state }) => state !== "kept")) {
    const { sent } = await dryRun(world, place);
    const right = rightAfterBreak(world, place);
    for (const [how, broken] of Object.entries(BREAKS))
      for (const at of places(sent, place.model === sharded ? 10 : 40)) found.push(broken({ ...place, right }, how, at));
  }
  for (const state of ["first", "resumed", "changed"])
    for (const at of places(30_000, 5)) found.push(stalls(world, { model: gguf, state }, at));
  return [...found, ...WAITS.map(([code, after, codes]) => waits(code, after, codes))];
}

/** Where it is changed, the old copy is right too. */
function rightAfterBreak({ right }, { model, state }) {
  return state === "changed" ? right[model.name] : [right[model.name][0]];
}

/** What an undisturbed load asks for, and how many bytes it gets. */
export async function dryRun(world, place) {
  await world.begin(place);
  await world.attempt(place.model);
  world.end();
  const { log, files, sent } = world.server;
  const requests = log.map(({ path, method }, at) => (
    { at: at + 1, path, method, missing: files[path] === undefined, optional: isOptional(path) }));
  return { requests, sent };
}

function answered(world, place, answer) {
  const { model, state, by = "", request, mode } = place;
  const file = `${request.method.toLowerCase()}-${request.path.split("/").at(-1)}`;
  return {
    ...place,
    kind: `network/${state}/${answer}`,
    name: `network/${model.name}-${state}${by}/${answer}/${mode}/${numbered(request.at)}-${file}`,
    arm({ server }) {
      const isMeant = (n) => n === request.at || (mode === "onwards" && n > request.at);
      server.twist = (honest, _, n) => (isMeant(n) ? ANSWERS[answer](honest) : honest);
    },
    reached: ({ server }) => server.log.length >= request.at,
    codes: codesOf(answer, place),
    right: rightOf(world, answer, place),
    keeps: state === "kept" || state === "changed",
  };
}

// ---------------------------------------------------------------- connections that break

const BREAKS = {
  /** And hold from then on: the load goes on. */
  once: (place, how, at) => breaks(place, how, at, { arm: ({ server }) => { server.breakAt = at; } }),
  /** And the caller wants no second try. */
  "without-retries": (place, how, at) => breaks(place, how, at, {
    options: { retries: 0 },
    arm: ({ server }) => { server.breakAt = at; },
    codes: ["network"],
  }),
  /** And nobody answers from then on. */
  onwards: (place, how, at) => breaks(place, how, at, {
    arm({ server }) {
      server.breakAt = at;
      server.onBreak = () => { server.twist = refused; };
    },
    codes: ["network"],
  }),
};

function breaks(place, how, at, rest) {
  const { model, state, by = "" } = place;
  const name = `network/${model.name}-${state}${by}/broken-${how}/${String(at).padStart(6, "0")}`;
  return { ...place, kind: `network/${state}/broken-${how}`, name, keeps: state === "changed", ...rest };
}

/** So many bytes come, and then nothing any more, until the caller has had enough. */
function stalls(world, place, at) {
  const arm = ({ server }) => {
    server.twist = (answer, { method }) => (method === "GET" ? { ...answer, ends: { at, how: "never" } } : answer);
  };
  return breaks({ ...place, right: rightAfterBreak(world, place) }, "stalled", at, { arm, codes: ["aborted", "network"] });
}

// ---------------------------------------------------------------- servers that ask for patience

const WAITS = [
  [429, "0", []],
  [429, "1", []],
  [503, "20", []],
  [429, "later", []],
  [503, "-5", []],
  [503, "1e3", []],
  [503, "", []],
  [429, "Thu, 01 Jan 2026 00:00:00 GMT", []],
  [429, "Sat, 01 Jan 2101 00:00:00 GMT", ["network", "aborted"]],
  [503, "1000000000", ["network", "aborted"]],
  [429, "99999999999999999999", ["network", "aborted"]],
];

/** The first answer is "later". */
function waits(code, after, codes) {
  const kind = "network/gguf-first/retry-after";
  return {
    model: gguf,
    state: "first",
    kind,
    name: `${kind}/${code}-${after.replace(/\W+/g, "-")}`,
    arm({ server }) {
      server.twist = (honest, _, n) => (n > 1 ? honest : { status: code, headers: { "retry-after": after }, body: text("later") });
    },
    codes,
  };
}
