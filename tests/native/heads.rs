//! Heads as the reference has them (tests/reference/heads): what becomes of classes' logits, matrices that a configuration
//! says are one and the file has twice, and texts longer than T5 says.

use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Progress};
use azulejo::model::{Model, ModelConfig, families};
use azulejo::{Code, Result};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use std::fs;

use crate::case::{Case, assert_close, folder, planned};
use crate::devices::cpu;
use crate::outputs::{outputs, score};

fn reference() -> Value {
    serde_json::from_str(include_str!("../reference/heads/heads.json")).unwrap()
}

fn floats(list: &Value) -> Vec<f32> {
    list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

fn config(family: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(format!("{}/config.json", folder(family))).unwrap()).unwrap()
}

/// The plan of a family's configuration with other fields, where `null` takes one away.
fn plan(family: &str, fields: Value) -> Result<ModelConfig> {
    let mut config = config(family);
    for (name, value) in fields.as_object().unwrap() {
        config[name] = value.clone();
    }
    families::from_config(&config.to_string())
}

#[test]
fn classes_logits_become_what_transformers_and_sentence_transformers_make_of_them() {
    let cases = reference()["scores"].as_array().unwrap().clone();
    for family in ["bert", "roberta", "distilbert", "modernbert", "vit", "dinov2"] {
        for case in &cases {
            let mut fields = case["fields"].clone();
            fields["id2label"] = Value::Null;
            let found = plan(family, fields).unwrap().spec().scores().of(&floats(&case["logits"]));
            for (found, expected) in found.iter().zip(floats(&case["scores"])) {
                assert!((found - expected).abs() < 1e-6, "{family}, {}: {found}, expected {expected}", case["fields"]);
            }
        }
    }
}

#[test]
fn heads_that_nobody_knows_are_refused_by_name() {
    for (fields, code, word) in [
        (json!({ "problem_type": "ranking" }), Code::UnsupportedModel, "ranking"),
        (json!({ "problem_type": 5 }), Code::CorruptFile, "problem_type"),
        (json!({ "num_labels": 4 }), Code::CorruptFile, "num_labels"),
        (
            json!({ "num_labels": 1, "id2label": null, "problem_type": "single_label_classification" }),
            Code::CorruptFile,
            "single_label_classification",
        ),
        (
            json!({ "sentence_transformers": { "activation_fn": "torch.nn.modules.activation.Tanh" } }),
            Code::UnsupportedModel,
            "Tanh",
        ),
    ] {
        let error = plan("bert", fields).unwrap_err();
        assert!(error.code == code && error.message.contains(word), "{error}");
    }
}

#[test]
fn a_cross_encoder_says_in_its_own_file_what_becomes_of_its_logit() {
    use azulejo::model::Scores;
    let scores = |classes: usize, activation: &str| {
        let mut plan = plan("bert", json!({ "num_labels": classes, "id2label": null })).unwrap();
        plan.cross_encoder(activation).map(|()| plan.spec().scores())
    };
    let [identity, sigmoid] = ["linear.Identity", "activation.Sigmoid"].map(|name| format!("torch.nn.modules.{name}"));
    assert_eq!(scores(1, &identity).unwrap(), Scores::Identity);
    assert_eq!(scores(1, &sigmoid).unwrap(), Scores::Sigmoid);
    assert_eq!(scores(3, &sigmoid).unwrap(), Scores::Sigmoid);
    // Written for several classes whatever they are.
    assert_eq!(scores(3, &identity).unwrap(), Scores::Softmax);
    assert_eq!(scores(1, "mine.Activation").unwrap_err().code, Code::UnsupportedModel);
}

/// A family's weights with one tensor more: a copy of another one, each value multiplied.
fn with_copy(family: &str, name: &str, of: &str, factor: f32) -> Vec<u8> {
    let bytes = fs::read(format!("{}/model.safetensors", folder(family))).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let original = file.tensor(of).unwrap();
    let floats = original.data().chunks(4).map(|bytes| factor * f32::from_le_bytes(bytes.try_into().unwrap()));
    let data: Vec<u8> = floats.flat_map(f32::to_le_bytes).collect();
    let copy = TensorView::new(original.dtype(), original.shape().to_vec(), &data).unwrap();
    let mut tensors = file.tensors();
    tensors.retain(|(other, _)| other != name);
    tensors.push((name.to_owned(), copy));
    safetensors::serialize(tensors, None).unwrap()
}

/// What a family's case comes to with other weights.
fn with_weights(family: &str, plan: ModelConfig, weights: &[u8]) -> Result<Vec<f32>> {
    use azulejo::checkpoint::{FileReader, Format};
    use azulejo::model::WeightLoader;
    let mut weight_loader = WeightLoader::new(cpu(1));
    weight_loader.set_plan(plan);
    let mut reader = FileReader::new(Format::Safetensors, "model.safetensors", Some(weights.len() as u64));
    weights.chunks(1009).try_for_each(|chunk| reader.push(chunk, &mut weight_loader))?;
    reader.finish()?;
    run(None, outputs(&Case::read(family), weight_loader))
}

#[test]
fn a_tied_head_with_a_matrix_of_its_own_is_that_matrix() {
    for (family, table) in [("gemma", "model.embed_tokens.weight"), ("gpt2", "transformer.wte.weight")] {
        let tied = |tied: bool| plan(family, json!({ "tie_word_embeddings": tied })).unwrap();
        let other = with_copy(family, "lm_head.weight", table, -0.5);
        let found = with_weights(family, tied(true), &other).unwrap();
        assert_eq!(found, with_weights(family, tied(false), &other).unwrap(), "{family}");
        let same = with_copy(family, "lm_head.weight", table, 1.0);
        let plain = with_weights(family, tied(true), &same).unwrap();
        let expected = fs::read(format!("{}/model.safetensors", folder(family))).unwrap();
        assert_eq!(plain, with_weights(family, tied(true), &expected).unwrap(), "{family}");
        assert_ne!(found, plain, "{family}");
    }
}

#[test]
fn a_table_that_two_stacks_share_is_refused_where_the_file_has_two() {
    let of = |family: &str, name: &str, factor: f32| {
        let weights = with_copy(family, name, "model.shared.weight", factor);
        with_weights(family, plan(family, json!({})).unwrap(), &weights)
    };
    for name in ["lm_head.weight", "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"] {
        let plain = of("bart", name, 1.0).unwrap();
        assert_eq!(plain, of("bart", "lm_head.weight", 1.0).unwrap());
        let error = of("bart", name, 2.0).unwrap_err();
        assert_eq!(error.code, Code::UnsupportedModel, "{error}");
        assert!(error.to_string().contains("another table"), "{error}");
    }
}

#[test]
fn t5_reads_and_writes_texts_longer_than_it_says() {
    let case = reference()["long"].clone();
    let ids = |name: &str| -> Vec<u32> {
        case[name].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
    };
    let plan = plan("t5", json!({})).unwrap();
    assert_eq!(plan.spec().context(), 512);
    let weight_loader = planned(&folder("t5"), plan, cpu(2));
    let found = run(None, async {
        let mut model = Model::new(weight_loader, None, CacheType::F32, &Progress::default()).await?;
        score(&mut model, vec![ids("target")], vec![ids("source")]).await
    });
    let (found, expected) = (found.unwrap(), floats(&case["last"]));
    assert_close(&found[found.len() - expected.len()..], &expected, "the last logits");
}
