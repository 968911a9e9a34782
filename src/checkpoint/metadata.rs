//! GGUF metadata: keys and typed values, in file order.

use std::collections::HashMap;
use std::fmt::{Display, Formatter};

/// One value. GGUF says the type of each.
#[derive(Clone, Debug, PartialEq)]
pub enum MetadataValue {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(String),
    Array(Array),
    U64(u64),
    I64(i64),
    F64(f64),
}

/// An array: its elements share one type. Tokenizers bring arrays of a quarter of a million elements, hence no
/// `Vec<MetadataValue>`.
#[derive(Clone, Debug, PartialEq)]
pub enum Array {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    F32(Vec<f32>),
    Bool(Vec<bool>),
    String(Vec<String>),
    Array(Vec<Array>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F64(Vec<f64>),
}

impl MetadataValue {
    /// The value of any integer type.
    pub fn integer(&self) -> Option<i128> {
        Some(match *self {
            MetadataValue::U8(x) => x.into(),
            MetadataValue::I8(x) => x.into(),
            MetadataValue::U16(x) => x.into(),
            MetadataValue::I16(x) => x.into(),
            MetadataValue::U32(x) => x.into(),
            MetadataValue::I32(x) => x.into(),
            MetadataValue::U64(x) => x.into(),
            MetadataValue::I64(x) => x.into(),
            _ => return None,
        })
    }
}

/// For messages. `Debug` would do, but in the wasm builds it knows the types' names alone.
impl Display for MetadataValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            MetadataValue::F32(x) => x.fmt(f),
            MetadataValue::F64(x) => x.fmt(f),
            MetadataValue::Bool(x) => x.fmt(f),
            MetadataValue::String(x) => write!(f, "{x:?}"),
            MetadataValue::Array(x) => write!(f, "an array of {}", x.len()),
            whole => whole.integer().unwrap_or_default().fmt(f),
        }
    }
}

impl Array {
    /// How many elements it has.
    pub fn len(&self) -> usize {
        match self {
            Array::U8(x) => x.len(),
            Array::I8(x) => x.len(),
            Array::U16(x) => x.len(),
            Array::I16(x) => x.len(),
            Array::U32(x) => x.len(),
            Array::I32(x) => x.len(),
            Array::F32(x) => x.len(),
            Array::Bool(x) => x.len(),
            Array::String(x) => x.len(),
            Array::Array(x) => x.len(),
            Array::U64(x) => x.len(),
            Array::I64(x) => x.len(),
            Array::F64(x) => x.len(),
        }
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The keys and values of a GGUF file. Empty for safetensors.
///
/// The getters answer `None` for a missing key and for a value of another kind alike. Integers are found
/// whatever their width, where the value fits: writers do not agree on widths.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    entries: Vec<(String, MetadataValue)>,
    index: HashMap<String, usize>,
}

impl PartialEq for Metadata {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl Metadata {
    /// Sets a key. A new key goes last; an old one keeps its place.
    pub fn insert(&mut self, key: impl Into<String>, value: MetadataValue) {
        let key = key.into();
        match self.index.get(&key) {
            Some(&at) => self.entries[at].1 = value,
            None => {
                self.index.insert(key.clone(), self.entries.len());
                self.entries.push((key, value));
            }
        }
    }

    /// Keys and values, in file order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &MetadataValue)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the key is there, whatever its value.
    pub fn contains(&self, key: &str) -> bool {
        self.index.contains_key(key)
    }

    /// The value of a key, with its type.
    pub fn get(&self, key: &str) -> Option<&MetadataValue> {
        Some(&self.entries[*self.index.get(key)?].1)
    }

    fn array(&self, key: &str) -> Option<&Array> {
        match self.get(key)? {
            MetadataValue::Array(array) => Some(array),
            _ => None,
        }
    }

    /// An integer of any width that fits.
    pub fn u32(&self, key: &str) -> Option<u32> {
        self.get(key)?.integer()?.try_into().ok()
    }

    /// An integer of any width that fits.
    pub fn u64(&self, key: &str) -> Option<u64> {
        self.get(key)?.integer()?.try_into().ok()
    }

    /// An f32, or an f64 rounded.
    pub fn f32(&self, key: &str) -> Option<f32> {
        match *self.get(key)? {
            MetadataValue::F32(x) => Some(x),
            MetadataValue::F64(x) => Some(x as f32),
            _ => None,
        }
    }

    pub fn bool(&self, key: &str) -> Option<bool> {
        match *self.get(key)? {
            MetadataValue::Bool(x) => Some(x),
            _ => None,
        }
    }

    pub fn str(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            MetadataValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// An array of strings.
    pub fn strings(&self, key: &str) -> Option<&[String]> {
        match self.array(key)? {
            Array::String(x) => Some(x),
            _ => None,
        }
    }

    /// An array of f32.
    pub fn f32s(&self, key: &str) -> Option<&[f32]> {
        match self.array(key)? {
            Array::F32(x) => Some(x),
            _ => None,
        }
    }

    /// An array of i32.
    pub fn i32s(&self, key: &str) -> Option<&[i32]> {
        match self.array(key)? {
            Array::I32(x) => Some(x),
            _ => None,
        }
    }

    /// An array of integers of any width, where each fits.
    pub fn integers(&self, key: &str) -> Option<Vec<i64>> {
        fn widen<T: Copy + TryInto<i64>>(x: &[T]) -> Option<Vec<i64>> {
            x.iter().map(|&x| x.try_into().ok()).collect()
        }
        match self.array(key)? {
            Array::U8(x) => widen(x),
            Array::I8(x) => widen(x),
            Array::U16(x) => widen(x),
            Array::I16(x) => widen(x),
            Array::U32(x) => widen(x),
            Array::I32(x) => widen(x),
            Array::U64(x) => widen(x),
            Array::I64(x) => Some(x.clone()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_found_whatever_their_width() {
        let mut metadata = Metadata::default();
        metadata.insert("small", MetadataValue::U16(7));
        metadata.insert("negative", MetadataValue::I32(-7));
        metadata.insert("large", MetadataValue::U64(1 << 40));
        metadata.insert("heads", MetadataValue::Array(Array::U32(vec![9, 3])));
        assert_eq!(metadata.u32("small"), Some(7));
        assert_eq!((metadata.u32("negative"), metadata.u32("large")), (None, None));
        assert_eq!(metadata.u64("large"), Some(1 << 40));
        assert_eq!(metadata.integers("heads"), Some(vec![9, 3]));
        assert_eq!((metadata.u32("missing"), metadata.str("small")), (None, None));
    }

    #[test]
    fn a_key_that_is_set_again_keeps_its_place() {
        let mut metadata = Metadata::default();
        metadata.insert("a", MetadataValue::Bool(true));
        metadata.insert("b", MetadataValue::Bool(true));
        metadata.insert("a", MetadataValue::F32(0.5));
        assert_eq!(metadata.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((metadata.f32("a"), metadata.bool("b")), (Some(0.5), Some(true)));
    }
}
