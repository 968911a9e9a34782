//! Texts that outgrow their context: each token is the one that the model says after what is left, read as a prompt.

use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Device, Progress};
use azulejo::error::{Code, Error};
use azulejo::model::{
    FinishReason, GenerateRequest, Generation, Home, Model, Scheduler, Scoring, Session, WeightLoader,
};
use azulejo::text::{Constraint, GenerateOptions, Sampling};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;

use crate::case::{assembled, families};
use crate::devices::{cpu, first, gpu};
use crate::generated::finished;

/// Of the context that a test gives its model.
#[derive(Clone, Copy)]
struct Room {
    context: usize,
    keep: usize,
}

/// Slides twice within 30 tokens.
const SMALL: Room = Room { context: 15, keep: 3 };
/// More than a page and every window, so that windows and convolutions have let go what stands behind `keep`.
const LARGE: Room = Room { context: 150, keep: 3 };

impl Room {
    /// What the context has of a text. Not as the model does it: token by token.
    fn left(self, text: &[u32]) -> Vec<u32> {
        let mut left = Vec::new();
        for token in text {
            if left.len() == self.context {
                left.drain(self.keep..self.keep + (self.context - self.keep) / 2);
            }
            left.push(*token);
        }
        left
    }

    async fn model<D: Device>(self, weight_loader: WeightLoader<D>) -> Model<D> {
        Model::new(weight_loader, Some(self.context), CacheType::F32, &Progress::default()).await.unwrap()
    }

    fn options(self, tokens: usize, more: &Value) -> GenerateOptions {
        let mut options = json!({ "ignoreEnd": true, "maxTokens": tokens, "contextShift": { "keep": self.keep } });
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(options).unwrap()
    }

    fn begin<D: Device>(
        self,
        model: &Model<D>,
        text: &[u32],
        tokens: usize,
        more: &Value,
    ) -> Result<Generation, Error> {
        let sampling = Sampling::new(&self.options(tokens, more), model.spec.vocabulary()).unwrap();
        let asked = GenerateRequest { source: None, prompt: text.to_vec() };
        model.generation(asked, sampling, None, &[], 1)
    }

    async fn say<D: Device>(
        self,
        model: &mut Model<D>,
        session: &mut Session,
        text: &[u32],
        tokens: usize,
        more: &Value,
    ) -> Generation {
        let generation = self.begin(model, text, tokens, more).unwrap();
        let made = finished(model, session, generation, |_| ()).await.unwrap();
        assert_eq!((made.tokens().len(), made.finish()), (tokens, Some(FinishReason::Length)));
        made
    }
}

fn prompt(len: usize) -> Vec<u32> {
    (0..len as u32).map(|at| 3 + (at * 7 + at * at) % 50).collect()
}

/// The likeliest token after a text that is read at once.
async fn likeliest<D: Device>(model: &mut Model<D>, text: Vec<u32>) -> u32 {
    let mut scoring = Scoring::new(model, vec![text], Vec::new(), true).unwrap();
    let mut likeliest = 0;
    let mut take = |_: usize, _: usize, logits: &[f32]| {
        likeliest = (0..logits.len()).rev().max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
    };
    while scoring.step(model, &mut take).await.unwrap() {}
    likeliest as u32
}

/// From a prompt that fits and from one that does not, in one session; `logprobs`: tokens are chosen here.
async fn goes_on<D: Device>(room: Room, weight_loader: WeightLoader<D>, what: &str) {
    let mut model = room.model(weight_loader).await;
    let mut session = model.session();
    for (len, more) in [(room.context - 5, json!({})), (2 * room.context + 1, json!({ "logprobs": 0 }))] {
        let mut text = prompt(len);
        let tokens = 5 + room.context + room.keep;
        let made = room.say(&mut model, &mut session, &text, tokens, &more).await;
        for (at, token) in made.tokens().iter().enumerate() {
            let left = room.left(&text);
            // Of long texts a part will do.
            if room.context <= 20 || at % 16 == 5 {
                assert_eq!(*token, likeliest(&mut model, left).await, "{what}, {more}, after {} tokens", text.len());
            }
            text.push(*token);
        }
        let seen = room.left(&text[..text.len() - 1]).len();
        assert_eq!(made.dropped_tokens(), Some(text.len() - 1 - seen), "{what}");
        assert_eq!((made.prompt_tokens(), session.len()), (len, seen), "{what}");
    }
}

