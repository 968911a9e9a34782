// What the grammars' module exports through wasm-bindgen, as this package uses it. The JavaScript lies beside the .wasm in
// dist/. Every throw is a string, but for traps.

export default function init(options: { module_or_path: WebAssembly.Module }): Promise<{ memory: WebAssembly.Memory }>;
/** A new instance of the same module, once `__wbg_reset_state` has let go of one that has failed. */
export function initSync(): { memory: WebAssembly.Memory };
export function __wbg_reset_state(): void;

/** A model's tokens. */
export class Vocabulary {
  /**
   * `bytes`: what the tokens add to a text; `ends`: where those of each end; `special`: tokens that no text has. `encode`
   * gives the tokens of a text that goes on from another one.
   */
  constructor(
    bytes: Uint8Array,
    ends: Uint32Array,
    special: Uint32Array,
    endTokens: Uint32Array,
    encode: (text: string) => Uint32Array | undefined,
  );
  constraint(kind: string, text: string): Constraint;
  free(): void;
}

/** A grammar, and how far a text has come in it. */
export class Constraint {
  private constructor();
  /** A bit for each token that may come next. */
  allowed(): Uint32Array;
  /** A token has come; gives those that have to follow it, which are taken with it. */
  take(id: number, forces: boolean): Uint32Array;
  readonly isOver: boolean;
  free(): void;
}
