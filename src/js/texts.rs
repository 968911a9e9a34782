//! Encoders of texts, and their work in steps: one step is one batch of texts.

use super::classes::{Classification, best};
use super::model::MapsRun;
use super::running::{Maps, taken};
use super::task::Task;
use super::value::{Tensor, rows_from_js, to_js};
use super::words::Words;
use crate::device::{Activation, Device};
use crate::error::{Error, Result};
use crate::model::{DenseFile, Matcher, Reading, Scores, Sequence, Summary, Vector, to_unit_length, together};
use crate::model::{TextModel as Reader, spec::Head};
use crate::text::{Prompt, Sentence, SentenceActivation, SentenceDense, SentencePooling, Tokenizer};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

/// What reads texts, on whatever device.
pub trait AnyTexts {
    /// The results of texts that go through the model together, one after the other.
    fn read(&self, rows: Vec<Sequence>, reading: Reading) -> Task<Vec<f32>>;
    /// Refuses what the model does not have, and tokens that it does not take.
    fn check(&self, rows: &[Sequence], reading: Reading) -> Result<()>;
}

#[allow(clippy::await_holding_refcell_ref)] // As in `running::work`.
impl<D: Device> AnyTexts for Rc<RefCell<Reader<D>>> {
    fn read(&self, rows: Vec<Sequence>, reading: Reading) -> Task<Vec<f32>> {
        let model = self.clone();
        Task::begun(async move { taken(&model)?.read(&rows, reading).await })
    }

    fn check(&self, rows: &[Sequence], reading: Reading) -> Result<()> {
        let model = taken(self)?;
        model.check(reading)?;
        rows.iter().try_for_each(|row| model.tower.check(row))
    }
}

#[allow(clippy::await_holding_refcell_ref)] // As in `running::work`.
impl<D: Device> AnyTexts for Rc<RefCell<Matcher<D>>> {
    fn read(&self, rows: Vec<Sequence>, _: Reading) -> Task<Vec<f32>> {
        let model = self.clone();
        Task::begun(async move { taken(&model)?.embed_texts(&rows).await })
    }

    fn check(&self, rows: &[Sequence], _: Reading) -> Result<()> {
        let model = taken(self)?;
        rows.iter().try_for_each(|row| model.texts.check(row))
    }
}

/// What shows where it looks, too.
pub trait AnyEncoder: AnyTexts {
    /// Refuses types of tokens that a caller gave and the model does not have.
    fn check_types(&self, row: &Sequence) -> Result<()>;

    fn maps(&self, text: Sequence, layer: Option<usize>) -> Task<Maps>;
}

#[allow(clippy::await_holding_refcell_ref)] // As in `running::work`.
impl<D: Device> AnyEncoder for Rc<RefCell<Reader<D>>> {
    fn check_types(&self, row: &Sequence) -> Result<()> {
        taken(self)?.tower.check_types(row)
    }

    fn maps(&self, text: Sequence, layer: Option<usize>) -> Task<Maps> {
        let model = self.clone();
        Task::begun(async move { taken(&model)?.attention_maps(&text, layer).await })
    }
}

/// Texts on their way through a model, those of like length together.
pub struct Batches {
    texts: Rc<dyn AnyTexts>,
    reading: Reading,
    rows: Vec<Sequence>,
    /// The texts that are still to be read, the shortest last.
    order: Vec<usize>,
    under_way: Option<(Vec<usize>, Task<Vec<f32>>)>,
}

impl Batches {
    /// Errors: invalid-argument, context-full.
    pub fn new(texts: Rc<dyn AnyTexts>, rows: Vec<Sequence>, reading: Reading) -> Result<Self> {
        if rows.is_empty() {
            return Err(Error::invalid("no texts"));
        }
        texts.check(&rows, reading)?;
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|row| std::cmp::Reverse(rows[*row].ids.len()));
        Ok(Self { texts, reading, rows, order, under_way: None })
    }

    pub fn is_over(&self) -> bool {
        self.order.is_empty() && self.under_way.is_none()
    }

    /// The next texts' numbers and their results. `None`: it waits.
    pub fn step(&mut self) -> Option<Result<(Vec<usize>, Vec<f32>)>> {
        let Self { texts, reading, rows, order, under_way } = self;
        let (_, task) = under_way.get_or_insert_with(|| {
            let count = together(order.iter().rev().map(|row| rows[*row].ids.len()));
            let batch = order.split_off(order.len() - count);
            let sequences = batch.iter().map(|row| rows[*row].clone()).collect();
            let task = texts.read(sequences, *reading);
            (batch, task)
        });
        let result = task.step()?;
        let (batch, _) = under_way.take()?;
        Some(result.map(|values| (batch, values)))
    }
}

/// What the model does for a pooling of sentence-transformers.
fn vector_of(pooling: SentencePooling) -> Vector {
    match pooling {
        SentencePooling::Mean => Vector::Mean,
        SentencePooling::Cls => Vector::FirstToken,
        SentencePooling::LastToken => Vector::LastToken,
        SentencePooling::Max => Vector::Max,
        SentencePooling::MeanSqrtLength => Vector::MeanSqrtLength,
        SentencePooling::WeightedMean => Vector::WeightedMean,
    }
}

