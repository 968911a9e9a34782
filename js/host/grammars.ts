// Grammars: their module, which is fetched when somebody first asks for one, and one text's way through one.

import { AzulejoError, invalid } from "../shared/errors.js";
import type { WireConstraint } from "../shared/protocol.js";
import * as module from "../grammar/azulejo.js";
import type { Constraint as CoreConstraint, Model } from "../simd/azulejo.js";
import type { Instance } from "./instance.js";
import { readTrap } from "./traps.js";
import { compile, fitting } from "./wasm.js";

/** The module's instance, of which there is one in a realm. After a trap it must not be entered again. */
class GrammarInstance {
  dead?: AzulejoError;
  readonly #memory: WebAssembly.Memory;

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
  }

  /** `what`: the option that the caller gave. */
  call<T>(what: string, work: () => T): T {
    if (this.dead !== undefined) throw this.dead;
    try {
      return work();
    } catch (thrown) {
      if (!(thrown instanceof Error)) throw invalid(`${what}: ${String(thrown)}`);
      const { code, message } = readTrap(thrown.message, { memory: this.#memory, most: MOST_MEMORY });
      this.dead = new AzulejoError(code, `${what}: the module of grammars has failed: ${message}`, undefined, { cause: thrown });
      throw this.dead;
    }
  }

  free(object: { free(): void } | undefined): void {
    if (this.dead === undefined) object?.free();
  }
}

const MOST_MEMORY = 2 ** 32;

let inThisRealm: Promise<GrammarInstance> | undefined;
/** The glue keeps the first module that it meets, right or wrong. */
let hasMetOne = false;

function openInstance(url: string): Promise<GrammarInstance> {
  const before = inThisRealm?.catch((error: AzulejoError) => {
    if (hasMetOne) throw error;
  });
  inThisRealm = (async () => {
    const instance = await before;
    if (instance !== undefined && instance.dead === undefined) return instance;
    if (instance !== undefined) module.__wbg_reset_state();
    const compiled = instance === undefined ? await compile(url) : undefined;
    hasMetOne = true;
    const { memory } = compiled === undefined ? module.initSync() : await fitting(url, module.default({ module_or_path: compiled }));
    return new GrammarInstance(memory);
  })();
  return inThisRealm;
}

/** What a model's texts may be held to. */
export class Grammars {
  readonly #url: string;
  readonly #core: Instance;
  readonly #model: Model;
  #vocabulary?: { instance: GrammarInstance; handle: module.Vocabulary };

  constructor(url: string, core: Instance, model: Model) {
    this.#url = url;
    this.#core = core;
    this.#model = model;
  }

  /** Has the module be there. */
  load(): Promise<GrammarInstance> {
    return openInstance(this.#url);
  }

  /** A text's way through a grammar. The caller frees it. Error: invalid-argument where the grammar is none. */
  open(instance: GrammarInstance, { kind, text }: WireConstraint): Constraint {
    if (this.#vocabulary?.instance !== instance) this.#vocabulary = { instance, handle: this.#read(instance) };
    const { handle } = this.#vocabulary;
    return new Constraint(instance, kind, instance.call(kind, () => handle.constraint(kind, text)));
  }

  #read(instance: GrammarInstance): module.Vocabulary {
    const { bytes, ends, special, endTokens } = this.#core.call(() => this.#model.vocabulary());
    const encode = (text: string) => this.#core.call(() => this.#model.encodeAfter(text));
    const lists = [Uint32Array.from(special), Uint32Array.from(endTokens)] as const;
    return instance.call("the vocabulary", () => new module.Vocabulary(bytes, ends, ...lists, encode));
  }

  free(): void {
    this.#vocabulary?.instance.free(this.#vocabulary.handle);
  }
}

/** What the core asks while it makes a text. */
export class Constraint implements CoreConstraint {
  readonly #instance: GrammarInstance;
  readonly #kind: string;
  #handle: module.Constraint | undefined;

  constructor(instance: GrammarInstance, kind: string, handle: module.Constraint) {
    this.#instance = instance;
    this.#kind = kind;
    this.#handle = handle;
  }

  allowed(): Uint32Array {
    return this.#call((handle) => handle.allowed());
  }

  take(id: number, forces: boolean): Uint32Array {
    return this.#call((handle) => handle.take(id, forces));
  }

  get isOver(): boolean {
    return this.#call((handle) => handle.isOver);
  }

  /** The core may still ask: a pass that was under way when its generation ended. */
  #call<T>(work: (handle: module.Constraint) => T): T {
    const handle = this.#handle;
    if (handle === undefined) throw new AzulejoError("aborted", "the generation is over");
    return this.#instance.call(this.#kind, () => work(handle));
  }

  free(): void {
    this.#instance.free(this.#handle);
    this.#handle = undefined;
  }
}
