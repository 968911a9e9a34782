//! Llama's relatives of the conformance set as GGUF files, converted the way llama.cpp's converter does it: other names, queries and
//! keys reordered for Llama, Llama 3's RoPE as a tensor of divisors. In one file and in several.

use azulejo::Code;
use azulejo::checkpoint::write::{NewTensor, file};
use azulejo::checkpoint::{FileReader, Format, Metadata, MetadataValue, TensorType};
use azulejo::device::cpu::{Cpu, pool::Pool};
use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Progress};
use azulejo::model::{Model, WeightLoader};
use safetensors::SafeTensors;
use std::fs;

use crate::case::{Case, assert_close, folder};

type Tensor = (NewTensor, Vec<u8>);

const FAMILIES: [&str; 6] = ["llama", "llama3_rope", "llama_yarn", "mistral", "qwen2", "qwen3"];

/// transformers' names for a layer's parts, and llama.cpp's.
const PARTS: [(&str, &str); 11] = [
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("post_attention_layernorm", "ffn_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
];

fn gguf_name(name: &str) -> String {
    let (stem, kind) = name.rsplit_once('.').unwrap();
    let stem = match stem {
        "model.embed_tokens" => "token_embd".to_owned(),
        "model.norm" => "output_norm".to_owned(),
        "lm_head" => "output".to_owned(),
        stem => {
            let (layer, part) = stem.strip_prefix("model.layers.").unwrap().split_once('.').unwrap();
            format!("blk.{layer}.{}", PARTS.iter().find(|(theirs, _)| *theirs == part).unwrap().1)
        }
    };
    format!("{stem}.{kind}")
}

/// Rows of each head so that the two halves' rows take turns.
fn interleaved(data: &[u8], rows: usize, head_dim: usize) -> Vec<u8> {
    let row = data.len() / rows;
    let source = |i: usize| i / head_dim * head_dim + i % 2 * head_dim / 2 + i % head_dim / 2;
    (0..rows).flat_map(|i| data[source(i) * row..][..row].to_vec()).collect()
}

struct Converted {
    metadata: Metadata,
    tensors: Vec<Tensor>,
}

fn convert(family: &str) -> Converted {
    let config: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(format!("{}/config.json", folder(family))).unwrap()).unwrap();
    let number = |key: &str| config[key].as_u64().map(|number| number as usize);
    let architecture = config["model_type"].as_str().unwrap();
    let (width, heads) = (number("hidden_size").unwrap(), number("num_attention_heads").unwrap());
    let head_dim = number("head_dim").unwrap_or(width / heads);
    let bytes = fs::read(format!("{}/model.safetensors", folder(family))).unwrap();
    let mut tensors: Vec<Tensor> = Vec::new();
    for (name, view) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
        let name = gguf_name(&name);
        let reorder =
            ["llama", "mistral"].contains(&architecture) && (name.contains("attn_q.") || name.contains("attn_k."));
        let data = if reorder { interleaved(view.data(), view.shape()[0], head_dim) } else { view.data().to_vec() };
        tensors.push((NewTensor { name, ty: TensorType::F32, shape: view.shape().to_vec() }, data));
    }
    // The embedding table first, as the converter has it.
    tensors.sort_by_key(|(tensor, _)| (tensor.name != "token_embd.weight", tensor.name.clone()));
    let mut metadata = Metadata::default();
    metadata.insert("general.architecture", MetadataValue::String(architecture.to_owned()));
    let mut set = |key: &str, value: MetadataValue| metadata.insert(format!("{architecture}.{key}"), value);
    for (key, value) in [
        ("block_count", number("num_hidden_layers")),
        ("embedding_length", Some(width)),
        ("feed_forward_length", number("intermediate_size")),
        ("context_length", number("max_position_embeddings")),
        ("attention.head_count", Some(heads)),
        ("attention.head_count_kv", number("num_key_value_heads")),
        ("attention.key_length", Some(head_dim)),
        ("attention.value_length", Some(head_dim)),
        ("rope.dimension_count", Some(head_dim)),
        ("attention.sliding_window", number("sliding_window").filter(|_| family == "mistral")),
    ] {
        if let Some(value) = value {
            set(key, MetadataValue::U32(value as u32));
        }
    }
    set("attention.layer_norm_rms_epsilon", MetadataValue::F32(config["rms_norm_eps"].as_f64().unwrap() as f32));
    let rope = &config["rope_parameters"];
    set("rope.freq_base", MetadataValue::F32(rope["rope_theta"].as_f64().unwrap() as f32));
    match rope["rope_type"].as_str().unwrap() {
        "yarn" => {
            set("rope.scaling.type", MetadataValue::String("yarn".to_owned()));
            set("rope.scaling.factor", MetadataValue::F32(rope["factor"].as_f64().unwrap() as f32));
            set(
                "rope.scaling.original_context_length",
                MetadataValue::U32(rope["original_max_position_embeddings"].as_u64().unwrap() as u32),
            );
        }
        "llama3" => tensors.push(llama3_divisors(rope, head_dim)),
        _ => {}
    }
    Converted { metadata, tensors }
}

