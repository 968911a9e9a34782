// A server's answer, piece by piece, as the tokens and the result of a generation.

import { AzulejoError } from "../shared/errors.js";
import type { GeneratedToken, GenerationResult, ToolCall } from "../shared/types.js";
import { TOO_LONG, wordsOf } from "./http.js";

/** What is read of a chunk: of chat completions and of completions of texts. */
interface Chunk {
  error?: unknown;
  choices?: Choice[] | null;
  usage?: { prompt_tokens?: number; completion_tokens?: number; prompt_tokens_details?: { cached_tokens?: number | null } | null } | null;
}
interface Choice {
  index?: number;
  text?: string | null;
  delta?: Delta | null;
  /** Where the answer came in one piece. */
  message?: Delta | null;
  logprobs?: Logprobs | null;
  finish_reason?: string | null;
  /** vLLM's: the stop string that ended it. */
  stop_reason?: unknown;
}
interface Delta {
  content?: string | null;
  reasoning_content?: string | null;
  /** vLLM's name for it. */
  reasoning?: string | null;
  tool_calls?: { index?: number; id?: string | null; function?: { name?: string | null; arguments?: string | null } | null }[] | null;
}
interface Logprob {
  token: string;
  logprob: number;
}
/** As chats have them, and llama.cpp everything; or as completions have them. */
interface Logprobs {
  content?: (Logprob & { top_logprobs?: Logprob[] | null })[] | null;
  tokens?: string[] | null;
  token_logprobs?: (number | null)[] | null;
  top_logprobs?: (Record<string, number> | null)[] | null;
}

/** Servers tell texts, not the ids of tokens. */
const UNTOLD = -1;

export class Answer {
  readonly #began = performance.now();
  #first?: number;
  #last = 0;
  #text = "";
  #reasoning = "";
  #calls: { id?: string; name: string; arguments: string }[] = [];
  #finish?: string | null;
  #stopped = false;
  #usage?: NonNullable<Chunk["usage"]>;
  /** How many alternatives were asked for. */
  readonly #alternatives: number | undefined;

  constructor(alternatives: number | undefined) {
    this.#alternatives = alternatives;
  }

