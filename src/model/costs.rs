//! What passes cost by their rows, as measured, and how many drafted rows pay.
//!
//! A pass reads every weight once, whatever its rows: where that takes most of its time, rows more are nearly free, and
//! drafts that come true give several tokens for one pass. Where arithmetic takes it, they are not. So it is measured,
//! while texts are made. Times say how many drafts are tried, and never what a text says.

use crate::device::MOST_CHOICES;

/// Times that are kept of each number of rows: what is taken is the median.
const TIMES: usize = 5;
/// Passes after which a time of several rows is too old to tell anything: what was disturbed is tried again.
const OLD: usize = 200;
/// What a row more is taken to cost before one was measured, of a pass of one: less than it mostly does, so that it is tried.
const GUESS: f64 = 0.2;
/// Drafts have to be so much better than none: what is expected is not known.
const MARGIN: f64 = 1.05;
/// The same where steps are begun ahead, which end with a wait then.
const MARGIN_AHEAD: f64 = 1.2;
/// What drafts may have cost more than they have brought: passes of one row, and a share of all the time that a text took.
const ALLOWED: f64 = 1.0;
const ALLOWED_SHARE: f64 = 0.02;

/// Times of passes of some numbers of rows.
#[derive(Default)]
pub struct Costs {
    /// By rows − 1: the times, and each one's number among all.
    times: [Vec<(usize, f64)>; MOST_CHOICES],
    passes: usize,
}

/// What the drafts of one text have brought so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Balance {
    /// Milliseconds that were saved, and all that it took.
    saved: f64,
    all: f64,
}

impl Balance {
    pub fn add(&mut self, saved: f64, all: f64) {
        self.saved += saved;
        self.all += all;
    }
}

impl Costs {
    /// A pass of so many rows, all of which were steps or drafts, took so many milliseconds.
    pub fn measured(&mut self, rows: usize, ms: f64) {
        let Some(times) = rows.checked_sub(1).and_then(|at| self.times.get_mut(at)) else { return };
        if times.len() == TIMES {
            times.remove(0);
        }
        times.push((self.passes, ms));
        self.passes += 1;
        for times in &mut self.times[1..] {
            times.retain(|(number, _)| number + OLD > self.passes);
        }
    }

    fn median(&self, rows: usize) -> Option<f64> {
        let mut times: Vec<f64> = self.times.get(rows - 1)?.iter().map(|(_, ms)| *ms).collect();
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied()
    }

    /// What a pass of so many rows takes: between those that were measured, in a straight line. None where none was.
    pub fn of(&self, rows: usize) -> Option<f64> {
        let below = (1..=rows.min(MOST_CHOICES)).rev().find_map(|less| Some((less, self.median(less)?)));
        let above = (rows + 1..=MOST_CHOICES).find_map(|more| Some((more, self.median(more)?)));
        let line = |(at, ms): (usize, f64), slope: f64| ms + slope * (rows as f64 - at as f64);
        let slope = |(a, x): (usize, f64), (b, y): (usize, f64)| (y - x) / (b as f64 - a as f64);
        match (below, above) {
            (Some(below), Some(above)) => Some(line(below, slope(below, above))),
            (Some(below), None) => {
                let first = (1..below.0).find_map(|less| Some((less, self.median(less)?)));
                let guess = GUESS * below.1 / (1.0 + GUESS * (below.0 as f64 - 1.0));
                Some(line(below, first.map_or(guess, |first| slope(first, below).max(0.0))))
            }
            (None, Some((_, ms))) => Some(ms),
            (None, None) => None,
        }
    }

    /// How many rows were tried, of passes of that many and more.
    fn tried(&self, rows: usize) -> usize {
        (rows..=MOST_CHOICES).rev().find(|rows| self.median(*rows).is_some()).unwrap_or(rows)
    }

