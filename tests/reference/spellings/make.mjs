// Writes spellings.json: other configurations that mean the conformance families' own.
//
//     node tests/reference/spellings/make.mjs
//
// `older`: the spellings before transformers 5, family by family as published checkpoints have them: other names, names
// beside each other, and what equals transformers' default left out. `ignored`: fields that a family ignores.

import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const FAMILIES = new URL("../../conformance/", import.meta.url);
const SPELLINGS_JSON = new URL("spellings.json", import.meta.url);

/** Leaves some fields out. */
function without(config, ...names) {
  return Object.fromEntries(Object.entries(config).filter(([name]) => !names.includes(name)));
}

/** `rope_theta` beside `rope_scaling`, whose type is under each of `typeKeys`. */
function ropeBeside({ rope_parameters: { rope_theta, rope_type, ...scaling }, ...rest }, typeKeys = ["rope_type"]) {
  const type = Object.fromEntries(typeKeys.map((key) => [key, rope_type]));
  return { ...rest, rope_theta, rope_scaling: rope_type === "default" ? null : { ...type, ...scaling } };
}

/** The same, with the part of a head that turns beside it. */
function partialBeside({ rope_parameters: { partial_rotary_factor, ...rope }, ...rest }) {
  return { ...ropeBeside({ ...rest, rope_parameters: rope }), partial_rotary_factor };
}

function llama({ head_dim, ...config }, typeKeys) {
  const follows = head_dim === undefined || head_dim * config.num_attention_heads === config.hidden_size;
  return ropeBeside(follows ? config : { ...config, head_dim }, typeKeys);
}