#[test]
fn each_token_is_the_model_s_after_what_is_left() {
    for family in families("causal") {
        run(None, goes_on(SMALL, assembled(&family, cpu(1)), &family));
    }
    for family in ["llama", "gemma3", "lfm2"] {
        run(None, goes_on(LARGE, assembled(family, cpu(2)), family));
    }
}

#[test]
fn so_it_is_on_the_gpu() {
    let kernels = first();
    for (family, room) in [("llama", SMALL), ("gpt2", SMALL), ("bloom", SMALL), ("gemma3", LARGE), ("lfm2", LARGE)] {
        run(Some(&kernels.context), goes_on(room, assembled(family, gpu(&kernels)), family));
    }
}

/// LongRoPE's turning point, at 16 tokens, is passed again and again; where less is kept all of it lies before a half.
#[test]
fn a_text_falls_back_behind_the_turning_point_and_passes_it_again() {
    let kernels = first();
    for room in [Room { context: 24, keep: 1 }, Room { context: 40, keep: 0 }] {
        run(None, goes_on(room, assembled("phi3_longrope", cpu(1)), "longrope"));
        run(Some(&kernels.context), goes_on(room, assembled("phi3_longrope", gpu(&kernels)), "longrope"));
    }
}

#[test]
fn every_keep_that_leaves_something_to_go_goes_on() {
    for keep in 0..=6 {
        run(None, goes_on(Room { context: 8, keep }, assembled("llama", cpu(1)), &format!("keep {keep}")));
    }
    let model = run(None, Room { context: 8, keep: 7 }.model(assembled("llama", cpu(1))));
    for keep in [7, 8, 1 << 40] {
        let error = Room { context: 8, keep }.begin(&model, &prompt(3), 9, &json!({})).err().unwrap();
        assert_eq!((error.code, error.message.contains("contextShift.keep")), (Code::InvalidArgument, true), "{error}");
    }
    // Without it the context has an end.
    let sampling = Sampling::new(&GenerateOptions::default(), model.spec.vocabulary()).unwrap();
    let asked = GenerateRequest { source: None, prompt: prompt(9) };
    assert_eq!(model.generation(asked, sampling, None, &[], 1).err().unwrap().code, Code::ContextFull);
}

/// Where a draw stands, and what penalties count, is in the whole text: on the GPU, too, which does not see it.
async fn drawn<D: Device>(weight_loader: WeightLoader<D>) -> Vec<Vec<u32>> {
    let mut model = SMALL.model(weight_loader).await;
    let mut all = Vec::new();
    for more in [
        json!({ "temperature": 1.1, "seed": 7 }),
        json!({ "temperature": 0.8, "seed": 8, "topK": 9 }),
        json!({ "repetitionPenalty": 1.4, "presencePenalty": 0.3, "frequencyPenalty": 0.2 }),
    ] {
        let with = |name: &str, value: Value| {
            let mut more = more.clone();
            more[name] = value;
            more
        };
        let mut session = model.session();
        let whole = SMALL.say(&mut model, &mut session, &prompt(9), 40, &more).await.tokens().to_vec();
        let mut session = model.session();
        let told = SMALL.say(&mut model, &mut session, &prompt(9), 40, &with("logprobs", json!(0))).await;
        assert_eq!(told.tokens(), whole, "chosen elsewhere, {more}");
        if more["seed"].is_u64() {
            // The rest alone, of a prompt that has lost as much.
            let text = [&prompt(9)[..], &whole[..23]].concat();
            let mut session = model.session();
            let rest = SMALL.say(&mut model, &mut session, &text, 17, &more).await;
            assert_eq!(rest.tokens(), &whole[23..], "from further on, {more}");
        }
        all.push(whole);
    }
    all
}

#[test]
fn draws_and_penalties_count_what_is_gone() {
    let kernels = first();
    let expected = run(None, drawn(assembled("llama", cpu(1))));
    assert_eq!(run(Some(&kernels.context), drawn(assembled("llama", gpu(&kernels)))), expected);
}