    /// How many drafts to try, whose chances are `chances`, in a pass that has `others` rows beside the text's own; `ahead`:
    /// without them steps would be begun ahead. 0 where none pay, or where nothing was measured yet.
    pub fn drafts(&self, chances: impl Iterator<Item = f32>, others: usize, ahead: bool, balance: Balance) -> usize {
        let alone = 1 + others;
        let Some(one) = self.of(alone) else { return 0 };
        if balance.saved < -(ALLOWED * one + ALLOWED_SHARE * balance.all) {
            return 0;
        }
        let margin = if ahead { MARGIN_AHEAD } else { MARGIN };
        // Nobody knows what a pass of many rows takes: step by step.
        let most = 2 * self.tried(alone) - alone;
        let (mut best, mut count, mut tokens) = (margin * alone as f64 / one, 0, alone as f64);
        for (drafts, chance) in (1..=most).zip(chances) {
            tokens += f64::from(chance);
            let rate = self.of(alone + drafts).map_or(0.0, |ms| tokens / ms);
            if rate > best {
                (best, count) = (rate, drafts);
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(times: &[(usize, f64)]) -> Costs {
        let mut costs = Costs::default();
        times.iter().for_each(|(rows, ms)| costs.measured(*rows, *ms));
        costs
    }

    /// Drafts of a text alone, each of which comes true that often where those before it did.
    fn drafts(costs: &Costs, chance: f32) -> usize {
        costs.drafts((1..16).map(|n| chance.powi(n)), 0, false, Balance::default())
    }

    #[test]
    fn times_are_medians_and_what_was_not_measured_lies_on_a_line() {
        let costs = costs(&[(1, 10.0), (1, 90.0), (1, 11.0), (5, 19.0), (9, 51.0)]);
        assert_eq!([1, 3, 5, 7, 9].map(|rows| costs.of(rows).unwrap()), [11.0, 15.0, 19.0, 35.0, 51.0]);
        assert_eq!(costs.of(13).unwrap(), 71.0, "beyond, as from the first to the last");
        assert_eq!(Costs::default().of(1), None);
        let mut renewed = super::tests::costs(&[(4, 100.0), (1, 10.0)]);
        (0..OLD).for_each(|_| renewed.measured(1, 10.0));
        assert!(renewed.of(4).unwrap() < 20.0, "what is old is forgotten");
    }

    #[test]
    fn as_many_are_tried_as_pay() {
        // A row more costs a tenth of a pass.
        let cheap: Vec<(usize, f64)> = (1..=16).map(|rows| (rows, 10.0 + rows as f64 - 1.0)).collect();
        assert_eq!([0.01, 0.5, 0.99].map(|chance| drafts(&costs(&cheap), chance)), [0, 2, 15]);
        // It costs nearly one.
        let dear: Vec<(usize, f64)> = (1..=16).map(|rows| (rows, 10.0 + 9.0 * (rows as f64 - 1.0))).collect();
        assert_eq!([0.5, 0.9].map(|chance| drafts(&costs(&dear), chance)), [0, 0]);
        // Beside others they pay less often: those have to wait.
        let many = costs(&cheap);
        assert_eq!(many.drafts([0.12, 0.1].into_iter(), 0, false, Balance::default()), 0);
        assert_eq!(many.drafts([0.5, 0.4].into_iter(), 7, false, Balance::default()), 0);
        assert_eq!(many.drafts([1.0, 1.0].into_iter(), 7, false, Balance::default()), 2);
    }

    #[test]
    fn before_anything_is_known_a_few_are_tried() {
        assert_eq!(drafts(&Costs::default(), 0.99), 0);
        let mut costs = costs(&[(1, 10.0)]);
        assert_eq!(drafts(&costs, 0.99), 1);
        costs.measured(2, 11.0);
        assert_eq!(drafts(&costs, 0.99), 3);
        costs.measured(4, 50.0);
        assert_eq!(drafts(&costs, 0.99), 1);
    }

    #[test]
    fn what_drafts_may_lose_is_little() {
        let costs = costs(&[(1, 10.0), (2, 11.0)]);
        let after = |saved: f64, all: f64| {
            let mut balance = Balance::default();
            balance.add(saved, all);
            costs.drafts([0.9].into_iter(), 0, false, balance)
        };
        assert_eq!([after(-9.0, 20.0), after(-12.0, 20.0), after(-29.0, 1000.0), after(-31.0, 1000.0)], [1, 0, 1, 0]);
        // Where it is good enough, but for the wait at the end of what was begun ahead.
        assert_eq!([false, true].map(|ahead| costs.drafts([0.3].into_iter(), 0, ahead, Balance::default())), [1, 0]);
    }
}
