//! A pass of a model of images: what it needs, and its way from pixels to what is asked.

use super::forward::{Rows, Scratch, Watch, begin, blocks, norm_hidden};
use super::head::PoolTensors;
use super::spec::{Head, Pooling, Spec};
use super::stack::{InputTensors, Weights};
use super::state::Pool;
use crate::device::{
    Attention, AttentionShape, Device, Heads, Input, Patching, PositionBias, Projection, RopePairs, Span, Table,
};
use crate::error::{Result, try_vec};
use std::ops::Range;

/// What a pass needs for as many images of one size.
pub struct Workspace<D: Device> {
    pub patching: Patching,
    pub images: usize,
    /// [images, channels, height, width]
    pub pixels: D::Buffer,
    /// [images, tokens, columns of a patch]
    pub patches: D::Buffer,
    /// What every image's tokens begin with, [tokens, width].
    pub table: D::Buffer,
    pub scratch: Scratch<D>,
    /// [images, tokens, width]
    pub normed: D::Buffer,
    /// [images, what the head reads]
    pub pooled: D::Buffer,
    /// [images, classes] of both heads.
    pub logits: [D::Buffer; 2],
    /// Keys and values of one layer, an image's each.
    pub pool: Pool<D>,
    pub tables: Vec<Table>,
}

impl<D: Device> Workspace<D> {
    /// The logits that `classify` has made: those of two classifiers are averaged.
    pub async fn logits(&self, device: &mut D, both: bool, out: &mut [f32]) -> Result<()> {
        let first = device.send(&self.logits[0], out.len())?;
        if !both {
            return device.receive(first, out).await;
        }
        let (second, mut others) = (device.send(&self.logits[1], out.len())?, vec![0.0; out.len()]);
        device.receive(first, out).await?;
        device.receive(second, &mut others).await?;
        out.iter_mut().zip(others).for_each(|(out, other)| *out = (*out + other) / 2.0);
        Ok(())
    }

    /// The attention weights of the first image in all layers or one: `take` gets each layer's [heads, tokens, tokens].
    pub async fn maps(
        &mut self,
        device: &mut D,
        spec: &Spec,
        weights: &Weights<D>,
        only: Option<usize>,
        mut take: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        let tokens = self.patching.tokens();
        let len = spec.attention().heads.saturating_mul(tokens).saturating_mul(tokens);
        let mut map: Vec<f32> = try_vec(len, "an attention map")?;
        let mut readings = Vec::new();
        self.encode(device, spec, weights, 1, &[], &mut |device, layer, attention, query, key| {
            if only.is_none_or(|only| only == layer) {
                let weights = device.attention_weights(attention, query, key, tokens)?;
                readings.push((layer, device.send(&weights, len)?));
            }
            Ok(())
        })?;
        for (layer, reading) in readings {
            device.receive(reading, &mut map).await?;
            take(layer, &map);
        }
        Ok(())
    }

    /// Runs the images whose pixels are there through all blocks and the last norm, into `normed`: all rows, or those
    /// that are to be kept.
    pub fn encode(
        &mut self,
        device: &mut D,
        spec: &Spec,
        weights: &Weights<D>,
        images: usize,
        kept: &[Range<usize>],
        watch: &mut Watch<D>,
    ) -> Result<()> {
        let InputTensors::Patches(input) = &weights.input else { return Ok(()) };
        let tokens = self.patching.tokens();
        let spans = each_image(images, tokens);
        begin(device, weights, &mut self.scratch, &spans, &[]);
        device.patches(&self.pixels, images, &self.patching, &mut self.patches);
        let places: Vec<Range<usize>> = (0..images * tokens).map(|row| row % tokens..row % tokens + 1).collect();
        let hidden = &mut self.scratch.hidden;
        device.pool(&self.table, spec.width, &places, hidden);
        let rows = images * tokens;
        let x = Input { x: &self.patches, rows, norm: None };
        let weight = &input.projection;
        device.project(&x, &mut [Projection { weight, bias: None, scale: None, out: hidden, accumulate: true }]);
        if let Some(norm) = &weights.input_norm {
            norm_hidden(device, spec, norm, &mut self.scratch, rows);
        }
        let tables: Vec<&Table> = self.tables.iter().collect();
        let mut through = Rows { kept, ..Rows::new(&spans, &tables, &mut self.pool.state) };
        blocks(device, spec, weights, &mut self.scratch, &mut through, watch)?;
        let (x, rows) = match kept.len() {
            0 => (&self.scratch.hidden, rows),
            kept => (&self.scratch.kept, kept),
        };
        let hidden = Input { x, rows, norm: weights.output_norm.as_ref().map(|norm| norm.of(spec)) };
        device.norm(&hidden, spec.width, false, &mut self.normed);
        Ok(())
    }

