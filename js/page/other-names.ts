// What other libraries call things (transformers, transformers.js, llama.cpp, Ollama, wllama, web-llm, vLLM, OpenAI's API),
// and what people type instead.

/** Theirs → ours, where both mean the same. Spelled without regard to case, "_" and "-". */
const THEIRS: Record<string, readonly string[]> = {
  maxTokens: ["max_new_tokens", "max_length", "n_predict", "num_predict", "max_completion_tokens", "max_output_tokens", "max_gen_len", "n_tokens"],
  temperature: ["do_sample", "temp"],
  topK: ["top", "top_n", "num_labels", "limit"],
  topP: ["nucleus"],
  repetitionPenalty: ["repeat_penalty", "penalty_repeat"],
  presencePenalty: ["penalty_present"],
  frequencyPenalty: ["penalty_freq"],
  seed: ["random_seed", "rng"],
  stop: ["stop_sequences", "stop_strings", "stop_words", "stop_prompts", "until"],
  ignoreEnd: ["ignore_eos"],
  logprobs: ["top_logprobs", "n_probs", "output_scores", "return_logprobs"],
  jsonSchema: ["response_format", "schema", "json", "guided_json"],
  regex: ["guided_regex"],
  grammar: ["guided_grammar", "gbnf"],
  tools: ["functions"],
  toolChoice: ["function_call"],
  templateOptions: ["chat_template_kwargs", "enable_thinking", "tokenizer_encode_kwargs", "documents"],
  reasoning: ["reasoning_content", "thinking"],
  draft: ["assistant_model", "draft_model", "speculative", "prompt_lookup_num_tokens"],
  contextShift: ["ctx_shift", "n_keep", "sliding_window"],
  beams: ["num_beams", "beam_size", "beam_width"],
  signal: ["abort_signal", "abort_controller", "cancel_token"],
  onProgress: ["progress_callback", "init_progress_callback", "progress", "callback", "on_update"],
  quantize: ["dtype", "quantization", "quantized", "torch_dtype", "precision", "load_in_8bit", "load_in_4bit"],
  quant: ["quantization_file", "variant"],
  file: ["model_file_name", "file_name", "model_file", "gguf_file", "hf_file"],
  cache: ["use_cache", "use_browser_cache", "caching"],
  revalidate: ["local_files_only", "force_download", "allow_offline"],
  token: ["access_token", "hf_token", "auth_token", "use_auth_token", "api_key"],
  endpoint: ["remote_host", "hf_endpoint", "mirror", "base_url"],
  integrity: ["sha256", "checksum", "hash"],
  retries: ["max_retries", "retry"],
  contextLength: ["n_ctx", "num_ctx", "ctx_size", "context_size", "context_window", "context_window_size", "max_seq_len", "max_context"],
  kvCacheType: ["cache_type", "cache_type_k", "cache_type_v", "kv_cache_dtype"],
  device: ["backend", "execution_provider", "execution_providers", "n_gpu_layers", "use_gpu", "gpu_layers"],
  threads: ["n_threads", "num_threads", "wasm_threads"],
  assets: ["wasm_path", "wasm_paths", "worker_url", "public_path"],
  worker: ["proxy", "use_worker"],
  batch: ["batch_size", "n_batch"],
  size: ["patch_size", "window", "window_size", "tile_size"],
  stride: ["step", "hop"],
  layer: ["layer_index", "layer_id", "layers"],
  head: ["head_index", "head_id", "heads"],
  template: ["hypothesis_template", "prompt_template"],
  normalize: ["normalize_embeddings", "normalise", "normalized"],
  pooling: ["pooling_mode", "pool"],
  merge: ["aggregation_strategy", "grouped_entities", "group"],
  prompt: ["prefix", "instruction"],
  addSpecial: ["add_special_tokens", "add_bos"],
  skipSpecial: ["skip_special_tokens", "remove_special"],
  last: ["last_only", "only_last"],
};

/** What is no option here, and where it is to be had. */
const ELSEWHERE: Record<string, string> = {
  device: "load and Engine.create take device",
  engine: "load takes engine",
  threads: "Engine.create takes threads",
  quantize: "load takes quantize",
  contextLength: "CausalLM.load takes contextLength",
  onProgress: "load takes onProgress; iterate a generation for its tokens as they come",
  cache: "load takes cache",
  system: 'the prompt may be messages, the first of them with role "system"',
  messages: "the prompt itself may be messages",
  stream: "iterate the generation, or take its stream()",
  streamer: "iterate the generation, or take its stream()",
  ontoken: "iterate the generation for its tokens as they come",
  callbackfunction: "iterate the generation for its tokens as they come",
  revision: "it stands in the address: hf:org/name@revision",
  branch: "it stands in the address: hf:org/name@revision",
  subfolder: "it stands in the address: hf:org/name/folder/",
  cachedir: "browsers keep files in their own storage, and under Node the variable AZULEJO_CACHE says where",
  trustremotecode: "no code of a checkpoint is ever run",
  eostokenid: "the checkpoint says where it ends; ignoreEnd goes on past it",
  numreturnsequences: "call it as often as you want answers, each with a seed of its own",
  n: "call it as often as you want answers, each with a seed of its own",
  truncation: "texts are cut as the checkpoint says",
  padding: "rows may differ in length, and padding costs nothing",
  timeout: "signal takes AbortSignal.timeout(ms)",
};

const fold = (name: string) => name.toLowerCase().replace(/[^a-z\d]/g, "");

/** Which of a call's `names` is meant by one that it does not have; or what to do instead. */
export function meantBy(given: string, names: readonly string[]): { name: string } | { hint: string } | undefined {
  const folded = fold(given);
  const same = names.find((name) => fold(name) === folded);
  if (same !== undefined) return { name: same };
  const ours = Object.keys(THEIRS).find((name) => THEIRS[name]!.some((theirs) => fold(theirs) === folded));
  if (ours !== undefined && names.includes(ours)) return { name: ours };
  const nearest = nearestOf(folded, names);
  if (nearest !== undefined) return { name: nearest };
  const place = [ours, given, folded].find((name) => name !== undefined && Object.hasOwn(ELSEWHERE, name));
  return place === undefined ? undefined : { hint: ELSEWHERE[place]! };
}

/** Of those that differ in a third of their letters at most. */
function nearestOf(folded: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.floor(folded.length / 3) + 1;
  for (const name of names) {
    const edits = editsBetween(folded, fold(name));
    if (edits < least) [best, least] = [name, edits];
  }
  return best;
}

/** Letters to be put in, taken out, changed, or swapped with their neighbour (optimal string alignment). */
function editsBetween(from: string, to: string): number {
  let before: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let row = 1; row <= from.length; row++) {
    const next = [row];
    for (let column = 1; column <= to.length; column++) {
      const change = from[row - 1] === to[column - 1] ? 0 : 1;
      next[column] = Math.min(last[column]! + 1, next[column - 1]! + 1, last[column - 1]! + change);
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1])
        next[column] = Math.min(next[column]!, before[column - 2]! + 1);
    }
    [before, last] = [last, next];
  }
  return last[to.length]!;
}
