//! One text's drafts: what is tried, and what has come of it.
//!
//! A step's row and drafted tokens' go through the model together (<https://arxiv.org/abs/2211.17192>). A draft is kept
//! where it is the token that is chosen at its place, by the same logits, seed and position as without: so the text is the
//! same. Rows behind the last one that was kept are forgotten.

use super::costs::{Balance, Costs};
use crate::device::MOST_CHOICES;
use crate::text::Lookup;

/// The least chance of a draft that is tried whatever it costs.
const LIKELY: f32 = 0.3;

pub struct Speculation {
    lookup: Lookup,
    /// Whatever it costs.
    always: bool,
    /// Drafts that go with the next step, and those that are under way.
    next: Vec<u32>,
    begun: Vec<u32>,
    balance: Balance,
    drafted: usize,
    kept: usize,
}

impl Speculation {
    /// Of a text that goes on from a prompt. `always`: where drafts are likely, whatever they cost.
    pub fn new(prompt: &[u32], always: bool) -> Self {
        let (next, begun) = (Vec::new(), Vec::new());
        Self { lookup: Lookup::new(prompt), always, next, begun, balance: Balance::default(), drafted: 0, kept: 0 }
    }

    /// A token has come.
    pub fn take(&mut self, id: u32) {
        self.lookup.take(id);
        self.next.clear();
    }

    /// Decides what to draft, `room` tokens at most. `others`, `ahead`: see [`Costs::drafts`]. Gives how many.
    pub fn decide(&mut self, costs: &Costs, others: usize, room: usize, ahead: bool) -> usize {
        let room = room.min(MOST_CHOICES - 1);
        let chances = self.lookup.drafts(room).map(|(_, chance)| chance);
        let count = match self.always {
            true => chances.take_while(|chance| *chance >= LIKELY).count(),
            false => costs.drafts(chances, others, ahead, self.balance),
        };
        self.next.clear();
        self.next.extend(self.lookup.drafts(count).map(|(id, _)| id));
        count
    }

    /// The drafts that go with the next step.
    pub fn next(&self) -> &[u32] {
        &self.next
    }

    /// A step has begun, with so many of them.
    pub fn begin(&mut self, drafts: usize) {
        self.next.truncate(drafts);
        self.begun = std::mem::take(&mut self.next);
        self.drafted += drafts;
    }

    /// Whether some are under way.
    pub fn is_under_way(&self) -> bool {
        !self.begun.is_empty()
    }

