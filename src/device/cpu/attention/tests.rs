//! Attention against its definition, in f64.

use super::*;
use crate::device::cpu::Cpu;
use crate::device::{CacheType, KeyRows, PAGE, Pages, PositionBias, StateShape, Table};

fn numbers(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7919 + seed * 104_729) % 1013) as f32 / 500.0 - 1.0).collect()
}

/// The definition, in f64.
fn plain(
    attention: &CachedAttention<Cpu>,
    query: &[f32],
    keys: &[f32],
    values: &[f32],
    (position, end): (usize, usize),
    head: usize,
) -> Vec<f64> {
    let shape = &attention.shape;
    let (dim, width) = (shape.head_dim, shape.kv_heads * shape.head_dim);
    let kv = head * shape.kv_heads / shape.heads * dim;
    let seen = shape.visible(position, end);
    let score = |key: usize| -> f64 {
        let products = query.iter().zip(&keys[key * width + kv..][..dim]).map(|(q, k)| f64::from(q * k));
        let product = f64::from(shape.scale) * products.sum::<f64>();
        let distance = key as f64 - position as f64;
        let bias = match &attention.bias {
            PositionBias::None => 0.0,
            PositionBias::Linear(slopes) => f64::from(slopes[head]) * distance,
            PositionBias::Table { table, reach } => {
                let reach = *reach as f64;
                let at = head * (2 * reach as usize + 1) + (distance.max(-reach).min(reach) + reach) as usize;
                f64::from(table[at])
            }
        };
        shape.soft_cap.map_or(product, |cap| f64::from(cap) * (product / f64::from(cap)).tanh()) + bias
    };
    let weights: Vec<f64> = seen.clone().map(|key| score(key).exp()).collect();
    let sink = attention.sinks.map_or(0.0, |sinks| f64::from(sinks[head]).exp());
    let total: f64 = weights.iter().sum::<f64>() + sink;
    let weighted =
        |i: usize| seen.clone().zip(&weights).map(|(key, w)| w * f64::from(values[key * width + kv + i])).sum::<f64>();
    (0..dim).map(|i| weighted(i) / total).collect()
}

/// What a cache of that type makes of values that it can hold.
fn stored(values: Vec<f32>, ty: CacheType) -> Vec<f32> {
    match ty {
        CacheType::F16 => values.into_iter().map(|value| half::f16::from_f32(value).to_f32()).collect(),
        _ => values,
    }
}

/// `before` tokens in the cache, then a pass of `len`.
fn check(shape: &AttentionShape, before: usize, len: usize, threads: usize) {
    check_attention(&plain_attention(shape), before, len, threads);
}

fn plain_attention<'a>(shape: &AttentionShape) -> CachedAttention<'a, Cpu> {
    CachedAttention { layer: 0, shape: *shape, bias: PositionBias::None, sinks: None }
}

/// The result of a pass of `len`, where the keys and values are [`numbers`] of 1 and 2.
fn attended(
    attention: &CachedAttention<Cpu>,
    query: &[f32],
    (before, len): (usize, usize),
    ty: CacheType,
    threads: usize,
) -> Vec<f32> {
    let kept = (before + len) * attention.shape.kv_heads * attention.shape.head_dim;
    attended_to((&numbers(kept, 1), &numbers(kept, 2)), attention, query, (before, len), ty, threads)
}

fn attended_to(
    (keys, values): (&[f32], &[f32]),
    attention: &CachedAttention<Cpu>,
    query: &[f32],
    (before, len): (usize, usize),
    ty: CacheType,
    threads: usize,
) -> Vec<f32> {
    let shape = &attention.shape;
    let (positions, width) = (before + len, shape.kv_heads * shape.head_dim);
    let layer = [StateShape::KeysValues { kv_heads: shape.kv_heads, head_dim: shape.head_dim, window: None }];
    let (pages, mut table, mut state) = (Pages::new(&layer), Table::default(), State::new(&layer, ty));
    table.bind(&pages);
    let count = positions.div_ceil(PAGE);
    pages.set_counts(&state.grow(std::slice::from_ref(&(count..count))).unwrap());
    table.extend(&(0..positions));
    let places = Places::new(&[Span::new(0, len, before, 0)], KeyRows::Kept(&[&table]));
    for position in 0..positions {
        for head in 0..shape.kv_heads {
            let at = position * width + head * shape.head_dim;
            let (key, value) = (&keys[at..at + shape.head_dim], &values[at..at + shape.head_dim]);
            state.write(0, head, places.of(&places.spans[0], 0, position), key, value);
        }
    }
    let mut out = vec![f32::NAN; query.len()];
    let pool = Pool::native(threads);
    FlashAttention::new(threads).run(&pool, attention, query, &places, Seen::Kept(&state), &mut out);
    out
}

fn check_attention(attention: &CachedAttention<Cpu>, before: usize, len: usize, threads: usize) {
    let shape = &attention.shape;
    let (positions, width) = (before + len, shape.kv_heads * shape.head_dim);
    let query = numbers(len * shape.heads * shape.head_dim, 3);
    for ty in [CacheType::F32, CacheType::F16] {
        let (keys, values) = (stored(numbers(positions * width, 1), ty), stored(numbers(positions * width, 2), ty));
        let out = attended(attention, &query, (before, len), ty, threads);
        for row in 0..len {
            for head in 0..shape.heads {
                let at = (row * shape.heads + head) * shape.head_dim;
                let query = &query[at..at + shape.head_dim];
                let expected = plain(attention, query, &keys, &values, (before + row, positions), head);
                for (found, expected) in out[at..].iter().zip(expected) {
                    // Sums of up to a thousand terms below 1, in f32.
                    assert!(
                        (f64::from(*found) - expected).abs() < 2e-5,
                        "{shape:?}, {ty:?}, {before} + {len}: {found}, expected {expected}"
                    );
                }
            }
        }
    }
}

