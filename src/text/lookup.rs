//! Drafts of what comes next, out of what the text has said before: prompt lookup (<https://github.com/apoorvumang/prompt-lookup-decoding>).
//!
//! The place whose tokens before it are most like the text's end tells how the text may go on. Where the text goes on so,
//! the place moves along with it; where it does not, another one is looked for. How often each length of likeness was
//! right is counted with every token that comes, drafted or not: to know what drafts are worth costs no pass.

use std::collections::HashMap;

/// Places that are compared at a time, the latest first.
const PLACES: usize = 16;
/// Tokens that are compared of each.
const MOST_ALIKE: usize = 16;
/// How much each observation takes from those before it: texts change.
const MEMORY: f32 = 0.95;
/// Of how many observations it stands for what is expected of a likeness before there are any.
const EXPECTED: f32 = 2.0;

/// Lengths of likeness that are told apart, by the first of each, and how often their next token is expected to be right.
/// None is what follows a token that another one has taken the place of.
const KINDS: [(usize, f32); 8] =
    [(0, 0.3), (1, 0.3), (2, 0.35), (3, 0.5), (4, 0.6), (6, 0.7), (9, 0.8), (MOST_ALIKE, 0.9)];

/// How often something came true, of late.
#[derive(Clone, Copy, Default)]
struct Chance {
    hits: f32,
    tries: f32,
}

/// A text, and where it has been before.
#[derive(Default)]
pub struct Lookup {
    text: Vec<u32>,
    /// The token after each pair, by its place in the text: the last such place, plus 1.
    last: HashMap<[u32; 2], u32>,
    /// For each place after a pair the one before it after the same pair, plus 1; 0: there is none.
    before: Vec<u32>,
    /// The place whose token is expected next, and how many before it are as those at the text's end.
    expected: Option<(usize, usize)>,
    chances: [Chance; KINDS.len()],
}

impl Lookup {
    /// After a prompt.
    pub fn new(prompt: &[u32]) -> Self {
        let mut lookup = Self::default();
        prompt.iter().for_each(|id| lookup.add(*id));
        lookup.expected = lookup.found();
        lookup
    }

    /// A token has come.
    pub fn take(&mut self, id: u32) {
        let mut expected = None;
        if let Some((place, alike)) = self.expected {
            let hit = self.text[place] == id;
            self.chances[kind(alike)].learn(hit);
            expected = match hit {
                true => Some((place + 1, alike + 1)),
                // Another token in its place, perhaps, after which it goes on as before.
                false => (alike > 0 && place + 1 < self.text.len()).then_some((place + 1, 0)),
            };
            self.add(id);
            if hit {
                self.expected = expected;
                return;
            }
        } else {
            self.add(id);
        }
        self.expected = self.found().or(expected);
    }

    fn add(&mut self, id: u32) {
        self.text.push(id);
        let [.., first, second] = self.text[..] else { return self.before.push(0) };
        // A context holds fewer tokens than 32 bits count.
        let before = self.last.insert([first, second], self.text.len() as u32 + 1).unwrap_or(0);
        self.before.push(before);
    }

    /// The place that has most alike before it; of equals the last.
    fn found(&self) -> Option<(usize, usize)> {
        let mut best: Option<(usize, usize)> = None;
        let mut next = self.before.last().copied().unwrap_or(0) as usize;
        for _ in 0..PLACES {
            let Some(place) = next.checked_sub(1) else { break };
            let alike = self.alike(place);
            if best.is_none_or(|(_, most)| alike > most) {
                best = Some((place, alike));
            }
            next = self.before[place - 1] as usize;
        }
        best
    }

    /// How many tokens before a place are as those at the end.
    fn alike(&self, place: usize) -> usize {
        let (before, end) = (self.text[..place].iter().rev(), self.text.iter().rev());
        before.zip(end).take(MOST_ALIKE).take_while(|(a, b)| a == b).count()
    }

    /// The tokens that may come next, `most` at most, each with the chance that it and all before it do. Where the place is
    /// near the end, what lies between is expected again and again.
    pub fn drafts(&self, most: usize) -> impl Iterator<Item = (u32, f32)> {
        let (place, alike) = self.expected.unwrap_or((self.text.len(), 0));
        let period = self.text.len() - place;
        let mut chance = 1.0;
        (0..if period == 0 { 0 } else { most }).map(move |i| {
            chance *= self.chances[kind(alike + i)].of(KINDS[kind(alike + i)].1);
            (self.text[place + i % period], chance)
        })
    }
}

impl Chance {
    fn learn(&mut self, hit: bool) {
        self.hits = MEMORY * self.hits + f32::from(u8::from(hit));
        self.tries = MEMORY * self.tries + 1.0;
    }

    fn of(&self, expected: f32) -> f32 {
        (self.hits + EXPECTED * expected) / (self.tries + EXPECTED)
    }
}

/// Which of [`KINDS`] so many alike are.
fn kind(alike: usize) -> usize {
    KINDS.partition_point(|(first, _)| *first <= alike) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drafts(lookup: &Lookup, most: usize) -> Vec<u32> {
        lookup.drafts(most).map(|(id, _)| id).collect()
    }

    #[test]
    fn what_followed_the_longest_like_beginning_is_expected_again() {
        // After 2 3 came 9 first, and 7 later; but after 1 2 3 came 9.
        let lookup = Lookup::new(&[1, 2, 3, 9, 8, 5, 2, 3, 7, 1, 2, 3]);
        assert_eq!(drafts(&lookup, 3), [9, 8, 5]);
        let lookup = Lookup::new(&[1, 2, 3, 9, 8, 5, 2, 3, 7, 4, 2, 3]);
        assert_eq!(drafts(&lookup, 2), [7, 4], "of equals the last");
        for prompt in [&[][..], &[1], &[1, 2], &[1, 2, 3, 2, 1]] {
            assert_eq!(drafts(&Lookup::new(prompt), 4), [0u32; 0], "{prompt:?}");
        }
    }

    #[test]
    fn it_follows_the_text_and_what_repeats_itself_goes_on_and_on() {
        let mut lookup = Lookup::new(&[1, 2, 3, 4, 5, 6, 7, 1, 2]);
        lookup.take(3);
        assert_eq!(drafts(&lookup, 2), [4, 5]);
        // Another token in the place of 4: it may go on behind it, and does.
        lookup.take(9);
        assert_eq!(drafts(&lookup, 2), [5, 6]);
        lookup.take(5);
        assert_eq!(drafts(&lookup, 2), [6, 7]);
        let lookup = Lookup::new(&[8, 1, 2, 1, 2]);
        assert_eq!(drafts(&lookup, 5), [1, 2, 1, 2, 1]);
    }

    #[test]
    fn what_drafts_are_worth_is_learned_from_what_comes() {
        let text: Vec<u32> = (0..60).collect();
        let mut right = Lookup::new(&[&text[..], &[0, 1]].concat());
        let chance = |lookup: &Lookup| lookup.drafts(1).next().map(|(_, chance)| chance);
        let before = chance(&right).unwrap();
        (2..40).for_each(|id| right.take(id));
        assert!(chance(&right).unwrap() > 0.95 && before < 0.5);
        // The pair is always the same, and what follows never.
        let mut wrong = Lookup::new(&[1, 2]);
        for id in 3..40 {
            [id, 1, 2].into_iter().for_each(|id| wrong.take(id));
        }
        assert!(chance(&wrong).unwrap() < 0.1);
        let all: Vec<f32> = right.drafts(8).map(|(_, chance)| chance).collect();
        assert!(all.is_sorted_by(|a, b| a >= b), "each needs all before it: {all:?}");
    }
}