/** A family's older spelling, by its model type. */
const SPELLINGS = {
  gpt2: (config) => ({
    ...without(config, "n_inner", "add_cross_attention", "scale_attn_weights", "scale_attn_by_inverse_layer_idx",
      "reorder_and_upcast_attn", "tie_word_embeddings"),
    n_ctx: config.n_positions,
    task_specific_params: { "text-generation": { do_sample: true, max_length: 50 } },
  }),
  opt: (config) => ({
    ...without(config, "enable_bias", "layer_norm_elementwise_affine", "tie_word_embeddings"),
    prefix: "</s>",
  }),
  bloom: ({ hidden_size, n_head, ...config }) => ({
    ...without(config, "tie_word_embeddings"),
    n_embed: hidden_size,
    num_attention_heads: n_head,
    attention_softmax_in_fp32: true, bias_dropout_fusion: true, masked_softmax_fusion: true, offset_alibi: 100, n_inner: null,
  }),
  mpt: ({ attn_config: { alibi, alibi_bias_max, attn_impl, attn_pdrop, attn_type, clip_qkv, prefix_lm, qk_ln }, ...config }) => ({
    ...without(config, "layer_norm_epsilon", "tie_word_embeddings"),
    attn_config: { alibi, alibi_bias_max, attn_impl, attn_pdrop, attn_type, clip_qkv, prefix_lm, qk_ln, softmax_scale: null },
    init_config: { name: "kaiming_normal_", fan_mode: "fan_in" },
    verbose: 0,
  }),
  gptj: (config) => ({ ...config, rotary: true, scale_attn_weights: true, gradient_checkpointing: false }),
  gpt_neox: ({ rope_parameters: { rope_theta, partial_rotary_factor }, ...config }) => ({
    ...without(config, "attention_bias"),
    rotary_emb_base: rope_theta,
    rotary_pct: partial_rotary_factor,
  }),
  falcon: (config) => ({
    ...without(config, "num_kv_heads", "ffn_hidden_size", "num_ln_in_parallel_attn", "activation", "max_position_embeddings",
      "rope_parameters", "tie_word_embeddings"),
    apply_residual_connection_post_layernorm: false,
  }),
  cohere: (config) => ({ ...ropeBeside(without(config, "use_qk_norm", "tie_word_embeddings")), model_max_length: 256 }),
  cohere2: ({ layer_types, ...config }) => ({
    ...ropeBeside(without(config, "_sliding_window_pattern", "tie_word_embeddings")),
    sliding_window_pattern: layer_types.indexOf("full_attention") + 1,
    layer_switch: layer_types.indexOf("full_attention") + 1,
    order_of_interleaved_layers: "local_attn_first",
    cache_implementation: "hybrid",
    rotary_pct: 1,
    use_qk_norm: false,
  }),
  // One scaling, which is of the layers that see everything.
  olmo3: ({ rope_parameters: { full_attention: { rope_theta, ...rope_scaling } }, ...config }) => ({ ...config, rope_theta, rope_scaling }),
  granitemoehybrid: (config) => ({ ...ropeBeside(config), layer_types: config.layer_types.map(() => "attention"), init_method: "mup" }),
  // The first release said "gelu" and meant its approximation.
  gemma: (config) => ({ ...ropeBeside(without(config, "tie_word_embeddings")), hidden_act: "gelu", hidden_activation: null }),
  gemma2: (config) => ({
    ...ropeBeside(without(config, "layer_types", "tie_word_embeddings")),
    hidden_act: config.hidden_activation,
    cache_implementation: "hybrid",
  }),
  gemma3_text: ({ rope_parameters: { full_attention, sliding_attention }, layer_types, ...config }) => ({
    ...without(config, "_sliding_window_pattern", "tie_word_embeddings"),
    sliding_window_pattern: layer_types.indexOf("full_attention") + 1,
    rope_theta: full_attention.rope_theta,
    rope_local_base_freq: sliding_attention.rope_theta,
    rope_scaling: null,
    cache_implementation: "hybrid",
  }),
  phi3: (config) => {
    const { rope_parameters: { partial_rotary_factor, ...rope }, ...rest } = config;
    // Phi-3's heads turn wholly, Phi-4-mini's in part, which stands beside.
    const part = partial_rotary_factor === 1 ? {} : { partial_rotary_factor };
    return { ...ropeBeside({ ...rest, rope_parameters: rope }), ...part, attention_bias: false };
  },
  phi: partialBeside,
  glm4: partialBeside,
  stablelm: (config) => partialBeside(without(config, "qk_layernorm", "use_parallel_residual")),
  starcoder2: (config) => ({ ...ropeBeside(without(config, "tie_word_embeddings")), mlp_type: "default", norm_type: "layer_norm" }),
  smollm3: ({ no_rope_layers, layer_types, ...config }) => ({
    ...ropeBeside(config),
    no_rope_layer_interval: no_rope_layers.indexOf(0) + 1,
    max_window_layers: 28,
    pretraining_tp: 2,
  }),
  bert: (config) => ({
    ...without(config, "add_cross_attention", "is_decoder", "bos_token_id", "eos_token_id", "tie_word_embeddings"),
    gradient_checkpointing: false,
    position_embedding_type: "absolute",
  }),
  distilbert: (config) => ({ ...without(config, "tie_word_embeddings"), tie_weights_: true, output_past: true }),
  modernbert: ({ rope_parameters: { full_attention, sliding_attention }, layer_types, ...config }) => ({
    ...config,
    global_rope_theta: full_attention.rope_theta,
    local_rope_theta: sliding_attention.rope_theta,
    layer_norm_eps: config.norm_eps,
    position_embedding_type: "absolute",
    reference_compile: null,
  }),
  t5: (config) => ({
    ...without(config, "dense_act_fn", "is_gated_act", "scale_decoder_outputs", "num_decoder_layers", "is_decoder",
      "classifier_dropout", "tie_word_embeddings", "relative_attention_max_distance"),
    n_positions: 512,
    output_past: true,
    task_specific_params: { translation_en_to_de: { prefix: "translate English to German: " } },
  }),
  bart: (config) => ({
    ...without(config, "tie_word_embeddings", "is_decoder"),
    num_hidden_layers: config.encoder_layers,
    add_bias_logits: false, add_final_layer_norm: false, classif_dropout: 0.1, normalize_before: false, normalize_embedding: true,
    num_beams: 4,
  }),
  marian: (config) => ({
    ...without(config, "decoder_vocab_size", "share_encoder_decoder_embeddings", "tie_word_embeddings", "is_decoder"),
    num_hidden_layers: config.encoder_layers,
    normalize_embedding: false, static_position_embeddings: true, add_final_layer_norm: false, bad_words_ids: [[0]],
    num_beams: 4,
  }),
  // Texts ended with id 2 in the file, and were read at their largest id.
  clip: ({ text_config, ...config }) => ({
    ...config,
    text_config: { ...text_config, bos_token_id: 0, eos_token_id: 2, top_k: 50, torch_dtype: null, tie_word_embeddings: true },
    text_config_dict: null,
    vision_config_dict: null,
  }),
  siglip: ({ text_config, vision_config, ...config }) => ({
    ...config,
    text_config: without(text_config, "hidden_act", "layer_norm_eps", "attention_dropout", "projection_size"),
    vision_config: without(vision_config, "hidden_act", "layer_norm_eps", "attention_dropout", "num_channels", "vision_use_head"),
  }),
};
SPELLINGS.roberta = (config) => ({ ...SPELLINGS.bert(config), bos_token_id: config.bos_token_id, eos_token_id: config.eos_token_id });

/**
 * The older spellings of a family's configuration, by a name for each. Where RoPE is scaled there are three: with the
 * type as `type`, as `rope_type`, and as both.
 */
function olderSpellings({ dtype, ...config }) {
  const released = (spelled) => ({ ...spelled, torch_dtype: dtype, transformers_version: "4.46.0" });
  const spell = SPELLINGS[config.model_type];
  if (spell) return { "older names": released(spell(config)) };
  if (!config.rope_parameters) return { torch_dtype: released(config) };
  if (config.rope_parameters.rope_type === "default") return { rope_theta: released(llama(config)) };
  return {
    "rope_scaling with type": released(llama(config, ["type"])),
    "rope_scaling with rope_type": released(llama(config, ["rope_type"])),
    "rope_scaling with both": released(llama(config, ["type", "rope_type"])),
  };
}

