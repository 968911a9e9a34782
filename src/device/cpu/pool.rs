//! The thread pool. A decode step is over a hundred parallel loops of a few dozen microseconds, so a loop begins with one
//! store and ends with one load, and nobody is waited for who has nothing to do.
//!
//! Workers come from outside: native code spawns threads, a page starts Web Workers that call
//! [`Pool::work`]. Whoever calls [`Pool::ranges`] takes part, so a pool without workers just runs the loop.
//!
//! **Shares.** A loop begins as equal shares of neighbouring tasks, one for each thread, who takes the next half of what is
//! left of it with a compare-and-swap: so it goes through memory in one direction, which is what processors fetch ahead.
//! Who has none left takes the last half of another's: of a thread that sleeps, is slow or was taken off its core. A swap
//! fails once the loop is another one. The owner, when nothing is left, waits for the tasks that others have taken: not for
//! a thread that has taken none, or never came. What costs too little to be shared runs at once ([`pace`]).
//!
//! **Sleeping.** Workers look for the next loop for some time before they sleep, longer than the serial code between two
//! loops of a pass. Nothing on the way of a loop takes a mutex or calls the system; that is done to sleep and to wake up.
//! A pass wakes the workers at its beginning ([`Pool::begin_pass`]), a loop where it is worth it.
//!
//! Measured on two cores of an AMD EPYC of family 26, under Node 24, tokens a second of SmolLM2-135M in Q4_1: with one
//! thread 200, with two 294; while another process has a core 182 and 168, without [`trials`] 126. With two and parts of
//! a third of what is left, for whoever comes first, 227: where a thread goes on elsewhere every few microseconds, the
//! processor has nothing to fetch ahead.

mod pace;
mod shards;
mod share;
mod trials;

pub use shards::Shards;

use pace::Pace;
use share::{Half, MOST_TASKS, Share};
use std::ops::Range;
use std::ptr::null_mut;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, Thread};
#[cfg(not(target_arch = "wasm32"))]
use std::{sync::OnceLock, time::Instant};
use trials::Trials;

/// What it costs to do something simple to a value: see [`Pool::ranges`].
pub const VALUE: usize = 20;

/// How often a worker looks for the next loop before it sleeps, and the owner for the last task's end: some 50 µs. What
/// says that this is a loop of waiting takes many cycles natively, and does not exist in WebAssembly.
const SPINS: u32 = if cfg!(target_arch = "wasm32") { 200_000 } else { 2_000 };

/// The build without shared memory has one thread, and needs no code for more.
const ALONE: bool = cfg!(all(target_arch = "wasm32", not(target_feature = "atomics")));

/// In [`Shared::done`]: the owner sleeps.
const WAITING: usize = 1 << (usize::BITS - 1);

/// A parallel loop's body: called with a range of tasks and the thread's index.
type Body<'a> = dyn Fn(Range<usize>, usize) + Sync + 'a;

#[derive(Clone)]
pub struct Pool(Arc<Shared>);

/// What the pool has done since it was made. One thread's pool counts nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Loops that were there for all threads to join.
    pub shared: u64,
    /// Loops that their caller ran: too short, or begun after a stall.
    pub alone: u64,
    /// Workers that were woken up.
    pub wake_ups: u64,
    /// Times that a loop's owner fell asleep, since another thread was long at its last task.
    pub waits: u64,
    /// Of those, the ones after which the pool worked alone for a while: see [`pace`].
    pub stalls: u64,
}

struct Shared {
    /// By threads.
    shares: Box<[Share]>,
    /// The loop's number.
    number: AtomicU32,
    /// The loop's, valid for whoever holds a task of it.
    job: AtomicPtr<Job<'static>>,
    /// Tasks that workers have finished of those they have taken.
    done: Line<AtomicUsize>,
    /// Somebody is in [`Pool::ranges`].
    owned: AtomicBool,
    /// A worker panicked in the current loop, and is gone.
    panicked: AtomicBool,
    pace: Pace,
    counts: [AtomicU64; 5],
    clock: fn() -> f64,
    trials: Mutex<Trials>,
    sleeping: AtomicUsize,
    workers: Mutex<Vec<Arc<Worker>>>,
    /// Who sleeps until `done` counts them all.
    owner: Mutex<Option<Thread>>,
}

/// On a cache line of its own: others write next to it otherwise.
#[repr(align(128))]
struct Line<T>(T);

struct Job<'a> {
    tasks: usize,
    body: &'a Body<'a>,
}

struct Worker {
    thread: Thread,
    asleep: AtomicBool,
}

impl Pool {
    /// By its clock.
    pub fn now(&self) -> f64 {
        (self.0.clock)()
    }

    /// A pool for `threads` threads in all, the caller's included. Workers join by [`Pool::work`]. `clock`: in milliseconds,
    /// from any moment on.
    pub fn new(threads: usize, clock: fn() -> f64) -> Self {
        Self(Arc::new(Shared {
            shares: (0..threads.max(1)).map(|_| Share::default()).collect(),
            number: AtomicU32::new(0),
            job: AtomicPtr::new(null_mut()),
            done: Line(AtomicUsize::new(0)),
            owned: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            pace: Pace::default(),
            counts: Default::default(),
            clock,
            trials: Mutex::default(),
            sleeping: AtomicUsize::new(0),
            workers: Mutex::default(),
            owner: Mutex::default(),
        }))
    }

