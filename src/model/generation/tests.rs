use super::*;
use crate::text::{Constraint, GenerateOptions};
use std::cell::RefCell;
use std::rc::Rc;

/// Of a vocabulary of four, after a prompt of five tokens.
fn generation(options: &str, max_tokens: usize) -> Generation {
    let options: GenerateOptions = serde_json::from_str(options).unwrap();
    let asked = GenerateRequest { source: None, prompt: vec![0, 1, 2, 3, 0] };
    let limits = Limits { vocabulary: 4, max_tokens, turning_point: None, shift: None };
    Generation::new(asked, Sampling::new(&options, 4).unwrap(), limits, None, &[3], 1)
}

fn id(step: Step) -> u32 {
    let Step::Token(token) = step else { panic!("no token: {step:?}") };
    token.id
}

#[test]
fn a_prompt_goes_in_by_chunks_and_tokens_come_from_their_logits() {
    let mut generation = generation("{}", 9);
    generation.start(1, false);
    let answer = Answer::Logits;
    assert_eq!(generation.wants(), Want::Prompt { tokens: &[1, 2, 3, 0], position: 1, answer });
    generation.begin(3);
    assert_eq!(generation.take(Came::Computed).unwrap(), Step::Read);
    assert_eq!(generation.wants(), Want::Prompt { tokens: &[0], position: 4, answer });
    generation.begin(1);
    assert_eq!(generation.wants(), Want::Waiting);
    assert_eq!(id(generation.take(Came::Logits(&mut [0.0, 2.0, 1.0, 0.0])).unwrap()), 1);
    assert_eq!(generation.wants(), Want::Step { token: Some(1), drafts: &[], position: 5, answer });
    generation.begin(1);
    assert_eq!(id(generation.take(Came::Logits(&mut [0.0, 2.0, 1.0, 9.0])).unwrap()), 3);
    assert_eq!((generation.wants(), generation.finish()), (Want::Nothing, Some(FinishReason::End)));
    assert_eq!((generation.tokens(), generation.cached_tokens()), (&[1, 3][..], 1));
}

