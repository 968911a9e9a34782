// An answer in sections between marks: what the model thought, what it says, and its calls.

import type { Tool } from "../../shared/types.js";
import { firstOf, heldBack, newId, type Body, type Part, type Reader, type WrittenCall } from "./parts.js";

export interface Marks {
  open: string;
  /** Without one, a call goes on to the answer's end. */
  close?: string;
}

export interface Sections {
  reasoning: Required<Marks> | undefined;
  calls: (Marks & { body: Body }) | undefined;
  /** An answer that begins with "{" is a call without marks, where it names a tool. */
  bare: Body | undefined;
}

export class SectionReader implements Reader {
  readonly #sections: Sections;
  readonly #tools: readonly Tool[];
  readonly #special: ReadonlySet<string>;
  #mode: "text" | "reasoning" | "call";
  #buffer = "";
  /** Of the call under way: its body, as far as it has come, and what of that has been told. */
  #body = "";
  #told = 0;
  #call?: { close: string | undefined; body: Body; id: string; name?: string };
  /** Nothing has been said yet. */
  #fresh = true;
  /** White space behind a section is nobody's. */
  #skips: boolean;

  /** `begun`: the prompt ends within the model's thoughts. */
  constructor(sections: Sections, tools: readonly Tool[], begun: boolean) {
    this.#sections = sections;
    this.#tools = tools;
    this.#mode = begun ? "reasoning" : "text";
    this.#skips = begun;
    const { reasoning, calls } = sections;
    const marks = [reasoning?.open, reasoning?.close, calls?.open, calls?.close, ...MARKS_WITHIN];
    this.#special = new Set(marks.filter((mark) => mark !== undefined));
  }

  push(text: string, special?: string): Part[] {
    this.#buffer += text;
    if (special !== undefined && this.#special.has(special)) this.#buffer += special;
    return this.#read(false);
  }

  finish(): Part[] {
    return this.#read(true);
  }

  #read(over: boolean): Part[] {
    const parts: Part[] = [];
    while (this.#step(over, parts));
    return parts;
  }

  /** Whether there may be more to do. */
  #step(over: boolean, parts: Part[]): boolean {
    if (this.#mode === "call") return this.#stepInCall(over, parts);
    const { reasoning, calls, bare } = this.#sections;
    if (this.#skips) this.#buffer = this.#buffer.trimStart();
    if (this.#mode === "text" && this.#fresh && bare !== undefined) {
      const begins = this.#buffer.trimStart();
      if (begins.startsWith("{")) return this.#begin({ body: bare, close: undefined });
      if (begins === "" && !over) return false;
    }
    const opens = [this.#mayThink ? reasoning?.open : undefined, calls?.open].filter((mark) => mark !== undefined);
    const marks = this.#mode === "reasoning" ? [reasoning!.close] : opens;
    const found = firstOf(this.#buffer, marks);
    const end = found?.at ?? this.#buffer.length - (over ? 0 : heldBack(this.#buffer, marks));
    this.#tell(parts, { kind: this.#mode, text: this.#buffer.slice(0, end) });
    this.#buffer = this.#buffer.slice(end + (found?.mark.length ?? 0));
    if (found === undefined) return false;
    this.#skips = true;
    if (found.mark === calls?.open && this.#mode === "text") return this.#begin(calls);
    this.#mode = this.#mode === "reasoning" ? "text" : "reasoning";
    return true;
  }

  /** Who has said something does not begin to think. */
  get #mayThink(): boolean {
    const { open = "" } = this.#sections.reasoning ?? {};
    return this.#fresh && open.startsWith(this.#buffer.trimStart().slice(0, open.length));
  }

  #begin({ body, close }: { body: Body; close?: string | undefined }): true {
    this.#mode = "call";
    this.#call = { close, body, id: newId() };
    [this.#body, this.#told] = ["", 0];
    return true;
  }

  #stepInCall(over: boolean, parts: Part[]): boolean {
    const call = this.#call!;
    const marks = call.close === undefined ? [] : [call.close];
    const found = firstOf(this.#buffer, marks);
    const end = found?.at ?? this.#buffer.length - (over ? 0 : heldBack(this.#buffer, marks));
    this.#body += this.#buffer.slice(0, end);
    this.#buffer = this.#buffer.slice(end + (found?.mark.length ?? 0));
    this.#tellBegun(parts);
    if (found === undefined && !over) return false;
    const { calls, rest } = this.#callsOf(call);
    this.#mode = "text";
    this.#skips = true;
    if (calls === undefined) this.#giveBack(parts, found?.mark ?? "");
    else {
      this.#tellCalls(parts, calls);
      this.#tell(parts, { kind: "text", text: rest.trimStart() });
    }
    return found !== undefined;
  }

  /** The calls of a whole body. Where nothing closes them, what is said behind them is the rest. */
  #callsOf({ body, close }: { body: Body; close: string | undefined }): { calls: WrittenCall[] | undefined; rest: string } {
    const isBare = body === this.#sections.bare && close === undefined;
    const read = (text: string) => {
      const calls = body.read(text, this.#tools);
      return calls !== undefined && (!isBare || calls.every(({ name }) => this.#isTool(name))) ? calls : undefined;
    };
    const ends = close === undefined ? [...this.#body.matchAll(/[}\]]/g)].map(({ index }) => index + 1).slice(-MOST_ENDS).reverse() : [];
    for (const end of [this.#body.length, ...ends]) {
      const calls = read(this.#body.slice(0, end));
      if (calls !== undefined) return { calls, rest: this.#body.slice(end) };
    }
    return { calls: undefined, rest: "" };
  }

  /** A call streams once its name is known to be a tool's. */
  #tellBegun(parts: Part[]): void {
    const call = this.#call!;
    const isNews = call.name === undefined;
    if (isNews) {
      const name = call.body.name(this.#body);
      if (name === undefined || !this.#isTool(name)) return;
      call.name = name;
    }
    const text = this.#body.slice(this.#told);
    this.#told = this.#body.length;
    if (text !== "") parts.push({ kind: "tool-call", text, ...(isNews && { toolCall: { id: call.id, name: call.name! } }) });
    this.#fresh = false;
  }

  #tellCalls(parts: Part[], calls: WrittenCall[]): void {
    const begun = this.#call!;
    for (const [at, { id, name, arguments: given }] of calls.entries()) {
      // The first one's may have been told before its own was written.
      const told = at === 0 && begun.name !== undefined ? begun.id : undefined;
      const known = told ?? id ?? (at === 0 ? begun.id : newId());
      parts.push({ kind: "tool-call", text: this.#told === 0 && at === 0 ? this.#body : "", toolCall: { id: known, name, arguments: given } });
    }
    this.#fresh = false;
  }

  /** What looked like a call and is none is text. */
  #giveBack(parts: Part[], close: string): void {
    const open = this.#call!.body === this.#sections.bare ? "" : this.#sections.calls!.open;
    this.#skips = false;
    this.#tell(parts, { kind: "text", text: open + this.#body + close });
  }

  #tell(parts: Part[], part: Part): void {
    if (part.text === "") return;
    this.#skips = false;
    if (part.kind === "text" && part.text.trim() !== "") this.#fresh = false;
    parts.push(part);
  }

  #isTool(name: string): boolean {
    return this.#tools.some((tool) => tool.name === name);
  }
}

/** Control tokens within bodies and marks. */
const MARKS_WITHIN = ["[TOOL_CALLS]", "[ARGS]", "[CALL_ID]", "<escape>", '<|"|>', "<|channel>"];
/** Ends of calls that are tried before what follows them. */
const MOST_ENDS = 8;
