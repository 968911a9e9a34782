//! How much work a device gets at a time: no more than it does in a tenth of a second.
//!
//! A chunk of a prompt that a large GPU does in a millisecond takes a small one ten seconds. An operating system ends a
//! device that is busy for so long (Windows after two seconds), and a page shows nothing meanwhile. So a batch is given
//! in as many submits as it takes, by what its work is and by how fast work was done before. Where a submit ends changes
//! no number.
//!
//! A large GPU is hardly busy with 128 tokens of a small model, and waits between the dispatches: where chunks of a prompt
//! took little, the next ones are longer. Until then they are short, so that a slow device's can be left soon.

use super::profile::Work;
use super::signal::Signal;
use std::collections::VecDeque;

/// Milliseconds that a submit may take.
const MOST_MS: f64 = 100.0;
/// Operations that cost as much as to move a byte: between what small GPUs and large ones have.
const BYTE: f64 = 8.0;
/// Milliseconds an operation before any was measured: those of a small GPU, 100 G a second.
const FIRST_GUESS: f64 = 1e-8;
/// Rows of a prompt's chunks: of the first, and of the longest.
pub const SHORTEST_CHUNK: usize = 128;
pub const LONGEST_CHUNK: usize = 512;
/// Milliseconds that a chunk of a prompt may take to be longer than the shortest.
const CHUNK_MS: f64 = 50.0;
/// Milliseconds below which nothing can be said: clocks of browsers are coarse.
const LEAST_MS: f64 = 2.0;

/// Work that was given, and the signal of its end.
struct Mark {
    load: f64,
    given: f64,
    done: Signal,
}

pub struct Pace {
    /// Milliseconds an operation.
    each: f64,
    /// Operations recorded since the last submit, and submitted since the last mark.
    recorded: f64,
    submitted: f64,
    marks: VecDeque<Mark>,
    /// When the last of them that is done was.
    last: f64,
    /// Whether any has said something.
    measured: bool,
    /// Rows of the batch that is recorded, and operations so far.
    batch: (usize, f64),
    /// Operations of a row in the last chunk of a prompt.
    each_row: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            each: FIRST_GUESS,
            recorded: 0.0,
            submitted: 0.0,
            marks: VecDeque::new(),
            last: 0.0,
            measured: false,
            batch: (0, 0.0),
            each_row: 0.0,
        }
    }
}

impl Pace {
    /// A batch of so many rows begins.
    pub fn begin(&mut self, rows: usize) {
        let (before, operations) = std::mem::replace(&mut self.batch, (rows, 0.0));
        if before >= SHORTEST_CHUNK {
            self.each_row = operations / before as f64;
        }
        self.measure();
    }

    /// Rows of the next chunk of a prompt: twice as many as at first, and so on, as long as that takes little by what the
    /// last chunk came to.
    pub fn chunk(&self) -> usize {
        let mut rows = SHORTEST_CHUNK;
        let takes = |rows: usize| rows as f64 * self.each_row * self.each;
        while self.measured && self.each_row > 0.0 && rows < LONGEST_CHUNK && takes(2 * rows) <= CHUNK_MS {
            rows *= 2;
        }
        rows
    }

    /// One more dispatch is recorded.
    pub fn record(&mut self, work: &Work) {
        let operations = work.operations + BYTE * work.bytes;
        self.recorded += operations;
        self.batch.1 += operations;
    }

    /// Whether what is recorded, and that much more, would take too long.
    pub fn is_due(&self, work: &Work) -> bool {
        self.recorded > 0.0 && (self.recorded + work.operations + BYTE * work.bytes) * self.each > MOST_MS
    }

    /// What was recorded has been submitted.
    pub fn submit(&mut self) {
        self.submitted += std::mem::take(&mut self.recorded);
    }

    /// `done` will say when all that has been submitted is done, which was given at `now`.
    pub fn mark(&mut self, now: f64, done: Signal) {
        self.measure();
        let load = std::mem::take(&mut self.submitted);
        if load > 0.0 {
            self.marks.push_back(Mark { load, given: now, done });
        }
    }

