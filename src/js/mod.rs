//! What JavaScript sees of the core. The package's worker (`js/host/host.ts`) is its only caller.

mod beams;
mod classes;
mod generating;
#[cfg(not(target_feature = "atomics"))]
mod gpu;
mod grammar;
mod image;
mod loader;
mod looking;
mod lora;
mod matching;
mod model;
mod notes;
mod running;
mod task;
mod texts;
mod tokens;
mod value;
mod words;

#[cfg(target_feature = "atomics")]
use crate::device::cpu::pool::Counts;
use crate::device::cpu::pool::Pool;
use std::sync::OnceLock;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    /// Milliseconds, as the page's clock has them. Asked at each step: to find it by its name took as long as ten dispatches.
    #[wasm_bindgen(js_namespace = performance)]
    safe fn now() -> f64;
}

/// This instance's threads: all models share them.
static POOL: OnceLock<Pool> = OnceLock::new();

fn pool() -> Pool {
    POOL.get_or_init(Pool::alone).clone()
}

/// Panics then leave their words in [`notes::NOTES`], before they end as a trap.
#[wasm_bindgen]
pub fn start() {
    notes::hear_panics();
}

/// Where [`notes::NOTES`] lie in wasm's memory.
#[wasm_bindgen(js_name = notesAt)]
pub fn notes_at() -> usize {
    &raw const notes::NOTES as usize
}

/// Before anything is loaded: `threads` of them will compute, of which all but the caller's call `threadMain`.
#[cfg(target_feature = "atomics")]
#[wasm_bindgen(js_name = startPool)]
pub fn start_pool(threads: usize) {
    POOL.get_or_init(|| Pool::new(threads, now));
}

/// A thread's life: never returns.
#[cfg(target_feature = "atomics")]
#[wasm_bindgen(js_name = threadMain)]
pub fn thread_main(index: usize) {
    pool().work(index)
}

/// What the pool has done: [shared, alone, wake-ups, waits, stalls], see [`Counts`].
#[cfg(target_feature = "atomics")]
#[wasm_bindgen(js_name = poolCounts)]
pub fn pool_counts() -> Vec<f64> {
    let Counts { shared, alone, wake_ups, waits, stalls } = pool().counts();
    [shared, alone, wake_ups, waits, stalls].map(|count| count as f64).to_vec()
}
