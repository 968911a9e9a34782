//! Loops that meet each other, threads that come and go, and panics.

use super::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

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

/// Whoever falls asleep just as a loop opens misses it: not here.
fn rouse(pool: &Pool) {
    for worker in pool.0.workers.lock().unwrap().iter() {
        if worker.asleep.swap(false, AcqRel) {
            pool.0.sleeping.fetch_sub(1, Relaxed);
            worker.thread.unpark();
        }
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
        if random >> 16 & 0xff == 0 {
            // Some of the workers fall asleep, and others are about to.
            (0..SPINS).for_each(|_| std::hint::spin_loop());
            pool.begin_pass();
        }
    }
    let counts = pool.counts();
    assert_eq!(counts.shared + counts.alone, rounds);
}

#[test]
fn nobody_is_waited_for_who_has_taken_nothing() {
    // Workers that never come.
    let pool = Pool::new(3, now);
    assert_eq!(run(&pool, 100, DEAR), vec![1; 100]);
    assert_eq!(pool.counts(), Counts { shared: 1, ..Counts::default() });
}

#[test]
fn who_has_seen_a_loop_that_is_over_takes_nothing_of_the_next() {
    let (share, nothing) = (Share::default(), || ());
    share.open(u32::MAX, 3..9);
    let seen = share.state();
    while share.take(Half::Last, nothing).is_some() {}
    // The numbers begin again.
    share.open(0, 3..9);
    let now = share.state();
    assert_eq!(share.claim(seen, Half::First, nothing), Err(now), "as many tasks are left, of another loop");
    assert_eq!(share.state(), now);
}

#[test]
fn a_share_s_thread_takes_the_next_half_and_others_the_last() {
    let (share, of_loop) = (Share::default(), || 7);
    share.open(1, 10..MOST_TASKS);
    let middle = 10 + (MOST_TASKS - 10).div_ceil(2);
    assert_eq!(share.take(Half::First, of_loop), Some((7, 10..middle)));
    share.open(2, 10..15);
    assert_eq!(share.take(Half::Last, of_loop), Some((7, 12..15)));
    assert_eq!(share.take(Half::First, of_loop), Some((7, 10..11)));
    assert!(share.has_tasks());
    assert_eq!(share.close(), 1);
    assert!(!share.has_tasks());
    assert_eq!(share.take(Half::First, of_loop), None);
}

#[test]
fn shares_are_equal_and_all_there_is() {
    for threads in [1, 2, 3, 64] {
        let pool = Pool::new(threads, now);
        for tasks in [1, 2, 63, 64, 65, MOST_TASKS] {
            let firsts: Vec<usize> = (0..=threads).map(|thread| pool.0.first(tasks, thread)).collect();
            assert_eq!((firsts[0], firsts[threads]), (0, tasks));
            let lengths = firsts.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(lengths.clone().max().unwrap() - lengths.min().unwrap() <= 1, "{firsts:?}");
        }
    }
}

#[test]
fn a_panic_on_any_thread_reaches_the_loop_s_owner_and_the_pool_goes_on() {
    let pool = Pool::native(3);
    wait_for_workers(&pool);
    for owner_fails in [true, false] {
        let begun = AtomicBool::new(false);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            pool.ranges(9, DEAR, |_, thread| {
                if (thread == 0) == owner_fails {
                    begun.store(true, Relaxed);
                    panic!("as a kernel's bug would");
                }
                while !begun.load(Relaxed) {
                    rouse(&pool);
                    thread::yield_now();
                }
            });
        }));
        assert!(caught.is_err(), "the owner fails: {owner_fails}");
        assert_eq!(run(&pool, 100, DEAR), vec![1; 100]);
    }
}

#[test]
fn a_loop_inside_a_loop_and_one_beside_it_are_run_by_their_callers() {
    let pool = Pool::native(3);
    pool.ranges(9, DEAR, |range, _| {
        for _ in range {
            assert_eq!(run(&pool, 50, DEAR), vec![1; 50]);
        }
    });
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..20).for_each(|_| assert_eq!(run(&pool, 50, DEAR), vec![1; 50])));
        }
    });
}

#[test]
fn after_a_stall_one_thread_goes_on_alone_longer_each_time_until_all_is_well() {
    let pace = Pace::default();
    let millisecond = 25_000_000;
    let alone = || (1..).find(|_| pace.shares(millisecond)).unwrap() - 1;
    assert_eq!(alone(), 0);
    for expected in [8, 32, 128, 512, 512] {
        pace.stalled();
        assert_eq!(pace.next_pass(false), 0, "nobody is woken for it");
        assert_eq!(alone(), expected);
    }
    (0..50).for_each(|_| pace.went_well(millisecond));
    pace.stalled();
    assert_eq!(alone(), 8);
    assert!(!pace.shares(pace::SHARED - 1), "too little");
    assert!(pace.next_pass(false) > 0);
    pace.shares(millisecond);
    assert_eq!(pace.next_pass(true), 0, "nobody is woken for what one does");
    assert!(!pace.shares(millisecond));
}

#[test]
fn where_threads_are_slower_than_one_a_pass_is_computed_alone() {
    static NOW: AtomicU64 = AtomicU64::new(0);
    let pool = Pool::new(2, || NOW.load(Relaxed) as f64);
    for _ in 0..60 {
        pool.begin_pass();
        let before = pool.counts().shared;
        pool.ranges(9, pace::MILLISECOND as usize, |_, _| {});
        NOW.fetch_add(if pool.counts().shared > before { 20 } else { 10 }, Relaxed);
        pool.end_pass();
    }
    let Counts { shared, alone, .. } = pool.counts();
    assert!(shared < 20 && shared + alone == 60, "{shared} shared, {alone} alone");
}
