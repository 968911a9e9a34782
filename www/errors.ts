// Errors in words: what happened, what exactly, and what to do about it.

import { AzulejoError } from "./azulejo/index.js";
import { byId } from "./dom.js";

type Code = AzulejoError["code"];
/** For a code a heading and the next step. */
export type Words = Partial<Record<Code, [heading: string, advice: string]>>;

/** For each code a heading and the next step; between them stands the error's own message. */
const WORDS: Record<Exclude<Code, "aborted">, [heading: string, advice: string]> = {
  "unsupported-model": [
    "This kind of model is not supported",
    "Try a chat model of the Llama, Mistral, Qwen 2 or Qwen 3 family, as a .gguf file.",
  ],
  "unsupported-quantization": [
    "The weights are stored in a format this page cannot read",
    "The same model is usually offered in Q4_K_M, Q8_0 or Q4_0: take one of those.",
  ],
  "corrupt-file": ["The file is damaged or incomplete", "Download it again, or check that it is a .gguf model."],
  "missing-file": ["A file of the model is missing", "Check the address, or choose all files of the model at once."],
  "network": ["The download failed", "Check the address and your connection, then load again: it goes on where it stopped."],
  "integrity": ["The downloaded file is not the expected one", "It may have been changed on its way. Load it again."],
  "out-of-memory": ["There is not enough memory for this", "Close other tabs, start a new chat, or choose a smaller model."],
  "no-webgpu": ["The graphics processor cannot be used", "Choose another under “Computed by” in Settings, then load the model again."],
  "device-lost": ["The connection to the graphics processor was lost", "Send your message again."],
  "invalid-argument": ["That cannot be done", "Check the settings and what you entered, then try again."],
  "context-full": [
    "The conversation is longer than the model can read",
    "Start a new chat, or send a shorter message.",
  ],
  "disposed": ["The model was unloaded", "Load it again and repeat your message."],
  "internal": ["Something went wrong in the engine", "It has been restarted: try again. If it happens again, reload the page."],
};

const panel = byId("error", HTMLElement);
const heading = byId("error-heading", HTMLElement);
const message = byId("error-message", HTMLElement);
const advice = byId("error-advice", HTMLElement);

/** Takes the panel away on its button; `next` is the id of what to go on with. */
export function initErrors(next: () => string): void {
  byId("error-close", HTMLButtonElement).addEventListener("click", () => {
    hideError();
    byId(next(), HTMLElement).focus();
  });
}

/** True for what the user asked for: a cancelled load or a stopped answer is no error. */
export function isAbort(error: unknown): boolean {
  if (error instanceof AzulejoError) return error.code === "aborted";
  return error instanceof DOMException && error.name === "AbortError";
}

/** Shows an error, and a `note` on what became of the user's work; `words` fit the present view better than the usual. */
export function showError(error: unknown, note = "", words: Words = {}): void {
  console.error(error);
  const code: Code = error instanceof AzulejoError ? error.code : "internal";
  const [title, next] = code === "aborted" ? ["Stopped", ""] : (words[code] ?? WORDS[code]);
  showProblem(code, title, detail(error), [next, note].filter(Boolean).join(" "));
}

/** Shows a problem that the page itself found, in its own words. */
export function showProblem(code: Code, title: string, what: string, next: string): void {
  panel.dataset["code"] = code;
  heading.textContent = title;
  message.textContent = what;
  advice.textContent = next;
  panel.hidden = false;
  panel.scrollIntoView({ block: "nearest" });
}

/** The engine's own message, and the place in the file where the message does not name it. */
function detail(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const where = error instanceof AzulejoError ? error.where : undefined;
  if (!where) return text;
  const parts: string[] = [];
  if (where.file && !text.includes(where.file)) parts.push(where.file);
  if (where.tensor && !text.includes(where.tensor)) parts.push(`tensor ${where.tensor}`);
  if (where.offset !== undefined && !text.includes(String(where.offset))) parts.push(`byte ${where.offset}`);
  return parts.length > 0 ? `${text} (${parts.join(", ")})` : text;
}

/** Takes the error away, once the user goes on. */
export function hideError(): void {
  panel.hidden = true;
}
