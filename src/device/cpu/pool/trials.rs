//! Whether threads together are quicker than one alone, which is tried again and again.
//!
//! Where another process keeps a core busy, a thread of the pool that wakes up may get the core of the loop's owner, and all
//! together are slower than the owner alone. Nothing that a page can ask says so: only the time that passes take.
//! So now and then a pass is computed in the other way, between two that cost the same, and if that was clearly quicker than
//! both, twice in a row, it is the usual way from then on. Where it was not, the next trial comes later; where the usual way has
//! become slower, sooner.

/// What a pass costs at least for its time to say something: clocks of browsers are coarse. In the units of [`super::pace`].
const LEAST: u64 = super::pace::MILLISECOND;
/// Passes between trials, at least and at most.
const OFTEN: u32 = 4;
const RARELY: u32 = 256;
/// The part of the usual way's time that a trial takes where it is clearly quicker.
const CLEARLY: f64 = 0.85;
/// By how much two passes in the usual way are slower than it was, where that is worth a trial.
const SLOWER: f64 = 1.3;
/// How far passes that are compared may differ in cost.
const ALIKE: f64 = 0.25;

#[derive(Default)]
pub struct Trials {
    /// Whether one thread alone is the usual way.
    alone: bool,
    /// The pass that has begun is in the other way.
    is_trial: bool,
    began: Option<f64>,
    /// Passes until the next trial, and between the last and that.
    wait: u32,
    interval: u32,
    /// The last trial was clearly quicker.
    won: bool,
    /// The trial that has ended just now, and the last pass in the usual way.
    tried: Option<Pass>,
    usual: Option<Pass>,
    /// What a unit of cost took in the usual way when it was last compared.
    compared: f64,
}

#[derive(Clone, Copy)]
struct Pass {
    cost: u64,
    /// Milliseconds of a unit of cost.
    each: f64,
}

impl Pass {
    fn is_like(self, other: Self) -> bool {
        (self.cost as f64 - other.cost as f64).abs() <= ALIKE * other.cost as f64
    }
}

impl Trials {
    /// A pass begins at `now`, in milliseconds. Says whether it is to be computed by one thread alone.
    pub fn begin(&mut self, now: f64) -> bool {
        // One that has said when it ended came before.
        self.is_trial = self.usual.is_some() && self.tried.is_none() && self.wait == 0;
        self.began = Some(now);
        self.alone != self.is_trial
    }

    /// It has ended, and came to that cost.
    pub fn end(&mut self, now: f64, cost: u64) {
        let Some(began) = self.began.take() else { return };
        if cost < LEAST {
            if self.is_trial {
                self.wait = OFTEN;
            }
            return;
        }
        let pass = Pass { cost, each: (now - began) / cost as f64 };
        if self.is_trial {
            self.tried = Some(pass);
            self.wait = 1;
            return;
        }
        let before = self.usual.replace(pass);
        self.wait = if before.is_none() { OFTEN } else { self.wait.saturating_sub(1) };
        match (before, self.tried.take()) {
            (Some(before), Some(tried)) if before.is_like(tried) && pass.is_like(tried) => {
                self.compare(tried.each, before.each.min(pass.each));
            }
            (_, Some(_)) => self.wait = OFTEN,
            (Some(before), _) if self.compared > 0.0 && before.each.min(pass.each) > SLOWER * self.compared => {
                self.wait = self.wait.min(OFTEN);
                self.interval = self.interval.min(OFTEN);
            }
            _ => {}
        }
    }

    fn compare(&mut self, trial: f64, usual: f64) {
        self.compared = usual;
        let wins = trial < CLEARLY * usual;
        self.interval = if wins { OFTEN } else { (2 * self.interval).clamp(OFTEN, RARELY) };
        // Who wins has to do it again, soon.
        self.wait = if wins { 0 } else { self.interval };
        if wins && self.won {
            self.alone = !self.alone;
            self.usual = None;
            self.compared = 0.0;
        }
        self.won = wins && !self.won;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has passes of some costs, in units of [`LEAST`], take what `speed` says of each way, and gives each one's way.
    fn run(trials: &mut Trials, costs: &[u64], speed: impl Fn(bool) -> f64) -> Vec<bool> {
        let mut now = 1000.0;
        let mut pass = |cost: &u64| {
            let alone = trials.begin(now);
            now += speed(alone) * *cost as f64;
            trials.end(now, cost * LEAST);
            now += 0.5;
            alone
        };
        costs.iter().map(&mut pass).collect()
    }

    #[test]
    fn where_threads_help_one_alone_is_tried_more_and_more_rarely() {
        let mut trials = Trials::default();
        let ways = run(&mut trials, &[3; 1200], |alone| if alone { 1.6 } else { 1.0 });
        let tried: Vec<usize> = (0..ways.len()).filter(|pass| ways[*pass]).collect();
        assert_eq!(tried, [5, 11, 21, 39, 73, 139, 269, 527, 785, 1043]);
    }

    #[test]
    fn where_threads_are_in_each_other_s_way_one_goes_on_alone_until_they_are_not() {
        let mut trials = Trials::default();
        let slow = |alone: bool| if alone { 1.0 } else { 1.4 };
        let ways = run(&mut trials, &[3; 40], slow);
        assert!(ways[8..].iter().filter(|alone| !**alone).count() <= 4, "{ways:?}");
        let ways = run(&mut trials, &[3; 300], |alone| if alone { 1.0 } else { 0.7 });
        assert!(ways[80..].iter().filter(|alone| **alone).count() <= 5, "{ways:?}");
        // The other process comes back: the usual way is slower than it was.
        let ways = run(&mut trials, &[3; 40], slow);
        assert!(ways[10..].iter().filter(|alone| !**alone).count() <= 4, "{ways:?}");
    }

    #[test]
    fn single_passes_that_take_long_change_nothing() {
        let mut trials = Trials::default();
        for pass in 0..1000 {
            let hiccup = if pass % 3 == 0 { 4.0 } else { 1.0 };
            run(&mut trials, &[3], |alone| if alone { 1.5 } else { hiccup });
            assert!(!trials.alone, "{pass}");
        }
    }

    #[test]
    fn what_is_not_alike_or_too_short_is_not_compared() {
        let mut trials = Trials::default();
        // Long passes are quicker by their cost than short ones are, whichever way.
        for _ in 0..400 {
            run(&mut trials, &[3, 3, 3], |_| 1.0);
            run(&mut trials, &[40], |_| 0.1);
            assert!(!trials.alone);
        }
        let mut trials = Trials::default();
        assert!(!run(&mut trials, &[0; 40], |alone| if alone { 0.1 } else { 1.0 }).contains(&true));
        // Nor do they stay trials where one was due.
        run(&mut trials, &[3; 5], |_| 1.0);
        let ways = run(&mut trials, &[0; 40], |_| 1.0);
        assert_eq!(ways.iter().filter(|alone| **alone).count(), 1);
    }
}
