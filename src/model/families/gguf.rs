//! GGUF files of llama.cpp's: their metadata are brought to the words of `config.json`, from which the families' own
//! files make the [`Spec`]. What llama.cpp's converter changes, and what its files do not say, is here.

use super::Names;
use super::config::Config;
use super::gguf_checks;
use super::gguf_dense::dense_tensors;
use super::gguf_experts::Mixture;
use super::gguf_keys::Keys;
use super::gguf_names::{BODY, COMMON, FALCON, FUSED, GPT_OSS, LFM2, T5_DECODER, T5_ENCODER, T5_ENCODER_ALONE};
use super::registry::Family;
use crate::checkpoint::Header;
use crate::device::{Activation, RopePairs};
use crate::error::{Error, Result};
use crate::model::check::check_layers;
use crate::model::model_config::ModelConfig;
use crate::model::rope::RopeScaling;
use crate::model::spec::{Block, Head, Mixer, Norm, Spec, StackInput};
use crate::text::GgufVocabulary;
use serde_json::{Map, Value, json};

/// llama.cpp's names of architectures, and `config.json`'s. It has no OPT, GPT-J, BART, Marian, CLIP and SigLIP.
const ARCHITECTURES: [(&str, &str); 32] = [
    ("llama", "llama"),
    ("mistral", "mistral"),
    ("qwen2", "qwen2"),
    ("qwen3", "qwen3"),
    ("qwen3moe", "qwen3_moe"),
    ("gpt-oss", "gpt_oss"),
    ("lfm2", "lfm2"),
    ("gpt2", "gpt2"),
    ("bloom", "bloom"),
    ("mpt", "mpt"),
    ("gptneox", "gpt_neox"),
    ("falcon", "falcon"),
    ("command-r", "cohere"),
    ("cohere2", "cohere2"),
    ("gemma", "gemma"),
    ("gemma2", "gemma2"),
    ("gemma3", "gemma3_text"),
    ("gemma-embedding", "gemma3_text"),
    ("phi2", "phi"),
    ("phi3", "phi3"),
    ("glm4", "glm4"),
    ("stablelm", "stablelm"),
    ("olmo2", "olmo2"),
    ("olmoe", "olmoe"),
    ("granite", "granite"),
    // Where it has recurrences it is refused.
    ("granitehybrid", "granite"),
    ("smollm3", "smollm3"),
    ("starcoder2", "starcoder2"),
    // RoBERTa and DistilBERT are written as BERT.
    ("bert", "bert"),
    ("modern-bert", "modernbert"),
    ("t5", "t5"),
    ("t5encoder", "t5"),
];

/// Architectures whose queries and keys llama.cpp's converter reorders, so that neighbours turn together.
pub const REORDERED: [&str; 5] = ["llama", "mistral", "smollm3", "granite", "granitehybrid"];

/// `config.json`'s word for an architecture, and where a decoder's tensors are; none of what is not known.
pub fn names_of(architecture: &str) -> Option<(&'static str, Names)> {
    let (_, model_type) = ARCHITECTURES.iter().find(|(name, _)| *name == architecture)?;
    Some((model_type, *own_names(architecture).map_or(&COMMON, |[names]| names)))
}

/// Of those whose tensors have names of their own.
fn own_names(architecture: &str) -> Option<&'static [Names; 1]> {
    match architecture {
        "phi3" | "glm4" | "modern-bert" => Some(&[FUSED]),
        "gpt-oss" => Some(&[GPT_OSS]),
        "lfm2" => Some(&[LFM2]),
        _ => None,
    }
}

/// GGUF has no word for it.
const WHOSE_SCORES: &str = "the file does not say what becomes of its classes' logits: sigmoid is taken for one class, and \
    softmax for several";

/// A file's metadata and tensors.
struct GgufFile<'a> {
    keys: Keys<'a>,
    header: &'a Header,
}

