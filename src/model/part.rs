//! The parts of a transformer that have weights, their shapes, and their names in checkpoints.

use super::spec::Spec;

/// A matrix or vector of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    Embedding,
    OutputNorm,
    Head,
    /// Divisors of RoPE's frequencies (GGUF's form of Llama 3's scaling).
    RopeFactors,
    AttentionNorm,
    Query,
    Key,
    Value,
    Output,
    QueryNorm,
    KeyNorm,
    FeedForwardNorm,
    Gate,
    Up,
    Down,
}

/// A part's weight or bias in one layer (0 for what is outside the layers).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    pub part: Part,
    pub layer: usize,
    pub bias: bool,
}

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// [rows, columns]
    Matrix(usize, usize),
    Vector(usize),
}

/// Tensor names, without `.weight` and `.bias`; `{}` is the layer.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    pub parts: &'static [(Part, &'static str)],
    /// Tensors that checkpoints carry and nobody needs.
    pub ignored: &'static [&'static str],
}

impl Names {
    /// The slot that a tensor belongs to.
    pub fn slot(&self, tensor: &str) -> Option<Slot> {
        let (stem, bias) = match tensor.strip_suffix(".weight") {
            Some(stem) => (stem, false),
            None => (tensor.strip_suffix(".bias")?, true),
        };
        self.parts.iter().find_map(|(part, pattern)| Some(Slot { part: *part, layer: layer_of(pattern, stem)?, bias }))
    }

    pub fn ignores(&self, tensor: &str) -> bool {
        let stem = tensor.strip_suffix(".weight").unwrap_or(tensor);
        self.ignored.iter().any(|pattern| layer_of(pattern, stem).is_some())
    }

    /// The name of a slot's tensor, for messages.
    pub fn tensor(&self, slot: Slot) -> String {
        let pattern = self.parts.iter().find(|(part, _)| *part == slot.part).map_or("?", |(_, pattern)| pattern);
        let suffix = if slot.bias { "bias" } else { "weight" };
        format!("{}.{suffix}", pattern.replace("{}", &slot.layer.to_string()))
    }
}

/// The layer for which the pattern gives this name; 0 where the pattern has no layer.
fn layer_of(pattern: &str, name: &str) -> Option<usize> {
    match pattern.split_once("{}") {
        None => (pattern == name).then_some(0),
        Some((before, after)) => {
            let digits = name.strip_prefix(before)?.strip_suffix(after)?;
            digits.parse().ok().filter(|layer: &usize| layer.to_string() == digits)
        }
    }
}

impl Spec {
    /// Every slot that this model needs, with its shape.
    pub fn slots(&self) -> Vec<(Slot, Shape)> {
        let attention = &self.attention;
        let (width, ffn) = (self.width, self.feed_forward.width);
        let (queries, keys) = (attention.heads * attention.head_dim, attention.kv_heads * attention.head_dim);
        let mut slots = Vec::new();
        let mut add = |part, layer, shape, has_bias: bool| {
            slots.push((Slot { part, layer, bias: false }, shape));
            if let (true, Shape::Matrix(rows, _)) = (has_bias, shape) {
                slots.push((Slot { part, layer, bias: true }, Shape::Vector(rows)));
            }
        };
        add(Part::Embedding, 0, Shape::Matrix(self.vocabulary, width), false);
        add(Part::OutputNorm, 0, Shape::Vector(width), false);
        if !self.tied_head {
            add(Part::Head, 0, Shape::Matrix(self.vocabulary, width), false);
        }
        for layer in 0..self.layers {
            add(Part::AttentionNorm, layer, Shape::Vector(width), false);
            add(Part::Query, layer, Shape::Matrix(queries, width), attention.qkv_bias);
            add(Part::Key, layer, Shape::Matrix(keys, width), attention.qkv_bias);
            add(Part::Value, layer, Shape::Matrix(keys, width), attention.qkv_bias);
            add(Part::Output, layer, Shape::Matrix(width, queries), attention.output_bias);
            if attention.head_norm {
                add(Part::QueryNorm, layer, Shape::Vector(attention.head_dim), false);
                add(Part::KeyNorm, layer, Shape::Vector(attention.head_dim), false);
            }
            add(Part::FeedForwardNorm, layer, Shape::Vector(width), false);
            if self.feed_forward.gated {
                add(Part::Gate, layer, Shape::Matrix(ffn, width), self.feed_forward.bias);
            }
            add(Part::Up, layer, Shape::Matrix(ffn, width), self.feed_forward.bias);
            add(Part::Down, layer, Shape::Matrix(width, ffn), self.feed_forward.bias);
        }
        slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names =
        Names { parts: &[(Part::Head, "output"), (Part::Up, "blk.{}.ffn_up")], ignored: &["blk.{}.rot"] };

    #[test]
    fn names_lead_to_slots_and_back() {
        let slot = NAMES.slot("blk.12.ffn_up.bias").unwrap();
        assert_eq!(slot, Slot { part: Part::Up, layer: 12, bias: true });
        assert_eq!(NAMES.tensor(slot), "blk.12.ffn_up.bias");
        assert_eq!(NAMES.slot("output.weight").map(|slot| slot.part), Some(Part::Head));
        assert!(NAMES.ignores("blk.3.rot") && !NAMES.ignores("blk.x.rot"));
    }

    #[test]
    fn a_layer_has_one_spelling() {
        for name in ["blk.01.ffn_up.weight", "blk.+1.ffn_up.weight", "blk..ffn_up.weight", "blk.1.ffn_up"] {
            assert_eq!(NAMES.slot(name), None, "{name}");
        }
    }
}
