//! Grammars, which are another module's: what that one needs to know of a model's tokens, and what it says of a text.

use super::value::error_from_js;
use super::words::Words;
use crate::error::Result;
use crate::text::Constraint;
use js_sys::{Uint8Array, Uint32Array};
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    /// A grammar's side of one generation: `Constraint` in js/host/grammars.ts.
    #[derive(Clone)]
    pub type JsConstraint;
    #[wasm_bindgen(method, catch)]
    fn allowed(this: &JsConstraint) -> Result<Vec<u32>, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn take(this: &JsConstraint, id: u32, forces: bool) -> Result<Vec<u32>, JsValue>;
    #[wasm_bindgen(method, getter, js_name = isOver)]
    fn is_over(this: &JsConstraint) -> bool;
}

impl Constraint for JsConstraint {
    fn allowed(&mut self) -> Result<Vec<u32>> {
        JsConstraint::allowed(self).map_err(error_from_js)
    }

    fn take(&mut self, id: u32, forces: bool) -> Result<Vec<u32>> {
        JsConstraint::take(self, id, forces).map_err(error_from_js)
    }

    fn is_over(&self) -> bool {
        JsConstraint::is_over(self)
    }
}

/// A model's tokens, as grammars look at them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WireVocabulary {
    /// What they add to a text, one after the other.
    #[serde(with = "serde_wasm_bindgen::preserve")]
    bytes: Uint8Array,
    /// Where those of each end: as many as there are logits.
    #[serde(with = "serde_wasm_bindgen::preserve")]
    ends: Uint32Array,
    /// Those that no text has.
    special: Vec<u32>,
    /// Those that end a text.
    end_tokens: Vec<u32>,
}

/// `logits`: how many tokens the model knows.
pub fn vocabulary(words: &Words, logits: usize, end_tokens: &[u32]) -> Result<WireVocabulary> {
    let tokenizer = words.tokenizer()?;
    let (mut bytes, mut ends, mut special) = (Vec::new(), Vec::with_capacity(logits), Vec::new());
    for id in 0..logits as u32 {
        bytes.extend(tokenizer.piece(id)?);
        ends.push(bytes.len() as u32);
        if tokenizer.is_special(id) || end_tokens.contains(&id) {
            special.push(id);
        }
    }
    let (bytes, ends) = (Uint8Array::from(&bytes[..]), Uint32Array::from(&ends[..]));
    Ok(WireVocabulary { bytes, ends, special, end_tokens: end_tokens.to_vec() })
}