/// Reads the header of a file, or those of several. Errors: corrupt-file, unsupported-model.
pub fn plan(header: &Header) -> Result<ModelConfig> {
    let file = GgufFile { keys: Keys::new(&header.metadata)?, header };
    let architecture = file.keys.architecture;
    let Some((_, model_type)) = ARCHITECTURES.iter().find(|(name, _)| *name == architecture) else {
        let supported = ARCHITECTURES.map(|(name, _)| name).join(", ");
        return Err(Error::unsupported(format!("architecture {architecture:?} (supported: {supported})")));
    };
    file.refuse()?;
    let model_type = match architecture {
        "llama" | "mistral" if file.keys.some("expert_count").is_some() => "mixtral",
        "olmo2" if file.keys.some("attention.sliding_window").is_some() => "olmo3",
        _ => model_type,
    };
    let config = file.config(model_type)?;
    let mut stacks = Family::of(model_type).ok_or_else(|| Error::unsupported(model_type))?.stacks(&config)?;
    if architecture == "t5encoder" {
        stacks.remove(0);
        stacks[0].spec.tokens().for_each(|tokens| tokens.shared = false);
    }
    for (stack, names) in stacks.iter_mut().zip(file.names()) {
        stack.names = *names;
        file.adjust(&mut stack.spec)?;
    }
    let mut plan = ModelConfig::new(stacks).check()?;
    plan.reordered = REORDERED.contains(&architecture);
    plan.dense = dense_tensors(&file.keys, header, plan.spec().width)?;
    if plan.spec().looks_across() {
        plan.generation = config.seq2seq_generation(plan.spec().vocabulary())?;
    }
    plan.generation.suggest(&header.metadata);
    if let Head::Classes(_) = plan.spec().head {
        plan.labels = config.labels()?;
        plan.warnings.push(WHOSE_SCORES.to_owned());
    }
    plan.warnings.extend(GgufVocabulary::warnings(&header.metadata));
    Ok(plan)
}

/// The largest `pooling_type` of a vector: that of the last token. 1 is the mean, 2 the first token; 4 ranks texts.
const LAST: usize = 3;

