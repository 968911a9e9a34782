//! A model as data: every choice that tells one transformer from another, and nothing else.
//!
//! A family turns its configuration into a [`Spec`]; the forward pass reads it. A new family that
//! brings a new choice adds a variant here, its CPU and GPU code, and a test.

pub use super::patches::Patches;
pub use super::rope::{Rope, RopeScaling};
use crate::device::{Activation, AttentionShape};
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// The family: "llama", "qwen3", …
    pub architecture: String,
    pub layers: usize,
    /// Values per token between the blocks.
    pub width: usize,
    pub input: Input,
    /// A norm between the embedding and the first block.
    pub input_norm: bool,
    pub norm: Norm,
    pub residual: Residual,
    /// The branches are scaled, value by value, before they join the residual: LayerScale.
    pub layer_scale: bool,
    pub attention: Attention,
    /// After its own attention each block looks at the encoder's output.
    pub cross_attention: bool,
    pub feed_forward: FeedForward,
    /// A norm after the last block.
    pub output_norm: bool,
    pub head: Head,
    /// The other stack: the encoder that cross-attention looks at, or the image tower beside the text's.
    pub second: Option<Box<Spec>>,
    /// How similarities of images and texts become logits.
    pub matching: Option<Matching>,
}

/// Of a sequence without an end: far more than devices have memory for.
const MOST_TOKENS: usize = 1 << 17;

/// logit = exp(scale) · image · text (+ bias), both numbers learned.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Matching {
    pub bias: bool,
}

/// What the first block reads.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Input {
    Tokens(Tokens),
    Patches(Patches),
}

/// Tokens of a vocabulary, each a row of a table.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    pub vocabulary: usize,
    /// Tokens of a sequence that the model was made for.
    pub context: usize,
    /// Multiplies what the table says.
    pub scale: f32,
    pub positions: Positions,
    /// Kinds of tokens that are embedded too: which of two texts it is of. 0: none.
    pub types: usize,
    /// The table is the other stack's.
    pub shared: bool,
}

impl Tokens {
    /// Tokens without positions, types or scale.
    pub fn plain(vocabulary: usize, context: usize) -> Self {
        Self { vocabulary, context, scale: 1.0, positions: Positions::None, types: 0, shared: false }
    }
}

/// What is added to a token's embedding for where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Positions {
    /// Nothing: attention tells positions, or nobody does.
    None,
    /// Learned vectors; the first token's is number `offset` of the table.
    Learned { offset: usize },
    /// sin and cos of position · 10000^(−2i / width), all sines first (<https://arxiv.org/abs/1706.03762>).
    Sinusoidal,
}

/// What becomes of the last block's output, after its norm.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Head {
    /// The next token's logits.
    Vocabulary(VocabularyHead),
    /// The logits of classes.
    Classes(ClassesHead),
    /// One vector.
    Embedding(EmbeddingHead),
    /// The hidden states are the result; `pooler`: or tanh of a product of the first one.
    None { pooler: bool },
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VocabularyHead {
    /// The head is the embedding table.
    pub tied: bool,
    pub bias: bool,
    /// Multiplies the logits.
    pub scale: f32,
    /// The logits become cap · tanh(logits / cap).
    pub soft_cap: Option<f32>,
}

