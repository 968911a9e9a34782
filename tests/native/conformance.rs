//! The conformance families in native code: the reference implementation's logits, by both devices.

use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Device, Progress};
use azulejo::model::Model;

use crate::case::{Case, Compared, assembled, assert_close, assert_reference, families};
use crate::devices::{cpu, first, gpu, gpus};
use crate::sample::share;

async fn load<D: Device>(family: &str, device: D) -> Model<D> {
    Model::new(assembled(family, device), None, CacheType::F32, &Progress::default()).await.unwrap()
}

/// The logits of all positions of some tokens.
async fn logits<D: Device>(model: &mut Model<D>, tokens: &[u32]) -> Vec<f32> {
    let mut session = model.session();
    model.extend(&mut session, tokens).await.unwrap();
    let mut logits = vec![0.0; tokens.len() * model.spec.vocabulary()];
    model.logits_of(&(0..tokens.len()).collect::<Vec<_>>(), &mut logits).await.unwrap();
    logits
}

pub async fn gives_the_reference_logits<D: Device>(family: &str, device: D) {
    let case = Case::read(family);
    let mut model = load(family, device).await;
    let vocabulary = model.spec.vocabulary();
    let (ids, mask, expected) = (case.ids("input_ids"), case.ids("attention_mask"), case.floats("logits"));
    let positions = ids.len() / 2;
    for row in 0..2 {
        let len = mask[row * positions..][..positions].iter().sum::<u32>() as usize;
        let found = logits(&mut model, &ids[row * positions..][..len]).await;
        let expected = &expected[row * positions * vocabulary..][..len * vocabulary];
        assert_reference(family, Compared::Outputs, &found, expected, "logits");
    }
}

#[test]
fn every_family_gives_the_reference_logits() {
    for family in &families("causal") {
        run(None, gives_the_reference_logits(family, cpu(2)));
    }
    for (variant, (name, kernels)) in gpus().into_iter().enumerate() {
        for family in share(families("causal"), variant) {
            println!("{family}, {name}");
            run(Some(&kernels.context), gives_the_reference_logits(&family, gpu(&kernels)));
        }
    }
}

pub async fn steps_equal_the_full_pass<D: Device>(family: &str, device: D) {
    let case = Case::read(family);
    let mut model = load(family, device).await;
    let (mut tokens, expected) = (case.ids("prompt"), case.floats("next_logits"));
    let mut session = model.session();
    let mut logits = model.logits_buffer().unwrap();
    for (step, expected) in expected.chunks(model.spec.vocabulary()).enumerate() {
        let new = &tokens[session.len()..];
        model.extend(&mut session, new).await.unwrap();
        model.logits_of(&[new.len() - 1], &mut logits).await.unwrap();
        assert_reference(family, Compared::Outputs, &logits, expected, &format!("step {step}"));
        tokens.push(case.ids("generated")[step]);
    }
}

#[test]
fn a_cached_step_equals_the_full_pass() {
    let kernels = first();
    for family in &families("causal") {
        run(None, steps_equal_the_full_pass(family, cpu(1)));
        run(Some(&kernels.context), steps_equal_the_full_pass(family, gpu(&kernels)));
    }
}

async fn cuts_make_no_difference<D: Device>(device: D) {
    let mut model = load("mistral", device).await;
    let tokens: Vec<u32> = (0..D::CHUNK as u32).map(|i| i * 7 % 131).collect();
    let whole = logits(&mut model, &tokens).await;
    let (mut session, mut rest) = (model.session(), &tokens[..]);
    for cut in [1, 30, 2, D::CHUNK - 33] {
        let (now, later) = rest.split_at(cut);
        model.extend(&mut session, now).await.unwrap();
        rest = later;
    }
    let mut last = model.logits_buffer().unwrap();
    model.logits_of(&[D::CHUNK - 34], &mut last).await.unwrap();
    assert_close(&last, &whole[whole.len() - last.len()..], "cuts");
}

#[test]
fn where_a_prompt_is_cut_into_chunks_makes_no_difference() {
    run(None, cuts_make_no_difference(cpu(3)));
    let kernels = first();
    run(Some(&kernels.context), cuts_make_no_difference(gpu(&kernels)));
}

async fn maps<D: Device>(device: D) -> Vec<f32> {
    let mut model = load("llama", device).await;
    let tokens: Vec<u32> = (5..25).collect();
    let (maps, dims) = model.attention_maps(&tokens, None).await.unwrap();
    assert_eq!(dims, [3, 4, 20, 20]);
    for (row, weights) in maps.chunks(20).enumerate() {
        let position = row % 20;
        assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        assert!(weights[position + 1..].iter().all(|weight| *weight == 0.0));
    }
    assert_eq!(model.attention_maps(&tokens, Some(1)).await.unwrap().0, maps[4 * 400..8 * 400]);
    maps
}

#[test]
fn attention_maps_are_distributions_over_what_came_before() {
    let kernels = first();
    let found = run(Some(&kernels.context), maps(gpu(&kernels)));
    assert_close(&found, &run(None, maps(cpu(1))), "maps");
}