  /** The tokens of a chunk. Throws what the server says in place of one. */
  read(given: unknown): GeneratedToken[] {
    const { error, choices, usage } = (given ?? {}) as Chunk;
    if (error != null) throw failed(given);
    if (usage != null) this.#usage = usage;
    const choice = choices?.[0];
    if (choice === undefined) return [];
    const tokens = this.#tokensOf(choice);
    if (choice.finish_reason != null) {
      this.#finish = choice.finish_reason;
      this.#stopped = typeof choice.stop_reason === "string";
      tokens.push(...this.#wholeCalls().map((toolCall) => ({ id: UNTOLD, text: "", kind: "tool-call" as const, toolCall })));
    }
    if (tokens.length > 0) {
      this.#last = performance.now();
      this.#first ??= this.#last;
    }
    return tokens;
  }

  /** Whether the server has said that it is at its end. */
  get isWhole(): boolean {
    return this.#finish !== undefined;
  }

  result(isAborted: boolean): GenerationResult {
    const toolCalls = this.#wholeCalls();
    return {
      text: this.#text,
      tokens: new Uint32Array(),
      ...(this.#reasoning !== "" && { reasoning: this.#reasoning }),
      ...(toolCalls.length > 0 && { toolCalls }),
      finishReason: isAborted ? "aborted" : this.#reason(toolCalls.length > 0),
      stats: this.#stats(),
    };
  }

  #tokensOf({ text, delta, message, logprobs }: Choice): GeneratedToken[] {
    const said = delta ?? message;
    if (said == null) {
      this.#text += text ?? "";
      return this.#pieces(text ?? "", logprobs, {});
    }
    const thought = said.reasoning_content ?? said.reasoning ?? "";
    this.#reasoning += thought;
    this.#text += said.content ?? "";
    const kind = said.content ? ("text" as const) : ("reasoning" as const);
    const tokens: GeneratedToken[] = thought !== "" && said.content ? [{ id: UNTOLD, text: thought, kind: "reasoning" }] : [];
    tokens.push(...this.#pieces(said.content || thought, said.tool_calls ? undefined : logprobs, { kind }));
    for (const [at, call] of (said.tool_calls ?? []).entries()) tokens.push(this.#call(call.index ?? at, call));
    return tokens;
  }

  /** A token for each that the server tells of, else one for the whole piece. */
  #pieces(text: string, logprobs: Logprobs | null | undefined, how: Pick<GeneratedToken, "kind">): GeneratedToken[] {
    const told = this.#alternatives === undefined || logprobs == null ? [] : listOf(logprobs);
    if (told.length === 0) return text === "" ? [] : [{ id: UNTOLD, text, ...how }];
    // Special tokens are told of and not part of the text, and of a character's parts only the last one is.
    const isSpelled = told.map(({ token }) => token).join("") === text;
    return told.map(({ token, logprob, best }, at) => ({
      id: UNTOLD,
      text: isSpelled ? token : at === told.length - 1 ? text : "",
      ...how,
      logprob,
      alternatives: best.slice(0, this.#alternatives).map((each) => ({ id: UNTOLD, text: each.token, logprob: each.logprob })),
    }));
  }

  #call(index: number, { id, function: given }: NonNullable<Delta["tool_calls"]>[number]): GeneratedToken {
    const isNew = this.#calls[index] === undefined;
    const call = (this.#calls[index] ??= { name: "", arguments: "" });
    if (id != null) call.id = id;
    // It comes whole, and from llama-cpp-python with each piece again.
    call.name ||= given?.name ?? "";
    call.arguments += given?.arguments ?? "";
    return { id: UNTOLD, text: given?.arguments ?? "", kind: "tool-call", ...(isNew && { toolCall: { id: call.id, name: call.name } }) };
  }

  /** Those that were written to their end. */
  #wholeCalls(): ToolCall[] {
    return this.#calls.flatMap(({ id, name, arguments: written }) => {
      try {
        return [{ id, name, arguments: written === "" ? {} : (JSON.parse(written) as unknown) }];
      } catch {
        return [];
      }
    });
  }

  #reason(hasCalls: boolean): GenerationResult["finishReason"] {
    switch (this.#finish) {
      case "length":
        return "length";
      case "abort":
        return "aborted";
      case "content_filter":
        return "stop";
    }
    if (hasCalls) return "tool-calls";
    return this.#stopped ? "stop" : "end";
  }

  #stats(): GenerationResult["stats"] {
    const { prompt_tokens: prompt, completion_tokens: made, prompt_tokens_details: details } = this.#usage ?? {};
    const first = (this.#first ?? performance.now()) - this.#began;
    const decodeMs = this.#first === undefined ? 0 : this.#last - this.#first;
    const generatedTokens = made ?? NaN;
    return {
      promptTokens: prompt ?? NaN,
      cachedTokens: details?.cached_tokens ?? NaN,
      generatedTokens,
      draftedTokens: NaN,
      acceptedTokens: NaN,
      prefillMs: first,
      decodeMs,
      firstTokenMs: first,
      tokensPerSecond: decodeMs > 0 && generatedTokens !== 1 ? (1000 * (generatedTokens - 1)) / decodeMs : 0,
    };
  }
}

function listOf({ content, tokens, token_logprobs: values, top_logprobs: best }: Logprobs): (Logprob & { best: Logprob[] })[] {
  if (content != null) return content.map(({ token, logprob, top_logprobs: best }) => ({ token, logprob, best: best ?? [] }));
  const entries = (record: Record<string, number> | null | undefined) =>
    Object.entries(record ?? {}).map(([token, logprob]) => ({ token, logprob })).sort((a, b) => b.logprob - a.logprob);
  return (tokens ?? []).map((token, at) => ({ token, logprob: values?.[at] ?? NaN, best: entries(best?.[at]) }));
}

function failed(chunk: unknown): AzulejoError {
  const { message = "the server failed without a word", kind } = wordsOf(chunk);
  return new AzulejoError(TOO_LONG.test(`${kind} ${message}`) ? "context-full" : "network", `the server broke the answer off: ${message}`);
}
