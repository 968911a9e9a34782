//! Checkpoints: GGUF and safetensors files, read as their bytes arrive.
//!
//! A [`FileReader`] is pushed the bytes of one file in any cuts and hands them to a [`Sink`]: first the
//! [`Header`], then each tensor's data in file order. It holds the header only, never tensor data, so that
//! a file of any size passes through a small heap. What it reads is hostile until proven otherwise:
//! no count or length in the file makes it allocate more than the bytes that have arrived justify.
//!
//! [`TensorType`] is the definition of each block format: sizes, and how a block becomes floats.

mod gguf;
mod header;
mod metadata;
mod quant;
mod reader;
mod safetensors;
mod shards;
pub mod write;

pub use header::{Header, TensorInfo, UnreadTensor};
pub use metadata::{Array, Metadata, MetadataValue};
pub use quant::{E2M1_VALUES, IQ4_VALUES, Levels, TensorType};
pub use quant::{iq4_xs_scales, mxfp4_from_pairs, q3_k_scales, scale_and_minimum};
pub use reader::{FileReader, Format, Sink};
pub use shards::{Shards, safetensors_shards, shard_names};
