//! The forward pass: one for every family, on every device.

use super::lora::{BlockLora, Lora};
use super::role::Role;
use super::scratch::Scratch;
use super::spec::{self, Mixer, Positions, QkNorm, Residual, ShortConv, Spec, StackInput};
use super::stack::{InputTensors, ScoreBiasTensors, TokenTensors, Weights};
use super::tensors::{
    AttentionTensors, BlockTensors, Branch, DenseTensors, FeedForwardTensors, MixerTensors, NormTensors,
    ShortConvTensors,
};
use crate::device::{
    self, AttentionShape, CachedAttention, Device, ExpertLinear, Input, KeyRows, Linear, PositionBias, Projection, Qkv,
    RopePairs, Seen, Span, Table, TokenIds,
};
use crate::error::{Code, Error, Result};
use std::mem::swap;
use std::ops::Range;

/// What a batch's rows are before the first block.
pub enum Entering<'a, D: Device> {
    Tokens {
        tokens: TokenIds<'a, D>,
        /// Which kind each is of; empty: all of the first.
        types: &'a [u32],
        /// The embedding table, where it is the other stack's.
        table: Option<&'a D::Matrix>,
    },
    /// Those of images of one size.
    Patches {
        /// [rows, columns of a patch]
        patches: &'a D::Buffer,
        /// What every image's tokens begin with, [tokens of an image, width].
        table: &'a D::Buffer,
    },
}

/// The rows of one pass, which continue one or more sequences.
pub struct Batch<'a, D: Device> {
    pub entering: Entering<'a, D>,
    /// Tokens that each span's sequence is known to have: see [`Angles::set`].
    pub lengths: &'a [usize],
    pub rows: Rows<'a, D>,
}

/// Rows that go through the blocks, and what they see of their sequences.
pub struct Rows<'a, D: Device> {
    pub spans: &'a [Span],
    /// Where their sequences are kept.
    pub tables: &'a [&'a Table],
    pub state: &'a mut D::State,
    /// Where only some rows of the result are wanted: the last block's feed-forward network is spared the others, and the
    /// result is in `scratch.kept`. Empty: all.
    pub kept: &'a [Range<usize>],
    /// What cross-attention looks at.
    pub across: Option<CrossStates<'a, D>>,
    /// What is added to the products.
    pub lora: Option<&'a Lora<D>>,
    /// Who looks on.
    pub watch: Option<&'a mut AttentionHook<'a, D>>,
}

/// An encoder's output as keys and values, in all layers of a decoder.
pub struct CrossStates<'a, D: Device> {
    /// The same rows as the batch's spans, with the keys of their sources.
    pub spans: &'a [Span],
    pub tables: &'a [&'a Table],
    pub state: &'a D::State,
}

