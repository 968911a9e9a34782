"""Write the second conformance set: the families that people run in 2026 and that the first set
(generate.py) lacks; one tiny checkpoint each, with the outputs that the reference
implementation (PyTorch, Hugging Face transformers) gives for it.

    python3 -m venv v && v/bin/pip install torch transformers==5.24.0 safetensors numpy
    v/bin/python generate.py OUT_DIR [--seed N] [--heads H --head-dim K --vocab V] [--only FAMILY ...] [--check]

H is even, at least 4; K is a multiple of 4, at least 8; V is at least 64. The folders hold no tokenizer and no
preprocessor. --check reads every folder again and tells what of it is dead, uniform or ill-conditioned; --read does so
without writing.

Every parameter is randomised (biases, norms and saved buffers too), so that a forgotten bias, scale or norm
shows. A case is drawn anew until nothing in it hangs by a hair: the best two logits of a greedy step are
0.02 or more apart, and the last expert that a router takes is 0.004 (of logits; of probabilities 0.4 %) ahead of the
first that it leaves.
Each folder holds

    config.json        the checkpoint's configuration, as transformers saves it
    model.safetensors  its weights, float32, under the names that published checkpoints have (as transformers saves them)
    case.safetensors   inputs and expected outputs, all float32 or int32

What is in case.safetensors, by kind (B rows, T tokens, V vocabulary, D width, C classes):

    causal     input_ids [B,T], attention_mask [B,T] (row 1 is right-padded), logits [B,T,V] (compare only where
               attention_mask is 1), prompt [P], generated [G] (greedy, going on past EOS), next_logits [G,V] (the
               logits each generated token was chosen from). Of phi3_longrope every row and prompt is longer than
               original_max_position_embeddings, so the long factors turn all tokens, the first ones too; of
               phi3_longrope_short none is, nor becomes so
    encoder    input_ids, attention_mask, hidden [B,T,D] (compare where attention_mask is 1); pooled [B,D] where
               the family has a pooler, and for qwen3_embedding, where it is hidden of the row's last real token;
               logits [B,C] where it has a classifier
    tokens     input_ids, attention_mask, hidden [B,T,D], logits [B,T,C] (both: compare where attention_mask is 1)
    seq2seq    input_ids, attention_mask [B,S], decoder_input_ids [B,T], logits [B,T,V]; prompt [S], generated [G]
               (greedy, starts after decoder_start_token_id), next_logits [G,V]
    speech     decoder_input_ids [B,T], logits [B,T,V]; generated [G] and next_logits [G,V] (greedy for row 0's sound,
               starts after decoder_start_token_id); and the sound, which is either
               input_features [B,bins,frames] (log-mel, all frames real; frames = 2 max_source_positions), or
               input_values [B,samples] (no padding: its norm is of all samples, padded ones too)
    image2seq  pixel_values [B,3,H,W], decoder_input_ids [B,T], logits [B,T,V]; generated [G] and next_logits [G,V]
               (greedy for row 0's image, starts after decoder_start_token_id)
    vision     pixel_values [B,3,H,W], hidden [B,N,D] (of the tower, as its last_hidden_state is), logits [B,C] where the
               family has a classifier, pooled [B,D] where it has none but a pooled vector; attention [L,B,heads,N,N]
               where the family gives it
    detection  pixel_values [B,3,H,W], hidden [B,N,D], logits [B,Q,C+1] (the last class is "nothing"), pred_boxes [B,Q,4]
               (centre x, centre y, width, height, as parts of the image)
    dual_naflex  (text and image towers; images of any aspect) pixel_values [B,P,3*p*p] (patches row by row, each patch
               as rows of pixels of three channels, padded to P patches), pixel_attention_mask [B,P], spatial_shapes
               [B,2] (patches down, patches across), input_ids; image_embeds [B,D], text_embeds [B,D], logits_per_image
               [B,B]. There is no attention_mask: the text tower sees its padding, as SigLIP's does
    vlm        input_ids [B,T] with the image's tokens in place, attention_mask [B,T] (row 1 is right-padded), logits
               [B,T,V] (compare where attention_mask is 1); prompt [P] (row 0's images, other text), generated [G],
               next_logits [G,V] (greedy, going on past EOS; no image token among them); token_type_ids [B,T] where
               the mask needs them (gemma3: 1 for the image's tokens, which see each other both ways; paligemma: 0 for
               the prefix, which sees itself both ways, 1 for the rest; of the prompt all is prefix, of what is generated
               nothing). input_ids have as many image tokens (image_token_id, or image_token_index) as the image gives;
               for M-RoPE these are the image's places, in the order of its merged squares. The images are
                 pixel_values [B,3,H,W], one a row (llava, gemma3, paligemma), or
                 pixel_values [B,I,3,H,W], I tiles a row (smolvlm), or
                 pixel_values [n,3*t*p*p], image_grid_thw [B,3]: all rows' patches one after the other, a row's merged
                 squares (spatial_merge_size) together, each patch as channels, frames, rows, columns (a still image is
                 t equal frames) (qwen2_vl, qwen3_vl), or
                 pixel_values [B,P,3*p*p], pixel_attention_mask [B,P], spatial_shapes [B,2] as in dual_naflex (lfm2_vl)
"""
import argparse, copy, json, math, pathlib, re
import torch, transformers as tf
from safetensors.torch import load_file, save_file

ap = argparse.ArgumentParser()
ap.add_argument("out", type=pathlib.Path)
ap.add_argument("--seed", type=int, default=1)
ap.add_argument("--heads", type=int, default=4)
ap.add_argument("--head-dim", type=int, default=8)
ap.add_argument("--vocab", type=int, default=89)
ap.add_argument("--only", nargs="*")
ap.add_argument("--check", action="store_true")
ap.add_argument("--read", action="store_true", help="write nothing, only check what is there")
args = ap.parse_args()
H, K, V = args.heads, args.head_dim, args.vocab
D, F, E = H * K, H * K - 8, H * K // 2  # width, feed-forward width, an expert's width
KV = H // 2  # heads of keys and values
IMAGE, VIDEO, START, END = V - 1, V - 2, V - 3, V - 4  # of vocabularies with pictures

T = dict(vocab_size=V, initializer_range=0.2)
NOID = dict(bos_token_id=1, eos_token_id=2, pad_token_id=0)


def rope(theta=10000.0, kind="default", **kw):
    return dict(rope_theta=theta, rope_type=kind) | kw