    /// The step is over: its drafts.
    pub fn end(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.begun)
    }

    /// So many were the tokens that came.
    pub fn keep(&mut self, drafts: usize) {
        self.kept += drafts;
    }

    /// What its passes took, and what drafts saved of that, in milliseconds.
    pub fn spend(&mut self, saved: f64, all: f64) {
        self.balance.add(saved, all);
    }

    /// Tokens that were drafted, and how many of them were kept.
    pub fn counts(&self) -> [usize; 2] {
        [self.drafted, self.kept]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Answer, Came, FinishReason, GenerateRequest, Generation, Limits, Step, Want};
    use crate::text::{GenerateOptions, Sampling};

    /// A text that repeats 0, 1 and 2, whose next token has come: 2.
    fn begun(options: &str, chosen_there: bool) -> Generation {
        let options: GenerateOptions = serde_json::from_str(options).unwrap();
        let asked = GenerateRequest { source: None, prompt: vec![0, 1, 2, 0, 1, 2, 0, 1] };
        let limits = Limits { vocabulary: 4, max_tokens: 20, turning_point: None, shift: None };
        let mut generation = Generation::new(asked, Sampling::new(&options, 4).unwrap(), limits, None, &[3], 1);
        generation.start(0, chosen_there);
        generation.begin(8);
        let came = match chosen_there {
            true => Came::Chosen { id: 2, starved: false },
            false => Came::Logits(&mut [0.0, 0.0, 1.0, 0.0]),
        };
        generation.take(came).unwrap();
        generation
    }

    fn ids(step: Step) -> Vec<u32> {
        match step {
            Step::Token(token) => vec![token.id],
            Step::Tokens(tokens) => tokens.iter().map(|token| token.id).collect(),
            step => panic!("no tokens: {step:?}"),
        }
    }

    #[test]
    fn drafts_are_kept_up_to_the_first_that_is_not_what_is_chosen() {
        let mut generation = begun(r#"{"draft": "prompt"}"#, false);
        assert_eq!(generation.draft(&Costs::default(), 0, 15), 3);
        let answer = Answer::Logits;
        assert_eq!(generation.wants(), Want::Step { token: Some(2), drafts: &[0, 1, 2], position: 8, answer });
        generation.begin(4);
        assert_eq!(generation.wants(), Want::Waiting);
        // What is right is 0, 1 and the end; what the last row says is of another text.
        let mut rows = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0], [f32::NAN; 4]];
        assert_eq!(ids(generation.take(Came::Logits(rows.as_flattened_mut())).unwrap()), [0, 1, 3]);
        assert_eq!((generation.tokens(), generation.finish()), (&[2, 0, 1, 3][..], Some(FinishReason::End)));
        assert_eq!((generation.drafts(), generation.settled()), ([3, 2], 11));
    }

    #[test]
    fn no_more_are_drafted_than_there_is_room_for_or_may_come() {
        let mut generation = begun(r#"{"draft": "prompt"}"#, false);
        assert_eq!([0, 1, 2].map(|room| generation.draft(&Costs::default(), 0, room)), [0, 1, 2]);
        // A pass gave it room for fewer.
        generation.begin(2);
        let mut rows = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]];
        assert_eq!(ids(generation.take(Came::Logits(rows.as_flattened_mut())).unwrap()), [0, 1]);
        for options in [r#"{"draft": "off"}"#, "{}"] {
            assert_eq!(begun(options, false).draft(&Costs::default(), 0, 15), 0, "nothing is known: {options}");
        }
        assert_eq!(begun(r#"{"draft": "prompt", "presencePenalty": 1}"#, true).draft(&Costs::default(), 0, 15), 0);
        assert_eq!(begun(r#"{"draft": "prompt"}"#, true).draft(&Costs::default(), 1, 15), 0, "beside others");
    }

    #[test]
    fn where_the_device_chooses_what_is_under_way_comes_first_and_the_token_has_to_be_told_after() {
        let mut generation = begun(r#"{"draft": "prompt"}"#, true);
        let answer = Answer::Chosen;
        // One that was begun ahead.
        generation.begin(1);
        assert!(generation.draft(&Costs::default(), 0, 15) > 0);
        assert_eq!(generation.wants(), Want::Waiting);
        generation.take(Came::Chosen { id: 0, starved: false }).unwrap();
        assert_eq!(generation.draft(&Costs::default(), 0, 2), 2);
        assert_eq!(generation.wants(), Want::Step { token: Some(0), drafts: &[1, 2], position: 9, answer });
        generation.begin(3);
        assert_eq!((generation.draft(&Costs::default(), 0, 2), generation.wants()), (0, Want::Waiting));
        assert_eq!(ids(generation.take(Came::ChosenEach(vec![0, 2, 2])).unwrap()), [0]);
        assert_eq!((generation.drafts(), generation.settled()), ([2, 0], 10));
        assert_eq!(generation.wants(), Want::Step { token: Some(0), drafts: &[], position: 10, answer });
        generation.begin(1);
        assert_eq!(generation.wants(), Want::Step { token: None, drafts: &[], position: 11, answer });
        // A logit was no number where it matters.
        let mut generation = begun(r#"{"draft": "prompt"}"#, true);
        generation.draft(&Costs::default(), 0, 2);
        generation.begin(3);
        assert!(generation.take(Came::ChosenEach(vec![])).is_err());
    }
}
