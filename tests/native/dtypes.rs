//! How weights are stored makes no difference: the same values in 32 and in 16 bits, in one file and in several, are the
//! same model; and blocks of 8 and 4 bits, made while floats load, are nearly the same.

use azulejo::Result;
use azulejo::checkpoint::{FileReader, Format, TensorType};
use azulejo::device::cpu::Cpu;
use azulejo::device::gpu::native::run;
use azulejo::device::{Device, Input, Projection};
use azulejo::model::{WeightLoader, families};
use half::{bf16, f16};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::fs;

use crate::case::{Case, all_families, folder};
use crate::devices::cpu;
use crate::outputs::outputs;
use crate::verbs::{begin, filled, matrix};

/// A family's tensors: name, shape, values.
type Tensors = Vec<(String, Vec<usize>, Vec<f32>)>;

fn tensors(family: &str) -> Tensors {
    let bytes = fs::read(format!("{}/model.safetensors", folder(family))).unwrap();
    let floats = |view: &TensorView| view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensors().into_iter().map(|(name, view)| (name, view.shape().to_vec(), floats(&view))).collect()
}

/// Values as a type has them.
fn stored(values: &[f32], dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::F16 => values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect(),
        Dtype::BF16 => values.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect(),
        _ => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
    }
}

fn rounded(value: f32, dtype: Dtype) -> f32 {
    if dtype == Dtype::F16 { f16::from_f32(value).to_f32() } else { bf16::from_f32(value).to_f32() }
}

/// The tensors in as many files, dealt out like cards: no stack, block or shared table is in one file alone.
fn files(tensors: &Tensors, dtype: Dtype, count: usize) -> Vec<Vec<u8>> {
    let file = |number: usize| {
        let dealt = tensors.iter().skip(number).step_by(count);
        let data: Vec<(&str, &[usize], Vec<u8>)> =
            dealt.map(|(name, shape, values)| (&**name, &**shape, stored(values, dtype))).collect();
        let views =
            data.iter().map(|(name, shape, data)| (*name, TensorView::new(dtype, shape.to_vec(), data).unwrap()));
        safetensors::serialize(views, None).unwrap()
    };
    (0..count).map(file).collect()
}

fn assembled(family: &str, files: &[Vec<u8>], quantize: Option<TensorType>) -> Result<WeightLoader<Cpu>> {
    let mut weight_loader = WeightLoader::new(cpu(2));
    weight_loader.quantize = quantize;
    weight_loader
        .set_plan(families::from_config(&fs::read_to_string(format!("{}/config.json", folder(family))).unwrap())?);
    for bytes in files {
        let mut reader = FileReader::new(Format::Safetensors, "model.safetensors", Some(bytes.len() as u64));
        bytes.chunks(4099).try_for_each(|chunk| reader.push(chunk, &mut weight_loader))?;
        reader.finish()?;
    }
    Ok(weight_loader)
}

fn made(family: &str, files: &[Vec<u8>]) -> Vec<f32> {
    run(None, outputs(&Case::read(family), assembled(family, files, None).unwrap())).unwrap()
}

/// The root of the mean square.
fn size(values: impl Iterator<Item = f32> + Clone) -> f32 {
    (values.clone().map(|x| x * x).sum::<f32>() / values.count() as f32).sqrt()
}

pub fn apart(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    size(found.iter().zip(expected).map(|(a, b)| a - b)) / size(expected.iter().copied())
}

#[test]
fn sixteen_bits_and_several_files_are_the_same_model() {
    for family in &all_families() {
        let exact = tensors(family);
        for dtype in [Dtype::F16, Dtype::BF16] {
            let round = |values: &Vec<f32>| values.iter().map(|x| rounded(*x, dtype)).collect();
            let tensors: Tensors = exact.iter().map(|(n, s, values)| (n.clone(), s.clone(), round(values))).collect();
            let expected = made(family, &files(&tensors, Dtype::F32, 1));
            assert!(expected.iter().all(|x| x.is_finite()) && expected.iter().any(|x| x.abs() > 0.01), "{family}");
            for (dtype, count) in [(dtype, 1), (dtype, 3), (Dtype::F32, 3)] {
                let apart = apart(&made(family, &files(&tensors, dtype, count)), &expected);
                assert!(apart <= 1e-5, "{family}, {dtype:?} in {count} files: {apart}");
            }
        }
    }
}

/// [rows, columns] as [columns, rows]
fn turned(values: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| values.iter().skip(column).step_by(columns).copied()).collect()
}

