//! Models: a [`Spec`], its weights on a device, and what can be asked of them.

pub mod families;
mod forward;
mod generation;
mod part;
mod rope;
mod scoring;
mod session;
mod spec;
mod summary;
mod weights;

pub use generation::{Finish, Generation, Step, Token};
pub use scoring::Scoring;
pub use session::Session;
pub use spec::Spec;
pub use summary::{Memory, Summary};
pub use weights::Assembly;

use crate::device::{CacheType, Device, Projection, Span};
use crate::error::{Code, Error, Result, try_vec};
use forward::{Batch, Scratch, forward};
use weights::Weights;

/// Tokens of a prompt that go through the model at a time. Enough to keep the arithmetic units busy
/// (weights are read once a chunk), few enough that a prompt can be aborted soon.
pub const CHUNK: usize = 64;
/// Rows whose logits are computed at a time: a vocabulary is wide.
const HEAD_ROWS: usize = 16;

/// A decoder on a device.
pub struct Model<D: Device> {
    device: D,
    pub spec: Spec,
    weights: Weights<D>,
    scratch: Scratch<D>,
    /// [HEAD_ROWS, width]
    selected: D::Buffer,
    /// [HEAD_ROWS, vocabulary]
    logits: D::Buffer,
    /// Tokens that a sequence may have.
    pub context: usize,
    cache_type: CacheType,
}

impl<D: Device> Model<D> {
    /// `context`: the model's own where none is given; a longer one is refused with invalid-argument.
    pub fn new(assembly: Assembly<D>, context: Option<usize>, cache_type: CacheType) -> Result<Self> {
        let (mut device, spec, weights) = assembly.finish()?;
        let context = check_context(&spec, context)?;
        Ok(Self {
            scratch: Scratch::new(&mut device, &spec, CHUNK)?,
            selected: device.buffer(HEAD_ROWS * spec.width)?,
            logits: device.buffer(HEAD_ROWS * spec.vocabulary)?,
            device,
            weights,
            context,
            cache_type,
            spec,
        })
    }

    /// An empty sequence.
    pub fn session(&mut self) -> Session<D> {
        Session::new(self.new_cache())
    }

    fn new_cache(&mut self) -> D::Cache {
        let attention = &self.spec.attention;
        self.device.cache(self.spec.layers, attention.kv_heads, attention.head_dim, self.cache_type)
    }

    /// Errors: invalid-argument for ids outside the vocabulary or an empty prompt, context-full.
    pub fn check_tokens(&self, tokens: &[u32]) -> Result<()> {
        if tokens.is_empty() {
            return Err(Error::invalid("empty prompt: at least one token is needed"));
        }
        if let Some(id) = tokens.iter().find(|id| **id as usize >= self.spec.vocabulary) {
            return Err(Error::invalid(format!("token id {id} is outside the vocabulary of {}", self.spec.vocabulary)));
        }
        if tokens.len() > self.context {
            let message = format!("a prompt of {} tokens, but the context holds {}", tokens.len(), self.context);
            return Err(Error::new(Code::ContextFull, message));
        }
        Ok(())
    }

    /// Runs the next tokens of a sequence, at most [`CHUNK`], into its cache.
    pub fn extend(&mut self, session: &mut Session<D>, tokens: &[u32]) -> Result<()> {
        session.reserve(&mut self.device, tokens.len(), self.context)?;
        let span = Span { row: 0, len: tokens.len(), position: session.tokens.len(), cache: 0 };
        let mut batch = Batch { tokens, spans: &[span], caches: std::slice::from_mut(&mut session.cache) };
        let Self { device, spec, weights, scratch, .. } = self;
        forward(device, spec, weights, scratch, &mut batch, &mut |_, _, _, _, _| Ok(()))?;
        session.tokens.extend_from_slice(tokens);
        Ok(())
    }

    /// The logits of one row of the last `extend`, [vocabulary].
    pub fn logits(&mut self, row: usize, out: &mut [f32]) {
        self.logits_of(&[row], out);
    }

    /// The logits of some rows of the last pass, [rows.len(), vocabulary].
    pub fn logits_of(&mut self, rows: &[usize], out: &mut [f32]) {
        let Self { device, spec, weights, scratch, selected, logits, .. } = self;
        for (rows, out) in rows.chunks(HEAD_ROWS).zip(out.chunks_mut(HEAD_ROWS * spec.vocabulary)) {
            device.gather(&scratch.hidden, spec.width, rows, selected);
            let weight = weights.head.as_ref().unwrap_or(&weights.embedding);
            device.project(
                selected,
                rows.len(),
                &mut [Projection { weight, bias: None, out: logits, accumulate: false }],
            );
            device.read(logits, out);
        }
    }

    /// The attention weights of a prompt, [layers, heads, positions, positions], or of one layer.
    /// Errors: invalid-argument, context-full, out-of-memory.
    pub fn attention_maps(&mut self, tokens: &[u32], only: Option<usize>) -> Result<(Vec<f32>, [usize; 4])> {
        self.check_tokens(tokens)?;
        if let Some(layer) = only.filter(|layer| *layer >= self.spec.layers) {
            return Err(Error::invalid(format!("layer {layer}, expected 0 to {}", self.spec.layers - 1)));
        }
        let (rows, heads) = (tokens.len(), self.spec.attention.heads);
        let layers = if only.is_some() { 1 } else { self.spec.layers };
        let len = [heads, rows, rows].iter().try_fold(layers, |len, n| len.checked_mul(*n)).unwrap_or(usize::MAX / 8);
        let mut maps: Vec<f32> = Vec::new();
        maps.try_reserve_exact(len).map_err(|_| {
            Error::new(
                Code::OutOfMemory,
                format!("no memory for the attention maps of {rows} tokens; ask for one layer, or a shorter prompt"),
            )
        })?;
        let mut session = self.session();
        session.reserve(&mut self.device, rows, self.context)?;
        let Self { device, spec, weights, .. } = self;
        let mut scratch = Scratch::new(device, spec, rows)?;
        let span = Span { row: 0, len: rows, position: 0, cache: 0 };
        let mut batch = Batch { tokens, spans: &[span], caches: std::slice::from_mut(&mut session.cache) };
        forward(device, spec, weights, &mut scratch, &mut batch, &mut |device, layer, shape, query, key| {
            if only.is_none_or(|only| only == layer) {
                maps.extend(device.attention_weights(shape, query, key, rows)?);
            }
            Ok(())
        })?;
        Ok((maps, [layers, heads, rows, rows]))
    }

    /// A buffer for one row of logits.
    pub fn logits_buffer(&self) -> Result<Vec<f32>> {
        try_vec(self.spec.vocabulary, "logits")
    }
}

/// The context to use: the model's own where none is asked for.
pub fn check_context(spec: &Spec, asked: Option<usize>) -> Result<usize> {
    match asked {
        None => Ok(spec.context),
        Some(context) if (1..=spec.context).contains(&context) => Ok(context),
        Some(context) => {
            Err(Error::invalid(format!("contextLength {context}, expected 1 to {}, the model's own", spec.context)))
        }
    }
}
