// Names and shapes that a caller sees; nothing here runs.

export type { BitmapSource, Credentials, Fetch, FetchAnswer, FetchInit } from "./dom-types.js";
export type { Spec } from "./spec.js";
export type * from "./types-calls.js";
export type * from "./types-generate.js";
export type * from "./types-images.js";
export type * from "./types-models.js";
export type * from "./types-remote.js";
export type * from "./types-texts.js";
