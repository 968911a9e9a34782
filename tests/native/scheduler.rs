//! Several generations on one model at a time: each makes the text that it makes alone.

use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Device, Progress};
use azulejo::error::Code;
use azulejo::model::{FinishReason, GenerateRequest, Generation, Home, Model, Scheduler, Step};
use azulejo::text::{GenerateOptions, Sampling};
use serde_json::{Value, json};

use crate::case::{Case, assembled, families};
use crate::devices::{cpu, first, gpu};
use crate::generated::finished;

async fn load<D: Device>(family: &str, device: D) -> Model<D> {
    Model::new(assembled(family, device), None, CacheType::F32, &Progress::default()).await.unwrap()
}

/// A text to be made: of tokens that look random, or of a source.
fn text<D: Device>(model: &Model<D>, prompt: &[u32], options: &Value) -> Generation {
    let options: GenerateOptions = serde_json::from_value(options.clone()).unwrap();
    let sampling = Sampling::new(&options, model.spec.vocabulary()).unwrap();
    let asked = match model.spec.looks_across() {
        false => GenerateRequest { source: None, prompt: prompt.to_vec() },
        true => GenerateRequest { source: Some(prompt.to_vec()), prompt: vec![1, 2] },
    };
    model.generation(asked, sampling, None, &[], 1).unwrap()
}

fn prompt(len: usize, seed: u32) -> Vec<u32> {
    (0..len as u32).map(|i| 3 + (i * 7 + seed * 13 + i * i * seed) % 50).collect()
}

/// Eight texts of different lengths, greedy and drawn, chosen here and there.
fn eight() -> Vec<(Vec<u32>, Value)> {
    let options = |more: Value| {
        let mut options = json!({ "ignoreEnd": true });
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        options
    };
    vec![
        (prompt(1, 1), options(json!({ "maxTokens": 12 }))),
        (prompt(20, 2), options(json!({ "maxTokens": 3 }))),
        (prompt(7, 3), options(json!({ "maxTokens": 20, "temperature": 0.9, "seed": 5 }))),
        (prompt(3, 4), options(json!({ "maxTokens": 15, "logprobs": 2 }))),
        (prompt(33, 5), options(json!({ "maxTokens": 0 }))),
        (prompt(30, 6), options(json!({ "maxTokens": 9, "repetitionPenalty": 1.3 }))),
        (prompt(12, 7), options(json!({ "maxTokens": 1 }))),
        (prompt(5, 8), options(json!({ "maxTokens": 17, "temperature": 1.2, "topK": 9, "seed": 6 }))),
    ]
}

/// What each says alone.
async fn alone<D: Device>(model: &mut Model<D>, texts: &[(Vec<u32>, Value)]) -> Vec<Vec<u32>> {
    let mut said = Vec::new();
    for (prompt, options) in texts {
        let (mut session, generation) = (model.session(), text(model, prompt, options));
        said.push(finished(model, &mut session, generation, |_| {}).await.unwrap().tokens().to_vec());
    }
    said
}

/// Generations that are begun one after the other.
struct Together<D: Device> {
    scheduler: Scheduler<D>,
    /// Numbers, and where their sequences live.
    begun: Vec<(u64, Home)>,
}

impl<D: Device> Together<D> {
    fn new() -> Self {
        Self { scheduler: Scheduler::default(), begun: Vec::new() }
    }

    fn begin(&mut self, model: &mut Model<D>, (prompt, options): &(Vec<u32>, Value)) -> usize {
        let home = Home::new(model.session());
        let generation = text(model, prompt, options);
        self.begun.push((self.scheduler.begin(model, &home, generation).unwrap(), home));
        self.begun.len() - 1
    }

    fn begin_all(&mut self, model: &mut Model<D>, texts: &[(Vec<u32>, Value)]) {
        for text in texts {
            self.begin(model, text);
        }
    }

