//! Drafts: the text is the same with and without, and so is what is kept of it.

use azulejo::Result;
use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Device, Progress};
use azulejo::model::{FinishReason, GenerateRequest, Generation, Home, Model, Scheduler, Session, Step};
use azulejo::text::{Constraint, GenerateOptions, Sampling};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;

use crate::case::{assembled, families};
use crate::devices::{cpu, first, gpu};
use crate::generated::finished;

async fn load<D: Device>(family: &str, device: D, ty: CacheType) -> Model<D> {
    Model::new(assembled(family, device), None, ty, &Progress::default()).await.unwrap()
}

/// Tokens that say the same again and again, with changes.
fn repeating(len: usize) -> Vec<u32> {
    (0..len as u32).map(|i| if i % 23 == 22 { 4 + i / 23 } else { 3 + i % 23 % 11 * 4 }).collect()
}

fn text<D: Device>(model: &Model<D>, prompt: &[u32], draft: &str, options: &Value, ends: &[u32]) -> Generation {
    let mut options = options.clone();
    options["draft"] = json!(draft);
    let options: GenerateOptions = serde_json::from_value(options).unwrap();
    let sampling = Sampling::new(&options, model.spec.vocabulary()).unwrap();
    model.generation(GenerateRequest { source: None, prompt: prompt.to_vec() }, sampling, None, ends, 1).unwrap()
}

/// What a generation tells: ids and log-probabilities. And itself.
async fn told<D: Device>(
    model: &mut Model<D>,
    session: &mut Session,
    generation: Generation,
) -> (Vec<(u32, Option<f32>)>, Generation) {
    let mut tokens = Vec::new();
    let told = |step: Step| match step {
        Step::Token(token) => tokens.push(token),
        Step::Tokens(all) => tokens.extend(all),
        Step::Read | Step::Over => {}
    };
    let generation = finished(model, session, generation, told).await.unwrap();
    let said: Vec<_> = tokens.iter().map(|token| (token.id, token.logprob)).collect();
    assert_eq!(said.iter().map(|(id, _)| *id).collect::<Vec<_>>(), generation.tokens());
    (said, generation)
}

/// Greedy, drawn and penalised texts, whose ends are at different places of a run of drafts.
fn texts() -> Vec<Value> {
    let mut texts: Vec<Value> = (1..12).map(|most| json!({ "maxTokens": most })).collect();
    texts.extend([
        json!({ "maxTokens": 60 }),
        json!({ "maxTokens": 60, "logprobs": 1 }),
        json!({ "maxTokens": 60, "temperature": 0.3, "seed": 5 }),
        json!({ "maxTokens": 60, "temperature": 0.2, "topK": 3, "seed": 6 }),
        json!({ "maxTokens": 60, "repetitionPenalty": 0.8 }),
        json!({ "maxTokens": 60, "frequencyPenalty": 0.02, "presencePenalty": 0.1 }),
        json!({ "maxTokens": 60, "minTokens": 9, "logitBias": { "7": 0.5 } }),
        json!({ "maxTokens": 60, "noRepeatNgram": 5 }),
    ]);
    texts
}

/// The same tokens; log-probabilities to the last bit, or but for the order of sums.
fn assert_alike(found: &[(u32, Option<f32>)], expected: &[(u32, Option<f32>)], exact: bool, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for ((id, logprob), (wanted, of_wanted)) in found.iter().zip(expected) {
        let off = (logprob.unwrap_or(0.0) - of_wanted.unwrap_or(0.0)).abs();
        assert!(id == wanted && off <= if exact { 0.0 } else { 1e-4 }, "{what}: {found:?}, expected {expected:?}");
    }
}

