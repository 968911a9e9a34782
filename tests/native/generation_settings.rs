//! What `generation_config.json` asks of encoder-decoders, against transformers' own: tests/reference/beams/make_settings.py.

use azulejo::checkpoint::{Header, MetadataValue as Item, TensorInfo, TensorType};
use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Device, Progress};
use azulejo::model::{Beams, GenerateRequest, Model, ModelConfig, families};
use azulejo::text::{Before, GenerateOptions};
use azulejo::{Code, Result};
use serde_json::{Value, json};

use crate::case::{folder, planned};
use crate::devices::{cpu, first, gpu};
use crate::generated::finished;
use crate::metadata::metadata;

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

fn plan(family: &str, generation: Option<&Value>) -> Result<ModelConfig> {
    let config = std::fs::read_to_string(format!("{}/config.json", folder(family))).unwrap();
    let mut plan = families::from_config(&config)?;
    plan.end_tokens.clear();
    plan.set_generation(generation.map(Value::to_string).as_deref())?;
    Ok(plan)
}

/// What comes of a source by a checkpoint's settings and the caller's options.
async fn generate<D: Device>(
    model: &mut Model<D>,
    plan: &ModelConfig,
    source: &[u32],
    options: &GenerateOptions,
) -> Vec<u32> {
    let generation = &plan.generation;
    let prompt: Vec<u32> = generation.start.into_iter().chain(generation.first).collect();
    let before = Before { prompt: &prompt, source: Some(source), ends: &plan.end_tokens };
    let sampling = generation.sampling(options, model.spec.vocabulary(), &before).unwrap();
    if sampling.beams > 1 {
        let mut beams = Beams::new(model, source.to_vec(), prompt, sampling, &plan.end_tokens).unwrap();
        while beams.step(model).await.unwrap() {}
        return beams.best().0;
    }
    let mut session = model.session();
    let asked = GenerateRequest { source: Some(source.to_vec()), prompt };
    let generation = model.generation(asked, sampling, None, &plan.end_tokens, 0).unwrap();
    finished(model, &mut session, generation, |_| {}).await.unwrap().tokens().to_vec()
}

async fn says_what_transformers_says<D: Device>(device: D, family: &str, cases: &[&Value]) {
    let weight_loader = planned(&folder(family), plan(family, None).unwrap(), device);
    let mut model = Model::new(weight_loader, None, CacheType::F32, &Progress::default()).await.unwrap();
    for case in cases {
        let plan = plan(family, Some(&case["generation"])).unwrap();
        let found = generate(&mut model, &plan, &ids(&case["source"]), &GenerateOptions::default()).await;
        assert_eq!(found, ids(&case["tokens"]), "{family}: {}", case["generation"]);
    }
}

#[test]
fn an_encoder_decoder_s_generation_config_is_heeded_as_transformers_heeds_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/beams/settings.json");
    let reference: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let kernels = first();
    for family in ["t5", "bart", "marian"] {
        let cases = reference["cases"].as_array().unwrap();
        let cases: Vec<&Value> = cases.iter().filter(|case| case["family"] == family).collect();
        run(None, says_what_transformers_says(cpu(2), family, &cases));
        // With one beam the GPU chooses by itself where it can.
        let greedy = |case: &&&Value| case["generation"]["num_beams"] == 1;
        let some: Vec<&Value> = cases.iter().filter(greedy).chain(cases.iter().rev().step_by(9)).copied().collect();
        run(Some(&kernels.context), says_what_transformers_says(gpu(&kernels), family, &some));
    }
}

#[test]
fn new_tokens_go_before_lengths_where_a_file_has_both() {
    let settings = json!({ "min_length": 9, "min_new_tokens": 3, "max_length": 20, "max_new_tokens": 5 });
    let plan = plan("bart", Some(&settings)).unwrap();
    let before = Before { prompt: &[2], source: Some(&[5, 6]), ends: &[2] };
    let sampling = plan.generation.sampling(&GenerateOptions::default(), 131, &before).unwrap();
    assert_eq!((sampling.rules.min_tokens, sampling.max_tokens), (3, Some(5)));
}