fn shape(heads: usize, kv_heads: usize, head_dim: usize, window: Option<usize>) -> AttentionShape {
    AttentionShape { heads, kv_heads, head_dim, scale: 0.3, causal: true, window, soft_cap: None }
}

#[test]
fn tiles_give_what_the_definition_gives() {
    for head_dim in [8, 12, 10, 64] {
        for (before, len) in [(0, 1), (0, 47), (31, 33), (100, 1)] {
            check(&shape(6, 2, head_dim, None), before, len, 1);
            check(&shape(3, 3, head_dim, Some(8)), before, len, 2);
        }
    }
}

#[test]
fn keys_that_are_split_over_threads_are_joined() {
    for window in [None, Some(700)] {
        check(&shape(9, 3, 16, window), 1000, 1, 4);
        check(&shape(4, 1, 16, window), 999, 3, 5);
    }
}

#[test]
fn without_a_causal_mask_queries_see_what_comes_after_them() {
    for (window, len) in [(None, 47), (Some(5), 47), (None, 1)] {
        check(&AttentionShape { causal: false, ..shape(4, 2, 16, window) }, 0, len, 2);
    }
    check(&AttentionShape { causal: false, ..shape(2, 2, 8, None) }, 1000, 2, 4);
}

#[test]
fn scores_are_capped_and_biased() {
    let (slopes, table) = (numbers(6, 4), numbers(6 * 21, 5));
    let biases =
        || [PositionBias::None, PositionBias::Linear(&slopes), PositionBias::Table { table: &table, reach: 10 }];
    for causal in [true, false] {
        for soft_cap in [None, Some(0.7)] {
            let shape = AttentionShape { causal, soft_cap, ..shape(6, 3, 12, None) };
            for bias in biases() {
                check_attention(&CachedAttention { bias, ..plain_attention(&shape) }, 31, 46, 2);
            }
        }
    }
}

#[test]
fn sinks_take_their_share_of_the_softmax() {
    // Less than all scores, among them, and more: by the head.
    let sinks = vec![-30.0, -1.0, 0.5, 2.0, 3.0, 30.0];
    for (shape, before, len) in [
        (shape(6, 2, 12, None), 0, 1),
        (shape(6, 3, 12, Some(8)), 31, 46),
        // Split over threads: one split has it.
        (shape(6, 1, 16, None), 1000, 1),
    ] {
        let attention = CachedAttention { sinks: Some(&sinks), ..plain_attention(&shape) };
        check_attention(&attention, before, len, 4);
    }
}

#[test]
fn a_row_s_sums_are_the_same_whatever_it_came_with() {
    for (window, ty) in
        [(None, CacheType::F32), (Some(40), CacheType::F32), (None, CacheType::F16), (Some(40), CacheType::F16)]
    {
        let attention = plain_attention(&shape(10, 2, 16, window));
        let width = 10 * 16;
        let query = numbers(150 * width, 3);
        let together = attended(&attention, &query, (0, 150), ty, 1);
        for row in 0..150 {
            let row_of = |rows: &'_ [f32]| rows[row * width..(row + 1) * width].to_vec();
            let alone = attended(&attention, &row_of(&query), (row, 1), ty, 1);
            assert_eq!(alone, row_of(&together), "{window:?}, {ty:?}, {row}");
        }
    }
}

#[test]
fn so_are_those_of_a_few_rows_that_are_split_over_threads() {
    for (window, ty, threads) in
        [(None, CacheType::F16, 2), (None, CacheType::F32, 4), (Some(300), CacheType::F16, 3), (None, CacheType::Q8, 2)]
    {
        let attention = plain_attention(&shape(9, 3, 16, window));
        let width = 9 * 16;
        // Where the number of splits changes, or their length, in their midst; and a few more than one piece has.
        for (before, len) in [(0, 16), (60, 9), (250, 16), (509, 8), (1020, 16), (700, 2), (300, 17)] {
            let query = numbers(len * width, 3);
            let together = attended(&attention, &query, (before, len), ty, threads);
            for row in (0..len).filter(|_| len <= 16) {
                let row_of = |rows: &[f32]| rows[row * width..(row + 1) * width].to_vec();
                let alone = attended(&attention, &row_of(&query), (before + row, 1), ty, threads);
                assert_eq!(
                    alone,
                    row_of(&together),
                    "{window:?}, {ty:?}, {threads} threads, {before} + {row} of {len}"
                );
            }
        }
    }
}

#[test]
fn a_value_that_is_no_number_is_seen_by_those_who_see_its_place() {
    for (head_dim, len) in [(16, 1), (16, 5), (12, 1)] {
        let attention = plain_attention(&shape(2, 1, head_dim, Some(20)));
        for (before, sees) in [(100, true), (140, false)] {
            let (keys, mut values) = (numbers((before + len) * head_dim, 1), numbers((before + len) * head_dim, 2));
            values[100 * head_dim + 3] = f32::NAN;
            let query = numbers(len * 2 * head_dim, 3);
            let out = attended_to((&keys, &values), &attention, &query, (before, len), CacheType::F16, 1);
            for (i, value) in out.iter().enumerate() {
                assert_eq!(value.is_nan(), sees && i % head_dim == 3, "{head_dim}, {before} + {len}, {i}");
            }
        }
    }
}
