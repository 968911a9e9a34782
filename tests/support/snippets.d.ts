// What the snippets of README.md and docs/ take for granted (tests/snippets.test.mjs): names of others above them, and packages
// that are not installed here.

declare const lm: import("azulejo").CausalLM;
declare const chat: import("azulejo").Session;
declare const messages: import("azulejo").Message[];
declare const client: import("azulejo/openai").OpenAIClient;
declare const image: HTMLImageElement;
declare const largeImage: HTMLImageElement;
declare const out: HTMLElement;
declare var LanguageModel: import("azulejo/prompt-api").LanguageModelClass;

declare namespace JSX {
  interface IntrinsicElements { [name: string]: unknown }
}

declare module "https://cdn.jsdelivr.net/*" {
  export * from "azulejo";
}
declare module "https://esm.sh/*" {
  export * from "azulejo";
}
declare module "react" {
  export function useState<T>(initial: T): [T, (next: T | ((before: T) => T)) => void];
  export function useEffect(effect: () => void | (() => void), on?: unknown[]): void;
  export function useRef<T>(initial: T): { current: T };
}
declare module "webgpu" {
  export function create(flags: string[]): unknown;
  export const globals: Record<string, unknown>;
}

declare const documents: string[];
declare const question: string;
declare const process: { env: Record<string, string> };
declare function token(): Promise<string>;
declare function isSignedIn(cookie: string | null): boolean;
declare module "node:http" {
  export function createServer(listener: unknown): { listen(port: number): void };
}
declare module "*/proxy.js" {
  export function proxy(options: { server: string; key: string; allows: (request: Request) => boolean }): (request: Request) => Promise<Response>;
  export function listener(handle: (request: Request) => Promise<Response>): unknown;
}
