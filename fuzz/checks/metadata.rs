//! What must hold for whatever a GGUF file says of its model: an object of `metadata` and of `tensors`, by name their
//! shapes. That a file says it at all is `checkpoint`'s.

use azulejo::checkpoint::{Array, Header, Metadata, MetadataValue as Item, TensorInfo, TensorType};
use azulejo::model::families;
use azulejo::text::{GgufVocabulary, Sentence, Tokenizer};
use serde_json::Value;

use super::config::assert_sizes;
use super::{bounded, made_or_refused, tokenizer};

const MOST: usize = 64 << 20;

pub fn check(bytes: &[u8]) {
    let Ok(Value::Object(parts)) = serde_json::from_slice(bytes) else { return };
    let mut metadata = Metadata::default();
    for (key, value) in parts.get("metadata").and_then(Value::as_object).into_iter().flatten() {
        if let Some(item) = item(value) {
            metadata.insert(key, item);
        }
    }
    let tensors = parts.get("tensors").and_then(Value::as_object).into_iter().flatten();
    let tensors = tensors.map(|(name, shape)| tensor(name, shape)).collect();
    let header = Header { metadata, tensors, unread: Vec::new() };
    let most = MOST + 64 * bytes.len();
    if let Some(plan) = made_or_refused(bounded(most, || families::from_gguf(&header)), &[""]) {
        assert_sizes(&plan);
        for tensor in &header.tensors {
            plan.slots(&tensor.name);
            plan.ignores(&tensor.name);
        }
    }
    made_or_refused(bounded(most, || Sentence::from_gguf(&header.metadata)), &["\""]);
    GgufVocabulary::warnings(&header.metadata);
    let read = bounded(most, || Tokenizer::from_gguf(&header.metadata));
    let Some(tokenizer) = made_or_refused(read, &["tokenizer"]) else { return };
    for text in ["", "The tiles e\u{301} 東京 <s>▁x  \n👩‍👩 12", "aaaaaaaaaaaaaaaaaaaaaaaa"] {
        bounded(most, || tokenizer::uses(&tokenizer, text));
    }
}

fn tensor(name: &str, shape: &Value) -> TensorInfo {
    let shape: Vec<usize> =
        shape.as_array().into_iter().flatten().filter_map(Value::as_u64).map(|side| side as usize).collect();
    let bytes = shape.iter().fold(4, |bytes: u64, &side| bytes.saturating_mul(side as u64));
    TensorInfo { name: name.to_owned(), ty: TensorType::F32, shape, offset: 0, bytes }
}

/// A value of the type that GGUF files have for it; `{"f64": …}` and the like where they have another.
fn item(value: &Value) -> Option<Item> {
    Some(match value {
        Value::Bool(flag) => Item::Bool(*flag),
        Value::String(text) => Item::String(text.clone()),
        Value::Array(list) => Item::Array(array(list)),
        Value::Object(named) => {
            let (kind, value) = named.iter().next()?;
            match (kind.as_str(), value) {
                ("u8", Value::Array(list)) => Item::Array(Array::U8(integers(list, |number| number as u8))),
                ("u64", Value::Number(number)) => Item::U64(number.as_u64()?),
                ("f64", Value::Number(number)) => Item::F64(number.as_f64()?),
                ("i32", Value::Number(number)) => Item::I32(number.as_i64()? as i32),
                ("f32", Value::String(word)) => Item::F32(word.parse().ok()?),
                ("f32", Value::Array(list)) => Item::Array(Array::F32(floats(list))),
                _ => return None,
            }
        }
        Value::Null => return None,
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) if (0..1 << 32).contains(&number) => Item::U32(number as u32),
            (Some(number), _) => Item::I64(number),
            (None, Some(number)) => Item::U64(number),
            (None, None) => Item::F32(number.as_f64()? as f32),
        },
    })
}

fn array(list: &[Value]) -> Array {
    match list.first() {
        Some(Value::String(_)) => {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            Array::String(list.iter().map(text).collect())
        }
        Some(Value::Bool(_)) => Array::Bool(list.iter().map(|value| value == &Value::Bool(true)).collect()),
        Some(Value::Number(number)) if number.is_f64() => Array::F32(floats(list)),
        _ => Array::I32(integers(list, |number| number as i32)),
    }
}

fn integers<T>(list: &[Value], cut: impl Fn(i64) -> T) -> Vec<T> {
    list.iter().map(|value| cut(value.as_i64().unwrap_or_default())).collect()
}

fn floats(list: &[Value]) -> Vec<f32> {
    list.iter().map(|value| value.as_f64().unwrap_or(f64::NAN) as f32).collect()
}
