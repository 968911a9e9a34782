//! Beam search against transformers' own: see tests/reference/beams/make.py.

use azulejo::Code;
use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Device, Progress};
use azulejo::model::{Beams, Model};
use azulejo::text::{GenerateOptions, Sampling};
use serde_json::Value;

use crate::case::{assembled, folder, plan, pushed, weights};
use crate::devices::{cpu, first, gpu};

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

async fn finds_what_transformers_finds<D: Device>(device: D, family: &str, cases: &[&Value]) {
    let weight_loader = assembled(family, device);
    let start = weight_loader.plan().unwrap().generation.start.unwrap();
    let mut model = Model::new(weight_loader, None, CacheType::F32, &Progress::default()).await.unwrap();
    for case in cases {
        let (width, end) = (case["beams"].as_u64().unwrap() as usize, case["end"].as_u64().unwrap() as u32);
        let expected = ids(&case["tokens"]);
        let source = ids(&case["source"]);
        let options = GenerateOptions { beams: Some(width as f64), max_tokens: Some(16.0), ..Default::default() };
        let sampling = Sampling::new(&options, model.spec.vocabulary()).unwrap();
        let mut beams = Beams::new(&model, source, vec![start], sampling, &[end]).unwrap();
        while beams.step(&mut model).await.unwrap() {}
        assert_eq!(beams.best(), (expected.clone(), expected.last() == Some(&end)), "{family}: {case}");
    }
}

#[test]
fn beams_find_what_transformers_finds() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/beams/reference.json");
    let reference: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let kernels = first();
    for family in ["t5", "bart", "marian"] {
        let cases = reference["cases"].as_array().unwrap();
        let cases: Vec<&Value> = cases.iter().filter(|case| case["family"] == family).collect();
        run(None, finds_what_transformers_finds(cpu(2), family, &cases));
        run(Some(&kernels.context), finds_what_transformers_finds(gpu(&kernels), family, &cases[..6]));
    }
}

/// A model that went wrong, as half-precision overflows do: a greedy choice refuses it too.
#[test]
fn logits_that_are_no_numbers_are_no_text() {
    let mut bytes = weights(&folder("t5"));
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let names: Value = serde_json::from_slice(&bytes[8..header]).unwrap();
    let at = header + names["decoder.final_layer_norm.weight"]["data_offsets"][0].as_u64().unwrap() as usize;
    bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    for beams in [1.0, 4.0] {
        let weight_loader = pushed(&bytes, plan("t5"), cpu(1)).unwrap();
        let start = weight_loader.plan().unwrap().generation.start.unwrap();
        let progress = Progress::default();
        let mut model = run(None, Model::new(weight_loader, None, CacheType::F32, &progress)).unwrap();
        let options = GenerateOptions { beams: Some(beams), max_tokens: Some(4.0), ..Default::default() };
        let sampling = Sampling::new(&options, model.spec.vocabulary()).unwrap();
        let mut beams = Beams::new(&model, vec![3, 4], vec![start], sampling, &[1]).unwrap();
        let error = loop {
            match run(None, beams.step(&mut model)) {
                Ok(more) => assert!(more, "{:?}", beams.best()),
                Err(error) => break error,
            }
        };
        assert_eq!((error.code, error.message.contains("is NaN")), (Code::Internal, true), "{error}");
    }
}
