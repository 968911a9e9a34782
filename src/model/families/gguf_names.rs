//! llama.cpp's names for tensors (its `gguf-py/gguf/constants.py`).

use super::{Names, Role};

/// Most architectures'. Queries, keys and values may lie in one tensor.
pub const COMMON: Names = Names {
    parts: &[
        (Role::Embedding, "token_embd"),
        (Role::InputNorm, "token_embd_norm"),
        (Role::PositionTable, "position_embd"),
        (Role::TypeTable, "token_types"),
        (Role::OutputNorm, "output_norm"),
        (Role::Head, "output"),
        (Role::Dense, "cls"),
        (Role::Head, "cls.output"),
        (Role::RopeFactors, "rope_freqs"),
        (Role::RopeShortFactors, "rope_factors_short"),
        (Role::RopeLongFactors, "rope_factors_long"),
        (Role::AttentionNorm, "blk.{}.attn_norm"),
        (Role::AttentionNorm, "blk.{}.attn_output_norm"),
        (Role::Query, "blk.{}.attn_q"),
        (Role::Key, "blk.{}.attn_k"),
        (Role::Value, "blk.{}.attn_v"),
        (Role::Query, "blk.{}.attn_qkv"),
        (Role::Key, "blk.{}.attn_qkv"),
        (Role::Value, "blk.{}.attn_qkv"),
        (Role::Output, "blk.{}.attn_output"),
        (Role::QueryNorm, "blk.{}.attn_q_norm"),
        (Role::KeyNorm, "blk.{}.attn_k_norm"),
        (Role::AttentionPostNorm, "blk.{}.post_attention_norm"),
        (Role::FeedForwardNorm, "blk.{}.ffn_norm"),
        (Role::FeedForwardNorm, "blk.{}.layer_output_norm"),
        (Role::Gate, "blk.{}.ffn_gate"),
        (Role::Up, "blk.{}.ffn_up"),
        (Role::Down, "blk.{}.ffn_down"),
        (Role::FeedForwardPostNorm, "blk.{}.post_ffw_norm"),
        (Role::Router, "blk.{}.ffn_gate_inp"),
        (Role::ExpertGate, "blk.{}.ffn_gate_exps"),
        (Role::ExpertUp, "blk.{}.ffn_up_exps"),
        (Role::ExpertDown, "blk.{}.ffn_down_exps"),
        // The oldest files have a tensor for each expert.
        (Role::ExpertGate, "blk.{}.ffn_gate.{}"),
        (Role::ExpertUp, "blk.{}.ffn_up.{}"),
        (Role::ExpertDown, "blk.{}.ffn_down.{}"),
    ],
    // A classifier whose first product the converter left out is of no use.
    ignored: &["blk.{}.attn_rot_embd", "cls.output", "cls.output.bias"],
    ..Names::PLAIN
};

/// A decoder that makes vectors: the head that some files have is of no use.
pub const BODY: Names = Names { ignored: &["output"], ..COMMON.with(&[(Role::SentenceDense, "dense_{}")]) };

/// gpt-oss: the norm behind attention is the feed-forward network's.
pub const GPT_OSS: Names = Names {
    ignored: &[],
    ..COMMON.with(&[(Role::Sinks, "blk.{}.attn_sinks.weight"), (Role::FeedForwardNorm, "blk.{}.post_attention_norm")])
};

/// LFM2: what is called the embedding's norm is the last one.
pub const LFM2: Names = COMMON.with(&[
    (Role::InputNorm, ""),
    (Role::OutputNorm, "token_embd_norm"),
    (Role::ConvInput, "blk.{}.shortconv.in_proj"),
    (Role::ConvTaps, "blk.{}.shortconv.conv"),
    (Role::ConvOutput, "blk.{}.shortconv.out_proj"),
]);

/// Where one tensor holds gate and up.
pub const FUSED: Names = Names {
    ignored: &[],
    ..COMMON.with(&[(Role::DenseNorm, "cls.norm"), (Role::Gate, "blk.{}.ffn_up"), (Role::Up, "blk.{}.ffn_up")])
};

/// Falcon with a norm for each branch: the first is the feed-forward network's.
pub const FALCON: Names = Names {
    ignored: &[],
    ..COMMON.with(&[(Role::AttentionNorm, "blk.{}.attn_norm_2"), (Role::FeedForwardNorm, "blk.{}.attn_norm")])
};

pub const T5_DECODER: Names = Names {
    parts: &[
        (Role::Embedding, "token_embd"),
        (Role::OutputNorm, "dec.output_norm"),
        (Role::Head, "output"),
        (Role::ScoreBias, "dec.blk.0.attn_rel_b"),
        (Role::AttentionNorm, "dec.blk.{}.attn_norm"),
        (Role::Query, "dec.blk.{}.attn_q"),
        (Role::Key, "dec.blk.{}.attn_k"),
        (Role::Value, "dec.blk.{}.attn_v"),
        (Role::Output, "dec.blk.{}.attn_o"),
        (Role::CrossNorm, "dec.blk.{}.cross_attn_norm"),
        (Role::CrossQuery, "dec.blk.{}.cross_attn_q"),
        (Role::CrossKey, "dec.blk.{}.cross_attn_k"),
        (Role::CrossValue, "dec.blk.{}.cross_attn_v"),
        (Role::CrossOutput, "dec.blk.{}.cross_attn_o"),
        (Role::FeedForwardNorm, "dec.blk.{}.ffn_norm"),
        (Role::Gate, "dec.blk.{}.ffn_gate"),
        (Role::Up, "dec.blk.{}.ffn_up"),
        (Role::Down, "dec.blk.{}.ffn_down"),
    ],
    // Of the first releases; never used.
    ignored: &["dec.blk.0.cross_attn_rel_b"],
    ..Names::PLAIN
};

/// Beside the decoder, whose table of tokens it shares.
pub const T5_ENCODER: Names = Names {
    parts: &[
        (Role::OutputNorm, "enc.output_norm"),
        (Role::ScoreBias, "enc.blk.0.attn_rel_b"),
        (Role::AttentionNorm, "enc.blk.{}.attn_norm"),
        (Role::Query, "enc.blk.{}.attn_q"),
        (Role::Key, "enc.blk.{}.attn_k"),
        (Role::Value, "enc.blk.{}.attn_v"),
        (Role::Output, "enc.blk.{}.attn_o"),
        (Role::FeedForwardNorm, "enc.blk.{}.ffn_norm"),
        (Role::Gate, "enc.blk.{}.ffn_gate"),
        (Role::Up, "enc.blk.{}.ffn_up"),
        (Role::Down, "enc.blk.{}.ffn_down"),
    ],
    ignored: &["output"],
    ..Names::PLAIN
};

/// By itself.
pub const T5_ENCODER_ALONE: Names = T5_ENCODER.with(&[(Role::Embedding, "token_embd")]);
