//! Texts at the edges of what a model has: types and positions that its tables lack, and nothing at all.

use azulejo::checkpoint::{FileReader, Format};
use azulejo::device::cpu::Cpu;
use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Device, Progress};
use azulejo::model::{Model, Output, Sequence, TextModel, WeightLoader, families};
use azulejo::{Code, Result};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;
use std::fs;

use crate::case::{assembled, folder};
use crate::devices::{cpu, first, gpu};

fn config(family: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(format!("{}/config.json", folder(family))).unwrap()).unwrap()
}

/// BERT with the first rows of its table of types.
fn bert(types: usize) -> TextModel<Cpu> {
    let mut config = config("bert");
    config["type_vocab_size"] = types.into();
    let bytes = fs::read(format!("{}/model.safetensors", folder("bert"))).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors = file.tensors();
    tensors.retain(|(name, _)| types > 0 || !name.contains("token_type"));
    for (name, view) in &mut tensors {
        if name.contains("token_type") {
            let data = &view.data()[..types * view.shape()[1] * 4];
            *view = TensorView::new(Dtype::F32, vec![types, view.shape()[1]], data).unwrap();
        }
    }
    let weight_loader = read_all(&config, &safetensors::serialize(tensors, None).unwrap(), cpu(1));
    run(None, TextModel::new(weight_loader, &Progress::default())).unwrap()
}

fn read_all<D: Device>(config: &Value, weights: &[u8], device: D) -> WeightLoader<D> {
    let mut weight_loader = WeightLoader::new(device);
    weight_loader.set_plan(families::from_config(&config.to_string()).unwrap());
    let mut reader = FileReader::new(Format::Safetensors, "model.safetensors", Some(weights.len() as u64));
    reader.push(weights, &mut weight_loader).unwrap();
    reader.finish().unwrap();
    weight_loader
}

fn read(model: &mut TextModel<Cpu>, ids: &[u32], types: &[u32]) -> Result<Vec<f32>> {
    run(None, model.read(&[Sequence { ids: ids.to_vec(), types: types.to_vec(), unpooled: 0 }], Output::Hidden))
}

#[test]
fn a_model_without_types_reads_a_pair_whatever_its_tokenizer_says() {
    for types in [0, 1] {
        let mut model = bert(types);
        let one = read(&mut model, &[5, 6, 7, 8], &[]).unwrap();
        assert_eq!(read(&mut model, &[5, 6, 7, 8], &[0, 0, 1, 1]).unwrap(), one, "{types} types");
    }
    let mut model = bert(2);
    let one = read(&mut model, &[5, 6, 7, 8], &[0, 0, 0, 0]).unwrap();
    assert_ne!(read(&mut model, &[5, 6, 7, 8], &[0, 0, 1, 1]).unwrap(), one);
    assert_eq!(read(&mut model, &[5, 6], &[0, 2]).unwrap_err().code, Code::UnsupportedModel);
}

#[test]
fn an_encoder_reads_as_many_tokens_as_it_has_positions() {
    for family in ["bert", "roberta", "distilbert"] {
        let mut model = run(None, TextModel::new(assembled(family, cpu(1)), &Progress::default())).unwrap();
        let context = model.encoder.spec.context();
        let whole = read(&mut model, &vec![130; context], &[]).unwrap();
        assert!(whole.iter().all(|value| value.is_finite()), "{family}");
        let code = |ids: &[u32], model: &mut TextModel<Cpu>| read(model, ids, &[]).unwrap_err().code;
        assert_eq!(code(&vec![130; context + 1], &mut model), Code::ContextFull, "{family}");
        assert_eq!(code(&[131], &mut model), Code::InvalidArgument, "{family}");
        assert_eq!(code(&[], &mut model), Code::InvalidArgument, "{family}");
    }
}

#[test]
fn a_source_is_neither_empty_nor_longer_than_its_encoder_reads() {
    for family in ["t5", "bart", "marian"] {
        let weight_loader = assembled(family, cpu(1));
        // Distances have no end, but memory does.
        let context = weight_loader.plan().unwrap().stacks[1].spec.longest();
        let model = run(None, Model::new(weight_loader, None, CacheType::F32, &Progress::default())).unwrap();
        assert!(model.check_source(&vec![130; context]).is_ok(), "{family}");
        let code = |ids: &[u32]| model.check_source(ids).unwrap_err().code;
        assert_eq!(code(&vec![130; context + 1]), Code::ContextFull, "{family}");
        assert_eq!(code(&[131]), Code::InvalidArgument, "{family}");
        assert_eq!(code(&[]), Code::InvalidArgument, "{family}");
    }
}

#[test]
fn a_text_begins_with_padding_where_nothing_else_is_said() {
    let mut config = config("t5");
    let start = |config: &Value| families::from_config(&config.to_string()).unwrap().generation.start;
    config["pad_token_id"] = 3.into();
    assert_eq!(start(&config), Some(0));
    config["decoder_start_token_id"] = Value::Null;
    assert_eq!(start(&config), Some(3));
    config["pad_token_id"] = Value::Null;
    assert_eq!(start(&config), None);
}

#[test]
fn heads_that_the_gpu_has_no_kernels_for_are_refused_by_their_size() {
    let mut config = config("bart");
    config["decoder_attention_heads"] = 16.into();
    let weights = fs::read(format!("{}/model.safetensors", folder("bart"))).unwrap();
    let kernels = first();
    let weight_loader = read_all(&config, &weights, gpu(&kernels));
    let progress = Progress::default();
    let made = run(Some(&kernels.context), Model::new(weight_loader, None, CacheType::F32, &progress));
    let error = made.err().expect("heads of 3 values");
    assert_eq!(error.code, Code::UnsupportedModel, "{error}");
    assert!(error.to_string().contains("a head size of 3"), "{error}");
}