impl VocabularyHead {
    pub fn plain(tied: bool) -> Self {
        Self { tied, bias: false, scale: 1.0, soft_cap: None }
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClassesHead {
    pub classes: usize,
    pub pooling: Pooling,
    /// Between what is pooled and the classifier.
    pub dense: Option<Dense>,
    pub scores: Scores,
}

/// What logits of classes become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scores {
    /// One class is right: probabilities that add up to 1.
    Softmax,
    /// Each class by itself: the probability that it is so.
    Sigmoid,
    /// The logit is the answer: a regression's.
    Identity,
}

impl Scores {
    pub fn of(self, logits: &[f32]) -> Vec<f32> {
        match self {
            Scores::Identity => logits.to_vec(),
            Scores::Sigmoid => logits.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect(),
            Scores::Softmax => {
                let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let exponents: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
                let total: f32 = exponents.iter().sum();
                exponents.iter().map(|exponent| exponent / total).collect()
            }
        }
    }
}

/// activation(x · weightᵀ + bias), width to width, and a norm where there is one.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dense {
    pub activation: Activation,
    pub bias: bool,
    pub norm: bool,
    /// It is the body's own: BERT's pooler.
    pub pooler: bool,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EmbeddingHead {
    /// Values of the vector.
    pub width: usize,
    pub pooling: Pooling,
    /// A product after the pooling.
    pub projection: bool,
    pub bias: bool,
}

/// Which tokens the head reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// The first.
    ClassToken,
    /// The mean of two classifiers' logits: the class token's and the distillation token's.
    BothTokens,
    /// The class token beside the mean of the patches.
    ClassTokenAndMean,
    Mean,
    Last,
    /// Each by itself.
    Each,
    /// The first of that id.
    Token(u32),
    /// The one of the largest id: the end token of vocabularies where it is the last.
    LargestToken,
    /// A learned query looks at all of them, and a feed-forward network follows.
    Attention,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Norm {
    /// x / √(mean x² + epsilon) · weight
    Rms {
        epsilon: f32,
        /// The weight is 1 more than the checkpoint says.
        #[serde(rename = "plusOne")]
        plus_one: bool,
    },
    /// (x − mean x) / √(variance x + epsilon) · weight + bias
    Layer { epsilon: f32, bias: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Residual {
    /// x + f(norm(x)), for attention and then for the feed-forward network.
    PreNorm {
        /// The first block's attention has no norm: the input's own is just before it.
        #[serde(rename = "firstBare")]
        first_bare: bool,
    },
    /// norm(x + f(x)): the original Transformer (<https://arxiv.org/abs/1706.03762>).
    PostNorm,
    /// x + norm(f(norm(x)))
    Sandwich,
    /// x + norm(f(x))
    InnerNorm,
    /// x + attention(norm(x)) + feed_forward(norm(x))
    Parallel {
        /// Both branches read one norm.
        #[serde(rename = "sharedNorm")]
        shared_norm: bool,
    },
}

impl Residual {
    pub const PRE_NORM: Self = Residual::PreNorm { first_bare: false };
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attention {
    pub heads: usize,
    /// Heads of keys and values; each serves heads / kv_heads query heads.
    pub kv_heads: usize,
    pub head_dim: usize,
    /// Multiplies query · key: 1 / √head_dim mostly.
    pub scale: f32,
    /// A query sees no key after itself.
    pub causal: bool,
    /// Rotary positions; a model may have others for its local layers.
    pub ropes: Vec<Rope>,
    /// Which of them turns each layer's heads; none: that layer has no positions.
    pub turns: Vec<Option<usize>>,
    pub bias: ScoreBias,
    /// Each layer's sliding window in tokens, the query's own included; none sees everything.
    pub windows: Vec<Option<usize>>,
    /// Scores become cap · tanh(score / cap).
    pub soft_cap: Option<f32>,
    /// The norm of queries and keys, before RoPE.
    pub head_norm: HeadNorm,
    pub qkv_bias: bool,
    pub output_bias: bool,
}

/// What is added to scores for where keys stand.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum ScoreBias {
    None,
    /// slope · (key − query), a slope for each head: ALiBi (<https://arxiv.org/abs/2108.12409>).
    Linear {
        slopes: Vec<f32>,
    },
    /// Learned, for buckets of distances that end at `distance` (T5: <https://arxiv.org/abs/1910.10683>).
    Buckets {
        buckets: usize,
        distance: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadNorm {
    None,
    /// Of each head by itself.
    Each,
    /// Of all heads together.
    Whole,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedForward {
    pub width: usize,
    pub activation: Activation,
    /// activation(gate(x)) · up(x) instead of activation(up(x)).
    pub gated: bool,
    pub bias: bool,
}

impl Attention {
    /// As many heads of keys as of queries, without positions, norms or biases; each query sees everything.
    pub fn plain(layers: usize, heads: usize, head_dim: usize) -> Self {
        Self {
            heads,
            kv_heads: heads,
            head_dim,
            scale: (head_dim as f32).sqrt().recip(),
            causal: false,
            ropes: Vec::new(),
            turns: vec![None; layers],
            bias: ScoreBias::None,
            windows: vec![None; layers],
            soft_cap: None,
            head_norm: HeadNorm::None,
            qkv_bias: false,
            output_bias: false,
        }
    }

    /// The same with one RoPE in all layers.
    pub fn rotated(mut self, rope: Rope) -> Self {
        self.turns.fill(Some(0));
        self.ropes = vec![rope];
        self
    }

    /// Where a layer's keys and values are kept: those that no later token sees make room for the next layer's.
    pub fn cache_layer(&self, layer: usize) -> usize {
        if self.causal { layer } else { 0 }
    }

    /// Layers that a cache has.
    pub fn cache_layers(&self) -> usize {
        if self.causal { self.turns.len() } else { 1 }
    }

    pub fn shape(&self, layer: usize) -> AttentionShape {
        AttentionShape {
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            scale: self.scale,
            causal: self.causal,
            window: self.windows[layer],
            soft_cap: self.soft_cap,
            block: None,
        }
    }

    /// How the encoder's output is looked at.
    pub fn cross_shape(&self) -> AttentionShape {
        AttentionShape { causal: false, window: None, ..self.shape(0) }
    }
}

impl Spec {
    /// A stack with norms before its branches and after the last block, as most are.
    pub fn new(
        architecture: &str,
        width: usize,
        input: Input,
        norm: Norm,
        attention: Attention,
        feed_forward: FeedForward,
    ) -> Self {
        Self {
            architecture: architecture.to_owned(),
            layers: attention.windows.len(),
            width,
            input,
            input_norm: false,
            norm,
            residual: Residual::PRE_NORM,
            layer_scale: false,
            attention,
            cross_attention: false,
            feed_forward,
            output_norm: true,
            head: Head::None { pooler: false },
            second: None,
            matching: None,
        }
    }

    /// Token ids that there are; 0 for images.
    pub fn vocabulary(&self) -> usize {
        match &self.input {
            Input::Tokens(tokens) => tokens.vocabulary,
            Input::Patches(_) => 0,
        }
    }

    /// Tokens of a sequence that the model was made for.
    pub fn context(&self) -> usize {
        match &self.input {
            Input::Tokens(tokens) => tokens.context,
            Input::Patches(patches) => patches.patching(patches.image[0], patches.image[1]).tokens(),
        }
    }

    /// Tokens that a sequence may have: distances between them, as in T5, have no end.
    pub fn longest(&self) -> usize {
        match self.attention.bias {
            ScoreBias::Buckets { .. } => self.context().max(MOST_TOKENS),
            _ => self.context(),
        }
    }

    /// The decoder's head; none where the model has another one.
    pub fn vocabulary_head(&self) -> Option<&VocabularyHead> {
        match &self.head {
            Head::Vocabulary(head) => Some(head),
            _ => None,
        }
    }

    pub fn vocabulary_head_mut(&mut self) -> Option<&mut VocabularyHead> {
        match &mut self.head {
            Head::Vocabulary(head) => Some(head),
            _ => None,
        }
    }

    /// What its logits become; softmax where it has no classes.
    pub fn scores(&self) -> Scores {
        match &self.head {
            Head::Classes(head) => head.scores,
            _ => Scores::Softmax,
        }
    }

    /// What the model is for, by the API's names.
    pub fn task(&self) -> &'static str {
        match (&self.input, &self.head) {
            (_, Head::Vocabulary(_)) if self.cross_attention => "seq2seq",
            (_, Head::Vocabulary(_)) => "causal-lm",
            (_, Head::Embedding(_)) => "image-text-matching",
            (Input::Patches(_), _) => "image-classification",
            (_, Head::Classes(head)) if head.pooling == Pooling::Each => "token-classification",
            (_, Head::Classes(_)) => "text-classification",
            (_, Head::None { .. }) => "text-embedding",
        }
    }
}
