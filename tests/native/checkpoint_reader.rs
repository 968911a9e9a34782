//! The checkpoint reader on whole, cut and hostile files.

use crate::checkpoint::{Collected, read};
use crate::fetched::model;
use azulejo::checkpoint::write::{self, NewTensor};
use azulejo::checkpoint::{Array, FileReader, Format, Header, Metadata, MetadataValue, Sink, TensorInfo, TensorType};
use azulejo::{Code, Error, Result};

/// A GGUF file with a value of every type and three tensors.
fn sample() -> Vec<u8> {
    let mut metadata = Metadata::default();
    metadata.insert("general.architecture", MetadataValue::String("none".to_owned()));
    metadata.insert("general.alignment", MetadataValue::U32(64));
    metadata.insert("u8", MetadataValue::U8(1));
    metadata.insert("i8", MetadataValue::I8(-1));
    metadata.insert("u16", MetadataValue::U16(2));
    metadata.insert("i16", MetadataValue::I16(-2));
    metadata.insert("i32", MetadataValue::I32(-3));
    metadata.insert("f32", MetadataValue::F32(0.5));
    metadata.insert("bool", MetadataValue::Bool(true));
    metadata.insert("u64", MetadataValue::U64(u64::MAX));
    metadata.insert("i64", MetadataValue::I64(i64::MIN));
    metadata.insert("f64", MetadataValue::F64(0.25));
    metadata.insert("tokens", MetadataValue::Array(Array::String(vec!["a".into(), String::new(), "→".into()])));
    metadata.insert("scores", MetadataValue::Array(Array::F32(vec![0.0, -1.5])));
    metadata.insert("flags", MetadataValue::Array(Array::Bool(vec![true, false])));
    let inner = vec![Array::I32(vec![1, -2]), Array::I32(vec![]), Array::Array(vec![Array::U8(vec![7])])];
    metadata.insert("nested", MetadataValue::Array(Array::Array(inner)));
    metadata.insert("empty", MetadataValue::Array(Array::U64(vec![])));
    let tensor = |name: &str, ty, shape: &[usize]| {
        let tensor = NewTensor { name: name.to_owned(), ty, shape: shape.to_vec() };
        let data = (0..tensor.bytes()).map(|i| (i * 7 + name.len()) as u8).collect();
        (tensor, data)
    };
    let tensors = [
        tensor("norm", TensorType::F32, &[5]),
        tensor("weight", TensorType::Q4_1, &[3, 64]),
        tensor("cube", TensorType::F16, &[2, 3, 4]),
    ];
    write::file(&metadata, &tensors)
}

fn whole(bytes: &[u8]) -> Result<Collected> {
    read(Format::Gguf, bytes, Some(bytes.len() as u64), || usize::MAX)
}

/// Where the header of a file ends.
fn header_end(bytes: &[u8]) -> usize {
    let mut reader = FileReader::new(Format::Gguf, "file", None);
    let mut ends = bytes.chunks(1).map(|byte| {
        reader.push(byte, &mut Collected::default()).unwrap();
        reader.header().is_some()
    });
    ends.position(|ended| ended).unwrap() + 1
}

#[test]
fn what_is_written_is_read() {
    let read = whole(&sample()).unwrap();
    let Header { metadata, tensors, .. } = &read.header;
    assert_eq!((metadata.len(), metadata.str("general.architecture")), (17, Some("none")));
    assert_eq!(metadata.strings("tokens").unwrap(), ["a", "", "→"]);
    assert_eq!(metadata.iter().last().unwrap().0, "empty");
    let shapes: Vec<_> =
        tensors.iter().map(|t| (t.name.as_str(), t.ty, t.shape.clone(), t.offset % 64, t.bytes)).collect();
    let expected = [
        ("norm", TensorType::F32, vec![5], 0, 20),
        ("weight", TensorType::Q4_1, vec![3, 64], 0, 120),
        ("cube", TensorType::F16, vec![2, 3, 4], 0, 48),
    ];
    assert_eq!(shapes, expected);
    assert_eq!(read.data[2][..3], [4, 11, 18]);
    let data: Vec<_> = tensors.iter().zip(&read.data).collect();
    let new = |t: &TensorInfo| NewTensor { name: t.name.clone(), ty: t.ty, shape: t.shape.clone() };
    let again: Vec<_> = data.into_iter().map(|(tensor, data)| (new(tensor), data.clone())).collect();
    assert_eq!(write::file(metadata, &again), sample());
}

