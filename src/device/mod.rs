//! What a forward pass is made of, as a short list of verbs.
//!
//! A device is a connector to one kind of hardware. It knows buffers, matrices and caches, and
//! nothing of models. The CPU's version of a verb is its definition.
//!
//! Activations are f32, [rows, width], rows being the tokens of a [`Batch`]. Outputs are buffers that
//! the caller made at load, so that a step allocates nothing.

mod activation;
pub mod cpu;
pub mod experts;
#[cfg(not(target_feature = "atomics"))]
pub mod gpu;
pub mod pages;
pub mod picture;
mod weights;

pub use activation::{Activation, Gating};
pub use experts::{ExpertLinear, Routing};
pub use pages::{CacheType, PAGE, PageCopy, Pages, StateShape, Table};
pub use picture::{Picture, Preparation, Taps};
pub use weights::{Leaves, Linear};

use crate::checkpoint::TensorType;
use crate::error::{Error, Result};
use serde::Serialize;
use std::ops::Range;

/// Consecutive tokens of one sequence inside a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first of its rows in the batch.
    pub row: usize,
    pub len: usize,
    /// The first one's place in its sequence: as many tokens are kept before it.
    pub position: usize,
    /// Which of the tables is its sequence's.
    pub table: usize,
    /// Keys of that sequence that there are for it: for tokens that are stored there, all up to the span's last one.
    pub keys: usize,
}

impl Span {
    /// Tokens that continue their sequence.
    pub fn new(row: usize, len: usize, position: usize, table: usize) -> Self {
        Self { row, len, position, table, keys: position + len }
    }

    /// Queries that look at the keys of another sequence: cross-attention.
    pub fn across(row: usize, len: usize, keys: usize, table: usize) -> Self {
        Self { row, len, position: 0, table, keys }
    }
}

/// What turns the heads of a batch's rows: cos and sin of each angle, [rows, angles, 2].
#[derive(Clone, Copy, Debug, Default)]
pub struct Rotations<'a> {
    pub values: &'a [f32],
    /// Which of a row's angles each table has: layers may turn differently.
    pub tables: &'a [Range<usize>],
}

/// How attention looks at what is kept.
#[derive(Clone, Copy, Debug)]
pub struct AttentionShape {
    /// 0 where only keys and values are stored.
    pub heads: usize,
    /// Each serves heads / kv_heads query heads.
    pub kv_heads: usize,
    pub head_dim: usize,
    /// Multiplies query · key.
    pub scale: f32,
    /// A query sees no key after itself; else all that there are for its span.
    pub causal: bool,
    /// A query sees only keys that are less than that many tokens away.
    pub window: Option<usize>,
    /// The scaled product becomes cap · tanh(product / cap), as in Gemma 2 (<https://arxiv.org/abs/2408.00118>).
    pub soft_cap: Option<f32>,
}

impl AttentionShape {
    /// The keys that the query at `position` sees of those before `end`.
    pub fn visible(&self, position: usize, end: usize) -> Range<usize> {
        let first = self.window.map_or(0, |window| (position + 1).saturating_sub(window));
        let after = self.window.map_or(end, |window| end.min(position + window));
        let after = if self.causal { end.min(position + 1) } else { after };
        first..after.max(first)
    }
}

/// What is added to a score for where its key stands, seen from the query.
pub enum PositionBias<'a, D: Device> {
    None,
    /// slope[head] · (key − query), [heads]: ALiBi (<https://arxiv.org/abs/2108.12409>).
    Linear(&'a D::Buffer),
    /// table[head, clamp(key − query, −reach, reach) + reach], [heads, 2 · reach + 1]: T5's relative bias
    /// (<https://arxiv.org/abs/1910.10683>), whose buckets end somewhere.
    Table {
        table: &'a D::Buffer,
        reach: usize,
    },
}

/// One layer's attention.
pub struct CachedAttention<'a, D: Device> {
    pub layer: usize,
    pub shape: AttentionShape,
    pub bias: PositionBias<'a, D>,
    /// A learned score of each head that nothing belongs to, [heads]: it takes its share of the softmax and adds nothing,
    /// so that a head may look away (<https://arxiv.org/abs/2309.17453>, gpt-oss).
    pub sinks: Option<&'a D::Buffer>,
}

