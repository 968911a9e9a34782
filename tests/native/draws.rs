//! The tokens that seeds draw, against those of tests/reference/draws/make.py: they are part of the contract.

use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Device, Progress};
use azulejo::model::{GenerateRequest, Model, Session};
use azulejo::text::{GenerateOptions, Sampler, Sampling};
use serde_json::{Value, json};

use crate::case::assembled;
use crate::devices::{cpu, first, gpu};
use crate::generated::finished;

fn reference() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/draws/reference.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

fn options(case: &Value, more: &Value) -> GenerateOptions {
    let mut options = case["options"].as_object().unwrap().clone();
    options.extend(more.as_object().unwrap().clone());
    serde_json::from_value(Value::Object(options)).unwrap()
}

/// The logits that the script draws from.
fn logits(vocabulary: usize) -> Vec<f32> {
    (0..vocabulary).map(|token| (token * 37 % 101) as f32 * 0.0625).collect()
}

#[test]
fn the_sampler_draws_the_tokens_of_its_definition() {
    for case in reference()["sampler"].as_array().unwrap() {
        let vocabulary = case["vocabulary"].as_u64().unwrap() as usize;
        let sampling = Sampling::new(&options(case, &json!({})), vocabulary).unwrap();
        let mut sampler = Sampler::new(sampling, vocabulary, &[0, 1, 2], 0);
        for expected in ids(&case["tokens"]) {
            let found = sampler.sample(&mut logits(vocabulary), None).unwrap().id;
            assert_eq!(found, expected, "{case}");
            sampler.accept(found);
        }
    }
}

/// Generates in a session that may know a part of the prompt.
async fn generate<D: Device>(
    model: &mut Model<D>,
    session: &mut Session,
    prompt: &[u32],
    sampling: Sampling,
) -> Vec<u32> {
    let asked = GenerateRequest { source: None, prompt: prompt.to_vec() };
    let generation = model.generation(asked, sampling, None, &[], 0).unwrap();
    finished(model, session, generation, |_| {}).await.unwrap().tokens().to_vec()
}

/// A generation draws the same whatever of it was computed before, and whoever chooses.
async fn draws_the_reference_s_tokens<D: Device>(device: D, family: &str, cases: &[&Value]) {
    let mut model = Model::new(assembled(family, device), None, CacheType::F32, &Progress::default()).await.unwrap();
    for case in cases {
        let (prompt, tokens) = (ids(&case["prompt"]), ids(&case["tokens"]));
        let sampling = |count: usize, more: &Value| {
            let options = GenerateOptions { max_tokens: Some(count as f64), ..options(case, more) };
            Sampling::new(&options, model.spec.vocabulary()).unwrap()
        };
        let plain = sampling(tokens.len(), &json!({}));
        let told = sampling(tokens.len(), &json!({ "logprobs": 1 }));
        // Runs of more tokens than there are: nothing is forbidden, but where tokens are chosen is another place.
        let ruled = sampling(tokens.len(), &json!({ "noRepeatNgram": 100 }));
        let rest = sampling(tokens.len() - 5, &json!({}));
        let mut session = model.session();
        for (sampling, what) in [(plain.clone(), "fresh"), (plain, "cached"), (told, "logprobs"), (ruled, "rules")] {
            let found = generate(&mut model, &mut session, &prompt, sampling).await;
            assert_eq!(found, tokens, "{family}, {what}: {case}");
        }
        let longer = [&prompt[..], &tokens[..5]].concat();
        for mut session in [model.session(), session] {
            let found = generate(&mut model, &mut session, &longer, rest.clone()).await;
            assert_eq!(found, tokens[5..], "{family}, from further on: {case}");
        }
    }
}

#[test]
fn a_seed_draws_the_same_tokens_on_every_device_cached_or_fresh_with_logprobs_or_without() {
    let kernels = first();
    let reference = reference();
    for family in ["llama", "gpt2"] {
        let cases = reference["models"].as_array().unwrap();
        let cases: Vec<&Value> = cases.iter().filter(|case| case["family"] == family).collect();
        run(None, draws_the_reference_s_tokens(cpu(2), family, &cases));
        // Every third: a driver without a GPU takes a while.
        let some: Vec<&Value> = cases.iter().step_by(3).copied().collect();
        run(Some(&kernels.context), draws_the_reference_s_tokens(gpu(&kernels), family, &some));
    }
}