#[test]
fn the_caller_s_options_come_before_the_checkpoint_s() {
    let settings = json!({ "num_beams": 4, "max_length": 9, "repetition_penalty": 3.0, "no_repeat_ngram_size": 2,
        "min_length": 5, "length_penalty": 2.0, "early_stopping": true, "forced_eos_token_id": 2 });
    let plan = plan("bart", Some(&settings)).unwrap();
    let before = Before { prompt: &[2], source: Some(&[5, 6]), ends: &[2] };
    let sampling = |options: Value| plan.generation.sampling(&serde_json::from_value(options).unwrap(), 131, &before);
    let own = sampling(json!({})).unwrap();
    assert_eq!((own.beams, own.max_tokens, own.repetition_penalty, own.length_penalty), (4, Some(8), 3.0, 2.0));
    assert_eq!((own.rules.no_repeat, own.rules.min_tokens, own.rules.forced), (2, 4, Some((7, 2))));
    let other =
        sampling(json!({ "beams": 2, "maxTokens": 3, "repetitionPenalty": 1, "noRepeatNgram": 0, "minTokens": 0,
        "lengthPenalty": 0.5, "earlyStopping": "never" }))
        .unwrap();
    assert_eq!((other.beams, other.max_tokens, other.repetition_penalty, other.length_penalty), (2, Some(3), 1.0, 0.5));
    assert_eq!((other.rules.no_repeat, other.rules.min_tokens, other.rules.forced), (0, 0, Some((2, 2))));
    assert_eq!(sampling(json!({ "ignoreEnd": true })).unwrap().rules.forced, None);
    // Who draws or wants probabilities follows one text; what a search cannot do is refused by name.
    assert_eq!(sampling(json!({ "temperature": 1 })).unwrap().beams, 1);
    assert_eq!(sampling(json!({ "logprobs": 0 })).unwrap().beams, 1);
    for (options, name) in [
        (json!({ "topK": 3 }), "topK"),
        (json!({ "topP": 0.5 }), "topP"),
        (json!({ "minP": 0.5 }), "minP"),
        (json!({ "beams": 2, "temperature": 1 }), "beams"),
        (json!({ "beams": 2, "logprobs": 1 }), "beams"),
        (json!({ "beams": 1, "lengthPenalty": 1 }), "lengthPenalty"),
        (json!({ "beams": 1, "earlyStopping": true }), "earlyStopping"),
    ] {
        let error = sampling(options.clone()).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument, "{options}");
        assert!(error.message.starts_with(name), "{options}: {error}");
    }
}

#[test]
fn what_is_lacking_is_refused_by_name() {
    for (name, value) in [
        ("num_beam_groups", json!(2)),
        ("diversity_penalty", json!(0.5)),
        ("penalty_alpha", json!(0.6)),
        ("guidance_scale", json!(1.5)),
        ("sequence_bias", json!([[[1, 2], -1.0]])),
        ("encoder_repetition_penalty", json!(1.5)),
        ("exponential_decay_length_penalty", json!([3, 1.1])),
        ("force_words_ids", json!([[3]])),
        ("max_time", json!(3)),
        ("num_beams", json!(17)),
        ("num_beams", json!("4")),
        ("max_length", json!(3.5)),
        ("no_repeat_ngram_size", json!(-1)),
        ("bad_words_ids", json!([3])),
        ("early_stopping", json!("often")),
    ] {
        let settings = json!({ name: value });
        let error = plan("bart", Some(&settings)).unwrap_err();
        assert_eq!(error.code, Code::UnsupportedModel, "{settings}");
        assert!(error.message.contains(name), "{settings}: {error}");
        // A decoder is only asked to follow it by `useDefaults`.
        let decoder = plan("llama", Some(&settings)).unwrap();
        let sampling = |asked| {
            let options = GenerateOptions { use_defaults: Some(asked), ..Default::default() };
            decoder.generation.sampling(&options, 131, &Before { prompt: &[1], source: None, ends: &[2] })
        };
        assert!(sampling(false).is_ok(), "{settings}");
        assert_eq!(sampling(true).unwrap_err().code, Code::UnsupportedModel, "{settings}");
    }
    let neutral = json!({ "num_beam_groups": 1, "diversity_penalty": 0.0, "guidance_scale": null, "typical_p": 0.5,
        "do_sample": false, "num_return_sequences": 3, "use_cache": false, "output_scores": true, "something": "else" });
    assert!(plan("bart", Some(&neutral)).is_ok());
}

