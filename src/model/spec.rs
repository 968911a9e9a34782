//! A model as data: every choice that tells one transformer from another, and nothing else.
//!
//! A family turns its configuration into a [`Spec`]; the forward pass reads it. A new family that
//! brings a new choice adds a variant here, its CPU and GPU code, and a test.

pub use super::block::{Attention, Block, Experts, FeedForward, Mixer, QkNorm, Residual, ShortConv};
pub use super::patches::Patches;
pub use super::rope::{Rope, RopeScaling};
use crate::device::Activation;
use serde::Serialize;

/// A stack of blocks: an encoder, a decoder, a tower of texts or images.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// The family: "llama", "qwen3", … It gets it from [`super::families`].
    pub architecture: String,
    /// Values per token between the blocks.
    pub width: usize,
    pub input: StackInput,
    /// A norm between the embedding and the first block.
    pub input_norm: bool,
    pub norm: Norm,
    /// What the scores of each block's own attention get for where keys stand.
    pub score_bias: ScoreBias,
    pub blocks: Vec<Block>,
    /// A norm after the last block.
    pub output_norm: bool,
    pub head: Head,
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
pub enum StackInput {
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
    /// How similarities with another stack's vectors become logits.
    pub matching: Option<Matching>,
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
    /// The largest of each value.
    Max,
    /// The sum by the root of the length.
    MeanSqrtLength,
    /// The mean, with each token as often as its place says: the first once, the second twice, …
    WeightedMean,
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

impl Spec {
    /// `layers` blocks that are alike, with norms before their branches.
    pub fn uniform(
        width: usize,
        input: StackInput,
        norm: Norm,
        layers: usize,
        attention: Attention,
        feed_forward: FeedForward,
    ) -> Self {
        Self::new(width, input, norm, vec![Block::new(attention, feed_forward); layers])
    }

    /// With a norm after the last block, as most have it.
    pub fn new(width: usize, input: StackInput, norm: Norm, blocks: Vec<Block>) -> Self {
        Self {
            architecture: String::new(),
            width,
            input,
            input_norm: false,
            norm,
            score_bias: ScoreBias::None,
            blocks,
            output_norm: true,
            head: Head::None { pooler: false },
        }
    }

    pub fn layers(&self) -> usize {
        self.blocks.len()
    }

    /// Values of a token where it has most of them: between the blocks, or in one's feed-forward network.
    pub fn widest(&self) -> usize {
        self.blocks.iter().map(|block| block.feed_forward.inner()).fold(self.width, usize::max)
    }

    /// The first attention of a block: for what blocks of a family have in common.
    pub fn attention(&self) -> &Attention {
        self.blocks.iter().find_map(Block::attention).expect("a stack has attention somewhere: see `check`")
    }

    /// Each block's own attention.
    pub fn attentions(&mut self) -> impl Iterator<Item = &mut Attention> {
        self.blocks.iter_mut().filter_map(Block::attention_mut)
    }

    pub fn feed_forwards(&mut self) -> impl Iterator<Item = &mut FeedForward> {
        self.blocks.iter_mut().map(|block| &mut block.feed_forward)
    }

    /// What it says of tokens, where it reads them.
    pub fn tokens(&mut self) -> impl Iterator<Item = &mut Tokens> {
        let StackInput::Tokens(tokens) = &mut self.input else { return None.into_iter() };
        Some(tokens).into_iter()
    }

    /// What it says of patches, where it reads them.
    pub fn patches(&mut self) -> impl Iterator<Item = &mut Patches> {
        let StackInput::Patches(patches) = &mut self.input else { return None.into_iter() };
        Some(patches).into_iter()
    }

    /// Gives all blocks that residual.
    pub fn set_residual(&mut self, residual: Residual) {
        self.blocks.iter_mut().for_each(|block| block.residual = residual);
    }

    /// Gives all of each block's products a bias, or none.
    pub fn set_biases(&mut self, biases: bool) {
        self.set_attention_biases(biases);
        self.set_feed_forward_biases(biases);
    }

    pub fn set_attention_biases(&mut self, biases: bool) {
        self.attentions().for_each(|attention| (attention.qkv_bias, attention.output_bias) = (biases, biases));
    }

    pub fn set_feed_forward_biases(&mut self, biases: bool) {
        self.feed_forwards().for_each(|feed_forward| feed_forward.bias = biases);
    }

    /// Gives the layers that are `local` their window.
    pub fn set_windows(&mut self, local: &[bool], window: Option<usize>) {
        for (attention, local) in self.attentions().zip(local) {
            attention.window = window.filter(|_| *local);
        }
    }

    /// With blocks that look at another stack's output, too, by attention like their own.
    pub fn looking_across(mut self) -> Self {
        for block in &mut self.blocks {
            let own = block.attention().cloned();
            block.cross = own.map(|own| Attention { causal: false, window: None, rope: None, ..own });
        }
        self
    }

    /// Whether it looks at another stack's output.
    pub fn looks_across(&self) -> bool {
        self.blocks.iter().any(|block| block.cross.is_some())
    }

    /// Where a layer's keys and values are kept: those that no later token sees make room for the next layer's.
    pub fn cache_layer(&self, layer: usize) -> usize {
        if self.is_causal() { layer } else { 0 }
    }

    /// Layers that a cache has.
    pub fn cache_layers(&self) -> usize {
        if self.is_causal() { self.layers() } else { 1 }
    }

    /// Whether a later token of a sequence sees what was computed for those before it.
    pub fn is_causal(&self) -> bool {
        self.blocks.iter().any(|block| block.attention().is_none_or(|attention| attention.causal))
    }

    /// Whether attention reads the batch's own rows: keys and values are nothing but what products left, and no later token
    /// sees them.
    pub fn sees_own_rows(&self) -> bool {
        let as_they_are = |attention: &Attention| {
            !attention.causal && attention.rope.is_none() && attention.qk_norm != QkNorm::PerHead
        };
        self.blocks.iter().all(|block| block.attention().is_some_and(as_they_are))
    }

    /// Token ids that there are; 0 for images.
    pub fn vocabulary(&self) -> usize {
        match &self.input {
            StackInput::Tokens(tokens) => tokens.vocabulary,
            StackInput::Patches(_) => 0,
        }
    }

    /// Tokens of a sequence that the model was made for.
    pub fn context(&self) -> usize {
        match &self.input {
            StackInput::Tokens(tokens) => tokens.context,
            StackInput::Patches(patches) => patches.patching(patches.image[0], patches.image[1]).tokens(),
        }
    }

    /// Tokens that a sequence may have: distances between them, as in T5, have no end.
    pub fn longest(&self) -> usize {
        match self.score_bias {
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
            (_, Head::Vocabulary(_)) if self.looks_across() => "seq2seq",
            (_, Head::Vocabulary(_)) => "causal-lm",
            (_, Head::Embedding(_)) => "image-text-matching",
            (StackInput::Patches(_), _) => "image-classification",
            (_, Head::Classes(head)) if head.pooling == Pooling::Each => "token-classification",
            (_, Head::Classes(_)) => "text-classification",
            (_, Head::None { .. }) => "text-embedding",
        }
    }
}