#[test]
fn the_cuts_do_not_matter() {
    let bytes = sample();
    let whole = whole(&bytes).unwrap();
    for length in [1, 2, 3, 7, 8, 64, 1000] {
        assert_eq!(read(Format::Gguf, &bytes, None, || length).unwrap(), whole, "pieces of {length}");
    }
    // A cut at every place, and empty pieces between.
    for at in 0..bytes.len() {
        let mut pieces = [at, 0, usize::MAX].into_iter();
        assert_eq!(read(Format::Gguf, &bytes, None, || pieces.next().unwrap()).unwrap(), whole, "cut at {at}");
    }
}

/// A parser that started again with each piece would take hours.
#[test]
fn a_large_vocabulary_arrives_in_small_pieces() {
    let tokens: Vec<String> = (0..200_000).map(|i| format!("token {i}")).collect();
    let mut metadata = Metadata::default();
    metadata.insert("scores", MetadataValue::Array(Array::F32(vec![-1.0; tokens.len()])));
    metadata.insert("template", MetadataValue::String("{{ message }}".repeat(50_000)));
    metadata.insert("tokens", MetadataValue::Array(Array::String(tokens)));
    let bytes = write::file(&metadata, &[]);
    assert!(read(Format::Gguf, &bytes, None, || 3).unwrap().header.metadata == metadata);
}

#[test]
fn version_2_is_read_and_others_are_refused() {
    let mut bytes = sample();
    bytes[4] = 2;
    assert_eq!(whole(&bytes).unwrap(), whole(&sample()).unwrap());
    for version in [[0, 0, 0, 0], [1, 0, 0, 0], [4, 0, 0, 0]] {
        bytes[4..8].copy_from_slice(&version);
        assert_eq!(whole(&bytes).unwrap_err().code, Code::UnsupportedModel);
    }
    bytes[4..8].copy_from_slice(&[0, 0, 0, 3]);
    let error = whole(&bytes).unwrap_err();
    assert_eq!(error.code, Code::UnsupportedModel);
    assert!(error.message.starts_with("big-endian GGUF is not supported"), "{error}");
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let bytes = sample();
    // Not in the last tensor's padding: nothing is missing there.
    let data_end = bytes.len() - (64 - 48);
    for end in 0..data_end {
        // As the user's file, whose size is known; as a download, whose end comes early; as a stream of unknown size.
        for (size, cut) in [(Some(end), 50), (Some(bytes.len()), 50), (None, 1)] {
            let error = read(Format::Gguf, &bytes[..end], size.map(|size| size as u64), || cut).unwrap_err();
            assert_eq!(error.code, Code::CorruptFile, "cut at {end}: {error}");
            assert_eq!(error.place.file.as_deref(), Some("file"));
            assert!(error.place.offset.is_some_and(|offset| offset <= bytes.len() as u64), "cut at {end}: {error}");
        }
    }
    let error = read(Format::Gguf, &bytes[..bytes.len() - 1], Some(bytes.len() as u64), || 99).unwrap_err();
    assert_eq!(error.code, Code::CorruptFile);
}

#[test]
fn a_cut_file_says_what_is_missing() {
    let bytes = sample();
    let message = |end: usize| read(Format::Gguf, &bytes[..end], None, || 9).unwrap_err().to_string();
    assert_eq!(message(0), "cut off in the first 24 bytes of the header (file, byte 0)");
    assert_eq!(message(40), "cut off in the metadata: key 1 and 16 more (file, byte 40)");
    let end = header_end(&bytes);
    assert_eq!(message(end - 1), format!("cut off in the list of tensors: 2 of 3 are there (file, byte {})", end - 1));
    let data = end.next_multiple_of(64);
    let expected = format!(
        "tensor \"norm\": cut off: 3 of 20 bytes are there, and 2 tensors after it are missing (file, byte {})",
        data + 3
    );
    assert_eq!(message(data + 3), expected);
}

