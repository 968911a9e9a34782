//! docs/what-is-read.md against the reference's field lists (tests/what-is-read/fields.json), and against what a field's
//! change does: what is "read" makes another plan, what is "refused" an error, and what is "without effect" neither.

use azulejo::checkpoint::{Array, Header, Metadata, MetadataValue as Item, TensorInfo, TensorType};
use azulejo::image::Processor;
use azulejo::model::families;
use azulejo::text::{Sentence, SentenceFiles};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;

use crate::case::{all_families, folder};
use crate::metadata::metadata;

const DOCUMENT: &str = include_str!("../../docs/what-is-read.md");
const FIELDS: &str = include_str!("../what-is-read/fields.json");

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    Read,
    Refused,
    Idle,
}

pub(crate) struct Row {
    pub fields: Vec<String>,
    /// Empty: all that have the field.
    families: Vec<String>,
    pub verdict: Verdict,
}

/// What stands in backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The rows of the table under a heading.
pub(crate) fn rows(heading: &str) -> Vec<Row> {
    let section = DOCUMENT.split("\n## ").find(|section| section.starts_with(&format!("{heading}\n")));
    let section = section.unwrap_or_else(|| panic!("no section {heading:?}"));
    let lines = section.lines().filter(|line| line.starts_with("| `"));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let verdict = match cells[2] {
                "read" => Verdict::Read,
                "refused" => Verdict::Refused,
                "without effect" => Verdict::Idle,
                other => panic!("{line}: {other:?}"),
            };
            assert!(cells.len() > 3 && !cells[3].is_empty(), "{line}: why?");
            let families = quoted(cells[1]);
            assert!(!families.is_empty() || cells[1] == "all", "{line}: of which families?");
            Row { fields: quoted(cells[0]), families, verdict }
        })
        .collect()
}

/// What the table says of a field: the row that names the family, else the one for all.
pub(crate) fn said(rows: &[Row], family: &str, field: &str) -> Option<Verdict> {
    let of = |named: bool| {
        rows.iter().find(|row| {
            let here = if named { row.families.iter().any(|one| one == family) } else { row.families.is_empty() };
            here && row.fields.iter().any(|one| one == field)
        })
    };
    of(true).or_else(|| of(false)).map(|row| row.verdict)
}

pub(crate) fn fields(file: &str) -> Value {
    serde_json::from_str::<Value>(FIELDS).unwrap()[file].clone()
}

pub(crate) fn names(list: &Value) -> Vec<String> {
    match list {
        Value::Null => Vec::new(),
        Value::Array(list) => list.iter().map(|name| name.as_str().unwrap().to_owned()).collect(),
        fields => fields.as_object().unwrap().keys().cloned().collect(),
    }
}

/// What a change came to, as text; an error is "refused: …".
pub(crate) fn outcome<T: std::fmt::Debug>(result: azulejo::Result<T>) -> String {
    result.map_or_else(|error| format!("refused: {error}"), |found| format!("{found:?}"))
}

/// Says where the table is wrong about a field, by what each of its values comes to.
pub(crate) fn judge(what: &str, verdict: Verdict, plain: &str, changed: &[(String, String)]) -> Option<String> {
    let refused = |outcome: &str| outcome.starts_with("refused");
    if refused(plain) {
        return Some(format!("{what}: {plain}"));
    }
    let other = changed.iter().find(|(_, outcome)| !refused(outcome) && outcome != plain);
    let error = changed.iter().find(|(_, outcome)| refused(outcome));
    match (verdict, other, error) {
        (Verdict::Read, None, _) => Some(format!("{what}: \"read\", and no value makes another plan")),
        (Verdict::Refused, _, None) => Some(format!("{what}: \"refused\", and no value is")),
        (Verdict::Refused, Some((value, _)), _) => Some(format!("{what}: \"refused\", and {value} makes another plan")),
        (Verdict::Idle, Some((value, _)), _) => Some(format!("{what}: \"without effect\", and {value} has one")),
        (Verdict::Idle, _, Some((value, outcome))) => {
            Some(format!("{what}: \"without effect\", and {value} is {outcome}"))
        }
        _ => None,
    }
}

