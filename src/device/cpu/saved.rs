//! A sequence as bytes: see [`Device::save`](crate::device::Device::save).

use super::state::State;
use crate::device::{PAGE, StateShape, Table, check_saved};
use crate::error::{Result, no_memory};
use std::ops::Range;

/// Positions that a table has in a layer.
fn there(state: &State, layer: usize, table: &Table, positions: usize) -> Range<usize> {
    let (first, pages) = table.pages(state.group(layer));
    first * PAGE..positions.min((first + pages.len()) * PAGE).max(first * PAGE)
}

/// Bytes that [`save`] gives.
fn len(state: &State, table: &Table, positions: usize) -> usize {
    let of = |(layer, shape): (usize, StateShape)| {
        let (words, rows) = shape.saved_words(state.ty());
        4 * rows * words * there(state, layer, table, positions).len()
    };
    state.shapes().enumerate().map(of).sum()
}

/// The page and the place in it of each position that a table has in a layer.
fn places(state: &State, layer: usize, table: &Table, positions: usize) -> Vec<(usize, usize)> {
    let (first, pages) = table.pages(state.group(layer));
    let place = |position: usize| (pages[position / PAGE - first], position % PAGE);
    there(state, layer, table, positions).map(place).collect()
}

pub fn save(state: &State, table: &Table, positions: usize) -> Result<Vec<u8>> {
    let (mut saved, len) = (Vec::new(), len(state, table, positions));
    saved.try_reserve_exact(len).map_err(|_| no_memory("a saved sequence", len as f64))?;
    for (layer, shape) in state.shapes().enumerate() {
        let places = places(state, layer, table, positions);
        match shape {
            StateShape::Columns { width, .. } => {
                let values = places.iter().flat_map(|place| state.column(layer, width, *place));
                saved.extend(values.flat_map(|value| value.to_le_bytes()));
            }
            StateShape::KeysValues { kv_heads, .. } => {
                for side in [0, 1] {
                    for (page, at) in &places {
                        for head in 0..kv_heads {
                            let (values, rows) = state.head(layer, head, *page);
                            rows[side].save(values, *at, &mut saved);
                        }
                    }
                }
            }
        }
    }
    Ok(saved)
}

pub fn restore(state: &mut State, table: &Table, positions: usize, mut bytes: &[u8]) -> Result<()> {
    check_saved(bytes, len(state, table, positions))?;
    let mut take = |len: usize| {
        let (taken, rest) = bytes.split_at(len);
        bytes = rest;
        taken
    };
    let (ty, shapes) = (state.ty(), state.shapes().collect::<Vec<_>>());
    for (layer, shape) in shapes.into_iter().enumerate() {
        let (places, (words, _)) = (places(state, layer, table, positions), shape.saved_words(ty));
        match shape {
            StateShape::Columns { width, .. } => {
                for place in places {
                    let column = state.column_mut(layer, width, place);
                    let bytes = take(4 * width).as_chunks().0;
                    column.iter_mut().zip(bytes).for_each(|(value, bytes)| *value = f32::from_le_bytes(*bytes));
                }
            }
            StateShape::KeysValues { kv_heads, .. } => {
                for side in [0, 1] {
                    for (page, at) in &places {
                        for head in 0..kv_heads {
                            let (values, rows) = state.head_mut(layer, head, *page);
                            rows[side].restore(values, *at, take(4 * words / kv_heads));
                        }
                    }
                }
            }
        }
    }
    Ok(())
}
