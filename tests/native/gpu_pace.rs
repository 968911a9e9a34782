//! How much a device gets at a time: by a clock that the test sets.

use azulejo::device::gpu::native::{run, run_late};
use azulejo::device::gpu::{Gpu, Wishes};
use azulejo::device::{CacheType, Device, Input, Linear, Progress, TokenIds};
use azulejo::model::{GenerateRequest, Home, Model, Scheduler, Scoring, Step};
use azulejo::text::{GenerateOptions, Sampling};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::case::assembled;
use crate::devices::{self, first, gpu};
use crate::random::Random;
use crate::verbs::{begin, floats, read};

/// Nothing ever takes any time.
fn still() -> f64 {
    0.0
}

/// Half a minute goes by whenever somebody looks.
fn flying() -> f64 {
    static NOW: AtomicU64 = AtomicU64::new(0);
    NOW.fetch_add(30_000, Ordering::Relaxed) as f64
}

/// Products in a batch.
const PRODUCTS: usize = 6;

/// Submits of the last of some batches, and what it came to.
fn last_batch(clock: fn() -> f64) -> (u64, Vec<f32>) {
    let kernels = devices::open(&Wishes { clock: Some(clock), ..Wishes::default() });
    let (device, context) = (&mut gpu(&kernels), &kernels.context);
    let (rows, width) = (32, 16);
    let mut random = Random::new(1);
    let table = floats(device, rows, width, &random.floats(rows * width));
    let weight = Linear { weight: floats(device, width, width, &random.floats(width * width)), bias: None };
    let mut x: [_; 2] = std::array::from_fn(|_| device.buffer(rows * width).unwrap());
    let mut submits = 0;
    for _ in 0..8 {
        let before = context.meter.counters().submits;
        begin(device, rows);
        device.embed(&table, &TokenIds::Known(&Vec::from_iter(0..rows as u32)), 1.0, false, &mut x[0]);
        for _ in 0..PRODUCTS {
            let [from, to] = &mut x;
            device.project(&Input { x: from, rows, norm: None }, &mut [weight.to(to)]);
            x.swap(0, 1);
        }
        run(Some(context), device.sync()).unwrap();
        submits = context.meter.counters().submits - before;
    }
    (submits, read(device, context, &x[0], rows * width))
}

#[test]
fn a_slow_device_gets_a_batch_in_many_submits_and_computes_the_same() {
    let (fast, expected) = last_batch(still);
    assert_eq!(fast, 1);
    let (slow, found) = last_batch(flying);
    assert_eq!(slow, 1 + PRODUCTS as u64, "each dispatch alone would take too long");
    assert_eq!(found, expected);
}

#[test]
fn the_step_of_one_token_is_one_submit_however_slow_the_device() {
    let kernels = devices::open(&Wishes { clock: Some(flying), ..Wishes::default() });
    let context = kernels.context.clone();
    let counts = run(Some(&context), async {
        let mut model = load(gpu(&kernels)).await;
        let mut session = model.session();
        let mut counts = Vec::new();
        for token in 1..10 {
            let before = context.meter.counters().submits;
            model.extend(&mut session, &[token]).await.unwrap();
            counts.push(context.meter.counters().submits - before);
        }
        counts
    });
    assert_eq!(counts[1..], [1; 8]);
}

/// Products of query, key and value, attention with all that becomes of heads, its output, the two of the feed-forward
/// network: SmolLM2's 30 layers are 150 dispatches, with embedding, head, penalties and choice 154.
#[test]
fn a_step_is_five_dispatches_a_layer() {
    let kernels = first();
    let context = kernels.context.clone();
    let (counts, layers) = run(Some(&context), async {
        let mut model = load(gpu(&kernels)).await;
        let mut session = model.session();
        let mut counts = Vec::new();
        for token in 1..5 {
            let before = context.meter.counters().dispatches;
            model.extend(&mut session, &[token]).await.unwrap();
            counts.push(context.meter.counters().dispatches - before);
        }
        (counts, model.spec.layers() as u64)
    });
    assert!(counts.iter().all(|count| *count <= 5 * layers + 2), "{counts:?}, {layers} layers");
}

