//! RoPE and layers' windows as `config.json` gives them: today (`rope_parameters`, `layer_types`), and as most published
//! checkpoints do (`rope_theta`, `rope_scaling`).

use super::super::rope::{Rope, RopeScaling, yarn_magnitude};
use super::config::Config;
use crate::device::RopePairs;
use crate::error::{Error, Result};

impl Config {
    /// The RoPE of all layers. `theta`, and `partial`, the part of a head that turns: where the configuration does not
    /// say. Without `partial` all of it does, and another part is refused: the family's own code has none.
    pub fn rope(&self, head_dim: usize, theta: f64, partial: Option<f64>) -> Result<Rope> {
        let name = if self.has("rope_scaling") { "rope_scaling" } else { "rope_parameters" };
        let config = self.part(name)?;
        let theta = config.number("rope_theta", self.number("rope_theta|rotary_emb_base", theta)?)?;
        let said = self.optional_number("partial_rotary_factor|rotary_pct")?;
        let said = config.optional_number("partial_rotary_factor")?.or(said);
        let turning = match (said, partial) {
            (said, Some(partial)) => said.unwrap_or(partial),
            (None | Some(1.0), None) => 1.0,
            (Some(said), None) => return Err(Error::unsupported(format!("\"partial_rotary_factor\": {said}"))),
        };
        self.rope_of(&config, (head_dim as f64 * turning) as usize, theta)
    }

    /// Refuses what only RoPE of one kind for all layers may say.
    pub fn refuse_partial(&self) -> Result<()> {
        match self.optional_number("partial_rotary_factor")? {
            None | Some(1.0) => Ok(()),
            Some(said) => Err(Error::unsupported(format!("\"partial_rotary_factor\": {said}"))),
        }
    }

    /// The RoPE of one kind of layers, whose parameters are `config`.
    pub fn rope_of(&self, config: &Config, dims: usize, theta: f64) -> Result<Rope> {
        let scaling = config.scaling(self.count("max_position_embeddings", 2048)? as f64, self)?;
        Ok(Rope { pairs: RopePairs::HalfSplit, dims, theta, scaling })
    }

    /// The RoPE of layers that see everything, and of those with a window: for each the older field that says its base, and
    /// the base where none does. Older configurations' `rope_scaling` is of the first `stretched` kinds.
    pub fn ropes(&self, head_dim: usize, bases: [(&str, f64); 2], stretched: usize) -> Result<[Rope; 2]> {
        let (today, older) = (self.part("rope_parameters")?, self.part("rope_scaling")?);
        let rope = |number: usize, kind| {
            let (kind, (names, default)) = (today.part(kind)?, bases[number]);
            let theta = kind.number("rope_theta", self.number(names, default)?)?;
            let kind = if self.has("rope_scaling") && number < stretched { &older } else { &kind };
            kind.refuse_partial()?;
            self.rope_of(kind, head_dim, kind.number("rope_theta", theta)?)
        };
        Ok([rope(0, "full_attention")?, rope(1, "sliding_attention")?])
    }

    /// Whether each layer sees only its window: what `layer_types` say, or else `otherwise` of its number.
    pub fn local_layers(&self, layers: usize, otherwise: impl Fn(usize) -> bool) -> Result<Vec<bool>> {
        let said = self.layer_types(layers, [("full_attention", false), ("sliding_attention", true)])?;
        Ok(said.unwrap_or_else(|| (0..layers).map(otherwise).collect()))
    }

    /// What `layer_types` say of each layer, by the words that are known; none where the configuration has none.
    pub fn layer_types(&self, layers: usize, known: [(&str, bool); 2]) -> Result<Option<Vec<bool>>> {
        let Some(types) = self.list("layer_types")? else { return Ok(None) };
        if types.len() != layers {
            return Err(Error::corrupt(format!("{} layer types for {layers} layers", types.len())));
        }
        let said = |ty: &serde_json::Value| {
            let word = known.iter().find(|(word, _)| ty.as_str() == Some(word));
            word.map(|(_, said)| *said).ok_or_else(|| Error::unsupported(format!("layer type {ty}")))
        };
        types.iter().map(said).collect::<Result<_>>().map(Some)
    }