/// Llama 3's scaling as the converter writes it: what each frequency is divided by.
fn llama3_divisors(rope: &serde_json::Value, head_dim: usize) -> Tensor {
    let number = |key: &str| rope[key].as_f64().unwrap();
    let (factor, low, high) = (number("factor"), number("low_freq_factor"), number("high_freq_factor"));
    let original = number("original_max_position_embeddings");
    let divisor = |pair: usize| {
        let wavelength = std::f64::consts::TAU * number("rope_theta").powf(2.0 * pair as f64 / head_dim as f64);
        if wavelength < original / high {
            1.0
        } else if wavelength > original / low {
            factor
        } else {
            let smooth = (original / wavelength - low) / (high - low);
            1.0 / ((1.0 - smooth) / factor + smooth)
        }
    };
    let data = (0..head_dim / 2).flat_map(|pair| (divisor(pair) as f32).to_le_bytes()).collect();
    (NewTensor { name: "rope_freqs.weight".to_owned(), ty: TensorType::F32, shape: vec![head_dim / 2] }, data)
}

fn load(files: &[Vec<u8>]) -> azulejo::Result<Model<Cpu>> {
    let mut weight_loader = WeightLoader::new(Cpu::new(Pool::alone()));
    for bytes in files {
        let mut reader = FileReader::new(Format::Gguf, "model.gguf", Some(bytes.len() as u64));
        bytes.chunks(4099).try_for_each(|chunk| reader.push(chunk, &mut weight_loader))?;
        reader.finish()?;
    }
    run(None, Model::new(weight_loader, None, CacheType::F32, &Progress::default()))
}

/// The same tensors in `count` files.
fn shards(Converted { metadata, tensors }: &Converted, count: usize) -> Vec<Vec<u8>> {
    let parts = tensors.chunks(tensors.len().div_ceil(count));
    let shard = |(index, tensors): (usize, &[Tensor])| {
        let mut metadata = if index == 0 { metadata.clone() } else { Metadata::default() };
        metadata.insert("split.no", MetadataValue::U16(index as u16));
        metadata.insert("split.count", MetadataValue::U16(count as u16));
        file(&metadata, tensors)
    };
    parts.enumerate().map(shard).collect()
}

fn check(family: &str, files: &[Vec<u8>]) {
    let case = Case::read(family);
    let mut model = load(files).unwrap_or_else(|error| panic!("{family}: {error}"));
    let (prompt, vocabulary) = (case.ids("prompt"), model.spec.vocabulary());
    let mut session = model.session();
    run(None, model.extend(&mut session, &prompt)).unwrap();
    let mut logits = model.logits_buffer().unwrap();
    run(None, model.logits_of(&[prompt.len() - 1], &mut logits)).unwrap();
    assert_close(&logits, &case.floats("next_logits")[..vocabulary], family);
}

#[test]
fn every_family_is_the_same_model_as_gguf() {
    for family in FAMILIES {
        let Converted { metadata, tensors } = convert(family);
        check(family, &[file(&metadata, &tensors)]);
    }
}

#[test]
fn a_model_in_several_files_is_the_same_model() {
    for family in ["llama", "llama3_rope", "qwen2"] {
        check(family, &shards(&convert(family), 3));
    }
}

#[test]
fn a_missing_file_of_several_is_named_by_its_first_tensor() {
    let files = shards(&convert("llama"), 3);
    let error = load(&files[..2]).err().unwrap();
    assert_eq!(error.code, Code::CorruptFile);
    assert!(error.place.tensor.is_some(), "{error}");
}

#[test]
fn a_tensor_that_has_no_place_or_another_shape_is_refused() {
    let mut stranger = convert("llama");
    let (tensor, data) = stranger.tensors[0].clone();
    stranger.tensors.push((NewTensor { name: "blk.0.attn_sinks.weight".to_owned(), ..tensor }, data));
    assert_eq!(load(&[file(&stranger.metadata, &stranger.tensors)]).err().unwrap().code, Code::UnsupportedModel);

    let mut narrow = convert("llama");
    let at = narrow.tensors.iter().position(|(tensor, _)| tensor.name == "blk.1.attn_q.weight").unwrap();
    narrow.tensors[at].0.shape = vec![24, 96];
    let error = load(&[file(&narrow.metadata, &narrow.tensors)]).err().unwrap();
    let expected = "tensor \"blk.1.attn_q.weight\": shape [24, 96], expected [48, 48] (4 heads × 12)";
    assert!(error.to_string().starts_with(expected), "{error}");
}