#[test]
fn the_next_turn_finds_what_the_last_one_has_left() {
    for (family, room) in [("llama", SMALL), ("lfm2", SMALL), ("gemma3", LARGE)] {
        let mut model = run(None, room.model(assembled(family, cpu(1))));
        let mut session = model.session();
        let mut text = prompt(room.context - 5);
        for _ in 0..room.context {
            let made = run(None, room.say(&mut model, &mut session, &text, 2, &json!({})));
            text.extend(made.tokens());
            let (known, next) = (session.len(), room.left(&text[..text.len() - 1]));
            assert_eq!(known, next.len(), "{family}");
            text.push(5);
            let slides = room.left(&text).len() <= known;
            let made = run(None, room.say(&mut model, &mut session.copy(), &text, 1, &json!({})));
            let alone = run(None, room.say(&mut model, &mut Session::default(), &text, 1, &json!({})));
            assert_eq!(made.tokens(), alone.tokens(), "{family}, after {} tokens", text.len());
            if !slides {
                assert_eq!(made.cached_tokens(), known, "{family}: nothing is read again");
            }
        }
    }
}

/// After each token that is chosen up to four others follow.
struct Runs {
    chosen: u32,
}

/// What follows the token that was chosen after so many.
fn run_after(chosen: u32) -> Vec<u32> {
    (0..chosen % 5).map(|at| 9 + (at + chosen) % 30).collect()
}

impl Constraint for Runs {
    fn allowed(&mut self) -> azulejo::Result<Vec<u32>> {
        Ok(vec![u32::MAX; 8])
    }

    fn take(&mut self, _: u32, forces: bool) -> azulejo::Result<Vec<u32>> {
        self.chosen += 1;
        Ok(if forces { run_after(self.chosen) } else { Vec::new() })
    }

    fn is_over(&self) -> bool {
        false
    }
}

/// Runs of tokens that have to follow, in whose midst the context slides; the others are the model's.
async fn constrained<D: Device>(room: Room, weight_loader: WeightLoader<D>) {
    let mut model = room.model(weight_loader).await;
    let (mut text, mut session) = (prompt(10), Session::default());
    let mut generation = room.begin(&model, &text, 60, &json!({})).unwrap();
    generation.constrain(Rc::new(RefCell::new(Runs { chosen: 0 })));
    let made = finished(&mut model, &mut session, generation, |_| ()).await.unwrap();
    assert_eq!(made.tokens().len(), 60);
    let (mut follow, mut chosen) = (Vec::new(), 0);
    for token in made.tokens() {
        if follow.is_empty() {
            assert_eq!(*token, likeliest(&mut model, room.left(&text)).await, "after {} tokens", text.len());
            chosen += 1;
            follow = run_after(chosen);
        } else {
            assert_eq!(*token, follow.remove(0));
        }
        text.push(*token);
    }
}

#[test]
fn what_a_grammar_has_follow_goes_on_where_the_context_slides() {
    let kernels = first();
    for room in [SMALL, Room { context: 13, keep: 11 }, Room { context: 14, keep: 8 }] {
        run(None, constrained(room, assembled("llama", cpu(1))));
        run(Some(&kernels.context), constrained(room, assembled("llama", gpu(&kernels))));
    }
}

async fn together<D: Device>(weight_loader: WeightLoader<D>) {
    let mut model = SMALL.model(weight_loader).await;
    let texts: Vec<Vec<u32>> = [4, 11, 15, 16, 40].map(prompt).to_vec();
    let (mut scheduler, mut begun) = (Scheduler::default(), Vec::new());
    for text in &texts {
        let (home, generation) = (Home::new(model.session()), SMALL.begin(&model, text, 33, &json!({})).unwrap());
        begun.push(scheduler.begin(&mut model, &home, generation).unwrap());
    }
    while scheduler.step(&mut model).await {}
    for (id, text) in begun.into_iter().zip(&texts) {
        let found = scheduler.end(id).unwrap();
        let alone = SMALL.say(&mut model, &mut Session::default(), text, 33, &json!({})).await;
        assert_eq!(found.tokens(), alone.tokens(), "of a prompt of {}", text.len());
    }
}

#[test]
fn several_slide_side_by_side() {
    let kernels = first();
    run(None, together(assembled("llama", cpu(1))));
    run(Some(&kernels.context), together(assembled("llama", gpu(&kernels))));
}
