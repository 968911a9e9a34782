//! What a text may not say next, by how long it is and what it has said: the constraints that checkpoints bring along in
//! `generation_config.json`, as transformers' logits processors have them.

/// Constraints on each token. A sequence is what the decoder has read and made, from its first token on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// Runs of so many tokens come once only; 0: they may come again.
    pub no_repeat: usize,
    /// Runs of so many tokens of the source do not come; 0: they may.
    pub no_repeat_source: usize,
    pub source: Vec<u32>,
    /// Runs of two tokens and more that do not come. Single tokens have a bias of −∞.
    pub bad_words: Vec<Vec<u32>>,
    /// Tokens that have to be made before one of `ends` may come.
    pub min_tokens: usize,
    pub ends: Vec<u32>,
    /// What is not said first.
    pub not_first: Vec<u32>,
    /// After so many tokens that were made this one comes, whatever its logit.
    pub forced: Option<(usize, u32)>,
}

impl Rules {
    /// Whether they need to know what was said, beyond how much.
    pub fn read_text(&self) -> bool {
        self.no_repeat > 0 || self.no_repeat_source > 0 || !self.bad_words.is_empty()
    }

    /// The token that has to come after `made` others.
    pub fn forced_after(&self, made: usize) -> Option<u32> {
        self.forced.filter(|(after, _)| *after == made).map(|(_, token)| token)
    }

    /// What has a bias of −∞ after `made` tokens, whatever they are.
    pub fn banned_after(&self, made: usize) -> impl Iterator<Item = u32> {
        let first = if made == 0 { &*self.not_first } else { &[] };
        let ends = if made < self.min_tokens { &*self.ends } else { &[] };
        first.iter().chain(ends).copied()
    }

    /// The numbers of made tokens from which [`Rules::banned_after`] says something else than before.
    pub fn changes(&self) -> Vec<usize> {
        let mut changes = vec![0];
        changes.extend((!self.not_first.is_empty()).then_some(1));
        changes.extend((self.min_tokens > 0 && !self.ends.is_empty()).then_some(self.min_tokens));
        changes.sort_unstable();
        changes.dedup();
        changes
    }

    /// Takes its chance from every token that may not follow `sequence`, of which `made` tokens are not the prompt's.
    pub fn apply(&self, sequence: &[u32], made: usize, logits: &mut [f32]) {
        if let Some(token) = self.forced_after(made) {
            logits.fill(f32::NEG_INFINITY);
            logits[token as usize] = 0.0;
            return;
        }
        let mut ban = |token: u32| {
            if let Some(logit) = logits.get_mut(token as usize) {
                *logit = f32::NEG_INFINITY;
            }
        };
        self.banned_after(made).for_each(&mut ban);
        for word in &self.bad_words {
            if let [before @ .., last] = &**word
                && sequence.ends_with(before)
            {
                ban(*last);
            }
        }
        for (size, said) in [(self.no_repeat, sequence), (self.no_repeat_source, &*self.source)] {
            if let (Some(context), Some(start)) = (size.checked_sub(1), (sequence.len() + 1).checked_sub(size)) {
                said.windows(size).filter(|run| run[..context] == sequence[start..]).for_each(|run| ban(run[context]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens of a vocabulary of eight that may not follow.
    fn banned(rules: &Rules, sequence: &[u32], made: usize) -> Vec<usize> {
        let mut logits = [1.0; 8];
        rules.apply(sequence, made, &mut logits);
        (0..8).filter(|token| logits[*token] == f32::NEG_INFINITY).collect()
    }

    #[test]
    fn runs_do_not_come_again() {
        let twos = Rules { no_repeat: 2, ..Rules::default() };
        assert_eq!(banned(&twos, &[1, 2, 1, 3, 1], 0), [2, 3]);
        assert_eq!(banned(&twos, &[1, 2], 0), [0usize; 0]);
        assert_eq!(banned(&twos, &[], 0), [0usize; 0]);
        let ones = Rules { no_repeat: 1, ..Rules::default() };
        assert_eq!(banned(&ones, &[1, 2, 1], 0), [1, 2]);
        let threes = Rules { no_repeat: 3, ..Rules::default() };
        assert_eq!(banned(&threes, &[1, 2, 4, 1, 2], 0), [4]);
        assert_eq!(banned(&Rules { no_repeat: usize::MAX, ..Rules::default() }, &[1, 2], 0), [0usize; 0]);
        // Of the source: its runs, after the sequence's end.
        let source = Rules { no_repeat_source: 2, source: vec![1, 2, 5, 1, 6], ..Rules::default() };
        assert_eq!(banned(&source, &[3, 1], 0), [2, 6]);
        assert_eq!(banned(&source, &[3], 0), [0usize; 0]);
    }

    #[test]
    fn bad_words_do_not_come_to_their_end() {
        let rules = Rules { bad_words: vec![vec![1, 2], vec![3, 1, 4]], ..Rules::default() };
        assert_eq!(banned(&rules, &[3, 1], 0), [2, 4]);
        assert_eq!(banned(&rules, &[1], 0), [2]);
        assert_eq!(banned(&rules, &[1, 5], 0), [0usize; 0]);
    }

    #[test]
    fn positions_have_their_own_rules() {
        let rules = Rules { min_tokens: 2, ends: vec![0], not_first: vec![5], ..Rules::default() };
        assert_eq!((banned(&rules, &[1], 0), banned(&rules, &[1], 1)), (vec![0, 5], vec![0]));
        assert_eq!(banned(&rules, &[1], 2), [0usize; 0]);
        assert_eq!(rules.changes(), [0, 1, 2]);
        assert!(!rules.read_text());
        let forced = Rules { forced: Some((1, 6)), min_tokens: 9, ends: vec![6], ..Rules::default() };
        assert_eq!(banned(&forced, &[1], 1), [0, 1, 2, 3, 4, 5, 7], "and it comes before all other rules");
    }
}