#[test]
fn a_decoder_s_suggestions_are_used_where_they_are_asked_for_and_its_end_tokens_always() {
    let settings = json!({ "eos_token_id": [5, 7], "do_sample": true, "temperature": 0.6, "top_k": 20, "top_p": 0.95,
        "min_p": 0.1, "repetition_penalty": 1.1, "max_new_tokens": 30, "min_new_tokens": 2, "no_repeat_ngram_size": 3,
        "suppress_tokens": [9, 5], "bad_words_ids": [[8], [3, 4]], "stop_strings": ["###"] });
    let plan = plan("llama", Some(&settings)).unwrap();
    assert_eq!(plan.end_tokens, [5, 7]);
    let suggested = serde_json::to_value(plan.generation.suggested()).unwrap();
    // JSON has no −∞.
    let expected = json!({ "temperature": 0.6, "topK": 20.0, "topP": 0.95, "minP": 0.1, "repetitionPenalty": 1.1,
        "maxTokens": 30.0, "minTokens": 2.0, "noRepeatNgram": 3.0, "logitBias": { "8": null, "9": null }, "stop": ["###"] });
    assert_eq!(suggested, expected);
    let before = Before { prompt: &[1, 1], source: None, ends: &plan.end_tokens };
    let sampling = |options: Value| {
        let options: GenerateOptions = serde_json::from_value(options).unwrap();
        (plan.generation.sampling(&options, 131, &before).unwrap(), plan.generation.stops(&options))
    };
    let (plain, stops) = sampling(json!({}));
    assert_eq!((plain.temperature, plain.max_tokens, plain.logit_bias.len(), stops.len()), (0.0, None, 0, 0));
    let (used, stops) = sampling(json!({ "useDefaults": true, "topK": 4 }));
    assert_eq!((used.temperature, used.top_k, used.top_p, used.max_tokens), (0.6, 4, 0.95, Some(30)));
    assert_eq!((used.rules.min_tokens, used.rules.no_repeat, stops), (2, 3, vec!["###".to_owned()]));
    assert_eq!(used.rules.bad_words, [[3, 4]]);
    let plan =
        self::plan("llama", Some(&json!({ "eos_token_id": 6, "max_length": 12, "do_sample": false, "top_p": 0.5 })));
    let generation = plan.unwrap().generation;
    assert_eq!(serde_json::to_value(generation.suggested()).unwrap(), json!({}));
    let options = GenerateOptions { use_defaults: Some(true), ..Default::default() };
    let sampling = generation.sampling(&options, 131, &before).unwrap();
    assert_eq!((sampling.max_tokens, sampling.temperature), (Some(10), 0.0), "a length counts the prompt");
}

#[test]
fn a_gguf_file_s_sampling_is_a_suggestion_like_a_generation_config_s() {
    let plan = |keys: &[(&str, Item)]| {
        let mut metadata = metadata("llama");
        keys.iter().for_each(|(key, value)| metadata.insert(format!("general.sampling.{key}"), value.clone()));
        let table = TensorInfo {
            name: "token_embd.weight".into(),
            ty: TensorType::F32,
            shape: vec![131, 48],
            offset: 0,
            bytes: 4 * 131 * 48,
        };
        families::from_gguf(&Header { metadata, tensors: vec![table], unread: Vec::new() }).unwrap().generation
    };
    let suggested = |keys: &[(&str, Item)]| serde_json::to_value(plan(keys).suggested()).unwrap();
    let asked = GenerateOptions { use_defaults: Some(true), ..Default::default() };
    let before = Before { prompt: &[1, 1], source: None, ends: &[] };
    assert_eq!(suggested(&[]), json!({}));
    // As llama.cpp's converter writes Qwen3's, in 32 bits.
    let qwen = [
        ("temp", Item::F32(0.6)),
        ("top_k", Item::I32(20)),
        ("top_p", Item::F32(0.95)),
        ("min_p", Item::F32(0.0)),
        ("penalty_repeat", Item::F32(1.05)),
    ];
    let expected = json!({ "temperature": 0.6, "topK": 20.0, "topP": 0.95, "minP": 0.0, "repetitionPenalty": 1.05 });
    assert_eq!(suggested(&qwen), expected);
    let sampling = plan(&qwen).sampling(&asked, 131, &before).unwrap();
    assert_eq!(
        (sampling.temperature, sampling.top_k, sampling.top_p, sampling.repetition_penalty),
        (0.6, 20, 0.95, 1.05)
    );
    assert_eq!(
        plan(&qwen).sampling(&GenerateOptions::default(), 131, &before).unwrap().temperature,
        0.0,
        "nobody asked"
    );
    // What is written there for "off".
    let off = [
        ("temp", Item::F32(-1.0)),
        ("top_k", Item::I32(-1)),
        ("penalty_repeat", Item::F32(1.3)),
        ("penalty_last_n", Item::I32(0)),
        ("mirostat", Item::I32(0)),
        ("mirostat_tau", Item::F32(5.0)),
        ("xtc_probability", Item::F32(0.0)),
        ("xtc_threshold", Item::F32(0.1)),
    ];
    assert_eq!(suggested(&off), json!({ "temperature": 0.0, "topK": 0.0 }));
    plan(&off).sampling(&asked, 131, &before).unwrap();
    let penalty = ("penalty_repeat", Item::F32(1.3));
    plan(&[penalty.clone(), ("penalty_last_n", Item::I32(-1))]).sampling(&asked, 131, &before).unwrap();
    for (key, value) in [
        ("penalty_last_n", Item::I32(64)),
        ("mirostat", Item::I32(2)),
        ("xtc_probability", Item::F32(0.5)),
        ("typ_p", Item::F32(0.9)),
        ("sequence", Item::String("top_k;temperature".into())),
        ("top_p", Item::F32(1.5)),
        ("temp", Item::String("hot".into())),
    ] {
        let generation = plan(&[penalty.clone(), (key, value)]);
        generation.sampling(&GenerateOptions::default(), 131, &before).unwrap();
        let error = generation.sampling(&asked, 131, &before).unwrap_err();
        assert_eq!(error.code, Code::UnsupportedModel, "{key}");
        assert!(error.message.contains(&format!("general.sampling.{key}")), "{error}");
    }
}
