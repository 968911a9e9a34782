//! What goes wrong on the GPU is told once, to the call whose work it was, and nobody takes what was not computed for a
//! result.

use azulejo::device::gpu::native::run;
use azulejo::device::gpu::{Context, Gpu, Wishes};
use azulejo::device::{CacheType, Choosing, Device, Following, Progress};
use azulejo::error::Code;
use azulejo::model::{GenerateRequest, Home, Model, Scheduler, Session};
use azulejo::text::Sampling;
use serde_json::json;
use std::rc::Rc;

use crate::case::{Case, assembled};
use crate::devices::{gpu, open};
use crate::verbs::{begin, filled};

/// An error that nothing of ours watches: a buffer that cannot be.
fn go_wrong(context: &Context) {
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::STORAGE;
    let _ = context.device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 16,
        usage,
        mapped_at_creation: false,
    });
    assert!(context.errors() > 0);
}

fn try_read(device: &mut Gpu, context: &Context, buffer: &<Gpu as Device>::Buffer) -> azulejo::Result<Vec<f32>> {
    let mut values = vec![0.0; 4];
    let reading = device.send(buffer, 4)?;
    run(Some(context), device.receive(reading, &mut values)).map(|()| values)
}

#[test]
fn an_error_is_told_once_to_each_model_that_had_something_under_way_and_to_no_other() {
    let kernels = open(&Wishes::default());
    let context = &kernels.context;
    let (mut busy, mut idle) = (gpu(&kernels), gpu(&kernels));
    let values = [1.0, 2.0, 3.0, 4.0];
    let [x, y] = [&mut busy, &mut idle].map(|device| filled(device, &values, 4));
    assert_eq!(try_read(&mut idle, context, &y).unwrap(), values);
    go_wrong(context);
    let error = try_read(&mut busy, context, &x).unwrap_err();
    assert_eq!(error.code, Code::Internal, "{error}");
    assert!(error.message.starts_with("WebGPU: "), "{error}");
    assert_eq!(try_read(&mut busy, context, &x).unwrap(), values, "it was told");
    begin(&mut idle, 1);
    assert_eq!(try_read(&mut idle, context, &y).unwrap(), values, "it was another's");
}

#[test]
fn a_token_whose_commands_were_dropped_is_an_error_and_no_earlier_token() {
    let kernels = open(&Wishes::default());
    let (mut device, context) = (gpu(&kernels), &kernels.context);
    let choosing = Choosing {
        vocabulary: 4,
        scale: 0.0,
        top_k: 0,
        top_p: 1.0,
        min_p: 0.0,
        repetition_penalty: 1.0,
        presence_penalty: 0.0,
        frequency_penalty: 0.0,
        biases: Vec::new(),
        seed: 1,
        prompt: vec![0],
    };
    let mut chooser = device.chooser(&choosing).unwrap().unwrap();
    let mut choose = |device: &mut Gpu, logits: &mut <Gpu as Device>::Buffer| {
        let reading = device.choose(logits, Following::one(), &mut chooser).unwrap();
        run(Some(context), device.chosen(reading)).map(|ids| ids[0].expect("logits are numbers"))
    };
    let mut logits = filled(&mut device, &[0.0, 1.0, 5.0, 2.0], 4);
    begin(&mut device, 1);
    assert_eq!(choose(&mut device, &mut logits).unwrap(), 2);
    // The device drops whatever uses it.
    let mut gone = filled(&mut device, &[0.0, 1.0, 5.0, 2.0], 4);
    begin(&mut device, 1);
    gone.handle.raw.destroy();
    let error = choose(&mut device, &mut gone).unwrap_err();
    assert_eq!(error.code, Code::Internal, "{error}");
    begin(&mut device, 1);
    assert_eq!(choose(&mut device, &mut logits).unwrap(), 2, "the device goes on");
}

async fn load(device: Gpu) -> Model<Gpu> {
    Model::new(assembled("llama", device), None, CacheType::F32, &Progress::default()).await.unwrap()
}

