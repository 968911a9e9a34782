//! What the conformance families leave open: register tokens, gated feed-forward networks, one channel, odd patches,
//! other sizes; and all of them as GGUF files, quantised while they load, and damaged.

use azulejo::checkpoint::{FileReader, Format, TensorType};
use azulejo::device::Progress;
use azulejo::device::cpu::Cpu;
use azulejo::device::gpu::native::run;
use azulejo::model::{ImageModel, ImageSource, ImageTask, Images, WeightLoader, families};
use azulejo::{Code, Result};
use safetensors::SafeTensors;
use std::fs;

use crate::case::assert_close;
use crate::devices::{cpu, first, gpu};
use crate::vit_to_gguf;

const CASES: [&str; 7] = [
    "reference/vision/registers",
    "reference/vision/swiglu",
    "reference/vision/grey",
    "reference/vision/one_head",
    "conformance/vit",
    "conformance/deit",
    "conformance/dinov2",
];

/// A file of a case.
fn read(case: &str, file: &str) -> Vec<u8> {
    fs::read(format!("{}/tests/{case}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn text(case: &str, file: &str) -> String {
    String::from_utf8(read(case, file)).unwrap()
}

/// What transformers made of the case's pixels.
struct Expected {
    source: ImageSource,
    hidden: Vec<f32>,
    logits: Vec<f32>,
}

fn expected(case: &str) -> Expected {
    let bytes = read(case, "case.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |name: &str| {
        let tensor = file.tensor(name).unwrap();
        let values = tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        (values, tensor.shape().to_vec())
    };
    let (values, shape) = floats("pixel_values");
    let [count, channels, height, width] = shape[..] else { panic!("{shape:?}") };
    let source = ImageSource::Images(Images { values, count, channels, height, width });
    Expected { source, hidden: floats("hidden").0, logits: floats("logits").0 }
}

fn push<D: azulejo::device::Device>(weight_loader: &mut WeightLoader<D>, format: Format, bytes: &[u8]) -> Result<()> {
    let mut reader = FileReader::new(format, "model", Some(bytes.len() as u64));
    bytes.chunks(4099).try_for_each(|chunk| reader.push(chunk, weight_loader))?;
    reader.finish()
}

/// From the folder; `config` instead of its own.
fn assembled<D: azulejo::device::Device>(case: &str, device: D, config: &str) -> Result<WeightLoader<D>> {
    let mut weight_loader = WeightLoader::new(device);
    weight_loader.set_plan(families::from_config(config)?);
    push(&mut weight_loader, Format::Safetensors, &read(case, "model.safetensors"))?;
    Ok(weight_loader)
}

async fn check<D: azulejo::device::Device>(case: &str, weight_loader: WeightLoader<D>) {
    let Expected { source, hidden, logits } = expected(case);
    let mut model = ImageModel::new(weight_loader, None, &Progress::default()).await.unwrap();
    for (looking, expected) in [(ImageTask::Features, &hidden), (ImageTask::Logits, &logits)] {
        let seen = model.look(&source, 0, looking).await.unwrap();
        assert_close(&seen.values, expected, &format!("{case}, {looking:?}"));
    }
}

#[test]
fn every_choice_gives_the_reference_outputs() {
    let kernels = first();
    for case in CASES {
        let config = text(case, "config.json");
        run(None, check(case, assembled(case, cpu(2), &config).unwrap()));
        run(Some(&kernels.context), check(case, assembled(case, gpu(&kernels), &config).unwrap()));
    }
}

#[test]
fn every_family_is_the_same_model_as_gguf() {
    for case in CASES {
        let config = serde_json::from_str(&text(case, "config.json")).unwrap();
        let bytes = vit_to_gguf::convert(&config, None, &read(case, "model.safetensors")).unwrap();
        let mut weight_loader = WeightLoader::new(cpu(1));
        push(&mut weight_loader, Format::Gguf, &bytes).unwrap();
        run(None, check(case, weight_loader));
    }
}

/// The first two classes' logits change little where weights have 8 bits, and more where they have 4.
#[test]
fn floats_are_quantised_while_they_load() {
    // Rows of 24 and 48 are no whole blocks and stay as they are: only a model whose rows are shows it.
    let case = "conformance/dinov2";
    let logits = |ty: Option<TensorType>| {
        let mut weight_loader = WeightLoader::new(cpu(1));
        weight_loader.quantize = ty;
        weight_loader.set_plan(families::from_config(&text(case, "config.json")).unwrap());
        push(&mut weight_loader, Format::Safetensors, &read(case, "model.safetensors")).unwrap();
        let bytes = weight_loader.weight_bytes();
        let model: Result<ImageModel<Cpu>> = run(None, ImageModel::new(weight_loader, None, &Progress::default()));
        (run(None, model.unwrap().look(&expected(case).source, 0, ImageTask::Logits)).unwrap().values, bytes)
    };
    let (exact, all) = logits(None);
    let (eight, fewer) = logits(Some(TensorType::Q8_0));
    let (four, fewest) = logits(Some(TensorType::Q4_1));
    // The second matrix of each feed-forward network has rows of 96, and so has the classifier.
    assert!(all > fewer && fewer > fewest, "{all}, {fewer}, {fewest} bytes");
    let apart = |found: &[f32]| found.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart(&eight) > 0.0 && apart(&eight) < apart(&four), "{} and {}", apart(&eight), apart(&four));
    let size = exact.iter().fold(0.0f32, |size, logit| size.max(logit.abs()));
    assert!(apart(&eight) < 0.02 * size && apart(&four) < 0.3 * size, "{eight:?}, {four:?}, {exact:?}");
}

#[test]
fn a_configuration_that_cannot_be_is_refused_by_name() {
    let config = text("conformance/vit", "config.json");
    let refused = |from: &str, to: &str| {
        assert!(config.contains(from), "{from}");
        let made = assembled("conformance/vit", cpu(1), &config.replace(from, to));
        made.err().unwrap_or_else(|| panic!("{to} was taken"))
    };
    let error = refused("\"patch_size\": 16", "\"patch_size\": 0");
    assert_eq!(error.code, Code::CorruptFile, "{error}");
    let error = refused("\"num_channels\": 3", "\"num_channels\": 4");
    assert_eq!(error.code, Code::UnsupportedModel, "{error}");
    assert!(error.to_string().contains("4 channels"), "{error}");
    let error = refused("\"image_size\": 48", "\"image_size\": 64");
    assert!(error.to_string().contains("position_embeddings"), "{error}");
    let error = refused("\"3\": \"LABEL_3\"", "\"30\": \"LABEL_3\"");
    assert!(error.to_string().contains("id2label"), "{error}");
    let error = refused("\"hidden_act\": \"gelu\"", "\"hidden_act\": \"mish\"");
    assert!(error.to_string().contains("mish"), "{error}");
}