/// How many were drafted and kept, of all texts. `exact`: what comes of several rows is what comes of each.
async fn are_the_same<D: Device>(family: &str, device: D, exact: bool, (ty, len): (CacheType, usize)) -> [usize; 2] {
    let mut model = load(family, device, ty).await;
    let len = len.min(model.context.saturating_sub(64));
    let (prompt, mut all) = (repeating(len), [0, 0]);
    // Where sums take their time some of them.
    let texts = if exact { texts() } else { texts().into_iter().skip(2).step_by(3).collect() };
    for options in texts {
        let (mut plain, mut quick) = (model.session(), model.session());
        let generation = text(&model, &prompt, "off", &options, &[]);
        let (expected, _) = told(&mut model, &mut plain, generation).await;
        let generation = text(&model, &prompt, "prompt", &options, &[]);
        let (found, generation) = told(&mut model, &mut quick, generation).await;
        assert_alike(&found, &expected, exact, &format!("{family}, {options}"));
        assert_eq!(quick.len(), len + found.len() - 1, "what is kept: {family}, {options}");
        let counts = generation.drafts();
        assert!(counts[1] <= counts[0] && counts[1] < found.len());
        all = [all[0] + counts[0], all[1] + counts[1]];
        // Where it ends a session goes on, as another one does: what lies there are the right keys.
        let longer = [&prompt[..], generation.tokens(), &[5, 9]].concat();
        if longer.len() + 6 > model.context {
            continue;
        }
        let rest = |model: &Model<D>| text(model, &longer, "off", &json!({ "maxTokens": 5, "logprobs": 0 }), &[]);
        let generation = rest(&model);
        let (anew, _) = told(&mut model, &mut plain, generation).await;
        let generation = rest(&model);
        let (further, generation) = told(&mut model, &mut quick, generation).await;
        assert_alike(&further, &anew, exact, &format!("{family}, after {options}"));
        assert_eq!(generation.cached_tokens(), len + found.len() - 1);
    }
    all
}

#[test]
fn a_text_is_the_same_with_drafts_and_without() {
    let mut all = [0, 0];
    for family in families("causal") {
        let [drafted, kept] = run(None, are_the_same(&family, cpu(1), true, (CacheType::F32, 40)));
        all = [all[0] + drafted, all[1] + kept];
    }
    assert!(all[1] > 500 && all[0] > all[1] + 100, "drafts that are kept and that are not: {all:?}");
}

#[test]
fn on_several_threads_too_where_attention_is_split() {
    let [drafted, kept] = run(None, are_the_same("llama", cpu(3), true, (CacheType::F16, 180)));
    assert!(drafted > kept && kept > 20, "{drafted}, {kept}");
}

#[test]
fn on_the_gpu_as_far_as_it_chooses_by_what_it_sees() {
    let kernels = first();
    let mut all = [0, 0];
    for family in ["llama", "gemma2"] {
        let [drafted, kept] =
            run(Some(&kernels.context), are_the_same(family, gpu(&kernels), false, (CacheType::F32, 40)));
        all = [all[0] + drafted, all[1] + kept];
    }
    assert!(all[0] > all[1] && all[1] > 20, "{all:?}");
}

/// An end token ends it wherever in a run it comes.
async fn ends<D: Device>(device: D) {
    let mut model = load("llama", device, CacheType::F32).await;
    let (prompt, options) = (repeating(40), json!({ "maxTokens": 50 }));
    let generation = text(&model, &prompt, "off", &options, &[]);
    let whole = told(&mut model, &mut Session::default(), generation).await.0;
    let (mut seen, mut checked) = (Vec::new(), 0);
    for (id, _) in whole {
        if !seen.contains(&id) {
            seen.push(id);
            let mut session = model.session();
            let generation = text(&model, &prompt, "prompt", &options, &[id]);
            let (_, generation) = told(&mut model, &mut session, generation).await;
            assert_eq!((generation.tokens(), generation.finish()), (&seen[..], Some(FinishReason::End)));
            assert_eq!(session.len(), 40 + seen.len() - 1);
            checked += 1;
        } else {
            break;
        }
    }
    assert!(checked > 1);
}

#[test]
fn an_end_token_ends_a_run_of_drafts() {
    run(None, ends(cpu(1)));
    let kernels = first();
    run(Some(&kernels.context), ends(gpu(&kernels)));
}

