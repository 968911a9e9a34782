//! `config.json`, in today's spelling (`rope_parameters`) and in the one that most published
//! checkpoints have (`rope_theta`, `rope_scaling`). Fields that a family does not use are ignored.

use super::super::rope::{Rope, RopeScaling, yarn_magnitude};
use crate::device::{Activation, RopePairs};
use crate::error::{Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
pub struct Config {
    pub model_type: String,
    #[serde(default)]
    pub hidden_size: usize,
    #[serde(default)]
    pub intermediate_size: usize,
    #[serde(default)]
    pub num_hidden_layers: usize,
    #[serde(default)]
    pub num_attention_heads: usize,
    pub num_key_value_heads: Option<usize>,
    pub head_dim: Option<usize>,
    #[serde(default)]
    pub vocab_size: usize,
    #[serde(default = "default_context")]
    pub max_position_embeddings: usize,
    #[serde(default = "default_epsilon")]
    pub rms_norm_eps: f32,
    pub hidden_act: Option<String>,
    #[serde(default)]
    pub architectures: Vec<String>,
    pub layer_norm_eps: Option<f32>,
    pub qkv_bias: Option<bool>,
    image_size: Option<Side>,
    patch_size: Option<Side>,
    pub num_channels: Option<usize>,
    pub mlp_ratio: Option<f64>,
    #[serde(default)]
    pub use_swiglu_ffn: bool,
    pub num_register_tokens: Option<usize>,
    id2label: Option<BTreeMap<String, String>>,
    num_labels: Option<usize>,
    #[serde(default)]
    pub tie_word_embeddings: bool,
    #[serde(default)]
    pub attention_bias: bool,
    #[serde(default)]
    pub mlp_bias: bool,
    pub sliding_window: Option<usize>,
    #[serde(default)]
    pub use_sliding_window: bool,
    pub max_window_layers: Option<usize>,
    pub layer_types: Option<Vec<String>>,
    eos_token_id: Option<OneOrMore>,
    rope_parameters: Option<RopeConfig>,
    rope_scaling: Option<RopeConfig>,
    rope_theta: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(u32),
    More(Vec<u32>),
}

/// More would be a mistake, or an attempt to fill the memory.
const MOST_CLASSES: usize = 1 << 20;

fn default_context() -> usize {
    2048
}

fn default_epsilon() -> f32 {
    1e-6
}

/// The side of a square, or height and width.
#[derive(Deserialize)]
#[serde(untagged)]
enum Side {
    Square(usize),
    Rectangle([usize; 2]),
}

#[derive(Deserialize)]
struct RopeConfig {
    /// Older checkpoints say `type`.
    #[serde(alias = "type")]
    rope_type: Option<String>,
    rope_theta: Option<f64>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<f64>,
    attention_factor: Option<f64>,
    mscale: Option<f64>,
    mscale_all_dim: Option<f64>,
    beta_fast: Option<f64>,
    beta_slow: Option<f64>,
    truncate: Option<bool>,
}

impl Config {
    /// The feed-forward activation; the family's own where the configuration does not say.
    pub fn activation(&self, default: Activation) -> Result<Activation> {
        match self.hidden_act.as_deref() {
            None => Ok(default),
            Some("silu" | "swish") => Ok(Activation::Silu),
            Some("gelu") => Ok(Activation::Gelu),
            Some("gelu_new" | "gelu_pytorch_tanh" | "gelu_fast") => Ok(Activation::GeluTanh),
            Some("quick_gelu") => Ok(Activation::GeluQuick),
            Some("relu") => Ok(Activation::Relu),
            Some(other) => Err(Error::unsupported(format!(
                "activation {other:?} (supported: silu, gelu, gelu_new, gelu_pytorch_tanh, quick_gelu, relu)"
            ))),
        }
    }

    /// Height and width of images, and of patches.
    pub fn image_and_patch(&self, default_patch: usize) -> [[usize; 2]; 2] {
        let pair = |side: &Option<Side>, default| match side {
            None => [default; 2],
            Some(Side::Square(side)) => [*side; 2],
            Some(Side::Rectangle(sides)) => *sides,
        };
        [pair(&self.image_size, 224), pair(&self.patch_size, default_patch)]
    }

    /// The names of classes, by their numbers. Without any there are as many as it says, or transformers' two.
    pub fn labels(&self) -> Result<Vec<String>> {
        let Some(labels) = &self.id2label else {
            let classes = self.num_labels.unwrap_or(2).min(MOST_CLASSES);
            return Ok((0..classes).map(|class| format!("LABEL_{class}")).collect());
        };
        let label = |class: usize| {
            let label = labels.get(&class.to_string()).cloned();
            label.ok_or_else(|| {
                Error::corrupt(format!("\"id2label\" has {} entries, but none for {class}", labels.len()))
            })
        };
        (0..labels.len()).map(label).collect()
    }

    /// Whether the checkpoint is one of a class whose name has this in it; the first that it names counts.
    pub fn is_class(&self, name: &str) -> bool {
        self.architectures.first().is_some_and(|class| class.contains(name))
    }

    pub fn end_tokens(&self) -> Vec<u32> {
        match &self.eos_token_id {
            None => Vec::new(),
            Some(OneOrMore::One(id)) => vec![*id],
            Some(OneOrMore::More(ids)) => ids.clone(),
        }
    }

    pub fn rope(&self, head_dim: usize) -> Result<Rope> {
        let config = self.rope_parameters.as_ref().or(self.rope_scaling.as_ref());
        let theta = config.and_then(|config| config.rope_theta).or(self.rope_theta).unwrap_or(10_000.0);
        let context = self.max_position_embeddings as f64;
        let scaling = config.map_or(Ok(RopeScaling::None), |config| config.scaling(context))?;
        Ok(Rope { pairs: RopePairs::HalfSplit, dims: head_dim, theta, scaling })
    }

    /// The window of each layer, where only those that `layer_types` names have one.
    pub fn windows_by_layer(&self, window: Option<usize>) -> Result<Vec<Option<usize>>> {
        let first_windowed = self.max_window_layers.unwrap_or(usize::MAX);
        let Some(types) = &self.layer_types else {
            return Ok((0..self.num_hidden_layers).map(|layer| window.filter(|_| layer >= first_windowed)).collect());
        };
        if types.len() != self.num_hidden_layers {
            let message = format!("{} layer types for {} layers", types.len(), self.num_hidden_layers);
            return Err(Error::corrupt(message));
        }
        types
            .iter()
            .map(|ty| match ty.as_str() {
                "full_attention" => Ok(None),
                "sliding_attention" => Ok(window),
                other => Err(Error::unsupported(format!("layer type {other:?}"))),
            })
            .collect()
    }
}

impl RopeConfig {
    fn scaling(&self, context: f64) -> Result<RopeScaling> {
        let factor = || required(self.factor, "factor");
        let original_context = self.original_max_position_embeddings.unwrap_or(context);
        match self.rope_type.as_deref().unwrap_or("default") {
            "default" => Ok(RopeScaling::None),
            "linear" => Ok(RopeScaling::Linear { factor: factor()? }),
            "llama3" => Ok(RopeScaling::Llama3 {
                factor: factor()?,
                low_frequency_factor: required(self.low_freq_factor, "low_freq_factor")?,
                high_frequency_factor: required(self.high_freq_factor, "high_freq_factor")?,
                original_context,
            }),
            "yarn" => {
                let factor = self.factor.unwrap_or(context / original_context);
                let magnitude = match (self.attention_factor, self.mscale, self.mscale_all_dim) {
                    (Some(magnitude), ..) => magnitude,
                    (None, Some(mscale), Some(all)) if mscale != 0.0 && all != 0.0 => {
                        yarn_magnitude(factor, mscale) / yarn_magnitude(factor, all)
                    }
                    _ => yarn_magnitude(factor, 1.0),
                };
                Ok(RopeScaling::Yarn {
                    factor,
                    original_context,
                    beta_fast: self.beta_fast.unwrap_or(32.0),
                    beta_slow: self.beta_slow.unwrap_or(1.0),
                    magnitude,
                    truncate: self.truncate.unwrap_or(true),
                })
            }
            other => Err(Error::unsupported(format!("RoPE scaling {other:?} (supported: linear, llama3, yarn)"))),
        }
    }
}

fn required(value: Option<f64>, name: &str) -> Result<f64> {
    value.ok_or_else(|| Error::corrupt(format!("RoPE scaling without {name:?}")))
}
