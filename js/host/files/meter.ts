// How far a load is, for the caller.

import type { LoadProgress } from "../../shared/types.js";
import type { OpenFile } from "./open-file.js";

/** Progress, about ten times a second; never silent about a beginning or an end. */
export class Meter {
  readonly #listener: ((progress: LoadProgress) => void) | undefined;
  #file: OpenFile | undefined;
  #loaded = 0;
  #allLoaded = 0;
  #compiled = -1;
  #due?: ReturnType<typeof setTimeout>;

  constructor(listener?: (progress: LoadProgress) => void) {
    this.#listener = listener;
  }

  begin(file: OpenFile): void {
    this.#file = file;
    this.#loaded = 0;
    this.#tell(file.note);
  }

  /** What is worth knowing of a file, whether its bytes are being counted or not. */
  note(name: string, note: string, stage: "download" | "read" = "download"): void {
    if (this.#file?.name === name) return this.#tell(note);
    this.#listener?.({ stage, file: name, loadedBytes: 0, note });
  }

  add(bytes: number): void {
    this.#loaded += bytes;
    this.#allLoaded += bytes;
    this.#due ??= setTimeout(() => this.#tell(), 100);
  }

  end(): void {
    this.#tell();
  }

  /** Nothing more is said, however the load has ended. */
  stop(): void {
    clearTimeout(this.#due);
    this.#due = undefined;
  }

  /** What follows the last file. */
  stage(stage: "compile" | "ready"): void {
    this.#listener?.({ stage, loadedBytes: this.#allLoaded, totalBytes: this.#allLoaded });
  }

  /** Said once for each pipeline that is done. */
  compiling(pipelines: { done: number; total: number }): void {
    if (pipelines.done === this.#compiled) return;
    this.#compiled = pipelines.done;
    this.#listener?.({ stage: "compile", loadedBytes: this.#allLoaded, totalBytes: this.#allLoaded, pipelines });
  }

  #tell(note?: string): void {
    this.stop();
    const { name, stage, size, sizeHint } = this.#file!;
    // A hint that has turned out wrong is none.
    const total = size ?? (sizeHint !== undefined && sizeHint >= this.#loaded ? sizeHint : undefined);
    this.#listener?.({
      stage,
      file: name,
      loadedBytes: this.#loaded,
      ...(total !== undefined && { totalBytes: total }),
      ...(note !== undefined && { note }),
    });
  }
}
