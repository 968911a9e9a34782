//! Decoders: models that make texts token by token.

use super::context_shift::ContextShift;
use super::decoder_rows::DecoderRows;
use super::dense::DenseChain;
use super::encoder::Encoder;
use super::forward::{forward, head};
use super::generation::{GenerateRequest, Generation, Limits};
use super::lora::Lora;
use super::lora_file::LoraFile;
use super::maps::attention_maps;
use super::scratch::Scratch;
use super::session::Session;
use super::spec::Spec;
use super::stack::Weights;
use super::state::{Pool, source_shapes, state_shapes};
use super::weight_loader::WeightLoader;
use crate::device::{CacheType, Device, MOST_CHOICES, Progress, Table, TokenIds};
use crate::error::{Code, Error, Result, try_vec};
use crate::text::{Sampling, TextStream};
use std::ops::Range;
use std::rc::Rc;

/// Rows whose logits are computed at a time: a vocabulary is wide.
pub(super) const HEAD_ROWS: usize = MOST_CHOICES;

/// A decoder on a device.
pub struct Model<D: Device> {
    pub(super) device: D,
    pub spec: Spec,
    pub(super) weights: Weights<D>,
    /// What cross-attention looks at is its output.
    pub(super) encoder: Option<Encoder<D>>,
    pub(super) scratch: Scratch<D>,
    /// [HEAD_ROWS, width]
    pub(super) selected: D::Buffer,
    /// [HEAD_ROWS, vocabulary]
    pub(super) logits: D::Buffer,
    /// Tokens after which a text ends by itself.
    pub context: usize,
    /// Of its weights: see [`LoadedTensors::checksum`](super::loaded::LoadedTensors).
    pub checksum: u64,
    /// Tokens that a sequence may have.
    pub(super) longest: usize,
    /// What is kept of sequences, and of what cross-attention looks at.
    pub(super) pool: Pool<D>,
    pub(super) sources: Pool<D>,
    /// Whether queries and keys are reordered: see [`families::REORDERED`](super::families::REORDERED).
    pub reordered: bool,
    /// What is added to its weights in what it computes now: who has it compute says so before.
    pub lora: Option<Rc<Lora<D>>>,
}

impl<D: Device> Model<D> {
    /// `context`: the model's own where none is given; a longer one is refused with invalid-argument.
    pub async fn new(
        weight_loader: WeightLoader<D>,
        context: Option<usize>,
        cache_type: CacheType,
        progress: &Progress,
    ) -> Result<Self> {
        let (mut device, plan, loaded) = weight_loader.finish()?;
        let checksum = loaded.checksum;
        let mut weights = loaded.weights(&mut device, plan.specs())?;
        let encoder = (weights.len() > 1)
            .then(|| Encoder::new(plan.stacks[1].spec.clone(), weights.remove(1), DenseChain::default()));
        let (spec, weights) = (plan.spec().clone(), weights.remove(0));
        let longest = context.unwrap_or(spec.longest());
        let context = check_context(&spec, context)?;
        let mut model = Self {
            scratch: Scratch::new(&mut device, &spec, Scratch::<D>::most_rows(&spec))?,
            selected: device.buffer(HEAD_ROWS * spec.width)?,
            logits: device.buffer(HEAD_ROWS * spec.vocabulary())?,
            encoder,
            device,
            weights,
            context,
            checksum,
            longest,
            pool: Pool::new(&state_shapes(&spec), cache_type),
            sources: Pool::new(&source_shapes(&spec), cache_type),
            reordered: plan.reordered,
            lora: None,
            spec,
        };
        model.device.sync().await?;
        model.warm_up(progress).await?;
        Ok(model)
    }

