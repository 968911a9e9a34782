//! Functions of kernels by themselves: over so many inputs that a digit of a constant shows.

use azulejo::checkpoint::TensorType;
use azulejo::device::CacheType;
use azulejo::device::gpu::{Context, Extras, Kernel, Shader};
use azulejo::text::noise::gumbel;
use half::f16;

use crate::alone::{Alone, source};
use crate::devices::first;

/// What an expression with a word `x` is for each of those given, among the functions of a kernel's text.
fn values(context: &Context, text: &str, expression: &str, given: &[u32]) -> Vec<u32> {
    values_of(context, text, expression, given, Vec::new())
}

/// The same of functions that read what is bound to a kernel.
fn values_of(
    context: &Context,
    text: &str,
    expression: &str,
    given: &[u32],
    mut storage: Vec<(u32, Vec<u32>)>,
) -> Vec<u32> {
    let (functions, _) = text.split_once("@compute").unwrap();
    let source = format!(
        "{functions}
        @group(0) @binding(20) var<storage, read_write> word: array<u32>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
            if (id.x < arrayLength(&word)) {{
                let x = word[id.x];
                word[id.x] = {expression};
            }}
        }}"
    );
    let grid = [given.len().div_ceil(64) as u32, 1, 1];
    storage.insert(0, (20, given.to_vec()));
    let alone = Alone { storage, uniforms: &[], grid };
    alone.run(context, source).remove(0)
}

#[test]
pub fn noise_is_the_sampler_s_to_the_bit() {
    let kernels = first();
    let text = source(&Kernel::new(Shader::Draw), kernels.extras());
    let kinds = (0..32).flat_map(|bit| [1u32 << bit, (1 << bit) - 1, !(1 << bit), !((1u32 << bit) - 1), 3 << bit]);
    let hashes: Vec<u32> = kinds.chain((0..1 << 21).map(|i: u32| i.wrapping_mul(2_654_435_769))).collect();
    let found = values(&kernels.context, &text, "bitcast<u32>(gumbel(x))", &hashes);
    for (hash, found) in hashes.iter().zip(found) {
        assert_eq!(found as i32, gumbel(*hash), "{hash:#x}");
    }
}

#[test]
pub fn halves_by_their_bits_are_the_nearest() {
    let kernels = first();
    let extras = Extras { inexact_halves: true, ..Extras::default() };
    let text = source(&Kernel::new(Shader::Embed).format(TensorType::F16), extras);
    // Each half beside another one.
    let pairs: Vec<u32> = (0..1 << 16).map(|half: u32| half | (half.wrapping_mul(40_503) << 16)).collect();
    for (index, shift) in [0, 16].into_iter().enumerate() {
        let found = values(&kernels.context, &text, &format!("bitcast<u32>(halves(x)[{index}])"), &pairs);
        for (word, found) in pairs.iter().zip(found) {
            let (found, expected) = (f32::from_bits(found), f16::from_bits((word >> shift) as u16).to_f32());
            let same = found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan());
            assert!(same, "{word:#x}[{index}]: {found:e}, expected {expected:e}");
        }
    }
    // Halves, what lies halfway to the next ones, and the floats beside those; a part of each in both places of a word.
    let halves = (0..0x7c02u16).map(|half| f16::from_bits(half).to_f32().to_bits());
    let near = halves.flat_map(|bits| [0, 0xfff, 0x1000, 0x1001, 0x1fff].map(|more| bits + more));
    let floats: Vec<u32> = near.flat_map(|bits| [bits, bits | 1 << 31]).collect();
    let others = "vec2<f32>(bitcast<f32>(x), bitcast<f32>(x ^ 0x80000000u))";
    let found = values(&kernels.context, &text, &format!("half_word({others})"), &floats);
    for (bits, found) in floats.iter().zip(found) {
        let expected = f16::from_f32(f32::from_bits(*bits));
        let negated = f16::from_f32(f32::from_bits(bits ^ 1 << 31));
        let [low, high] = [found as u16, (found >> 16) as u16].map(f16::from_bits);
        let same = |a: f16, b: f16| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        assert!(same(low, expected) && same(high, negated), "{bits:#x}: {low:e} and {high:e}, expected {expected:e}");
    }
}

/// Whoever writes behind its row writes into another's, which may or may not come later.
#[test]
pub fn a_row_that_becomes_bytes_writes_its_own_alone() {
    let kernels = first();
    let (units, columns) = (3, 12);
    let x: Vec<u32> = (0..4 * columns).map(|i| (i as f32 - 20.0).to_bits()).collect();
    let alone = Alone {
        storage: vec![(0, x), (1, vec![7; 8 * (units + 2)])],
        uniforms: &[&[units as u32, columns], &[0, 1, 0, 0]],
        grid: [1, 1, 1],
    };
    let found = alone.run(&kernels.context, source(&Kernel::new(Shader::Quantise), kernels.extras()));
    assert!(found[1][..8 * units].chunks(8).all(|unit| unit[4] != 7), "{found:?}");
    assert!(found[1][8 * units..].iter().all(|word| *word == 7), "{found:?}");
}

