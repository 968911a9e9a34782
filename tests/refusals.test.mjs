// Checkpoints with a choice that we lack: refused by its name, before a byte of weights is asked for.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import * as azulejo from "../dist/index.js";
import { startApiServer } from "./api-server.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(5);

const read = (path) => readFileSync(new URL(`conformance/${path}`, import.meta.url));
const { families } = JSON.parse(read("index.json"));
const CLASSES = { causal: "CausalLM", encoder: "TextClassifier", tokens: "TokenClassifier", seq2seq: "Seq2SeqLM", vision: "ImageClassifier", dual: "ImageTextMatcher" };

/** Unknown to us, known to transformers. */
const MODEL_TYPES = ["mamba", "qwen2_moe", "granitemoe", "deepseek_v3", "llama4", "gemma3", "glm4_moe", "siglip2", "whisper"];

/** By family: fields that make another model of it, the name that the refusal says, and its code where it is another one. */
const CHOICES = {
  gpt2: [
    [{ scale_attn_by_inverse_layer_idx: true }, "scale_attn_by_inverse_layer_idx"],
    [{ add_cross_attention: true }, "add_cross_attention"],
    [{ activation_function: "mish" }, "mish"],
  ],
  opt: [
    [{ word_embed_proj_dim: 24 }, "word_embed_proj_dim"],
    [{ layer_norm_elementwise_affine: false }, "layer_norm_elementwise_affine"],
  ],
  bloom: [[{ apply_residual_connection_post_layernorm: true }, "apply_residual_connection_post_layernorm"]],
  mpt: [
    [{ attn_config: { alibi: true, clip_qkv: 6 } }, "clip_qkv"],
    [{ attn_config: { alibi: true, qk_ln: true } }, "qk_ln"],
    [{ attn_config: { alibi: true, attn_type: "multiquery_attention" } }, "multiquery_attention"],
    [{ attn_config: { alibi: true, prefix_lm: true } }, "prefix_lm"],
    [{ attn_config: { alibi: false } }, "alibi"],
    [{ no_bias: false }, "no_bias"],
    [{ logit_scale: 0.5 }, "logit_scale"],
  ],
  gptj: [[{ activation_function: "mish" }, "mish"]],
  gpt_neox: [[{ hidden_act: "mish" }, "mish"], [{ rope_parameters: null, rope_scaling: { type: "dynamic", factor: 2 } }, "dynamic"]],
  cohere: [[{ use_qk_norm: true }, "use_qk_norm"]],
  cohere2: [[{ layer_types: Array(2).fill("chunked_attention") }, "chunked_attention"], [{ hidden_act: "mish" }, "mish"]],
  olmo3: [
    [{ layer_types: Array(2).fill("chunked_attention") }, "chunked_attention"],
    [{ rope_parameters: null, rope_scaling: { type: "dynamic", factor: 2 } }, "dynamic"],
  ],
  granite: [[{ residual_multiplier: 0 }, "residual_multiplier"], [{ num_local_experts: 8 }, "num_local_experts"]],
  granite4: [
    [{ layer_types: ["mamba", "attention"] }, "mamba"],
    [{ layer_types: null }, "layer_types"],
    [{ num_local_experts: 8 }, "num_local_experts"],
    [{ position_embedding_type: "learned" }, "position_embedding_type"],
  ],
  mixtral: [[{ hidden_act: "mish" }, "mish"], [{ rope_parameters: null, rope_scaling: { type: "dynamic", factor: 2 } }, "dynamic"]],
  qwen3_moe: [[{ hidden_act: "mish" }, "mish"], [{ quantization_config: { quant_method: "fp8" } }, "fp8", "unsupported-quantization"]],
  olmoe: [[{ clip_qkv: 8 }, "clip_qkv"]],
  gpt_oss: [
    [{ swiglu_alpha: 2 }, "swiglu_alpha"],
    [{ rope_parameters: null }, "rope_parameters"],
    [{ quantization_config: { quant_method: "mxfp4" } }, "mxfp4", "unsupported-quantization"],
  ],
  llama: [
    [{ rope_parameters: { rope_type: "longrope", rope_theta: 10000, short_factor: [1], long_factor: [1] } }, "1 and 1 factors", "corrupt-file"],
    [{ rope_parameters: null, rope_scaling: { type: "dynamic", factor: 2 }, rope_theta: 10000 }, "dynamic"],
    [{ hidden_act: "mish" }, "mish"],
    [{ num_local_experts: 8 }, "num_local_experts"],
    [{ quantization_config: { quant_method: "gptq", bits: 4 } }, "gptq", "unsupported-quantization"],
  ],
  gemma3: [[{ use_bidirectional_attention: true }, "use_bidirectional_attention"], [{ layer_types: Array(3).fill("chunked_attention") }, "chunked_attention"]],
  phi3: [
    [{ rope_parameters: null, rope_theta: 10000, rope_scaling: { type: "su", short_factor: [1], long_factor: [1] } }, "1 and 1 factors", "corrupt-file"],
    // What the first release of Phi-3 called so is LongRoPE.
    [{ rope_parameters: null, rope_theta: 10000, rope_scaling: { type: "yarn", short_factor: [1], long_factor: [1] } }, "longrope|\"yarn\""],
  ],
  glm4: [[{ hidden_act: "mish" }, "mish"], [{ rope_parameters: null, rope_scaling: { type: "dynamic", factor: 2 } }, "dynamic"]],
  starcoder2: [[{ hidden_act: "mish" }, "mish"], [{ rope_parameters: null, rope_scaling: { type: "dynamic", factor: 2 } }, "dynamic"]],
  phi: [[{ qk_layernorm: true }, "qk_layernorm"], [{ head_dim: 16 }, "head_dim"]],
  stablelm: [[{ qk_layernorm: true }, "qk_layernorm"]],
  bert: [
    [{ position_embedding_type: "relative_key" }, "relative_key"],
    [{ is_decoder: true }, "is_decoder"],
  ],
  roberta: [[{ position_embedding_type: "relative_key_query" }, "relative_key_query"]],
  distilbert: [[{ activation: "mish" }, "mish"]],
  modernbert: [[{ hidden_activation: "mish" }, "mish"]],
  t5: [[{ feed_forward_proj: "gated-mish" }, "mish"], [{ feed_forward_proj: "gated-gelu-twice" }, "gelu-twice"]],
  bart: [
    [{ activation_function: "mish" }, "mish"],
    [{ normalize_before: true }, "normalize_before"],
    [{ add_final_layer_norm: true }, "add_final_layer_norm"],
  ],
  marian: [
    [{ share_encoder_decoder_embeddings: false }, "share_encoder_decoder_embeddings"],
    [{ normalize_embedding: true }, "normalize_embedding"],
  ],
  clip: [[{ text_config: { hidden_act: "mish" } }, "mish"], [{ vision_config: { hidden_act: "mish" } }, "mish"]],
  siglip: [[{ vision_config: { vision_use_head: false } }, "vision_use_head"]],
  vit: [[{ hidden_act: "mish" }, "mish"]],
};

