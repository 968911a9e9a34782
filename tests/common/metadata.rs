//! The least that a GGUF file says of a model.

use azulejo::checkpoint::{Metadata, MetadataValue};

/// Three blocks, 48 values wide; images of 32 by 32 pixels, where an architecture is of images.
pub fn metadata(architecture: &str) -> Metadata {
    let mut metadata = Metadata::default();
    metadata.insert("general.architecture", MetadataValue::String(architecture.to_owned()));
    for (key, value) in [
        ("block_count", 3),
        ("embedding_length", 48),
        ("feed_forward_length", 64),
        ("context_length", 64),
        ("attention.head_count", 4),
        ("image_size", 32),
        ("patch_size", 16),
        ("image_channels", 3),
    ] {
        metadata.insert(format!("{architecture}.{key}"), MetadataValue::U32(value));
    }
    if architecture == "mpt" {
        metadata.insert("mpt.attention.max_alibi_bias", MetadataValue::F32(8.0));
    }
    metadata
}