    /// One thread, which just runs the loops.
    pub fn alone() -> Self {
        Self::new(1, || 0.0)
    }

    /// A pool whose workers are native threads; they end with the process.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn native(threads: usize) -> Self {
        let pool = Self::new(threads, now);
        for thread in 1..pool.threads() {
            let pool = pool.clone();
            thread::spawn(move || pool.work(thread));
        }
        pool
    }

    /// Threads that a loop's body may be called from: indices 0 to this, exclusive.
    pub fn threads(&self) -> usize {
        if ALONE { 1 } else { self.0.shares.len() }
    }

    pub fn counts(&self) -> Counts {
        let [shared, alone, wake_ups, waits, stalls] = [0, 1, 2, 3, 4].map(|index| self.0.counts[index].load(Relaxed));
        Counts { shared, alone, wake_ups, waits, stalls }
    }

    /// Many loops will follow each other: who sleeps wakes up meanwhile, if the last ones were worth it.
    pub fn begin_pass(&self) {
        let shared = &*self.0;
        if self.threads() > 1 {
            let alone = shared.trials().begin((shared.clock)());
            shared.wake(shared.pace.next_pass(alone));
        }
    }

    /// What came of the pass is read. A second time says nothing.
    pub fn end_pass(&self) {
        let shared = &*self.0;
        if self.threads() > 1 {
            shared.trials().end((shared.clock)(), shared.pace.pass());
        }
    }

    /// Calls `body(range, thread)` for ranges that are `0..total` together, on all threads, and returns when all are done.
    /// `cost`: of one of `total`, in multiplications with a weight, 25 of which take about a nanosecond. Loops inside a
    /// body, or in two threads at once, are not shared. Panics where a body does, on whichever thread.
    pub fn ranges(&self, total: usize, cost: usize, body: impl Fn(Range<usize>, usize) + Sync) {
        if self.threads() == 1 {
            if total > 0 {
                body(0..total, 0);
            }
            return;
        }
        let cost = cost.max(1) as u64;
        let grain = (pace::TASK / cost).max((total / MOST_TASKS) as u64 + 1) as usize;
        let tasks = total.div_ceil(grain);
        let of_task = cost.saturating_mul(grain as u64);
        self.share(tasks, of_task, &|tasks, thread| body(tasks.start * grain..total.min(tasks.end * grain), thread));
    }

    /// A loop of some tasks, which cost that much each.
    fn share(&self, tasks: usize, cost: u64, body: &Body) {
        let shared = &*self.0;
        if tasks <= 1 || shared.owned.swap(true, Acquire) {
            return if tasks > 0 {
                body(0..tasks, 0)
            };
        }
        let owner = Owner(shared);
        // Of a loop that its owner left by a panic too.
        shared.panicked.store(false, Relaxed);
        let total = cost.saturating_mul(tasks as u64);
        if !shared.pace.shares(total) {
            shared.count(1, 1);
            return body(0..tasks, 0);
        }
        shared.count(0, 1);
        let job = Job { tasks, body };
        let mut open = Open { shared, job: &job, taken: 0, cost };
        shared.open(&job);
        shared.wake(total);
        while let Some(tasks) = open.take() {
            body(tasks, 0);
        }
        drop(open);
        drop(owner);
        if shared.panicked.swap(false, Relaxed) {
            panic!("a thread of the pool panicked");
        }
    }

    /// A worker's life: joins the pool as thread number `thread` and never returns.
    pub fn work(&self, thread: usize) -> ! {
        assert!((1..self.threads()).contains(&thread), "thread 0 is whoever has a loop");
        let shared = &*self.0;
        let worker = Arc::new(Worker { thread: thread::current(), asleep: AtomicBool::new(false) });
        shared.workers.lock().expect("no panics under the lock").push(worker.clone());
        loop {
            let comes = |_| {
                std::hint::spin_loop();
                shared.shares[thread].has_tasks()
            };
            if (0..SPINS).any(comes) {
                shared.join(thread);
            } else {
                shared.sleep(&worker);
            }
        }
    }
}

/// Milliseconds since it was first asked.
#[cfg(not(target_arch = "wasm32"))]
fn now() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64() * 1000.0
}

