// Conversations and the texts that are made: what goes in, how it is chosen, what comes out. Nothing here runs.

import type { ImageInput } from "./types-images.js";

/** A turn of a conversation, as chat templates know it. What its texts spell out stays text: see `allowSpecial`. */
export interface Message {
  /** Who says it; which roles there are in the end is the template's choice. */
  role: "system" | "developer" | "user" | "assistant" | "tool";
  /** `null`: nothing but tool calls, say. Parts are handed to templates that know them, and are one text for others. */
  content: string | ContentPart[] | null;
  /** Whose turn it is, or which tool answers, for templates that say so. */
  name?: string | undefined;
  /** What the model thought before it answered; whether the prompt has it is the template's choice. */
  reasoning?: string | undefined;
  /** Of an assistant's turn: what it called, as a result's `toolCalls` has it. */
  toolCalls?: ToolCall[] | undefined;
  /** Of a tool's answer: which call it answers. */
  toolCallId?: string | undefined;
}

/** A part of a message. Images are refused with "unsupported-model". */
export type ContentPart = { type: "text"; text: string } | { type: "image"; image: ImageInput };

/** What the model may call; `parameters` is a JSON Schema. */
export interface Tool {
  /** What calls name it by. */
  name: string;
  /** What it is for, told to the model by the template. */
  description?: string | undefined;
  /**
   * A JSON Schema of its arguments, an object. A forced call's arguments are held to it.
   * @defaultValue any object
   */
  parameters?: object | undefined;
}

/** What the model has called. */
export interface ToolCall {
  /** Made up here for the model's own calls; a tool's message names it as `toolCallId`. */
  id?: string | undefined;
  /** Of the tool. */
  name: string;
  /** A value, not its JSON. Only a forced call's is sure to be what the tool's `parameters` accept. */
  arguments?: unknown;
}

/** Of prompts that are messages. */
export interface ChatOptions {
  /** For the chat template, which tells the model of them; one that knows no tools refuses them. */
  tools?: Tool[] | undefined;
  /** Variables of the chat template: `{ enable_thinking: false }`. One that it does not have is refused. */
  templateOptions?: Record<string, unknown> | undefined;
  /**
   * Control tokens that the messages or the tools spell out (`<|im_end|>`) count as such: whoever writes a message can
   * then end its turn and forge others.
   * @defaultValue false
   */
  allowSpecial?: boolean | undefined;
  /**
   * The prompt ends where the text of the last message does, and the model goes on with it: an answer that was stopped,
   * or begun for it.
   * @defaultValue false
   */
  continueFinalMessage?: boolean | undefined;
}

/** Of `Tokenizer.applyChatTemplate`. */
export interface ChatTemplateOptions extends ChatOptions {
  /**
   * The prompt ends with the beginning of the answer.
   * @defaultValue true, unless the last message is continued
   */
  addGenerationPrompt?: boolean | undefined;
}

/** What the text has to be: one of these at most. The module that sees to it (0.4 MB) is fetched at the first use. */
export interface ConstraintOptions {
  /**
   * The text is JSON that this JSON Schema accepts, written with ", " and ": ". A keyword that cannot be kept is refused.
   */
  jsonSchema?: object | undefined;
  /** The whole text matches this regular expression, as Rust's regex crate writes them; anchors and look-around are refused. */
  regex?: string | undefined;
  /** The text is of this grammar: llama.cpp's GBNF, or llguidance's kind of Lark. A string is GBNF. */
  grammar?: string | { lark: string } | { gbnf: string } | undefined;
}

/**
 * What is made of a prompt, and how. Unknown names are refused with the one that was meant, and values out of range with
 * "invalid-argument".
 */