#[test]
fn where_the_device_chooses_steps_are_wanted_ahead_and_more_where_it_starves() {
    let mut generation = generation(r#"{"ignoreEnd": true}"#, 20);
    generation.start(0, true);
    generation.begin(5);
    let ahead = |generation: &mut Generation, first: usize| {
        let mut begun = 0;
        while let Want::Step { token: None, position, .. } = generation.wants() {
            assert_eq!(position, first + begun);
            generation.begin(1);
            begun += 1;
        }
        assert_eq!(generation.wants(), Want::Waiting);
        begun
    };
    assert_eq!(ahead(&mut generation, 5), AHEAD - 1);
    assert_eq!(id(generation.take(Came::Chosen { id: 2, starved: false }).unwrap()), 2);
    assert_eq!(ahead(&mut generation, 7), 1);
    assert_eq!(id(generation.take(Came::Chosen { id: 3, starved: true }).unwrap()), 3);
    assert_eq!(ahead(&mut generation, 8), AHEAD + 1);
    // No more are begun than there may be.
    let mut made = 2;
    while generation.finish().is_none() {
        assert_eq!(id(generation.take(Came::Chosen { id: 1, starved: true }).unwrap()), 1);
        made += 1;
        while matches!(generation.wants(), Want::Step { .. }) {
            generation.begin(1);
        }
    }
    assert_eq!((made, generation.under_way, generation.finish()), (20, 0, Some(FinishReason::Length)));
    assert_eq!(generation.take(Came::Chosen { id: 1, starved: false }).unwrap(), Step::Over);
}

#[test]
fn nothing_is_made_where_nothing_is_asked_for_but_the_prompt_is_read() {
    for chosen_there in [false, true] {
        let mut generation = generation("{}", 0);
        generation.start(0, chosen_there);
        assert!(matches!(generation.wants(), Want::Prompt { answer: Answer::Computed, .. }));
        generation.begin(5);
        assert_eq!(generation.wants(), Want::Waiting);
        assert_eq!(generation.take(Came::Computed).unwrap(), Step::Read);
        assert_eq!(generation.finish(), Some(FinishReason::Length));
    }
}

#[test]
fn a_token_that_has_to_come_comes_with_the_one_before_it() {
    for after in [0, 1] {
        let mut generation = generation("{}", after + 1);
        generation.forced = Some((after, 3));
        generation.start(0, true);
        generation.begin(5);
        assert_eq!(generation.wants(), Want::Waiting);
        let step = match after {
            0 => generation.take(Came::Computed),
            _ => generation.take(Came::Chosen { id: 1, starved: false }),
        };
        assert!(matches!((after, step.unwrap()), (0, Step::Token(_)) | (1, Step::Tokens(_))));
        assert_eq!((generation.tokens().last(), generation.finish()), (Some(&3), Some(FinishReason::Length)));
    }
}

/// Token 1 comes first, or 2; after 1 always 0 and 2; then nothing. Of words that hold no other bits.
struct Script {
    taken: Vec<u32>,
}

impl Constraint for Script {
    fn allowed(&mut self) -> Result<Vec<u32>> {
        Ok(vec![if self.taken.is_empty() { 0b0110 } else { 0b1000 }])
    }

    fn take(&mut self, id: u32, forces: bool) -> Result<Vec<u32>> {
        self.taken.push(id);
        let following = if forces && id == 1 { vec![0, 2] } else { Vec::new() };
        self.taken.extend(&following);
        Ok(following)
    }

    fn is_over(&self) -> bool {
        self.taken.len() >= 3
    }
}

fn constrained(options: &str, max_tokens: usize) -> Generation {
    let mut generation = generation(options, max_tokens);
    generation.constrain(Rc::new(RefCell::new(Script { taken: Vec::new() })));
    generation
}

fn ids(step: Step) -> Vec<u32> {
    let Step::Tokens(tokens) = step else { panic!("no tokens: {step:?}") };
    tokens.iter().map(|token| token.id).collect()
}

#[test]
fn only_what_a_grammar_allows_comes_and_what_has_to_follow_comes_with_it() {
    let mut generation = constrained("{}", 9);
    generation.start(0, false);
    generation.begin(5);
    // Token 3 would be the best, and 0 the next.
    assert_eq!(ids(generation.take(Came::Logits(&mut [5.0, 4.0, 3.0, 6.0])).unwrap()), [1, 0, 2]);
    assert_eq!((generation.wants(), generation.finish()), (Want::Nothing, Some(FinishReason::End)));
    // Where the text is full in their midst, the rest does not come.
    let mut generation = constrained("{}", 2);
    generation.start(0, false);
    generation.begin(5);
    assert_eq!(ids(generation.take(Came::Logits(&mut [5.0, 4.0, 3.0, 6.0])).unwrap()), [1, 0]);
    assert_eq!(generation.finish(), Some(FinishReason::Length));
}

#[test]
fn tokens_that_came_together_are_read_together() {
    let answer = Answer::Chosen;
    let mut generation = constrained(r#"{"ignoreEnd": true}"#, 9);
    generation.constraint = Some(Rc::new(RefCell::new(Endless)));
    assert!(generation.choosing().is_some());
    generation.start(0, true);
    generation.begin(5);
    // Each has to be known before the next one is chosen.
    assert_eq!(generation.wants(), Want::Waiting);
    let chosen = |id| Came::Chosen { id, starved: false };
    assert_eq!(ids(generation.take(chosen(1)).unwrap()), [1, 2, 3]);
    assert_eq!(generation.wants(), Want::Prompt { tokens: &[1, 2, 3], position: 5, answer });
    generation.begin(2);
    assert_eq!(generation.wants(), Want::Prompt { tokens: &[3], position: 7, answer });
    generation.begin(1);
    assert_eq!(ids(generation.take(chosen(0)).unwrap()), [0]);
    assert_eq!(generation.wants(), Want::Step { token: Some(0), drafts: &[], position: 8, answer });
    generation.begin(1);
    assert_eq!(ids(generation.take(chosen(1)).unwrap()), [1, 2, 3]);
    assert_eq!(generation.wants(), Want::Prompt { tokens: &[1, 2, 3], position: 9, answer });
}

/// 2 and 3 come after 1, and never an end.
struct Endless;

impl Constraint for Endless {
    fn allowed(&mut self) -> Result<Vec<u32>> {
        Ok(vec![0b1111])
    }

    fn take(&mut self, id: u32, forces: bool) -> Result<Vec<u32>> {
        Ok(if forces && id == 1 { vec![2, 3] } else { Vec::new() })
    }

    fn is_over(&self) -> bool {
        false
    }
}

#[test]
fn with_log_probabilities_every_token_has_its_logits_and_counted_penalties_are_not_the_device_s() {
    let mut generation = constrained(r#"{"logprobs": 0}"#, 9);
    generation.start(0, false);
    generation.begin(5);
    assert_eq!(ids(generation.take(Came::Logits(&mut [5.0, 4.0, 3.0, 6.0])).unwrap()), [1]);
    for (options, there) in
        [(r#"{"logitBias": {"0": 1}}"#, true), (r#"{"presencePenalty": 1}"#, false), (r#"{"minTokens": 2}"#, true)]
    {
        assert_eq!(constrained(options, 9).choosing().is_some(), there, "{options}");
    }
}

#[test]
fn where_other_options_forbid_all_that_a_grammar_allows_it_is_said() {
    let mut generation = constrained("{}", 9);
    generation.start(0, false);
    generation.begin(5);
    let impossible = &mut [1.0, f32::NEG_INFINITY, f32::NEG_INFINITY, 1.0];
    assert_eq!(generation.take(Came::Logits(impossible)).unwrap_err().code, crate::Code::InvalidArgument);
}

#[test]
fn a_device_that_has_nothing_to_choose_from_ends_no_text() {
    let mut generation = constrained("{}", 9);
    generation.ends = vec![0];
    generation.start(0, true);
    generation.begin(5);
    let error = generation.take(Came::Chosen { id: 0, starved: false }).unwrap_err();
    assert_eq!(error.code, crate::Code::InvalidArgument);
}

#[test]
fn no_token_is_forced_into_what_a_grammar_allows() {
    let mut generation = generation("{}", 2);
    generation.forced = Some((0, 3));
    generation.constrain(Rc::new(RefCell::new(Script { taken: Vec::new() })));
    assert!(generation.choosing().is_some());
    generation.start(0, false);
    generation.begin(5);
    assert_eq!(ids(generation.take(Came::Logits(&mut [5.0, 4.0, 3.0, 6.0])).unwrap()), [1, 0]);
}

#[test]
fn a_source_is_read_first_and_what_is_cached_is_worth_nothing() {
    let mut generation = generation("{}", 1);
    generation.source = Some(vec![7, 8]);
    generation.start(4, false);
    assert_eq!(generation.wants(), Want::Source(&[7, 8]));
    generation.begin(0);
    assert_eq!(generation.take(Came::Computed).unwrap(), Step::Read);
    assert!(matches!(generation.wants(), Want::Prompt { position: 0, .. }));
}

#[test]
fn an_abort_ends_it_and_logits_that_are_no_numbers_are_an_error() {
    let mut generation = generation("{}", 9);
    generation.start(0, false);
    generation.begin(5);
    assert!(generation.take(Came::Logits(&mut [0.0, f32::NAN, 0.0, 0.0])).is_err());
    generation.abort();
    assert_eq!((generation.wants(), generation.finish()), (Want::Nothing, Some(FinishReason::Aborted)));
}