#[test]
pub fn a_part_of_a_table_looks_up_its_own_rows_alone() {
    let kernels = first();
    // Of the four rows here the part has two, those of tokens 1 and 2. Rows of 12 halves end in the midst of eight.
    for (ty, width, units) in [(TensorType::F32, 16u32, 4), (TensorType::F16, 12, 2)] {
        let value = |i: u32| (i + 1) as f32;
        // A row's words, up to its last unit's end.
        let stored = (0..4).flat_map(|row| (0..16).map(move |i| if i < width { value(row * width + i) } else { 0.0 }));
        let stored: Vec<f32> = stored.collect();
        let half = |value: &f32| u32::from(f16::from_f32(*value).to_bits());
        let table: Vec<u32> = match ty {
            TensorType::F32 => stored.iter().map(|value| value.to_bits()).collect(),
            _ => stored.chunks(2).map(|pair| half(&pair[0]) | half(&pair[1]) << 16).collect(),
        };
        let alone = Alone {
            storage: vec![(0, vec![0, 1, 2, 3]), (1, table), (3, vec![7; 4 * width as usize])],
            uniforms: &[&[0, 0, 1, 2, units, width / 4, 0, 1f32.to_bits(), 0], &[0, 4, 0, 0]],
            grid: [1, 4, 1],
        };
        let kernel = Kernel::new(Shader::Embed).format(ty);
        let found = alone.run(&kernels.context, source(&kernel, kernels.extras())).remove(2);
        let rows: Vec<u32> = (0..2 * width).map(|i| value(i).to_bits()).collect();
        let untouched = vec![7; width as usize];
        assert_eq!(found, [&untouched[..], &rows, &untouched].concat(), "{ty}");
    }
}

#[test]
pub fn a_line_of_an_attention_map_is_written_alone() {
    let kernels = first();
    let floats = |len: usize| (0..len).map(|i| (i as f32 / 10.0).to_bits()).collect::<Vec<u32>>();
    // Three rows of one head of 8; only the first one's workgroup runs.
    let alone = Alone {
        storage: vec![(0, floats(24)), (1, floats(24)), (2, vec![7; 16]), (3, vec![0; 4])],
        uniforms: &[&[1, 1, 1f32.to_bits(), 0, 0, 0, 0, 0, 0], &[0, 3, 0, 3]],
        grid: [1, 1, 1],
    };
    let kernel = Kernel::new(Shader::AttentionWeights).with([8, 0, 0]);
    let found = alone.run(&kernels.context, source(&kernel, kernels.extras())).remove(2);
    let sum: f32 = found[..3].iter().map(|word| f32::from_bits(*word)).sum();
    assert!((sum - 1.0).abs() < 1e-6, "{found:?}");
    assert!(found[3..].iter().all(|word| *word == 7), "{found:?}");
}

/// By their bits: a device may take the two least for zeros where it computes.
#[test]
pub fn scales_of_mxfp4_are_the_powers_of_two_that_they_name() {
    let kernels = first();
    let text = source(&Kernel::new(Shader::Embed).format(TensorType::MXFP4), kernels.extras());
    let exponents: Vec<u32> = (0..255).collect();
    // Four a word.
    let records = exponents.chunks(4).map(|four| four.iter().rev().fold(0, |word, e| word << 8 | e)).collect();
    let scale = "bitcast<u32>(unit_at(Place(0u, 0u), x).scale.x)";
    let found = values_of(&kernels.context, &text, scale, &exponents, vec![(1, vec![0; 4]), (2, records)]);
    for (e, found) in exponents.iter().zip(found) {
        // The first number's level is 1.
        let mut block = [0; 17];
        block[..2].copy_from_slice(&[*e as u8, 1]);
        let mut values = [0.0; 32];
        TensorType::MXFP4.dequantize(&block, &mut values);
        assert_eq!(f64::from(values[0]), 2f64.powi(*e as i32 - 128), "{e}");
        assert_eq!(found, values[0].to_bits(), "{e}: {:e}, expected {:e}", f32::from_bits(found), values[0]);
    }
}

/// One kernel writes the number and another one reads it.
#[test]
pub fn nobody_has_one_number_wherever_pairs_are_sorted() {
    let kernels = first();
    let multiplied = Kernel::new(Shader::ExpertsMatrix).format(TensorType::F32).with([0, 0, 1, 1]);
    for kernel in [Kernel::new(Shader::ExpertsGroup), multiplied] {
        let text = source(&kernel, kernels.extras());
        let given = [u32::MAX, u32::MAX - 1, u32::MAX >> 1, 0];
        let found = values(&kernels.context, &text, "select(0u, 1u, x == NOBODY)", &given);
        assert_eq!(found, [1, 0, 0, 0], "{}", kernel.label());
    }
}

/// Rust makes as many splits as hold all keys so: see `splits` of src/device/gpu/attention.rs.
#[test]
pub fn splits_have_as_few_tiles_as_leave_no_more_workgroups_than_are_wanted() {
    let kernels = first();
    let keys: Vec<u32> =
        (0..1500).chain((60..300).map(|tiles| 64 * tiles + tiles % 3)).chain([131_072, 200_001]).collect();
    for (way, tile) in [(1, 64), (4, 64), (9, 256)] {
        let kernel = Kernel::new(Shader::AttentionOne).cache(CacheType::F32).with([8, 0, way]);
        let text = source(&kernel, kernels.extras());
        for groups in [1, 3, 16, 64] {
            let found = values(&kernels.context, &text, &format!("keys_of_split(x, {groups}u)"), &keys);
            for (keys, each) in keys.iter().zip(found) {
                let (tiles, what) = (keys.div_ceil(tile), format!("{keys} keys, {groups} groups: {each}"));
                if *keys <= 256 {
                    assert_eq!(each, 256, "{what}");
                    continue;
                }
                let fits = |each: u32| tiles * groups <= 256 * each;
                assert!(each % tile == 0 && fits(each / tile) && !fits(each / tile - 1), "{what}");
            }
        }
    }
}
