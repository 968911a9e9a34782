//! Greedy generation by families, tokens chosen where the device chooses them: the reference's tokens, up to the last
//! position that there is.

use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Device, Progress};
use azulejo::model::{FinishReason, GenerateRequest, Model};
use azulejo::text::{GenerateOptions, Sampling};

use crate::case::{Case, assembled, families};
use crate::devices::{cpu, first, gpu};
use crate::generated::finished;

async fn load<D: Device>(family: &str, device: D) -> Model<D> {
    Model::new(assembled(family, device), None, CacheType::F32, &Progress::default()).await.unwrap()
}

/// The tokens of a generation, and why it is over.
async fn generated<D: Device>(
    model: &mut Model<D>,
    prompt: &[u32],
    most: Option<usize>,
) -> (Vec<u32>, Option<FinishReason>) {
    let options = GenerateOptions {
        max_tokens: most.map(|most| most as f64),
        ignore_end: Some(true),
        ..GenerateOptions::default()
    };
    let sampling = Sampling::new(&options, model.spec.vocabulary()).unwrap();
    let (mut session, asked) = (model.session(), GenerateRequest { source: None, prompt: prompt.to_vec() });
    let generation = model.generation(asked, sampling, None, &[], 1).unwrap();
    let generation = finished(model, &mut session, generation, |_| {}).await.unwrap();
    (generation.tokens().to_vec(), generation.finish())
}

async fn gives_the_reference_tokens<D: Device>(family: &str, device: D) {
    let (case, mut model) = (Case::read(family), load(family, device).await);
    let expected = case.ids("generated");
    let found = generated(&mut model, &case.ids("prompt"), Some(expected.len())).await;
    assert_eq!(found, (expected, Some(FinishReason::Length)), "{family}");
}

#[test]
fn every_family_chooses_the_reference_tokens() {
    let kernels = first();
    for family in families("causal") {
        run(None, gives_the_reference_tokens(&family, cpu(2)));
    }
    // Learned positions, slopes, capped logits.
    for family in ["gpt2", "opt", "bloom", "gemma2"] {
        run(Some(&kernels.context), gives_the_reference_tokens(family, gpu(&kernels)));
    }
}

/// A prompt that leaves room for five tokens, the last of which nothing follows.
async fn to_the_end<D: Device>(family: &str, device: D) -> Vec<u32> {
    let mut model = load(family, device).await;
    let prompt: Vec<u32> = (0..model.context as u32 - 4).map(|i| 3 + i * 7 % 120).collect();
    let (tokens, finish) = generated(&mut model, &prompt, None).await;
    assert_eq!((tokens.len(), finish), (5, Some(FinishReason::Length)), "{family}");
    let longer: Vec<u32> = vec![3; model.context + 1];
    assert_eq!(model.check_tokens(&longer).unwrap_err().code, azulejo::Code::ContextFull);
    tokens
}

#[test]
fn a_generation_ends_with_the_table_of_positions() {
    let kernels = first();
    for family in ["gpt2", "opt"] {
        let expected = run(None, to_the_end(family, cpu(2)));
        assert_eq!(run(Some(&kernels.context), to_the_end(family, gpu(&kernels))), expected, "{family}");
    }
}
