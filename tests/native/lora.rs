//! LoRA adapters that PEFT wrote (see tests/fixtures/lora/make.py), and what PEFT computes with them, by both devices.

use azulejo::checkpoint::{FileReader, Format};
use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Device, Progress};
use azulejo::model::families::from_config;
use azulejo::model::{GenerateRequest, Home, Lora, LoraConfig, LoraFile, Model, Scheduler, Step, WeightLoader};
use azulejo::text::{GenerateOptions, Sampling};
use azulejo::{Code, Result};
use safetensors::SafeTensors;
use std::fs;
use std::rc::Rc;

use crate::case::{assert_within, pushed};
use crate::devices::{cpu, first, gpu};

const FAMILIES: [&str; 6] = ["llama", "gpt2", "gpt_neox", "phi3", "gemma2", "lfm2"];

fn bytes(family: &str, name: &str) -> Vec<u8> {
    fs::read(format!("{}/tests/fixtures/lora/{family}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn text(family: &str, name: &str) -> String {
    String::from_utf8(bytes(family, name)).unwrap()
}

/// The tokens, and the logits behind each.
fn case(family: &str) -> (Vec<u32>, Vec<f32>) {
    let bytes = bytes(family, "case.safetensors");
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let words = |name: &str| tensors.tensor(name).unwrap().data().as_chunks::<4>().0.to_vec();
    let ids = words("input_ids").into_iter().map(|word| i32::from_le_bytes(word) as u32).collect();
    (ids, words("logits").into_iter().map(f32::from_le_bytes).collect())
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    HuggingFace,
    Gguf,
}
use Form::{Gguf, HuggingFace};

async fn model<D: Device>(family: &str, form: Form, device: D) -> Model<D> {
    let weight_loader = match form {
        HuggingFace => {
            let plan = from_config(&text(family, "config.json")).unwrap();
            pushed(&bytes(family, "model.safetensors"), plan, device).unwrap()
        }
        Gguf => {
            let mut weight_loader = WeightLoader::new(device);
            push(&bytes(family, "model.gguf"), Format::Gguf, &mut weight_loader).unwrap();
            weight_loader
        }
    };
    Model::new(weight_loader, None, CacheType::F32, &Progress::default()).await.unwrap()
}

fn push(bytes: &[u8], format: Format, sink: &mut impl azulejo::checkpoint::Sink) -> Result<()> {
    let mut reader = FileReader::new(format, "adapter", Some(bytes.len() as u64));
    bytes.chunks(97).try_for_each(|chunk| reader.push(chunk, sink))?;
    reader.finish()
}

fn file<D: Device>(model: &Model<D>, form: Form, config: &str, bytes: &[u8], scale: f32) -> Result<LoraFile> {
    let config = (form == HuggingFace).then(|| LoraConfig::parse(config)).transpose()?;
    let mut file = LoraFile::new(model.spec.clone(), model.reordered, scale, config)?;
    push(bytes, if form == Gguf { Format::Gguf } else { Format::Safetensors }, &mut file)?;
    Ok(file)
}

async fn adapter<D: Device>(model: &mut Model<D>, family: &str, form: Form, scale: f32) -> Rc<Lora<D>> {
    let bytes = bytes(family, if form == Gguf { "adapter.gguf" } else { "adapter_model.safetensors" });
    let file = file(model, form, &text(family, "adapter_config.json"), &bytes, scale).unwrap();
    model.adapter(file).await.unwrap()
}

/// Of every token, some at a time: a few rows take other kernels.
async fn logits<D: Device>(model: &mut Model<D>, tokens: &[u32], at_once: usize) -> Vec<f32> {
    let (mut session, mut all) = (model.session(), Vec::new());
    for tokens in tokens.chunks(at_once) {
        model.extend(&mut session, tokens).await.unwrap();
        let rows: Vec<usize> = (0..tokens.len()).collect();
        let mut logits = vec![0.0; tokens.len() * model.spec.vocabulary()];
        model.logits_of(&rows, &mut logits).await.unwrap();
        all.extend(logits);
    }
    all
}

/// With the adapter what PEFT says, and afterwards without it what was said before.
async fn speaks<D: Device>(mut model: Model<D>, family: &str, form: Form, what: &str) {
    let (tokens, expected) = case(family);
    let alone = logits(&mut model, &tokens, 64).await;
    let lora = adapter(&mut model, family, form, 1.0).await;
    let nothing = adapter(&mut model, family, form, 0.0).await;
    for at_once in [64, 1, 6] {
        model.lora = Some(lora.clone());
        let found = logits(&mut model, &tokens, at_once).await;
        // The largest error that was measured is 1e-5.
        assert_within(&found, &expected, 1e-4, &format!("{what}, {at_once} tokens at once"));
    }
    for nobody in [None, Some(nothing)] {
        model.lora = nobody;
        assert_within(&logits(&mut model, &tokens, 64).await, &alone, 1e-6, what);
    }
    let moved = alone.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(moved > 0.1, "{what}: the adapter moves nothing");
}

#[test]
pub fn with_an_adapter_a_model_says_what_it_says_by_peft() {
    let kernels = first();
    for family in FAMILIES {
        run(None, async { speaks(model(family, HuggingFace, cpu(1)).await, family, HuggingFace, family).await });
        let context = Some(&*kernels.context);
        let on_gpu =
            async { speaks(model(family, HuggingFace, gpu(&kernels)).await, family, HuggingFace, family).await };
        run(context, on_gpu);
    }
}

#[test]
fn models_and_adapters_of_either_form_go_together() {
    for base in [HuggingFace, Gguf] {
        for adapter in [HuggingFace, Gguf] {
            let what = format!("{adapter:?} on {base:?}");
            run(None, async { speaks(model("llama", base, cpu(1)).await, "llama", adapter, &what).await });
        }
    }
}

/// Begins a text in the scheduler, with the adapter that the model has now.
fn begin<D: Device>(scheduler: &mut Scheduler<D>, model: &mut Model<D>, prompt: &[u32]) -> u64 {
    let options: GenerateOptions = serde_json::from_str(r#"{ "maxTokens": 12, "ignoreEnd": true }"#).unwrap();
    let sampling = Sampling::new(&options, model.spec.vocabulary()).unwrap();
    let asked = GenerateRequest { source: None, prompt: prompt.to_vec() };
    let generation = model.generation(asked, sampling, None, &[], 1).unwrap();
    scheduler.begin(model, &Home::new(model.session()), generation).unwrap()
}

async fn finished<D: Device>(scheduler: &mut Scheduler<D>, model: &mut Model<D>, id: u64) -> Vec<u32> {
    loop {
        match scheduler.event(id) {
            Some(Ok(Step::Over)) => return scheduler.end(id).unwrap().tokens().to_vec(),
            Some(step) => drop(step.unwrap()),
            None => assert!(scheduler.step(model).await, "it waits for nothing"),
        }
    }
}

async fn take_turns<D: Device>(mut model: Model<D>) {
    let (tokens, _) = case("llama");
    let one = adapter(&mut model, "llama", HuggingFace, 1.0).await;
    let other = adapter(&mut model, "llama", Gguf, -2.0).await;
    assert_ne!(one.checksum, other.checksum);
    let adapters = [None, Some(one.clone()), Some(other), Some(one), None];
    let mut alone = Vec::new();
    for adapter in &adapters {
        let mut scheduler = Scheduler::default();
        model.lora = adapter.clone();
        let id = begin(&mut scheduler, &mut model, &tokens[..5]);
        alone.push(finished(&mut scheduler, &mut model, id).await);
    }
    assert!(alone[0] != alone[1] && alone[1] != alone[2] && alone[0] != alone[2], "{alone:?}");
    let mut scheduler = Scheduler::default();
    let mut ids = Vec::new();
    for adapter in &adapters {
        model.lora = adapter.clone();
        ids.push(begin(&mut scheduler, &mut model, &tokens[..5]));
    }
    for (id, alone) in ids.into_iter().zip(alone) {
        assert_eq!(finished(&mut scheduler, &mut model, id).await, alone);
    }
}

#[test]
fn texts_of_several_adapters_take_turns() {
    run(None, async { take_turns(model("llama", HuggingFace, cpu(1)).await).await });
    let kernels = first();
    run(Some(&kernels.context), async { take_turns(model("llama", HuggingFace, gpu(&kernels)).await).await });
}

#[test]
fn what_is_no_adapter_of_this_model_is_refused_by_name() {
    let model = run(None, model("llama", HuggingFace, cpu(1)));
    let (config, weights) = (text("llama", "adapter_config.json"), bytes("llama", "adapter_model.safetensors"));
    let refused = |form: Form, config: &str, weights: &[u8], code: Code, why: &str| {
        let error = file(&model, form, config, weights, 1.0).err().unwrap_or_else(|| panic!("{why}"));
        assert_eq!((error.code, error.to_string().contains(why)), (code, true), "{error}");
    };
    let with = |from: &str, to: &str| {
        assert!(config.contains(from), "{config}");
        config.replacen(from, to, 1)
    };
    let unsupported = |config: &str, why: &str| refused(HuggingFace, config, &weights, Code::UnsupportedModel, why);
    unsupported(&with("\"use_dora\": false", "\"use_dora\": true"), "\"use_dora\": true");
    unsupported(&with("\"bias\": \"none\"", "\"bias\": \"all\""), "\"bias\": \"all\"");
    unsupported(&with("\"LORA\"", "\"IA3\""), "IA3");
    unsupported(&with("\"modules_to_save\": null", "\"modules_to_save\": [\"lm_head\"]"), "modules_to_save");
    unsupported(&with("\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa_niter_4\""), "pissa");
    unsupported(&with("\"alpha_pattern\": {}", "\"alpha_pattern\": { \"^q.*\": 3 }"), "alpha_pattern");
    unsupported(&with("\"inference_mode\"", "\"a_new_kind\": 7, \"inference_mode\""), "a_new_kind");
    let corrupt = |config: &str, why: &str| refused(HuggingFace, config, &weights, Code::CorruptFile, why);
    corrupt(&with("\"r\": 3", "\"r\": 0"), "\"r\": 0");
    corrupt("[]", "configuration");
    // Of other models, and of none.
    let invalid = |form: Form, weights: &[u8], why: &str| refused(form, &config, weights, Code::InvalidArgument, why);
    invalid(HuggingFace, &bytes("gpt2", "adapter_model.safetensors"), "another model");
    invalid(HuggingFace, &bytes("gemma2", "adapter_model.safetensors"), "another model");
    invalid(Gguf, &bytes("llama", "model.gguf"), "is a model");
    let plain = &bytes("llama", "model.safetensors");
    refused(HuggingFace, &config, plain, Code::UnsupportedModel, "no place in a LoRA adapter");
    // Tensors that are renamed, as long as before.
    let renamed = |from: &str, to: &str| {
        let at = weights.windows(from.len()).position(|name| name == from.as_bytes()).unwrap();
        let mut changed = weights.clone();
        changed[at..at + to.len()].copy_from_slice(to.as_bytes());
        changed
    };
    let (one, other) = ("layers.0.mlp.up_proj.lora_A", "layers.7.mlp.up_proj.lora_A");
    invalid(HuggingFace, &renamed(one, other), "layers.7.mlp.up_proj");
    let bias = renamed("mlp.up_proj.lora_B.weight\"", "mlp.up_proj.lora_magnitud\"");
    refused(HuggingFace, &config, &bias, Code::UnsupportedModel, "no place");
    let (one, other) = ("self_attn.q_proj.lora_A", "self_attn.x_proj.lora_A");
    invalid(HuggingFace, &renamed(one, other), "x_proj");
    let half = renamed("layers.1.mlp.up_proj.lora_A", "layers.1.mlp.up_proj.lora_B");
    assert!(file(&model, HuggingFace, &config, &half, 1.0).is_err());
    refused(HuggingFace, &config, &weights[..weights.len() - 9], Code::CorruptFile, "");
}