impl<'a, D: Device> Rows<'a, D> {
    pub fn new(spans: &'a [Span], tables: &'a [&'a Table], state: &'a mut D::State) -> Self {
        Self { spans, tables, state, kept: &[], across: None, lora: None, watch: None }
    }

    /// Where the keys of these spans are, those of rows that go through a stack's blocks.
    pub fn places(&self, dev: &mut D, spec: &Spec, spans: &[Span]) -> D::Places {
        if spec.sees_own_rows() {
            let first: Vec<usize> = self.spans.iter().map(|span| span.row).collect();
            return dev.places(spans, KeyRows::Own(&first));
        }
        dev.places(spans, KeyRows::Kept(self.tables))
    }

    fn count(&self) -> usize {
        self.spans.iter().map(|span| span.len).sum()
    }
}

/// What looks on while a pass runs: called for each layer with its number, and the rotated queries and keys.
pub type AttentionHook<'a, D> =
    dyn FnMut(&mut D, usize, &CachedAttention<D>, &<D as Device>::Buffer, &<D as Device>::Buffer) -> Result<()> + 'a;

/// Runs a batch through all blocks; the result, before the final norm, is in `scratch.hidden`, [rows, width].
pub fn forward<D: Device>(
    dev: &mut D,
    spec: &Spec,
    weights: &Weights<D>,
    s: &mut Scratch<D>,
    batch: &mut Batch<D>,
) -> Result<()> {
    s.angles.set(&weights.ropes, batch.rows.spans, batch.lengths);
    dev.begin(batch.rows.spans, s.angles.rotations());
    enter(dev, spec, weights, s, batch)?;
    blocks(dev, spec, weights, s, &mut batch.rows)
}

/// hidden = norm(what enters)
fn enter<D: Device>(
    dev: &mut D,
    spec: &Spec,
    weights: &Weights<D>,
    s: &mut Scratch<D>,
    batch: &Batch<D>,
) -> Result<()> {
    let (rows, spans) = (batch.rows.count(), batch.rows.spans);
    match (&spec.input, &weights.input, &batch.entering) {
        (StackInput::Tokens(spec), InputTensors::Tokens(input), Entering::Tokens { tokens, types, table }) => {
            let table = input.table.as_ref().or(*table);
            let table = table.ok_or_else(|| Error::new(Code::Internal, "a model of tokens without a table of them"))?;
            dev.embed(table, tokens, spec.scale, false, &mut s.hidden);
            add_positions(dev, spec, input, types, spans, &mut s.hidden);
        }
        (_, InputTensors::Patches(input), Entering::Patches { patches, table }) => {
            let tokens = spans.first().map_or(1, |span| span.len);
            let places: Vec<Range<usize>> = (0..rows).map(|row| row % tokens..row % tokens + 1).collect();
            dev.gather_mean(table, spec.width, &places, &mut s.hidden);
            let (x, weight, out) = (Input { x: *patches, rows, norm: None }, &input.projection, &mut s.hidden);
            dev.project(&x, &mut [Projection { weight, bias: None, scale: None, out, accumulate: true }]);
        }
        _ => return Err(Error::new(Code::Internal, "rows of another kind than the model's")),
    }
    if let Some(norm) = &weights.input_norm {
        norm_hidden(dev, spec, norm, s, rows);
    }
    Ok(())
}

/// hidden += positions[position] + types[type]
fn add_positions<D: Device>(
    dev: &mut D,
    spec: &spec::Tokens,
    input: &TokenTensors<D>,
    types: &[u32],
    spans: &[Span],
    hidden: &mut D::Buffer,
) {
    let positions = spans.iter().flat_map(|span| span.position..span.position + span.len);
    let first = if let Positions::Learned { offset } = spec.positions { offset } else { 0 };
    let ids: Vec<u32> = positions.map(|position| (first + position) as u32).collect();
    if let Some(table) = &input.positions {
        dev.embed(table, &TokenIds::Known(&ids), 1.0, true, hidden);
    }
    if let Some(table) = &input.types {
        let first = vec![0; ids.len()];
        let types = if types.is_empty() { &first } else { types };
        dev.embed(table, &TokenIds::Known(types), 1.0, true, hidden);
    }
}

/// hidden = norm(hidden)
fn norm_hidden<D: Device>(dev: &mut D, spec: &Spec, norm: &NormTensors<D>, s: &mut Scratch<D>, rows: usize) {
    let input = Input { x: &s.hidden, rows, norm: Some(norm.of(spec)) };
    dev.norm(&input, spec.width, false, &mut s.branch);
    swap(&mut s.hidden, &mut s.branch);
}

/// Runs what is in `scratch.hidden` through all blocks.
fn blocks<D: Device>(
    dev: &mut D,
    spec: &Spec,
    weights: &Weights<D>,
    s: &mut Scratch<D>,
    rows: &mut Rows<D>,
) -> Result<()> {
    let places = rows.places(dev, spec, rows.spans);
    let across = rows.across.as_ref();
    let across = across.map(|across| (dev.places(across.spans, KeyRows::Kept(across.tables)), across.state));
    for (index, (block, tensors)) in spec.blocks.iter().zip(&weights.blocks).enumerate() {
        let lora = rows.lora.map(|lora| lora.block(index)).unwrap_or_default();
        let block = BlockPass { spec, block, index, tensors, bias: &weights.score_bias, lora };
        let (count, residual) = (rows.count(), block.block.residual);
        if let Residual::Parallel { .. } = residual {
            block.activate(dev, s, count);
            block.mix(dev, s, rows, &places)?;
            block.join_feed_forward(dev, s, count);
            continue;
        }
        block.mix(dev, s, rows, &places)?;
        if let Some((places, state)) = &across {
            block.cross_attention(dev, s, count, (places, state));
        }
        let spared = matches!(residual, Residual::PreNorm { .. }) && index + 1 == spec.layers();
        if spared && !rows.kept.is_empty() {
            dev.gather_mean(&s.hidden, spec.width, rows.kept, &mut s.kept);
            swap(&mut s.hidden, &mut s.kept);
            block.feed_forward(dev, s, rows.kept.len());
            swap(&mut s.hidden, &mut s.kept);
            return Ok(());
        }
        block.feed_forward(dev, s, count);
    }
    if !rows.kept.is_empty() {
        dev.gather_mean(&s.hidden, spec.width, rows.kept, &mut s.kept);
    }
    Ok(())
}

/// logits = head(norm(hidden)), [rows, vocabulary].
pub fn head<D: Device>(
    dev: &mut D,
    spec: &Spec,
    weights: &Weights<D>,
    hidden: &D::Buffer,
    rows: usize,
    out: &mut D::Buffer,
) {
    let input = Input { x: hidden, rows, norm: weights.output_norm.as_ref().map(|norm| norm.of(spec)) };
    let bias = weights.head.bias.as_ref();
    match (&weights.head.output, weights.table()) {
        (Some(head), _) => dev.project(&input, &mut [Projection { bias: head.bias.as_ref().or(bias), ..head.to(out) }]),
        (None, Some(weight)) => {
            dev.project(&input, &mut [Projection { weight, bias, scale: None, out, accumulate: false }]);
        }
        (None, None) => {}
    }
    if let Some(cap) = spec.vocabulary_head().and_then(|head| head.soft_cap) {
        dev.soft_cap(out, rows * spec.vocabulary(), cap);
    }
}

/// Keeps an encoder's output for the cross-attention of all layers. `hidden`: after the encoder's norm, the
/// first `rows` rows, which belong at those places. Error: out-of-memory.
pub fn store_across<D: Device>(
    dev: &mut D,
    spec: &Spec,
    weights: &Weights<D>,
    hidden: &D::Buffer,
    (places, rows): (&D::Places, usize),
    state: &mut D::State,
) -> Result<()> {
    let crosses = || spec.blocks.iter().map(|block| &block.cross);
    let keys = rows * crosses().flatten().map(spec::Attention::keys).max().unwrap_or(0);
    let (mut query, mut key, mut value) = (dev.buffer(0)?, dev.buffer(keys)?, dev.buffer(keys)?);
    for (index, (cross, tensors)) in crosses().zip(&weights.blocks).enumerate() {
        let (Some(cross), Some((_, tensors))) = (cross, &tensors.cross) else { continue };
        // Queries come later.
        let shape = AttentionShape { heads: 0, ..cross.shape() };
        let input = Input { x: hidden, rows, norm: None };
        dev.project(&input, &mut [tensors.key.to(&mut key), tensors.value.to(&mut value)]);
        let (query, key, value) = (&mut query, &mut key, &value);
        let mut heads = Qkv { query, key, value, norms: None, turn: None, pairs: RopePairs::HalfSplit };
        dev.rope_and_cache(index, &shape, &mut heads, places, state);
    }
    Ok(())
}

/// One block on its way.
pub struct BlockPass<'a, D: Device> {
    pub spec: &'a Spec,
    pub block: &'a spec::Block,
    pub index: usize,
    pub tensors: &'a BlockTensors<D>,
    /// Of all blocks' scores.
    pub bias: &'a ScoreBiasTensors<D>,
    pub lora: BlockLora<'a, D>,
}