/// Tokens of one remainder by three, by turns: what may come depends on what came.
struct Turns(u32);

impl Constraint for Turns {
    fn allowed(&mut self) -> Result<Vec<u32>> {
        let word = |word: u32| (0..32).filter(|bit| (32 * word + bit) % 3 == self.0).map(|bit| 1 << bit).sum();
        Ok((0..64).map(word).collect())
    }

    fn take(&mut self, id: u32, forces: bool) -> Result<Vec<u32>> {
        assert_eq!(id % 3, self.0, "what was not allowed");
        self.0 = (self.0 + 1) % 3;
        // After some tokens the next one is told with it.
        if !forces || !id.is_multiple_of(7) {
            return Ok(Vec::new());
        }
        let next = 3 + self.0;
        self.0 = (self.0 + 1) % 3;
        Ok(vec![next])
    }

    fn is_over(&self) -> bool {
        false
    }
}

#[test]
fn with_a_grammar_each_draft_is_asked_for_in_its_turn() {
    run(None, async {
        let mut model = load("llama", cpu(1), CacheType::F32).await;
        // One that the constraint could have made.
        let prompt: Vec<u32> = (0..45).map(|i| [3, 7, 11, 9, 13, 5][i % 6]).collect();
        for options in [json!({ "maxTokens": 50 }), json!({ "maxTokens": 50, "logprobs": 0 })] {
            let mut said = Vec::new();
            for draft in ["off", "prompt"] {
                let mut session = model.session();
                let mut generation = text(&model, &prompt, draft, &options, &[]);
                generation.constrain(Rc::new(RefCell::new(Turns(0))));
                let (tokens, generation) = told(&mut model, &mut session, generation).await;
                assert_eq!(generation.drafts()[1] > 0, draft == "prompt", "{options}");
                said.push(tokens);
            }
            assert_eq!(said[0], said[1], "{options}");
        }
    });
}

/// Several texts, of which some are drafted; one leaves in the midst of a pass.
async fn together<D: Device>(device: D) {
    let mut model = load("llama", device, CacheType::F32).await;
    let options = json!({ "maxTokens": 40 });
    let prompts: Vec<Vec<u32>> = (0..5).map(|n| repeating(40 + n)).collect();
    let mut expected = Vec::new();
    for prompt in &prompts {
        let generation = text(&model, prompt, "off", &options, &[]);
        expected.push(told(&mut model, &mut Session::default(), generation).await.1.tokens().to_vec());
    }
    let (mut scheduler, mut begun) = (Scheduler::default(), Vec::new());
    for (n, prompt) in prompts.iter().enumerate() {
        let draft = ["prompt", "auto", "off", "prompt", "prompt"][n];
        let home = Home::new(model.session());
        let generation = text(&model, prompt, draft, &options, &[]);
        begun.push((scheduler.begin(&mut model, &home, generation).unwrap(), home));
    }
    for _ in 0..8 {
        assert!(scheduler.step(&mut model).await);
    }
    // Its drafts are on their way.
    let pass = scheduler.plan().unwrap();
    let left = scheduler.end(begun[4].0).unwrap();
    let pass = pass.run(&mut model).await;
    scheduler.settle(pass);
    assert_eq!(left.tokens(), &expected[4][..left.tokens().len()]);
    let session = begun[4].1.take().expect("it is home");
    assert!((44..=44 + left.tokens().len()).contains(&session.len()), "what is known, and not what was drafted");
    while scheduler.step(&mut model).await {}
    for ((id, home), expected) in begun.iter().zip(&expected).take(4) {
        assert_eq!(scheduler.end(*id).unwrap().tokens(), expected);
        assert!(home.len() >= 40 + expected.len() - 1);
    }
}

#[test]
fn texts_side_by_side_are_drafted_each_for_itself() {
    run(None, together(cpu(1)));
    let kernels = first();
    run(Some(&kernels.context), together(gpu(&kernels)));
}
