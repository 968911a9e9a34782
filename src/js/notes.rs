//! What lies where JavaScript reads it without a call, also when the instance has failed and nothing can be called any
//! more: the counts of the heap, the size of an allocation that was refused, and what a panic said. Its reader is
//! `js/host/notes.ts`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::{self, Write};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

/// Numbers of 32 bits, then text.
#[repr(C)]
pub struct Notes {
    /// Bytes that are allocated now, and the most that ever were.
    live: AtomicUsize,
    peak: AtomicUsize,
    /// The size of the last allocation that was refused. Who goes on without it sets it back to 0: `js/host/instance.ts`, where
    /// it hears of "out-of-memory".
    refused: AtomicUsize,
    /// How many bytes of `panic` have been written.
    said: AtomicUsize,
    panic: [AtomicU8; 512],
}

pub static NOTES: Notes = Notes {
    live: AtomicUsize::new(0),
    peak: AtomicUsize::new(0),
    refused: AtomicUsize::new(0),
    said: AtomicUsize::new(0),
    panic: [const { AtomicU8::new(0) }; 512],
};

/// The system's allocator, counted.
struct Counted;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

// SAFETY: everything is left to the system's allocator; the counts touch nothing but themselves.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the system's conditions, here and below.
        NOTES.given(unsafe { System.alloc(layout) }, layout.size(), 0)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        NOTES.given(unsafe { System.alloc_zeroed(layout) }, layout.size(), 0)
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        NOTES.given(unsafe { System.realloc(place, layout, size) }, size, layout.size())
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) };
        NOTES.live.fetch_sub(layout.size(), Ordering::Relaxed);
    }
}

impl Notes {
    /// `place` holds `size` bytes, in place of `before`; or it was refused.
    fn given(&self, place: *mut u8, size: usize, before: usize) -> *mut u8 {
        if place.is_null() {
            self.refused.store(size, Ordering::Relaxed);
            return place;
        }
        // Wraps where it shrinks, and comes out right.
        let more = size.wrapping_sub(before);
        let live = self.live.fetch_add(more, Ordering::Relaxed).wrapping_add(more);
        if live > self.peak.load(Ordering::Relaxed) {
            self.peak.fetch_max(live, Ordering::Relaxed);
        }
        place
    }
}

/// Has the first panic leave its words: what follows is a bare trap.
pub fn hear_panics() {
    static HEARD: AtomicBool = AtomicBool::new(false);
    std::panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        if !HEARD.swap(true, Ordering::Relaxed) {
            // It is cut short where it does not fit.
            let _ = write!(LastWords, "{info}");
        }
    }));
}

struct LastWords;

impl Write for LastWords {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let at = NOTES.said.load(Ordering::Relaxed);
        let fits = NOTES.panic[at..].iter().zip(text.bytes());
        let written = fits.map(|(place, byte)| place.store(byte, Ordering::Relaxed)).count();
        NOTES.said.store(at + written, Ordering::Relaxed);
        Ok(())
    }
}