/// What is left of values in rows of whole blocks.
fn through_blocks(values: &[f32], ty: TensorType) -> Vec<f32> {
    let mut bytes = vec![0; values.len() / ty.block_len() * ty.block_bytes()];
    let mut back = vec![0.0; values.len()];
    ty.quantize(values, &mut bytes).unwrap();
    ty.dequantize(&bytes, &mut back);
    back
}

/// The tensors with what blocks leave of their matrices, where rows are whole ones.
fn through(family: &str, tensors: &Tensors, ty: TensorType) -> Tensors {
    let change = |(name, shape, values): &(String, Vec<usize>, Vec<f32>)| {
        // GPT-2's matrices lie on their side; an image's positions are no table to look up tokens in.
        let sideways = family == "gpt2" && name.contains(".c_");
        let kept = name.contains("vision_model.embeddings.position");
        let values = match shape[..] {
            [_, columns] if !sideways && !kept && columns % 32 == 0 => through_blocks(values, ty),
            [rows, columns] if sideways && rows % 32 == 0 => {
                turned(&through_blocks(&turned(values, columns), ty), rows)
            }
            // gpt-oss' experts lie on their side, all of a layer's in one tensor.
            [_, rows, columns] if name.contains(".experts.") && rows % 32 == 0 => {
                let expert = |values| turned(&through_blocks(&turned(values, columns), ty), rows);
                values.chunks(rows * columns).flat_map(expert).collect()
            }
            _ => values.clone(),
        };
        (name.clone(), shape.clone(), values)
    };
    tensors.iter().map(change).collect()
}

#[test]
fn floats_that_are_quantised_while_they_load_are_what_their_blocks_say() {
    let mut smaller = Vec::new();
    for family in &all_families() {
        let (case, exact) = (Case::read(family), tensors(family));
        let whole = files(&exact, Dtype::F32, 1);
        let bytes = assembled(family, &whole, None).unwrap().weight_bytes();
        for ty in [TensorType::Q8_0, TensorType::Q4_1] {
            let weight_loader = assembled(family, &whole, Some(ty)).unwrap();
            if weight_loader.weight_bytes() < bytes {
                smaller.push(family.clone());
            }
            let expected = made(family, &files(&through(family, &exact, ty), Dtype::F32, 1));
            let apart = apart(&run(None, outputs(&case, weight_loader)).unwrap(), &expected);
            // Of gpt-oss' gates, (up + 1) · gate · σ(1.702 · gate), more becomes of activations that have eight bits: 0.0111.
            let most = if family == "gpt_oss" { 0.015 } else { 0.01 };
            assert!(apart <= most, "{family}, {ty:?}: {apart}");
        }
    }
    // The others' widths are no whole blocks; of another set (see `case::folder`) more are.
    assert!(smaller.len() >= 2 * 11, "{smaller:?}");
}

/// Checkpoints come from strangers: a weight that is no number makes a product that is none, in every type of floats.
#[test]
fn weights_that_are_no_numbers_are_seen_in_what_they_make() {
    let types = [
        (TensorType::F32, 1.0f32.to_le_bytes().to_vec(), f32::NAN.to_le_bytes().to_vec()),
        (TensorType::F16, f16::ONE.to_le_bytes().to_vec(), f16::NAN.to_le_bytes().to_vec()),
        (TensorType::F16, f16::ONE.to_le_bytes().to_vec(), f16::INFINITY.to_le_bytes().to_vec()),
        (TensorType::BF16, bf16::ONE.to_le_bytes().to_vec(), bf16::NAN.to_le_bytes().to_vec()),
    ];
    let (rows, columns) = (20, 40);
    for tokens in [1, 7] {
        for (ty, one, none) in &types {
            let mut values = vec![one.clone(); rows * columns];
            values[13 * columns + 33] = none.clone();
            let mut device = cpu(1);
            let weight = matrix(&mut device, *ty, rows, columns, &values.concat());
            let x = filled(&mut device, &vec![1.0; tokens * columns], columns);
            let mut out = device.buffer(tokens * rows).unwrap();
            begin(&mut device, tokens);
            let product = Projection { weight: &weight, bias: None, scale: None, out: &mut out, accumulate: false };
            device.project(&Input { x: &x, rows: tokens, norm: None }, &mut [product]);
            let mut values = vec![0.0; tokens * rows];
            let reading = device.send(&out, tokens * rows).unwrap();
            run(None, device.receive(reading, &mut values)).unwrap();
            for (i, found) in values.iter().enumerate() {
                let right = if i % rows == 13 { !found.is_finite() } else { *found == columns as f32 };
                assert!(right, "{ty}, {tokens} tokens, row {}: {found}", i % rows);
            }
        }
    }
}