    /// What has happened to one.
    fn events(&mut self, at: usize) -> Vec<Step> {
        let mut events = Vec::new();
        while let Some(step) = self.scheduler.event(self.begun[at].0) {
            match step.unwrap() {
                Step::Over => break,
                step => events.push(step),
            }
        }
        events
    }

    async fn finish(&mut self, model: &mut Model<D>) {
        while self.scheduler.step(model).await {}
    }

    /// What one has said: its sequence is home.
    fn end(&mut self, at: usize) -> (Vec<u32>, Option<FinishReason>) {
        let (id, home) = &self.begun[at];
        let generation = self.scheduler.end(*id).unwrap();
        let session = home.take().expect("it is home");
        assert_eq!(session.len(), home.len());
        home.put(session);
        (generation.tokens().to_vec(), generation.finish())
    }
}

async fn say_what_they_say_alone<D: Device>(family: &str, device: D) {
    let mut model = load(family, device).await;
    let texts = eight();
    let expected = alone(&mut model, &texts).await;
    let mut together = Together::new();
    // The last two come while the others are being written.
    together.begin_all(&mut model, &texts[..6]);
    for _ in 0..4 {
        assert!(together.scheduler.step(&mut model).await);
    }
    together.begin_all(&mut model, &texts[6..]);
    together.finish(&mut model).await;
    for (at, expected) in expected.into_iter().enumerate() {
        let events = together.events(at);
        let ids = |step: &Step| match step {
            Step::Token(token) => vec![token.id],
            Step::Tokens(tokens) => tokens.iter().map(|token| token.id).collect(),
            _ => Vec::new(),
        };
        assert_eq!(events.iter().flat_map(ids).collect::<Vec<_>>(), expected, "{family}, events of text {at}");
        assert_eq!(together.end(at), (expected, Some(FinishReason::Length)), "{family}, text {at}");
    }
}

#[test]
fn eight_texts_together_say_what_they_say_alone() {
    for family in families("causal").into_iter().chain(families("seq2seq")) {
        run(None, say_what_they_say_alone(&family, cpu(1)));
    }
}

#[test]
fn so_they_do_on_the_gpu() {
    let kernels = first();
    for family in ["llama", "gpt2", "t5"] {
        run(Some(&kernels.context), say_what_they_say_alone(family, gpu(&kernels)));
    }
}

/// One is ended in its midst, and its sequence goes on later; the others do not notice.
async fn one_leaves<D: Device>(device: D) {
    let mut model = load("llama", device).await;
    let texts: Vec<_> = (1..5).map(|seed| (prompt(6, seed), json!({ "maxTokens": 16, "ignoreEnd": true }))).collect();
    let expected = alone(&mut model, &texts).await;
    let mut together = Together::new();
    together.begin_all(&mut model, &texts);
    let mut said = Vec::new();
    while said.len() < 5 {
        assert!(together.scheduler.step(&mut model).await);
        said.extend(together.events(1).into_iter().filter(|step| *step != Step::Read));
    }
    let (tokens, finish) = together.end(1);
    assert_eq!((&tokens[..], finish), (&expected[1][..tokens.len()], None));
    together.finish(&mut model).await;
    for at in [0, 2, 3] {
        assert_eq!(together.end(at).0, expected[at], "text {at}");
    }
    let mut session = together.begun[1].1.take().unwrap();
    let longer = [&texts[1].0[..], &tokens].concat();
    let rest = json!({ "maxTokens": 16 - tokens.len(), "ignoreEnd": true });
    let generation = text(&model, &longer, &rest);
    let generation = finished(&mut model, &mut session, generation, |_| {}).await.unwrap();
    assert!(generation.cached_tokens() > 6, "what was computed stays");
    assert_eq!(generation.tokens(), &expected[1][tokens.len()..]);
}

#[test]
fn who_leaves_in_the_midst_takes_nothing_from_the_others() {
    run(None, one_leaves(cpu(1)));
    let kernels = first();
    run(Some(&kernels.context), one_leaves(gpu(&kernels)));
}

