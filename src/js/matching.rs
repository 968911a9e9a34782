//! Two towers, and images against texts.

use super::image::{images, pictures_of, tensor_of};
use super::looking::{AnyImages, look_at_all};
use super::task::{Run, pause};
use super::texts::{AnyTexts, checked, read_all};
use super::value::{Tensor, rows_from_js, to_js};
use super::words::Words;
use crate::device::Device;
use crate::error::Result;
use crate::model::spec::{Head, Pooling};
use crate::model::{DualEncoder, ImageOutput, ImageTask, Output, Sequence, SimilarityHead, Summary};
use crate::text::Tokenizer;
use js_sys::Float32Array;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

#[wasm_bindgen]
pub struct MatchModel {
    images: Rc<dyn AnyImages>,
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
    likeness: SimilarityHead,
}

/// What is read of each text.
const OUTPUT: Output = Output::Embedding;

/// What transformers takes where no file says.
const PADDING: u32 = 1;

impl MatchModel {
    pub fn new<D: Device>(model: DualEncoder<D>, summary: Summary, tokenizer: Option<Tokenizer>) -> Self {
        // SigLIP was trained with texts filled up to its length, and reads the last place.
        let is_filled_up = matches!(&model.texts.spec.head, Head::Embedding(head) if head.pooling == Pooling::Last);
        let padding = tokenizer.as_ref().and_then(Tokenizer::padding).unwrap_or(PADDING);
        let padding = is_filled_up.then_some(padding);
        let (size, most) = (model.images.image_size(), model.texts.spec.context());
        let (width, likeness) = (model.width(), model.likeness);
        let model = Rc::new(RefCell::new(model));
        let (images, texts) = (Rc::new(model.clone()), Rc::new(model));
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
    pub fn embed_images(&self, pictures: Vec<JsValue>) -> Result<Run> {
        Ok(Run::new(tensor_of(self.images.clone(), pictures_of(pictures)?, ImageTask::Embedding, 1)))
    }

    #[wasm_bindgen(js_name = embedPixels)]
    pub fn embed_pixels(&self, data: &Float32Array, dims: &[u32]) -> Result<Run> {
        Ok(Run::new(tensor_of(self.images.clone(), images(data, dims)?, ImageTask::Embedding, 1)))
    }

    /// Vectors of texts or rows of ids, [rows, width], of unit length.
    #[wasm_bindgen(js_name = embedText)]
    pub fn embed_text(&self, texts: Vec<JsValue>) -> Result<Run> {
        let rows: Vec<Sequence> = texts.iter().map(|text| self.sequence(text)).collect::<Result<_>>()?;
        let (texts, rows, width) = (self.texts.clone(), checked(&*self.texts, rows, OUTPUT)?, self.width);
        let tensor = Tensor::new(&[rows.len(), width])?;
        Ok(Run::new(async move {
            let take = |row: usize, vector: &[f32]| tensor.put(row * width, vector);
            read_all(texts, rows, OUTPUT, take).await?;
            Ok(tensor.to_js())
        }))
    }

    /// Every image against every text, [images, texts].
    pub fn logits(&self, data: &Float32Array, dims: &[u32], rows: Vec<JsValue>) -> Result<Run> {
        let rows: Vec<Sequence> = rows_from_js(rows)?.into_iter().map(Sequence::new).collect();
        let (texts, rows) = (self.texts.clone(), checked(&*self.texts, rows, OUTPUT)?);
        let (source, images, likeness) = (images(data, dims)?, self.images.clone(), self.likeness);
        Ok(Run::new(async move {
            let (mut seen, mut read) = (Vec::new(), vec![Vec::new(); rows.len()]);
            let take = |_, ImageOutput { count, values, .. }| {
                seen.extend(values.chunks(values.len() / count).map(<[f32]>::to_vec));
                Ok(())
            };
            look_at_all(images, source, ImageTask::Embedding, take).await?;
            pause().await;
            read_all(texts, rows, OUTPUT, |row, vector| read[row] = vector.to_vec()).await?;
            let tensor = Tensor::new(&[seen.len(), read.len()])?;
            let pairs = seen.iter().flat_map(|image| read.iter().map(move |text| (image, text)));
            tensor.put(0, &pairs.map(|(image, text)| likeness.logit(image, text)).collect::<Vec<f32>>());
            Ok(tensor.to_js())
        }))
    }
}
