//! Files that llama.cpp's own converter wrote, with something changed: read as they say, or refused by name.

use azulejo::Code;
use azulejo::checkpoint::write::{NewTensor, file};
use azulejo::checkpoint::{Array, Header, Metadata, MetadataValue};
use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Progress};
use azulejo::model::{Model, Output, Pooling, Spec, TextModel, WeightLoader, families};

use crate::devices::cpu;
use crate::gguf_llama_cpp::{Contents, assembled, loaded, push};

/// A file's header, changed.
fn changed(family: &str, change: impl FnOnce(&mut Header)) -> azulejo::Result<Spec> {
    let mut header = loaded(family, cpu(1)).header().clone();
    change(&mut header);
    families::from_gguf(&header).map(|plan| plan.spec().clone())
}

/// Those of the entries.
fn filtered(metadata: &Metadata, is_kept: impl Fn(&str) -> bool) -> Metadata {
    let mut result = Metadata::default();
    let entries = metadata.iter().filter(|(key, _)| is_kept(key));
    entries.for_each(|(key, value)| result.insert(key, value.clone()));
    result
}

#[test]
fn what_is_lacking_is_refused_by_its_name() {
    let cases = [
        ("llama", "general.architecture", MetadataValue::String("gptj".into()), "architecture \"gptj\""),
        ("gemma", "gemma.expert_count", MetadataValue::U32(8), "gemma with mixture of experts"),
        ("mixtral", "llama.expert_gating_func", MetadataValue::U32(2), "\"llama.expert_gating_func\": 2"),
        ("gpt_oss", "gpt-oss.expert_gating_func", MetadataValue::U32(2), "\"gpt-oss.expert_gating_func\": 2"),
        ("mixtral", "llama.expert_weights_norm", MetadataValue::Bool(false), "\"llama.expert_weights_norm\": false"),
        (
            "qwen3_moe",
            "qwen3moe.expert_weights_scale",
            MetadataValue::F32(2.5),
            "\"qwen3moe.expert_weights_scale\": 2.5",
        ),
        ("qwen3_moe", "qwen3moe.expert_shared_count", MetadataValue::U32(1), "\"qwen3moe.expert_shared_count\": 1"),
        ("qwen3_moe", "qwen3moe.expert_group_count", MetadataValue::U32(4), "\"qwen3moe.expert_group_count\": 4"),
        (
            "qwen3_moe",
            "qwen3moe.leading_dense_block_count",
            MetadataValue::U32(1),
            "\"qwen3moe.leading_dense_block_count\": 1",
        ),
        ("qwen3_moe", "qwen3moe.router_logit_softcapping", MetadataValue::F32(30.0), "router_logit_softcapping\": 30"),
        ("mixtral", "llama.expert_used_count", per_layer(&[2, 1]), "expert_used_count\" that differs between layers"),
        ("granite", "granite.expert_count", MetadataValue::U32(8), "granite with mixture of experts"),
        ("granite", "granite.attention.head_count_kv", per_layer(&[2, 0]), "granite with recurrent layers"),
        (
            "granite",
            "granite.attention.sliding_window",
            MetadataValue::U32(8),
            "\"granite.attention.sliding_window\": 8",
        ),
        ("olmoe", "olmoe.attention.sliding_window", MetadataValue::U32(8), "\"olmoe.attention.sliding_window\": 8"),
        ("llama", "llama.residual_scale", MetadataValue::F32(0.5), "\"llama.residual_scale\": 0.5"),
        ("llama", "llama.embedding_scale", MetadataValue::F32(0.5), "\"llama.embedding_scale\": 0.5"),
        ("llama", "llama.ssm.inner_size", MetadataValue::U32(8), "\"llama.ssm.inner_size\": 8"),
        ("cohere2", "cohere2.rope.freq_base_swa", MetadataValue::F32(300.0), "\"cohere2.rope.freq_base_swa\": 300"),
        ("qwen3_embedding", "qwen3.pooling_type", MetadataValue::U32(4), "qwen3 with \"pooling_type\": 4"),
        (
            "gemma3_embedding",
            "gemma-embedding.attention.causal",
            MetadataValue::Bool(true),
            "\"attention.causal\": true",
        ),
        ("qwen3", "qwen3.rope.scaling.type", MetadataValue::String("longrope".into()), "RoPE scaling \"longrope\""),
        (
            "phi3_longrope",
            "phi3.rope.scaling.type",
            MetadataValue::String("yarn".into()),
            "LongRoPE with RoPE scaling \"yarn\"",
        ),
        (
            "phi3_longrope",
            "phi3.rope.scaling.factor",
            MetadataValue::F32(4.0),
            "LongRoPE with \"phi3.rope.scaling.factor\": 4",
        ),
        ("mpt", "mpt.attention.max_alibi_bias", MetadataValue::F32(0.0), "\"alibi\": false"),
        ("mpt", "mpt.attention.clamp_kqv", MetadataValue::F32(6.0), "\"clip_qkv\": 6.0"),
        ("gemma3", "gemma3.attention.causal", MetadataValue::Bool(false), "gemma3 with \"attention.causal\": false"),
        (
            "qwen3",
            "qwen3.attention.value_length",
            MetadataValue::U32(4),
            "heads with keys of 16 and values of 4 dimensions",
        ),
    ];
    for (family, key, value, named) in cases {
        let error = changed(family, |header| header.metadata.insert(key, value)).err().unwrap();
        assert_eq!(error.code, Code::UnsupportedModel, "{error}");
        assert!(error.to_string().contains(named), "{error}");
    }
    let with = |name: &'static str| {
        move |header: &mut Header| {
            let mut tensor = header.tensors[0].clone();
            tensor.name = name.to_owned();
            header.tensors.push(tensor);
        }
    };
    for (family, tensor, named) in [
        ("qwen3", "rope_factors_long.weight", "RoPE scaling \"longrope\""),
        ("phi3_longrope", "rope_freqs.weight", "tensor \"rope_freqs.weight\": a third tensor of RoPE's factors"),
    ] {
        let error = changed(family, with(tensor)).err().unwrap();
        assert!(error.to_string().starts_with(named), "{error}");
    }
    let dense = changed("qwen3_embedding", with("dense_2.weight")).err().unwrap();
    assert_eq!(dense.to_string(), "tensor \"dense_2.weight\": a Dense module in a file of qwen3");
}