/// One layer's short convolution over each channel's last few inputs.
pub struct CachedConv<'a, D: Device> {
    pub layer: usize,
    pub width: usize,
    pub taps: usize,
    /// [width, taps], the oldest input's first.
    pub weight: &'a D::Buffer,
    /// [width]
    pub bias: Option<&'a D::Buffer>,
}

/// What projections read: rows, normed on the way where `norm` says so.
pub struct Input<'a, D: Device> {
    /// [rows, in width]
    pub x: &'a D::Buffer,
    pub rows: usize,
    pub norm: Option<NormWeights<'a, D>>,
}

/// The norm of a row: x / √(mean x² + epsilon) · weight + bias. The weight's vector and the bias's are uploaded together.
pub struct NormWeights<'a, D: Device> {
    pub weight: &'a D::Buffer,
    pub bias: Option<&'a D::Buffer>,
    /// The mean is taken from x first: LayerNorm (<https://arxiv.org/abs/1607.06450>), and without it RMSNorm
    /// (<https://arxiv.org/abs/1910.07467>).
    pub centred: bool,
    pub epsilon: f32,
}

impl<'a, D: Device> NormWeights<'a, D> {
    pub fn rms(weight: &'a D::Buffer, epsilon: f32) -> Self {
        Self { weight, bias: None, centred: false, epsilon }
    }
}

impl<D: Device> Leaves for D {
    type Matrix = D::Matrix;
    type Experts = D::Experts;
    type Buffer = D::Buffer;
}

impl<D: Device> Linear<D> {
    /// The product that replaces what is in `out`.
    pub fn to<'a>(&'a self, out: &'a mut D::Buffer) -> Projection<'a, D> {
        Projection { weight: &self.weight, bias: self.bias.as_ref(), scale: None, out, accumulate: false }
    }
}

/// One matrix of a [`Device::project`].
pub struct Projection<'a, D: Device> {
    pub weight: &'a D::Matrix,
    pub bias: Option<&'a D::Buffer>,
    /// [rows, out width]
    pub out: &'a mut D::Buffer,
    /// Multiplies the product and its bias, [out width]: LayerScale (<https://arxiv.org/abs/2103.17239>).
    pub scale: Option<&'a D::Buffer>,
    /// Adds to `out` instead of replacing it: the residual connection.
    pub accumulate: bool,
}

/// The queries, keys and values of a layer: [rows, heads or kv_heads, head_dim] each.
pub struct Qkv<'a, D: Device> {
    pub query: &'a mut D::Buffer,
    pub key: &'a mut D::Buffer,
    pub value: &'a D::Buffer,
    /// The norms of each query and each key head: RMSNorms.
    pub norms: Option<[NormWeights<'a, D>; 2]>,
    /// Which of the batch's tables rotates them. None: they are left as they are (layers without positions).
    pub turn: Option<usize>,
    pub pairs: RopePairs,
}

/// Where the keys and values of a batch's sequences are, by a span's table.
#[derive(Clone, Copy)]
pub enum KeyRows<'a> {
    /// In a pool's pages.
    Kept(&'a [&'a Table]),
    /// In rows of the batch, from that one on.
    Own(&'a [usize]),
}

/// The keys and values that queries look at.
pub enum Seen<'a, D: Device> {
    /// What the pool keeps.
    Kept(&'a D::State),
    /// Those of the batch's own rows, [rows, kv_heads, head_dim] each.
    Own { key: &'a D::Buffer, value: &'a D::Buffer },
}

/// The tokens of a batch.
pub enum TokenIds<'a, D: Device> {
    Known(&'a [u32]),
    /// Those, but for spans of one row whose token [`Device::choose`] has chosen last, wherever that is: each span's number
    /// in the batch.
    Chosen {
        known: &'a [u32],
        spans: &'a [(usize, &'a D::Chooser)],
    },
}

