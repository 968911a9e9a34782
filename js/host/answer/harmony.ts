// gpt-oss's answers: messages on channels (https://github.com/openai/harmony).

import { firstOf, heldBack, newId, parsed, type Part, type Reader } from "./parts.js";

const [CHANNEL, MESSAGE, START, CONSTRAIN] = ["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"];
const ENDS = ["<|end|>", "<|call|>", "<|return|>", START];
const MARKS = new Set([CHANNEL, MESSAGE, CONSTRAIN, ...ENDS]);

/** The prompt ends where a message's header goes on: `<|start|>assistant`. */
export class HarmonyReader implements Reader {
  #buffer = "";
  /** Of the message under way; none in its header. */
  #kind?: Part["kind"] | undefined;
  #call = { id: "", name: "", written: "" };
  readonly #calls: boolean;

  /** `calls`: there are tools. `continues`: the prompt ends within a message of the final channel. */
  constructor(calls: boolean, continues: boolean) {
    this.#calls = calls;
    if (continues) this.#kind = "text";
  }

  push(text: string, special?: string): Part[] {
    this.#buffer += text + (special !== undefined && MARKS.has(special) ? special : "");
    return this.#read(false);
  }

  finish(): Part[] {
    return this.#read(true);
  }

  #read(over: boolean): Part[] {
    const parts: Part[] = [];
    while (this.#kind === undefined ? this.#header(over, parts) : this.#content(over, parts));
    return parts;
  }

  #header(over: boolean, parts: Part[]): boolean {
    const end = this.#buffer.indexOf(MESSAGE);
    if (end < 0) {
      // A model that knows no channels.
      const text = this.#buffer.slice(0, firstOf(this.#buffer, ENDS)?.at);
      if (over && text !== "" && !text.includes("<|")) parts.push({ kind: "text", text });
      if (over) this.#buffer = "";
      return false;
    }
    const header = this.#buffer.slice(0, end);
    this.#buffer = this.#buffer.slice(end + MESSAGE.length);
    const name = /\bto=functions\.([^\s<]+)/.exec(header)?.[1];
    if (name !== undefined && this.#calls) {
      this.#kind = "tool-call";
      this.#call = { id: newId(), name, written: "" };
      parts.push({ kind: "tool-call", text: "", toolCall: { id: this.#call.id, name } });
    } else this.#kind = /<\|channel\|>\s*analysis\b/.test(header) ? "reasoning" : "text";
    return true;
  }

  #content(over: boolean, parts: Part[]): boolean {
    const found = firstOf(this.#buffer, ENDS);
    const end = found?.at ?? this.#buffer.length - (over ? 0 : heldBack(this.#buffer, ENDS));
    const text = this.#buffer.slice(0, end);
    this.#buffer = this.#buffer.slice(end + (found?.mark.length ?? 0));
    const kind = this.#kind!;
    if (kind === "tool-call") this.#call.written += text;
    if (text !== "") parts.push({ kind, text });
    if (found === undefined && !over) return false;
    const { id, name, written } = this.#call;
    const given = kind === "tool-call" ? parsed(written.trim() || "{}") : undefined;
    if (given !== undefined) parts.push({ kind, text: "", toolCall: { id, name, arguments: given } });
    this.#kind = undefined;
    return found !== undefined;
  }
}
