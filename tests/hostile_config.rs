//! Damaged and hostile `config.json`s: each field of every family's, one after the other, gone or with a value that it
//! should not have. What comes of it is a model, or an error that says so: never a panic, never much memory. The same of
//! `preprocessor_config.json`, `tokenizer_config.json` and GGUF metadata.

use azulejo::checkpoint::{Array, FileReader, Format, Header, MetadataValue as Item, TensorInfo, TensorType};
use azulejo::device::gpu::native::run;
use azulejo::image::Processor;
use azulejo::model::{ModelConfig, WeightLoader, families};
use azulejo::text::{Before, Counts, GenerateOptions, GenerationConfig, Sentence, Tokenizer};
use azulejo::{Code, Result};
use serde_json::{Value, json};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::HashSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[path = "common/case.rs"]
mod case;
#[path = "common/devices.rs"]
mod devices;
#[path = "common/metadata.rs"]
mod metadata;
#[path = "common/outputs.rs"]
mod outputs;
use case::{Case, all_families, families, folder};
use devices::cpu;
use metadata::metadata;
use outputs::outputs;

/// Counts what a thread asks for.
struct Counting;

thread_local! {
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: all is handed on to the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.with(|bytes| bytes.set(bytes.get() + layout.size()));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Fields that no configuration of the set has, and some family asks for.
const OPTIONAL: [&str; 22] = [
    "_sliding_window_pattern",
    "bad_words_ids",
    "d_kv",
    "decoder_layers",
    "forced_bos_token_id",
    "global_attn_every_n_layers",
    "head_dim",
    "id2label",
    "intermediate_size",
    "layer_types",
    "local_attention",
    "max_window_layers",
    "n_head_kv",
    "n_inner",
    "no_rope_layers",
    "num_labels",
    "num_register_tokens",
    "partial_rotary_factor",
    "rope_scaling",
    "rope_theta",
    "sliding_window",
    "type_vocab_size",
];

/// What a field becomes.
fn values() -> Vec<Value> {
    let scaling = |kind: &str, factor: f64| {
        json!({"rope_type": kind, "factor": factor, "low_freq_factor": 0.0,
        "high_freq_factor": 0.0, "original_max_position_embeddings": 0, "attention_factor": 1e308})
    };
    let mut values = vec![
        json!(null),
        json!(true),
        json!(false),
        json!("NaN"),
        json!(""),
        json!("Infinity"),
        json!({}),
        json!({"0": "a", "2": 5}),
        json!([]),
        json!([1, "two", null]),
        json!([0, 0]),
        json!([1u64 << 40, 1u64 << 40]),
        json!([[[0]]]),
        json!(["full_attention", "sliding_attention", "full_attention"]),
        json!(vec![1; 20_000]),
        json!(vec!["sliding_attention"; 5_000]),
        json!("x".repeat(100_000)),
        scaling("yarn", 0.0),
        scaling("llama3", -1.0),
        scaling("linear", 1e-308),
    ];
    values.extend(
        [0u64, 1, 2, 3, 5, 7, 4096, 4097, 65_535, (1 << 24) - 1, 1 << 24, 1 << 31, 1 << 32, 1 << 40].map(Value::from),
    );
    values.extend([u64::MAX, u64::MAX - 1, u64::MAX / 2 + 1].map(Value::from));
    values.extend([-1i64, i64::MIN].map(Value::from));
    values.extend([0.5, -0.5, 1e-308, 1e308, -1e308, 0.999_999_9].map(Value::from));
    values
}

/// The places of all fields, those inside others too.
fn places(value: &Value, at: &str, places: &mut Vec<String>) {
    for (name, inner) in value.as_object().into_iter().flatten() {
        let place = format!("{at}/{name}");
        places.push(place.clone());
        if at.matches('/').count() < 3 {
            self::places(inner, &place, places);
        }
    }
}

/// The configuration with another value at a place, or without it.
fn changed(config: &Value, place: &str, value: Option<&Value>) -> Value {
    let mut config = config.clone();
    let (at, name) = place.rsplit_once('/').unwrap();
    let fields = config.pointer_mut(at).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => fields.insert(name.to_owned(), value.clone()),
        None => fields.remove(name),
    };
    config
}

/// The configuration with all its whole numbers replaced.
fn everywhere(config: &Value, value: u64) -> Value {
    match config {
        Value::Number(number) if number.is_u64() => value.into(),
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), everywhere(field, value))).collect(),
        other => other.clone(),
    }
}