export interface GenerateOptions extends ChatOptions, ConstraintOptions {
  /**
   * Of prompts with `tools`. "none": the model is not told of them. "required", or a tool by its name: the answer is a call,
   * in the form that the model's family writes them in, with arguments that the tool's `parameters` accept.
   * @defaultValue "auto": as the model decides
   */
  toolChoice?: "auto" | "none" | "required" | { name: string } | undefined;
  /**
   * How many tokens at most, 0 or more.
   * @defaultValue until the end token or, without `contextShift`, the context's end
   */
  maxTokens?: number | undefined;
  /**
   * Where the context is full the text goes on: half of what may go does, the oldest tokens after the first `keep`, and the
   * rest is read anew (docs/sessions.md). A prompt that is longer than the context loses its tokens in the same way.
   * @defaultValue a text ends where its context does, and a longer prompt is refused with "context-full"
   */
  contextShift?: { keep: number } | undefined;
  /**
   * 0 or more. 0 takes the best token; the higher, the more even the draw. It reshapes what the options below have left.
   * @defaultValue 0
   */
  temperature?: number | undefined;
  /**
   * Only so many of the best tokens; 0: all.
   * @defaultValue 0
   */
  topK?: number | undefined;
  /**
   * Only the best tokens that together have this share of what `topK` left, 0 to 1.
   * @defaultValue 1
   */
  topP?: number | undefined;
  /**
   * Only tokens that have at least this share of the best one's probability, 0 to 1.
   * @defaultValue 0
   */
  minP?: number | undefined;
  /**
   * More than 0. Tokens of the prompt and the text become less likely above 1, more likely below, as transformers has it
   * (Keskar and others, 2019: https://arxiv.org/abs/1909.05858).
   * @defaultValue 1
   */
  repetitionPenalty?: number | undefined;
  /**
   * Taken from the logit of each token that the text has already.
   * @defaultValue 0
   */
  presencePenalty?: number | undefined;
  /**
   * Taken from the logit of each token as often as the text has it.
   * @defaultValue 0
   */
  frequencyPenalty?: number | undefined;
  /** Added to the logits of these token ids, before all else. */
  logitBias?: Record<number, number> | undefined;
  /**
   * For the draws: a whole number, 0 or more. Seed, position and token decide each: devices whose logits agree draw the same
   * text, with a cache and without, with `logprobs` and without.
   * @defaultValue another each time
   */
  seed?: number | undefined;
  /**
   * The text ends before any of these, and has none of it; `finishReason` is then "stop".
   * @defaultValue none
   */
  stop?: string[] | undefined;
  /**
   * Go on past the end token (benchmarks). Not together with a schema, a grammar or a forced call.
   * @defaultValue false
   */
  ignoreEnd?: boolean | undefined;
  /**
   * Each token comes with its probability's logarithm, and with so many best alternatives; 0: with none of these. On WebGPU
   * each token's logits then come to the CPU.
   * @defaultValue tokens come without
   */
  logprobs?: number | undefined;
  /**
   * The text does not end before it has so many tokens.
   * @defaultValue 0
   */
  minTokens?: number | undefined;
  /**
   * Runs of so many tokens come once only in prompt and text, as transformers' no_repeat_ngram_size has it; 0: they may
   * come again. On WebGPU each token's logits then come to the CPU.
   * @defaultValue 0
   */
  noRepeatNgram?: number | undefined;
  /**
   * Where an option is not given, what the checkpoint's generation_config.json or a GGUF file's general.sampling suggests
   * takes its place: see `CausalLM.defaults`. Refused where the file asks for what this package lacks.
   * @defaultValue false
   */
  useDefaults?: boolean | undefined;
  /**
   * Where several tokens are computed with one pass, drafted out of what prompt and text have said before: "prompt" wherever
   * that is likely to come again, "off" nowhere. The text is the same (docs/speculation.md). On WebGPU not with penalties,
   * `minTokens` and grammars, nor for several texts at a time.
   * @defaultValue where it pays, by what passes take while they run
   */
  draft?: "prompt" | "off" | undefined;
  /** Ends the generation; what was made stays (of several beams nothing: they are chosen from at the end), finishReason "aborted". */
  signal?: AbortSignal | undefined;
}

/** Where an option is not given, what the checkpoint's generation_config.json says counts: beams, lengths, penalties. */
export interface Seq2SeqOptions
  extends Omit<GenerateOptions, keyof ChatOptions | keyof ConstraintOptions | "toolChoice" | "contextShift" | "draft"> {
  /**
   * From 1 to 16: so many continuations are followed at once, and the likeliest is told when all have ended (beam
   * search); iterating then gives its tokens at the end. Several go with none of `temperature`, `topK`, `topP`, `minP` and
   * `logprobs`.
   * @defaultValue what generation_config.json says, else 1; 1 with `temperature` or `logprobs`
   */
  beams?: number | undefined;
  /**
   * Of several beams: each text's score is divided by its length to this power, so that larger ones favour longer texts.
   * @defaultValue what generation_config.json says, else 1
   */
  lengthPenalty?: number | undefined;
  /**
   * Of several beams: whether the search is over as soon as there are as many texts as beams (true), when a better one is
   * unlikely (false), or impossible ("never").
   * @defaultValue what generation_config.json says, else false
   */
  earlyStopping?: boolean | "never" | undefined;
}

/**
 * Await it for the whole result, or iterate it for the tokens as they come. Work starts at the call.
 * Leaving a `for await` early ends the generation, as `signal` does. At the context's end it stops
 * with finishReason "length", unless `contextShift` is given. Iterating without awaiting raises no unhandled rejection.
 *
 * Several at a time on one model go on together, a token of each with every pass; those of one session one after the other.
 * Each says what it says alone, but where the two best tokens are as good as equal: on WebGPU, for long texts on several
 * threads and with sliding windows, the last bits of a sum depend on what is computed beside it.
 *
 * It is a thenable: an async function that returns a Generation returns its result, and what `then`, `catch` and
 * `finally` give is a plain promise. Hand on `stream()` instead, or the Generation inside of an object.
 */
