// What the package's types name of the DOM, for projects that compile without its library: under Node alone, or in a
// worker. Where the library is there, each of these merges with its own, and says nothing new; React's types do the same.

declare global {
  interface AbortSignal {}
  interface Blob {}
  interface File extends Blob {}
  interface FileSystemDirectoryHandle {}
  interface HTMLCanvasElement {}
  interface HTMLImageElement {}
  interface HTMLVideoElement {}
  interface ImageBitmap {}
  interface ImageData {}
  interface OffscreenCanvas {}
  interface ReadableStream<R = any> {}
  interface SVGImageElement {}
  interface URL {}
  interface VideoFrame {}
  // Of ESNext's library, which `await using` needs.
  interface SymbolConstructor {
    readonly asyncDispose: unique symbol;
  }
}

/** The DOM's `RequestCredentials`. */
export type Credentials = "omit" | "same-origin" | "include";

/** What `createImageBitmap` takes. */
export type BitmapSource =
  | HTMLCanvasElement
  | HTMLImageElement
  | HTMLVideoElement
  | SVGImageElement
  | OffscreenCanvas
  | ImageBitmap
  | VideoFrame
  | Blob
  | ImageData;

/** The global `fetch`, or anything that answers like it. */
export type Fetch = (address: string, init?: FetchInit) => Promise<FetchAnswer>;

/** What a request of this package's says. */
export interface FetchInit {
  /**
   * "GET", or "HEAD" to ask whether a file has changed.
   * @defaultValue "GET"
   */
  method?: string;
  /** By name; `Range` among them. */
  headers?: Record<string, string>;
  /** As `LoadOptions.credentials` has it. */
  credentials?: Credentials;
  /** Whether the browser's own cache may answer. */
  cache?: "default" | "force-cache" | "no-cache" | "no-store" | "only-if-cached" | "reload";
  /** Ends the request. */
  signal?: AbortSignal;
}

/** What is used of a `Response`. */
export interface FetchAnswer {
  /** Of HTTP: 200, 206, 404, … */
  readonly status: number;
  /** Those of other origins' answers that their server exposes. */
  readonly headers: { forEach(visit: (value: string, name: string) => void): void };
  /** Bytes. */
  readonly body: ReadableStream | null;
}