def llama_like(**kw):
    return dict(hidden_size=D, intermediate_size=F, num_hidden_layers=2, num_attention_heads=H,
                num_key_value_heads=KV, max_position_embeddings=256) | T | NOID | kw


def bert_like(**kw):
    return dict(hidden_size=D, intermediate_size=F, num_hidden_layers=2, num_attention_heads=H,
                max_position_embeddings=64, num_labels=5) | T | kw


def bart_like(**kw):
    return dict(d_model=D, encoder_layers=1, decoder_layers=2, encoder_attention_heads=H, decoder_attention_heads=H,
                encoder_ffn_dim=F, decoder_ffn_dim=F, max_position_embeddings=32, forced_eos_token_id=None,
                init_std=0.2, vocab_size=V) | NOID | kw


def vit_like(**kw):
    return dict(hidden_size=D, intermediate_size=F, num_hidden_layers=2, num_attention_heads=H, image_size=16,
                patch_size=4, num_labels=7, initializer_range=0.2) | kw


def tower(**kw):  # half as wide as what it gives pictures to
    return dict(hidden_size=E, intermediate_size=F, num_hidden_layers=2, num_attention_heads=H // 2, image_size=16, patch_size=4) | kw


def qwen_tower(**kw):
    return dict(depth=2, num_heads=H // 2, patch_size=4, temporal_patch_size=2, spatial_merge_size=2) | kw


def vlm(text, vision, **kw):
    return dict(text_config=text, vision_config=vision) | kw


SIGLIP_TEXT = dict(hidden_size=D, intermediate_size=F, num_hidden_layers=1, num_attention_heads=H, max_position_embeddings=16,
                   vocab_size=V, projection_size=D, bos_token_id=1, eos_token_id=2, pad_token_id=0)
GRANITE = dict(embedding_multiplier=3.0, attention_multiplier=0.5, residual_multiplier=0.6, logits_scaling=1.7)
FACTORS = dict(short_factor=[1.0 + 0.3 * i for i in range(3 * K // 4)], long_factor=[1.5 + 1.1 * i for i in range(3 * K // 4)])
MROPE = dict(rope_type="default", rope_theta=10000.0)
DELTA = dict(linear_conv_kernel_dim=4, linear_key_head_dim=8, linear_value_head_dim=12, linear_num_key_heads=2, linear_num_value_heads=4)
LFM2 = dict(intermediate_size=58, block_multiple_of=8, block_auto_adjust_ff_dim=True, conv_L_cache=3, layer_types=["conv", "full_attention", "conv"], num_hidden_layers=3)
LFM3 = dict(head_dim=2 * K, sliding_window=8, conv_L_cache=7, num_hidden_layers=3, layer_types=["conv", "sliding_attention", "full_attention"],
            rope_parameters=dict(sliding_attention=rope(10000.0), full_attention=rope(300.0, "proportional", partial_rotary_factor=0.5)))
GEMMA4 = dict(head_dim=K, global_head_dim=2 * K, sliding_window=8, final_logit_softcapping=2.0, num_hidden_layers=4, num_key_value_heads=1, vocab_size_per_layer_input=V,
              rope_parameters=dict(sliding_attention=rope(10000.0), full_attention=rope(300.0, "proportional", partial_rotary_factor=0.5)))

FAMILIES = {
    # family: (kind, model class, config class, config arguments)
    "granite": ("causal", "GraniteForCausalLM", "GraniteConfig", llama_like(**GRANITE)),  # four multipliers
    "granite4": ("causal", "GraniteMoeHybridForCausalLM", "GraniteMoeHybridConfig", llama_like(num_local_experts=0, num_experts_per_tok=0, shared_intermediate_size=F, position_embedding_type="rope", layer_types=["full_attention"] * 2, tie_word_embeddings=True, mamba_n_heads=2 * H, **GRANITE)),  # Granite 4.0 350M and 1B: Granite under other names, gate and up in one matrix
    "granitemoe": ("causal", "GraniteMoeForCausalLM", "GraniteMoeConfig", llama_like(num_local_experts=5, num_experts_per_tok=2, intermediate_size=E, tie_word_embeddings=True, **GRANITE)),  # softmax over the chosen experts' scores
    "mixtral": ("causal", "MixtralForCausalLM", "MixtralConfig", llama_like(num_local_experts=4, num_experts_per_tok=2, intermediate_size=E)),
    "qwen3_moe": ("causal", "Qwen3MoeForCausalLM", "Qwen3MoeConfig", llama_like(head_dim=K + 4, num_experts=5, num_experts_per_tok=2, norm_topk_prob=True, moe_intermediate_size=E, mlp_only_layers=[0], tie_word_embeddings=True)),  # QK norms; a dense layer among sparse ones
    "olmoe": ("causal", "OlmoeForCausalLM", "OlmoeConfig", llama_like(num_experts=5, num_experts_per_tok=3, norm_topk_prob=False, intermediate_size=E, tie_word_embeddings=True)),  # a QK norm over all heads, gates that do not sum to 1
    "gpt_oss": ("causal", "GptOssForCausalLM", "GptOssConfig", llama_like(head_dim=K + 4, num_local_experts=4, num_experts_per_tok=2, intermediate_size=E, sliding_window=8, swiglu_limit=1.5, layer_types=["sliding_attention", "full_attention"], rope_parameters=rope(150000.0, "yarn", factor=4.0, beta_fast=32.0, beta_slow=1.0, truncate=False, original_max_position_embeddings=128))),  # sinks, biases, clamped gate, YaRN untruncated
    "lfm2": ("causal", "Lfm2ForCausalLM", "Lfm2Config", llama_like(**LFM2)),  # gated short convolutions, the feed-forward's width computed
    "lfm2_moe": ("causal", "Lfm2MoeForCausalLM", "Lfm2MoeConfig", llama_like(conv_L_cache=3, layer_types=["full_attention", "conv"], num_dense_layers=1, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=E, use_expert_bias=True, norm_topk_prob=True, routed_scaling_factor=1.5)),  # sigmoid router, a bias that only chooses
    "lfm3": ("causal", "Lfm3ForCausalLM", "Lfm3Config", llama_like(**LFM3)),  # a gate per head, sandwich norms, three kinds of layers
    "qwen3_5": ("causal", "Qwen3_5ForCausalLM", "Qwen3_5TextConfig", llama_like(head_dim=2 * K, layer_types=["linear_attention", "full_attention"], rope_parameters=rope(partial_rotary_factor=0.25, mrope_section=[1, 1, 0], mrope_interleaved=True), tie_word_embeddings=True, **DELTA)),  # gated delta rule, gated attention
    "qwen3_next": ("causal", "Qwen3NextForCausalLM", "Qwen3NextConfig", llama_like(head_dim=2 * K, layer_types=["linear_attention", "full_attention"], rope_parameters=rope(partial_rotary_factor=0.25), num_experts=4, num_experts_per_tok=2, norm_topk_prob=True, moe_intermediate_size=E, shared_expert_intermediate_size=E, tie_word_embeddings=True, **DELTA)),  # the same, sparse, with a gated shared expert and fused matrices
    "gemma4": ("causal", "Gemma4ForCausalLM", "Gemma4TextConfig", llama_like(intermediate_size=E + 8, hidden_size_per_layer_input=8, num_kv_shared_layers=2, use_double_wide_mlp=True, layer_types=["sliding_attention", "full_attention"] * 2, **GEMMA4)),  # E2B's kind: per-layer embeddings, shared KV, head sizes and widths per layer
    "gemma4_moe": ("causal", "Gemma4ForCausalLM", "Gemma4TextConfig", llama_like(hidden_size_per_layer_input=0, attention_k_eq_v=True, num_global_key_value_heads=1, enable_moe_block=True, num_experts=4, top_k_experts=2, moe_intermediate_size=E, layer_types=["sliding_attention", "full_attention"], **(GEMMA4 | dict(num_hidden_layers=2, num_key_value_heads=KV)))),  # 26B-A4B's: values are keys, experts beside the dense branch
    "phi3_longrope": ("causal", "Phi3ForCausalLM", "Phi3Config", llama_like(num_attention_heads=H // 2, num_key_value_heads=1, sliding_window=None, original_max_position_embeddings=16, rope_parameters=rope(kind="longrope", partial_rotary_factor=0.75, original_max_position_embeddings=16, **FACTORS))),
    "phi3_longrope_short": ("causal", "Phi3ForCausalLM", "Phi3Config", llama_like(num_attention_heads=H // 2, num_key_value_heads=1, sliding_window=None, original_max_position_embeddings=64, tie_word_embeddings=True, rope_parameters=rope(kind="longrope", partial_rotary_factor=0.75, original_max_position_embeddings=64, **FACTORS))),
    "olmo3": ("causal", "Olmo3ForCausalLM", "Olmo3Config", llama_like(sliding_window=8, layer_types=["sliding_attention", "full_attention"], tie_word_embeddings=True, rope_parameters=dict(sliding_attention=rope(500000.0), full_attention=rope(500000.0, "yarn", factor=4.0, original_max_position_embeddings=16, attention_factor=1.2, beta_fast=32.0, beta_slow=1.0)))),  # OLMo 2 with windows; YaRN where there is none
    "cohere2": ("causal", "Cohere2ForCausalLM", "Cohere2Config", llama_like(logit_scale=0.25, sliding_window=8, layer_types=["sliding_attention", "full_attention"])),  # no positions where there is no window
    "glm4": ("causal", "Glm4ForCausalLM", "Glm4Config", llama_like(head_dim=K + 4, attention_bias=True, rope_parameters=rope(partial_rotary_factor=0.5))),  # sandwich norms, interleaved partial rotary, fused gate and up
    "ministral3": ("causal", "Ministral3ForCausalLM", "Ministral3Config", llama_like(head_dim=K + 4, rope_parameters=rope(1000000.0, "yarn", factor=4.0, original_max_position_embeddings=8, beta_fast=32.0, beta_slow=1.0, mscale=1.0, mscale_all_dim=1.0, llama_4_scaling_beta=0.5))),  # queries that grow with position
    "albert": ("encoder", "AlbertForSequenceClassification", "AlbertConfig", bert_like(embedding_size=D // 2, num_hidden_layers=3, num_hidden_groups=1, inner_group_num=1, hidden_act="gelu_new")),  # one layer's weights for all
    "mpnet": ("encoder", "MPNetForSequenceClassification", "MPNetConfig", bert_like(relative_attention_num_buckets=32, pad_token_id=1)),  # BERT with T5's distances
    "electra": ("encoder", "ElectraForSequenceClassification", "ElectraConfig", bert_like(embedding_size=D // 2)),
    "deberta_v2": ("encoder", "DebertaV2ForSequenceClassification", "DebertaV2Config", bert_like(relative_attention=True, position_buckets=8, max_relative_positions=-1, norm_rel_ebd="layer_norm", share_att_key=True, pos_att_type=["p2c", "c2p"], position_biased_input=False, type_vocab_size=0, pooler_hidden_size=D)),  # disentangled attention, v3's choices
    "nomic_bert": ("encoder", "NomicBertModel", "NomicBertConfig", bert_like(num_labels=2)),  # BERT with RoPE and SwiGLU, no biases
    "gemma3_embedding": ("encoder", "Gemma3TextModel", "Gemma3TextConfig", llama_like(head_dim=K + 4, sliding_window=8, query_pre_attn_scalar=24, layer_types=["sliding_attention", "full_attention"], use_bidirectional_attention=True)),  # EmbeddingGemma's body
    "qwen3_embedding": ("encoder", "Qwen3Model", "Qwen3Config", llama_like(head_dim=2 * K)),  # a decoder, pooled at the last token
    "bert_tokens": ("tokens", "BertForTokenClassification", "BertConfig", bert_like()),
    "roberta_tokens": ("tokens", "RobertaForTokenClassification", "RobertaConfig", bert_like(pad_token_id=1)),
    "privacy_filter": ("tokens", "OpenAIPrivacyFilterForTokenClassification", "OpenAIPrivacyFilterConfig", llama_like(num_labels=5, head_dim=K + 4, num_local_experts=4, num_experts_per_tok=2, intermediate_size=E, sliding_window=4, swiglu_limit=1.5, rope_parameters=rope(150000.0, "yarn", factor=4.0, beta_fast=32.0, beta_slow=1.0, truncate=False, original_max_position_embeddings=128))),  # gpt-oss that looks both ways
    "m2m_100": ("seq2seq", "M2M100ForConditionalGeneration", "M2M100Config", bart_like(decoder_start_token_id=2, scale_embedding=True, activation_function="relu", pad_token_id=1, bos_token_id=0)),  # NLLB: pre-norm, sinusoids
    "mbart": ("seq2seq", "MBartForConditionalGeneration", "MBartConfig", bart_like(decoder_start_token_id=2, scale_embedding=True, pad_token_id=1, bos_token_id=0)),  # BART with norms before, and one after each stack
    "pegasus": ("seq2seq", "PegasusForConditionalGeneration", "PegasusConfig", bart_like(decoder_start_token_id=0, scale_embedding=True, activation_function="relu", eos_token_id=1, bos_token_id=None)),  # the same with sinusoids, no norm of the input
    "whisper": ("speech", "WhisperForConditionalGeneration", "WhisperConfig", {k: v for k, v in bart_like(num_mel_bins=12, max_source_positions=14, max_target_positions=32, decoder_start_token_id=1, suppress_tokens=None, begin_suppress_tokens=None).items() if k not in ("max_position_embeddings", "forced_eos_token_id")}),
    "moonshine": ("speech", "MoonshineForConditionalGeneration", "MoonshineConfig", dict(hidden_size=2 * K, intermediate_size=3 * K, encoder_num_hidden_layers=2, decoder_num_hidden_layers=2, encoder_num_attention_heads=2, decoder_num_attention_heads=2, max_position_embeddings=64, decoder_start_token_id=1, rope_parameters=rope(partial_rotary_factor=0.5), attention_bias=False) | T | NOID),  # from samples: convolutions, RoPE, a gated decoder
    "vit_gpt2": ("image2seq", "VisionEncoderDecoderModel", "VisionEncoderDecoderConfig", dict(encoder=("ViTConfig", vit_like(num_hidden_layers=1)), decoder=("GPT2Config", dict(n_embd=D, n_layer=2, n_head=H, n_inner=F, n_positions=32, is_decoder=True, add_cross_attention=True) | T | NOID), decoder_start_token_id=1, pad_token_id=0, eos_token_id=2)),
    "trocr": ("image2seq", "VisionEncoderDecoderModel", "VisionEncoderDecoderConfig", dict(encoder=("ViTConfig", vit_like(qkv_bias=False)), decoder=("TrOCRConfig", dict(d_model=E, decoder_layers=2, decoder_attention_heads=H // 2, decoder_ffn_dim=F, max_position_embeddings=32, cross_attention_hidden_size=D, init_std=0.2, vocab_size=V, is_decoder=True, add_cross_attention=True) | NOID), decoder_start_token_id=2, pad_token_id=0, eos_token_id=2)),  # base: learned positions; a decoder of another width
    "trocr_small": ("image2seq", "VisionEncoderDecoderModel", "VisionEncoderDecoderConfig", dict(encoder=("DeiTConfig", vit_like(num_hidden_layers=1)), decoder=("TrOCRConfig", dict(d_model=E, decoder_layers=2, decoder_attention_heads=H // 2, decoder_ffn_dim=F, max_position_embeddings=32, cross_attention_hidden_size=D, activation_function="relu", scale_embedding=True, use_learned_position_embeddings=False, layernorm_embedding=True, init_std=0.2, vocab_size=V, is_decoder=True, add_cross_attention=True, pad_token_id=1, bos_token_id=0, eos_token_id=2)), decoder_start_token_id=2, pad_token_id=1, eos_token_id=2)),  # DeiT, sinusoids, scaled embedding
    "dinov3_vit": ("vision", "DINOv3ViTModel", "DINOv3ViTConfig", vit_like(num_register_tokens=3)),  # RoPE over rows and columns, registers, LayerScale
    "dinov3_vit_gated": ("vision", "DINOv3ViTModel", "DINOv3ViTConfig", vit_like(num_hidden_layers=1, num_register_tokens=3, use_gated_mlp=True, hidden_act="silu", query_bias=False, value_bias=False)),  # S+ and H+
    "beit": ("vision", "BeitForImageClassification", "BeitConfig", vit_like(use_relative_position_bias=True, use_mean_pooling=True, layer_scale_init_value=0.1, drop_path_rate=0.0)),  # a learned bias for each offset in rows and columns
    "ijepa": ("vision", "IJepaForImageClassification", "IJepaConfig", vit_like()),  # no class token
    "vit_msn": ("vision", "ViTMSNForImageClassification", "ViTMSNConfig", vit_like()),
    "clip_vision_classifier": ("vision", "CLIPForImageClassification", "CLIPConfig", dict(projection_dim=24, num_labels=7, vision_config=vit_like(), text_config=dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=V))),
    "siglip_vision_classifier": ("vision", "SiglipForImageClassification", "SiglipConfig", dict(num_labels=7, vision_config=vit_like(vision_use_head=False), text_config=SIGLIP_TEXT)),
    "yolos": ("detection", "YolosForObjectDetection", "YolosConfig", vit_like(image_size=[16, 24], num_detection_tokens=5, use_mid_position_embeddings=True)),
    "siglip2": ("dual_naflex", "Siglip2Model", "Siglip2Config", dict(text_config=SIGLIP_TEXT, vision_config=dict(hidden_size=D, intermediate_size=F, num_hidden_layers=2, num_attention_heads=H, patch_size=4, num_patches=16))),
    "smolvlm": ("vlm", "SmolVLMForConditionalGeneration", "SmolVLMConfig", vlm(llama_like(model_type="llama"), tower(), scale_factor=2, image_token_id=IMAGE, pad_token_id=0)),
    "llava": ("vlm", "LlavaForConditionalGeneration", "LlavaConfig", vlm(llama_like(model_type="llama"), tower(model_type="clip_vision_model", num_hidden_layers=3, projection_dim=D), image_token_index=IMAGE, image_seq_length=16, vision_feature_layer=-2, vision_feature_select_strategy="default")),
    "gemma3": ("vlm", "Gemma3ForConditionalGeneration", "Gemma3Config", vlm(llama_like(head_dim=K + 4, sliding_window=8, query_pre_attn_scalar=24, num_hidden_layers=2, layer_types=["sliding_attention", "full_attention"]), tower(model_type="siglip_vision_model", vision_use_head=False), mm_tokens_per_image=4, image_token_index=IMAGE, boi_token_index=START, eoi_token_index=END)),
    "paligemma": ("vlm", "PaliGemmaForConditionalGeneration", "PaliGemmaConfig", vlm(llama_like(model_type="gemma", head_dim=K + 4, num_key_value_heads=1), tower(model_type="siglip_vision_model", vision_use_head=False, projection_dim=D), image_token_index=IMAGE, projection_dim=D, hidden_size=D, vocab_size=V)),
    "qwen2_vl": ("vlm", "Qwen2VLForConditionalGeneration", "Qwen2VLConfig", vlm(llama_like(rope_parameters=dict(MROPE, mrope_section=[K // 4 - 1 or 1, 1, K // 2 - 1 - (K // 4 - 1 or 1)])), qwen_tower(embed_dim=E, hidden_size=D, mlp_ratio=2), image_token_id=IMAGE, video_token_id=VIDEO, vision_start_token_id=START, vision_end_token_id=END, tie_word_embeddings=True)),
    "qwen3_vl": ("vlm", "Qwen3VLForConditionalGeneration", "Qwen3VLConfig", vlm(llama_like(head_dim=2 * K, rope_parameters=dict(MROPE, mrope_section=[K - 2 * (K // 3), K // 3, K // 3], mrope_interleaved=True)), qwen_tower(hidden_size=E, intermediate_size=F, out_hidden_size=D, num_position_embeddings=16, deepstack_visual_indexes=[0, 1]), image_token_id=IMAGE, video_token_id=VIDEO, vision_start_token_id=START, vision_end_token_id=END, tie_word_embeddings=True)),
    "lfm2_vl": ("vlm", "Lfm2VlForConditionalGeneration", "Lfm2VlConfig", vlm(llama_like(model_type="lfm2", **LFM2 | dict(num_hidden_layers=2, layer_types=["conv", "full_attention"])), dict(model_type="siglip2_vision_model", hidden_size=E, intermediate_size=F, num_hidden_layers=2, num_attention_heads=H // 2, patch_size=4, num_patches=16, vision_use_head=False), image_token_id=IMAGE, projector_hidden_size=D + 8, downsample_factor=2, projector_use_layernorm=True)),
}

EMBED = (  # the embedding's size, where it is multiplied
    dict.fromkeys(("granite", "granite4", "granitemoe"), 0.4 / GRANITE["embedding_multiplier"])
    | dict.fromkeys(("gemma3", "gemma3_embedding", "gemma4", "gemma4_moe", "paligemma"), 0.4 / D**0.5)
    | dict.fromkeys(("m2m_100", "mbart", "pegasus", "trocr_small"), 1.2 / D**0.5))
EXTRA = dict(NomicBertModel=dict(add_pooling_layer=False))  # arguments of classes
RENAMED = {  # what transformers 5.24 does not turn back into the names of published checkpoints
    family: (r"^((model\.)?vision_tower)\.", r"\1.vision_model.") for family in ("llava", "gemma3", "paligemma", "lfm2_vl")
} | dict(vit_msn=(r"^encoder\.", "vit.encoder."))
INPUTS = ("input_ids", "attention_mask", "token_type_ids", "decoder_input_ids", "input_features", "input_values", "pixel_values",
          "pixel_attention_mask", "spatial_shapes", "image_grid_thw")


def build(cls, cfg, kw):
    kw = {k: getattr(tf, v[0])(**v[1]).to_dict() if isinstance(v, tuple) else v for k, v in copy.deepcopy(kw).items()}
    config = getattr(tf, cfg)(**kw)
    config._attn_implementation = "eager"
    config._experts_implementation = "eager"
    return getattr(tf, cls)(config, **EXTRA.get(cls, {})).eval().float()


def randomise(model, gen, embed):
    with torch.no_grad():
        for name, p in list(model.named_parameters()) + [b for b in model.named_buffers() if b[0] in model.state_dict()]:
            if not p.is_floating_point():
                continue
            noise = torch.randn(p.shape, generator=gen)
            word = lambda *words: any(w in name for w in words)
            if "Pegasus" in type(model).__name__ and word("embed_positions"):
                continue  # sinusoids
            elif word("logit_scale", "logit_bias"):
                p.fill_(1.5 if word("logit_scale") else -2.0)
            elif word("layer_scalar"):  # 1 in the code, other numbers in checkpoints
                p.copy_(0.8 + 0.1 * noise)
            elif word("A_log"):  # a state that remembers for some tokens
                p.copy_(-1.5 + 0.5 * noise)
            elif word("dt_bias", "sinks", "final_logits_bias", "expert_bias"):
                p.copy_((1.0 if word("sinks") else 0.3) * noise)
            elif word("relative_position_bias", "relative_attention_bias"):
                p.copy_(noise)
            elif word("token", "position_emb", "pos_embed", "patch_pos") and p.dim() != 2 and not word("norm", "proj"):
                p.copy_(0.4 * noise)
            elif word("decoder.layer_norm.weight"):  # of both signs, else a tied head repeats what it reads
                p.copy_(1.5 * noise)
            elif word("q_norm.weight", "k_norm.weight", "q_layernorm", "k_layernorm"):
                p.copy_((p.max() if "gemma4" in model.config.model_type else p.max() + 0.6) + 0.2 * noise)
            elif p.dim() == 1 and name.endswith(("weight", "scale", "lambda1", "lambda_1", "lambda_2")):
                p.copy_((1 + 0.2 * noise if word("norm", "Norm", "ln", "scale", "router") else 0.6 + 0.1 * noise) if p.abs().max() > 0.05 else 0.2 * noise)
            elif p.dim() == 1 or name.endswith("bias"):
                p.copy_(0.1 * noise)
            elif p.dim() == 2 and word("embed", "wte", "wpe", "shared.weight"):
                p.copy_(noise * embed)
            elif p.dim() > 2 and not word("experts", "linear.weight"):  # convolutions
                p.copy_(noise * 1.2 / p[0].numel() ** 0.5)
            else:  # sharper queries and keys: attention that tells tokens apart
                sharp = word("q_proj", "k_proj", ".q.", ".k.", "query", "key", "attn", "qkv", "router", "gate.weight") and not word("v_proj", "o_proj")
                sharp = 2.0 * D**0.5 if word("router.proj") else 2.0 if sharp else 1.2  # Gemma 4 divides by sqrt(D)
                p.copy_(noise * sharp / p.shape[1 if p.dim() == 3 and any(w in type(model).__name__ for w in ("GptOss", "Privacy")) else -1] ** 0.5)


def ids(gen, *shape):
    return torch.randint(3, V - 8, shape, generator=gen)


def padded(gen, rows, length, short, pad):
    x, mask = ids(gen, rows, length), torch.ones(rows, length, dtype=torch.long)
    x[1, short:], mask[1, short:] = pad, 0
    return x, mask


def greedy(step, first, count, banned=()):
    out, rows = list(first), []
    for _ in range(count):
        logits = step(torch.tensor([out]))[0, -1]
        rows.append(logits)
        out.append(int(logits.argmax()))
        if out[-1] in banned:
            raise Again("it generates padding or images")
    return torch.tensor(out[len(first):]), torch.stack(rows)


def patches(cfg, gen, shapes):
    """Images of several shapes as SigLIP 2 takes them."""
    most = cfg.num_patches
    mask = torch.zeros(len(shapes), most, dtype=torch.long)
    for row, (h, w) in enumerate(shapes):
        mask[row, :h * w] = 1
    x = torch.randn(len(shapes), most, 3 * cfg.patch_size**2, generator=gen) * mask[..., None]
    return dict(pixel_values=x, pixel_attention_mask=mask, spatial_shapes=torch.tensor(shapes))


def pictures(cfg, gen):
    """The two rows' images, row 0's alone, and the tokens that stand for them."""
    v = cfg.vision_config
    if cfg.model_type in ("qwen2_vl", "qwen3_vl"):
        grid = torch.tensor([[1, 4, 6], [1, 4, 4]])
        still = torch.randn(40, 3, 1, v.patch_size**2, generator=gen).expand(-1, -1, v.temporal_patch_size, -1).reshape(40, -1)
        c = dict(pixel_values=still, image_grid_thw=grid)
        return c, dict(pixel_values=still[:24], image_grid_thw=grid[:1]), [[START] + [IMAGE] * 6 + [END], [START] + [IMAGE] * 4 + [END]]
    if cfg.model_type == "lfm2_vl":
        c, tokens = patches(v, gen, [[4, 4], [2, 6]]), [[IMAGE] * 4, [IMAGE] * 3]
    elif cfg.model_type == "smolvlm":
        c, tokens = dict(pixel_values=torch.randn(2, 2, 3, v.image_size, v.image_size, generator=gen)), [([START] + [IMAGE] * 4) * 2] * 2
    else:
        c = dict(pixel_values=torch.randn(2, 3, v.image_size, v.image_size, generator=gen))
        tokens = [[IMAGE] * (4 if cfg.model_type == "gemma3" else 16)] * 2
    return c, {k: x[:1] for k, x in c.items()}, tokens


def run(model, kind, c):
    """What the model answers to a case's inputs."""
    cfg, x = model.config, {k: c[k].long() if not c[k].is_floating_point() else c[k] for k in INPUTS if k in c}
    if "image_grid_thw" in x:
        x["mm_token_type_ids"] = (x["input_ids"] == IMAGE).int()
    if type(model).__name__ in ("Gemma3TextModel", "Qwen3Model", "NomicBertModel"):
        hidden = model(**x).last_hidden_state
        last = x["attention_mask"].sum(1) - 1
        return dict(hidden=hidden) | (dict(pooled=hidden[range(len(last)), last]) if "Qwen3" in type(model).__name__ else {})
    if kind in ("encoder", "tokens"):
        out, body = model(**x), getattr(model, model.base_model_prefix)(**x)
        pooler = getattr(body, "pooler_output", None)
        return dict(hidden=body.last_hidden_state, logits=out.logits) | ({} if pooler is None else dict(pooled=pooler))
    if kind in ("vision", "detection"):
        model.set_attn_implementation("eager")
        out = model(**x, output_attentions=True)
        tower = model if "DINOv3" in type(model).__name__ else getattr(model, "vision_model", None) or getattr(model, model.base_model_prefix)
        body = tower(**x)
        y = dict(hidden=body.last_hidden_state)
        y |= dict(logits=out.logits) if hasattr(out, "logits") else dict(pooled=out.pooler_output)
        if kind == "detection":
            return y | dict(pred_boxes=out.pred_boxes)
        return y | (dict(attention=torch.stack(out.attentions)) if out.attentions else {})
    out = model(**x)
    if kind == "dual_naflex":
        return {k: getattr(out, k) for k in ("image_embeds", "text_embeds", "logits_per_image")}
    return dict(logits=out.logits)


def case(kind, model, gen):
    cfg, c = model.config, {}
    pad = getattr(cfg.get_text_config(decoder=True), "pad_token_id", 0) or 0
    lengths = (24, 18) if kind == "causal" else (20, 13)
    if kind in ("causal", "encoder", "tokens", "seq2seq"):
        c["input_ids"], c["attention_mask"] = padded(gen, 2, *lengths, pad)
    if kind in ("seq2seq", "speech", "image2seq"):
        c["decoder_input_ids"] = ids(gen, 2, 9)
    if kind in ("vision", "detection", "image2seq"):
        v = getattr(cfg, "vision_config", None) or getattr(cfg, "encoder", None) or cfg
        h, w = v.image_size if isinstance(v.image_size, (list, tuple)) else (v.image_size, v.image_size + 4 * (cfg.model_type == "dinov3_vit"))
        c["pixel_values"] = torch.randn(2, 3, h, w, generator=gen)
    if cfg.model_type == "whisper":
        c["input_features"] = torch.randn(2, cfg.num_mel_bins, 2 * cfg.max_source_positions, generator=gen)
    elif cfg.model_type == "moonshine":
        c["input_values"] = 0.3 * torch.randn(2, 3000, generator=gen)
    if kind == "dual_naflex":
        c |= patches(cfg.vision_config, gen, [[4, 4], [2, 6]])
        c["input_ids"] = ids(gen, 2, 16)
        c["input_ids"][1, 11:] = cfg.text_config.pad_token_id
    one = {}
    if kind == "vlm":
        images, one, tokens = pictures(cfg, gen)
        c |= images
        length = 12 + max(map(len, tokens))
        c["input_ids"], c["attention_mask"] = padded(gen, 2, length, length - 4, pad)
        c["prompt"] = ids(gen, 8 + len(tokens[0]))
        for row, at, t in ((c["input_ids"][0], 5, tokens[0]), (c["input_ids"][1], 1, tokens[1]), (c["prompt"], 2, tokens[0])):
            row[at:at + len(t)] = torch.tensor(t)
        if cfg.model_type == "gemma3":
            c["token_type_ids"] = (c["input_ids"] == IMAGE).long()
        elif cfg.model_type == "paligemma":
            c["token_type_ids"] = torch.ones_like(c["input_ids"])
            c["token_type_ids"][0, :-3], c["token_type_ids"][1, :-9] = 0, 0
    c |= run(model, kind, c)

    def decode(x, prompt):  # a step of the whole sequence so far
        x = dict(one, input_ids=x)
        if cfg.model_type == "gemma3":
            x["token_type_ids"] = (x["input_ids"] == IMAGE).long()
        elif cfg.model_type == "paligemma":
            x["token_type_ids"] = (torch.arange(x["input_ids"].shape[1]) >= prompt)[None].long()
        return run(model, kind, x)["logits"]

    if kind == "causal":
        c["prompt"] = ids(gen, 20 if cfg.model_type == "phi3" else 12)
    if kind in ("causal", "vlm"):
        first = c["prompt"].tolist()
        c["generated"], c["next_logits"] = greedy(lambda y: decode(y, len(first)), first, 16, (pad, IMAGE, VIDEO) if kind == "vlm" else (pad,))
    elif kind == "seq2seq":
        c["prompt"] = ids(gen, 14)
        c["generated"], c["next_logits"] = greedy(lambda y: model(input_ids=c["prompt"][None], decoder_input_ids=y).logits, [cfg.decoder_start_token_id], 12, (pad,))
    elif kind in ("speech", "image2seq"):
        given = {k: c[k][:1] for k in INPUTS if k in c and k != "decoder_input_ids"}
        c["generated"], c["next_logits"] = greedy(lambda y: model(**given, decoder_input_ids=y).logits, [cfg.decoder_start_token_id], 12, (pad,))
    return {k: (x.float() if x.is_floating_point() else x.int()).contiguous() for k, x in c.items()}


class Again(Exception):
    """A case that another draw must replace."""


class Watch:
    """How narrowly routers choose, and how evenly attention looks, while it watches."""

    def __enter__(self):
        self.gap, self.even, self.taken = math.inf, [], {}
        self.topk, self.softmax = torch.topk, torch.nn.functional.softmax

        def topk(x, k, dim=-1, *rest, **kw):
            out = self.topk(x, k, dim, *rest, **kw)
            if x.is_floating_point() and k < x.shape[dim]:
                best = self.topk(x, k + 1, dim).values
                last, left = best.select(dim, k - 1), best.select(dim, k)
                self.gap = min(self.gap, ((last - left) / (last if x.min() >= 0 else 1)).min().item())
            return out

        def softmax(x, *rest, **kw):
            y = self.softmax(x, *rest, **kw)
            if x.dim() == 4:
                seen = (y > 0).sum(-1)
                entropy = -(y * (y + 1e-30).log()).sum(-1) / seen.clamp(min=2).log()
                self.even.append(entropy[seen > 2].mean().item())
            return y

        torch.topk, torch.Tensor.topk, torch.nn.functional.softmax = topk, topk, softmax
        return self

    def __exit__(self, *_):
        torch.topk, torch.Tensor.topk, torch.nn.functional.softmax = self.topk, TENSOR_TOPK, self.softmax


TENSOR_TOPK = torch.Tensor.topk


def decided(c, watch):
    if watch.gap < 4e-3:
        return f"a router is undecided ({watch.gap:.1g})"
    if "logits" in c and c["logits"].dim() == 3 and c["logits"].argmax(-1).unique().numel() < 3:
        return "it says the same everywhere"
    if "generated" in c:
        best = c["next_logits"].topk(2).values
        made = c["generated"].tolist()
        if (best[:, 0] - best[:, 1]).min() < 0.02:
            return "a greedy step is undecided"
        if len(set(made)) < 6:
            return "it repeats itself"


def apart(a, b, c):
    """The largest difference of two answers where they count."""
    worst = 0.0
    for k, x in a.items():
        d = (x.double() - b[k].double()).abs()
        if k in ("hidden", "logits") and d.dim() == 3 and "attention_mask" in c and "input_ids" in c and "decoder_input_ids" not in c:
            d = d[c["attention_mask"].bool()]
        worst = max(worst, math.inf if d.isnan().any() else d.max().item())
    return worst


def check(family, kind, cls, folder):
    """Reads a folder again; tells what is wrong with it."""
    said = []

    def load(dtype):
        model = getattr(tf, cls).from_pretrained(folder, dtype=dtype, attn_implementation="eager", experts_implementation="eager", **EXTRA.get(cls, {})).eval()
        for part in model.modules():  # transformers 5.24 leaves TrOCR's sinusoids unmade
            if getattr(getattr(part, "weights", None), "is_meta", False):
                part.weights = part.get_embedding(*part.weights.shape, part.padding_idx).to(dtype)
        return model

    model, c = load(torch.float32), load_file(folder / "case.safetensors")
    answers = lambda m=model, x=c: run(m, kind, x)
    with torch.no_grad():
        with Watch() as watch:
            got = answers()
        off = apart(got, c, c)
        if off > 1e-4:
            said.append(f"reloaded: off by {off:.2g}")
        one = {k: c[k][:int(c["image_grid_thw"][0].prod())] if k == "pixel_values" and "image_grid_thw" in c else c[k][:1] for k in INPUTS if k in c}
        exact = apart(answers(load(torch.float64), {k: x.double() if x.is_floating_point() else x for k, x in one.items()}), answers(model, one), {})
        size = max(x.abs().max().item() for x in got.values())
        if exact > 1e-4:
            said.append(f"float64: off by {exact:.2g}")
        # rows for themselves, without padding
        alone = 0.0
        if kind in ("causal", "encoder", "tokens", "vlm"):
            n = int(c["attention_mask"][1].sum())
            x = {k: c[k][1:] for k in INPUTS if k in c}
            for k in ("input_ids", "attention_mask", "token_type_ids"):
                if k in x:
                    x[k] = x[k][:, :n]
            if "image_grid_thw" in x:
                x["pixel_values"] = c["pixel_values"][int(c["image_grid_thw"][0].prod()):]
            y = run(model, kind, x)
            alone = max((y[k][0] - (got[k][1, :n] if got[k].dim() == 3 else got[k][1])).abs().max().item() for k in y)
        elif kind == "seq2seq":
            n = int(c["attention_mask"][1].sum())
            y = model(input_ids=c["input_ids"][1:, :n].long(), decoder_input_ids=c["decoder_input_ids"][1:].long()).logits
            alone = (y[0] - got["logits"][1]).abs().max().item()
        elif kind != "dual_naflex":
            alone = apart(run(model, kind, {k: x[1:] for k, x in c.items() if k in INPUTS}), {k: x[:, 1:] if k == "attention" else x[1:] for k, x in got.items()}, {})
        if alone > 1e-4:
            said.append(f"row 1 alone: off by {alone:.2g}")
        # transformers' own decoding, with its caches
        if "generated" in c:
            n = len(c["generated"])
            x = dict(max_new_tokens=n, min_new_tokens=n, do_sample=False, num_beams=1, pad_token_id=0, use_cache=True, eos_token_id=None, forced_eos_token_id=None, suppress_tokens=None, begin_suppress_tokens=None)
            model.generation_config.eos_token_id = model.generation_config.forced_eos_token_id = None
            try:
                if kind == "causal":
                    made = model.generate(c["prompt"][None].long(), **x)[0, -n:]
                elif kind == "seq2seq":
                    made = model.generate(c["prompt"][None].long(), decoder_start_token_id=model.config.decoder_start_token_id, **x)[0, -n:]
                elif kind == "vlm":
                    one = {k: (c[k][:int(c["image_grid_thw"][0].prod())] if k == "pixel_values" and "image_grid_thw" in c else c[k][:1]) for k in INPUTS if k in c and k not in ("input_ids", "attention_mask", "token_type_ids")}
                    prompt = c["prompt"][None].long()
                    one |= dict(token_type_ids=(prompt == IMAGE).long() * (family == "gemma3")) if "token_type_ids" in c else {}
                    one |= dict(mm_token_type_ids=(prompt == IMAGE).int()) if "image_grid_thw" in c else {}
                    made = model.generate(input_ids=prompt, attention_mask=torch.ones_like(prompt), **{k: v.long() if not v.is_floating_point() else v for k, v in one.items()}, **x)[0, -n:]
                else:
                    given = {k: c[k][:1] for k in INPUTS if k in c and k != "decoder_input_ids"}
                    made = tf.GenerationMixin.generate(model, **given, decoder_start_token_id=model.config.decoder_start_token_id, **x)[0, -n:]
                if made.tolist() != c["generated"].tolist():
                    said.append(f"generate() with a cache says {made.tolist()}, not {c['generated'].tolist()}")
            except Exception as error:
                said.append(f"generate(): {type(error).__name__} {str(error)[:120]}")
        # every tensor, and every expert of it, matters
        dead, weak = [], (math.inf, "")
        noise = torch.Generator().manual_seed(5)
        saved = model.state_dict()
        done = set()
        for name, p in saved.items():
            if not p.is_floating_point() or p.data_ptr() in done:
                continue
            done.add(p.data_ptr())
            for part in range(len(p)) if "experts" in name and p.dim() > 1 else [None]:
                q = p if part is None else p[part]
                before = q.clone()
                q.add_(torch.randn(q.shape, generator=noise) * max(q.square().mean().sqrt().item(), 0.05))
                moved = apart(answers(), got, c)
                q.copy_(before)
                label = name if part is None else f"{name}[{part}]"
                if moved < 3e-3:
                    dead.append(f"{label} ({moved:.1g})")
                    if moved < 1e-4 and re.search(r"(k_proj|key|\.k)\.bias$", label):
                        dead.pop()  # softmax does not see it
                else:
                    weak = min(weak, (moved, label))
        if dead:
            said.append("dead or weak: " + ", ".join(dead))
        again = apart(answers(), c, c)
        assert again <= max(off, 1e-4), again
    even = watch.even or [0.0]
    if max(even) > 0.95 or min(even) < 0.02 and watch.even:
        said.append(f"attention's entropy is {min(even):.2f} to {max(even):.2f} of what is possible")
    for k in ("logits", "generated"):
        if k in c and c[k].dim() != 2:
            kinds = c[k].argmax(-1).unique().numel() if k == "logits" else c[k].unique().numel()
            if kinds < 5 and kind != "detection" and kind != "tokens" or kinds < 3:
                said.append(f"{k}: only {kinds} kinds")
    disk = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{family:24} {disk / 1000:6.0f} kB  reload {off:.0e}  f64 {exact:.0e} of {size:.1f}  alone {alone:.0e}  entropy {min(even):.2f}-{max(even):.2f}"
          f"  gap {watch.gap:.3f}  weakest {weak[0]:.2g} {weak[1]}" + "".join(f"\n    ! {s}" for s in said), flush=True)


def main():
    torch.manual_seed(args.seed)
    tf.utils.logging.disable_progress_bar()
    index = {}
    for family, (kind, cls, cfg, kw) in FAMILIES.items():
        if args.only and family not in args.only:
            continue
        if args.read:
            try:
                check(family, kind, cls, args.out / family)
            except Exception as error:
                print(f"{family}: {type(error).__name__}: {error}", flush=True)
            continue
        for attempt in range(200):
            gen = torch.Generator().manual_seed(args.seed * 1000 + sum(map(ord, family)) + 100000 * attempt)
            model = build(cls, cfg, kw)
            randomise(model, gen, EMBED.get(family, 0.4))
            with torch.no_grad(), Watch() as watch:
                try:
                    c = case(kind, model, gen)
                    why = decided(c, watch)
                except Again as again:
                    why = again
            if not why:
                break
        else:
            raise SystemExit(f"{family}: {why}")
        folder = args.out / family
        folder.mkdir(parents=True, exist_ok=True)
        model.save_pretrained(folder, safe_serialization=True)
        (folder / "generation_config.json").unlink(missing_ok=True)
        if family in RENAMED:
            file = folder / "model.safetensors"
            save_file({re.sub(*RENAMED[family], k): x for k, x in load_file(file).items()}, file, metadata=dict(format="pt"))
        save_file(c, folder / "case.safetensors")
        index[family] = dict(kind=kind, architecture=cls, tensors={k: list(v.shape) for k, v in c.items()})
        print(family, kind, sum(p.numel() for p in model.parameters()), f"attempt {attempt}", flush=True)
        if args.check:
            check(family, kind, cls, folder)
    if args.read:
        return
    at = args.out / "index.json"
    index = (json.loads(at.read_text())["families"] if args.only and at.exists() else {}) | index
    at.write_text(json.dumps(dict(torch=torch.__version__, transformers=tf.__version__, families=index), indent=1))


main()
