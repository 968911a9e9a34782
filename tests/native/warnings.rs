//! What a checkpoint leaves open and is assumed, it says.

use azulejo::checkpoint::{Metadata, MetadataValue};
use azulejo::text::GgufVocabulary;

fn of(keys: &[(&str, &str)]) -> Vec<String> {
    let mut metadata = Metadata::default();
    for (key, value) in keys {
        metadata.insert(format!("tokenizer.ggml.{key}"), MetadataValue::String((*value).to_owned()));
    }
    GgufVocabulary::warnings(&metadata)
}

#[test]
fn a_gguf_file_without_a_pre_tokenizer_is_warned_of_where_its_vocabulary_needs_one() {
    let warnings = of(&[("model", "gpt2")]);
    assert!(warnings.len() == 1 && warnings[0].contains("tokenizer.ggml.pre"), "{warnings:?}");
    assert!(of(&[("model", "gpt2"), ("pre", "qwen2")]).is_empty());
    assert!(of(&[("model", "llama")]).is_empty());
    assert!(of(&[]).is_empty());
}