/// The logits after a long prompt, and steps in which it was read: to be scored, and to be gone on with.
fn long_prompt<D: Device>(device: D, context: &azulejo::device::gpu::Context) -> (Vec<f32>, [u64; 2]) {
    let tokens: Vec<u32> = (0..900).map(|i| i * 7 % 131).collect();
    let steps = || context.meter.counters().steps;
    run(Some(context), async {
        let loader = assembled("falcon", device);
        let mut model = Model::new(loader, None, CacheType::F32, &Progress::default()).await.unwrap();
        let (mut logits, before) = (Vec::new(), steps());
        let mut scoring = Scoring::new(&model, vec![tokens.clone()], vec![], true).unwrap();
        while scoring.step(&mut model, |_, _, row| logits = row.to_vec()).await.unwrap() {}
        let scored = steps() - before;
        let home = Home::new(model.session());
        let options: GenerateOptions = serde_json::from_str(r#"{ "maxTokens": 1 }"#).unwrap();
        let sampling = Sampling::new(&options, model.spec.vocabulary()).unwrap();
        let asked = GenerateRequest { source: None, prompt: tokens };
        let generation = model.generation(asked, sampling, None, &[], 1).unwrap();
        let mut scheduler = Scheduler::default();
        scheduler.begin(&mut model, &home, generation).unwrap();
        let before = steps();
        while scheduler.step(&mut model).await {}
        (logits, [scored, steps() - before])
    })
}

#[test]
fn a_quick_device_gets_longer_chunks_of_a_prompt_and_computes_the_same() {
    let [quick, slow] = [still, flying].map(|clock| {
        let kernels = devices::open(&Wishes { clock: Some(clock), ..Wishes::default() });
        long_prompt(gpu(&kernels), &kernels.context)
    });
    assert_eq!(slow.1, [8, 8]);
    // 128 until it is known what they take; what is known stays.
    assert!(quick.1[0] <= 5 && quick.1[1] <= 3, "{:?} steps", quick.1);
    let expected = long_prompt(crate::devices::cpu(1), &first().context).0;
    let size = expected.iter().fold(0.0f32, |size, logit| size.max(logit.abs()));
    for logits in [&quick.0, &slow.0] {
        assert_eq!(logits.len(), expected.len());
        for (found, expected) in logits.iter().zip(&expected) {
            assert!((found - expected).abs() <= 1e-4 * size, "{found}, expected {expected}");
        }
    }
}

async fn load(device: Gpu) -> Model<Gpu> {
    Model::new(assembled("llama", device), None, CacheType::F32, &Progress::default()).await.unwrap()
}

#[test]
fn more_steps_are_under_way_where_ids_come_late_and_all_at_once() {
    let kernels = first();
    let context = kernels.context.clone();
    run_late(&context.clone(), async {
        let mut model = load(gpu(&kernels)).await;
        let home = Home::new(model.session());
        // What is drafted goes behind tokens that are known: nothing is ahead of it.
        let options = r#"{ "maxTokens": 56, "ignoreEnd": true, "draft": "off" }"#;
        let options: GenerateOptions = serde_json::from_str(options).unwrap();
        let sampling = Sampling::new(&options, model.spec.vocabulary()).unwrap();
        let asked = GenerateRequest { source: None, prompt: vec![3, 4, 5] };
        let before = context.meter.counters().steps;
        let generation = model.generation(asked, sampling, None, &[], 1).unwrap();
        let mut scheduler = Scheduler::default();
        let id = scheduler.begin(&mut model, &home, generation).unwrap();
        let (mut made, mut under_way) = (0, Vec::new());
        while made < 30 {
            scheduler.step(&mut model).await;
            if let Step::Token(_) = scheduler.event(id).unwrap().unwrap() {
                made += 1;
                // The prompt is a step, too, whose token is the first.
                under_way.push(context.meter.counters().steps - before - made);
            }
        }
        assert!(under_way[0] <= 2, "{under_way:?}");
        assert_eq!(under_way[20..].iter().max(), Some(&15), "{under_way:?}");
    });
}
