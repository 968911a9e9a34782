//! safetensors headers: a length (u64), then JSON that says type, shape and place of each tensor.
//!
//! Not through the `safetensors` crate's parser, which counts in `usize`: in wasm that refuses every shard over
//! 4 GiB, though it streams; and it cannot say which tensor is wrong, nor pass over types it does not know.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};

use super::header::{Header, HeaderStep, Limit, TensorInfo, UnreadTensor};
use super::{Metadata, TensorType};
use crate::error::{Code, Error, Result};

/// The length in front of the JSON.
const PREFIX: usize = 8;

/// One entry of the header.
#[derive(Deserialize)]
struct HeaderEntry {
    dtype: String,
    shape: Vec<u64>,
    /// From the end of the header.
    data_offsets: (u64, u64),
}

/// All entries, in the order of the JSON.
struct Entries(Vec<(String, HeaderEntry)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        // Notes of whoever wrote the file; nothing here needs them.
                        map.next_value::<HashMap<String, String>>()?;
                    } else {
                        entries.push((name, map.next_value()?));
                    }
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}

pub(super) struct SafetensorsParser {
    limit: Limit,
    header: Option<Entries>,
}

impl SafetensorsParser {
    pub fn new(limit: Limit) -> Self {
        Self { limit, header: None }
    }

    /// Reads the header once it is all there.
    pub fn step(&mut self, offset: u64, bytes: &[u8]) -> Result<HeaderStep> {
        if self.header.is_some() {
            return Ok(HeaderStep::Done);
        }
        let Some((prefix, json)) = bytes.split_first_chunk::<PREFIX>() else {
            self.limit.check(offset, PREFIX as u64, || "the header's length".to_owned())?;
            return Ok(HeaderStep::Need(PREFIX));
        };
        let length = u64::from_le_bytes(*prefix);
        self.limit.check(PREFIX as u64, length, || format!("a header of {length} bytes"))?;
        // In range: the limit is far below what usize holds.
        let end = PREFIX + length as usize;
        let Some(json) = json.get(..length as usize) else { return Ok(HeaderStep::Need(end)) };
        let entries = serde_json::from_slice(json).map_err(|error| {
            Error::corrupt(format!("the header is not safetensors JSON: {error}")).at(PREFIX as u64)
        })?;
        self.header = Some(entries);
        Ok(HeaderStep::Took(end))
    }

    /// The header, which ends at byte `data`, with the tensors' places checked, and the size that they give the file.
    pub fn take_header(&mut self, data: u64, size: Option<u64>) -> Result<(Header, u64)> {
        let mut entries = self.header.take().map(|entries| entries.0).unwrap_or_default();
        entries.sort_by_key(|(_, entry)| entry.data_offsets);
        let mut header = Header { metadata: Metadata::default(), ..Header::default() };
        let mut names = HashSet::new();
        let mut end = 0;
        for (name, entry) in &entries {
            let placed = check(entry, end).map_err(|error| error.in_tensor(name))?;
            if !names.insert(name) {
                return Err(Error::corrupt("there are two tensors of this name").in_tensor(name));
            }
            match placed {
                Some((ty, shape)) => {
                    let (offset, bytes) = (data.saturating_add(end), entry.data_offsets.1 - end);
                    header.tensors.push(TensorInfo { name: name.clone(), ty, shape, offset, bytes });
                }
                None => header.unread.push(UnreadTensor { name: name.clone(), dtype: entry.dtype.clone() }),
            }
            end = entry.data_offsets.1;
        }
        let Some(end) = data.checked_add(end) else {
            return Err(Error::corrupt("the tensors' data is more than 64 bits can count"));
        };
        match size.filter(|size| *size != end) {
            Some(size) => Err(Error::corrupt(format!("the tensors end at byte {end}, but the file has {size} bytes"))),
            None => Ok((header, end)),
        }
    }
}

/// Checks that a tensor has the size that its shape says and follows the one before without a gap, as the format asks.
/// `None` for a type that is passed over.
fn check(entry: &HeaderEntry, before: u64) -> Result<Option<(TensorType, Vec<usize>)>> {
    let (ty, element) = dtype(&entry.dtype)?;
    let (begin, end) = entry.data_offsets;
    if begin != before || end < begin {
        let message = format!(
            "its data is bytes {begin} to {end} of the data; expected it to start at {before}, where the one before ends"
        );
        return Err(Error::corrupt(message));
    }
    let shape = &entry.shape;
    let bytes = shape.iter().try_fold(element, |bytes, dimension| bytes.checked_mul(*dimension));
    if bytes != Some(end - begin) {
        let message = format!(
            "{} bytes of data, but shape {shape:?} of {} is {} bytes",
            end - begin,
            entry.dtype,
            match bytes {
                Some(bytes) => bytes.to_string(),
                None => "more than 64 bits can count".to_owned(),
            }
        );
        return Err(Error::corrupt(message));
    }
    let Some(ty) = ty else { return Ok(None) };
    let fits: Option<Vec<usize>> = shape.iter().map(|dimension| usize::try_from(*dimension).ok()).collect();
    fits.map(|shape| Some((ty, shape))).ok_or_else(|| Error::corrupt(format!("shape {shape:?} is too large")))
}

/// What a type is called here (`None` where it is passed over), and the bytes of an element.
fn dtype(name: &str) -> Result<(Option<TensorType>, u64)> {
    Ok(match name {
        "F32" => (Some(TensorType::F32), 4),
        "F16" => (Some(TensorType::F16), 2),
        "BF16" => (Some(TensorType::BF16), 2),
        "BOOL" | "U8" | "I8" => (None, 1),
        "U16" | "I16" => (None, 2),
        "U32" | "I32" => (None, 4),
        "U64" | "I64" => (None, 8),
        _ => {
            let message = format!("stored as {name:?}, which is not supported; supported are F32, F16 and BF16");
            return Err(Error::new(Code::UnsupportedQuantization, message));
        }
    })
}