    fn scaling(&self, context: f64, whole: &Config) -> Result<RopeScaling> {
        let original = || {
            let original = self.number("original_max_position_embeddings", context)?;
            whole.number("original_max_position_embeddings", original)
        };
        // Older checkpoints say `type`, and some say both.
        match self.text("rope_type|type")?.unwrap_or("default") {
            "default" => Ok(RopeScaling::None),
            "linear" => Ok(RopeScaling::Linear { factor: self.needed("factor")? }),
            "llama3" => Ok(RopeScaling::Llama3 {
                factor: self.needed("factor")?,
                low_frequency_factor: self.needed("low_freq_factor")?,
                high_frequency_factor: self.needed("high_freq_factor")?,
                original_context: original()?,
            }),
            "yarn" => {
                let original_context = original()?;
                let factor = self.number("factor", context / original_context)?;
                let magnitude = match (
                    self.optional_number("attention_factor")?,
                    self.number("mscale", 0.0)?,
                    self.number("mscale_all_dim", 0.0)?,
                ) {
                    (Some(magnitude), ..) => magnitude,
                    (None, mscale, all) if mscale != 0.0 && all != 0.0 => {
                        yarn_magnitude(factor, mscale) / yarn_magnitude(factor, all)
                    }
                    _ => yarn_magnitude(factor, 1.0),
                };
                Ok(RopeScaling::Yarn {
                    factor,
                    original_context,
                    beta_fast: self.number("beta_fast", 32.0)?,
                    beta_slow: self.number("beta_slow", 1.0)?,
                    magnitude,
                    truncate: self.flag("truncate", true)?,
                })
            }
            // By its first name, too.
            "longrope" | "su" => self.long_rope(context, original()?),
            other => {
                let message = format!("RoPE scaling {other:?} (supported: linear, llama3, yarn, longrope)");
                Err(Error::unsupported(message))
            }
        }
    }

    fn long_rope(&self, context: f64, original: f64) -> Result<RopeScaling> {
        let factors = |name: &str| -> Result<Vec<f64>> {
            let list = self.list(name)?.filter(|list| !list.is_empty());
            let list = list.ok_or_else(|| Error::corrupt(format!("RoPE scaling without {name:?}")))?;
            let factor = |factor: &serde_json::Value| factor.as_f64().filter(|factor| *factor > 0.0);
            let factors: Option<Vec<f64>> = list.iter().map(factor).collect();
            factors.ok_or_else(|| Error::corrupt(format!("{name:?} has other entries than positive numbers")))
        };
        let factor = self.number("factor", context / original)?;
        let stretched = if factor > 1.0 { (1.0 + factor.ln() / original.ln()).sqrt() } else { 1.0 };
        Ok(RopeScaling::LongRope {
            short: factors("short_factor")?,
            long: factors("long_factor")?,
            original_context: original as usize,
            magnitude: self.number("attention_factor", stretched)?,
        })
    }

    fn needed(&self, name: &str) -> Result<f64> {
        self.optional_number(name)?.ok_or_else(|| Error::corrupt(format!("RoPE scaling without {name:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// As transformers 5 takes it over: Gemma 3 and OLMo 3 for the layers that see everything, ModernBERT for all.
    #[test]
    fn an_older_scaling_is_of_as_many_kinds_of_layers_as_the_reference_stretches() {
        let scaling = json!({"rope_type": "linear", "factor": 4.0});
        let config = Config::parse(&json!({"rope_scaling": scaling, "wide": 500.0}).to_string()).unwrap();
        for stretched in [1, 2] {
            let ropes = config.ropes(8, [("wide", 1e6), ("narrow", 1e4)], stretched).unwrap();
            assert_eq!(ropes.each_ref().map(|rope| rope.theta), [500.0, 1e4]);
            for (number, rope) in ropes.iter().enumerate() {
                let linear = matches!(rope.scaling, RopeScaling::Linear { factor } if factor == 4.0);
                assert_eq!(linear, number < stretched, "kind {number} of {stretched}: {:?}", rope.scaling);
            }
        }
        let based = json!({"rope_scaling": {"rope_type": "linear", "factor": 4.0, "rope_theta": 7.0}});
        let ropes = Config::parse(&based.to_string()).unwrap().ropes(8, [("wide", 1e6), ("narrow", 1e4)], 1).unwrap();
        assert_eq!(ropes.map(|rope| rope.theta), [7.0, 1e4]);
    }
}
