//! Encoders of texts, and their work in steps: one step is one batch of texts.

use super::classes::{Classification, best};
use super::task::{Run, Work, holding, pause, taken};
use super::value::{Maps, Tensor, maps_to_js, rows_from_js, to_js};
use super::words::Words;
use crate::device::{Activation, Device};
use crate::error::{Error, Result};
use crate::model::{DenseFile, DualEncoder, Output, Pooling, Scores, Sequence, Summary, to_unit_length, together};
use crate::model::{TextModel, spec::Head};
use crate::text::{Prompt, Sentence, SentenceActivation, SentenceDense, SentencePooling, Tokenizer};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

/// What reads texts, on whatever device.
pub trait AnyTexts {
    /// The results of texts that go through the model together, one after the other.
    fn read(&self, rows: Vec<Sequence>, output: Output) -> Work<Vec<f32>>;
    /// Refuses what the model does not have, and tokens that it does not take.
    fn check(&self, rows: &[Sequence], output: Output) -> Result<()>;
}

impl<D: Device> AnyTexts for Rc<RefCell<TextModel<D>>> {
    fn read(&self, rows: Vec<Sequence>, output: Output) -> Work<Vec<f32>> {
        let model = self.clone();
        Box::pin(async move { holding(&model, async |model| model.read(&rows, output).await).await })
    }

    fn check(&self, rows: &[Sequence], output: Output) -> Result<()> {
        let model = taken(self)?;
        model.check(output)?;
        rows.iter().try_for_each(|row| model.encoder.check(row))
    }
}

impl<D: Device> AnyTexts for Rc<RefCell<DualEncoder<D>>> {
    fn read(&self, rows: Vec<Sequence>, _: Output) -> Work<Vec<f32>> {
        let model = self.clone();
        Box::pin(async move { holding(&model, async |model| model.embed_texts(&rows).await).await })
    }

    fn check(&self, rows: &[Sequence], _: Output) -> Result<()> {
        let model = taken(self)?;
        rows.iter().try_for_each(|row| model.texts.check(row))
    }
}

/// What shows where it looks, too.
pub trait AnyEncoder: AnyTexts {
    /// Refuses types of tokens that a caller gave and the model does not have.
    fn check_types(&self, row: &Sequence) -> Result<()>;

    fn maps(&self, text: Sequence, layer: Option<usize>) -> Work<Maps>;
}

impl<D: Device> AnyEncoder for Rc<RefCell<TextModel<D>>> {
    fn check_types(&self, row: &Sequence) -> Result<()> {
        taken(self)?.encoder.check_types(row)
    }

    fn maps(&self, text: Sequence, layer: Option<usize>) -> Work<Maps> {
        let model = self.clone();
        Box::pin(async move { holding(&model, async |model| model.attention_maps(&text, layer).await).await })
    }
}

/// Texts that a model takes. Errors: invalid-argument, context-full.
pub fn checked(texts: &(impl AnyTexts + ?Sized), rows: Vec<Sequence>, output: Output) -> Result<Vec<Sequence>> {
    if rows.is_empty() {
        return Err(Error::invalid("no texts"));
    }
    texts.check(&rows, output)?;
    Ok(rows)
}

/// Reads all texts, those of like length together; `take` gets each one's number and result.
pub async fn read_all<T: AnyTexts + ?Sized>(
    texts: Rc<T>,
    rows: Vec<Sequence>,
    output: Output,
    mut take: impl FnMut(usize, &[f32]),
) -> Result<()> {
    // The texts that are still to be read, the shortest last.
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|row| std::cmp::Reverse(rows[*row].ids.len()));
    while !order.is_empty() {
        let count = together(order.iter().rev().map(|row| rows[*row].ids.len()));
        let batch = order.split_off(order.len() - count);
        let values = texts.read(batch.iter().map(|row| rows[*row].clone()).collect(), output).await?;
        // Of some there are as many as tokens.
        let parts = |row: usize| if output.is_of_tokens() { rows[row].ids.len() } else { 1 };
        let part = values.len() / batch.iter().map(|row| parts(*row)).sum::<usize>();
        let mut rest = &values[..];
        for row in batch {
            let (now, later) = rest.split_at(parts(row) * part);
            take(row, now);
            rest = later;
        }
        if !order.is_empty() {
            pause().await;
        }
    }
    Ok(())
}

