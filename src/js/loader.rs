//! `ModelLoader`: the checkpoint's files, as their bytes arrive.

#[cfg(not(target_feature = "atomics"))]
use super::gpu::gpu;
use super::image::ImageHandle;
use super::matching::MatchModel;
use super::model::{ModelHandle, On, Seq2SeqHandle};
use super::pool;
use super::task::{Task, or_null};
use super::texts::{TextHandle, dense_file};
use super::value::{from_js, to_js};
use crate::checkpoint::{FileReader, Format, TensorType};
use crate::device::cpu::Cpu;
#[cfg(not(target_feature = "atomics"))]
use crate::device::gpu::Gpu;
use crate::device::{CacheType, Device, Progress};
use crate::error::{Code, Error, Result};
use crate::image::Processor;
use crate::model::{self, DenseFile, ModelConfig, Spec, Summary, WeightLoader, families};
use crate::text::{
    Files, Sentence, SentenceDense, SentenceFiles, Tokenizer, cross_encoder_activation, tokenizer_files,
};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

/// Where the model is to be.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DeviceChoice {
    #[default]
    Cpu,
    #[cfg(not(target_feature = "atomics"))]
    Webgpu,
}

#[derive(Clone, Copy, Deserialize)]
enum Quantize {
    #[serde(rename = "q8_0")]
    Q8,
    #[serde(rename = "q4_1")]
    Q4,
}