#[test]
fn what_a_mixture_needs_is_missed_by_its_name() {
    for (family, key) in [("qwen3_moe", "qwen3moe.expert_count"), ("mixtral", "llama.expert_used_count")] {
        let without = |header: &mut Header| header.metadata = filtered(&header.metadata, |name| name != key);
        let error = changed(family, without).err().unwrap();
        assert!(error.to_string().contains(key), "{error}");
    }
}

#[test]
fn shares_of_experts_are_as_the_file_or_llama_cpp_says() {
    let renormalised = |family: &str, said: Option<bool>| {
        let set = |header: &mut Header| {
            let prefix = family.replace("_moe", "moe");
            let said = said.map(MetadataValue::Bool);
            said.into_iter().for_each(|said| header.metadata.insert(format!("{prefix}.expert_weights_norm"), said));
        };
        changed(family, set).unwrap().blocks[0].feed_forward.experts.unwrap().renormalise
    };
    assert_eq!([None, Some(true), Some(false)].map(|said| renormalised("qwen3_moe", said)), [true, true, false]);
    assert_eq!([None, Some(true), Some(false)].map(|said| renormalised("olmoe", said)), [false, true, false]);
}

/// There the key is a switch, which is on; elsewhere it changes nothing.
#[test]
fn granite_without_positions_has_none() {
    let turns = |family: &str, finetuned: Option<bool>| {
        let set = |header: &mut Header| {
            let value = finetuned.map(MetadataValue::Bool);
            value
                .into_iter()
                .for_each(|value| header.metadata.insert(format!("{family}.rope.scaling.finetuned"), value));
        };
        changed(family, set).unwrap().attention().rope.is_some()
    };
    assert_eq!([None, Some(true), Some(false)].map(|said| turns("granite", said)), [true, true, false]);
    assert!(turns("llama", Some(false)));
}

/// YaRN's ramp ends where it ends in gpt-oss, though llama.cpp rounds; in the layers with a window OLMo 3 has no YaRN.
#[test]
fn yarn_is_the_models_own() {
    use azulejo::model::spec::RopeScaling;
    let scalings = |family: &str| {
        let spec = changed(family, |_| ()).unwrap();
        spec.blocks
            .iter()
            .map(|block| block.attention().unwrap().rope.as_ref().unwrap().scaling.clone())
            .collect::<Vec<_>>()
    };
    assert!(scalings("gpt_oss").iter().all(|scaling| matches!(scaling, RopeScaling::Yarn { truncate: false, .. })));
    let [local, global] = &scalings("olmo3")[..] else { panic!() };
    assert!(matches!(local, RopeScaling::None), "{local:?}");
    let RopeScaling::Yarn { magnitude, truncate: true, .. } = global else { panic!("{global:?}") };
    assert!((magnitude - 1.2).abs() < 1e-6, "{magnitude}");
}

