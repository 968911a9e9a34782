//! The module's exports.

use crate::{Constraint, Result, Tokenize, Vocabulary};
use js_sys::{Function, Uint32Array};
use wasm_bindgen::prelude::*;

/// The page's side of a tokenizer: a function of a text that gives a `Uint32Array`, or nothing.
struct Callback(Function);

// SAFETY: a build without atomics has one thread.
unsafe impl Send for Callback {}
// SAFETY: as above.
unsafe impl Sync for Callback {}

impl Tokenize for Callback {
    fn tokens(&self, text: &str) -> Option<Vec<u32>> {
        let ids = self.0.call1(&JsValue::NULL, &text.into()).ok()?;
        Some(ids.dyn_into::<Uint32Array>().ok()?.to_vec())
    }
}

#[wasm_bindgen(js_name = Vocabulary)]
pub struct VocabularyHandle(Vocabulary);

#[wasm_bindgen(js_class = Vocabulary)]
impl VocabularyHandle {
    /// See [`Vocabulary::new`]. `tokenize` gives the tokens of a text that goes on from another one.
    #[wasm_bindgen(constructor)]
    pub fn new(
        bytes: &[u8],
        ends: &[u32],
        special: &[u32],
        end_tokens: &[u32],
        tokenize: Function,
    ) -> Result<VocabularyHandle> {
        Vocabulary::new(bytes, ends, special, end_tokens, Callback(tokenize)).map(Self)
    }

    pub fn constraint(&self, kind: &str, text: &str) -> Result<ConstraintHandle> {
        self.0.constraint(kind, text).map(ConstraintHandle)
    }
}

#[wasm_bindgen(js_name = Constraint)]
pub struct ConstraintHandle(Constraint);

#[wasm_bindgen(js_class = Constraint)]
impl ConstraintHandle {
    pub fn allowed(&mut self) -> Result<Vec<u32>> {
        self.0.allowed()
    }

    pub fn take(&mut self, id: u32, forces: bool) -> Result<Vec<u32>> {
        self.0.take(id, forces)
    }

    #[wasm_bindgen(getter, js_name = isOver)]
    pub fn is_over(&self) -> bool {
        self.0.is_over()
    }
}