pub(crate) fn assert_none(failures: Vec<String>) {
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// What a field of a configuration may become.
fn values() -> Vec<Value> {
    let rope = json!({ "rope_type": "default", "rope_theta": 777.0 });
    let mut both = json!({ "full_attention": rope, "sliding_attention": rope, "alibi": true, "softmax_scale": 0.5 });
    both.as_object_mut().unwrap().extend(rope.as_object().unwrap().clone());
    let mut values = vec![
        json!(true),
        json!(false),
        json!({}),
        both,
        json!({ "rope_type": "linear", "factor": 2.0 }),
        json!({ "0": "a", "1": "b", "2": "c" }),
        json!(["BertForSequenceClassification"]),
        json!(["BertModel"]),
    ];
    for layers in 1..9 {
        values.extend([json!(vec!["full_attention"; layers]), json!(vec!["sliding_attention"; layers])]);
        values.extend([json!(vec![0; layers]), json!(vec![1; layers])]);
    }
    values.extend([1, 2, 3, 4, 5, 7, 16, 24, 48, 96, 1000].map(Value::from));
    values.extend([0.5, 2.5, 1e-3].map(Value::from));
    let words = [
        "relu",
        "silu",
        "tanh",
        "gelu",
        "gated-gelu",
        "mean",
        "cls",
        "nope",
        "regression",
        "multi_label_classification",
    ];
    values.extend(words.map(Value::from));
    values.extend(
        ["nonsense", "roberta", "mistral", "vit", "deit", "gpt2", "gptj", "t5", "bart", "marian"].map(Value::from),
    );
    values
}

/// What has to be said beside a field for it to count.
fn beside(family: &str, field: &str) -> Value {
    let classes =
        |body: &str| json!({ "architectures": [format!("{body}ForSequenceClassification")], "num_labels": null });
    match (family, field) {
        ("granitemoehybrid", "num_hidden_layers") => json!({}),
        ("gpt_oss", "rope_theta") => json!({ "rope_parameters": null, "rope_scaling": { "rope_type": "default" } }),
        ("gpt_oss", "rope_scaling") => json!({ "rope_scaling": { "rope_type": "default" } }),
        ("qwen3_moe", "num_experts") => json!({ "num_local_experts": null }),
        ("qwen3_moe", "decoder_sparse_step") => json!({ "mlp_only_layers": null }),
        ("qwen3_moe", "sliding_window") => json!({ "use_sliding_window": true }),
        ("qwen3_moe", "use_sliding_window") => json!({ "sliding_window": 9 }),
        (_, "num_hidden_layers") => json!({ "layer_types": null, "no_rope_layers": null }),
        ("qwen2" | "qwen3" | "smollm3", "sliding_window" | "max_window_layers") => {
            json!({ "use_sliding_window": true, "sliding_window": 9, "max_window_layers": 1, "layer_types": null })
        }
        ("qwen2" | "qwen3" | "smollm3", "layer_types") => json!({ "use_sliding_window": true, "sliding_window": 9 }),
        ("qwen2" | "qwen3" | "smollm3", "use_sliding_window") => {
            json!({ "sliding_window": 9, "max_window_layers": 1, "layer_types": null })
        }
        ("smollm3", "no_rope_layer_interval") => json!({ "no_rope_layers": null }),
        ("gemma3_text" | "cohere2", "_sliding_window_pattern") => json!({ "layer_types": null }),
        ("modernbert", "global_attn_every_n_layers" | "local_rope_theta" | "global_rope_theta") => {
            json!({ "layer_types": null, "rope_parameters": null })
        }
        ("falcon", "multi_query" | "parallel_attn") => {
            json!({ "new_decoder_architecture": false, "num_kv_heads": null })
        }
        ("marian", "vocab_size") => json!({ "decoder_vocab_size": null }),
        ("opt", "hidden_size") => json!({ "word_embed_proj_dim": null }),
        ("phi", "num_attention_heads") => json!({ "num_key_value_heads": null }),
        ("gpt_neox" | "stablelm", "rope_parameters") => json!({ "partial_rotary_factor": 0.5 }),
        ("falcon", "num_ln_in_parallel_attn") => json!({ "new_decoder_architecture": true, "num_kv_heads": 2 }),
        ("falcon", "num_kv_heads") => json!({ "new_decoder_architecture": false, "multi_query": false }),
        ("bert" | "roberta" | "xlm-roberta" | "camembert" | "distilbert" | "modernbert", _) => classes("X"),
        ("t5", "tie_word_embeddings") => json!({ "scale_decoder_outputs": null }),
        ("t5" | "mt5" | "bart" | "marian", "pad_token_id") => json!({ "decoder_start_token_id": null }),
        ("gpt_neox" | "phi" | "stablelm", "rope_theta" | "rope_scaling") => {
            json!({ "rope_parameters": null, "partial_rotary_factor": 0.5 })
        }
        (_, "rope_theta" | "rope_scaling") => json!({ "rope_parameters": null }),
        _ => json!({}),
    }
}

/// A configuration of each family of the reference's, and where in it the family's own fields are.
fn configurations() -> BTreeMap<String, (Value, &'static str)> {
    let mut found = BTreeMap::new();
    for name in all_families() {
        let config: Value =
            serde_json::from_str(&fs::read_to_string(format!("{}/config.json", folder(&name))).unwrap()).unwrap();
        let family = config["model_type"].as_str().unwrap().to_owned();
        found.entry(family).or_insert((config, ""));
    }
    for (like, family) in
        [("roberta", "xlm-roberta"), ("roberta", "camembert"), ("t5", "mt5"), ("dinov2", "dinov2_with_registers")]
    {
        let (mut config, at) = found[like].clone();
        config["model_type"] = family.into();
        found.insert(family.to_owned(), (config, at));
    }
    for pair in ["clip", "siglip"] {
        let (config, _) = found[pair].clone();
        found.insert(format!("{pair}_text_model"), (config.clone(), "text_config"));
        found.insert(format!("{pair}_vision_model"), (config, "vision_config"));
    }
    found
}

/// What each value of a field makes of a configuration, and what it is without.
fn plans(config: &Value, part: &str, field: &str, family: &str) -> (String, Vec<(String, String)>) {
    let mut config = config.clone();
    let set = |config: &mut Value, name: &str, value: Value| {
        let fields = if part.is_empty() { config } else { &mut config[part] };
        let fields: &mut Map<String, Value> = fields.as_object_mut().unwrap();
        if value.is_null() {
            fields.remove(name)
        } else {
            fields.insert(name.to_owned(), value)
        };
    };
    for (name, value) in beside(family, field).as_object().unwrap() {
        set(&mut config, name, value.clone());
    }
    if field == "problem_type" || field == "num_labels" {
        set(&mut config, "id2label", Value::Null);
    }
    let plain = outcome(families::from_config(&config.to_string()));
    let changed = values().into_iter().map(|value| {
        let mut config = config.clone();
        set(&mut config, field, value.clone());
        (value.to_string(), outcome(families::from_config(&config.to_string())))
    });
    (plain, changed.collect())
}

#[test]
fn every_field_of_the_references_configurations_is_read_refused_or_without_effect_as_the_table_says() {
    let (rows, reference, configurations) = (rows("config.json"), fields("config.json"), configurations());
    let mut failures = Vec::new();
    for (family, list) in reference.as_object().unwrap() {
        let Some((config, part)) = configurations.get(family) else {
            failures.push(format!("{family}: no configuration to try it with"));
            continue;
        };
        // Names that only older files have, too.
        let older = rows.iter().filter(|row| row.families.iter().any(|one| one == family));
        let mut all: Vec<String> = names(list);
        all.extend(older.flat_map(|row| row.fields.clone()));
        all.sort();
        all.dedup();
        for field in all {
            let Some(verdict) = said(&rows, family, &field) else {
                failures.push(format!("{family}: {field} is not in the table"));
                continue;
            };
            let (plain, changed) = plans(config, part, &field, family);
            failures.extend(judge(&format!("{family}: {field}"), verdict, &plain, &changed));
        }
    }
    assert_none(failures);
}

#[test]
fn every_field_of_the_references_image_processors_is_read_refused_or_without_effect_as_the_table_says() {
    let (rows, mut failures) = (rows("preprocessor_config.json"), Vec::new());
    for (class, made) in fields("preprocessor_config.json").as_object().unwrap() {
        let base = json!({ "image_processor_type": class });
        let made_of = |config: &Value| {
            let processor = Processor::from_json(&config.to_string(), 3, "vit");
            outcome(processor.and_then(|processor| Ok((processor.preparation(50, 40)?, processor))))
        };
        for field in names(made) {
            let Some(verdict) = said(&rows, class, &field) else {
                failures.push(format!("{class}: {field} is not in the table"));
                continue;
            };
            let mut base = base.clone();
            match field.as_str() {
                "crop_size" => base["do_center_crop"] = json!(true),
                "default_to_square" => base["size"] = json!(20),
                _ => {}
            }
            let values = [json!(true), json!(false), json!(3), json!(1), json!(0.25), json!([0.1, 0.2, 0.3])];
            let words =
                [json!("CLIPImageProcessor"), json!("ViTImageProcessor"), json!("channels_first"), json!([9, 8])];
            let changed = values.into_iter().chain(words).map(|value| {
                let mut config = base.clone();
                config[&field] = value.clone();
                (value.to_string(), made_of(&config))
            });
            failures.extend(judge(
                &format!("{class}: {field}"),
                verdict,
                &made_of(&base),
                &changed.collect::<Vec<_>>(),
            ));
        }
    }
    assert_none(failures);
}

#[test]
fn every_field_of_sentence_transformers_is_read_refused_or_without_effect_as_the_table_says() {
    let modules = json!([
        { "path": "", "type": "sentence_transformers.models.Transformer" },
        { "path": "1_Pooling", "type": "sentence_transformers.models.Pooling" },
        { "path": "2_Dense", "type": "sentence_transformers.models.Dense" },
        { "path": "3_Normalize", "type": "sentence_transformers.models.Normalize" },
    ]);
    let dense = json!({ "in_features": 6, "out_features": 4 });
    let read = |file: &str, config: Value| {
        let mut files = SentenceFiles {
            modules: modules.to_string(),
            pooling: Some("{}".to_owned()),
            dense: BTreeMap::from([("2_Dense".to_owned(), dense.to_string())]),
            ..SentenceFiles::default()
        };
        if file == "Dense" {
            let mut changed = dense.as_object().unwrap().clone();
            changed.extend(config.as_object().unwrap().clone());
            files.dense.insert("2_Dense".to_owned(), Value::Object(changed).to_string());
        }
        let config = Some(config.to_string());
        match file {
            "Pooling" => files.pooling = config,
            "Normalize" => files.normalize = config,
            "Dense" => {}
            "sentence_bert_config.json" => files.transformer = config,
            _ => files.model = config,
        }
        outcome(Sentence::from_json(&files))
    };
    let values = [
        json!(true),
        json!(false),
        json!(7),
        json!("lasttoken"),
        json!("token_embeddings"),
        json!("torch.nn.modules.linear.Identity"),
        json!("fill-mask"),
        json!("dot"),
        json!({ "text": { "method": "other" } }),
        json!({ "query": "q: " }),
        json!("query"),
    ];
    let mut failures = Vec::new();
    for file in ["sentence_bert_config.json", "Pooling", "Dense", "Normalize", "config_sentence_transformers.json"] {
        let rows = rows(file);
        let mut all: Vec<String> = rows.iter().flat_map(|row| row.fields.clone()).collect();
        all.extend(names(&fields(file)));
        for field in all {
            let Some(verdict) = said(&rows, "all", &field) else {
                failures.push(format!("{file}: {field} is not in the table"));
                continue;
            };
            let of = |value: &Value| (value.to_string(), read(file, json!({ &field: value })));
            let changed: Vec<_> = values.iter().map(of).collect();
            failures.extend(judge(&format!("{file}: {field}"), verdict, &read(file, json!({})), &changed));
        }
    }
    assert_none(failures);
}

fn of_gguf(metadata: Metadata) -> String {
    let tensor = |name: &str, shape: &[usize]| TensorInfo {
        name: name.to_owned(),
        ty: TensorType::F32,
        shape: shape.to_vec(),
        offset: 0,
        bytes: 4 * shape.iter().product::<usize>() as u64,
    };
    let mut tensors = vec![tensor("token_embd.weight", &[131, 48])];
    if metadata.str("general.architecture") == Some("modern-bert") {
        tensors.extend([tensor("cls.weight", &[48, 48]), tensor("cls.output.weight", &[3, 48])]);
    }
    let sentence = Sentence::from_gguf(&metadata);
    let header = Header { metadata, tensors, unread: Vec::new() };
    outcome(families::from_gguf(&header).and_then(|plan| Ok((plan, sentence?))))
}

#[test]
fn every_key_of_llama_cpps_is_read_refused_or_without_effect_as_the_table_says() {
    let rows = rows("GGUF");
    let mut failures = Vec::new();
    let mut tried = 0;
    for key in names(&fields("gguf")) {
        let Some(row) = rows.iter().find(|row| row.fields.contains(&key)) else {
            failures.push(format!("{key} is not in the table"));
            continue;
        };
        // What is no model's own is tried elsewhere: tokenizers, shards.
        let Some(name) = key.strip_prefix("{arch}.").filter(|name| !name.contains('{')) else { continue };
        let architectures = if row.families.is_empty() { vec!["llama".to_owned()] } else { row.families.clone() };
        for architecture in architectures {
            let base = metadata(&architecture);
            let mut base = base;
            if row.verdict == Verdict::Read && name.starts_with("expert_") || architecture == "qwen3moe" {
                for (key, value) in [("expert_count", 6), ("expert_used_count", 2), ("expert_feed_forward_length", 24)]
                {
                    base.insert(format!("{architecture}.{key}"), Item::U32(value));
                }
            }
            if ["attention.sliding_window_pattern", "rope.freq_base_swa"].contains(&name) {
                base.insert(format!("{architecture}.attention.sliding_window"), Item::U32(8));
            }
            if name.starts_with("rope.scaling.") && name != "rope.scaling.type" {
                for (key, value) in [
                    ("type", Item::String("yarn".to_owned())),
                    ("factor", Item::F32(4.0)),
                    ("original_context_length", Item::U32(16)),
                ] {
                    base.insert(format!("{architecture}.rope.scaling.{key}"), value);
                }
            }
            let mut values: Vec<Item> = [0, 1, 2, 3, 6, 96].map(Item::U32).into();
            values.extend([0.5, 2.5].map(Item::F32));
            values.extend([Item::Bool(true), Item::Bool(false)]);
            values.extend(["linear", "silu", "nonsense"].map(|word| Item::String(word.to_owned())));
            values.push(Item::Array(Array::I32(vec![2, 2, 2])));
            values.push(Item::Array(Array::Bool(vec![true, false, false])));
            values.push(Item::Array(Array::String(["a", "b", "c"].map(str::to_owned).into())));
            let of = |value: &Item| {
                let mut metadata = base.clone();
                metadata.insert(format!("{architecture}.{name}"), value.clone());
                (value.to_string(), of_gguf(metadata))
            };
            let changed: Vec<_> = values.iter().map(of).collect();
            let what = format!("{architecture}: {key}");
            failures.extend(judge(&what, row.verdict, &of_gguf(base.clone()), &changed));
            tried += 1;
        }
    }
    assert_none(failures);
    assert!(tried > 80, "{tried}");
}

#[test]
fn the_table_names_no_family_that_there_is_none_of() {
    let reference = fields("config.json");
    for row in rows("config.json") {
        for family in row.families {
            assert!(reference.get(&family).is_some(), "{family}");
        }
    }
}
