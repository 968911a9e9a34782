//! GGUF files of llama.cpp's: their metadata are brought to the words of `config.json`, from which the families' own
//! files make the [`Spec`]. What llama.cpp's converter changes, and what its files do not say, is here.

use super::Names;
use super::config::Config;
use super::gguf_checks;
use super::gguf_keys::Keys;
use super::gguf_names::{COMMON, FALCON, FUSED, T5_DECODER, T5_ENCODER, T5_ENCODER_ALONE};
use super::registry::FAMILIES;
use crate::checkpoint::Header;
use crate::device::{Activation, RopePairs};
use crate::error::{Error, Result};
use crate::model::check::check_layers;
use crate::model::plan::Plan;
use crate::model::spec::{Block, Head, Input, Mixer, Norm, Spec};
use crate::text::GgufVocabulary;
use serde_json::{Map, Value, json};

/// llama.cpp's names of architectures, and `config.json`'s. It has no OPT, GPT-J, BART, Marian, CLIP and SigLIP.
const ARCHITECTURES: [(&str, &str); 23] = [
    ("llama", "llama"),
    ("mistral", "mistral"),
    ("qwen2", "qwen2"),
    ("qwen3", "qwen3"),
    ("gpt2", "gpt2"),
    ("bloom", "bloom"),
    ("mpt", "mpt"),
    ("gptneox", "gpt_neox"),
    ("falcon", "falcon"),
    ("command-r", "cohere"),
    ("gemma", "gemma"),
    ("gemma2", "gemma2"),
    ("gemma3", "gemma3_text"),
    ("phi2", "phi"),
    ("phi3", "phi3"),
    ("stablelm", "stablelm"),
    ("olmo2", "olmo2"),
    ("smollm3", "smollm3"),
    ("starcoder2", "starcoder2"),
    // RoBERTa and DistilBERT are written as BERT.
    ("bert", "bert"),
    ("modern-bert", "modernbert"),
    ("t5", "t5"),
    ("t5encoder", "t5"),
];

/// GGUF has no word for it.
const WHOSE_SCORES: &str = "the file does not say what becomes of its classes' logits: sigmoid is taken for one class, and \
    softmax for several";

/// A file's metadata and tensors.
struct File<'a> {
    keys: Keys<'a>,
    header: &'a Header,
}

/// Reads the header of a file, or those of several. Errors: corrupt-file, unsupported-model.
pub fn plan(header: &Header) -> Result<Plan> {
    let file = File { keys: Keys::new(&header.metadata)?, header };
    let architecture = file.keys.architecture;
    let Some((_, model_type)) = ARCHITECTURES.iter().find(|(name, _)| *name == architecture) else {
        let supported = ARCHITECTURES.map(|(name, _)| name).join(", ");
        return Err(Error::unsupported(format!("architecture {architecture:?} (supported: {supported})")));
    };
    file.refuse()?;
    let config = file.config(model_type)?;
    let family = FAMILIES.iter().find(|family| family.model_type == *model_type);
    let mut stacks = family.ok_or_else(|| Error::unsupported(*model_type))?.stacks(&config)?;
    if architecture == "t5encoder" {
        stacks.remove(0);
        if let Input::Tokens(tokens) = &mut stacks[0].spec.input {
            tokens.shared = false;
        }
    }
    for (stack, names) in stacks.iter_mut().zip(file.names()) {
        stack.names = *names;
        file.adjust(&mut stack.spec)?;
    }
    let mut plan = Plan::new(stacks).check()?;
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

impl File<'_> {
    fn has(&self, tensor: &str) -> bool {
        self.header.tensors.iter().any(|other| other.name == tensor)
    }

    /// Of each stack's tensors.
    fn names(&self) -> &'static [Names] {
        match self.keys.architecture {
            "phi3" | "modern-bert" => &[FUSED],
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
        if self.keys.some("expert_count").is_some() {
            return Err(Error::unsupported(format!("{architecture} with mixture of experts")));
        }
        if self.has("rope_factors_long.weight") {
            return Err(Error::unsupported("RoPE scaling \"longrope\""));
        }
        if architecture == "olmo2" && self.keys.some("attention.sliding_window").is_some() {
            return Err(Error::unsupported("OLMo 3: olmo2 with sliding windows"));
        }
        let causal = !matches!(architecture, "bert" | "modern-bert" | "t5encoder");
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
        let (inner, context) = (keys.required("feed_forward_length")?, keys.required("context_length")?);
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
        set("max_position_embeddings|n_positions", context.into());
        // Some files have the one for the other.
        let epsilons = ["attention.layer_norm_epsilon", "attention.layer_norm_rms_epsilon"].map(|key| keys.float(key));
        let epsilon = epsilons[0].or(epsilons[1]).unwrap_or(1e-5);
        set("rms_norm_eps", epsilons[1].unwrap_or(epsilon).into());
        set("layer_norm_eps|layer_norm_epsilon|norm_epsilon", epsilon.into());
        set("rope_theta|global_rope_theta", keys.float("rope.freq_base").unwrap_or(10_000.0).into());
        let local = keys.float("rope.freq_base_swa").unwrap_or(10_000.0);
        set("rope_local_base_freq|local_rope_theta", local.into());
        set("rope_scaling", keys.rope_scaling()?.into());
        let window = keys.some("attention.sliding_window");
        set("sliding_window|local_attention", window.into());
        set("layer_types", self.layer_types(layers, window));
        for name in ["attn_logit_softcapping", "final_logit_softcapping", "decoder_start_token_id"] {
            set(name, keys.float(name).map_or_else(|| keys.number(name).into(), Value::from));
        }
        // Where nothing is said the logits are as they come.
        set("logit_scale", keys.float("logit_scale").or((model_type == "cohere").then_some(1.0)).into());
        self.choices(&mut set, head_dim, width / heads.max(1));
        Ok(Config::new(fields))
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
        let biased = |name: &str| self.has(&format!("blk.0.{name}.bias"));
        for Block { mixer, cross, feed_forward, .. } in &mut spec.blocks {
            feed_forward.bias = biased("ffn_down");
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
                // Its queries and keys are reordered so that neighbours turn together.
                if matches!(architecture, "llama" | "mistral" | "smollm3") {
                    rope.pairs = RopePairs::Interleaved;
                }
            }
            if matches!(architecture, "llama" | "mistral" | "qwen2" | "qwen3") {
                attention.window = self.keys.some("attention.sliding_window");
            }
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
        match &mut spec.head {
            Head::Vocabulary(head) => head.tied = !self.has("output.weight"),
            Head::Classes(head) => {
                if let Some(dense) = &mut head.dense {
                    (dense.bias, dense.pooler) = (self.has("cls.bias"), false);
                    let untyped = matches!(&spec.input, Input::Tokens(tokens) if tokens.types == 0);
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
