// What a call takes as its options: each name once, with its check. A name that the call does not know is refused, with
// the one that was probably meant: whatever is dropped without a word changes the answer without a word.

import { invalid } from "../shared/errors.js";
import type { SignalOptions } from "../shared/types.js";
import { meantBy } from "./other-names.js";
import { checkLiveSignal, checkOptions, describe } from "./validate.js";

/** Gives the value as it is used, or throws "invalid-argument". */
export type Check<T = unknown> = (value: unknown, name: string) => T;

/** Every option of `T`, so that none can be declared and forgotten. */
type Checks<T> = { readonly [K in keyof T]-?: Check<Exclude<T[K], undefined>> };

/** Reads a caller's options: only those that are given, each as its check made it. `name` is what messages call them. */
export type OptionsReader<T> = (given: T | undefined, name?: string) => T;

/**
 * The reader of a call's options; `call` is what messages call it, `later` what the package will take and this version
 * lacks. An option that is `undefined` is as if it were absent. That goes for names that nobody knows too: whoever
 * spreads another library's settings with nothing in them has asked for nothing.
 */
export function optionsOf<T>(call: string, checks: Checks<T>, later: readonly string[] = []): OptionsReader<T> {
  const known: Record<string, Check> = checks;
  const names = Object.keys(known);
  return (given, name = "options") => {
    if (given === undefined) return {} as T;
    checkOptions(given, name);
    const options = given as Record<string, unknown>;
    for (const key of Object.keys(options)) {
      if (options[key] !== undefined && !Object.hasOwn(known, key)) throw unknown(call, key, names, later);
    }
    const read: Record<string, unknown> = {};
    for (const key of names) {
      const value = options[key];
      const path = name === "options" ? key : `${name}.${key}`;
      if (value !== undefined) read[key] = known[key]!(value, path);
    }
    return read as T;
  };
}

/** Of the many calls that take nothing but a signal. */
export function readSignal(call: string, options: SignalOptions | undefined): SignalOptions {
  return optionsOf<SignalOptions>(call, { signal: checkLiveSignal })(options);
}

/** One of some words. */
export function oneOf<const T extends string>(...words: T[]): Check<T> {
  const list = words.map((word) => JSON.stringify(word));
  const choice = `${list.slice(0, -1).join(", ")} or ${list.at(-1)}`;
  return (value, name) => {
    if (!(words as unknown[]).includes(value)) throw invalid(`${name} should be ${choice}, not ${describe(value)}`);
    return value as T;
  };
}

function unknown(call: string, key: string, names: string[], later: readonly string[]): Error {
  if (later.includes(key)) return invalid(`${key}: not supported yet`);
  const said = `unknown option ${JSON.stringify(key)}: ${call} `;
  const meant = meantBy(key, [...names, ...later]);
  if (meant === undefined) return invalid(`${said}${names.length === 0 ? "takes none" : `takes ${names.join(", ")}`}`);
  if ("hint" in meant) return invalid(`${said}has no such option; ${meant.hint}`);
  const yet = later.includes(meant.name) ? ", which is not supported yet" : "";
  return invalid(`${said}calls it ${meant.name}${yet}`);
}
