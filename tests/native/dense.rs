//! sentence-transformers' Dense modules (reference/sentence/dense) behind every pooling, on both devices.

use std::fs;

use azulejo::checkpoint::{FileReader, Format, TensorType};
use azulejo::device::gpu::native::run;
use azulejo::device::{Activation, Device, Progress};
use azulejo::model::{DenseFile, Output, Pooling, TextModel};
use safetensors::SafeTensors;

use crate::case::{Case, assembled, assert_within};
use crate::devices::{cpu, first, gpu};
use crate::outputs::rows;

fn weights(folder: &str) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/sentence/dense");
    fs::read(format!("{path}/{folder}/model.safetensors")).unwrap()
}

/// A module whose file has come.
fn module(folder: &str, [inputs, outputs]: [usize; 2], bias: bool, activation: Option<Activation>) -> DenseFile {
    let (bytes, name) = (weights(folder), format!("{folder}/model.safetensors"));
    let mut file = DenseFile::new(name.clone(), inputs, outputs, bias, activation);
    let mut reader = FileReader::new(Format::Safetensors, &name, Some(bytes.len() as u64));
    bytes.chunks(1000).for_each(|bytes| reader.push(bytes, &mut file).unwrap());
    reader.finish().unwrap();
    file
}

fn modules() -> Vec<DenseFile> {
    vec![module("2_Dense", [48, 64], true, Some(Activation::Tanh)), module("3_Dense", [64, 20], false, None)]
}

/// activation(x · weightᵀ + bias) of one vector, by hand.
fn product(x: &[f32], folder: &str, activation: fn(f32) -> f32) -> Vec<f32> {
    let bytes = weights(folder);
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |name: &str| -> Vec<f32> {
        let data = file.tensor(name).map(|tensor| tensor.data().to_vec()).unwrap_or_default();
        data.chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    };
    let (weight, bias) = (floats("linear.weight"), floats("linear.bias"));
    let rows = weight.chunks(x.len()).enumerate();
    let sum = |row: &[f32]| row.iter().zip(x).map(|(weight, x)| weight * x).sum::<f32>();
    rows.map(|(at, row)| activation(sum(row) + bias.get(at).copied().unwrap_or(0.0))).collect()
}

async fn vectors_go_through_both<D: Device>(device: D, quantize: Option<TensorType>, tolerance: f32) {
    let (case, progress) = (Case::read("bert"), Progress::default());
    let rows = rows(&case);
    let mut without = TextModel::new(assembled("bert", cpu(1)), &progress).await.unwrap();
    let mut weight_loader = assembled("bert", device);
    weight_loader.quantize = quantize;
    let mut with = TextModel::with_dense(weight_loader, modules(), &progress).await.unwrap();
    assert_eq!(with.width(Output::Vector(Pooling::Mean)), 20);
    for reading in [
        Output::Vector(Pooling::Mean),
        Output::Vector(Pooling::ClassToken),
        Output::Vector(Pooling::Last),
        Output::Pooler,
        Output::Vector(Pooling::Max),
        Output::Vector(Pooling::MeanSqrtLength),
        Output::Vector(Pooling::WeightedMean),
    ] {
        // One alone, then more than there is room for yet.
        for rows in [&rows[1..], &rows[..]] {
            let expected = without.read(rows, reading).await.unwrap();
            let expected =
                expected.chunks(48).flat_map(|x| product(&product(x, "2_Dense", f32::tanh), "3_Dense", |x| x));
            let expected: Vec<f32> = expected.collect();
            let found = with.read(rows, reading).await.unwrap();
            assert_within(&found, &expected, tolerance, &format!("{reading:?} of {}", rows.len()));
        }
    }
    let hidden = with.read(&rows, Output::Hidden).await.unwrap();
    let expected = without.read(&rows, Output::Hidden).await.unwrap();
    assert_within(&hidden, &expected, 2e-5, "tokens' own vectors stay as they are");
}

#[test]
fn vectors_go_through_dense_modules_behind_every_pooling() {
    run(None, vectors_go_through_both(cpu(2), None, 2e-5));
    run(None, vectors_go_through_both(cpu(1), Some(TensorType::Q8_0), 2e-2));
    let kernels = first();
    run(Some(&kernels.context), vectors_go_through_both(gpu(&kernels), None, 5e-5));
}

#[test]
fn a_dense_module_without_its_weights_is_refused_by_their_name() {
    let load = |file: DenseFile| {
        let model = run(None, TextModel::with_dense(assembled("bert", cpu(1)), vec![file], &Progress::default()));
        model.err().unwrap()
    };
    let error = load(DenseFile::new("2_Dense/model.safetensors".to_owned(), 48, 64, true, None));
    assert_eq!((error.code, error.place.tensor.as_deref()), (azulejo::Code::CorruptFile, Some("linear.weight")));
    let error = load(module("3_Dense", [64, 20], true, None));
    assert_eq!(error.place.tensor.as_deref(), Some("linear.bias"));
    let bytes = weights("2_Dense");
    for (shape, bias) in [([48, 63], true), ([48, 64], false)] {
        let mut file = DenseFile::new("2_Dense/model.safetensors".to_owned(), shape[0], shape[1], bias, None);
        let mut reader = FileReader::new(Format::Safetensors, "2_Dense/model.safetensors", None);
        assert!(reader.push(&bytes, &mut file).is_err(), "{shape:?}, bias {bias}");
    }
}