impl<D: Device> BlockPass<'_, D> {
    /// hidden = residual(hidden, mixer(norm(hidden)))
    fn mix(&self, dev: &mut D, s: &mut Scratch<D>, rows: &mut Rows<D>, places: &D::Places) -> Result<()> {
        match (&self.block.mixer, &self.tensors.mixer) {
            (Mixer::Attention(attention), MixerTensors::Attention(weights)) => {
                self.attention((attention, weights), dev, s, rows, places)
            }
            (Mixer::ShortConv(conv), MixerTensors::ShortConv(weights)) => {
                self.convolve((conv, weights), dev, s, rows, places);
                Ok(())
            }
            _ => Err(Error::new(Code::Internal, "a block's tensors are of another mixer")),
        }
    }

    /// output(attention(query, key, value of norm(hidden)))
    fn attention(
        &self,
        (attention, weights): (&spec::Attention, &AttentionTensors<D>),
        dev: &mut D,
        s: &mut Scratch<D>,
        rows: &mut Rows<D>,
        places: &D::Places,
    ) -> Result<()> {
        let (spec, branch) = (self.spec, &self.tensors.mixer_branch);
        let (count, shape) = (rows.count(), attention.shape());
        let input = Input { x: &s.hidden, rows: count, norm: branch.norm(spec) };
        let (query, key, value) = (&weights.query, &weights.key, &weights.value);
        dev.project(&input, &mut [query.to(&mut s.query), key.to(&mut s.key), value.to(&mut s.value)]);
        for (role, out) in [(Role::Query, &mut s.query), (Role::Key, &mut s.key), (Role::Value, &mut s.value)] {
            self.lora.add(role, dev, &input, &mut s.low, None, out);
        }
        self.norm_whole(dev, attention, weights, s, count);
        let mut heads = Qkv {
            query: &mut s.query,
            key: &mut s.key,
            value: &s.value,
            norms: weights.each_head(spec, attention),
            turn: weights.rope,
            pairs: attention.rope.as_ref().map_or(RopePairs::HalfSplit, |rope| rope.pairs),
        };
        let bias = match self.bias {
            ScoreBiasTensors::None => PositionBias::None,
            ScoreBiasTensors::Slopes(slopes) => PositionBias::Linear(slopes),
            ScoreBiasTensors::Table { table, reach } => PositionBias::Table { table, reach: *reach },
        };
        let cached =
            CachedAttention { layer: spec.cache_layer(self.index), shape, bias, sinks: weights.sinks.as_ref() };
        let kept = !spec.sees_own_rows();
        if kept && rows.watch.is_none() {
            dev.keep_and_attend(&cached, &mut heads, places, rows.state, &mut s.attended);
        } else {
            if kept {
                dev.rope_and_cache(cached.layer, &shape, &mut heads, places, rows.state);
            }
            if let Some(watch) = &mut rows.watch {
                watch(dev, self.index, &cached, &s.query, &s.key)?;
            }
            let seen = if kept { Seen::Kept(rows.state) } else { Seen::Own { key: &s.key, value: &s.value } };
            dev.attend(&cached, &s.query, places, seen, &mut s.attended);
        }
        self.join(dev, branch, Made::Attended(&weights.output, Role::Output), s, count);
        Ok(())
    }

    /// output(c · conv(b · x)), b, c, x = input(norm(hidden))
    fn convolve(
        &self,
        (conv, weights): (&ShortConv, &ShortConvTensors<D>),
        dev: &mut D,
        s: &mut Scratch<D>,
        rows: &mut Rows<D>,
        places: &D::Places,
    ) {
        let (count, branch) = (rows.count(), &self.tensors.mixer_branch);
        let input = Input { x: &s.hidden, rows: count, norm: branch.norm(self.spec) };
        dev.project(&input, &mut [weights.input.to(&mut s.activated)]);
        self.lora.add(Role::ConvInput, dev, &input, &mut s.low, None, &mut s.activated);
        let layer = self.spec.cache_layer(self.index);
        let (taps, weight, bias) = (conv.taps, &weights.taps, weights.bias.as_ref());
        let conv = device::CachedConv { layer, width: self.spec.width, taps, weight, bias };
        dev.short_conv(&conv, &s.activated, places, rows.state, &mut s.attended);
        self.join(dev, branch, Made::Attended(&weights.output, Role::ConvOutput), s, count);
    }

    /// query, key = norm(query), norm(key), of all heads together.
    fn norm_whole(
        &self,
        dev: &mut D,
        attention: &spec::Attention,
        weights: &AttentionTensors<D>,
        s: &mut Scratch<D>,
        rows: usize,
    ) {
        let Some([query, key]) = &weights.qk_norms else { return };
        if attention.qk_norm != QkNorm::All {
            return;
        }
        let input = Input { x: &s.query, rows, norm: Some(query.of(self.spec)) };
        dev.norm(&input, attention.queries(), false, &mut s.attended);
        swap(&mut s.query, &mut s.attended);
        let input = Input { x: &s.key, rows, norm: Some(key.of(self.spec)) };
        dev.norm(&input, attention.keys(), false, &mut s.normed_key);
        swap(&mut s.key, &mut s.normed_key);
    }

    /// The same with the keys and values of the encoder's output.
    fn cross_attention(&self, dev: &mut D, s: &mut Scratch<D>, count: usize, (places, state): (&D::Places, &D::State)) {
        let (Some(cross), Some((branch, weights))) = (&self.block.cross, &self.tensors.cross) else { return };
        let input = Input { x: &s.hidden, rows: count, norm: branch.norm(self.spec) };
        dev.project(&input, &mut [weights.query.to(&mut s.query)]);
        let cached = CachedAttention { layer: self.index, shape: cross.shape(), bias: PositionBias::None, sinks: None };
        dev.attend(&cached, &s.query, places, Seen::Kept(state), &mut s.attended);
        self.join(dev, branch, Made::Attended(&weights.output, Role::CrossOutput), s, count);
    }

    /// hidden = residual(hidden, down(activation(gate(norm(hidden))) · up(norm(hidden)))), or without a gate
    /// down(activation(up(norm(hidden)))).
    pub fn feed_forward(&self, dev: &mut D, s: &mut Scratch<D>, rows: usize) {
        self.activate(dev, s, rows);
        self.join_feed_forward(dev, s, rows);
    }

    fn activate(&self, dev: &mut D, s: &mut Scratch<D>, rows: usize) {
        let (spec, BlockTensors { mixer_branch, feed_forward_branch, .. }) = (self.spec, self.tensors);
        let norm = || match self.block.residual {
            Residual::Parallel { shared_norm: true } => mixer_branch.norm(spec),
            _ => feed_forward_branch.norm(spec),
        };
        let (network, Scratch { hidden, activated, scores, routes, low, ungated, .. }) = (&self.block.feed_forward, s);
        let input = || Input { x: hidden, rows, norm: norm() };
        match &self.tensors.feed_forward {
            FeedForwardTensors::Dense(weights) if self.lora.has(Role::Gate) || self.lora.has(Role::Up) => {
                self.activate_adapted(dev, weights, &input(), [activated, ungated, low]);
            }
            FeedForwardTensors::Dense(weights) => {
                dev.project_activated(&input(), weights.gate.as_ref(), &weights.up, network.activation, activated);
            }
            FeedForwardTensors::Experts(weights) => {
                let routing = network.routing();
                dev.project(&input(), &mut [weights.router.to(scores)]);
                dev.route(scores, rows, &routing, routes);
                let (gate, up) = (&weights.gate, &weights.up);
                dev.project_experts(&input(), gate, up, network.gating(), routes, routing.used, activated);
            }
        }
    }

    /// The same, where something is added to the products before they are activated.
    #[inline(never)] // Few have an adapter.
    fn activate_adapted(
        &self,
        dev: &mut D,
        weights: &DenseTensors<D>,
        input: &Input<D>,
        [activated, ungated, low]: [&mut D::Buffer; 3],
    ) {
        let network = &self.block.feed_forward;
        let len = input.rows * network.width;
        let Some(gate) = &weights.gate else {
            dev.project(input, &mut [weights.up.to(activated)]);
            self.lora.add(Role::Up, dev, input, low, None, activated);
            return dev.activate(activated, None, len, network.activation);
        };
        dev.project(input, &mut [gate.to(activated), weights.up.to(ungated)]);
        self.lora.add(Role::Gate, dev, input, low, None, activated);
        self.lora.add(Role::Up, dev, input, low, None, ungated);
        dev.activate(activated, Some(ungated), len, network.activation);
    }

    fn join_feed_forward(&self, dev: &mut D, s: &mut Scratch<D>, rows: usize) {
        let made = match &self.tensors.feed_forward {
            FeedForwardTensors::Dense(weights) => Made::Activated(&weights.down, Role::Down),
            FeedForwardTensors::Experts(weights) => Made::ByExperts(&weights.down),
        };
        self.join(dev, &self.tensors.feed_forward_branch, made, s, rows);
    }

    /// hidden = residual(hidden, what a branch has made)
    fn join(&self, dev: &mut D, branch: &Branch<D>, made: Made<D>, s: &mut Scratch<D>, rows: usize) {
        let Scratch { hidden, branch: result, attended, activated, routes, low, .. } = s;
        let inside = matches!(self.block.residual, Residual::Sandwich | Residual::InnerNorm);
        let (out, accumulate) = if inside { (&mut *result, false) } else { (&mut *hidden, true) };
        let (x, linear) = match made {
            Made::Attended(linear, role) => (attended, Some((linear, role))),
            Made::Activated(linear, role) => (activated, Some((linear, role))),
            Made::ByExperts(down) => {
                let used = self.block.feed_forward.routing().used;
                dev.project_experts_down(activated, rows, down, routes, used, accumulate, out);
                (activated, None)
            }
        };
        if let Some((linear, role)) = linear {
            let (input, scale) = (Input { x, rows, norm: None }, branch.scale.as_ref());
            dev.project(&input, &mut [Projection { scale, accumulate, ..linear.to(out) }]);
            self.lora.add(role, dev, &input, low, scale, out);
        }
        match &branch.after {
            Some(norm) if inside => {
                let input = Input { x: result, rows, norm: Some(norm.of(self.spec)) };
                dev.norm(&input, self.spec.width, true, hidden);
            }
            Some(norm) => norm_hidden(dev, self.spec, norm, s, rows),
            None => {}
        }
    }
}

/// What a branch has made, and the product that brings it back to the hidden state.
enum Made<'a, D: Device> {
    Attended(&'a Linear<D>, Role),
    Activated(&'a Linear<D>, Role),
    ByExperts(&'a ExpertLinear<D>),
}
