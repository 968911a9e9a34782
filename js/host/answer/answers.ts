// What a model's answers are read with, and calls forced by.

import type { WireChat, WireConstraint } from "../../shared/protocol.js";
import type { Message, Tool } from "../../shared/types.js";
import type { Model } from "../../simd/azulejo.js";
import type { Instance } from "../instance.js";
import { Answer } from "./answer.js";
import { forcedCall } from "./forced.js";
import { formOf, isBegun, type Form } from "./forms.js";

/** Tokens of a prompt that say whether it has begun the model's thoughts. */
const END = 16;

export class Answers {
  readonly #instance: Instance;
  readonly #model: Model;

  constructor(instance: Instance, model: Model) {
    this.#instance = instance;
    this.#model = model;
  }

  /** The answer to a prompt, which a conversation has become. */
  begin(prompt: Uint32Array, { chat }: WireChat, tools: Tool[]): Answer {
    const { messages, continueFinalMessage } = JSON.parse(chat) as { messages: Message[]; continueFinalMessage?: boolean };
    const last = continueFinalMessage ? messages.at(-1)?.content : undefined;
    const continued = typeof last === "string" ? last : undefined;
    return new Answer(this.#form(tools), tools, this.#end(prompt), continued, (id) => this.#special(id));
  }

  /** A conversation as a template that knows no tools takes it: of a call that has to come the grammar knows enough. */
  without({ chat }: WireChat): WireChat {
    const { tools, ...rest } = JSON.parse(chat) as { tools?: Tool[] };
    const template = this.#template(true);
    return { chat: tools !== undefined && !/\btools\b/.test(template) ? JSON.stringify(rest) : chat };
  }

  /** The grammar of an answer that calls one of these. */
  forced(prompt: Uint32Array, tools: Tool[]): WireConstraint {
    const form = this.#form(tools);
    const begun = form.thinks && isBegun(this.#end(prompt));
    return { kind: "toolChoice", text: JSON.stringify(forcedCall(form, tools, (text) => this.#mark(text), begun)) };
  }

  #template(withTools: boolean): string {
    return this.#instance.call(() => this.#model.chatTemplate(withTools));
  }

  #form(tools: Tool[]): Form {
    return formOf(this.#template(tools.length > 0));
  }

  #end(prompt: Uint32Array): string {
    return this.#instance.call(() => this.#model.decode(prompt.slice(-END), false));
  }

  #special(id: number): string | undefined {
    return this.#instance.call(() => this.#model.special(id));
  }

  /** A mark in a grammar: its token where it has one, else its text. */
  #mark(text: string): string {
    const ids = this.#instance.call(() => this.#model.encode(text, false));
    return ids.length === 1 && this.#special(ids[0]!) !== undefined ? `<[${ids[0]}]>` : JSON.stringify(text);
  }
}