/** Fields that other families give a meaning, and these ignore as transformers does. */
const IGNORED = {
  llama: { sliding_window: 4, use_sliding_window: true, logit_scale: 0.5, final_logit_softcapping: 3, layer_types: null },
  mistral: { attention_bias: true, mlp_bias: true, embedding_multiplier: 12, max_window_layers: 1 },
  qwen2: { sliding_window: 4, use_sliding_window: false, attention_bias: false, max_window_layers: 0 },
  qwen3: { sliding_window: 4, use_sliding_window: false, query_pre_attn_scalar: 7, residual_multiplier: 0.2 },
  gpt2: { sliding_window: 4, rope_theta: 500, logit_scale: 0.5 },
  opt: { sliding_window: 4, scale_embedding: true, rope_theta: 500 },
  bloom: { alibi: false, rope_theta: 500, attention_bias: false },
  mpt: { clip_qkv: 1, rope_theta: 500, sliding_window: 4 },
  gptj: { rope_theta: 500, partial_rotary_factor: 0.1, sliding_window: 4 },
  gpt_neox: { sliding_window: 4, rotary_dim: 2 },
  falcon: { num_kv_heads: 2, sliding_window: 4, logit_scale: 0.5 },
  cohere: { sliding_window: 4, rms_norm_eps: 0.5, final_logit_softcapping: 3, mlp_bias: true },
  cohere2: { rms_norm_eps: 0.5, final_logit_softcapping: 3, mlp_bias: true, logits_scaling: 3 },
  gemma: { sliding_window: 4, attn_logit_softcapping: 3, final_logit_softcapping: 3, query_pre_attn_scalar: 7 },
  gemma2: { sliding_window_pattern: 3, rope_local_base_freq: 5 },
  gemma3: { logit_scale: 0.5, attention_multiplier: 3 },
  phi3: { attention_bias: true, mlp_bias: true, logit_scale: 0.5 },
  starcoder2: { attention_bias: false, mlp_bias: false, layer_norm_eps: 0.5, use_sliding_window: false },
  phi: { sliding_window: 4, attention_bias: false, use_parallel_residual: false },
  glm4: { sliding_window: 4, mlp_bias: true, layer_norm_eps: 0.5, logit_scale: 0.5 },
  stablelm: { sliding_window: 4, attention_bias: true, rms_norm_eps: 0.5 },
  olmo2: { sliding_window: 4, clip_qkv: 1, logit_scale: 0.5 },
  olmo3: { clip_qkv: 1, logit_scale: 0.5, rope_local_base_freq: 5 },
  olmoe: { sliding_window: 4, logit_scale: 0.5, moe_intermediate_size: 8, mlp_only_layers: [0] },
  mixtral: { logit_scale: 0.5, norm_topk_prob: false, moe_intermediate_size: 8, attention_bias: true },
  qwen3_moe: { shared_expert_intermediate_size: 8, logit_scale: 0.5, num_dense_layers: 1 },
  gpt_oss: { experts_per_token: 4, initial_context_length: 4096, norm_topk_prob: false, logit_scale: 0.5 },
  granite: { sliding_window: 4, logit_scale: 0.5, final_logit_softcapping: 3 },
  granite4: { sliding_window: 4, logit_scale: 0.5, mamba_d_state: 7, num_experts_per_tok: 3 },
  smollm3: { sliding_window: 4, final_logit_softcapping: 3 },
  bert: { sliding_window: 4, rope_theta: 5, n_layers: 1 },
  roberta: { sliding_window: 4, norm_eps: 0.5 },
  distilbert: { type_vocab_size: 2, layer_norm_eps: 0.5 },
  modernbert: { layer_norm_eps: 0.5, type_vocab_size: 2 },
  t5: { scale_embedding: true, normalize_before: true },
  bart: { relative_attention_num_buckets: 8, sliding_window: 4 },
  marian: { relative_attention_num_buckets: 8, sliding_window: 4 },
  clip: { hidden_size: 7, vocab_size: 3 },
  siglip: { projection_dim: 7, hidden_size: 7 },
};

/** What the file has to say. */
export function made() {
  const { families } = JSON.parse(readFileSync(new URL("index.json", FAMILIES), "utf8"));
  const configOf = (family) => JSON.parse(readFileSync(new URL(`${family}/config.json`, FAMILIES), "utf8"));
  const older = Object.fromEntries(Object.keys(families).map((family) => [family, olderSpellings(configOf(family))]));
  return `${JSON.stringify({ older, ignored: IGNORED }, null, 1)}\n`;
}

/** What it says. */
export const kept = () => readFileSync(SPELLINGS_JSON, "utf8");

if (import.meta.url === pathToFileURL(process.argv[1]).href) writeFileSync(SPELLINGS_JSON, made());
