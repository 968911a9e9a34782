// The one error a caller meets, and how it crosses from the worker to the page.

/**
 * What went wrong, for programs; an error's message says it for people. The guide "Errors, by code" says what to do
 * about each.
 */
export type ErrorCode =
  | "unsupported-model"
  | "unsupported-quantization"
  | "corrupt-file"
  | "missing-file"
  | "network"
  | "integrity"
  | "out-of-memory"
  | "no-webgpu"
  | "device-lost"
  | "invalid-argument"
  | "context-full"
  | "aborted"
  | "disposed"
  | "internal";

const CODES: ReadonlySet<string> = new Set<ErrorCode>([
  "unsupported-model",
  "unsupported-quantization",
  "corrupt-file",
  "missing-file",
  "network",
  "integrity",
  "out-of-memory",
  "no-webgpu",
  "device-lost",
  "invalid-argument",
  "context-full",
  "aborted",
  "disposed",
  "internal",
]);

/** For a file: its name and, where known, the byte offset. */
export interface ErrorPlace {
  /** Its name, as the source has it. */
  file?: string | undefined;
  /** In bytes, from the file's start. */
  offset?: number | undefined;
  /** The tensor's name, as the checkpoint has it. */
  tensor?: string | undefined;
}

/** Every rejection is one of these; `message` says what was wrong and where. */
export class AzulejoError extends Error {
  /** "AbortError" where an abort ended it, as the platform's own calls have it; else "AzulejoError". */
  override readonly name: "AzulejoError" | "AbortError";
  /** What went wrong, for programs. */
  readonly code: ErrorCode;
  /** For a file: its name and, where known, the byte offset. */
  declare readonly where?: ErrorPlace | undefined;

  /** For whoever implements one of this package's interfaces; its own errors come from the package. */
  constructor(code: ErrorCode, message: string, where?: ErrorPlace, options?: { cause?: unknown }) {
    super(message, options);
    this.name = code === "aborted" ? "AbortError" : "AzulejoError";
    this.code = code;
    if (where !== undefined && Object.keys(where).length > 0) this.where = where;
  }
}

/** An error as a message: structured clone would drop the code. */
export interface WireError {
  code: ErrorCode;
  message: string;
  where?: ErrorPlace | undefined;
  stack?: string | undefined;
  /** In words: it may be anything, and what it is may be of the other side only. */
  cause?: string | undefined;
}

export function toWire(thrown: unknown): WireError {
  const error = asError(thrown);
  const { code, message, where, stack } = error;
  return { code, message, where, stack, cause: causeOf(error) };
}

/** `site`: made where the page called, so that the stack leads there from where it failed in the worker. */
export function fromWire({ code, message, where, stack, cause }: WireError, site?: Error): AzulejoError {
  const error = new AzulejoError(code, message, where, cause === undefined ? undefined : { cause });
  const page = framesOf(site?.stack);
  const parts = [`${error.name}: ${message}`, framesOf(stack), page && "    at azulejo's worker, called from", page];
  error.stack = parts.filter((part) => part !== "").join("\n");
  return error;
}

/** The chain of causes, as far as they say more than the error itself. */
function causeOf({ message, cause }: Error): string | undefined {
  if (cause === undefined) return undefined;
  const { name, message: words, cause: deeper } = (cause ?? {}) as Partial<Error>;
  const text = typeof words === "string" ? `${name ?? "Error"}: ${words}` : String(cause);
  const more = deeper === undefined ? undefined : causeOf(cause as Error);
  if (words === message) return more;
  return more === undefined ? text : `${text} (${more})`;
}

/** The calls of a stack, without the message that V8 puts before them. */
function framesOf(stack: string | undefined): string {
  return (stack ?? "").split("\n").filter((line) => /^\s+at |^[^\s(]*@\S+:\d/.test(line)).join("\n");
}

/** The page has called it off; why is its own to know. */
export function aborted(signal?: AbortSignal): AzulejoError {
  return new AzulejoError("aborted", "aborted by the caller", undefined, signal && { cause: signal.reason });
}

/** Whatever was thrown, as an `AzulejoError`: what nobody foresaw is "internal". */
export function asError(thrown: unknown): AzulejoError {
  if (thrown instanceof AzulejoError) return thrown;
  const { code, name, message, where, stack } = (typeof thrown === "object" && thrown !== null ? thrown : {}) as {
    code?: unknown;
    name?: unknown;
    message?: unknown;
    where?: ErrorPlace;
    stack?: unknown;
  };
  const text = typeof message === "string" ? message : String(thrown);
  if (typeof code === "string" && CODES.has(code))
    return new AzulejoError(code as ErrorCode, text, where, { cause: thrown });
  if (name === "AbortError") return new AzulejoError("aborted", text, undefined, { cause: thrown });
  // The browser found no room for an ArrayBuffer or a WebAssembly.Memory.
  if (name === "RangeError" && /memory|allocation/i.test(text))
    return new AzulejoError("out-of-memory", text, undefined, { cause: thrown });
  const error = new AzulejoError("internal", text, undefined, { cause: thrown });
  if (typeof stack === "string") error.stack = stack;
  return error;
}

export const invalid = (message: string) => new AzulejoError("invalid-argument", message);
export const disposed = (what: string) => new AzulejoError("disposed", `${what} has been disposed`);