/** The family's configuration with other values in some fields; of its inner configurations too. */
function changed(family, fields) {
  const config = JSON.parse(read(`${family}/config.json`));
  const inner = (name, value) => (value !== null && config[name] !== null && typeof config[name] === "object" && !Array.isArray(value)
    ? { ...config[name], ...value } : value);
  return { ...config, ...Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, inner(name, value)])) };
}

describe("a choice that we lack is refused by its name, and no weights are asked for", () => {
  let server, engine;
  before(async () => {
    server = await startApiServer({ isolated: true });
    engine = await azulejo.Engine.create({ device: "cpu" });
  });
  after(async () => {
    await engine?.dispose();
    await server?.close();
  });

  /** Loads and inspects a folder with this configuration and the family's weights. */
  async function assertRefused(family, config, says, code = "unsupported-model") {
    const folder = new URL("/folder/", server.url).href;
    server.files["/folder/config.json"] = { bytes: Buffer.from(JSON.stringify(config)) };
    server.files["/folder/model.safetensors"] = { bytes: read(`${family}/model.safetensors`) };
    for (const use of [azulejo[CLASSES[families[family].kind]].load, azulejo.inspect]) {
      server.log.length = 0;
      await assert.rejects(use(folder, { engine, cache: false }), (error) => {
        assert.equal(error.code, code, error.stack);
        assert.match(error.message, new RegExp(says));
        return true;
      });
      assert.deepEqual(server.log.filter((line) => !line.includes("/folder/config.json")), []);
    }
  }

  for (const model_type of MODEL_TYPES) {
    test(`the model type ${model_type}`, () => assertRefused("llama", { ...changed("llama", {}), model_type }, `"${model_type}"`));
  }
  for (const [family, choices] of Object.entries(CHOICES)) {
    for (const [fields, ...expected] of choices) {
      test(`${family} with ${JSON.stringify(fields)}`, () => assertRefused(family, changed(family, fields), ...expected));
    }
  }
});
