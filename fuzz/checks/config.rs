//! What must hold for any `config.json`, `generation_config.json` and `preprocessor_config.json`: an object of the three
//! (`config`, `generation`, `preprocessor`), or a `config.json` alone. What it says may also be a
//! `config_sentence_transformers.json`'s.

use azulejo::image::Processor;
use azulejo::model::{ModelConfig, families};
use azulejo::text::{Before, Counts, GenerateOptions, GenerationConfig, cross_encoder_activation};
use azulejo::{Code, Result};
use serde_json::Value;

use super::{bounded, made_or_refused};

/// Of what the files become: fields of thousands of layers, the levels and sums of a picture.
const MOST: usize = 32 << 20;

pub fn check(bytes: &[u8]) {
    let Ok(whole) = std::str::from_utf8(bytes) else { return };
    let parts = serde_json::from_str(whole).unwrap_or(Value::Null);
    let part = |name: &str| parts.get(name).map(Value::to_string);
    let config = part("config").unwrap_or_else(|| whole.to_owned());
    let most = MOST + 64 * bytes.len();
    let read = bounded(most, || families::from_config(&config));
    if let Err(error) = &read {
        assert_eq!(error.place.file.as_deref(), Some("config.json"), "{error}");
    }
    let plan = made_or_refused(read, &["config.json"]);
    made_or_refused(bounded(most, || cross_encoder_activation(&config)), &["config_sentence_transformers.json"]);
    let (channels, family) = plan.as_ref().map_or((3, String::new()), |plan| {
        assert_sizes(plan);
        (plan.channels().unwrap_or(3), families::model_type(&config).expect("it has been read"))
    });
    if let Some(mut plan) = plan {
        bounded(most, || generates(&mut plan, part("generation").as_deref()));
    }
    if let Some(json) = part("preprocessor") {
        bounded(most, || prepares(Processor::from_json(&json, channels, &family)));
    }
}

/// No shape of a model's weights has a side that WebAssembly has no number for.
pub fn assert_sizes(plan: &ModelConfig) {
    for (slot, shape) in plan.wanted().expect("a plan that was checked") {
        let shown = format!("{shape:?}");
        let numbers = shown.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok());
        let largest: u64 = numbers.max().unwrap_or(0);
        assert!(largest <= 1 << 30, "{slot:?} is {shown}");
    }
}

fn generates(plan: &mut ModelConfig, json: Option<&str>) {
    let vocabulary = plan.spec().vocabulary();
    if made_or_refused(plan.set_generation(json), &["generation_config.json"]).is_none() {
        return;
    }
    let GenerationConfig { start, first, ends, .. } = &plan.generation;
    let ids = start.iter().chain(first).chain(ends);
    if vocabulary > 0 {
        ids.for_each(|&id| assert!((id as usize) < vocabulary, "token {id} of {vocabulary}"));
    }
    if vocabulary == 0 || vocabulary > 1 << 16 {
        return;
    }
    let before = Before { prompt: &[0], source: Some(&[1, 2]), ends };
    let sampling = plan.generation.sampling(&GenerateOptions::default(), vocabulary, &before);
    if let Some(sampling) = made_or_refused(sampling, &[""]) {
        sampling.shape(&Counts::new(before.prompt), before.prompt, 0, &mut vec![0.0; vocabulary]);
    }
}

fn prepares(processor: Result<Processor>) {
    let Some(processor) = made_or_refused(processor, &["preprocessor_config.json"]) else { return };
    for (width, height) in [(50, 40), (1, 1), (3, 1000)] {
        match processor.preparation(width, height) {
            Ok(preparation) => {
                assert!(preparation.levels.iter().all(|level| level.is_finite()), "{preparation:?}");
                for (taps, side) in [(&preparation.columns, width), (&preparation.rows, height)] {
                    let inside = |&first: &u32| first as usize + taps.count <= side;
                    assert!(taps.first.iter().all(inside), "{taps:?} of {side}");
                    assert_eq!(taps.weights.len(), taps.first.len() * taps.count);
                }
            }
            Err(error) => assert_eq!(error.code, Code::InvalidArgument, "{error}"),
        }
    }
}
