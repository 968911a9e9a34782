//! llama.cpp's names for tensors (its `gguf-py/gguf/constants.py`).

use super::{Names, Part};

/// Most architectures'. Queries, keys and values may lie in one tensor.
pub const COMMON: Names = Names {
    parts: &[
        (Part::Embedding, "token_embd"),
        (Part::InputNorm, "token_embd_norm"),
        (Part::PositionTable, "position_embd"),
        (Part::TypeTable, "token_types"),
        (Part::OutputNorm, "output_norm"),
        (Part::Head, "output"),
        (Part::Dense, "cls"),
        (Part::Head, "cls.output"),
        (Part::RopeFactors, "rope_freqs"),
        (Part::RopeShortFactors, "rope_factors_short"),
        (Part::RopeLongFactors, "rope_factors_long"),
        (Part::AttentionNorm, "blk.{}.attn_norm"),
        (Part::AttentionNorm, "blk.{}.attn_output_norm"),
        (Part::Query, "blk.{}.attn_q"),
        (Part::Key, "blk.{}.attn_k"),
        (Part::Value, "blk.{}.attn_v"),
        (Part::Query, "blk.{}.attn_qkv"),
        (Part::Key, "blk.{}.attn_qkv"),
        (Part::Value, "blk.{}.attn_qkv"),
        (Part::Output, "blk.{}.attn_output"),
        (Part::QueryNorm, "blk.{}.attn_q_norm"),
        (Part::KeyNorm, "blk.{}.attn_k_norm"),
        (Part::AttentionPostNorm, "blk.{}.post_attention_norm"),
        (Part::FeedForwardNorm, "blk.{}.ffn_norm"),
        (Part::FeedForwardNorm, "blk.{}.layer_output_norm"),
        (Part::Gate, "blk.{}.ffn_gate"),
        (Part::Up, "blk.{}.ffn_up"),
        (Part::Down, "blk.{}.ffn_down"),
        (Part::FeedForwardPostNorm, "blk.{}.post_ffw_norm"),
        (Part::Router, "blk.{}.ffn_gate_inp"),
        (Part::ExpertGate, "blk.{}.ffn_gate_exps"),
        (Part::ExpertUp, "blk.{}.ffn_up_exps"),
        (Part::ExpertDown, "blk.{}.ffn_down_exps"),
        // The oldest files have a tensor for each expert.
        (Part::ExpertGate, "blk.{}.ffn_gate.{}"),
        (Part::ExpertUp, "blk.{}.ffn_up.{}"),
        (Part::ExpertDown, "blk.{}.ffn_down.{}"),
    ],
    // A classifier whose first product the converter left out is of no use.
    ignored: &["blk.{}.attn_rot_embd", "cls.output", "cls.output.bias"],
    ..Names::PLAIN
};

/// A decoder that makes vectors: the head that some files have is of no use.
pub const BODY: Names = Names { ignored: &["output"], ..COMMON.with(&[(Part::SentenceDense, "dense_{}")]) };

/// gpt-oss: the norm behind attention is the feed-forward network's.
pub const GPT_OSS: Names = Names {
    ignored: &[],
    ..COMMON.with(&[(Part::Sinks, "blk.{}.attn_sinks.weight"), (Part::FeedForwardNorm, "blk.{}.post_attention_norm")])
};

/// LFM2: what is called the embedding's norm is the last one.
pub const LFM2: Names = COMMON.with(&[
    (Part::InputNorm, ""),
    (Part::OutputNorm, "token_embd_norm"),
    (Part::ConvInput, "blk.{}.shortconv.in_proj"),
    (Part::ConvTaps, "blk.{}.shortconv.conv"),
    (Part::ConvOutput, "blk.{}.shortconv.out_proj"),
]);

/// Where one tensor holds gate and up.
pub const FUSED: Names = Names {
    ignored: &[],
    ..COMMON.with(&[(Part::DenseNorm, "cls.norm"), (Part::Gate, "blk.{}.ffn_up"), (Part::Up, "blk.{}.ffn_up")])
};

/// Falcon with a norm for each branch: the first is the feed-forward network's.
pub const FALCON: Names = Names {
    ignored: &[],
    ..COMMON.with(&[(Part::AttentionNorm, "blk.{}.attn_norm_2"), (Part::FeedForwardNorm, "blk.{}.attn_norm")])
};

pub const T5_DECODER: Names = Names {
    parts: &[
        (Part::Embedding, "token_embd"),
        (Part::OutputNorm, "dec.output_norm"),
        (Part::Head, "output"),
        (Part::ScoreBias, "dec.blk.0.attn_rel_b"),
        (Part::AttentionNorm, "dec.blk.{}.attn_norm"),
        (Part::Query, "dec.blk.{}.attn_q"),
        (Part::Key, "dec.blk.{}.attn_k"),
        (Part::Value, "dec.blk.{}.attn_v"),
        (Part::Output, "dec.blk.{}.attn_o"),
        (Part::CrossNorm, "dec.blk.{}.cross_attn_norm"),
        (Part::CrossQuery, "dec.blk.{}.cross_attn_q"),
        (Part::CrossKey, "dec.blk.{}.cross_attn_k"),
        (Part::CrossValue, "dec.blk.{}.cross_attn_v"),
        (Part::CrossOutput, "dec.blk.{}.cross_attn_o"),
        (Part::FeedForwardNorm, "dec.blk.{}.ffn_norm"),
        (Part::Gate, "dec.blk.{}.ffn_gate"),
        (Part::Up, "dec.blk.{}.ffn_up"),
        (Part::Down, "dec.blk.{}.ffn_down"),
    ],
    // Of the first releases; never used.
    ignored: &["dec.blk.0.cross_attn_rel_b"],
    ..Names::PLAIN
};

/// Beside the decoder, whose table of tokens it shares.
pub const T5_ENCODER: Names = Names {
    parts: &[
        (Part::OutputNorm, "enc.output_norm"),
        (Part::ScoreBias, "enc.blk.0.attn_rel_b"),
        (Part::AttentionNorm, "enc.blk.{}.attn_norm"),
        (Part::Query, "enc.blk.{}.attn_q"),
        (Part::Key, "enc.blk.{}.attn_k"),
        (Part::Value, "enc.blk.{}.attn_v"),
        (Part::Output, "enc.blk.{}.attn_o"),
        (Part::FeedForwardNorm, "enc.blk.{}.ffn_norm"),
        (Part::Gate, "enc.blk.{}.ffn_gate"),
        (Part::Up, "enc.blk.{}.ffn_up"),
        (Part::Down, "enc.blk.{}.ffn_down"),
    ],
    ignored: &["output"],
    ..Names::PLAIN
};

/// By itself.
pub const T5_ENCODER_ALONE: Names = T5_ENCODER.with(&[(Part::Embedding, "token_embd")]);
