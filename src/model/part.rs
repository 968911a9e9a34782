//! The parts of a transformer that have weights, their shapes, and their names in checkpoints.

use super::spec::{Head, Input, Norm, Pooling, Spec};
use crate::error::{Error, Result};

/// A matrix or vector of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    Embedding,
    /// A convolution whose steps are as long as its window.
    PatchEmbedding,
    ClassToken,
    DistillationToken,
    Registers,
    Positions,
    OutputNorm,
    Head,
    /// The classifier of the distillation token.
    DistillationHead,
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
    /// LayerScale's factors, after attention and after the feed-forward network.
    AttentionScale,
    FeedForwardScale,
}

impl Part {
    /// Whether checkpoints' names for it are whole: without `.weight`.
    fn is_bare(self) -> bool {
        use Part::*;
        matches!(self, ClassToken | DistillationToken | Registers | Positions | AttentionScale | FeedForwardScale)
    }
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
    /// [rows, columns]; in checkpoints the columns may be several dimensions.
    Matrix(usize, usize),
    /// As many values, in whatever dimensions.
    Vector(usize),
}

impl Shape {
    /// Two parts of one tensor.
    pub fn above(self, other: Self) -> Self {
        match (self, other) {
            (Shape::Matrix(above, columns), Shape::Matrix(below, _)) => Shape::Matrix(above + below, columns),
            (Shape::Vector(above), Shape::Vector(below)) => Shape::Vector(above + below),
            (shape, _) => shape,
        }
    }

    /// Checks a tensor's shape; `why` says where the expected one comes from.
    pub fn check(self, found: &[usize], why: impl Fn() -> String) -> Result<()> {
        let product = |dims: &[usize]| dims.iter().try_fold(1usize, |all, n| all.checked_mul(*n));
        let (fits, expected) = match self {
            Shape::Matrix(rows, columns) => {
                let fits =
                    matches!(found, [r, rest @ ..] if !rest.is_empty() && *r == rows && product(rest) == Some(columns));
                (fits, format!("[{rows}, {columns}]"))
            }
            Shape::Vector(len) => (!found.is_empty() && product(found) == Some(len), format!("[{len}]")),
        };
        match fits {
            true => Ok(()),
            false => Err(Error::corrupt(format!("shape {found:?}, expected {expected}{}", why()))),
        }
    }
}

/// Tensor names, without `.weight` and `.bias`; `{}` is the layer.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// What may stand before all of them.
    pub prefix: &'static str,
    /// Parts of one name lie in one tensor, one below the other.
    pub parts: &'static [(Part, &'static str)],
    /// Tensors that checkpoints carry and nobody needs.
    pub ignored: &'static [&'static str],
}

impl Names {
    /// The slots that a tensor fills.
    pub fn slots(&self, tensor: &str) -> Vec<Slot> {
        let tensor = tensor.strip_prefix(self.prefix).unwrap_or(tensor);
        let suffixed = tensor.strip_suffix(".weight").map(|stem| (stem, false));
        let suffixed = suffixed.or(tensor.strip_suffix(".bias").map(|stem| (stem, true)));
        let slot = |(part, pattern): &(Part, &str)| {
            let (stem, bias) = if part.is_bare() { (tensor, false) } else { suffixed? };
            Some(Slot { part: *part, layer: layer_of(pattern, stem)?, bias })
        };
        self.parts.iter().filter_map(slot).collect()
    }

    pub fn ignores(&self, tensor: &str) -> bool {
        let tensor = tensor.strip_prefix(self.prefix).unwrap_or(tensor);
        let stem = tensor.strip_suffix(".weight").unwrap_or(tensor);
        self.ignored.iter().any(|pattern| layer_of(pattern, stem).is_some())
    }