/// A product of sentence-transformers', whose weights are to come.
pub fn dense_file(module: &SentenceDense) -> DenseFile {
    let activation = match module.activation {
        SentenceActivation::Identity => None,
        SentenceActivation::Tanh => Some(Activation::Tanh),
        SentenceActivation::Relu => Some(Activation::Relu),
        SentenceActivation::Gelu => Some(Activation::Gelu),
        SentenceActivation::Silu => Some(Activation::Silu),
    };
    let name = format!("{}/model.safetensors", module.folder);
    DenseFile::new(name, module.inputs, module.outputs, module.bias, activation)
}

#[wasm_bindgen]
pub struct TextModel {
    pub(super) texts: Rc<dyn AnyEncoder>,
    summary: Summary,
    pub(super) labels: Rc<Vec<String>>,
    pub(super) words: Words,
    sentence: Sentence,
    /// Tokens that a text may have.
    pub(super) most: usize,
    pub(super) classes: usize,
    scores: Scores,
    /// Values of a text's vector.
    vector_width: usize,
    /// What the classifier is asked for.
    logits: Reading,
}

impl TextModel {
    pub fn new<D: Device>(
        model: Reader<D>,
        summary: Summary,
        tokenizer: Option<Tokenizer>,
        sentence: Option<Sentence>,
    ) -> Result<Self> {
        let (labels, sentence) = (Rc::new(model.labels.clone()), sentence.unwrap_or_default());
        let longest = model.tower.spec.longest();
        let said = sentence.max_tokens.or_else(|| tokenizer.as_ref().and_then(Tokenizer::max_tokens));
        let classes = if let Head::Classes(head) = model.tower.spec.head { head.classes } else { 0 };
        let mut words = Words(tokenizer);
        if let Some(tokenizer) = words.0.as_mut().filter(|_| sentence.lowercase) {
            tokenizer.set_lowercase()?;
        }
        let most = said.map_or(longest, |said| said.min(longest));
        let scores = model.tower.spec.scores();
        let vector_width = model.width(Reading::Vector(Vector::Mean));
        let of_tokens = model.tower.spec.task() == "token-classification";
        let logits = if of_tokens { Reading::TokenLogits } else { Reading::Logits };
        let texts = Rc::new(Rc::new(RefCell::new(model)));
        Ok(Self { texts, summary, labels, words, sentence, most, classes, scores, vector_width, logits })
    }

    fn run(&self, rows: Vec<Sequence>, reading: Reading, normalize: bool) -> Result<TextRun> {
        let longest = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
        let dims = match reading {
            Reading::Hidden => vec![rows.len(), longest, self.summary.width],
            Reading::TokenLogits => vec![rows.len(), longest, self.classes],
            Reading::Logits => vec![rows.len(), self.classes],
            Reading::Vector(_) => vec![rows.len(), self.vector_width],
        };
        let lengths = rows.iter().map(|row| row.ids.len()).collect();
        let batches = Batches::new(self.texts.clone(), rows, reading)?;
        Ok(TextRun { batches, tensor: Tensor::new(&dims)?, dims, lengths, normalize })
    }

    fn sequences(&self, texts: Vec<JsValue>) -> Result<Vec<Sequence>> {
        texts.iter().map(|text| self.words.sequence(text, self.most)).collect()
    }

    /// The same with what stands before each text. Ids are taken as they are.
    fn prompted(&self, texts: Vec<JsValue>, Prompt { text: prompt, asked }: Prompt) -> Result<Vec<Sequence>> {
        let leave_out = !prompt.is_empty() && self.sentence.prompt_left_out;
        let unpooled = if leave_out { self.words.leading(prompt, self.most)? } else { 0 };
        let sequence = |text: &JsValue| match text.as_string() {
            Some(text) => {
                let sequence = self.words.sequence(&format!("{prompt}{text}").into(), self.most)?;
                Ok(Sequence { unpooled, ..sequence })
            }
            None if asked && !prompt.is_empty() => {
                Err(Error::invalid("a prompt stands before texts, not before token ids"))
            }
            None => self.words.sequence(text, self.most),
        };
        texts.iter().map(sequence).collect()
    }
}

#[wasm_bindgen]
impl TextModel {
    pub fn summary(&self) -> JsValue {
        to_js(&self.summary)
    }

    pub fn labels(&self) -> Vec<String> {
        self.labels.to_vec()
    }

    #[wasm_bindgen(js_name = vectorWidth)]
    pub fn vector_width(&self) -> usize {
        self.vector_width
    }

