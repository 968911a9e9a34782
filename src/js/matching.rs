//! Two towers, and images against texts.

use super::image::{TensorRun, album, images};
use super::looking::{AnyImageModel, AnyLooking};
use super::texts::{AnyTexts, Batches, TextRun};
use super::value::{Tensor, rows_from_js, to_js};
use super::words::Words;
use crate::device::Device;
use crate::error::Result;
use crate::model::spec::{Head, Pooling};
use crate::model::{Likeness, Looking, Matcher, Reading, Sequence, Summary, Vector};
use crate::text::Tokenizer;
use js_sys::Float32Array;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

#[wasm_bindgen]
pub struct MatchModel {
    images: Box<dyn AnyImageModel>,
    texts: Rc<dyn AnyTexts>,
    summary: Summary,
    words: Words,
    /// Channels, height and width.
    size: [usize; 3],
    /// Tokens that a text has at most; with `padding` it is filled up to that many.
    most: usize,
    padding: Option<u32>,
    /// Values of a vector.
    width: usize,
    likeness: Likeness,
}

/// A model of texts reads one vector of each.
const READING: Reading = Reading::Vector(Vector::Mean);

/// What transformers takes where no file says.
const PADDING: u32 = 1;

impl MatchModel {
    pub fn new<D: Device>(model: Matcher<D>, summary: Summary, tokenizer: Option<Tokenizer>) -> Self {
        // SigLIP was trained with texts filled up to its length, and reads the last place.
        let is_filled_up = matches!(&model.texts.spec.head, Head::Embedding(head) if head.pooling == Pooling::Last);
        let padding = tokenizer.as_ref().and_then(Tokenizer::padding).unwrap_or(PADDING);
        let padding = is_filled_up.then_some(padding);
        let (size, most) = (model.images.image_size(), model.texts.spec.context());
        let (width, likeness) = (model.width(), model.likeness);
        let model = Rc::new(RefCell::new(model));
        let (images, texts) = (Box::new(model.clone()), Rc::new(model));
        Self { images, texts, summary, words: Words(tokenizer), size, most, padding, width, likeness }
    }

    fn sequence(&self, text: &JsValue) -> Result<Sequence> {
        let mut sequence = self.words.sequence(text, self.most)?;
        if let Some(padding) = self.padding.filter(|_| text.is_string()) {
            sequence.ids.resize(self.most, padding);
        }
        Ok(Sequence::new(sequence.ids))
    }
}

#[wasm_bindgen]
impl MatchModel {
    pub fn summary(&self) -> JsValue {
        to_js(&self.summary)
    }

    pub fn encode(&self, text: &str, add_special: bool) -> Result<Vec<u32>> {
        self.words.encode(text, add_special)
    }

    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        self.words.decode(ids, skip_special)
    }

    /// Channels, height and width of what pictures become.
    #[wasm_bindgen(js_name = inputSize)]
    pub fn input_size(&self) -> Vec<u32> {
        self.size.iter().map(|size| *size as u32).collect()
    }

    /// Multiplies the cosine of an image and a text.
    pub fn scale(&self) -> f32 {
        self.likeness.scale
    }

    /// Is added then, where each text is judged for itself.
    pub fn bias(&self) -> Option<f32> {
        self.likeness.bias
    }

    /// Vectors of pictures, [rows, width], of unit length.
    #[wasm_bindgen(js_name = embedImages)]
    pub fn embed_images(&self, pictures: Vec<JsValue>) -> Result<TensorRun> {
        Ok(TensorRun::new(self.images.looking(album(pictures)?, Looking::Embedding)))
    }

    #[wasm_bindgen(js_name = embedPixels)]
    pub fn embed_pixels(&self, data: &Float32Array, dims: &[u32]) -> Result<TensorRun> {
        Ok(TensorRun::new(self.images.looking(images(data, dims)?, Looking::Embedding)))
    }

    /// Vectors of texts or rows of ids, [rows, width], of unit length.
    #[wasm_bindgen(js_name = embedText)]
    pub fn embed_text(&self, texts: Vec<JsValue>) -> Result<TextRun> {
        let rows: Vec<Sequence> = texts.iter().map(|text| self.sequence(text)).collect::<Result<_>>()?;
        let count = rows.len();
        TextRun::vectors(Batches::new(self.texts.clone(), rows, READING)?, count, self.width)
    }

    /// Every image against every text, [images, texts].
    pub fn logits(&self, data: &Float32Array, dims: &[u32], rows: Vec<JsValue>) -> Result<MatchRun> {
        let rows: Vec<Sequence> = rows_from_js(rows)?.into_iter().map(Sequence::new).collect();
        Ok(MatchRun {
            looking: self.images.looking(images(data, dims)?, Looking::Embedding),
            images: Vec::new(),
            texts: vec![Vec::new(); rows.len()],
            batches: Batches::new(self.texts.clone(), rows, READING)?,
            likeness: self.likeness,
        })
    }
}

/// Logits of images and texts under way: the images' vectors first.
#[wasm_bindgen]
pub struct MatchRun {
    looking: Box<dyn AnyLooking>,
    batches: Batches,
    images: Vec<Vec<f32>>,
    texts: Vec<Vec<f32>>,
    likeness: Likeness,
}

impl MatchRun {
    fn logits(&self) -> Result<JsValue> {
        let tensor = Tensor::new(&[self.images.len(), self.texts.len()])?;
        let pairs = self.images.iter().flat_map(|image| self.texts.iter().map(move |text| (image, text)));
        let logits: Vec<f32> = pairs.map(|(image, text)| self.likeness.logit(image, text)).collect();
        tensor.data.copy_from(&logits);
        Ok(tensor.to_js())
    }
}

#[wasm_bindgen]
impl MatchRun {
    /// `{ data, dims }` in the end, true where there is more to do, null where it waits.
    pub fn step(&mut self) -> Result<JsValue> {
        let (count, seen) = self.looking.progress();
        if seen < count {
            let Some(seen) = self.looking.step() else { return Ok(JsValue::NULL) };
            let seen = seen?;
            self.images.extend(seen.values.chunks(seen.values.len() / seen.count).map(<[f32]>::to_vec));
            return Ok(true.into());
        }
        let Some(result) = self.batches.step() else { return Ok(JsValue::NULL) };
        let (rows, values) = result?;
        for (row, vector) in rows.iter().zip(values.chunks(values.len() / rows.len())) {
            self.texts[*row] = vector.to_vec();
        }
        if self.batches.is_over() { self.logits() } else { Ok(true.into()) }
    }
}
