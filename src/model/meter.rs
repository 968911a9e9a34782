//! What passes take, by the device's clock: for what drafts cost and save.

use super::costs::Costs;
use super::pass::{Arrived, Entry, Pass, PassRequest};
use crate::device::Device;

/// What lies between two passes counts, up to so many milliseconds: more is something else's.
const GAP: f64 = 10.0;

#[derive(Default)]
pub struct Meter {
    costs: Costs,
    /// When the last pass was over.
    ended: f64,
    /// Milliseconds since something came.
    spent: f64,
    /// More than steps was computed meanwhile.
    is_mixed: bool,
    /// What came last were drafts.
    after_drafts: bool,
}

/// What it took until something came.
pub struct Took {
    pub ms: f64,
    /// What a token takes without drafts; none where there were none.
    pub plain: Option<f64>,
}

impl Meter {
    pub fn costs(&self) -> &Costs {
        &self.costs
    }

    /// A pass is over. None where nothing came, or nothing can be said of how long it took.
    pub fn pass<D: Device>(&mut self, pass: &Pass<D>) -> Option<Took> {
        let times = &pass.times;
        self.spent += (times.start - self.ended).clamp(0.0, GAP) + times.end - times.start;
        self.ended = times.end;
        self.is_mixed |= !pass.entries.iter().all(is_step);
        let texts = pass.entries.iter().filter(|entry| !entry.came.is_empty()).count();
        if texts == 0 {
            return None;
        }
        let (ms, is_mixed) = (std::mem::take(&mut self.spent), std::mem::take(&mut self.is_mixed));
        let rows = pass.entries.iter().map(rows).sum::<usize>();
        let is_drafted = rows > texts;
        // Where steps are begun ahead, the first one after drafts is the only one that is waited for from its beginning.
        let is_ahead = pass.entries.iter().any(|entry| matches!(entry.came[..], [Arrived::Chosen { .. }, ..]));
        let is_waited_for = is_ahead && self.after_drafts;
        self.after_drafts = is_drafted;
        if is_mixed {
            return None;
        }
        let plain = self.costs.of(texts).map(|ms| ms / texts as f64);
        if !is_waited_for {
            self.costs.measured(rows, ms);
        }
        Some(Took { ms, plain: plain.filter(|_| is_drafted || is_waited_for) })
    }
}

/// Whether nothing but a step and its drafts is computed for it.
fn is_step<D: Device>(entry: &Entry<D>) -> bool {
    match &entry.wanted {
        None => true,
        Some(PassRequest::Source(_)) => false,
        Some(PassRequest::Rows { tokens, answer, answered, .. }) => answer.is_some() && tokens.len() == *answered,
    }
}

/// Rows that something has come of.
fn rows<D: Device>(entry: &Entry<D>) -> usize {
    match (entry.came.first(), &entry.wanted) {
        (Some(Arrived::Logits(_)), Some(PassRequest::Rows { answered, .. })) => *answered,
        (Some(Arrived::Chosen { .. }), _) => 1,
        (Some(Arrived::ChosenEach(_, count)), _) => *count,
        _ => 0,
    }
}
