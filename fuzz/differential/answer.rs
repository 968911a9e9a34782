//! Answers questions that are also put to the reference: JSON lines in, JSON lines out. `{"answer": …}`, or
//! `{"refused": …}` in words.
//!
//! | question | answer |
//! |---|---|
//! | `{"template", "tokens", "chat", "now"}` | the prompt |
//! | `{"processor", "width", "height", "seed"}` | `[levels, Adler-32 of them]` of the picture that [`picture`] makes |
//! | `{"gguf"}`, in hex | `[metadata, tensors]`: of each its key and value; its name, shape, type and values in hex |
//! | `{"tokenizer", "config", "texts"}` | of each text `[ids, ids with special tokens, decoded]`, or `null` where it is refused |

use std::io::{BufRead, Write, stdin, stdout};

use azulejo::Result;
use azulejo::checkpoint::{Array, Format, MetadataValue as Field};
use azulejo::device::Picture;
use azulejo::device::cpu::{Cpu, pool::Pool};
use azulejo::image::Processor;
use azulejo::text::{Chat, ChatTemplate, Moment, Tokenizer};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Rendering {
    template: String,
    tokens: Vec<(String, String)>,
    /// In JSON: the order of fields counts.
    chat: String,
    now: (i64, u32),
}

#[derive(Deserialize)]
struct Tokenizing {
    tokenizer: String,
    config: Option<String>,
    texts: Vec<String>,
}

#[path = "../../tests/common/checkpoint.rs"]
mod reading;

#[derive(Deserialize)]
struct Reading {
    gguf: String,
}

#[path = "../../tests/common/pictures.rs"]
mod pictures;

#[derive(Deserialize)]
struct Preparing {
    processor: String,
    width: usize,
    height: usize,
    seed: usize,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Question {
    Rendering(Rendering),
    Reading(Reading),
    Preparing(Preparing),
    Tokenizing(Tokenizing),
}

fn render(question: Rendering) -> Result<Value> {
    let template = ChatTemplate::new(&question.template, &question.tokens)?;
    let (seconds, microseconds) = question.now;
    let now = Moment { seconds, microseconds, offset: 0 };
    Ok(template.render(&Chat::from_json(&question.chat)?, Some(now))?.text().into())
}

/// By its bits: JSON has no infinity.
fn float(value: f64) -> Value {
    if value.is_nan() { "nan".into() } else { hex(&value.to_le_bytes()).into() }
}

fn field(value: &Field) -> Value {
    match value {
        Field::U8(value) => json!(value),
        Field::I8(value) => json!(value),
        Field::U16(value) => json!(value),
        Field::I16(value) => json!(value),
        Field::U32(value) => json!(value),
        Field::I32(value) => json!(value),
        Field::U64(value) => json!(value),
        Field::I64(value) => json!(value),
        Field::F32(value) => float(f64::from(*value)),
        Field::F64(value) => float(*value),
        Field::Bool(value) => json!(value),
        Field::String(value) => json!(value),
        Field::Array(array) => match array {
            Array::U8(values) => json!(values),
            Array::I8(values) => json!(values),
            Array::U16(values) => json!(values),
            Array::I16(values) => json!(values),
            Array::U32(values) => json!(values),
            Array::I32(values) => json!(values),
            Array::U64(values) => json!(values),
            Array::I64(values) => json!(values),
            Array::F32(values) => values.iter().map(|value| float(f64::from(*value))).collect(),
            Array::F64(values) => values.iter().map(|value| float(*value)).collect(),
            Array::Bool(values) => json!(values),
            Array::String(values) => json!(values),
            // What nobody reads.
            _ => Value::Null,
        },
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(question: Reading) -> Result<Value> {
    let digits = question.gguf.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex");
    let bytes: Vec<u8> = digits.map(byte).collect();
    let found = reading::read(Format::Gguf, &bytes, Some(bytes.len() as u64), || usize::MAX)?;
    let metadata: Vec<_> = found.header.metadata.iter().map(|(key, value)| json!([key, field(value)])).collect();
    let tensors = found.header.tensors.iter().zip(&found.data).map(|(tensor, data)| {
        let mut values = vec![0.0; tensor.shape.iter().product()];
        tensor.ty.dequantize(data, &mut values);
        let values: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        json!([tensor.name, tensor.shape, tensor.ty.name(), hex(&values)])
    });
    Ok(json!([metadata, tensors.collect::<Vec<_>>()]))
}

/// Red, green, blue of each pixel; image_sizes.py makes the same.
fn picture(pixels: usize, seed: usize) -> Vec<u8> {
    let level = |at: usize| (at * at % 251 + at * seed % 257) as u8;
    (0..pixels).flat_map(|pixel| [level(3 * pixel), level(3 * pixel + 1), level(3 * pixel + 2), 255]).collect()
}

fn prepare(Preparing { processor, width, height, seed }: Preparing) -> Result<Value> {
    let processor = Processor::from_json(&processor, 3, "vit")?;
    processor.preparation(width, height)?;
    let rgba = picture(width * height, seed);
    let found = pictures::pixels(&mut Cpu::new(Pool::native(1)), &processor, &Picture { rgba: &rgba, width, height });
    let (mut a, mut b) = (1u32, 0u32);
    for level in found.iter() {
        a = (a + u32::from(*level as u8)) % 65521;
        b = (b + a) % 65521;
    }
    Ok(json!([found.len(), b << 16 | a]))
}

fn tokenize(question: Tokenizing) -> Result<Value> {
    let tokenizer = Tokenizer::from_json(&question.tokenizer, question.config.as_deref())?;
    let answer = |text: &String| -> Result<Value> {
        let ids = tokenizer.encode(text, false)?;
        let decoded = tokenizer.decode(&ids, false).ok();
        Ok(json!([ids, tokenizer.encode_pair(text, None, None)?.0, decoded]))
    };
    Ok(question.texts.iter().map(|text| answer(text).unwrap_or(Value::Null)).collect())
}

fn main() {
    for line in stdin().lock().lines() {
        let line = line.expect("a line");
        let answer = match serde_json::from_str(&line).expect("a question") {
            Question::Rendering(question) => render(question),
            Question::Reading(question) => read(question),
            Question::Preparing(question) => prepare(question),
            Question::Tokenizing(question) => tokenize(question),
        };
        let told = match answer {
            Ok(answer) => json!({ "answer": answer }),
            Err(error) => json!({ "refused": error.to_string() }),
        };
        writeln!(stdout(), "{told}").expect("somebody who reads");
    }
}