/// The largest number of rows, columns or values in the shapes of a model's weights: WebAssembly has 32 bits for it.
fn largest(plan: &ModelConfig) -> u64 {
    // Angles that are no numbers are told where weights are asked for.
    let Ok(wanted) = plan.wanted() else { return 0 };
    let shapes = wanted.into_iter().map(|(_, shape)| format!("{shape:?}"));
    let numbers = |shape: String| -> u64 {
        shape.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).max().unwrap()
    };
    shapes.map(numbers).max().unwrap()
}

/// What a family is loaded from, and what a sound configuration makes of it.
struct Family {
    case: Case,
    weights: Vec<u8>,
    /// Those that have been loaded.
    plans: HashSet<String>,
    /// Of them, those that have become models.
    models: usize,
}

impl Family {
    fn makes(&self, plan: ModelConfig) -> Result<Vec<f32>> {
        let mut weight_loader = WeightLoader::new(cpu(1));
        weight_loader.set_plan(plan);
        let mut reader = FileReader::new(Format::Safetensors, "model.safetensors", Some(self.weights.len() as u64));
        reader.push(&self.weights, &mut weight_loader)?;
        reader.finish()?;
        run(None, outputs(&self.case, weight_loader))
    }

    /// Says what is wrong with what comes of a configuration.
    fn fails(&mut self, json: &str) -> Option<String> {
        let before = BYTES.get();
        let plan = catch_unwind(|| families::from_config(json));
        let bytes = BYTES.get() - before;
        if bytes > (16 << 20) + 16 * json.len() {
            return Some(format!("{bytes} bytes to read it"));
        }
        let plan = match plan {
            Err(_) => return Some("a panic".to_owned()),
            Ok(Err(error)) => return refused(error.code),
            Ok(Ok(plan)) if largest(&plan) > 1 << 30 => return Some(format!("a shape of {}", largest(&plan))),
            Ok(Ok(plan)) if !self.plans.insert(format!("{plan:?}")) => return None,
            Ok(Ok(plan)) => plan,
        };
        let before = BYTES.get();
        let made = catch_unwind(AssertUnwindSafe(|| self.makes(plan)));
        match made {
            _ if BYTES.get() - before > 1 << 28 => Some(format!("{} bytes to load it", BYTES.get() - before)),
            Err(_) => Some("a panic with its weights".to_owned()),
            // Tokens of the case that a smaller model does not have, and the like.
            Ok(Err(error)) if matches!(error.code, Code::InvalidArgument | Code::ContextFull) => None,
            Ok(Err(error)) => refused(error.code),
            Ok(Ok(_)) => {
                self.models += 1;
                None
            }
        }
    }
}

fn refused(code: Code) -> Option<String> {
    use Code::*;
    (!matches!(code, CorruptFile | UnsupportedModel | UnsupportedQuantization)).then(|| format!("{code:?}"))
}

fn failures(family: &str) -> Vec<String> {
    let read = |file: &str| fs::read(format!("{}/{file}", folder(family))).unwrap();
    let config: Value = serde_json::from_slice(&read("config.json")).unwrap();
    let mut loaded =
        Family { case: Case::read(family), weights: read("model.safetensors"), plans: HashSet::new(), models: 0 };
    let mut all = Vec::new();
    places(&config, "", &mut all);
    all.extend(OPTIONAL.iter().map(|name| format!("/{name}")));
    let values = values();
    let mut failures = Vec::new();
    for place in &all {
        for value in std::iter::once(None).chain(values.iter().map(Some)) {
            if let Some(failure) = loaded.fails(&changed(&config, place, value).to_string()) {
                let value = value.map_or("removed".to_owned(), |value| value.to_string().chars().take(80).collect());
                failures.push(format!("{family}{place}: {value}: {failure}"));
            }
        }
    }
    for value in [1u64, 4, 4096, 1 << 16, 1 << 20, 1 << 24, 1 << 31] {
        if let Some(failure) = loaded.fails(&everywhere(&config, value).to_string()) {
            failures.push(format!("{family}, all numbers {value}: {failure}"));
        }
    }
    assert!(loaded.models > 1, "{family}: no value makes another model");
    failures
}