    /// Learns from the marks that have come.
    fn measure(&mut self) {
        while let Some(at) = self.marks.front().and_then(|mark| mark.done.given_at()) {
            let Some(Mark { load, given, .. }) = self.marks.pop_front() else { return };
            // It began when it was given, or when what was before it had ended.
            let took = at - given.max(self.last);
            self.last = self.last.max(at);
            if took >= LEAST_MS {
                // Half of what was measured before: a device may be busy with something else for once.
                let before = if self.measured { self.each } else { took / load };
                self.each = (before + took / load) / 2.0;
            } else {
                // Too fast to be measured: faster than that at least.
                self.each = self.each.min(LEAST_MS / load);
            }
            self.measured = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device that does an operation in `each` ms, whose submits are looked at: the longest, in ms, of a batch of
    /// `count` dispatches after as many `batches`.
    fn longest(each: f64, batches: usize, count: usize, operations: f64) -> (f64, usize) {
        let (mut pace, mut now, mut longest, mut submits) = (Pace::default(), 0.0, 0.0f64, 0);
        let work = Work { operations, ..Work::default() };
        for _ in 0..=batches {
            (longest, submits) = (0.0, 0);
            let (mut taken, begun) = (0.0, now);
            let mut submit = |pace: &mut Pace, taken: &mut f64| {
                pace.submit();
                longest = longest.max(*taken);
                now += std::mem::take(taken);
                submits += 1;
            };
            for _ in 0..count {
                if pace.is_due(&work) {
                    submit(&mut pace, &mut taken);
                }
                pace.record(&work);
                taken += each * operations;
            }
            submit(&mut pace, &mut taken);
            let done = Signal::default();
            pace.mark(begun, done.clone());
            done.give_at(true, now);
        }
        (longest, submits)
    }

    #[test]
    fn a_fast_device_gets_a_batch_in_one_piece() {
        // 35 G operations at 10 T a second.
        assert_eq!(longest(1e-10, 8, 200, 35e9 / 200.0).1, 1);
    }

    #[test]
    fn a_slow_device_gets_no_more_at_a_time_than_it_does_in_a_tenth_of_a_second() {
        // 1.8 T operations at 150 G a second, and at 15 G.
        for each in [1.0 / 150e6, 1.0 / 15e6] {
            let (ms, submits) = longest(each, 8, 400, 1.8e12 / 400.0);
            let one = each * 1.8e12 / 400.0;
            assert!(ms <= MOST_MS.max(one) * 1.05, "{ms} ms");
            assert!(ms >= 0.3 * MOST_MS, "{submits} submits of {ms} ms");
        }
    }

    #[test]
    fn before_anything_is_measured_a_device_is_taken_for_a_small_one() {
        assert!(longest(1e-8, 0, 400, 1.8e12 / 400.0).0 <= MOST_MS);
    }

    #[test]
    fn what_is_too_fast_to_be_measured_is_fast() {
        let (mut pace, work) = (Pace::default(), Work { operations: 9e9, ..Work::default() });
        pace.record(&work);
        pace.submit();
        let done = Signal::default();
        done.give_at(true, 5.0);
        pace.mark(5.0, done);
        pace.mark(5.0, Signal::default());
        pace.record(&work);
        assert!(!pace.is_due(&Work { operations: 400e9, ..Work::default() }));
        assert!(pace.is_due(&Work { operations: 500e9, ..Work::default() }));
    }

    /// Rows of the chunks of a prompt on a device that does an operation in `each` ms, of a model of so many a row.
    fn chunks(each: f64, operations: f64) -> Vec<usize> {
        let (mut pace, mut now) = (Pace::default(), 0.0);
        let chunk = |_| {
            let rows = pace.chunk();
            pace.begin(rows);
            pace.record(&Work { operations: operations * rows as f64, ..Work::default() });
            pace.submit();
            let done = Signal::default();
            pace.mark(now, done.clone());
            now += each * operations * rows as f64;
            done.give_at(true, now);
            rows
        };
        (0..6).map(chunk).collect()
    }

    #[test]
    fn chunks_grow_on_a_device_that_does_them_in_little_time() {
        // SmolLM2 has 270 M operations a row: at 10 T a second, at 1 T, and at 100 G.
        assert_eq!(chunks(1e-10, 270e6), [128, 128, 512, 512, 512, 512]);
        assert_eq!(chunks(1e-9, 270e6), [128; 6]);
        assert_eq!(chunks(5e-10, 270e6), [128, 128, 256, 256, 256, 256]);
        assert_eq!(chunks(1e-8, 270e6), [128; 6]);
        // 14 G a row, a model of 7 G.
        assert_eq!(chunks(1e-11, 14e9), [128, 128, 256, 256, 256, 256]);
    }

    #[test]
    fn nothing_is_known_of_a_device_without_a_whole_chunk() {
        let mut pace = Pace::default();
        for rows in [20, 1, 127, 64] {
            pace.begin(rows);
            pace.record(&Work { operations: 1e3, ..Work::default() });
            pace.submit();
            let done = Signal::default();
            done.give_at(true, 0.0);
            pace.mark(0.0, done);
            assert_eq!(pace.chunk(), 128);
        }
    }
}
