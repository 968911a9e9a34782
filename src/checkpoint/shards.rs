//! Models in several files: which belong together.

use super::{Metadata, MetadataValue};
use crate::error::{Code, Error, Result};

/// More shards than this are refused: the largest published checkpoints have a few hundred.
const MAX_SHARDS: u32 = 4096;

/// What a GGUF file says about the set of files that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shards {
    /// Which one this is, from 0. The first has the metadata of all.
    pub index: u32,
    /// How many files there are.
    pub count: u32,
    /// How many tensors all files have together.
    pub tensors: Option<u64>,
}

impl Metadata {
    /// Which of how many files this is; `None` for a model in a single file.
    pub fn shards(&self) -> Result<Option<Shards>> {
        if !self.contains("split.count") {
            return Ok(None);
        }
        let (count, index) = (self.u32("split.count"), self.u32("split.no"));
        match (count, index) {
            // gguf-split --no-split and merged files keep the key.
            (Some(0), _) => Ok(None),
            (Some(count), Some(index)) if index < count && count <= MAX_SHARDS => {
                Ok(Some(Shards { index, count, tensors: self.u64("split.tensors.count") }))
            }
            _ => {
                let said = |key| self.get(key).map_or("missing".to_string(), MetadataValue::to_string);
                let (index, count) = (said("split.no"), said("split.count"));
                let message = format!("split.no is {index} and split.count {count}: not a shard of 1 to {MAX_SHARDS}");
                Err(Error::corrupt(message))
            }
        }
    }
}

/// The names of all files of a GGUF model in `count` files, from the first one's: `x-00001-of-00003.gguf`.
pub fn shard_names(first: &str, count: u32) -> Result<Vec<String>> {
    let suffix = format!("-00001-of-{count:05}.gguf");
    let Some(stem) = first.strip_suffix(&suffix).filter(|_| (1..=MAX_SHARDS).contains(&count)) else {
        let message = format!("{first:?} is the first of {count} files, so its name should end in {suffix:?}");
        return Err(Error::new(Code::MissingFile, message).in_file(first));
    };
    Ok((1..=count).map(|index| format!("{stem}-{index:05}-of-{count:05}.gguf")).collect())
}

/// The files that a `model.safetensors.index.json` names, sorted, each once. Plain file names only: the index comes
/// from outside and must not reach beyond its folder.
pub fn safetensors_shards(index: &str) -> Result<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: std::collections::HashMap<String, String>,
    }
    let index: Index =
        serde_json::from_str(index).map_err(|error| Error::corrupt(format!("not a safetensors index: {error}")))?;
    let mut files: Vec<String> = index.weight_map.into_values().collect();
    files.sort_unstable();
    files.dedup();
    if let Some(bad) = files.iter().find(|file| !is_plain(file)) {
        return Err(Error::corrupt(format!(
            "the index names {bad:?}, which is not the plain name of a .safetensors file"
        )));
    }
    if files.is_empty() || files.len() > MAX_SHARDS as usize {
        return Err(Error::corrupt(format!("the index names {} files, expected 1 to {MAX_SHARDS}", files.len())));
    }
    Ok(files)
}

fn is_plain(file: &str) -> bool {
    let ordinary = |c: char| c.is_alphanumeric() || "-_. +".contains(c);
    file.ends_with(".safetensors") && !file.starts_with('.') && file.len() <= 255 && file.chars().all(ordinary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::MetadataValue;

    #[test]
    fn a_single_file_has_no_shards() {
        assert_eq!(Metadata::default().shards().unwrap(), None);
    }

    #[test]
    fn shards_are_found_and_named() {
        let mut metadata = Metadata::default();
        metadata.insert("split.no", MetadataValue::U16(1));
        metadata.insert("split.count", MetadataValue::U16(3));
        metadata.insert("split.tensors.count", MetadataValue::I32(290));
        let shards = Shards { index: 1, count: 3, tensors: Some(290) };
        assert_eq!(metadata.shards().unwrap(), Some(shards));
        let names = ["m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf"];
        assert_eq!(shard_names(names[0], 3).unwrap(), names);
        assert_eq!(shard_names(names[1], 3).unwrap_err().code, Code::MissingFile);
        assert_eq!(shard_names("m.gguf", 3).unwrap_err().code, Code::MissingFile);
        assert_eq!(shard_names("m-00001-of-4000000000.gguf", 4_000_000_000).unwrap_err().code, Code::MissingFile);
    }

    #[test]
    fn shard_numbers_that_make_no_sense_are_refused() {
        for (index, count) in [(3, 3), (0, 60000), (9, 1)] {
            let mut metadata = Metadata::default();
            metadata.insert("split.no", MetadataValue::U16(index));
            metadata.insert("split.count", MetadataValue::U16(count));
            assert_eq!(metadata.shards().unwrap_err().code, Code::CorruptFile);
        }
    }

    #[test]
    fn an_index_names_each_file_once() {
        let index = r#"{"metadata": {"total_size": 1}, "weight_map": {"a": "m-2.safetensors", "b": "m-1.safetensors", "c": "m-2.safetensors"}}"#;
        assert_eq!(safetensors_shards(index).unwrap(), ["m-1.safetensors", "m-2.safetensors"]);
    }

    #[test]
    fn an_index_that_reaches_beyond_its_folder_is_refused() {
        for file in [
            "../x.safetensors",
            "a/x.safetensors",
            "https://x/y.safetensors",
            ".safetensors",
            "x.bin",
            "x.safetensors?y",
        ] {
            let index = format!(r#"{{"weight_map": {{"a": "{file}"}}}}"#);
            assert_eq!(safetensors_shards(&index).unwrap_err().code, Code::CorruptFile, "{file}");
        }
        for index in ["", "{}", r#"{"weight_map": {}}"#, r#"{"weight_map": {"a": 1}}"#] {
            assert_eq!(safetensors_shards(index).unwrap_err().code, Code::CorruptFile, "{index}");
        }
    }
}
