// The one error a caller meets, and how it crosses from the worker to the page.

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
  file?: string;
  offset?: number;
  tensor?: string;
}

/** Every rejection is one of these; `message` says what was wrong and where. */
export class AzulejoError extends Error {
  override readonly name = "AzulejoError";
  readonly code: ErrorCode;
  /** For a file: its name and, where known, the byte offset. */
  declare readonly where?: ErrorPlace;

  constructor(code: ErrorCode, message: string, where?: ErrorPlace, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    if (where !== undefined && Object.keys(where).length > 0) this.where = where;
  }
}

/** An error as a message: structured clone would drop the code. */
export interface WireError {
  code: ErrorCode;
  message: string;
  where?: ErrorPlace;
  stack?: string;
}

export function toWire(thrown: unknown): WireError {
  const { code, message, where, stack } = asError(thrown);
  return { code, message, where, stack };
}

/** The page's stack would only show the message handler: the worker's says more. */
export function fromWire({ code, message, where, stack }: WireError): AzulejoError {
  const error = new AzulejoError(code, message, where);
  if (stack !== undefined) error.stack = stack;
  return error;
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
