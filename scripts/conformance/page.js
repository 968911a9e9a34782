// Runs in the page: one family's inputs through the package. What comes out is compared outside.

import { KINDS } from "./asks.js";

/** The engine of the family before, for the next one that wants the same. */
let kept;

/** An engine with these options: the one that is there, as long as nothing went wrong on it. */
async function engineOf({ Engine }, options) {
  const key = JSON.stringify(options);
  if (kept?.key !== key) {
    await dispose();
    kept = { key, engine: await Engine.create(options) };
  }
  return kept.engine;
}

/** Ends what is kept. */
export async function dispose() {
  const engine = kept?.engine;
  kept = undefined;
  await engine?.dispose();
}

/** Runs one family on an engine with these options. Gives `{ output }`, `{ unsupported: reason }` or `{ error }`. */
export async function runFamily({ entry, kind, folder, options, input }) {
  const azulejo = await import(entry);
  const { needs, ask } = KINDS[kind];
  const lacking = needs.find((name) => !(name in azulejo));
  if (lacking) return { unsupported: `the package has no ${lacking}` };
  try {
    const engine = await engineOf(azulejo, options);
    return { output: await ask(azulejo, folder, engine, input) };
  } catch (error) {
    if (error instanceof azulejo.AzulejoError && error.code === "unsupported-model") return { unsupported: error.message };
    await dispose();
    return { error: `${error.code ?? error.name}: ${error.message}` };
  }
}