    /// The name of a slot's tensor, for messages.
    pub fn tensor(&self, slot: Slot) -> String {
        let pattern = self.parts.iter().find(|(part, _)| *part == slot.part).map_or("?", |(_, pattern)| pattern);
        let suffix = match slot {
            Slot { bias: true, .. } => ".bias",
            Slot { part, .. } if part.is_bare() => "",
            _ => ".weight",
        };
        format!("{}{suffix}", pattern.replace("{}", &slot.layer.to_string()))
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

/// What a model needs.
#[derive(Default)]
struct Slots(Vec<(Slot, Shape)>);

impl Slots {
    fn vector(&mut self, part: Part, layer: usize, len: usize) {
        self.0.push((Slot { part, layer, bias: false }, Shape::Vector(len)));
    }

    fn matrix(&mut self, part: Part, layer: usize, rows: usize, columns: usize, bias: bool) {
        self.0.push((Slot { part, layer, bias: false }, Shape::Matrix(rows, columns)));
        if bias {
            self.0.push((Slot { part, layer, bias: true }, Shape::Vector(rows)));
        }
    }

    fn norm(&mut self, part: Part, layer: usize, spec: &Spec) {
        self.vector(part, layer, spec.width);
        if let Norm::Layer { .. } = spec.norm {
            self.0.push((Slot { part, layer, bias: true }, Shape::Vector(spec.width)));
        }
    }

    fn input(&mut self, spec: &Spec) {
        let width = spec.width;
        match &spec.input {
            Input::Tokens { vocabulary, .. } => self.matrix(Part::Embedding, 0, *vocabulary, width, false),
            Input::Patches(patches) => {
                let patching = patches.patching(patches.image[0], patches.image[1]);
                let [rows, columns] = patching.grid();
                let values = patches.channels * patches.patch[0] * patches.patch[1];
                self.matrix(Part::PatchEmbedding, 0, width, values, true);
                self.vector(Part::ClassToken, 0, width);
                if patches.distillation_token {
                    self.vector(Part::DistillationToken, 0, width);
                }
                if patches.registers > 0 {
                    self.vector(Part::Registers, 0, patches.registers * width);
                }
                let positions = rows * columns + patching.before - patches.registers;
                self.vector(Part::Positions, 0, positions * width);
            }
        }
    }

    fn layer(&mut self, layer: usize, spec: &Spec) {
        let Spec { width, attention, feed_forward, .. } = spec;
        let (queries, keys) = (attention.heads * attention.head_dim, attention.kv_heads * attention.head_dim);
        self.norm(Part::AttentionNorm, layer, spec);
        self.matrix(Part::Query, layer, queries, *width, attention.qkv_bias);
        self.matrix(Part::Key, layer, keys, *width, attention.qkv_bias);
        self.matrix(Part::Value, layer, keys, *width, attention.qkv_bias);
        self.matrix(Part::Output, layer, *width, queries, attention.output_bias);
        if attention.head_norm {
            self.vector(Part::QueryNorm, layer, attention.head_dim);
            self.vector(Part::KeyNorm, layer, attention.head_dim);
        }
        self.norm(Part::FeedForwardNorm, layer, spec);
        if feed_forward.gated {
            self.matrix(Part::Gate, layer, feed_forward.width, *width, feed_forward.bias);
        }
        self.matrix(Part::Up, layer, feed_forward.width, *width, feed_forward.bias);
        self.matrix(Part::Down, layer, *width, feed_forward.width, feed_forward.bias);
        if spec.layer_scale {
            self.vector(Part::AttentionScale, layer, *width);
            self.vector(Part::FeedForwardScale, layer, *width);
        }
    }

    fn head(&mut self, spec: &Spec) {
        match spec.head {
            Head::Vocabulary { tied: false } => self.matrix(Part::Head, 0, spec.vocabulary(), spec.width, false),
            Head::Vocabulary { tied: true } | Head::None => {}
            Head::Classes { classes, pooling } => {
                let parts = if pooling == Pooling::ClassTokenAndMean { 2 } else { 1 };
                self.matrix(Part::Head, 0, classes, parts * spec.width, true);
                if pooling == Pooling::BothTokens {
                    self.matrix(Part::DistillationHead, 0, classes, spec.width, true);
                }
            }
        }
    }
}

impl Spec {
    /// Every slot that this model needs, with its shape.
    pub fn slots(&self) -> Vec<(Slot, Shape)> {
        let mut slots = Slots::default();
        slots.input(self);
        slots.norm(Part::OutputNorm, 0, self);
        slots.head(self);
        (0..self.layers).for_each(|layer| slots.layer(layer, self));
        slots.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names = Names {
        prefix: "model.",
        parts: &[
            (Part::Head, "output"),
            (Part::Gate, "blk.{}.ffn_gate_up"),
            (Part::Up, "blk.{}.ffn_gate_up"),
            (Part::Up, "blk.{}.ffn_up"),
            (Part::ClassToken, "class_embd"),
        ],
        ignored: &["blk.{}.rot"],
    };

    #[test]
    fn names_lead_to_slots_and_back() {
        let slots = NAMES.slots("model.blk.12.ffn_up.bias");
        assert_eq!(slots, [Slot { part: Part::Up, layer: 12, bias: true }]);
        assert_eq!(NAMES.slots("blk.12.ffn_up.bias"), slots);
        assert_eq!(NAMES.slots("output.weight"), [Slot { part: Part::Head, layer: 0, bias: false }]);
        assert!(NAMES.ignores("blk.3.rot") && !NAMES.ignores("blk.x.rot"));
    }

    #[test]
    fn parts_may_share_a_tensor() {
        let parts: Vec<Part> = NAMES.slots("blk.2.ffn_gate_up.weight").iter().map(|slot| slot.part).collect();
        assert_eq!(parts, [Part::Gate, Part::Up]);
    }

    #[test]
    fn some_names_are_whole() {
        let slots = NAMES.slots("class_embd");
        assert_eq!(slots, [Slot { part: Part::ClassToken, layer: 0, bias: false }]);
        assert_eq!(NAMES.tensor(slots[0]), "class_embd");
        assert_eq!(NAMES.slots("class_embd.weight"), []);
    }

    #[test]
    fn a_layer_has_one_spelling() {
        for name in ["blk.01.ffn_up.weight", "blk.+1.ffn_up.weight", "blk..ffn_up.weight", "blk.1.ffn_up"] {
            assert_eq!(NAMES.slots(name), [], "{name}");
        }
    }
}
