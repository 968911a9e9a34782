//! The thread pool. A decode step is hundreds of parallel loops of a few dozen microseconds, so the
//! workers spin for a while before they sleep, and a loop that finds them awake costs no system call.
//!
//! Workers come from outside: native code spawns threads, a page starts Web Workers that call
//! [`Pool::work`]. Whoever calls [`Pool::run`] takes part, so a pool without workers just runs the loop.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// How often a worker looks for the next loop before it sleeps: about 50 µs, longer than the
/// serial code between two loops, shorter than anybody would notice.
const SPINS: u32 = 20_000;

/// A parallel loop's body: called with the task's and the thread's index.
type Body<'a> = dyn Fn(usize, usize) + Sync + 'a;

#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    threads: usize,
    state: Mutex<State>,
    wake: Condvar,
    /// Counts the loops; a change tells the workers that there is one.
    generation: AtomicU32,
    /// The next task of the current loop that nobody has taken.
    next: AtomicUsize,
    /// Workers that have not finished the current loop.
    running: AtomicUsize,
    /// A worker panicked in the current loop, and is gone.
    panicked: AtomicBool,
}

struct State {
    registered: usize,
    sleeping: usize,
    job: Option<Job>,
}

#[derive(Clone, Copy)]
struct Job {
    tasks: usize,
    body: *const Body<'static>,
}

// SAFETY: the pointer is only followed while `run`, which borrows the body, waits for the workers.
unsafe impl Send for Job {}

impl Pool {
    /// A pool for `threads` threads in all, the caller's included. Workers join by [`Pool::work`].
    pub fn new(threads: usize) -> Self {
        Self(Arc::new(Shared {
            threads: threads.max(1),
            state: Mutex::new(State { registered: 0, sleeping: 0, job: None }),
            wake: Condvar::new(),
            generation: AtomicU32::new(0),
            next: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
        }))
    }

    /// A pool whose workers are native threads; they end with the process.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn native(threads: usize) -> Self {
        let pool = Self::new(threads);
        for thread in 1..pool.threads() {
            let pool = pool.clone();
            std::thread::spawn(move || pool.work(thread));
        }
        pool
    }

    /// Threads that a loop's body may be called from: indices 0 to this, exclusive.
    pub fn threads(&self) -> usize {
        self.0.threads
    }

    /// Calls `body(task, thread)` for every task, on all threads, and returns when all are done.
    /// Not reentrant: a body must not start a loop of its own. Panics where a body does, on whichever thread.
    pub fn run(&self, tasks: usize, body: impl Fn(usize, usize) + Sync) {
        let shared = &*self.0;
        if shared.threads == 1 || tasks <= 1 {
            return (0..tasks).for_each(|task| body(task, 0));
        }
        // Of a loop that its owner left by a panic too.
        shared.panicked.store(false, Ordering::Relaxed);
        let body: &Body = &body;
        // SAFETY: only the lifetime changes. `Finish` waits, on unwinding too, until no worker uses it.
        let body: *const Body = unsafe { std::mem::transmute::<&Body, &'static Body<'static>>(body) };
        {
            let mut state = shared.state.lock().expect("no panics under the lock");
            state.job = Some(Job { tasks, body });
            shared.next.store(0, Ordering::Relaxed);
            shared.running.store(state.registered, Ordering::Relaxed);
            shared.generation.fetch_add(1, Ordering::Release);
            if state.sleeping > 0 {
                shared.wake.notify_all();
            }
        }
        let finish = Finish(shared);
        shared.take_tasks(Job { tasks, body }, 0);
        drop(finish);
        if shared.panicked.swap(false, Ordering::Relaxed) {
            panic!("a thread of the pool panicked");
        }
    }

    /// Splits `0..total` into ranges of `grain` (the last may be shorter) and runs `body` on each.
    pub fn ranges(&self, total: usize, grain: usize, body: impl Fn(Range<usize>, usize) + Sync) {
        self.run(total.div_ceil(grain), |task, thread| {
            let start = task * grain;
            body(start..total.min(start + grain), thread);
        });
    }

    /// A worker's life: joins the pool as thread number `thread` and never returns.
    pub fn work(&self, thread: usize) -> ! {
        let shared = &*self.0;
        let mut seen = {
            let mut state = shared.state.lock().expect("no panics under the lock");
            state.registered += 1;
            shared.generation.load(Ordering::Acquire)
        };
        loop {
            let job = shared.next_job(&mut seen);
            let _leave = Leave(shared);
            shared.take_tasks(job, thread);
        }
    }
}