/// How a token is chosen from its logits; `text::Sampler` is the definition.
#[derive(Clone, Debug)]
pub struct Choosing {
    pub vocabulary: usize,
    /// What a logit's distance from the best is multiplied by to become a score (`text::noise`). 0: the best is taken.
    pub scale: f32,
    /// 0: all.
    pub top_k: usize,
    /// 1: all.
    pub top_p: f32,
    /// 0: all.
    pub min_p: f32,
    pub repetition_penalty: f32,
    pub presence_penalty: f32,
    pub frequency_penalty: f32,
    /// What is added to tokens' logits, each list from so many chosen tokens on; the first from 0.
    pub biases: Vec<(usize, Vec<(u32, f32)>)>,
    pub seed: u64,
    /// The prompt's tokens: they count for the repetition penalty.
    pub prompt: Vec<u32>,
}

/// Tokens that are chosen of one sequence at a time.
pub const MOST_CHOICES: usize = 16;

/// What tokens that are chosen follow.
#[derive(Clone, Debug)]
pub struct Following {
    /// Of the logits: as many as tokens are chosen, [`MOST_CHOICES`] at most.
    pub rows: Range<usize>,
    /// Of the batch: the tokens will stand behind its last positions.
    pub span: usize,
    /// Tokens that its sequence has lost, which a draw counts still.
    pub gone: usize,
}

impl Following {
    /// One token, behind the first span of a sequence that has lost nothing.
    pub fn one() -> Self {
        Self { rows: 0..1, span: 0, gone: 0 }
    }
}

impl Choosing {
    /// Whether it matters how often what was chosen, or how much.
    pub fn counts(&self) -> bool {
        let penalties = [self.presence_penalty, self.frequency_penalty];
        self.repetition_penalty != 1.0 || penalties != [0.0; 2] || self.biases.len() > 1
    }
}

/// Which neighbours a rotation turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RopePairs {
    /// Dimension i with i + dims / 2.
    HalfSplit,
    /// Dimension 2i with 2i + 1.
    Interleaved,
}

/// How images become rows of patches: [images, before + patches, columns].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patching {
    pub channels: usize,
    /// Of the images, in pixels.
    pub height: usize,
    pub width: usize,
    /// Height and width of a patch. Pixels that are left at the right and at the bottom belong to none.
    pub patch: [usize; 2],
    /// Rows of zeros before each image's patches.
    pub before: usize,
    /// Of a row: a patch's values, channel by channel and line by line, then zeros.
    pub columns: usize,
}

impl Patching {
    /// Rows and columns of patches.
    pub fn grid(&self) -> [usize; 2] {
        [self.height / self.patch[0], self.width / self.patch[1]]
    }

    /// Rows of an image.
    pub fn tokens(&self) -> usize {
        let [rows, columns] = self.grid();
        self.before + rows * columns
    }

    /// Values of an image.
    pub fn pixels(&self) -> usize {
        self.channels * self.height * self.width
    }
}

/// Whether a saved sequence has as many bytes as are expected.
fn check_saved(bytes: &[u8], expected: usize) -> Result<()> {
    match bytes.len() == expected {
        true => Ok(()),
        false => Err(Error::corrupt(format!("a saved sequence of {} bytes, expected {expected}", bytes.len()))),
    }
}

