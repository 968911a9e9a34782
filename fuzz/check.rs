//! What must hold for any bytes that are read as a checkpoint. Run by the fuzz targets on what they invent, and
//! by `tests/fuzz_corpus.rs` on the corpus.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use azulejo::Result;
use azulejo::checkpoint::write::{self, NewTensor};
use azulejo::checkpoint::{Format, Header, TensorInfo};

#[path = "../tests/common/checkpoint.rs"]
mod reading;
use reading::{Collected, read};

/// Counts what each thread has allocated.
pub struct Counting;

thread_local! {
    static LIVE: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
}

fn count(bytes: i64) {
    LIVE.set(LIVE.get() + bytes);
    PEAK.set(PEAK.get().max(LIVE.get()));
}

// Safety: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The most that reading may hold at a time, for a file of `bytes` bytes: what a header is parsed into, its vectors
/// while they grow, and the data, which the test's own sink keeps.
fn allowance(bytes: usize) -> i64 {
    64 * bytes as i64 + 64 * 1024
}

fn measured(format: Format, bytes: &[u8], size: Option<u64>, cut: impl FnMut() -> usize) -> Result<Collected> {
    let before = LIVE.get();
    PEAK.set(before);
    let read = read(format, bytes, size, cut);
    let held = PEAK.get() - before;
    assert!(held <= allowance(bytes.len()), "{held} bytes allocated for a file of {}", bytes.len());
    read
}

/// Pieces of 1 to 64 bytes, mostly short, the same for the same bytes.
fn cuts(bytes: &[u8]) -> impl FnMut() -> usize {
    // FNV-1a, then xorshift.
    let mut state =
        bytes.iter().fold(0xcbf29ce484222325u64, |hash, byte| (hash ^ *byte as u64).wrapping_mul(0x100000001b3)) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        1 + (state >> 32) as usize % (1 << (state % 7))
    }
}

/// Reads `bytes` whole, in pieces, and in pieces without knowing their number; nothing may panic or allocate beyond
/// its allowance, and all must agree. What was read is dequantized, and written and read again.
pub fn check(format: Format, bytes: &[u8]) {
    let size = Some(bytes.len() as u64);
    let whole = measured(format, bytes, size, || usize::MAX);
    let pieces = measured(format, bytes, size, cuts(bytes));
    let unknown = measured(format, bytes, None, cuts(bytes));
    assert_eq!(whole.is_ok(), unknown.is_ok(), "the size changes the verdict: {:?} {:?}", whole.err(), unknown.err());
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => {
            assert_same(&whole, &pieces);
            assert_same(&whole, &unknown.expect("was compared above"));
            whole.header.tensors.iter().zip(&whole.data).for_each(|(tensor, data)| dequantize(tensor, data));
            if format == Format::Gguf {
                let again = write::file(&whole.header.metadata, &tensors(&whole));
                let again = read(format, &again, Some(again.len() as u64), || usize::MAX);
                assert_same(&whole, &again.expect("what was written is read"));
            }
        }
        (Err(whole), Err(pieces)) => {
            assert_eq!((whole.code, &whole.message, &whole.place), (pieces.code, &pieces.message, &pieces.place));
            assert_eq!(whole.place.file.as_deref(), Some("file"), "{whole}");
            assert!(whole.place.offset.is_some(), "{whole}");
        }
        (whole, pieces) => panic!("the cuts change the verdict: {:?} {:?}", whole.err(), pieces.err()),
    }
}

fn tensors(read: &Collected) -> Vec<(NewTensor, Vec<u8>)> {
    let new = |tensor: &TensorInfo| NewTensor { name: tensor.name.clone(), ty: tensor.ty, shape: tensor.shape.clone() };
    read.header.tensors.iter().map(new).zip(read.data.iter().cloned()).collect()
}

/// Compares metadata as it is written: a NaN is not equal to itself. Offsets may differ by gaps.
fn assert_same(a: &Collected, b: &Collected) {
    let metadata = |header: &Header| write::header(&header.metadata, &[]);
    assert!(metadata(&a.header) == metadata(&b.header), "the metadata differs");
    assert!(tensors(a) == tensors(b) && a.header.unread == b.header.unread, "the tensors differ");
}

fn dequantize(tensor: &TensorInfo, data: &[u8]) {
    let mut block = vec![0.0; tensor.ty.block_len()];
    data.chunks_exact(tensor.ty.block_bytes()).for_each(|bytes| tensor.ty.dequantize(bytes, &mut block));
}
