//! A gated short convolution: see [`Device::short_conv`].

use super::pool::{Pool, Shards, VALUE};
use super::state::{Places, State};
use crate::device::{CachedConv, Device};

pub fn run(
    pool: &Pool,
    conv: &CachedConv<impl Device<Buffer = Vec<f32>>>,
    x: &[f32],
    places: &Places,
    state: &mut State,
    out: &mut [f32],
) {
    let CachedConv { layer, width, taps, weight, bias } = *conv;
    let bias = bias.map(Vec::as_slice);
    let group = state.group(layer);
    for span in &places.spans {
        for token in 0..span.len {
            let [gate, _, x] = thirds(x, span.row + token, width);
            let column = state.column_mut(layer, width, places.of(span, group, span.position + token));
            column.iter_mut().zip(gate).zip(x).for_each(|((kept, gate), x)| *kept = gate * x);
        }
    }
    let (out, state) = (Shards::new(out), &*state);
    for span in &places.spans {
        pool.ranges(span.len, width * (taps + 1) * VALUE, |tokens, _| {
            for token in tokens {
                let (row, position) = (span.row + token, span.position + token);
                // SAFETY: each row is one task's.
                let out = unsafe { out.part(row * width..(row + 1) * width) };
                match bias {
                    Some(bias) => out.copy_from_slice(&bias[..width]),
                    None => out.fill(0.0),
                }
                for tap in (taps - 1).saturating_sub(position)..taps {
                    let at = places.of(span, group, position + tap + 1 - taps);
                    let column = state.column(layer, width, at);
                    let weights = weight[tap..].iter().step_by(taps);
                    out.iter_mut().zip(column).zip(weights).for_each(|((sum, value), weight)| *sum += weight * value);
                }
                let [_, gate, _] = thirds(x, row, width);
                out.iter_mut().zip(gate).for_each(|(value, gate)| *value *= gate);
            }
        });
    }
}

/// B, C and x of a row.
fn thirds(x: &[f32], row: usize, width: usize) -> [&[f32]; 3] {
    [0, 1, 2].map(|third| &x[(3 * row + third) * width..][..width])
}