impl GgufFile<'_> {
    fn is_decoder(&self) -> bool {
        !matches!(self.keys.architecture, "bert" | "modern-bert" | "t5encoder" | "gemma-embedding")
    }

    /// Whether a decoder is there for its hidden states: embedding models' files say what becomes of them.
    fn makes_vectors(&self) -> bool {
        let pooled = self.keys.some("pooling_type").is_some();
        self.keys.architecture == "gemma-embedding" || self.is_decoder() && self.keys.architecture != "t5" && pooled
    }

    fn has(&self, tensor: &str) -> bool {
        self.header.tensors.iter().any(|other| other.name == tensor)
    }

    /// Of each stack's tensors.
    fn names(&self) -> &'static [Names] {
        match self.keys.architecture {
            architecture if let Some(names) = own_names(architecture) => names,
            _ if self.makes_vectors() => &[BODY],
            "falcon" if self.has("blk.0.attn_norm_2.weight") => &[FALCON],
            "t5" => &[T5_DECODER, T5_ENCODER],
            "t5encoder" => &[T5_ENCODER_ALONE],
            _ => &[COMMON],
        }
    }

    fn refuse(&self) -> Result<()> {
        let Keys { architecture, metadata } = self.keys;
        // The words of `config.json` have no others.
        let odd = |(key, _): &(&str, _)| metadata.f32(key).is_some_and(|number| !number.is_finite());
        if let Some((key, value)) = metadata.iter().find(odd) {
            return Err(Error::corrupt(format!("{key:?} is {value}, expected a finite number")));
        }
        gguf_checks::check(&self.keys)?;
        let causal = self.is_decoder();
        if let Some(pooling) = self.keys.number("pooling_type").filter(|pooling| causal && *pooling > LAST) {
            return Err(Error::unsupported(format!("{architecture} with \"pooling_type\": {pooling}")));
        }
        match self.keys.flag("attention.causal").unwrap_or(causal) == causal {
            true => Ok(()),
            false => Err(Error::unsupported(format!("{architecture} with \"attention.causal\": {}", !causal))),
        }
    }

    /// What the families read, by all the names that they have for it.
    fn config(&self, model_type: &str) -> Result<Config> {
        let keys = &self.keys;
        let (layers, width) = (check_layers(keys.required("block_count")?)?, keys.required("embedding_length")?);
        let [heads, kv_heads, head_dim] = keys.attention(width)?;
        let mixture = Mixture::of(keys)?;
        // An expert's width may be another one.
        let inner = match (keys.number("feed_forward_length"), &mixture) {
            (None, None) => return Err(keys.missing("feed_forward_length")),
            (inner, _) => inner,
        };
        let context = keys.required("context_length")?;
        let mut fields = Map::new();
        let mut set = |names: &str, value: Value| {
            for name in names.split('|').filter(|_| !value.is_null()) {
                fields.insert(name.to_owned(), value.clone());
            }
        };
        set("model_type", model_type.into());
        set("vocab_size", self.vocabulary()?.into());
        set("num_hidden_layers", layers.into());
        set("num_decoder_layers", keys.number("decoder_block_count").into());
        set("hidden_size|d_model", width.into());
        set("num_attention_heads", heads.into());
        set("num_key_value_heads|num_kv_heads", kv_heads.into());
        set("head_dim|d_kv", head_dim.into());
        set("intermediate_size|d_ff", inner.into());
        if let Some(mixture) = &mixture {
            mixture.words(keys, inner, &mut set);
        }
        set("max_position_embeddings|n_positions", context.into());
        // Some files have the one for the other.
        let epsilons = ["attention.layer_norm_epsilon", "attention.layer_norm_rms_epsilon"].map(|key| keys.float(key));
        let epsilon = epsilons[0].or(epsilons[1]).unwrap_or(1e-5);
        set("rms_norm_eps|norm_eps", epsilons[1].unwrap_or(epsilon).into());
        set("layer_norm_eps|layer_norm_epsilon|norm_epsilon", epsilon.into());
        set("rope_theta|global_rope_theta", keys.float("rope.freq_base").unwrap_or(10_000.0).into());
        let local = keys.float("rope.freq_base_swa").unwrap_or(10_000.0);
        set("rope_local_base_freq|local_rope_theta", local.into());
        let long_rope = self.long_rope()?.is_some();
        set("rope_scaling", if long_rope { Value::Null } else { keys.rope_scaling()?.into() });
        let window = keys.some("attention.sliding_window");
        set("sliding_window|local_attention", window.into());
        set("layer_types", self.layer_types(layers, window));
        for name in ["attn_logit_softcapping", "final_logit_softcapping", "decoder_start_token_id"] {
            set(name, keys.float(name).map_or_else(|| keys.number(name).into(), Value::from));
        }
        // Where nothing is said the logits are as they come.
        let cohere = matches!(model_type, "cohere" | "cohere2");
        set("logit_scale", keys.float("logit_scale").or(cohere.then_some(1.0)).into());
        self.choices(&mut set, head_dim, width / heads.max(1));
        self.newer_choices(&mut set, head_dim);
        Ok(Config::new(fields))
    }

    /// Those of the newer families.
    fn newer_choices(&self, set: &mut impl FnMut(&str, Value), head_dim: usize) {
        let keys = &self.keys;
        let factor = |key: &str, otherwise: f64| keys.float(key).filter(|factor| *factor != 0.0).unwrap_or(otherwise);
        match keys.architecture {
            "granite" | "granitehybrid" => {
                set("embedding_multiplier", factor("embedding_scale", 1.0).into());
                set("residual_multiplier", factor("residual_scale", 1.0).into());
                set("attention_multiplier", factor("attention.scale", (head_dim as f64).sqrt().recip()).into());
                // It divides.
                set("logits_scaling", factor("logit_scale", 1.0).into());
            }
            // OLMo 3's: scalings are of the layers that see everything.
            "olmo2" => {
                let theta = keys.float("rope.freq_base_swa").or(keys.float("rope.freq_base")).unwrap_or(10_000.0);
                set("rope_parameters", json!({ "sliding_attention": { "rope_theta": theta } }));
            }
            "lfm2" => {
                set("block_auto_adjust_ff_dim", false.into());
                set("conv_L_cache", keys.number("shortconv.l_cache").into());
                let word = |attends: bool| if attends { "full_attention" } else { "conv" };
                let words = keys.layers_with_heads().map(|layers| layers.into_iter().map(word).collect::<Vec<_>>());
                set("layer_types", words.into());
            }
            "gemma-embedding" => {
                set("architectures", json!(["Gemma3TextModel"]));
                set("use_bidirectional_attention", true.into());
            }
            _ => {}
        }
    }

    /// What only some families have. `share`: a head's part of the width.
    fn choices(&self, set: &mut impl FnMut(&str, Value), head_dim: usize, share: usize) {
        let Keys { architecture, .. } = self.keys;
        let keys = &self.keys;
        // llama.cpp knows by their layers the two models whose scale is another.
        let largest = matches!((architecture, keys.number("block_count")), ("gemma2", Some(46)) | ("gemma3", Some(62)));
        set("query_pre_attn_scalar", if largest { share } else { head_dim }.into());
        set("hidden_activation", keys.metadata.str(&keys.key("hidden_activation")).into());
        let parallel = match architecture {
            "stablelm" => !self.has("blk.0.ffn_norm.weight"),
            _ => keys.flag("use_parallel_residual").unwrap_or(true),
        };
        set("use_parallel_residual", parallel.into());
        // Falcon's: the heads of keys are counted, and each branch may have a norm.
        set("new_decoder_architecture", true.into());
        set("num_ln_in_parallel_attn", if self.has("blk.0.attn_norm_2.weight") { 2 } else { 1 }.into());
        if architecture == "mpt" {
            let most = keys.float("attention.max_alibi_bias").unwrap_or(0.0);
            let clip = keys.float("attention.clamp_kqv").filter(|clip| *clip > 0.0);
            set("attn_config", json!({ "alibi": most > 0.0, "alibi_bias_max": most as u32, "clip_qkv": clip }));
        }
        set("type_vocab_size", self.rows("token_types.weight").unwrap_or(0).into());
        set("relative_attention_num_buckets", keys.number("attention.relative_buckets_count").into());
        let gated = ["enc", "dec"].iter().any(|stack| self.has(&format!("{stack}.blk.0.ffn_gate.weight")));
        set("feed_forward_proj", if gated { "gated-gelu" } else { "relu" }.into());
        // Only the first T5's logits are scaled; its head is the embedding table, which some files repeat.
        set("scale_decoder_outputs", (!gated || !self.has("output.weight")).into());
        if let (true, Some(classes)) = (self.has("cls.weight"), self.rows("cls.output.weight")) {
            set("architectures", json!(["ForSequenceClassification"]));
            set("num_labels", classes.into());
            let labels = keys.metadata.strings(&keys.key("classifier.output_labels"));
            let named =
                labels.map(|labels| labels.iter().enumerate().map(|(class, label)| (class.to_string(), json!(label))));
            set("id2label", named.map(Map::from_iter).into());
            let pooling = if keys.number("classifier.pooling_type") == Some(2) { "cls" } else { "mean" };
            set("classifier_pooling", pooling.into());
        }
    }

    /// LongRoPE, of which the tensors of its factors tell: Phi-3's converter writes no type of scaling.
    fn long_rope(&self) -> Result<Option<RopeScaling>> {
        let tensors = ["rope_factors_short", "rope_factors_long", "rope_freqs"];
        let [short, long, others] = tensors.map(|tensor| self.has(&format!("{tensor}.weight")));
        if !(short || long || self.keys.scaling_type() == Some("longrope")) {
            return Ok(None);
        }
        if self.keys.architecture != "phi3" {
            return Err(Error::unsupported("RoPE scaling \"longrope\""));
        }
        if others {
            let message = "a third tensor of RoPE's factors beside LongRoPE's";
            return Err(Error::unsupported(message).in_tensor("rope_freqs.weight"));
        }
        self.keys.long_rope().map(Some)
    }

    /// Which layers see only a window, where the file says so or has no window.
    fn layer_types(&self, layers: usize, window: Option<usize>) -> Value {
        let local = match (self.keys.architecture, window) {
            ("gemma3" | "modern-bert", None) => Some(vec![false; layers]),
            (architecture, _) => self.keys.local_layers(layers, architecture == "modern-bert"),
        };
        let word = |local: bool| if local { "sliding_attention" } else { "full_attention" };
        local.map(|local| local.into_iter().map(word).collect::<Vec<_>>()).into()
    }

    fn rows(&self, tensor: &str) -> Option<usize> {
        let tensor = self.header.tensors.iter().find(|other| other.name == tensor)?;
        tensor.shape.first().copied()
    }

    /// The embedding table's rows: the metadata need not say.
    fn vocabulary(&self) -> Result<usize> {
        let table = self.header.tensors.iter().find(|tensor| tensor.name == "token_embd.weight");
        match table.map(|table| table.shape.as_slice()) {
            Some(&[rows, _]) => Ok(rows),
            Some(shape) => {
                Err(Error::corrupt(format!("shape {shape:?}, expected two dimensions")).in_tensor("token_embd.weight"))
            }
            // In a checkpoint of several files it may be in another one.
            None => match self.keys.metadata.strings("tokenizer.ggml.tokens") {
                Some(tokens) => Ok(tokens.len()),
                None => Err(Error::corrupt("missing").in_tensor("token_embd.weight")),
            },
        }
    }

    /// What the converter changed, and what the tensors tell.
    fn adjust(&self, spec: &mut Spec) -> Result<()> {
        let Keys { architecture, .. } = self.keys;
        let [_, kv_heads, head_dim] = self.keys.attention(spec.width)?;
        let long_rope = self.long_rope()?;
        let biased = |name: &str| self.has(&format!("blk.0.{name}.bias"));
        for Block { mixer, cross, feed_forward, .. } in &mut spec.blocks {
            if feed_forward.experts.is_none() {
                feed_forward.bias = biased("ffn_down");
            }
            let Mixer::Attention(attention) = mixer else { continue };
            for attention in std::iter::once(&mut *attention).chain(cross) {
                attention.kv_heads = kv_heads;
                attention.qkv_bias = biased("attn_q") || biased("attn_qkv");
                attention.output_bias = biased("attn_output");
                if let Some(scale) = self.keys.float("attention.scale").filter(|scale| *scale > 0.0) {
                    attention.scale = scale as f32;
                }
            }
            if let Some(rope) = &mut attention.rope {
                rope.dims = self.keys.number("rope.dimension_count").unwrap_or(head_dim);
                if let Some(scaling) = &long_rope {
                    rope.scaling = scaling.clone();
                }
                if REORDERED.contains(&architecture) {
                    rope.pairs = RopePairs::Interleaved;
                }
            }
            if matches!(architecture, "llama" | "mistral" | "qwen2" | "qwen3" | "qwen3moe" | "lfm2") {
                attention.window = self.keys.some("attention.sliding_window");
            }
            // There it is a switch.
            let turns = self.keys.flag("rope.scaling.finetuned") != Some(false);
            attention.rope.take_if(|_| matches!(architecture, "granite" | "granitehybrid") && !turns);
        }
        match &mut spec.norm {
            // It is in the weights.
            Norm::Rms { plus_one, .. } => *plus_one = false,
            Norm::Layer { bias, .. } => *bias = self.has("output_norm.bias") || biased("attn_output_norm"),
        }
        self.adjust_head(spec);
        Ok(())
    }

    fn adjust_head(&self, spec: &mut Spec) {
        if self.makes_vectors() {
            spec.head = Head::None { pooler: false };
        }
        match &mut spec.head {
            Head::Vocabulary(head) => head.tied = !self.has("output.weight"),
            Head::Classes(head) => {
                if let Some(dense) = &mut head.dense {
                    (dense.bias, dense.pooler) = (self.has("cls.bias"), false);
                    let untyped = matches!(&spec.input, StackInput::Tokens(tokens) if tokens.types == 0);
                    if self.keys.architecture == "bert" && untyped {
                        // DistilBERT.
                        dense.activation = Activation::Relu;
                    }
                }
            }
            // The converter leaves BERT's out.
            Head::None { pooler } => *pooler = false,
            Head::Embedding(_) => {}
        }
    }
}