pub trait Device: Sized + 'static {
    /// f32 activations, or a vector of weights.
    type Buffer;
    /// Weights, in the layout that the device's kernels like.
    type Matrix;
    /// A matrix whose bytes are still arriving.
    type MatrixBuilder;
    /// The same matrix of several experts: [experts, rows, columns].
    type Experts;
    /// What a model's layers keep of all sequences' tokens: see [`pages`].
    type State;
    /// Where the rows of some spans are kept.
    type Places;
    /// What choosing tokens on the device needs between steps.
    type Chooser;
    /// Values on their way back.
    type Reading;

    /// Rows of a prompt that go through the model at a time, on a device of which nothing is known.
    const CHUNK: usize;
    /// Those that do on a quick one: as many as that or less have room wherever a chunk goes.
    const MOST_CHUNK: usize;

    /// Milliseconds from any moment on, by the clock that it was given.
    fn now(&self) -> f64;
    /// Rows of a prompt that should go through the model at a time now, by what earlier ones took.
    fn chunk(&self) -> usize {
        Self::CHUNK
    }

    /// `len` zeros. Error: out-of-memory.
    fn buffer(&mut self, len: usize) -> Result<Self::Buffer>;
    /// That many vectors of weights will be uploaded: by their lengths. Those that a verb reads at once have to be
    /// expected at once. Error: out-of-memory.
    fn expect_vectors(&mut self, lengths: &mut dyn Iterator<Item = usize>) -> Result<()>;
    /// A buffer that holds `values`.
    fn upload(&mut self, values: &[f32]) -> Result<Self::Buffer>;
    /// That many bytes of matrices will come. Error: out-of-memory.
    fn expect_weights(&mut self, bytes: usize) -> Result<()>;
    /// Begins a matrix [rows, columns] of that type. Errors: out-of-memory, unsupported-model.
    fn matrix(&mut self, ty: TensorType, rows: usize, columns: usize) -> Result<Self::MatrixBuilder>;
    /// The next of its bytes, in the file's format, cut anywhere.
    fn push(&mut self, builder: &mut Self::MatrixBuilder, bytes: &[u8]);
    fn finish(&mut self, builder: Self::MatrixBuilder) -> Self::Matrix;
    /// Bytes that such a matrix takes here.
    fn matrix_bytes(ty: TensorType, rows: usize, columns: usize) -> usize;
    /// Begins the same matrix [rows, columns] of each expert. They are filled in any order, also by turns: a checkpoint has
    /// a tensor for each expert, or one for all. Errors: those of [`Device::matrix`].
    fn expert_matrices(
        &mut self,
        ty: TensorType,
        experts: usize,
        rows: usize,
        columns: usize,
    ) -> Result<Vec<Self::MatrixBuilder>>;
    /// Puts together what [`Device::expert_matrices`] has begun, in its order.
    fn join_experts(&mut self, matrices: Vec<Self::Matrix>) -> Self::Experts;

    /// What those layers keep, of keys and values as that type; there are no pages yet.
    fn state(layers: &[StateShape], ty: CacheType) -> Self::State;
    /// Makes room for pages: for each group as many as its range's start at least, and up to its end where growing is
    /// dear. What is in them stays. Returns how many there are. Error: out-of-memory; all stays as it was.
    fn grow(&mut self, state: &mut Self::State, pages: &[Range<usize>]) -> impl Future<Output = Result<Vec<usize>>>;
    /// Gives back the memory of pages but for the first so many of each group, as far as that can be done at once.
    /// Returns how many there are.
    fn trim(&mut self, state: &mut Self::State, pages: &[usize]) -> Vec<usize>;
    /// The first `positions` of a sequence, as far as its table has them: layer by layer keys and then values, [positions,
    /// kv_heads, head], or columns, [positions, width]. A head is floats, halves, or head_dim levels and then a float's scale
    /// for each 32 of them, by the cache's type, up to a whole word. Little-endian: the same on every device.
    /// Errors: out-of-memory, device-lost.
    fn save(&mut self, state: &Self::State, table: &Table, positions: usize) -> impl Future<Output = Result<Vec<u8>>>;
    /// Puts back what [`Device::save`] gave, where a table has its pages. Error: corrupt-file for another number of bytes.
    fn restore(&mut self, state: &mut Self::State, table: &Table, positions: usize, bytes: &[u8]) -> Result<()>;
    /// Copies pages, one after the other.
    fn copy_pages(&mut self, state: &mut Self::State, copies: &[PageCopy]);

    /// Waits until no more is under way than keeps the device busy: says how many calls' work that is, the last ones'.
    /// Errors: what went wrong since the last time and could not be said at once: out-of-memory, device-lost, internal.
    fn sync(&mut self) -> impl Future<Output = Result<usize>>;
    /// Makes ready, once, whatever `steps` will need: it runs them without computing, more than once if need be.
    fn warm_up(
        &mut self,
        progress: &Progress,
        steps: impl FnMut(&mut Self) -> Result<()>,
    ) -> impl Future<Output = Result<()>>;

    /// A batch begins: where its rows stand, and what [`Device::rope_and_cache`] turns their heads by.
    fn begin(&mut self, spans: &[Span], rotations: Rotations);
    /// Where spans' keys are, for verbs of the batch that has begun; they need not be the batch's spans. All tables are of
    /// one pool.
    fn places(&mut self, spans: &[Span], keys: KeyRows) -> Self::Places;
    /// out[row] = scale · table[tokens[row]], or that added to what is there. Positions and types are looked up like
    /// tokens, so a batch calls it more than once.
    fn embed(
        &mut self,
        table: &Self::Matrix,
        tokens: &TokenIds<Self>,
        scale: f32,
        accumulate: bool,
        out: &mut Self::Buffer,
    );
    /// Puts values into a buffer, from its value `first` on.
    fn write(&mut self, values: &[f32], first: usize, out: &mut Self::Buffer);
    /// Cuts images [images, channels, height, width] into patches: see [`Patching`].
    fn patches(&mut self, images: &Self::Buffer, count: usize, patching: &Patching, out: &mut Self::Buffer);
    /// out = norm(x), [rows, width], or that added to what is there: a norm after a branch, inside the residual.
    fn norm(&mut self, input: &Input<Self>, width: usize, accumulate: bool, out: &mut Self::Buffer);
    /// x = cap · tanh(x / cap) for the first `len` values: Gemma 2's logits (<https://arxiv.org/abs/2408.00118>).
    fn soft_cap(&mut self, x: &mut Self::Buffer, len: usize, cap: f32);
    /// out = (norm(x) · weightᵀ + bias) · scale for each of several matrices with the same input.
    fn project(&mut self, input: &Input<Self>, projections: &mut [Projection<Self>]);
    /// out = activation(norm(x) · gateᵀ + bias) · (norm(x) · upᵀ + bias), or without a gate
    /// activation(norm(x) · upᵀ + bias), [rows, up's rows].
    fn project_activated(
        &mut self,
        input: &Input<Self>,
        gate: Option<&Linear<Self>>,
        up: &Linear<Self>,
        activation: Activation,
        out: &mut Self::Buffer,
    );
    /// x = activation(x) · up, or without `up` activation(x), for the first `len` values: what
    /// [`Device::project_activated`] does on its way, where something is added to the products first.
    fn activate(&mut self, x: &mut Self::Buffer, up: Option<&Self::Buffer>, len: usize, activation: Activation);
    /// routes[row, k] = the number, as a float, of the expert with the k-th largest of scores [rows, experts] (of equal ones
    /// the first), and its weight: [rows, used, 2]. Where a score is no number, no weight of its row is.
    fn route(&mut self, scores: &Self::Buffer, rows: usize, routing: &Routing, routes: &mut Self::Buffer);
    /// out[row, k] = gating(norm(x[row]) · gate[e]ᵀ + bias[e], norm(x[row]) · up[e]ᵀ + bias[e]), [rows, used, width], e being
    /// the row's k-th expert.
    #[allow(clippy::too_many_arguments)] // Each is one of the formula's.
    fn project_experts(
        &mut self,
        input: &Input<Self>,
        gate: &ExpertLinear<Self>,
        up: &ExpertLinear<Self>,
        gating: Gating,
        routes: &Self::Buffer,
        used: usize,
        out: &mut Self::Buffer,
    );
    /// out[row] = Σₖ weight[row, k] · (x[row, k] · down[e]ᵀ + bias[e]), or that added to what is there: [rows, width] of x
    /// [rows, used, inner].
    #[allow(clippy::too_many_arguments)] // Likewise.
    fn project_experts_down(
        &mut self,
        x: &Self::Buffer,
        rows: usize,
        down: &ExpertLinear<Self>,
        routes: &Self::Buffer,
        used: usize,
        accumulate: bool,
        out: &mut Self::Buffer,
    );
    /// Norms and turns the heads of queries and keys (rotary positions, <https://arxiv.org/abs/2104.09864>: the
    /// leading dimensions), and puts keys and values at their places. The rows are the spans', from the first on.
    fn rope_and_cache(
        &mut self,
        layer: usize,
        shape: &AttentionShape,
        heads: &mut Qkv<Self>,
        places: &Self::Places,
        state: &mut Self::State,
    );
    /// out[q, h] = Σₖ softmaxₖ(score[q, k, h]) · value[k, h / group] over the keys that q may see, where
    /// score[q, k, h] = cap(scale · query[q, h] · key[k, h / group]) + bias. query and out: [rows, heads, head_dim].
    /// With sinks, exp(sink[h]) is in the softmax's denominator too. Several spans may have one table; a query that sees
    /// no key gets zeros. The places are of what is seen.
    fn attend(
        &mut self,
        attention: &CachedAttention<Self>,
        query: &Self::Buffer,
        places: &Self::Places,
        seen: Seen<Self>,
        out: &mut Self::Buffer,
    );
    /// [`Device::rope_and_cache`], and then [`Device::attend`] to what is kept. What becomes of the heads' buffers is the
    /// device's affair.
    fn keep_and_attend(
        &mut self,
        attention: &CachedAttention<Self>,
        heads: &mut Qkv<Self>,
        places: &Self::Places,
        state: &mut Self::State,
        out: &mut Self::Buffer,
    ) {
        self.rope_and_cache(attention.layer, &attention.shape, heads, places, state);
        self.attend(attention, heads.query, places, Seen::Kept(state), out);
    }
    /// x: B, C and x side by side, [rows, 3, width]. bx = B · x is kept at the rows' places (columns), and out[row, c] =
    /// C[row, c] · (bias[c] + Σₜ weight[c, t] · bx[position − (taps − 1) + t, c]), [rows, width], where what would lie before
    /// a sequence is nothing: LFM2 (<https://arxiv.org/abs/2511.23404>). The rows are the spans', from the first on.
    fn short_conv(
        &mut self,
        conv: &CachedConv<Self>,
        x: &Self::Buffer,
        places: &Self::Places,
        state: &mut Self::State,
        out: &mut Self::Buffer,
    );
    /// The weights that `attend` would use, of a batch of one span at position 0: [heads, rows, rows]. With sinks a row of
    /// them adds up to less than 1.
    /// Error: out-of-memory.
    fn attention_weights(
        &mut self,
        attention: &CachedAttention<Self>,
        query: &Self::Buffer,
        key: &Self::Buffer,
        rows: usize,
    ) -> Result<Self::Buffer>;
    /// The means of runs of rows of `width` values, [runs.len(), width], at the front of `out`. A run of one row is a copy.
    fn gather_mean(&mut self, x: &Self::Buffer, width: usize, runs: &[Range<usize>], out: &mut Self::Buffer);

    /// The picture's pixels: in front of white, in grey where there is one channel, resampled, and each level as its
    /// number, as image `index` of `out`, [images, channels, rows, columns]. Errors: invalid-argument, out-of-memory.
    fn pixels(
        &mut self,
        picture: &Picture,
        preparation: &Preparation,
        index: usize,
        out: &mut Self::Buffer,
    ) -> Result<()>;

    /// Sends for the first `len` values; what is computed later does not change them.
    fn send(&mut self, x: &Self::Buffer, len: usize) -> Result<Self::Reading>;
    /// Whether [`Device::receive`] or [`Device::chosen`] would have to wait for them.
    fn has_come(&self, reading: &Self::Reading) -> bool;
    /// They have come, and all that was computed for them went well. Errors: device-lost, out-of-memory, internal.
    fn receive(&mut self, reading: Self::Reading, out: &mut [f32]) -> impl Future<Output = Result<()>>;

    /// For a device that chooses tokens itself; `None`: the caller reads the logits.
    fn chooser(&mut self, choosing: &Choosing) -> Result<Option<Self::Chooser>>;
    /// Of all tokens only these may be chosen next: a bit each, the first token's the lowest of the first word. Error:
    /// out-of-memory.
    fn restrict(&mut self, chooser: &mut Self::Chooser, allowed: &[u32]) -> Result<()>;
    /// Chooses the tokens that follow each of the last rows of a span of the batch from as many rows of the logits, [rows,
    /// vocabulary], counts them, and sends for their ids. Those rows of the logits are changed. Of one row it is what
    /// [`TokenIds::Chosen`] reads.
    fn choose(
        &mut self,
        logits: &mut Self::Buffer,
        following: Following,
        chooser: &mut Self::Chooser,
    ) -> Result<Self::Reading>;
    /// Their ids have come; none of a row where a logit was no number. Errors: those of `receive`.
    fn chosen(&mut self, reading: Self::Reading) -> impl Future<Output = Result<Vec<Option<u32>>>>;
}

/// How far [`Device::warm_up`] has come, for whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    pub done: std::cell::Cell<usize>,
    pub total: std::cell::Cell<usize>,
}
