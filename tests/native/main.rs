//! The crate's native tests, in one binary: each of them would be linked with wgpu and with the tokenizers by itself.
//!
//!     cargo test --test native                   # all
//!     cargo test --test native conformance       # those whose names have that in them: a module's, or a test's
//!
//! Three are apart, since each counts or refuses what is allocated: ../hostile_config.rs, ../refused.rs and ../fuzz_corpus.rs.

// What several of them need.
#[path = "../common/alone.rs"]
mod alone;
#[path = "../common/attention.rs"]
mod attention;
#[path = "../common/blocks.rs"]
mod blocks;
#[path = "../common/case.rs"]
mod case;
#[path = "../common/checkpoint.rs"]
mod checkpoint;
#[path = "../common/devices.rs"]
mod devices;
#[path = "../common/experts.rs"]
mod experts_case;
#[path = "../common/fetched.rs"]
mod fetched;
#[path = "../common/generated.rs"]
mod generated;
#[path = "../common/kept.rs"]
mod kept;
#[path = "../common/metadata.rs"]
mod metadata;
#[path = "../common/outputs.rs"]
mod outputs;
#[path = "../common/pictures.rs"]
mod pictures;
#[path = "../common/random.rs"]
mod random;
#[path = "../common/sample.rs"]
mod sample;
#[path = "../common/verbs.rs"]
mod verbs;
#[path = "../../examples/vit_to_gguf.rs"]
mod vit_to_gguf;

mod beams;
mod chats;
mod checkpoint_reader;
mod checkpoint_safetensors;
mod conformance;
mod conformance_images;
mod conformance_texts;
mod context_shift;
mod dense;
mod draws;
mod dtypes;
mod edges;
mod experts;
mod families;
mod folders;
mod found;
mod generation_families;
mod generation_fields;
mod generation_settings;
mod gguf_changed;
mod gguf_llama_cpp;
mod gguf_types;
mod gpu_attention;
mod gpu_bounds;
mod gpu_choosing;
mod gpu_convs;
mod gpu_counts;
mod gpu_errors;
mod gpu_experts;
mod gpu_functions;
mod gpu_grids;
mod gpu_halves;
mod gpu_heads;
mod gpu_kernels;
mod gpu_limits;
mod gpu_memory;
mod gpu_pace;
mod gpu_pixels;
mod gpu_runs;
mod gpu_saved;
mod gpu_spans;
mod gpu_tuning;
mod gpu_turns;
mod gpu_verbs;
mod heads;
mod hostile_tokenizer;
mod image_families;
mod image_reference;
mod longrope;
mod lora;
mod offsets;
mod quants;
mod scheduler;
mod sessions;
mod speculation;
mod spellings;
mod teeth;
mod text_limits;
mod text_reference;
mod text_template;
mod text_tokenizer;
mod tokenizer_families;
mod warnings;
mod what_is_read;
mod what_is_read_of_tokenizers;
