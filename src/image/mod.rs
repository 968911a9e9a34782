//! Images on their way into a model: what `preprocessor_config.json` asks for, as the tables that a device computes with.

mod config;
mod processor;
mod resample;
#[cfg(test)]
mod tests;

pub use processor::{LARGEST_PICTURE, LARGEST_SIDE, Processor};