    /// Lets the device get ready for batches of every size.
    async fn warm_up(&mut self, progress: &Progress) -> Result<()> {
        let source = self.warm_up_source().await?;
        let context = self.context;
        let Self { device, spec, weights, encoder, scratch, selected, logits, pool, sources, lora, .. } = self;
        let mut table = Table::default();
        // Of more rows there are several texts, so that none takes more of the cache than it will have to.
        let each = D::CHUNK.min(context);
        pool.reserve(device, &mut table, 0..each, context).await?;
        let steps = |device: &mut D| {
            if let (Some(encoder), Some(source)) = (encoder.as_mut(), source.as_ref()) {
                source.warm_up(device, spec, weights, encoder, sources)?;
            }
            let mut most = Scratch::<D>::most_rows(spec);
            while most > 0 {
                let (texts, of_each) = ((most / each).max(1), most.min(each));
                let (len, mut rows) = (texts * of_each, DecoderRows::default());
                let tokens = vec![0; len];
                (0..texts).for_each(|_| rows.push(0..of_each, of_each, &table, source.as_ref()));
                let mut batch = rows.batch(TokenIds::Known(&tokens), &mut pool.state, &sources.state, lora.as_deref());
                forward(device, spec, weights, scratch, &mut batch)?;
                let few = len.min(HEAD_ROWS);
                device.gather_mean(&scratch.hidden, spec.width, &vec![0..1; few], selected);
                head(device, spec, weights, selected, few, logits);
                most /= 2;
            }
            Ok(())
        };
        device.warm_up(progress, steps).await
    }

    /// An adapter of what a file holds, which is none's until it is set. Errors: out-of-memory, device-lost.
    pub async fn adapter(&mut self, file: LoraFile) -> Result<Rc<Lora<D>>> {
        let lora = Rc::new(Lora::new(&mut self.device, &self.spec, &file)?);
        let rows = Scratch::<D>::most_rows(&self.spec);
        self.scratch.adapt(&mut self.device, &self.spec, rows, lora.rank)?;
        self.device.sync().await?;
        self.lora = Some(lora.clone());
        let warm = self.warm_up(&Progress::default()).await;
        self.lora = None;
        warm.map(|()| lora)
    }

    /// An empty sequence.
    pub fn session(&self) -> Session {
        Session::default()
    }

    /// Makes room for a sequence's next tokens. Error: out-of-memory; what the session has stays.
    pub(super) async fn reserve(&mut self, session: &mut Session, positions: Range<usize>) -> Result<()> {
        self.pool.reserve(&mut self.device, &mut session.table, positions, self.context).await
    }

    /// Errors: invalid-argument for ids outside the vocabulary or an empty prompt, context-full.
    pub fn check_tokens(&self, tokens: &[u32]) -> Result<()> {
        self.check_ids(tokens)?;
        if tokens.len() > self.longest {
            let message = format!("a prompt of {} tokens, but the context holds {}", tokens.len(), self.longest);
            return Err(Error::new(Code::ContextFull, message));
        }
        Ok(())
    }

    fn check_ids(&self, tokens: &[u32]) -> Result<()> {
        if tokens.is_empty() {
            return Err(Error::invalid("empty prompt: at least one token is needed"));
        }
        if let Some(id) = tokens.iter().find(|id| **id as usize >= self.spec.vocabulary()) {
            return Err(Error::invalid(format!(
                "token id {id} is outside the vocabulary of {}",
                self.spec.vocabulary()
            )));
        }
        Ok(())
    }

    /// Where a sequence has more tokens than that, its angles are others: LongRoPE.
    pub(super) fn turning_point(&self) -> Option<usize> {
        self.weights.ropes.iter().filter_map(|rope| rope.beyond.as_ref()).map(|(most, _)| *most).min()
    }

    /// How many tokens follow a prompt, where so many were asked for. The last token's logits choose one more than the
    /// context holds.
    pub(super) fn room(&self, prompt: usize, asked: Option<usize>) -> usize {
        match asked {
            Some(asked) => asked.min(self.longest + 1 - prompt),
            None => (self.context + 1).saturating_sub(prompt).max(1),
        }
    }

