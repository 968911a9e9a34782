//! Loops that meet each other, threads that come and go, and panics.

use super::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;

/// Enough to be shared, whatever it is.
const DEAR: usize = pace::SHARED as usize;

/// Each of `tasks` counted as often as it was done, and the threads that did them.
fn run(pool: &Pool, tasks: usize, cost: usize) -> Vec<u8> {
    let mut counts = vec![0u8; tasks];
    let shards = Shards::new(&mut counts);
    pool.ranges(tasks, cost, |range, thread| {
        assert!(thread < pool.threads());
        // SAFETY: the ranges are disjoint.
        unsafe { shards.part(range) }.iter_mut().for_each(|count| *count += 1);
    });
    counts
}

fn wait_for_workers(pool: &Pool) {
    while pool.0.workers.lock().unwrap().len() + 1 < pool.threads() {
        thread::yield_now();
    }
}

#[test]
fn every_task_runs_once_whatever_the_number_of_threads() {
    for threads in [1, 2, 5] {
        let pool = Pool::native(threads);
        for tasks in [0, 1, 2, 7, 1000] {
            for cost in [1, 1000, DEAR] {
                assert_eq!(run(&pool, tasks, cost), vec![1; tasks], "{tasks} tasks of {cost} on {threads} threads");
            }
        }
    }
}

#[test]
fn loops_that_follow_each_other_closely_do_not_mix() {
    let pool = Pool::native(4);
    let mut random = 1u32;
    let rounds = if cfg!(miri) { 30 } else { 20_000 };
    for round in 0..rounds {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let tasks = 2 + (random >> 24) as usize % 40;
        assert_eq!(run(&pool, tasks, DEAR), vec![1; tasks], "round {round}");
        if random >> 16 & 0xfff == 0 {
            // Long enough for the workers to fall asleep, most times.
            thread::yield_now();
            pool.begin_pass();
        }
    }
    let counts = pool.counts();
    assert_eq!(counts.shared + counts.alone, rounds);
}

#[test]
fn nobody_is_waited_for_who_has_taken_nothing() {
    // Workers that never come.
    let pool = Pool::new(3);
    assert_eq!(run(&pool, 100, DEAR), vec![1; 100]);
    assert_eq!(pool.counts(), Counts { shared: 1, ..Counts::default() });
}

#[test]
fn who_has_seen_a_loop_that_is_over_takes_nothing_of_the_next() {
    let pool = Pool::new(2);
    let shared = &*pool.0;
    let seen = std::cell::Cell::new(0);
    let look = |shared: &Shared| shared.ticket.0.load(Acquire);
    let body = |_: Range<usize>, _| {};
    let job = Job { tasks: 9, body: &body };
    shared.open(&job);
    seen.set(look(shared));
    while shared.take().is_some() {}
    shared.open(&job);
    let now = look(shared);
    assert_eq!(shared.claim(seen.get()), Err(now), "as many tasks are left, of another loop");
    assert_eq!(look(shared), now);
    // The same after the numbers have begun again.
    shared.ticket.0.store(!LEFT, Relaxed);
    shared.open(&job);
    assert_eq!(look(shared), 9);
}

#[test]
fn a_panic_on_any_thread_reaches_the_loop_s_owner_and_the_pool_goes_on() {
    let pool = Pool::native(3);
    wait_for_workers(&pool);
    for bad in [0, 1] {
        // Every thread takes a task: none ends before all have begun.
        let all_begin = Barrier::new(3 - bad);
        let threads = Mutex::new(Vec::new());
        let caught = catch_unwind(AssertUnwindSafe(|| {
            pool.ranges(3, 100 * DEAR, |range, thread| {
                for _ in range {
                    let first = !threads.lock().unwrap().contains(&thread);
                    threads.lock().unwrap().push(thread);
                    if first && threads.lock().unwrap().len() <= 3 - bad {
                        all_begin.wait();
                    }
                    assert_ne!(thread, bad, "as a kernel's bug would");
                }
            });
        }));
        assert!(caught.is_err());
        assert_eq!(run(&pool, 100, DEAR), vec![1; 100]);
    }
}
