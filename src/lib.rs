//! azulejo: transformers that run where the user is, in the page.

pub mod checkpoint;
pub mod device;
pub mod error;
pub mod model;
pub mod text;

pub use error::{Code, Error, Result};