fn check(families: &[String]) {
    let failures: Vec<String> = families.iter().flat_map(|family| failures(family)).collect();
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn a_wrong_field_of_a_decoder_is_an_error_or_another_model() {
    check(&families("causal"));
}

#[test]
fn a_wrong_field_of_another_family_is_an_error_or_another_model() {
    let decoders = families("causal");
    let others: Vec<String> = all_families().into_iter().filter(|family| !decoders.contains(family)).collect();
    check(&others);
}

const FIELDS: &[&str] = &[
    "decoder_start_token_id",
    "pad_token_id",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "bad_words_ids",
    "eos_token_id",
    "max_length",
    "max_new_tokens",
    "min_length",
    "min_new_tokens",
    "num_beams",
    "length_penalty",
    "early_stopping",
    "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size",
    "repetition_penalty",
    "suppress_tokens",
    "begin_suppress_tokens",
    "do_sample",
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "stop_strings",
    "typical_p",
];

#[test]
fn a_wrong_field_of_generation_config_is_an_error_or_leaves_tokens_of_the_vocabulary() {
    let config = fs::read_to_string(format!("{}/config.json", folder("marian"))).unwrap();
    let plan = families::from_config(&config).unwrap();
    let mut ways = 0;
    let vocabulary = plan.spec().vocabulary();
    for name in FIELDS {
        for value in values() {
            let mut changed = plan.clone();
            match changed.set_generation(Some(&json!({ *name: value }).to_string())) {
                Err(error) => {
                    assert!([Code::CorruptFile, Code::UnsupportedModel].contains(&error.code), "{name}: {error}");
                    assert!(error.to_string().contains(name), "{name}: {error}");
                }
                Ok(()) => {
                    let GenerationConfig { start, first, ends, .. } = &changed.generation;
                    let mut ids = start.iter().chain(first).chain(ends).copied();
                    assert!(ids.all(|id| (id as usize) < vocabulary), "{name}: {value}");
                    let before = Before { prompt: &[0], source: Some(&[1, 2]), ends };
                    let options = GenerateOptions::default();
                    let Ok(sampling) = changed.generation.sampling(&options, vocabulary, &before) else { continue };
                    let counts = Counts::new(before.prompt);
                    sampling.shape(&counts, before.prompt, 0, &mut vec![0.0; vocabulary]);
                    ways += 1;
                }
            }
        }
    }
    assert!(ways > 5, "{ways}");
}

/// Says what is wrong with what comes of a file, by how it is read.
fn reading<T>(len: usize, read: impl FnOnce() -> Result<T>) -> Option<String> {
    let before = BYTES.get();
    let read = catch_unwind(AssertUnwindSafe(read));
    let bytes = BYTES.get() - before;
    if bytes > (16 << 20) + 16 * len {
        return Some(format!("{bytes} bytes to read it"));
    }
    match read {
        Err(_) => Some("a panic".to_owned()),
        Ok(Err(error)) => refused(error.code),
        Ok(Ok(_)) => None,
    }
}

fn assert_none(failures: Vec<String>) {
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// The reference's field lists.
fn fields(file: &str) -> Value {
    serde_json::from_str::<Value>(include_str!("what-is-read/fields.json")).unwrap()[file].clone()
}

#[test]
fn a_wrong_field_of_an_image_processor_is_an_error_or_finite_pixels() {
    let mut failures = Vec::new();
    for (class, fields) in fields("preprocessor_config.json").as_object().unwrap() {
        let base = json!({ "image_processor_type": class, "do_center_crop": true, "crop_size": { "height": 8, "width": 9 },
            "size": { "shortest_edge": 10, "longest_edge": 12 } });
        let mut all: Vec<String> = fields.as_object().unwrap().keys().map(|name| format!("/{name}")).collect();
        places(&base, "", &mut all);
        for place in &all {
            for value in values() {
                let json = changed(&base, place, Some(&value)).to_string();
                let failure = reading(json.len(), || {
                    let processor = Processor::from_json(&json, 3, "vit")?;
                    match processor.preparation(50, 40) {
                        Ok(preparation) => assert!(preparation.levels.iter().all(|level| level.is_finite())),
                        Err(error) => assert_eq!(error.code, Code::InvalidArgument),
                    }
                    Ok(())
                });
                let value: String = value.to_string().chars().take(80).collect();
                failures.extend(failure.map(|failure| format!("{class}{place}: {value}: {failure}")));
            }
        }
    }
    assert_none(failures);
}

#[test]
fn a_wrong_field_of_tokenizer_config_is_an_error_or_another_tokenizer() {
    let tokenizer = json!({ "model": { "type": "WordPiece", "unk_token": "a", "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100, "vocab": { "a": 0, "b": 1 } } });
    let names = [
        "add_bos_token",
        "add_eos_token",
        "add_prefix_space",
        "additional_special_tokens",
        "added_tokens_decoder",
        "bos_token",
        "chat_template",
        "clean_up_tokenization_spaces",
        "cls_token",
        "do_lower_case",
        "eos_token",
        "legacy",
        "mask_token",
        "model_max_length",
        "pad_token",
        "sep_token",
        "tokenizer_class",
        "truncation_side",
        "unk_token",
    ];
    let mut failures = Vec::new();
    for name in names {
        for value in values() {
            let config = json!({ name: value }).to_string();
            let failure = reading(config.len(), || {
                let tokenizer = Tokenizer::from_json(&tokenizer.to_string(), Some(&config))?;
                tokenizer.encode("a b", true)
            });
            let value: String = value.to_string().chars().take(80).collect();
            failures.extend(failure.map(|failure| format!("{name}: {value}: {failure}")));
        }
    }
    assert_none(failures);
}

/// What a key of GGUF metadata becomes.
fn items() -> Vec<Item> {
    let mut items: Vec<Item> = [0, 1, 2, 3, 5, 4096, 1 << 24, 1 << 31, u32::MAX].map(Item::U32).into();
    items.extend([-1, i32::MIN].map(Item::I32));
    items.extend([u64::MAX, 1 << 40].map(Item::U64));
    items.extend([0.0, -0.5, 0.5, 1e-38, 1e38, f32::NAN, f32::INFINITY].map(Item::F32));
    items.extend([1e308, f64::NEG_INFINITY].map(Item::F64));
    items.extend([Item::Bool(true), Item::Bool(false)]);
    items.extend(["", "yarn", "linear", "nonsense"].map(|word| Item::String(word.to_owned())));
    items.push(Item::Array(Array::U32(Vec::new())));
    items.push(Item::Array(Array::U32(vec![u32::MAX; 3])));
    items.push(Item::Array(Array::Bool(vec![true; 5_000])));
    items.push(Item::Array(Array::F32(vec![f32::NAN; 3])));
    items.push(Item::Array(Array::String(vec!["x".repeat(1000); 100])));
    items
}

#[test]
fn a_wrong_key_of_gguf_metadata_is_an_error_or_another_model() {
    let keys = fields("gguf");
    let keys: Vec<&str> =
        keys.as_array().unwrap().iter().filter_map(|key| key.as_str()?.strip_prefix("{arch}.")).collect();
    let mut failures = Vec::new();
    let architectures = [
        "llama",
        "qwen2",
        "gpt2",
        "bloom",
        "mpt",
        "gptneox",
        "falcon",
        "command-r",
        "gemma2",
        "gemma3",
        "phi2",
        "phi3",
        "stablelm",
        "olmo2",
        "smollm3",
        "starcoder2",
        "bert",
        "modern-bert",
        "t5",
        "t5encoder",
        "vit",
        "deit",
        "dinov2",
    ];
    for architecture in architectures {
        let base = metadata(architecture);
        let more =
            ["image_size", "patch_size", "image_channels", "register_tokens", "image_mean", "image_std", "activation"];
        for key in keys.iter().chain(&more) {
            for item in items() {
                let mut metadata = base.clone();
                metadata.insert(format!("{architecture}.{key}"), item.clone());
                let table = TensorInfo {
                    name: "token_embd.weight".to_owned(),
                    ty: TensorType::F32,
                    shape: vec![131, 48],
                    offset: 0,
                    bytes: 4 * 131 * 48,
                };
                let header = Header { metadata, tensors: vec![table], unread: Vec::new() };
                let failure = reading(0, || {
                    let plan = families::from_gguf(&header)?;
                    Sentence::from_gguf(&header.metadata)?;
                    assert!(largest(&plan) <= 1 << 30, "a shape of {}", largest(&plan));
                    Ok(())
                });
                failures.extend(failure.map(|failure| format!("{architecture}.{key}: {item}: {failure}")));
            }
        }
    }
    assert_none(failures);
}