impl Shared {
    fn trials(&self) -> MutexGuard<'_, Trials> {
        self.trials.lock().expect("no panics under the lock")
    }

    fn count(&self, which: usize, more: u64) {
        self.counts[which].fetch_add(more, Relaxed);
    }

    /// The first task of a thread's share of that many; its end is where the next one's begins.
    fn first(&self, tasks: usize, thread: usize) -> usize {
        (tasks * thread).div_ceil(self.shares.len())
    }

    /// Opens a loop. Its owner alone may call it, when the last one has been closed.
    fn open(&self, job: &Job) {
        self.done.0.store(0, Relaxed);
        self.job.store((job as *const Job).cast_mut().cast(), Relaxed);
        let number = self.number.load(Relaxed).wrapping_add(1);
        self.number.store(number, Relaxed);
        // Whoever sees a share sees what was written before it: the two above, and what the body reads.
        for (thread, share) in self.shares.iter().enumerate() {
            share.open(number, self.first(job.tasks, thread)..self.first(job.tasks, thread + 1));
        }
    }

    /// Nobody takes what is left, which is so many tasks.
    fn close(&self) -> usize {
        self.shares.iter().map(Share::close).sum()
    }

    /// Some tasks that are nobody else's from now on, and their loop: a thread's own or another's.
    fn take(&self, thread: usize) -> Option<(*const Job<'static>, Range<usize>)> {
        let job = || self.job.load(Relaxed).cast_const();
        self.shares[thread].take(Half::First, job).or_else(|| {
            let others = self.shares[thread + 1..].iter().chain(&self.shares[..thread]);
            others.filter(|share| share.has_tasks()).find_map(|share| share.take(Half::Last, job))
        })
    }

    /// A worker's part in the current loop.
    fn join(&self, thread: usize) {
        while let Some((job, tasks)) = self.take(thread) {
            let _finish = Finish { shared: self, tasks: tasks.len() };
            // SAFETY: the job is that of the tasks that were taken: see `Share::claim`. Its owner stays in `share` until they
            // are counted as done, by `_finish`, on unwinding too.
            let job = unsafe { &*job };
            (job.body)(tasks, thread);
        }
    }

    /// Until there is something worth waking up for. A loop that opens meanwhile may be missed, and is done by others.
    fn sleep(&self, worker: &Worker) {
        worker.asleep.store(true, Relaxed);
        self.sleeping.fetch_add(1, Release);
        while worker.asleep.load(Acquire) {
            thread::park();
        }
    }

    /// Wakes sleeping workers, as many as work of that cost pays.
    fn wake(&self, cost: u64) {
        if self.sleeping.load(Acquire) == 0 {
            return;
        }
        let mut wanted = Pace::sleepers(cost);
        if wanted == 0 {
            return;
        }
        for worker in self.workers.lock().expect("no panics under the lock").iter() {
            if wanted > 0 && worker.asleep.swap(false, AcqRel) {
                self.sleeping.fetch_sub(1, Relaxed);
                worker.thread.unpark();
                self.count(2, 1);
                wanted -= 1;
            }
        }
    }
}

/// A worker's tasks are done, or it unwinds and leaves the pool: the loop's owner must not wait for them any more.
struct Finish<'a> {
    shared: &'a Shared,
    tasks: usize,
}

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.shared.panicked.store(true, Relaxed);
        }
        // The loop may be over, and its job gone, once this is written; the pool is not.
        let before = self.shared.done.0.fetch_add(self.tasks, AcqRel);
        if before & WAITING != 0
            && let Ok(owner) = self.shared.owner.lock()
        {
            owner.iter().for_each(Thread::unpark);
        }
    }
}

/// Nobody else opens a loop meanwhile.
struct Owner<'a>(&'a Shared);

impl Drop for Owner<'_> {
    fn drop(&mut self) {
        self.0.owned.store(false, Release);
    }
}

/// A loop that others may join. Its end, on unwinding too, is when none of them is at it any more.
struct Open<'a> {
    shared: &'a Shared,
    job: &'a Job<'a>,
    /// Tasks that its owner has taken.
    taken: usize,
    /// Of a task.
    cost: u64,
}

impl Open<'_> {
    /// Some of the tasks, for its owner.
    fn take(&mut self) -> Option<Range<usize>> {
        let (_, tasks) = self.shared.take(0)?;
        self.taken += tasks.len();
        Some(tasks)
    }

    /// Waits until workers have done so many tasks. Says whether that took longer than it can have taken them.
    fn wait_for(&self, tasks: usize) -> bool {
        let Shared { done: Line(done), .. } = self.shared;
        for _ in 0..SPINS {
            if done.load(Acquire) == tasks {
                return false;
            }
            std::hint::spin_loop();
        }
        self.shared.count(3, 1);
        *self.shared.owner.lock().expect("no panics under the lock") = Some(thread::current());
        // Whoever adds after this wakes us up, and this sees who has added before.
        let mut finished = done.fetch_or(WAITING, AcqRel);
        let mut looks = 0;
        // Half a share, but for single ones.
        let most = self.cost.saturating_mul(self.job.tasks.div_ceil(self.shared.shares.len()).div_ceil(2) as u64);
        while finished & !WAITING != tasks {
            thread::park_timeout(Pace::patience(most));
            finished = done.load(Acquire);
            looks += 1;
        }
        // The first look may have been too early, woken by whoever was the last in another loop.
        looks > 2
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let Self { shared, job, .. } = *self;
        // Where a body panicked there are tasks left, which nobody shall take.
        let stalled = self.wait_for(job.tasks - self.taken - shared.close());
        if stalled {
            shared.count(4, 1);
            shared.pace.stalled();
        } else {
            shared.pace.went_well(self.cost.saturating_mul(job.tasks as u64));
        }
    }
}

#[cfg(test)]
mod tests;