    pub fn encode(&self, text: &str, add_special: bool) -> Result<Vec<u32>> {
        self.words.encode(text, add_special)
    }

    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        self.words.decode(ids, skip_special)
    }

    /// One vector of each text or row of ids, [rows, width]. `prompt` stands before each text, or that of the checkpoint's
    /// that is called `prompt_name`.
    pub fn embed(
        &self,
        texts: Vec<JsValue>,
        pooling: Option<String>,
        normalize: Option<bool>,
        prompt: Option<String>,
        prompt_name: Option<String>,
    ) -> Result<TextRun> {
        let vector = match pooling.as_deref() {
            None => self.sentence.pooling.map_or(Vector::Mean, vector_of),
            Some("mean") => Vector::Mean,
            Some("cls") => Vector::FirstToken,
            Some("last") => Vector::LastToken,
            Some("pooler") => Vector::Pooler,
            Some(other) => {
                return Err(Error::invalid(format!("pooling {other:?}, expected mean, cls, last or pooler")));
            }
        };
        let prompt = self.sentence.prompt(prompt.as_deref(), prompt_name.as_deref())?;
        self.run(self.prompted(texts, prompt)?, Reading::Vector(vector), normalize.unwrap_or(true))
    }

    /// [rows, positions, width], rows padded with zeros.
    pub fn hidden(&self, rows: Vec<JsValue>) -> Result<TextRun> {
        let rows = rows_from_js(rows)?.into_iter().map(Sequence::new).collect();
        self.run(rows, Reading::Hidden, false)
    }

    /// [rows, classes], or [rows, positions, classes] of a classifier of tokens, rows padded with zeros; `types`: which of two
    /// texts each token is of.
    pub fn logits(&self, rows: Vec<JsValue>, types: Option<Vec<JsValue>>) -> Result<TextRun> {
        let mut rows: Vec<Sequence> = rows_from_js(rows)?.into_iter().map(Sequence::new).collect();
        for (row, types) in rows.iter_mut().zip(types.map(rows_from_js).transpose()?.unwrap_or_default()) {
            row.types = types;
            self.texts.check_types(row)?;
        }
        self.run(rows, self.logits, false)
    }

    /// The attention weights of a text, [layers, heads, positions, positions], or of one layer.
    #[wasm_bindgen(js_name = attentionMaps)]
    pub fn attention_maps(&self, text: JsValue, layer: Option<usize>) -> Result<MapsRun> {
        let text = self.words.sequence(&text, self.most)?;
        Ok(MapsRun::new(self.texts.maps(text, layer), layer))
    }

    /// The likeliest classes of texts, or of pairs of texts.
    pub fn classify(&self, texts: Vec<JsValue>, top_k: usize) -> Result<TextClassifyRun> {
        let rows = self.sequences(texts)?;
        let classes = vec![Vec::new(); rows.len()];
        let batches = Batches::new(self.texts.clone(), rows, Reading::Logits)?;
        Ok(TextClassifyRun { batches, labels: self.labels.clone(), scores: self.scores, top_k, classes })
    }
}

/// A tensor of all texts under way.
#[wasm_bindgen]
pub struct TextRun {
    batches: Batches,
    tensor: Tensor,
    dims: Vec<usize>,
    lengths: Vec<usize>,
    normalize: bool,
}

impl TextRun {
    /// Vectors of texts, which have unit length already.
    pub fn vectors(batches: Batches, rows: usize, width: usize) -> Result<Self> {
        let dims = vec![rows, width];
        Ok(Self { batches, tensor: Tensor::new(&dims)?, dims, lengths: Vec::new(), normalize: false })
    }

    fn place(&mut self, rows: &[usize], mut values: Vec<f32>) {
        let width = self.dims[self.dims.len() - 1];
        if self.normalize {
            values.chunks_exact_mut(width).for_each(to_unit_length);
        }
        let row_len: usize = self.dims[1..].iter().product();
        let mut rest = &values[..];
        for row in rows {
            let len = if self.dims.len() == 3 { self.lengths[*row] * width } else { width };
            let (now, later) = rest.split_at(len);
            let at = row * row_len;
            self.tensor.data.subarray(at as u32, (at + len) as u32).copy_from(now);
            rest = later;
        }
    }
}

#[wasm_bindgen]
impl TextRun {
    /// `{ data, dims }` in the end, true where there is more to do, null where it waits.
    pub fn step(&mut self) -> Result<JsValue> {
        let Some(result) = self.batches.step() else { return Ok(JsValue::NULL) };
        let (rows, values) = result?;
        self.place(&rows, values);
        Ok(if self.batches.is_over() { self.tensor.to_js() } else { true.into() })
    }
}

/// Texts' classes under way.
#[wasm_bindgen]
pub struct TextClassifyRun {
    batches: Batches,
    labels: Rc<Vec<String>>,
    scores: Scores,
    top_k: usize,
    classes: Vec<Vec<Classification>>,
}

#[wasm_bindgen]
impl TextClassifyRun {
    /// `{ label, index, score }[][]` in the end, the best first; true where there is more to do, null where it waits.
    pub fn step(&mut self) -> Result<JsValue> {
        let Some(result) = self.batches.step() else { return Ok(JsValue::NULL) };
        let (rows, values) = result?;
        for (row, logits) in rows.iter().zip(values.chunks(values.len() / rows.len())) {
            self.classes[*row] = best(logits, &self.labels, self.scores, self.top_k)?;
        }
        Ok(if self.batches.is_over() { to_js(&self.classes) } else { true.into() })
    }
}
