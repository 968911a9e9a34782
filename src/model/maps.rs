//! Attention weights, written out for who looks at them.

use super::forward::{Batch, Entering, Rows, forward};
use super::lora::Lora;
use super::scratch::Scratch;
use super::spec::Spec;
use super::stack::Weights;
use super::state::{Pool, state_shapes};
use crate::device::{CacheType, CachedAttention, Device, Span, Table, TokenIds};
use crate::error::{Error, Result, no_memory};

/// The attention weights of one sequence, [layers, heads, positions, positions], or of one layer.
/// Errors: invalid-argument for a layer that there is not, out-of-memory, device-lost.
pub async fn attention_maps<D: Device>(
    device: &mut D,
    spec: &Spec,
    weights: &Weights<D>,
    lora: Option<&Lora<D>>,
    tokens: &[u32],
    only: Option<usize>,
) -> Result<(Vec<f32>, [usize; 4])> {
    if let Some(layer) = only.filter(|layer| *layer >= spec.layers()) {
        return Err(Error::invalid(format!("layer {layer}, expected 0 to {}", spec.layers() - 1)));
    }
    let (rows, attention) = (tokens.len(), spec.attention());
    let heads = attention.heads;
    let layers = if only.is_some() { 1 } else { spec.layers() };
    let mut maps = room(&[layers, heads, rows, rows])?;
    let (mut pool, mut table) = (Pool::<D>::new(&state_shapes(spec), CacheType::F32), Table::default());
    pool.reserve(device, &mut table, 0..rows, rows).await?;
    let mut scratch = Scratch::new(device, spec, rows)?;
    scratch.adapt(device, spec, rows, lora.map_or(0, |lora| lora.rank))?;
    device.sync().await?;
    let spans = [Span::new(0, rows, 0, 0)];
    let tables = [&table];
    let mut readings = Vec::new();
    let mut watch = sending(only, rows, &mut readings);
    let entering = Entering::Tokens { tokens: TokenIds::Known(tokens), types: &[], table: None };
    let batched = Rows { lora, watch: Some(&mut watch), ..Rows::new(&spans, &tables, &mut pool.state) };
    forward(device, spec, weights, &mut scratch, &mut Batch { entering, lengths: &[], rows: batched })?;
    drop(watch);
    for (layer, reading) in readings.into_iter().enumerate() {
        maps.resize((layer + 1) * heads * rows * rows, 0.0);
        device.receive(reading, &mut maps[layer * heads * rows * rows..]).await?;
    }
    Ok((maps, [layers, heads, rows, rows]))
}

/// What sends for the attention weights of a pass of one sequence, of all layers or of one.
pub fn sending<D: Device>(
    only: Option<usize>,
    rows: usize,
    readings: &mut Vec<D::Reading>,
) -> impl FnMut(&mut D, usize, &CachedAttention<D>, &D::Buffer, &D::Buffer) -> Result<()> {
    move |device, layer, attention, query, key| {
        if only.is_none_or(|only| only == layer) {
            let weights = device.attention_weights(attention, query, key, rows)?;
            readings.push(device.send(&weights, attention.shape.heads * rows * rows)?);
        }
        Ok(())
    }
}

/// Room for so many weights, before anything is computed.
fn room(dims: &[usize; 4]) -> Result<Vec<f32>> {
    let len = dims.iter().try_fold(1usize, |len, n| len.checked_mul(*n)).unwrap_or(usize::MAX / 8);
    let mut maps: Vec<f32> = Vec::new();
    let refused = || {
        let mut error = no_memory(&format!("the attention maps of {} tokens", dims[3]), 4.0 * len as f64);
        error.message += "; ask for one layer, or a shorter prompt";
        error
    };
    maps.try_reserve_exact(len).map_err(|_| refused())?;
    Ok(maps)
}
