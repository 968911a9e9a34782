// Two loads of the same files at once, of which one is disturbed: the other gives the right bytes, and does not wait for
// one that has ended.

import { places } from "./injector.mjs";
import { MODELS } from "./models.mjs";
import { HANG } from "./server.mjs";

const { gguf, folder } = MODELS;

/** The first with the options of the trial, the second undisturbed: its errors are nobody's to expect. */
async function both(world, model, options) {
  const [first, second] = await Promise.allSettled([world.attempt(model, options), world.attempt(model)]);
  if (second.status === "rejected") throw new Error(`the second of two loads: ${second.reason?.stack}`);
  if (second.value !== world.right[model.name][0]) return `the second's ${second.value}`;
  if (first.status === "rejected") throw first.reason;
  return first.value;
}

/** One download serves both. */
async function once(world, model, options) {
  const answer = await both(world, model, options);
  const isFile = ({ method, path }) => method === "GET" && world.server.files[path] !== undefined;
  const gets = world.server.log.filter(isFile).map(({ path }) => path);
  return new Set(gets).size === gets.length ? answer : `right, but asked for ${gets.join(", ")}`;
}

export function points() {
  return [gguf, folder].flatMap((model) => {
    const size = Object.values(model.versions[0]).reduce((sum, { bytes }) => sum + bytes.length, 0);
    const point = (what, name, rest) => ({
      model, state: "first", attempt: both,
      kind: `pairs/${model.name}/${what}`,
      name: `pairs/${model.name}/${what}/${name}`,
      ...rest,
    });
    return [
      point("undisturbed", "one", { arm() {}, attempt: once }),
      point("kept", "one", { arm() {}, state: "kept" }),
      ...places(size, 10).map((at) => point("broken", `${at}`, {
        options: { retries: 0 },
        arm: ({ server }) => { server.breakAt = at; },
        codes: ["network"],
      })),
      ...places(size, 10).map((at) => point("aborted", `${at}`, {
        arm({ server }, controller) {
          server.breakAt = at;
          server.onBreak = () => controller.abort();
        },
        codes: ["aborted"],
      })),
      point("silent", "first-request", {
        arm: ({ server }) => { server.twist = (answer, _, n) => (n === 1 ? HANG : answer); },
        codes: ["aborted", "network"],
      }),
      point("full", "no-room", { arm: ({ store }) => { store.quota = 0; } }),
    ];
  });
}