/// What comes of a file whose contents are changed.
fn loads(family: &str, change: impl FnOnce(&mut Contents)) -> azulejo::Result<()> {
    let mut contents = Contents::of(family);
    change(&mut contents);
    let mut weight_loader = WeightLoader::new(cpu(1));
    push(&file(&contents.metadata, &contents.tensors), &mut weight_loader)?;
    let (progress, task) = (Progress::default(), weight_loader.plan()?.spec().task());
    match task {
        "causal-lm" => run(None, Model::new(weight_loader, None, CacheType::F32, &progress)).map(|_| ()),
        _ => run(None, TextModel::new(weight_loader, &progress)).map(|_| ()),
    }
}

#[test]
fn a_tensor_that_has_no_place_or_another_shape_is_refused() {
    let stranger = loads("llama", |contents| {
        let (tensor, data) = contents.tensors[0].clone();
        contents.tensors.push((NewTensor { name: "blk.0.attn_sinks.weight".to_owned(), ..tensor }, data));
    });
    assert_eq!(stranger.unwrap_err().code, Code::UnsupportedModel);
    let narrow = loads("llama", |contents| {
        let query = contents.tensors.iter_mut().find(|(tensor, _)| tensor.name == "blk.1.attn_q.weight").unwrap();
        query.0.shape = vec![query.0.shape[0] / 2, query.0.shape[1] * 2];
    });
    let error = narrow.unwrap_err().to_string();
    assert!(
        error.starts_with("tensor \"blk.1.attn_q.weight\": shape [8, 32], expected [16, 16] (2 heads × 8)"),
        "{error}"
    );
}

#[test]
fn long_rope_needs_all_factors_of_both_kinds_of_sequences() {
    let of = |contents: &Contents, name: &str| contents.tensors.iter().position(|(tensor, _)| tensor.name == name);
    for name in ["rope_factors_short.weight", "rope_factors_long.weight"] {
        let alone = loads("phi3_longrope", |contents| contents.tensors.retain(|(tensor, _)| tensor.name != name));
        assert_eq!(alone.unwrap_err().to_string(), format!("tensor {name:?}: missing from the checkpoint"));
        let shorter = loads("phi3_longrope", |contents| {
            let number = of(contents, name).unwrap();
            let (tensor, data) = &mut contents.tensors[number];
            tensor.shape = vec![5];
            data.truncate(5 * 4);
        });
        let error = shorter.unwrap_err().to_string();
        assert!(error.contains(&format!("tensor {name:?}: shape [5], expected [6]")), "{error}");
        for entry in [-1.0f32, 0.0, f32::NAN] {
            let odd = loads("phi3_longrope", |contents| {
                let number = of(contents, name).unwrap();
                contents.tensors[number].1[..4].copy_from_slice(&entry.to_le_bytes());
            });
            let error = odd.unwrap_err().to_string();
            assert!(error.contains("LongRoPE's factors have other entries than positive numbers"), "{error}");
        }
    }
    let said = MetadataValue::String("longrope".into());
    let none = loads("phi3", |contents| contents.metadata.insert("phi3.rope.scaling.type", said));
    assert_eq!(none.unwrap_err().to_string(), "tensor \"rope_factors_short.weight\": missing from the checkpoint");
}

#[test]
fn dense_modules_have_the_shapes_that_the_file_says() {
    let key = |name: &str| format!("gemma-embedding.{name}");
    let without = |contents: &mut Contents, name: &str| contents.tensors.retain(|(tensor, _)| tensor.name != name);
    let refused = |change: &dyn Fn(&mut Contents)| loads("gemma3_embedding_dense", change).unwrap_err().to_string();
    for name in ["dense_2", "dense_3"] {
        let error = refused(&|contents| without(contents, &format!("{name}.weight")));
        assert_eq!(error, format!("tensor \"{name}.weight\": missing from the checkpoint"));
        let error =
            refused(&|contents| contents.metadata.insert(key(&format!("{name}_feat_in")), MetadataValue::U32(7)));
        assert!(error.contains(&format!("tensor \"{name}.weight\": takes vectors of 7 values")), "{error}");
        let error = refused(&|contents| {
            let found = contents.tensors.iter().find(|(tensor, _)| tensor.name == format!("{name}.weight"));
            let (tensor, data) = found.unwrap();
            let rows = tensor.shape[0];
            let bias = NewTensor { name: format!("{name}.bias"), ty: tensor.ty, shape: vec![rows] };
            let data = data[..4 * rows].to_vec();
            contents.tensors.push((bias, data));
        });
        assert!(error.contains(&format!("tensor \"{name}.bias\": has no place")), "{error}");
    }
    let error = refused(&|contents| contents.metadata.insert(key("dense_3_feat_out"), MetadataValue::U32(31)));
    assert!(error.contains("tensor \"dense_3.weight\": shape [32, 96], expected [31, 96]"), "{error}");
}