/// What the model does for a pooling of sentence-transformers.
fn vector_of(pooling: SentencePooling) -> Pooling {
    match pooling {
        SentencePooling::Mean => Pooling::Mean,
        SentencePooling::Cls => Pooling::ClassToken,
        SentencePooling::LastToken => Pooling::Last,
        SentencePooling::Max => Pooling::Max,
        SentencePooling::MeanSqrtLength => Pooling::MeanSqrtLength,
        SentencePooling::WeightedMean => Pooling::WeightedMean,
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

#[wasm_bindgen(js_name = TextModel)]
pub struct TextHandle {
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
    logits: Output,
}

impl TextHandle {
    pub fn new<D: Device>(
        model: TextModel<D>,
        summary: Summary,
        tokenizer: Option<Tokenizer>,
        sentence: Option<Sentence>,
    ) -> Result<Self> {
        let (labels, sentence) = (Rc::new(model.labels.clone()), sentence.unwrap_or_default());
        let longest = model.encoder.spec.longest();
        let said = sentence.max_tokens.or_else(|| tokenizer.as_ref().and_then(Tokenizer::max_tokens));
        let classes = if let Head::Classes(head) = model.encoder.spec.head { head.classes } else { 0 };
        let mut words = Words(tokenizer);
        if let Some(tokenizer) = words.0.as_mut().filter(|_| sentence.lowercase) {
            tokenizer.set_lowercase()?;
        }
        let most = said.map_or(longest, |said| said.min(longest));
        let scores = model.encoder.spec.scores();
        let vector_width = model.width(Output::Vector(Pooling::Mean));
        let of_tokens = model.encoder.spec.task() == "token-classification";
        let logits = if of_tokens { Output::TokenLogits } else { Output::Logits };
        let texts = Rc::new(Rc::new(RefCell::new(model)));
        Ok(Self { texts, summary, labels, words, sentence, most, classes, scores, vector_width, logits })
    }

    /// A tensor of all texts, [rows, …]; `normalize`: vectors become as long as 1.
    fn run(&self, rows: Vec<Sequence>, output: Output, normalize: bool) -> Result<Run> {
        let (texts, rows) = (self.texts.clone(), checked(&*self.texts, rows, output)?);
        let longest = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
        let dims = match output {
            Output::Hidden => vec![rows.len(), longest, self.summary.width],
            Output::TokenLogits => vec![rows.len(), longest, self.classes],
            Output::Logits => vec![rows.len(), self.classes],
            Output::Vector(_) | Output::Pooler | Output::Embedding => vec![rows.len(), self.vector_width],
        };
        let (tensor, row_len) = (Tensor::new(&dims)?, dims[1..].iter().product::<usize>());
        Ok(Run::new(async move {
            let take = |row: usize, values: &[f32]| match normalize {
                false => tensor.put(row * row_len, values),
                true => {
                    let mut vector = values.to_vec();
                    to_unit_length(&mut vector);
                    tensor.put(row * row_len, &vector);
                }
            };
            read_all(texts, rows, output, take).await?;
            Ok(tensor.to_js())
        }))
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

#[wasm_bindgen(js_class = TextModel)]
impl TextHandle {
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
    ) -> Result<Run> {
        let output = match pooling.as_deref() {
            None => Output::Vector(self.sentence.pooling.map_or(Pooling::Mean, vector_of)),
            Some("mean") => Output::Vector(Pooling::Mean),
            Some("cls") => Output::Vector(Pooling::ClassToken),
            Some("last") => Output::Vector(Pooling::Last),
            Some("pooler") => Output::Pooler,
            Some(other) => {
                return Err(Error::invalid(format!("pooling {other:?}, expected mean, cls, last or pooler")));
            }
        };
        let prompt = self.sentence.prompt(prompt.as_deref(), prompt_name.as_deref())?;
        self.run(self.prompted(texts, prompt)?, output, normalize.unwrap_or(true))
    }

    /// [rows, positions, width], rows padded with zeros.
    pub fn hidden(&self, rows: Vec<JsValue>) -> Result<Run> {
        let rows = rows_from_js(rows)?.into_iter().map(Sequence::new).collect();
        self.run(rows, Output::Hidden, false)
    }

    /// [rows, classes], or [rows, positions, classes] of a classifier of tokens, rows padded with zeros; `types`: which of two
    /// texts each token is of.
    pub fn logits(&self, rows: Vec<JsValue>, types: Option<Vec<JsValue>>) -> Result<Run> {
        let mut rows: Vec<Sequence> = rows_from_js(rows)?.into_iter().map(Sequence::new).collect();
        for (row, types) in rows.iter_mut().zip(types.map(rows_from_js).transpose()?.unwrap_or_default()) {
            row.types = types;
            self.texts.check_types(row)?;
        }
        self.run(rows, self.logits, false)
    }

    /// The attention weights of a text, [layers, heads, positions, positions], or of one layer.
    #[wasm_bindgen(js_name = attentionMaps)]
    pub fn attention_maps(&self, text: JsValue, layer: Option<usize>) -> Result<Run> {
        let text = self.words.sequence(&text, self.most)?;
        Ok(Run::new(maps_to_js(self.texts.maps(text, layer), layer)))
    }

    /// The likeliest classes of texts, or of pairs of texts: `{ label, index, score }[][]`, the best first.
    pub fn classify(&self, texts: Vec<JsValue>, top_k: usize) -> Result<Run> {
        let (texts, rows) = (self.texts.clone(), checked(&*self.texts, self.sequences(texts)?, Output::Logits)?);
        let (labels, scores) = (self.labels.clone(), self.scores);
        Ok(Run::new(async move {
            let mut logits: Vec<Vec<f32>> = vec![Vec::new(); rows.len()];
            read_all(texts, rows, Output::Logits, |row, values| logits[row] = values.to_vec()).await?;
            let classes = logits.iter().map(|logits| best(logits, &labels, scores, top_k));
            Ok(to_js(&classes.collect::<Result<Vec<Vec<Classification>>>>()?))
        }))
    }
}
