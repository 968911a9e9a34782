//! What must hold for any bytes that are read as a checkpoint.

use azulejo::Result;
use azulejo::checkpoint::write::{self, NewTensor};
use azulejo::checkpoint::{Format, Header, TensorInfo};

#[path = "../../tests/common/checkpoint.rs"]
mod reading;
use reading::{Collected, read};

use super::bounded;

/// The most that reading may hold at a time, for a file of `bytes` bytes: what a header is parsed into, its vectors
/// while they grow, and the data, which the test's own sink keeps.
fn allowance(bytes: usize) -> usize {
    64 * bytes + 64 * 1024
}

fn measured(format: Format, bytes: &[u8], size: Option<u64>, cut: impl FnMut() -> usize) -> Result<Collected> {
    bounded(allowance(bytes.len()), || read(format, bytes, size, cut))
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