export interface Generation extends Promise<GenerationResult>, AsyncIterable<GeneratedToken> {
  /**
   * The text as it comes, without reasoning and calls. Cancelling it ends the generation; a failure is the stream's error. For a Response, which is
   * bytes: `new Response(generation.stream().pipeThrough(new TextEncoderStream()))`.
   */
  stream(): ReadableStream<string>;
  /** The whole text, once it is there. */
  text(): Promise<string>;
}

/** A token as it comes, with what it adds to the text. */
export interface GeneratedToken {
  /** In the model's vocabulary; −1 for what a server has made, which tells texts and no ids. */
  id: number;
  /** What it adds to the text: "" for a part of a character, or while a stop string may be coming. */
  text: string;
  /**
   * Of answers to messages: whether its text is the answer's, what the model thought before, or a call's, as the model writes
   * it. One that ends a part and begins another comes twice.
   */
  kind?: "text" | "reasoning" | "tool-call" | undefined;
  /** Of a call: its id and name as soon as they are known, and its arguments when it is whole. */
  toolCall?: Partial<ToolCall> | undefined;
  /** Of the model's own distribution, before bias, penalties and all else; where `logprobs` asks for it. */
  logprob?: number | undefined;
  /** Best first. */
  alternatives?: { id: number; text: string; logprob: number }[] | undefined;
}

/** What a generation has come to: resolved after an abort too, with what was made until then. */
export interface GenerationResult {
  /** Of an answer to messages: what it says, without its reasoning and its calls. */
  text: string;
  /** The ids of all that was made, the end token included; none of what a server has made. */
  tokens: Uint32Array;
  /** What the model thought before it answered messages, where its family tells that apart. */
  reasoning?: string | undefined;
  /** What it calls: for the next prompt's messages, and the caller to answer. Those that were not written to their end are none. */
  toolCalls?: ToolCall[] | undefined;
  /** The end token, a stop string, `maxTokens` or the context's end, the signal; "tool-calls": an end with calls. */
  finishReason: "end" | "stop" | "length" | "aborted" | "tool-calls";
  /**
   * By the clock: of generations that go on together, each one's has in it what the others took of their passes. NaN is what
   * a server does not tell.
   */
  stats: {
    /** Of the whole prompt. */
    promptTokens: number;
    /** Those of the prompt that the session's cache had already, or a server's. */
    cachedTokens: number;
    /** Those that were made. */
    generatedTokens: number;
    /** With `contextShift`: those of prompt and text that had left the context when the last token was chosen. */
    droppedTokens?: number | undefined;
    /** Tokens that were computed ahead because they seemed likely, and how many of them became the text's: see `draft`. */
    draftedTokens: number;
    acceptedTokens: number;
    /** From the start of its turn to the first token. */
    prefillMs: number;
    /** From the first token to the last. */
    decodeMs: number;
    firstTokenMs: number;
    /** Of decoding; 0 where there was one token or none. */
    tokensPerSecond: number;
  };
}

/** The checkpoint's own. Calls reject with "missing-file" where the checkpoint has none. */
export interface Tokenizer {
  /** `addSpecial` (default true): with the special tokens that the tokenizer puts around a text. */
  encode(text: string, options?: { addSpecial?: boolean | undefined }): Promise<Uint32Array>;
  /** `skipSpecial` (default true): without special tokens. */
  decode(ids: ArrayLike<number>, options?: { skipSpecial?: boolean | undefined }): Promise<string>;
  /**
   * The prompt as text, for looking at. `generate` takes the messages themselves, and keeps what they spell out text: in one
   * string a forged control token could not be told from the template's own, so it is refused, unless `allowSpecial`.
   */
  applyChatTemplate(messages: Message[], options?: ChatTemplateOptions): Promise<string>;
}

/** A session that is kept by name. */
export interface KeptSession {
  /** What it goes by. */
  name: string;
  /** Of the file. */
  bytes: number;
  /** That it has in its cache. */
  tokens: number;
  /** When it was saved last. */
  saved: Date;
}

/** A conversation that keeps its KV cache between calls. */
export interface Session {
  /** The prompt is the whole conversation so far; the part that the cache already holds is not computed again. */
  generate(prompt: string | Message[] | ArrayLike<number>, options?: GenerateOptions): Generation;
  /** Tokens in the cache. */
  readonly length: number;
  /**
   * Its tokens, keys and values, with the model's fingerprint and a checksum, for `restoreSession`. Some tens of kB a
   * token: as much as the cache takes.
   */
  save(): Promise<Blob>;
  /** Another session with the same beginning; nothing is copied until one of them goes on. */
  clone(): Promise<Session>;
  /**
   * Forgets all but the first tokens; all of them where the model looks back through a window that no longer has what
   * stands before. `length` says how many there are.
   */
  truncate(length: number): Promise<void>;
  /** Frees its cache, and ends what it generates. A session that nobody holds is freed too. */
  dispose(): Promise<void>;
  /** `dispose`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}
