//! `LoraLoader`: an adapter's file, as its bytes arrive.

use super::model::ModelHandle;
use super::task::{Task, or_null};
use crate::checkpoint::{FileReader, Format};
use crate::error::{Code, Error, Result};
use crate::model::{LoraConfig, LoraFile};
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

#[wasm_bindgen]
pub struct LoraLoader {
    model: ModelHandle,
    /// None once the adapter has been made of it.
    file: Option<LoraFile>,
    reader: Option<FileReader>,
    finishing: Task<ModelHandle>,
}

fn over() -> Error {
    Error::new(Code::Internal, "this loader has made its adapter")
}

#[wasm_bindgen]
impl LoraLoader {
    /// `scale`: multiplies what the adapter adds; `config`: PEFT's adapter_config.json, else it is a GGUF file.
    #[wasm_bindgen(constructor)]
    pub fn new(
        model: &ModelHandle,
        scale: f32,
        config: Option<String>,
        file: &str,
        size: Option<f64>,
    ) -> Result<LoraLoader> {
        let format = if config.is_some() { Format::Safetensors } else { Format::Gguf };
        let config = config.map(|json| LoraConfig::parse(&json)).transpose()?;
        let reader = FileReader::new(format, file, size.map(|size| size as u64));
        let file = Some(model.lora_file(scale, config)?);
        Ok(Self { model: model.clone(), file, reader: Some(reader), finishing: Task::default() })
    }

    /// The file's next bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let (reader, file) = self.reader.as_mut().zip(self.file.as_mut()).ok_or_else(over)?;
        reader.push(bytes, file)
    }

    /// The file is over.
    pub fn end(&mut self) -> Result<()> {
        self.reader.take().map_or(Ok(()), FileReader::finish)
    }

    /// The model with the adapter beside its weights, or null where it waits.
    pub fn finish(&mut self) -> Result<JsValue> {
        if !self.finishing.is_begun() {
            let file = self.file.take().ok_or_else(over)?;
            self.finishing = Task::begun(self.model.adapted(file));
        }
        or_null(self.finishing.step())
    }
}