/// A model may have the first alone, and files without the keys tell by their tensors.
#[test]
fn vectors_are_as_wide_as_the_last_dense_module_makes_them() {
    let width = |kept: &[&str]| {
        let mut contents = Contents::of("gemma3_embedding_dense");
        contents
            .tensors
            .retain(|(tensor, _)| !tensor.name.starts_with("dense") || kept.contains(&tensor.name.as_str()));
        let metadata = filtered(&contents.metadata, |key| !key.contains(".dense_"));
        let weight_loader = assembled(&[file(&metadata, &contents.tensors)], cpu(1));
        let progress = Progress::default();
        let model = run(None, TextModel::new(weight_loader, &progress)).unwrap();
        model.width(Output::Vector(Pooling::Mean))
    };
    assert_eq!(width(&[]), 32);
    assert_eq!(width(&["dense_2.weight"]), 96);
    assert_eq!(width(&["dense_2.weight", "dense_3.weight"]), 32);
}

fn per_layer(numbers: &[i32]) -> MetadataValue {
    MetadataValue::Array(Array::I32(numbers.to_vec()))
}

#[test]
fn numbers_that_are_none_are_refused() {
    for key in ["llama.attention.layer_norm_rms_epsilon", "llama.rope.freq_base", "llama.rope.scaling.factor"] {
        for number in [f32::NAN, f32::INFINITY] {
            let error =
                changed("llama", |header| header.metadata.insert(key, MetadataValue::F32(number))).err().unwrap();
            assert_eq!(error.code, Code::CorruptFile, "{error}");
        }
    }
}

#[test]
fn layers_see_what_the_file_says() {
    let windows = |family: &str, pattern: Option<MetadataValue>| {
        let prefix = if family == "modernbert" { "modern-bert" } else { family };
        let key = format!("{prefix}.attention.sliding_window_pattern");
        let set = |header: &mut Header| pattern.into_iter().for_each(|pattern| header.metadata.insert(&key, pattern));
        let spec = changed(family, set).unwrap();
        spec.blocks.iter().map(|block| u8::from(block.attention().unwrap().window.is_some())).collect::<Vec<_>>()
    };
    let list = |local: &[bool]| Some(MetadataValue::Array(Array::Bool(local.to_vec())));
    assert_eq!(windows("gemma2", None), [1, 0, 1]);
    assert_eq!(windows("gemma2", list(&[false, true, true])), [0, 1, 1]);
    assert_eq!(windows("gemma3", None), [1, 1, 1, 1, 1, 0]);
    assert_eq!(windows("gemma3", Some(MetadataValue::U32(3))), [1, 1, 0, 1, 1, 0]);
    let mistral =
        changed("llama", |header| header.metadata.insert("llama.attention.sliding_window", MetadataValue::U32(7)));
    assert_eq!(mistral.unwrap().attention().window, Some(7));
    assert_eq!(windows("modernbert", Some(MetadataValue::U32(2))), [0, 1, 0, 1]);
    // What llama.cpp knows by the number of layers alone: Gemma 2 27B's scores.
    let largest =
        changed("gemma2", |header| header.metadata.insert("gemma2.block_count", MetadataValue::U32(46))).unwrap();
    let usual = changed("gemma2", |_| ()).unwrap();
    assert_eq!([largest, usual].map(|spec| spec.attention().scale), [8f32, 12.0].map(|dims| dims.sqrt().recip()));
    let short = changed("gemma2", |header| {
        let list = MetadataValue::Array(Array::Bool(vec![true]));
        header.metadata.insert("gemma2.attention.sliding_window_pattern", list);
    });
    assert_eq!(short.err().unwrap().code, Code::CorruptFile);
}
