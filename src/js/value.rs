//! Values on their way to and from JavaScript.

use crate::error::{Code, Error};
use js_sys::{Float32Array, Uint8Array, Uint32Array};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

/// An error as JavaScript gets it: `{ code, message, where }`.
#[derive(Serialize)]
struct WireError {
    code: &'static str,
    message: String,
    r#where: WirePlace,
}

#[derive(Serialize)]
struct WirePlace {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tensor: Option<String>,
}

impl From<Error> for JsValue {
    fn from(error: Error) -> JsValue {
        let message = error.to_string();
        let place = *error.place;
        let place =
            WirePlace { file: place.file, offset: place.offset.map(|offset| offset as f64), tensor: place.tensor };
        to_js(&WireError { code: error.code.name(), message, r#where: place })
    }
}

/// An `AzulejoError` that has passed through here.
pub fn error_from_js(thrown: JsValue) -> Error {
    let text = |key: &str| js_sys::Reflect::get(&thrown, &key.into()).ok().and_then(|value| value.as_string());
    let code = if text("code").as_deref() == Some("invalid-argument") { Code::InvalidArgument } else { Code::Internal };
    Error::new(code, text("message").unwrap_or_default())
}

/// A plain JavaScript value; maps become objects.
pub fn to_js(value: &impl Serialize) -> JsValue {
    value.serialize(&serde_wasm_bindgen::Serializer::json_compatible()).unwrap_or(JsValue::UNDEFINED)
}

/// Options and the like. Error: invalid-argument.
pub fn from_js<T: DeserializeOwned>(value: JsValue, what: &str) -> Result<T, Error> {
    serde_wasm_bindgen::from_value(value).map_err(|error| Error::invalid(format!("{what}: {error}")))
}

/// Rows of token ids.
pub fn rows_from_js(rows: Vec<JsValue>) -> Result<Vec<Vec<u32>>, Error> {
    rows.into_iter().map(|row| ids_from_js(&row)).collect()
}

pub fn ids_from_js(ids: &JsValue) -> Result<Vec<u32>, Error> {
    let ids: &Uint32Array = ids.dyn_ref().ok_or_else(|| Error::invalid("token ids: expected a Uint32Array"))?;
    Ok(ids.to_vec())
}

#[wasm_bindgen]
extern "C" {
    /// A `Float32Array` that may be refused: an exception that nobody catches would end the instance.
    type Floats;

    #[wasm_bindgen(constructor, catch, js_class = "Float32Array")]
    fn new(len: u32) -> Result<Floats, JsValue>;
}

#[wasm_bindgen]
extern "C" {
    /// Likewise a `Uint8Array`.
    type Bytes;

    #[wasm_bindgen(constructor, catch, js_class = "Uint8Array")]
    fn new(len: u32) -> Result<Bytes, JsValue>;
}

/// Parts, one after the other, that JavaScript owns. Error: out-of-memory where this browser does not give so many.
pub fn bytes_to_js(parts: &[&[u8]]) -> Result<JsValue, Error> {
    let len = parts.iter().map(|part| part.len()).sum::<usize>();
    let bytes = u32::try_from(len).ok().and_then(|len| Bytes::new(len).ok());
    let bytes = bytes.ok_or_else(|| Error::new(Code::OutOfMemory, format!("no room for a result of {len} bytes")))?;
    let bytes: Uint8Array = JsValue::from(bytes).unchecked_into();
    let mut at = 0;
    for part in parts {
        bytes.subarray(at, at + part.len() as u32).copy_from(part);
        at += part.len() as u32;
    }
    Ok(bytes.into())
}

/// A result of floats that JavaScript owns, so that the wasm memory does not grow by it.
pub struct Tensor {
    pub data: Float32Array,
    dims: Vec<usize>,
}

impl Tensor {
    /// Zeros. Error: out-of-memory where this browser, or any, does not give so many.
    pub fn new(dims: &[usize]) -> Result<Self, Error> {
        /// A little under the 2 GiB that every engine gives.
        const MOST: usize = (1 << 29) - 1;
        let len = dims.iter().try_fold(1usize, |len, n| len.checked_mul(*n)).filter(|len| *len <= MOST);
        let few = "ask for fewer rows, or the last positions only";
        let no_memory = |words| Error::new(Code::OutOfMemory, words);
        let len = len.ok_or_else(|| no_memory(format!("a result of {dims:?} values is too large; {few}")))?;
        let data = Floats::new(len as u32).map_err(|_| {
            let mib = len as f64 / (1 << 18) as f64;
            no_memory(format!("the browser has no memory for a result of {dims:?} values ({mib:.1} MiB); {few}"))
        })?;
        Ok(Self { data: data.unchecked_into(), dims: dims.to_vec() })
    }

    /// Puts values from its value `at` on.
    pub fn put(&self, at: usize, values: &[f32]) {
        self.data.subarray(at as u32, (at + values.len()) as u32).copy_from(values);
    }

    /// `{ data, dims }`
    pub fn to_js(&self) -> JsValue {
        let object = js_sys::Object::new();
        let set = |key: &str, value: &JsValue| js_sys::Reflect::set(&object, &key.into(), value).is_ok();
        set("data", &self.data);
        set("dims", &to_js(&self.dims));
        object.into()
    }
}

/// Attention weights and their dims: [layers, heads, positions, positions].
pub type Maps = (Vec<f32>, [usize; 4]);

/// The same as `{ data, dims }`, of the one layer that was asked for or of all.
pub async fn maps_to_js(
    maps: impl Future<Output = Result<Maps, Error>>,
    layer: Option<usize>,
) -> Result<JsValue, Error> {
    let (maps, dims) = maps.await?;
    let tensor = Tensor::new(if layer.is_some() { &dims[1..] } else { &dims[..] })?;
    tensor.put(0, &maps);
    Ok(tensor.to_js())
}
