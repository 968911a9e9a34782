//! The tokenizer and the chat template against what transformers made of the same checkpoint.

use crate::fetched::model;
use azulejo::checkpoint::{FileReader, Format, Header, Metadata, Sink, TensorInfo};
use azulejo::text::{Chat, StopStrings, Tokenizer};
use serde_json::Value;

/// Takes the header and none of the tensors.
#[derive(Default)]
struct HeaderOnly(Option<Metadata>);

impl Sink for HeaderOnly {
    fn header(&mut self, header: &Header) -> azulejo::Result<()> {
        self.0 = Some(header.metadata.clone());
        Ok(())
    }

    fn wants(&mut self, _: &TensorInfo) -> bool {
        false
    }

    fn data(&mut self, _: &TensorInfo, _: &[u8]) -> azulejo::Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &TensorInfo) -> azulejo::Result<()> {
        Ok(())
    }
}

fn tokenizer() -> Tokenizer {
    let bytes = model();
    let mut reader = FileReader::new(Format::Gguf, "model.gguf", Some(bytes.len() as u64));
    let mut sink = HeaderOnly::default();
    for piece in bytes.chunks(1 << 20) {
        reader.push(piece, &mut sink).unwrap();
        if sink.0.is_some() {
            break;
        }
    }
    Tokenizer::from_gguf(&sink.0.unwrap()).unwrap()
}

fn reference() -> Value {
    serde_json::from_str(include_str!("../reference/smollm2/reference.json")).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
#[ignore = "reads a fetched checkpoint: scripts/cargo-test.mjs runs it"]
fn token_ids_and_texts_are_those_of_transformers() {
    let tokenizer = tokenizer();
    let reference = reference();
    for case in reference["tokenizer"].as_array().unwrap() {
        let found = tokenizer.encode(text(&case["text"]), false).unwrap();
        assert_eq!(found, ids(&case["ids"]), "{}", case["text"]);
        assert_eq!(tokenizer.decode(&found, false).unwrap(), text(&case["decoded"]));
    }
    for case in reference["texts"].as_array().unwrap() {
        assert_eq!(tokenizer.encode(text(&case["text"]), true).unwrap(), ids(&case["ids"]));
    }
}

#[test]
#[ignore = "reads a fetched checkpoint: scripts/cargo-test.mjs runs it"]
fn prompts_through_the_chat_template_are_those_of_transformers() {
    let tokenizer = tokenizer();
    let template = tokenizer.chat_template(false).unwrap();
    for case in reference()["greedy"].as_array().unwrap() {
        let prompt = match case["prompt"].as_str() {
            Some(text) => text.to_owned(),
            None => {
                let chat = serde_json::json!({"messages": case["prompt"], "addGenerationPrompt": true});
                let prompt = template.render(&Chat::from_json(&chat.to_string()).unwrap(), None).unwrap();
                assert_eq!(tokenizer.encode_chat(&prompt).unwrap(), ids(&case["prompt_ids"]));
                prompt.text().to_owned()
            }
        };
        assert_eq!(prompt, text(&case["prompt_text"]));
        assert_eq!(tokenizer.encode(&prompt, false).unwrap(), ids(&case["prompt_ids"]));
    }
}

#[test]
#[ignore = "reads a fetched checkpoint: scripts/cargo-test.mjs runs it"]
fn generated_tokens_stream_to_the_text_of_transformers() {
    let tokenizer = tokenizer();
    for case in reference()["greedy"].as_array().unwrap() {
        let mut stream = tokenizer.stream(StopStrings::new(&[]).unwrap(), false, true).unwrap();
        let mut streamed: String = ids(&case["generated"]).into_iter().map(|id| stream.push(id)).collect();
        streamed += &stream.finish();
        assert_eq!(streamed, text(&case["text"]));
    }
}

#[test]
#[ignore = "reads a fetched checkpoint: scripts/cargo-test.mjs runs it"]
fn the_end_of_a_turn_ends_a_generation() {
    let tokenizer = tokenizer();
    assert_eq!(tokenizer.end_tokens(), [0, 2], "<|endoftext|> and <|im_end|>");
    assert_eq!((tokenizer.bos(), tokenizer.adds_bos(), tokenizer.vocabulary_size()), (Some(1), false, 49152));
    assert_eq!(tokenizer.decode(&[1, 19556, 2], true).unwrap(), "Hello");
}
