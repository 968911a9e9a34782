//! `ModelLoader`: the checkpoint's files, as their bytes arrive.

use super::model::Model;
use super::pool;
use super::value::{from_js, to_js};
use crate::checkpoint::{FileReader, Format};
use crate::device::CacheType;
use crate::device::cpu::Cpu;
use crate::error::{Code, Error, Result};
use crate::model::{self, Assembly, Summary, families};
use crate::text::Tokenizer;
use serde::Deserialize;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Options {
    context_length: Option<usize>,
    kv_cache_type: CacheType,
    batch: Option<usize>,
    /// Only the summary is wanted: weights are passed over.
    header_only: bool,
}

#[wasm_bindgen]
pub struct ModelLoader {
    format: Format,
    options: Options,
    assembly: Assembly<Cpu>,
    reader: Option<FileReader>,
    tokenizer: Option<Tokenizer>,
}

#[wasm_bindgen]
impl ModelLoader {
    /// `format`: "gguf" or "safetensors".
    #[wasm_bindgen(constructor)]
    pub fn new(format: &str, options: JsValue) -> Result<ModelLoader> {
        let options: Options =
            if options.is_undefined() { Options::default() } else { from_js(options, "load options")? };
        let format = if format == "gguf" { Format::Gguf } else { Format::Safetensors };
        let mut assembly = Assembly::new(Cpu::new(pool()));
        assembly.header_only = options.header_only;
        Ok(Self { format, options, assembly, reader: None, tokenizer: None })
    }

    /// config.json, before any weights.
    pub fn config(&mut self, json: &str) -> Result<()> {
        self.assembly.set_plan(families::from_config(json)?);
        Ok(())
    }

    /// tokenizer.json, tokenizer_config.json and chat_template.jinja.
    pub fn tokenizer(&mut self, json: &str, config: Option<String>, chat_template: Option<String>) -> Result<()> {
        let mut tokenizer =
            Tokenizer::from_json(json, config.as_deref()).map_err(|error| error.in_file("tokenizer.json"))?;
        if let Some(template) = chat_template {
            tokenizer.set_chat_template(template);
        }
        self.tokenizer = Some(tokenizer);
        Ok(())
    }

    /// The next weights file begins.
    pub fn begin(&mut self, file: &str, size: Option<f64>) {
        self.reader = Some(FileReader::new(self.format, file, size.map(|size| size as u64)));
    }

    /// Its next bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let reader = self.reader.as_mut().ok_or_else(|| Error::new(Code::Internal, "no file has begun"))?;
        reader.push(bytes, &mut self.assembly)
    }

    /// Whether the current file's header has come.
    #[wasm_bindgen(getter, js_name = headerComplete)]
    pub fn header_complete(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| reader.header().is_some())
    }

    /// How many GGUF files belong together.
    #[wasm_bindgen(getter)]
    pub fn shards(&self) -> usize {
        self.assembly.files()
    }

    /// The current file is over.
    pub fn end(&mut self) -> Result<()> {
        self.reader.take().map_or(Ok(()), FileReader::finish)
    }

    /// Of the headers so far.
    pub fn summary(&self) -> Result<JsValue> {
        Ok(to_js(&self.summarise()?))
    }

    /// The model, of everything that has come.
    pub fn finish(self) -> Result<Model> {
        let summary = self.summarise()?;
        let Options { context_length, kv_cache_type, .. } = self.options;
        let mut tokenizer = match (self.tokenizer, self.format) {
            (Some(tokenizer), _) => Some(tokenizer),
            (None, Format::Safetensors) => None,
            (None, Format::Gguf) => gguf_tokenizer(&self.assembly)?,
        };
        let ends = self.assembly.end_tokens().to_vec();
        if let Some(tokenizer) = &mut tokenizer {
            tokenizer.add_end_tokens(&ends);
        }
        let model = model::Model::new(self.assembly, context_length, kv_cache_type)?;
        Ok(Model::new(model, summary, tokenizer, ends))
    }
}

impl ModelLoader {
    fn summarise(&self) -> Result<Summary> {
        let spec = self.assembly.spec().ok_or_else(|| Error::corrupt("no header has come"))?;
        let context = model::check_context(spec, self.options.context_length)?;
        let batch = self.options.batch.unwrap_or(1);
        Ok(Summary::new::<Cpu>(spec, self.assembly.header(), context, batch, self.options.kv_cache_type))
    }
}

/// The tokenizer that GGUF metadata describe; none where they have none.
fn gguf_tokenizer(assembly: &Assembly<Cpu>) -> Result<Option<Tokenizer>> {
    let metadata = &assembly.header().metadata;
    metadata.contains("tokenizer.ggml.model").then(|| Tokenizer::from_gguf(metadata)).transpose()
}
