// An answer to a conversation, as it comes: what the model thinks, says and calls.

import type { GeneratedToken, GenerationResult, Tool, ToolCall } from "../../shared/types.js";
import { readerOf, type Form } from "./forms.js";
import type { Part, Reader } from "./parts.js";

export class Answer {
  readonly #reader: Reader | undefined;
  readonly #special: (id: number) => string | undefined;
  #kind: Part["kind"] = "text";
  #text = "";
  #reasoning = "";
  readonly #calls: ToolCall[] = [];

  /** As `readerOf`. `special`: the text of a control token. */
  constructor(form: Form, tools: readonly Tool[], prompt: string, continued: string | undefined, special: (id: number) => string | undefined) {
    this.#reader = readerOf(form, tools, prompt, continued);
    this.#special = special;
  }

  /** Tokens as the page gets them: one that ends a part and begins another is told twice. */
  take(tokens: GeneratedToken[]): GeneratedToken[] {
    const reader = this.#reader;
    if (reader === undefined) return tokens;
    return tokens.flatMap((token) => {
      const parts = reader.push(token.text, this.#special(token.id));
      this.#keep(parts);
      if (parts.length === 0) return [{ ...token, text: "", kind: this.#kind }];
      this.#kind = parts.at(-1)!.kind;
      const [first, ...others] = parts as [Part, ...Part[]];
      return [{ ...token, ...first }, ...others.map((part) => ({ id: token.id, ...part }))];
    });
  }

  /** The end: what was held back, and the whole. */
  finish(result: GenerationResult, tell: (tokens: GeneratedToken[]) => void): GenerationResult {
    if (this.#reader === undefined) return result;
    const parts = this.#reader.finish();
    this.#keep(parts);
    const id = result.tokens.at(-1) ?? 0;
    if (parts.length > 0) tell(parts.map((part) => ({ id, ...part })));
    const called = this.#calls.length > 0;
    return {
      ...result,
      // White space before a call, or behind a thought, is of neither.
      text: called ? this.#text.trimEnd() : this.#text,
      ...(this.#reasoning !== "" && { reasoning: this.#reasoning.trimEnd() }),
      ...(called && { toolCalls: this.#calls }),
      finishReason: called && result.finishReason === "end" ? "tool-calls" : result.finishReason,
    };
  }

  #keep(parts: Part[]): void {
    for (const { kind, text, toolCall } of parts) {
      if (kind === "text") this.#text += text;
      if (kind === "reasoning") this.#reasoning += text;
      if (toolCall !== undefined && "arguments" in toolCall) this.#calls.push(toolCall as ToolCall);
    }
  }
}