    /// The classifiers' logits of the images whose pixels are there.
    pub fn classify(&mut self, device: &mut D, spec: &Spec, weights: &Weights<D>, images: usize) -> Result<()> {
        let (Head::Classes(classes), Some(head)) = (&spec.head, &weights.head.output) else { return Ok(()) };
        let pooling = classes.pooling;
        let (tokens, before) = (self.patching.tokens(), self.patching.before);
        let token = |index: usize| move |image: usize| image * tokens + index..image * tokens + index + 1;
        let of_all = |index: usize| (0..images).map(token(index));
        // The rows that the heads read, where they are few.
        let kept: Vec<Range<usize>> = match pooling {
            Pooling::ClassToken => of_all(0).collect(),
            Pooling::BothTokens => of_all(0).chain(of_all(1)).collect(),
            _ => Vec::new(),
        };
        self.encode(device, spec, weights, images, &kept, &mut |_, _, _, _, _| Ok(()))?;
        let mut x = &self.normed;
        if pooling == Pooling::ClassTokenAndMean {
            let patches = |image: usize| image * tokens + before..(image + 1) * tokens;
            let runs: Vec<Range<usize>> = (0..images).flat_map(|image| [token(0)(image), patches(image)]).collect();
            device.pool(&self.normed, spec.width, &runs, &mut self.pooled);
            x = &self.pooled;
        }
        device.project(&Input { x, rows: images, norm: None }, &mut [head.to(&mut self.logits[0])]);
        if let Some(second) = &weights.head.distillation {
            let runs: Vec<Range<usize>> = (images..2 * images).map(|row| row..row + 1).collect();
            device.pool(&self.normed, spec.width, &runs, &mut self.pooled);
            let input = Input { x: &self.pooled, rows: images, norm: None };
            device.project(&input, &mut [second.to(&mut self.logits[1])]);
        }
        Ok(())
    }

    /// One vector of each image whose pixels are there, in `logits[0]` or, where nothing is projected, `pooled`.
    pub fn embed(&mut self, device: &mut D, spec: &Spec, weights: &Weights<D>, images: usize) -> Result<()> {
        let tokens = self.patching.tokens();
        match &weights.head.pool {
            Some(pool) => {
                self.encode(device, spec, weights, images, &[], &mut |_, _, _, _, _| Ok(()))?;
                self.pool(device, spec, pool, images);
            }
            None => {
                let kept: Vec<Range<usize>> = (0..images).map(|image| image * tokens..image * tokens + 1).collect();
                self.encode(device, spec, weights, images, &kept, &mut |_, _, _, _, _| Ok(()))?;
                let input = Input { x: &self.normed, rows: images, norm: None };
                match &weights.head.output {
                    Some(head) => device.project(&input, &mut [head.to(&mut self.logits[0])]),
                    None => device.norm(&input, spec.width, false, &mut self.pooled),
                }
            }
        }
        Ok(())
    }

    /// pooled = x + down(activation(up(norm(x)))), x = output(attention(probe, tokens)) of each image.
    fn pool(&mut self, device: &mut D, spec: &Spec, pool: &PoolTensors<D>, images: usize) {
        let (tokens, Scratch { query, key, value, attended, activated, .. }) =
            (self.patching.tokens(), &mut self.scratch);
        let rows = images * tokens;
        let shape = AttentionShape { causal: false, window: None, ..spec.attention().shape() };
        let input = Input { x: &self.normed, rows, norm: None };
        device.project(&input, &mut [pool.attention.key.to(key), pool.attention.value.to(value)]);
        let mut heads = Heads { query, key, value, norms: None, turn: None, pairs: RopePairs::HalfSplit };
        let tables: Vec<&Table> = self.tables.iter().collect();
        let places = device.places(&each_image(images, tokens), &tables);
        device.store(0, &AttentionShape { heads: 0, ..shape }, &mut heads, &places, &mut self.pool.state);
        let probe = Input { x: &pool.probe, rows: 1, norm: None };
        device.project(&probe, &mut [pool.attention.query.to(attended)]);
        device.pool(attended, spec.width, &vec![0..1; images], query);
        let spans: Vec<Span> = (0..images).map(|image| Span::across(image, 1, tokens, image)).collect();
        let places = device.places(&spans, &tables);
        let attention = Attention { layer: 0, shape, bias: PositionBias::None, sinks: None };
        device.attend(&attention, query, &places, &self.pool.state, attended);
        let input = Input { x: attended, rows: images, norm: None };
        device.project(&input, &mut [pool.attention.output.to(&mut self.pooled)]);
        let input = Input { x: &self.pooled, rows: images, norm: Some(pool.norm.of(spec)) };
        device.project_activated(
            &input,
            None,
            &pool.feed_forward.up,
            spec.blocks[0].feed_forward.activation,
            activated,
        );
        let input = Input { x: activated, rows: images, norm: None };
        device.project(&input, &mut [Projection { accumulate: true, ..pool.feed_forward.down.to(&mut self.pooled) }]);
    }
}

/// The spans of a batch of images, a table for each.
fn each_image(images: usize, tokens: usize) -> Vec<Span> {
    (0..images).map(|image| Span::new(image * tokens, tokens, 0, image)).collect()
}
