//! A thread's share of a loop: the tasks that are its own until another thread has none left.

use std::ops::Range;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Which loop it is of, and of its tasks the first that nobody has taken and their end: 32, 16 and 16 bits. On a cache
/// line of its own: others write next to it otherwise.
///
/// It takes a day of loops for a number to come again, and a thread would have to sleep for as long in the midst of
/// [`Share::claim`] to mistake it.
#[derive(Default)]
#[repr(align(128))]
pub struct Share(AtomicU64);

/// Of what is left of a share, which half is taken.
#[derive(Clone, Copy)]
pub enum Half {
    /// Its thread's own way: what comes next in memory after what it has just done.
    First,
    /// Another thread's.
    Last,
}

/// What a share can hold.
pub const MOST_TASKS: usize = u16::MAX as usize;

fn packed(number: u32, tasks: Range<usize>) -> u64 {
    u64::from(number) << 32 | (tasks.start as u64) << 16 | tasks.end as u64
}

fn tasks(state: u64) -> Range<usize> {
    (state >> 16 & 0xffff) as usize..(state & 0xffff) as usize
}

impl Share {
    /// Of loop `number`. Whoever sees it so sees what was written before.
    pub fn open(&self, number: u32, tasks: Range<usize>) {
        self.0.store(packed(number, tasks), Release);
    }

    /// Nobody takes what is left, which is so many tasks.
    pub fn close(&self) -> usize {
        tasks(self.0.fetch_and(!0xffff_ffff, AcqRel)).len()
    }

    pub fn has_tasks(&self) -> bool {
        !tasks(self.0.load(Relaxed)).is_empty()
    }

    /// Tasks that are nobody else's from now on, and what `of_loop` has read of the loop that they are of.
    pub fn take<T>(&self, half: Half, of_loop: impl Fn() -> T) -> Option<(T, Range<usize>)> {
        let mut state = self.0.load(Acquire);
        loop {
            match self.claim(state, half, &of_loop) {
                Ok(taken) => return taken,
                Err(now) => state = now,
            }
        }
    }

    /// Takes tasks of a share that was so when it was seen, or says how it is instead.
    ///
    /// What `of_loop` reads is of that loop. It is not of an earlier one, since it is read after the share (acquire, and the
    /// swaps since have only continued the store). It is not of a later one: where the swap succeeds the loop still had
    /// tasks that nobody had taken, so its owner was still in it.
    pub fn claim<T>(&self, state: u64, half: Half, of_loop: impl Fn() -> T) -> Result<Option<(T, Range<usize>)>, u64> {
        let Range { start, end } = tasks(state);
        if start >= end {
            return Ok(None);
        }
        let of_loop = of_loop();
        let part = (end - start).div_ceil(2);
        let (taken, left) = match half {
            Half::First => (start..start + part, start + part..end),
            Half::Last => (end - part..end, start..end - part),
        };
        self.0.compare_exchange_weak(state, packed((state >> 32) as u32, left), AcqRel, Acquire)?;
        Ok(Some((of_loop, taken)))
    }

    #[cfg(test)]
    pub fn state(&self) -> u64 {
        self.0.load(Acquire)
    }
}