impl Shared {
    /// Waits, first spinning, for a loop that is newer than `seen`.
    fn next_job(&self, seen: &mut u32) -> Job {
        for _ in 0..SPINS {
            if self.generation.load(Ordering::Relaxed) != *seen {
                break;
            }
            std::hint::spin_loop();
        }
        let mut state = self.state.lock().expect("no panics under the lock");
        state.sleeping += 1;
        while self.generation.load(Ordering::Acquire) == *seen {
            state = self.wake.wait(state).expect("no panics under the lock");
        }
        state.sleeping -= 1;
        *seen = self.generation.load(Ordering::Acquire);
        state.job.expect("a new generation has a job")
    }

    fn take_tasks(&self, job: Job, thread: usize) {
        loop {
            let task = self.next.fetch_add(1, Ordering::Relaxed);
            if task >= job.tasks {
                return;
            }
            // SAFETY: `run` keeps the body alive until this thread has left the loop.
            unsafe { (*job.body)(task, thread) };
        }
    }
}

/// A worker leaves the loop; where it unwinds it leaves the pool too, and the loop's owner must not wait for it.
struct Leave<'a>(&'a Shared);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.panicked.store(true, Ordering::Relaxed);
            // Nothing panics while it holds the lock.
            if let Ok(mut state) = self.0.state.lock() {
                state.registered -= 1;
            }
        }
        self.0.running.fetch_sub(1, Ordering::Release);
    }
}

/// Waits for the workers when the loop's owner leaves it.
struct Finish<'a>(&'a Shared);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        while self.0.running.load(Ordering::Acquire) != 0 {
            std::hint::spin_loop();
        }
    }
}

/// A slice that the threads of a loop write to, each its own part.
pub struct Shards<'a, T> {
    start: *mut T,
    len: usize,
    _borrow: PhantomData<&'a mut [T]>,
}

// SAFETY: it only gives out parts by `part`, whose caller answers for their being disjoint.
unsafe impl<T: Send> Sync for Shards<'_, T> {}

impl<'a, T> Shards<'a, T> {
    pub fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), _borrow: PhantomData }
    }

    /// What lies behind the first `start`.
    pub fn after(&self, start: usize) -> Shards<'_, T> {
        assert!(start <= self.len);
        // SAFETY: inside the slice, or at its end, by the assertion.
        Shards { start: unsafe { self.start.add(start) }, len: self.len - start, _borrow: PhantomData }
    }

    /// # Safety
    /// Parts that are in use at one time must not overlap.
    #[allow(clippy::mut_from_ref)] // That is this type's purpose; see Safety.
    pub unsafe fn part(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: inside the slice by the assertion, disjoint by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once_whatever_the_number_of_threads() {
        for threads in [1, 2, 5] {
            let pool = Pool::native(threads);
            for tasks in [0, 1, 2, 7, 1000] {
                let mut counts = vec![0u8; tasks];
                let shards = Shards::new(&mut counts);
                pool.run(tasks, |task, thread| {
                    assert!(thread < threads);
                    // SAFETY: each task has its own element.
                    unsafe { shards.part(task..task + 1)[0] += 1 };
                });
                assert!(counts.iter().all(|&count| count == 1));
            }
        }
    }

    #[test]
    fn a_panic_on_any_thread_reaches_the_loop_s_owner_and_the_pool_goes_on() {
        let pool = Pool::native(3);
        while pool.0.state.lock().unwrap().registered < 2 {
            std::thread::yield_now();
        }
        // Every thread takes a task: none ends before all have begun.
        let all_begin = std::sync::Barrier::new(3);
        pool.run(3, |_, _| {
            all_begin.wait();
        });
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            pool.run(3, |_, thread| {
                all_begin.wait();
                assert_ne!(thread, 1, "as a kernel's bug would");
            });
        }));
        assert!(caught.is_err());
        let total = AtomicUsize::new(0);
        pool.run(100, |task, _| {
            total.fetch_add(task, Ordering::Relaxed);
        });
        assert_eq!(total.into_inner(), 4950);
    }

    #[test]
    fn ranges_cover_everything_once() {
        let total = AtomicUsize::new(0);
        Pool::native(3).ranges(103, 10, |range, _| {
            total.fetch_add(range.sum(), Ordering::Relaxed);
        });
        assert_eq!(total.into_inner(), 103 * 102 / 2);
    }
}
