//! Encoders, encoder-decoders and two towers in native code: the reference implementation's outputs, by both devices.

use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Device, Progress};
use azulejo::model::{Beams, DualEncoder, FinishReason, GenerateRequest, Model, Output, Pooling, TextModel};
use azulejo::text::{GenerateOptions, Sampling};

use crate::case::{Case, Compared, assembled, assert_close, assert_reference, families};
use crate::devices::{cpu, gpu, gpus};
use crate::generated::finished;
use crate::outputs::{images, rows, score};
use crate::sample::share;

async fn an_encoder_reads<D: Device>(family: &str, device: D) {
    let case = Case::read(family);
    let mut model = TextModel::new(assembled(family, device), &Progress::default()).await.unwrap();
    let rows = rows(&case);
    let (width, tokens) = (model.width(Output::Hidden), case.ids("input_ids").len() / 2);
    let hidden = case.floats("hidden");
    let expected = |row: usize| &hidden[row * tokens * width..][..rows[row].ids.len() * width];
    let both = model.read(&rows, Output::Hidden).await.unwrap();
    let close = |found: &[f32], expected: &[f32], what: &str| {
        assert_reference(family, Compared::Outputs, found, expected, what);
    };
    close(&both, &[expected(0), expected(1)].concat(), "hidden");
    let second = model.read(&rows[1..], Output::Hidden).await.unwrap();
    close(&second, expected(1), "hidden of the second alone");
    let mut results = Vec::new();
    if case.has("logits") {
        results.push((Output::Logits, case.floats("logits")));
    }
    if case.has("pooled") {
        // Where there is no pooler it is of the last token.
        let pooler = Output::Pooler;
        let last = Output::Vector(Pooling::Last);
        results.push((if model.check(pooler).is_ok() { pooler } else { last }, case.floats("pooled")));
    }
    for (reading, expected) in results {
        let both = model.read(&rows, reading).await.unwrap();
        close(&both, &expected, &format!("{reading:?}"));
        let second = model.read(&rows[1..], reading).await.unwrap();
        close(&second, &expected[expected.len() / 2..], &format!("{reading:?} of the second alone"));
    }
}

/// Hidden states and logits of each token.
async fn an_encoder_classifies_tokens<D: Device>(family: &str, device: D) {
    let case = Case::read(family);
    let mut model = TextModel::new(assembled(family, device), &Progress::default()).await.unwrap();
    let rows = rows(&case);
    for (reading, name) in [(Output::Hidden, "hidden"), (Output::TokenLogits, "logits")] {
        let (width, tokens) = (model.width(reading), case.ids("input_ids").len() / 2);
        let all = case.floats(name);
        let expected = |row: usize| &all[row * tokens * width..][..rows[row].ids.len() * width];
        let both = model.read(&rows, reading).await.unwrap();
        assert_reference(family, Compared::Outputs, &both, &[expected(0), expected(1)].concat(), name);
        let second = model.read(&rows[1..], reading).await.unwrap();
        assert_reference(family, Compared::Outputs, &second, expected(1), &format!("{name} of the second alone"));
    }
}

async fn an_encoder_decoder_translates<D: Device>(family: &str, device: D) {
    let case = Case::read(family);
    let weight_loader = assembled(family, device);
    let start = weight_loader.plan().unwrap().generation.start.unwrap();
    let mut model = Model::new(weight_loader, None, CacheType::F32, &Progress::default()).await.unwrap();
    let sources: Vec<Vec<u32>> = rows(&case).into_iter().map(|row| row.ids).collect();
    let given = case.ids("decoder_input_ids");
    let targets: Vec<Vec<u32>> = given.chunks(given.len() / 2).map(<[u32]>::to_vec).collect();
    let logits = score(&mut model, targets, sources).await.unwrap();
    assert_reference(family, Compared::Outputs, &logits, &case.floats("logits"), "logits");

    let (prompt, generated) = (case.ids("prompt"), case.ids("generated"));
    let options = GenerateOptions {
        max_tokens: Some(generated.len() as f64),
        ignore_end: Some(true),
        ..GenerateOptions::default()
    };
    let sampling = Sampling::new(&options, model.spec.vocabulary()).unwrap();
    let mut session = model.session();
    let asked = GenerateRequest { source: Some(prompt.clone()), prompt: vec![start] };
    let generation = model.generation(asked, sampling, None, &[], 1).unwrap();
    let generation = finished(&mut model, &mut session, generation, |_| {}).await.unwrap();
    assert_eq!((generation.tokens(), generation.finish()), (&generated[..], Some(FinishReason::Length)), "{family}");
    // One beam is the greedy search.
    let options = GenerateOptions { max_tokens: Some(generated.len() as f64), ..Default::default() };
    let sampling = Sampling::new(&options, model.spec.vocabulary()).unwrap();
    let mut beams = Beams::new(&model, prompt, vec![start], sampling, &[]).unwrap();
    while beams.step(&mut model).await.unwrap() {}
    assert_eq!(beams.best(), (generated, false), "{family}");
}

async fn two_towers_match<D: Device>(family: &str, device: D) {
    let case = Case::read(family);
    let mut model = DualEncoder::new(assembled(family, device), None, &Progress::default()).await.unwrap();
    let texts = model.embed_texts(&rows(&case)).await.unwrap();
    let close = |found: &[f32], expected: &str| {
        assert_reference(family, Compared::Outputs, found, &case.floats(expected), expected);
    };
    close(&texts, "text_embeds");
    let source = images(&case);
    let seen = model.embed_images(&source, 0).await.unwrap();
    close(&seen.values, "image_embeds");
    let second = model.embed_images(&source, 1).await.unwrap();
    assert_close(&second.values, &seen.values[seen.values.len() / 2..], &format!("{family}, the second image alone"));
    let width = model.width();
    let pairs = seen.values.chunks(width).flat_map(|image| texts.chunks(width).map(move |text| (image, text)));
    let logits: Vec<f32> = pairs.map(|(image, text)| model.likeness.logit(image, text)).collect();
    close(&logits, "logits_per_image");
}

pub async fn gives_the_reference<D: Device>(kind: &str, family: &str, device: D) {
    match kind {
        "encoder" => an_encoder_reads(family, device).await,
        "tokens" => an_encoder_classifies_tokens(family, device).await,
        "dual" => two_towers_match(family, device).await,
        _ => an_encoder_decoder_translates(family, device).await,
    }
}

fn every_family_gives_the_reference(kind: &str) {
    for family in &families(kind) {
        run(None, gives_the_reference(kind, family, cpu(2)));
    }
    for (variant, (name, kernels)) in gpus().into_iter().enumerate() {
        for family in share(families(kind), variant) {
            println!("{family}, {name}");
            run(Some(&kernels.context), gives_the_reference(kind, &family, gpu(&kernels)));
        }
    }
}

#[test]
fn every_family_gives_the_reference_outputs() {
    ["encoder", "tokens", "seq2seq", "dual"].into_iter().for_each(every_family_gives_the_reference);
}