async fn logits(model: &mut Model<Gpu>, session: &mut Session, tokens: &[u32]) -> Vec<f32> {
    model.extend(session, tokens).await.unwrap();
    let mut logits = model.logits_buffer().unwrap();
    model.logits_of(&[tokens.len() - 1], &mut logits).await.unwrap();
    logits
}

#[test]
fn a_session_that_failed_has_only_what_was_computed_beyond_doubt() {
    let kernels = open(&Wishes::default());
    let context = kernels.context.clone();
    let tokens: Vec<u32> = Case::read("llama").ids("input_ids").into_iter().chain(1..).take(12).collect();
    run(Some(&context.clone()), async {
        let mut model = load(gpu(&kernels)).await;
        let mut session = model.session();
        let expected = logits(&mut model, &mut session, &tokens).await;
        let mut session = model.session();
        for chunk in tokens[..8].chunks(2) {
            model.extend(&mut session, chunk).await.unwrap();
        }
        assert_eq!(session.len(), 8);
        go_wrong(&context);
        let error = model.extend(&mut session, &tokens[8..10]).await.unwrap_err();
        assert_eq!(error.code, Code::Internal, "{error}");
        assert_eq!(session.len(), 4, "two calls may still have been under way");
        let found = logits(&mut model, &mut session, &tokens[4..]).await;
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-4, "{found}, expected {expected}");
        }
    });
}

#[test]
fn an_error_ends_all_texts_of_a_pass_and_the_next_one_goes_on_from_what_was_computed_beyond_doubt() {
    let kernels = open(&Wishes::default());
    let context = kernels.context.clone();
    let case = Case::read("llama");
    let (prompt, expected) = (case.ids("prompt"), case.ids("generated"));
    run(Some(&context.clone()), async {
        let mut model = load(gpu(&kernels)).await;
        let begun = |model: &mut Model<Gpu>, scheduler: &mut Scheduler<Gpu>, home: &Home| {
            let options = json!({ "maxTokens": expected.len(), "ignoreEnd": true });
            let sampling = Sampling::new(&serde_json::from_value(options).unwrap(), model.spec.vocabulary()).unwrap();
            let asked = GenerateRequest { source: None, prompt: prompt.clone() };
            let generation = model.generation(asked, sampling, None, &[], 1).unwrap();
            scheduler.begin(model, home, generation).unwrap()
        };
        let mut scheduler = Scheduler::default();
        let homes = [Home::new(model.session()), Home::new(model.session())];
        let ids = homes.clone().map(|home| begun(&mut model, &mut scheduler, &home));
        for _ in 0..3 {
            assert!(scheduler.step(&mut model).await);
        }
        go_wrong(&context);
        while scheduler.step(&mut model).await {}
        for (id, home) in ids.into_iter().zip(&homes) {
            let events: Vec<_> = std::iter::from_fn(|| scheduler.event(id)).collect();
            assert_eq!(events.last().unwrap().as_ref().unwrap_err().code, Code::Internal);
            let said = scheduler.end(id).unwrap().tokens().to_vec();
            assert_eq!(said, expected[..said.len()]);
            assert!(said.len() < expected.len());
            assert!(home.len() < prompt.len() + said.len(), "the last token's row had not come back");
        }
        let id = begun(&mut model, &mut scheduler, &homes[0]);
        while scheduler.step(&mut model).await {}
        let generation = scheduler.end(id).unwrap();
        assert_eq!(generation.tokens(), expected);
    });
}

#[test]
fn a_device_is_given_up_by_the_last_who_holds_it() {
    let kernels = open(&Wishes::default());
    let context = Rc::downgrade(&kernels.context);
    let model = gpu(&kernels);
    drop(kernels);
    assert!(context.upgrade().is_some(), "a model is on it");
    drop(model);
    assert!(context.upgrade().is_none());
}