    /// A text to be made. Errors: invalid-argument for ids outside the vocabulary, an empty prompt, or more to keep than
    /// leaves anything to go; context-full, where nothing goes.
    pub fn generation(
        &self,
        asked: GenerateRequest,
        sampling: Sampling,
        stream: Option<TextStream>,
        ends: &[u32],
        seed: u64,
    ) -> Result<Generation> {
        let shift = sampling.keep.map(|keep| ContextShift::new(keep, self.context)).transpose()?;
        let max_tokens = match shift {
            Some(_) => {
                self.check_ids(&asked.prompt)?;
                sampling.max_tokens.unwrap_or(usize::MAX)
            }
            None => {
                self.check_tokens(&asked.prompt)?;
                self.room(asked.prompt.len(), sampling.max_tokens)
            }
        };
        if let Some(source) = &asked.source {
            self.check_source(source)?;
        }
        let (vocabulary, turning_point) = (self.spec.vocabulary(), self.turning_point());
        let limits = Limits { vocabulary, max_tokens, turning_point, shift };
        Ok(Generation::new(asked, sampling, limits, stream, ends, seed))
    }

    /// Rows of a prompt that should go through at a time now: what the device says, as far as there is room for.
    pub fn chunk(&self) -> usize {
        self.device.chunk().min(Scratch::<D>::most_rows(&self.spec))
    }

    /// Runs the next tokens of a sequence, at most [`Model::chunk`], into its cache.
    /// After an error the session has only what was computed before beyond doubt.
    pub async fn extend(&mut self, session: &mut Session, tokens: &[u32]) -> Result<()> {
        let extended = self.try_extend(session, tokens).await;
        if extended.is_err() {
            session.forget_unsure();
        }
        extended
    }

    async fn try_extend(&mut self, session: &mut Session, tokens: &[u32]) -> Result<()> {
        self.reserve(session, session.len()..session.len() + tokens.len()).await?;
        self.run(session, session.len(), tokens)?;
        session.begin(tokens);
        let unfinished = self.device.sync().await?;
        session.settled_but(unfinished);
        Ok(())
    }

    /// Runs tokens that stand at `position` of their sequence.
    pub(super) fn run(&mut self, session: &mut Session, position: usize, tokens: &[u32]) -> Result<()> {
        let Self { device, spec, weights, scratch, pool, sources, lora, .. } = self;
        let (mut rows, end) = (DecoderRows::default(), position + tokens.len());
        rows.push(position..end, end, &session.table, session.source.as_ref());
        let mut batch = rows.batch(TokenIds::Known(tokens), &mut pool.state, &sources.state, lora.as_deref());
        forward(device, spec, weights, scratch, &mut batch)
    }

    /// The logits of some rows of the last pass, [rows.len(), vocabulary].
    pub async fn logits_of(&mut self, rows: &[usize], out: &mut [f32]) -> Result<()> {
        let Self { device, spec, weights, scratch, selected, logits, .. } = self;
        for (rows, out) in rows.chunks(HEAD_ROWS).zip(out.chunks_mut(HEAD_ROWS * spec.vocabulary())) {
            let runs: Vec<Range<usize>> = rows.iter().map(|row| *row..row + 1).collect();
            device.gather_mean(&scratch.hidden, spec.width, &runs, selected);
            head(device, spec, weights, selected, rows.len(), logits);
            let reading = device.send(logits, out.len())?;
            device.receive(reading, out).await?;
        }
        Ok(())
    }

    /// The attention weights of a prompt, [layers, heads, positions, positions], or of one layer.
    /// Errors: invalid-argument, context-full, out-of-memory.
    pub async fn attention_maps(&mut self, tokens: &[u32], only: Option<usize>) -> Result<(Vec<f32>, [usize; 4])> {
        self.check_tokens(tokens)?;
        let Self { device, spec, weights, lora, .. } = self;
        attention_maps(device, spec, weights, lora.as_deref(), tokens, only).await
    }

    /// A buffer for one row of logits.
    pub fn logits_buffer(&self) -> Result<Vec<f32>> {
        try_vec(self.spec.vocabulary(), "logits")
    }
}

/// The context to use: the model's own where none is asked for.
pub fn check_context(spec: &Spec, asked: Option<usize>) -> Result<usize> {
    match asked {
        None => Ok(spec.context()),
        Some(context) if (1..=spec.context()).contains(&context) => Ok(context),
        Some(context) => {
            Err(Error::invalid(format!("contextLength {context}, expected 1 to {}, the model's own", spec.context())))
        }
    }
}
