//! Whether loops are worth sharing, as things are: costs, and what sharing has cost lately.
//!
//! A thread that the system takes off its core in the midst of a task holds everybody up, for a time slice of milliseconds
//! where a loop takes microseconds. On a machine that others keep busy this happens again and again, and all threads
//! together are slower than one. So a loop that has waited for far longer than its tasks can take, a stall, has its pool
//! work alone for a while: four times as long each time, until some work has been shared without a stall. What such a
//! machine loses is then the few stalls of the attempts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Products a nanosecond, of one thread: the unit of costs is a multiplication with a weight.
const PER_NANOSECOND: u64 = 25;
const MICROSECOND: u64 = 1000 * PER_NANOSECOND;
pub const MILLISECOND: u64 = 1000 * MICROSECOND;

/// The cost of a task: to take one costs a tenth of a microsecond, and the last one is waited for.
pub const TASK: u64 = 3 * MICROSECOND / 2;
/// Loops that cost less are not shared: their beginning and end would cost what they gain.
pub const SHARED: u64 = 4 * MICROSECOND;
/// What a thread has to get for its waking up.
const WAKE_UP: u64 = 25 * MICROSECOND;

/// How long a loop alone lasts after a stall: the first time, and at most.
const FIRST_REST: u64 = 8 * MILLISECOND;
const LONGEST_REST: u64 = 512 * MILLISECOND;
/// Work that has to be shared without a stall for the next one to be a first.
const CALM: u64 = 50 * MILLISECOND;

/// What no task comes to on any machine, but for those that are estimated to take long.
const STALL: Duration = Duration::from_micros(300);
/// How much longer a task may take than was estimated: slow cores are slow, and do other things too.
const SLOWER: u64 = 8;

/// The loop's owner alone writes here; it is atomic for nothing but to be shared.
#[derive(Default)]
pub struct Pace {
    /// Work that is still to be done alone.
    rest: AtomicU64,
    /// How long the last rest was meant to be.
    last_rest: AtomicU64,
    /// Work that has been shared since the last stall.
    calm: AtomicU64,
    /// Work since the last pass began.
    pass: AtomicU64,
    /// The pass is to be computed by one thread: see [`super::trials`].
    alone: AtomicBool,
}

impl Pace {
    /// A loop of that cost begins: whether it is to be shared.
    pub fn shares(&self, cost: u64) -> bool {
        add(&self.pass, cost);
        subtract(&self.rest, cost) == 0 && cost >= SHARED && !self.alone.load(Relaxed)
    }

    /// A pass begins, by one thread or by all: what the one before has cost, 0 where one works.
    pub fn next_pass(&self, alone: bool) -> u64 {
        let pass = self.pass();
        self.pass.store(0, Relaxed);
        self.alone.store(alone, Relaxed);
        if alone || self.rest.load(Relaxed) > 0 { 0 } else { pass }
    }

    /// What the pass has cost so far.
    pub fn pass(&self) -> u64 {
        self.pass.load(Relaxed)
    }

    /// How many sleepers work of that cost pays to wake.
    pub fn sleepers(cost: u64) -> u64 {
        cost / WAKE_UP
    }

    /// A loop was shared, and nobody was taken away.
    pub fn went_well(&self, cost: u64) {
        let calm = add(&self.calm, cost);
        if calm >= CALM {
            self.last_rest.store(0, Relaxed);
        }
    }

    pub fn stalled(&self) {
        let rest = (4 * self.last_rest.load(Relaxed)).clamp(FIRST_REST, LONGEST_REST);
        self.rest.store(rest, Relaxed);
        self.last_rest.store(rest, Relaxed);
        self.calm.store(0, Relaxed);
    }

    /// Half of the longest that a thread's part of a loop may take, where `most` is what the largest part costs.
    pub fn patience(most: u64) -> Duration {
        STALL + Duration::from_nanos(SLOWER * most / PER_NANOSECOND)
    }
}

/// Says what was there.
fn subtract(sum: &AtomicU64, less: u64) -> u64 {
    let before = sum.load(Relaxed);
    if before > 0 {
        sum.store(before.saturating_sub(less), Relaxed);
    }
    before
}

fn add(sum: &AtomicU64, more: u64) -> u64 {
    let sum_now = sum.load(Relaxed).saturating_add(more);
    sum.store(sum_now, Relaxed);
    sum_now
}
