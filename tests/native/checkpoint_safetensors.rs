//! Reading safetensors files: whole, cut and hostile.

use crate::checkpoint::{Collected, read};
use azulejo::Code;
use azulejo::checkpoint::{FileReader, Format, TensorType};
use safetensors::tensor::{Dtype, TensorView};

/// A file with this header and `data` bytes after it.
fn file(header: &str, data: usize) -> Vec<u8> {
    let data: Vec<u8> = (0..data).map(|i| i as u8).collect();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

fn whole(bytes: &[u8]) -> azulejo::Result<Collected> {
    read(Format::Safetensors, bytes, Some(bytes.len() as u64), || usize::MAX)
}

#[test]
fn what_the_reference_crate_writes_is_read() {
    let data: Vec<u8> = (0..48).collect();
    let view = |dtype, shape: &[usize], bytes| TensorView::new(dtype, shape.to_vec(), bytes).unwrap();
    let tensors = [
        ("half", view(Dtype::F16, &[2, 3], &data[..12])),
        ("brain", view(Dtype::BF16, &[4], &data[12..20])),
        ("ids", view(Dtype::I64, &[1], &data[20..28])),
        ("scalar", view(Dtype::F32, &[], &data[28..32])),
        ("full", view(Dtype::F32, &[2, 2], &data[32..])),
    ];
    let notes = [("format".to_owned(), "pt".to_owned())].into_iter().collect();
    let bytes = safetensors::serialize(tensors, Some(notes)).unwrap();
    for cut in [1, 7, 1000] {
        let read = read(Format::Safetensors, &bytes, None, || cut).unwrap();
        assert_eq!(read, whole(&bytes).unwrap());
        assert_eq!(read.header.unread.iter().map(|u| (&*u.name, &*u.dtype)).collect::<Vec<_>>(), [("ids", "I64")]);
        let by_name = |name: &str| read.header.tensors.iter().position(|tensor| tensor.name == name).unwrap();
        let half = by_name("half");
        assert_eq!(
            (read.header.tensors[half].ty, &read.header.tensors[half].shape[..]),
            (TensorType::F16, &[2, 3][..])
        );
        assert_eq!(read.data[half], data[..12]);
        assert_eq!(read.header.tensors[by_name("scalar")].shape, [0usize; 0]);
        assert_eq!(read.data[by_name("full")], data[32..]);
        assert_eq!(read.data[by_name("brain")], data[12..20]);
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let header = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F16","shape":[3],"data_offsets":[8,14]}}"#;
    let bytes = file(header, 14);
    for end in 0..bytes.len() {
        for size in [Some(end as u64), Some(bytes.len() as u64), None] {
            let error = read(Format::Safetensors, &bytes[..end], size, || 3).unwrap_err();
            assert_eq!(error.code, Code::CorruptFile, "cut at {end}: {error}");
        }
    }
}

#[test]
fn a_header_that_lies_is_refused() {
    let refused = |header: &str, data: usize, words: &str| {
        for size in [None, Some((8 + header.len() + data) as u64)] {
            let error = read(Format::Safetensors, &file(header, data), size, || 9).unwrap_err();
            assert_eq!(error.code, Code::CorruptFile, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    };
    refused(
        r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
        4,
        "tensor \"a\": 4 bytes of data, but shape [2] of F32 is 8 bytes",
    );
    refused(r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "expected it to start at 0");
    refused(r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 8, "tensor \"a\": its data is bytes 4 to 0");
    refused(
        r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
        8,
        "tensor \"b\": its data is bytes 4 to 8",
    );
    refused(r#"{"a":{"dtype":"F32","shape":[9223372036854775807,9],"data_offsets":[0,4]}}"#, 4, "more than 64 bits");
    refused(r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "not safetensors JSON");
    refused(
        r#"{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#,
        0,
        "two tensors of this name",
    );
    refused("[1, 2]", 0, "an object of tensors");
    refused(&format!(r#"{{"a":{}"#, "[".repeat(500)), 0, "not safetensors JSON");
    refused(r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 5, "byte 66");
}

#[test]
fn other_types_are_refused_by_name() {
    for dtype in ["F64", "F8_E4M3", "F4", "C64", "NF4"] {
        let header = format!(r#"{{"w":{{"dtype":"{dtype}","shape":[0],"data_offsets":[0,0]}}}}"#);
        let error = whole(&file(&header, 0)).unwrap_err();
        assert_eq!(error.code, Code::UnsupportedQuantization);
        assert!(error.to_string().contains(&format!("tensor \"w\": stored as {dtype:?}")), "{error}");
    }
}

#[test]
fn a_long_header_is_refused_before_it_arrives() {
    let mut reader = FileReader::new(Format::Safetensors, "file", None);
    let error = reader.push(&100_000_001u64.to_le_bytes(), &mut Collected::default()).unwrap_err();
    assert_eq!(error.code, Code::CorruptFile);
    assert!(error.message.contains("a header of 100000001 bytes"), "{error}");
    let error = read(Format::Safetensors, &file("{}", 0), Some(9), || 9).unwrap_err();
    assert!(error.message.contains("the file ends"), "{error}");
}

/// Shards over 4 GiB are common; offsets must not be counted in 32 bits. Only the header is pushed.
#[test]
fn offsets_beyond_4_gib_are_read() {
    let header = r#"{"w":{"dtype":"F16","shape":[65536,65536],"data_offsets":[0,8589934592]},"x":{"dtype":"F32","shape":[1],"data_offsets":[8589934592,8589934596]}}"#;
    let mut reader = FileReader::new(Format::Safetensors, "file", None);
    reader.push(&file(header, 0), &mut Collected::default()).unwrap();
    assert_eq!(reader.header().unwrap().tensors[1].offset, 8 + header.len() as u64 + (8 << 30));
}
