//! What JavaScript sees of the core. The package's worker (`js/host.ts`) is its only caller.

mod beams;
mod classes;
#[cfg(not(target_feature = "atomics"))]
mod gpu;
mod image;
mod loader;
mod looking;
mod matching;
mod model;
mod running;
mod task;
mod texts;
mod value;
mod words;

use crate::device::cpu::pool::Pool;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use wasm_bindgen::prelude::wasm_bindgen;

/// This instance's threads: all models share them.
static POOL: OnceLock<Pool> = OnceLock::new();

fn pool() -> Pool {
    POOL.get_or_init(|| Pool::new(1)).clone()
}

/// The size of an allocation that was refused and ended the instance; 0 until then.
static REFUSED: AtomicUsize = AtomicUsize::new(0);

/// Panics then say on the console what went wrong, before they end as a trap; allocations that fail say it in [`REFUSED`],
/// since whatever else could be said would take memory.
#[wasm_bindgen]
pub fn start() {
    console_error_panic_hook::set_once();
    std::alloc::set_alloc_error_hook(|layout| REFUSED.store(layout.size(), Ordering::Relaxed));
}

/// Where [`REFUSED`] lies in wasm's memory, to be read after a trap, when nothing can be called any more.
#[wasm_bindgen(js_name = refusedAt)]
pub fn refused_at() -> usize {
    REFUSED.as_ptr() as usize
}

/// Before anything is loaded: `threads` of them will compute, of which all but the caller's call `threadMain`.
#[cfg(target_feature = "atomics")]
#[wasm_bindgen(js_name = startPool)]
pub fn start_pool(threads: usize) {
    POOL.get_or_init(|| Pool::new(threads));
}

/// A thread's life: never returns.
#[cfg(target_feature = "atomics")]
#[wasm_bindgen(js_name = threadMain)]
pub fn thread_main(index: usize) {
    pool().work(index)
}