/// The 24 bytes that a file starts with, and then what follows.
fn gguf(tensors: u64, keys: u64, rest: &[&[u8]]) -> Vec<u8> {
    let counts = [tensors.to_le_bytes(), keys.to_le_bytes()].concat();
    [b"GGUF\x03\0\0\0", &counts[..], &rest.concat()].concat()
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

/// A tensor's description; the shape innermost first, as the file has it.
fn tensor(name: &str, shape: &[u64], ty: u32, offset: u64) -> Vec<u8> {
    let mut out = string(name);
    out.extend((shape.len() as u32).to_le_bytes());
    out.extend(shape.iter().flat_map(|dimension| dimension.to_le_bytes()));
    out.extend(ty.to_le_bytes());
    out.extend(offset.to_le_bytes());
    out
}

/// A key, its type, and the bytes of its value.
fn key(name: &str, ty: u32, value: &[u8]) -> Vec<u8> {
    [&string(name)[..], &ty.to_le_bytes(), value].concat()
}

/// What a file is refused with, its size unknown and known. The two verdicts have the same code.
fn refused(bytes: &[u8]) -> Error {
    let unknown = read(Format::Gguf, bytes, None, || 5).unwrap_err();
    let known = whole(bytes).unwrap_err();
    assert_eq!(unknown.code, known.code, "{unknown} / {known}");
    assert!(unknown.place.offset.is_some() && known.place.offset.is_some(), "{unknown} / {known}");
    unknown
}

/// `refused`, as corrupt, with words that the message has.
fn corrupt(bytes: &[u8], words: &str) {
    let error = refused(bytes);
    assert_eq!(error.code, Code::CorruptFile, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn what_is_not_gguf_is_refused() {
    corrupt(b"PK\x03\x04 and so on", r#"it starts with "PK\x03\x04""#);
    corrupt(b"<!DOCTYPE html>", r#"it starts with "<!DO""#);
    corrupt(b"", "cut off");
}

#[test]
fn huge_counts_and_lengths_are_refused_at_once() {
    let huge = u64::MAX.to_le_bytes();
    corrupt(&gguf(u64::MAX, 0, &[]), "18446744073709551615 tensors");
    corrupt(&gguf(0, u64::MAX, &[]), "18446744073709551615 metadata keys");
    corrupt(&gguf(0, 1, &[&huge]), "a metadata key of 18446744073709551615 bytes");
    corrupt(&gguf(0, 1, &[&key("a", 8, &huge)]), "metadata key \"a\": a string of 18446744073709551615 bytes");
    for ty in 0..=12u32 {
        let array = [&ty.to_le_bytes()[..], &huge].concat();
        corrupt(&gguf(0, 1, &[&key("a", 9, &array)]), "an array of 18446744073709551615 elements");
    }
    corrupt(&gguf(1, 0, &[&huge, &[0; 24]]), "a tensor's name of 18446744073709551615 bytes");
    // Not so huge, but more than the file can have: without its size this waits for more, with it not.
    let error = whole(&gguf(1000, 1000, &[])).unwrap_err();
    assert!(error.message.contains("1000 tensors and 1000 keys needs 45000 bytes"), "{error}");
}

#[test]
fn metadata_that_makes_no_sense_is_refused() {
    corrupt(&gguf(0, 1, &[&key("a", 13, &[0; 16])]), "metadata key \"a\": value type 13");
    corrupt(&gguf(0, 1, &[&key("a", 9, &[99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])]), "value type 99");
    corrupt(&gguf(0, 1, &[&key("a", 7, &[2])]), "2 as a boolean");
    corrupt(&gguf(0, 2, &[&key("a", 7, &[1]), &key("a", 7, &[1])]), "\"a\" is there twice");
    corrupt(&gguf(0, 1, &[&key("a", 8, &[2, 0, 0, 0, 0, 0, 0, 0, 0xc3, 0x28])]), "utf-8");
    // Arrays of one array each, 5 deep.
    let nested = [9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0].repeat(5);
    corrupt(&gguf(0, 1, &[&key("a", 9, &nested)]), "nested more than 4 deep");
    for alignment in [0u32, 3, 48, 1 << 30] {
        let bytes = gguf(0, 1, &[&key("general.alignment", 4, &alignment.to_le_bytes())]);
        corrupt(&bytes, &format!("general.alignment is {alignment}, expected a power of two"));
    }
    corrupt(&gguf(0, 1, &[&key("general.alignment", 7, &[1])]), "general.alignment is true");
    corrupt(&gguf(0, 1, &[&key("general.alignment", 5, &64i32.to_le_bytes())]), "general.alignment is 64");
}

/// A file of tensors, with `data` bytes after the header.
fn file(tensors: &[Vec<u8>], data: usize) -> Vec<u8> {
    let mut bytes = gguf(tensors.len() as u64, 0, &tensors.iter().map(Vec::as_slice).collect::<Vec<_>>());
    bytes.resize(bytes.len().next_multiple_of(32) + data, 1);
    bytes
}

#[test]
fn shapes_that_make_no_sense_are_refused() {
    corrupt(&file(&[tensor("t", &[], 0, 0)], 99), "tensor \"t\": 0 dimensions");
    corrupt(&file(&[tensor("t", &[1; 5], 0, 0)], 99), "tensor \"t\": 5 dimensions");
    corrupt(&file(&[tensor("t", &[32, 0], 0, 0)], 99), "tensor \"t\": a dimension of 0");
    corrupt(&file(&[tensor("t", &[33, 2], 2, 0)], 99), "rows of 33 are not whole blocks of Q4_0 (32 elements)");
    corrupt(&file(&[tensor("t", &[288], 12, 0)], 999), "rows of 288 are not whole blocks of Q4_K");
    corrupt(&file(&[tensor("t", &[192], 41, 0)], 999), "rows of 192 are not whole blocks of Q1_0 (128 elements)");
    corrupt(&file(&[tensor("t", &[128], 34, 0)], 999), "rows of 128 are not whole blocks of TQ1_0");
    corrupt(&file(&[tensor("t", &[1 << 32, 1 << 32, 2], 0, 0)], 99), "more bytes than 64 bits can count");
    corrupt(&file(&[tensor("t", &[u64::MAX], 0, 0)], 99), "tensor \"t\": ");
    corrupt(&file(&[tensor("t", &[8], 0, 0), tensor("t", &[8], 0, 32)], 64), "two tensors of this name");
}

#[test]
fn types_that_are_not_read_are_refused_by_name() {
    for (ty, name) in [(16, "IQ2_XXS"), (42, "Q2_0"), (40, "NVFP4"), (26, "I32"), (9, "Q8_1")] {
        let error = refused(&file(&[tensor("blk.0.attn_q.weight", &[256], ty, 0)], 256));
        assert_eq!(error.code, Code::UnsupportedQuantization);
        assert!(
            error.to_string().starts_with(&format!("tensor \"blk.0.attn_q.weight\": stored as {name}, ")),
            "{error}"
        );
    }
    assert_eq!(refused(&file(&[tensor("t", &[256], 1000, 0)], 256)).code, Code::UnsupportedQuantization);
}

#[test]
fn places_that_make_no_sense_are_refused() {
    let two = |a: u64, b: u64| [tensor("a", &[16], 0, a), tensor("b", &[16], 0, b)];
    assert!(whole(&file(&two(64, 0), 128)).is_ok(), "any order");
    assert!(whole(&file(&two(0, 96), 160)).is_ok(), "gaps");
    corrupt(&file(&two(0, 40), 999), "offset 40 is not a multiple of the alignment, 32");
    corrupt(&file(&two(0, 32), 999), "inside that of \"a\"");
    corrupt(&file(&two(32, 0), 999), "inside that of \"b\"");
    corrupt(&file(&two(0, 0), 999), "inside that of");
    corrupt(&file(&two(0, u64::MAX - 31), 999), "beyond what 64 bits can count");
    corrupt(&file(&two(0, 1 << 62), 999), "tensor \"b\"");
    // With the size known, the header is enough to refuse it.
    let bytes = file(&two(0, 64), 127);
    let error = read(Format::Gguf, &bytes[..bytes.len() - 127], Some(bytes.len() as u64), || 9).unwrap_err();
    assert!(error.to_string().starts_with("tensor \"b\": its data is bytes "), "{error}");
}

#[test]
fn more_bytes_than_the_file_has_are_refused() {
    let bytes = sample();
    let longer = [&bytes[..], &[0]].concat();
    let error = read(Format::Gguf, &longer, Some(bytes.len() as u64), || 99).unwrap_err();
    assert_eq!((error.code, error.place.offset), (Code::CorruptFile, Some(bytes.len() as u64)));
}

#[test]
fn a_header_that_never_ends_is_refused() {
    // One key after the other for more than 64 MiB: strings of 1 MiB.
    let mut reader = FileReader::new(Format::Gguf, "file", None);
    reader.push(&gguf(0, 1000, &[]), &mut Collected::default()).unwrap();
    let text = "x".repeat(1 << 20);
    let refused = (0..100).find_map(|i| {
        reader.push(&key(&format!("k{i}"), 8, &string(&text)), &mut Collected::default()).err().map(|error| (i, error))
    });
    let (i, error) = refused.unwrap();
    assert_eq!((i, error.code), (63, Code::CorruptFile));
    assert!(error.message.contains("beyond 64 MiB"), "{error}");
    // And it stays refused.
    assert_eq!(reader.push(b"x", &mut Collected::default()).unwrap_err().message, error.message);
    assert_eq!(reader.finish().unwrap_err().message, error.message);
}

/// Wants one tensor, and counts what comes.
#[derive(Default)]
struct One {
    bytes: u64,
    ended: Vec<String>,
}

impl Sink for One {
    fn header(&mut self, _: &Header) -> Result<()> {
        Ok(())
    }
    fn wants(&mut self, tensor: &TensorInfo) -> bool {
        tensor.name == "weight"
    }
    fn data(&mut self, tensor: &TensorInfo, bytes: &[u8]) -> Result<()> {
        assert_eq!(tensor.name, "weight");
        self.bytes += bytes.len() as u64;
        Ok(())
    }
    fn end(&mut self, tensor: &TensorInfo) -> Result<()> {
        self.ended.push(tensor.name.clone());
        Err(Error::new(Code::OutOfMemory, "no room"))
    }
}

#[test]
fn what_is_not_wanted_is_passed_over_and_a_sinks_error_is_placed() {
    let bytes = sample();
    let mut reader = FileReader::new(Format::Gguf, "model.gguf", None);
    let mut sink = One::default();
    let error = bytes.chunks(10).find_map(|piece| reader.push(piece, &mut sink).err()).unwrap();
    assert_eq!((sink.bytes, sink.ended), (120, vec!["weight".to_owned()]));
    assert_eq!((error.code, error.place.tensor.as_deref()), (Code::OutOfMemory, Some("weight")));
    assert_eq!(error.place.file.as_deref(), Some("model.gguf"));
}

#[test]
fn the_header_alone_is_enough_to_look_at_a_file() {
    let bytes = sample();
    let mut reader = FileReader::new(Format::Gguf, "file", Some(bytes.len() as u64));
    let end = header_end(&bytes);
    reader.push(&bytes[..end], &mut One::default()).unwrap();
    assert_eq!(reader.header().unwrap().tensors.len(), 3);
}

#[test]
#[ignore = "reads a fetched checkpoint: scripts/cargo-test.mjs runs it"]
fn a_real_file_is_read() {
    let bytes = model();
    let mut lengths = [1usize, 17, 4096, 1 << 20].into_iter().cycle();
    let pieces = read(Format::Gguf, &bytes, Some(bytes.len() as u64), || lengths.next().unwrap()).unwrap();
    assert!(pieces == whole(&bytes).unwrap());
    assert!(!pieces.header.tensors.is_empty());
    for (tensor, data) in pieces.header.tensors.iter().zip(&pieces.data) {
        let mut out = vec![0.0; tensor.shape.iter().product()];
        tensor.ty.dequantize(data, &mut out);
        assert!(out.iter().all(|x| x.is_finite() && x.abs() < 1e3), "{}", tensor.name);
    }
}
