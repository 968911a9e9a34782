//! Beam search against transformers' own: see tests/reference/beams/make.py.

use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Device, Progress};
use azulejo::model::{Beams, Model};
use azulejo::text::{GenerateOptions, Sampling};
use serde_json::Value;

use crate::case::assembled;
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