impl From<Quantize> for TensorType {
    fn from(quantize: Quantize) -> Self {
        match quantize {
            Quantize::Q8 => TensorType::Q8_0,
            Quantize::Q4 => TensorType::Q4_1,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LoadOptions {
    device: DeviceChoice,
    context_length: Option<usize>,
    kv_cache_type: Option<CacheType>,
    batch: Option<usize>,
    /// What matrices of floats become while they load.
    quantize: Option<Quantize>,
    /// Only the summary is wanted: weights are passed over.
    header_only: bool,
}

/// The same on any device. It is shared with whatever waits.
enum AnyWeightLoader {
    Cpu(SharedLoader<Cpu>),
    #[cfg(not(target_feature = "atomics"))]
    Gpu(SharedLoader<Gpu>),
}

/// Empty once the model has been made of it.
type SharedLoader<D> = Rc<RefCell<Option<WeightLoader<D>>>>;

fn shared<D: Device>(device: D, options: &LoadOptions) -> SharedLoader<D> {
    let mut weight_loader = WeightLoader::new(device);
    weight_loader.header_only = options.header_only;
    weight_loader.quantize = options.quantize.map(TensorType::from);
    Rc::new(RefCell::new(Some(weight_loader)))
}

/// Does the same with the weight loader on any device.
macro_rules! with_weight_loader {
    ($any:expr, $weight_loader:ident => $body:expr) => {
        match &$any {
            AnyWeightLoader::Cpu($weight_loader) => $body,
            #[cfg(not(target_feature = "atomics"))]
            AnyWeightLoader::Gpu($weight_loader) => $body,
        }
    };
}

/// The same, with the weight loader itself.
macro_rules! inside {
    ($any:expr, $weight_loader:ident => $body:expr) => {
        with_weight_loader!($any, shared => {
            let mut guard = shared.borrow_mut();
            let $weight_loader = guard.as_mut().ok_or_else(over)?;
            $body
        })
    };
}

const ASSUMED_MEAN: &str =
    "no file says how a text's tokens become one vector (modules.json, pooling_type): their mean is taken";

fn over() -> Error {
    Error::new(Code::Internal, "this loader has made its model")
}

#[derive(Serialize)]
struct Compiled {
    done: usize,
    total: usize,
}

#[wasm_bindgen]
pub struct ModelLoader {
    format: Format,
    options: LoadOptions,
    weight_loader: AnyWeightLoader,
    reader: Option<FileReader>,
    /// What config.json calls the model.
    model_type: String,
    /// What there is of a tokenizer without tokenizer.json.
    files: Files,
    tokenizer: Option<Tokenizer>,
    processor: Option<Processor>,
    sentence: Option<Sentence>,
    /// What vectors go through behind the pooling, and which of it the current file is of.
    dense: Vec<DenseFile>,
    dense_arriving: Option<usize>,
    /// What had to be assumed of the files beside the weights.
    warnings: Vec<String>,
    progress: Rc<Progress>,
    settling: Task<()>,
    finishing: Task<JsValue>,
}

#[wasm_bindgen]
impl ModelLoader {
    /// `format`: "gguf" or "safetensors".
    #[wasm_bindgen(constructor)]
    pub fn new(format: &str, options: JsValue) -> Result<ModelLoader> {
        let options: LoadOptions =
            if options.is_undefined() { LoadOptions::default() } else { from_js(options, "load options")? };
        let format = if format == "gguf" { Format::Gguf } else { Format::Safetensors };
        let weight_loader = match options.device {
            DeviceChoice::Cpu => AnyWeightLoader::Cpu(shared(Cpu::new(pool()), &options)),
            #[cfg(not(target_feature = "atomics"))]
            DeviceChoice::Webgpu => AnyWeightLoader::Gpu(shared(Gpu::new(gpu()?)?, &options)),
        };
        Ok(Self {
            format,
            options,
            weight_loader,
            reader: None,
            model_type: String::new(),
            files: Files::new(),
            tokenizer: None,
            processor: None,
            sentence: None,
            dense: Vec::new(),
            dense_arriving: None,
            warnings: Vec::new(),
            progress: Rc::default(),
            settling: Task::default(),
            finishing: Task::default(),
        })
    }

    /// config.json, before any weights.
    pub fn config(&mut self, json: &str) -> Result<()> {
        let plan = families::from_config(json)?;
        self.model_type = families::model_type(json)?;
        inside!(self.weight_loader, weight_loader => weight_loader.set_plan(plan));
        Ok(())
    }

    /// The files that a tokenizer is made of where there is no tokenizer.json.
    #[wasm_bindgen(js_name = tokenizerFiles)]
    pub fn tokenizer_files(&self, config: Option<String>) -> Result<Vec<String>> {
        let names = tokenizer_files(config.as_deref(), &self.model_type)?;
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    /// One of these files.
    #[wasm_bindgen(js_name = tokenizerFile)]
    pub fn tokenizer_file(&mut self, name: String, bytes: Vec<u8>) {
        self.files.insert(name, bytes);
    }

    /// tokenizer.json, else the other files there are; tokenizer_config.json, chat_template.jinja and, beside it, the
    /// template for conversations with tools.
    pub fn tokenizer(
        &mut self,
        json: Option<String>,
        config: Option<String>,
        chat_template: Option<String>,
        with_tools: Option<String>,
    ) -> Result<()> {
        let files = std::mem::take(&mut self.files);
        let config = config.as_deref();
        let tokenizer = match json {
            Some(json) => Some(Tokenizer::from_json(&json, config).map_err(|error| error.in_file("tokenizer.json"))?),
            None => Tokenizer::from_folder(&files, config, &self.model_type)?,
        };
        let Some(mut tokenizer) = tokenizer else { return Ok(()) };
        if let Some(template) = chat_template {
            tokenizer.set_chat_templates(template, with_tools);
        }
        self.tokenizer = Some(tokenizer);
        Ok(())
    }

    /// preprocessor_config.json or processor_config.json, after config.json.
    pub fn preprocessor(&mut self, json: &str) -> Result<()> {
        let plan = inside!(self.weight_loader, weight_loader => weight_loader.plan()?.clone());
        let read = |channels| Processor::from_json(json, channels, &plan.spec().architecture);
        self.processor = plan.channels().map(read).transpose()?;
        Ok(())
    }

    /// generation_config.json, after config.json; undefined where there is none.
    pub fn generation(&mut self, json: Option<String>) -> Result<()> {
        let read = |plan: &mut ModelConfig| plan.set_generation(json.as_deref());
        inside!(self.weight_loader, weight_loader => weight_loader.change_plan(read))
    }

    /// sentence-transformers' files, after config.json: [`SentenceFiles`]; undefined where a model that makes vectors has
    /// none. The folders of Dense modules: each has a weights file, to come after the model's in that order.
    pub fn sentence(&mut self, files: JsValue) -> Result<Vec<String>> {
        if files.is_undefined() {
            self.warnings.push(ASSUMED_MEAN.to_owned());
            return Ok(Vec::new());
        }
        let files: SentenceFiles = from_js(files, "sentence-transformers' files")?;
        let sentence = Sentence::from_json(&files)?;
        let body = |plan: &mut ModelConfig| {
            plan.leave_head_out();
            Ok(())
        };
        inside!(self.weight_loader, weight_loader => weight_loader.change_plan(body)?);
        let width = inside!(self.weight_loader, weight_loader => weight_loader.plan()?.spec().width);
        SentenceDense::chain(&sentence.dense, width)?;
        let folders = sentence.dense.iter().map(|module| module.folder.clone()).collect();
        self.dense = sentence.dense.iter().map(dense_file).collect();
        self.sentence = Some(sentence);
        Ok(folders)
    }

    /// The weights file of a Dense module begins, instead of the model's next one.
    #[wasm_bindgen(js_name = beginDense)]
    pub fn begin_dense(&mut self, module: usize, file: &str, size: Option<f64>) {
        self.begin(file, size);
        self.dense_arriving = Some(module);
    }

    /// config_sentence_transformers.json of a classifier, after config.json.
    #[wasm_bindgen(js_name = crossEncoder)]
    pub fn cross_encoder(&mut self, json: &str) -> Result<()> {
        let Some(activation) = cross_encoder_activation(json)? else { return Ok(()) };
        inside!(self.weight_loader, weight_loader => weight_loader.change_plan(|plan| plan.cross_encoder(&activation)))
    }

    /// The next weights file begins.
    pub fn begin(&mut self, file: &str, size: Option<f64>) {
        self.reader = Some(FileReader::new(self.format, file, size.map(|size| size as u64)));
    }

    /// Its next bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let reader = self.reader.as_mut().ok_or_else(|| Error::new(Code::Internal, "no file has begun"))?;
        if let Some(dense) = self.dense_arriving.and_then(|module| self.dense.get_mut(module)) {
            return reader.push(bytes, dense);
        }
        inside!(self.weight_loader, weight_loader => reader.push(bytes, weight_loader))
    }

    /// Whether the current file's header has come.
    #[wasm_bindgen(getter, js_name = headerComplete)]
    pub fn header_complete(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| reader.header().is_some())
    }

    /// How many GGUF files belong together.
    #[wasm_bindgen(getter)]
    pub fn shards(&self) -> Result<usize> {
        inside!(self.weight_loader, weight_loader => Ok(weight_loader.files()))
    }

    /// The current file is over.
    pub fn end(&mut self) -> Result<()> {
        self.dense_arriving = None;
        self.reader.take().map_or(Ok(()), FileReader::finish)
    }

    /// Of the headers so far.
    pub fn summary(&self) -> Result<JsValue> {
        Ok(to_js(&self.summarise()?))
    }

    /// Lets the device catch up. `true`, or null where it waits. Errors: out-of-memory, device-lost.
    pub fn settle(&mut self) -> Result<JsValue> {
        let result = with_weight_loader!(self.weight_loader, shared => {
            let shared = shared.clone();
            self.settling.run(|| async move {
                let mut weight_loader = shared.borrow_mut().take().ok_or_else(over)?;
                let result = weight_loader.sync().await;
                *shared.borrow_mut() = Some(weight_loader);
                result
            })
        });
        or_null(result.map(|result| result.map(|()| true)))
    }

    /// `{ done, total }` of the kernels that `finish` compiles.
    #[wasm_bindgen(getter)]
    pub fn compiled(&self) -> JsValue {
        to_js(&Compiled { done: self.progress.done.get(), total: self.progress.total.get() })
    }

    /// The model, of everything that has come, by its task; or null where it waits.
    pub fn finish(&mut self) -> Result<JsValue> {
        if self.finishing.is_begun() {
            return or_null(self.finishing.run(|| async { Err(over()) }));
        }
        let mut summary = self.summarise()?;
        let mut tokenizer = match (self.tokenizer.take(), self.format) {
            (Some(tokenizer), _) => Some(tokenizer),
            (None, Format::Safetensors) => None,
            (None, Format::Gguf) => inside!(self.weight_loader, weight_loader => gguf_tokenizer(weight_loader)?),
        };
        let plan = inside!(self.weight_loader, weight_loader => weight_loader.plan()?.clone());
        if let Some(tokenizer) = &mut tokenizer {
            tokenizer.add_end_tokens(&plan.end_tokens);
            summary.warn(tokenizer.warnings());
        }
        summary.warn(&self.warnings);
        let processor = self.processor.take().or(plan.processor.clone());
        let sentence = self.take_sentence(&plan, &mut summary)?;
        let (context_length, cache) = (self.options.context_length, cache_type(plan.spec(), &self.options));
        let (progress, dense) = (self.progress.clone(), std::mem::take(&mut self.dense));
        with_weight_loader!(self.weight_loader, shared => {
            let weight_loader = shared.borrow_mut().take().ok_or_else(over)?;
            or_null(self.finishing.run(|| async move {
                match plan.spec().task() {
                    "image-classification" => {
                        let model = model::ImageModel::new(weight_loader, processor, &progress).await?;
                        Ok(ImageHandle::new(model, summary).into())
                    }
                    "image-text-matching" => {
                        let model = model::DualEncoder::new(weight_loader, processor, &progress).await?;
                        Ok(MatchModel::new(model, summary, tokenizer).into())
                    }
                    "text-embedding" | "text-classification" | "token-classification" => {
                        let model = model::TextModel::with_dense(weight_loader, dense, &progress).await?;
                        Ok(TextHandle::new(model, summary, tokenizer, sentence)?.into())
                    }
                    task => {
                        let model = model::Model::new(weight_loader, context_length, cache, &progress).await?;
                        let model = ModelHandle::new(Box::new(On::new(model)), summary, tokenizer, &plan);
                        Ok(if task == "seq2seq" { Seq2SeqHandle::new(model).into() } else { model.into() })
                    }
                }
            }))
        })
    }
}

impl ModelLoader {
    /// How a text becomes one vector, where a file says so.
    fn take_sentence(&mut self, plan: &ModelConfig, summary: &mut Summary) -> Result<Option<Sentence>> {
        let task = plan.spec().task();
        if self.sentence.is_some() || self.format == Format::Safetensors || !task.starts_with("text") {
            return Ok(self.sentence.take());
        }
        let sentence =
            inside!(self.weight_loader, weight_loader => Sentence::from_gguf(&weight_loader.header().metadata)?);
        if sentence.pooling.is_none() && task == "text-embedding" {
            summary.warn(&[ASSUMED_MEAN.to_owned()]);
        }
        Ok(Some(sentence))
    }

    fn summarise(&self) -> Result<Summary> {
        inside!(self.weight_loader, weight_loader => summary(weight_loader, &self.options, &self.dense))
    }
}

fn summary<D: Device>(weight_loader: &WeightLoader<D>, options: &LoadOptions, dense: &[DenseFile]) -> Result<Summary> {
    let spec = weight_loader.plan()?.spec();
    let context = model::check_context(spec, options.context_length)?;
    let mut summary = Summary::new::<D>(weight_loader, context, options.batch.unwrap_or(1), cache_type(spec, options))?;
    for file in dense {
        summary.add_to_head(file.parameters(), file.device_bytes::<D>(weight_loader.quantize));
    }
    Ok(summary)
}

/// An encoder-decoder's texts are short, and its caches too: they are exact.
fn cache_type(spec: &Spec, options: &LoadOptions) -> CacheType {
    let default = if spec.looks_across() { CacheType::F32 } else { CacheType::default() };
    options.kv_cache_type.unwrap_or(default)
}

/// The tokenizer that GGUF metadata describe; none where they have none.
fn gguf_tokenizer<D: Device>(weight_loader: &WeightLoader<D>) -> Result<Option<Tokenizer>> {
    let metadata = &weight_loader.header().metadata;
    metadata.contains("tokenizer.ggml.model").then(|| Tokenizer::from_gguf(metadata)).transpose()
}
