// Completions of texts.

import type { CausalLM } from "../page/causal-lm.js";
import type { GeneratedToken, Generation, GenerationResult } from "../shared/types.js";
import { choices, completionOptions, promptsOf, seeded, usageOf } from "./read.js";
import { interleaved, newId, now } from "./streams.js";
import type { Completions } from "./types.js";

interface Begun {
  head: { id: string; object: "text_completion"; created: number; model: string };
  prompts: (string | number[])[];
  generations: Generation[];
  /** Of each prompt. */
  count: number;
}

function begin(lm: CausalLM, params: Completions.Params, signal: AbortSignal): Begun {
  const [options, prompts, count] = [completionOptions(params), promptsOf(params), choices(params)];
  const of = (prompt: string | number[]) => Array.from({ length: count }, (_, index) => lm.generate(prompt, { ...seeded(options, index), signal }));
  return { head: { id: newId("cmpl"), object: "text_completion", created: now(), model: params.model }, prompts, generations: prompts.flatMap(of), count };
}

const finishOf = ({ finishReason }: GenerationResult): "stop" | "length" => (finishReason === "length" ? "length" : "stop");

/** What `echo` puts before a choice. */
async function echoed(lm: CausalLM, params: Completions.Params, prompt: string | number[]): Promise<string> {
  if (!params.echo) return "";
  return typeof prompt === "string" ? prompt : lm.tokenizer.decode(prompt);
}

export async function complete(lm: CausalLM, params: Completions.Params, signal: AbortSignal): Promise<Completions.Completion> {
  const { head, prompts, generations, count } = begin(lm, params, signal);
  const results = await Promise.all(generations);
  signal.throwIfAborted();
  const all = await Promise.all(results.map(async (result, index) => {
    const before = await echoed(lm, params, prompts[Math.floor(index / count)]!);
    const tokens: GeneratedToken[] = [];
    if (params.logprobs != null) for await (const token of generations[index]!) tokens.push(token);
    const logprobs = params.logprobs == null ? null : logprobsOf(tokens, 0);
    return { index, text: before + result.text, logprobs, finish_reason: finishOf(result) };
  }));
  return { ...head, choices: all, usage: usageOf(results, results.filter((_, index) => index % count === 0)) };
}

export async function* stream(lm: CausalLM, params: Completions.Params, signal: AbortSignal): AsyncGenerator<Completions.Completion> {
  const { head, prompts, generations, count } = begin(lm, params, signal);
  const withUsage = params.stream_options?.include_usage ?? false;
  const chunk = (index: number, text: string, finish: "stop" | "length" | null = null, logprobs: Completions.Logprobs | null = null): Completions.Completion =>
    ({ ...head, choices: [{ index, text, logprobs, finish_reason: finish }], ...(withUsage && { usage: null }) });
  const shown = await Promise.all(generations.map((_, index) => echoed(lm, params, prompts[Math.floor(index / count)]!)));
  const tokens = interleaved(generations);
  // Before the echo: what is refused fails before anything is said.
  let step = await tokens.next();
  for (const [index, before] of shown.entries()) if (before !== "") yield chunk(index, before);
  for (; !step.done; step = await tokens.next()) {
    const { index, token } = step.value;
    const logprobs = params.logprobs == null ? null : logprobsOf([token], shown[index]!.length);
    shown[index] += token.text;
    if (token.text !== "" || logprobs !== null) yield chunk(index, token.text, null, logprobs);
  }
  const results = await Promise.all(generations);
  signal.throwIfAborted();
  for (const [index, result] of results.entries()) yield chunk(index, "", finishOf(result));
  if (withUsage) yield { ...head, choices: [], usage: usageOf(results, results.filter((_, index) => index % count === 0)) };
}

function logprobsOf(tokens: GeneratedToken[], start: number): Completions.Logprobs {
  const logprobs: Completions.Logprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };
  let offset = start;
  for (const { text, logprob, alternatives = [] } of tokens) {
    logprobs.tokens.push(text);
    logprobs.token_logprobs.push(logprob!);
    logprobs.top_logprobs.push(Object.fromEntries(alternatives.map(({ text, logprob }) => [text, logprob])));
    logprobs.text_offset.push(offset);
    offset += text.length;
  }
  return logprobs;
}