#[test]
fn a_pass_that_is_under_way_holds_nobody_who_leaves() {
    run(None, async {
        let mut model = load("llama", cpu(1)).await;
        let texts: Vec<_> =
            (1..3).map(|seed| (prompt(6, seed), json!({ "maxTokens": 8, "ignoreEnd": true }))).collect();
        let expected = alone(&mut model, &texts).await;
        let mut together = Together::new();
        together.begin_all(&mut model, &texts);
        let pass = together.scheduler.plan().unwrap();
        assert!(together.scheduler.plan().is_none(), "the pass has them both");
        let (id, home) = together.begun[0].clone();
        assert!(together.scheduler.end(id).unwrap().tokens().is_empty());
        assert!(home.take().is_err(), "the pass has its sequence");
        let pass = pass.run(&mut model).await;
        together.scheduler.settle(pass);
        assert_eq!(home.take().expect("it is home").len(), 6);
        together.finish(&mut model).await;
        assert_eq!(together.end(1).0, expected[1]);
    });
}

#[test]
fn while_prompts_are_read_the_others_go_on() {
    run(None, async {
        let mut model = load("llama", cpu(1)).await;
        let (len, chunk) = (model.context - 4, azulejo::device::cpu::Cpu::CHUNK);
        assert!(len > chunk, "a prompt of several chunks");
        let mut together = Together::new();
        let options = json!({ "maxTokens": 40, "ignoreEnd": true });
        together.begin(&mut model, &(prompt(2, 1), options.clone()));
        together.scheduler.step(&mut model).await;
        assert_eq!(together.events(0).len(), 1);
        let long = [together.begin(&mut model, &(prompt(len, 2), json!({ "maxTokens": 2, "ignoreEnd": true }))), 2];
        together.begin(&mut model, &(prompt(len, 3), options));
        let mut read = [0, 0];
        while read.contains(&0) || together.scheduler.generation(together.begun[1].0).unwrap().tokens().is_empty() {
            together.scheduler.step(&mut model).await;
            assert_eq!(together.events(0).len(), 1, "a token with each pass");
            for (read, at) in read.iter_mut().zip(long) {
                *read += together.events(at).iter().filter(|step| **step == Step::Read).count();
            }
        }
        // Half of the room each: nobody waits for the other's prompt.
        assert!(read[0].abs_diff(read[1]) <= 1, "{read:?}");
    });
}

#[test]
fn a_sequence_has_one_generation_at_a_time() {
    run(None, async {
        let mut model = load("llama", cpu(1)).await;
        let case = Case::read("llama");
        let options = json!({ "maxTokens": case.ids("generated").len(), "ignoreEnd": true });
        let home = Home::new(model.session());
        let mut scheduler = Scheduler::default();
        let first = text(&model, &case.ids("prompt"), &options);
        let id = scheduler.begin(&mut model, &home, first).unwrap();
        let second = text(&model, &case.ids("prompt"), &options);
        assert_eq!(scheduler.begin(&mut model, &home, second).unwrap_err().code, Code::Internal);
        while scheduler.step(&mut model).await {}
        assert_eq!(scheduler.end(id).unwrap().tokens(), case.ids("generated"));
        assert!(scheduler.end(id).is_none());
    });
}

#[test]
fn more_texts_than_a_pass_has_answers_take_turns() {
    run(None, async {
        let mut model = load("llama", cpu(1)).await;
        let options = json!({ "maxTokens": 5, "ignoreEnd": true });
        let texts: Vec<_> = (0..40).map(|seed| (prompt(2 + seed as usize % 5, seed), options.clone())).collect();
        let expected = alone(&mut model, &texts).await;
        let mut together = Together::new();
        together.begin_all(&mut model, &texts);
        together.finish(&mut model).await;
        for (at, expected) in expected.into_iter().enumerate() {
            assert_eq!(together.end(at).0, expected, "text {at}");
        }
    });
}
