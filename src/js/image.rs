//! A loaded model of images, and its looks at them in steps.

use super::classes::{Classification, best};
use super::looking::{AnyImageModel, AnyLooking};
use super::value::{Tensor, to_js};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::model::{self, Album, Heat, Images, Looking, Scores, Seen, Source, Summary};
use js_sys::{Float32Array, Reflect, Uint8Array};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::{JsCast, JsValue, wasm_bindgen};

#[wasm_bindgen]
pub struct ImageModel {
    model: Box<dyn AnyImageModel>,
    summary: Summary,
    labels: Rc<Vec<String>>,
    scores: Scores,
    /// Channels, height and width.
    size: [usize; 3],
}

impl ImageModel {
    pub fn new<D: Device>(model: model::ImageModel<D>, summary: Summary) -> Self {
        let (labels, size) = (Rc::new(model.labels.clone()), model.image_size());
        let scores = summary.spec.stacks[0].scores();
        Self { model: Box::new(Rc::new(RefCell::new(model))), summary, labels, scores, size }
    }

    fn tensor(&self, source: Source, looking: Looking) -> TensorRun {
        // Those of attention have the layers before the images.
        let layers = if looking == Looking::Attention { self.summary.layers } else { 1 };
        TensorRun { looking: self.model.looking(source, looking), layers, tensor: None }
    }
}

#[wasm_bindgen]
impl ImageModel {
    pub fn summary(&self) -> JsValue {
        to_js(&self.summary)
    }

    pub fn labels(&self) -> Vec<String> {
        self.labels.to_vec()
    }

    /// Channels, height and width of what pictures become.
    #[wasm_bindgen(js_name = inputSize)]
    pub fn input_size(&self) -> Vec<u32> {
        self.size.iter().map(|size| *size as u32).collect()
    }

    /// The likeliest classes of pictures, `{ data, width, height }` each.
    pub fn classify(&self, images: Vec<JsValue>, top_k: usize) -> Result<ClassifyRun> {
        let looking = self.model.looking(album(images)?, Looking::Logits);
        Ok(ClassifyRun { looking, labels: self.labels.clone(), scores: self.scores, top_k, classes: Vec::new() })
    }

    /// Pictures as the model gets them: [rows, channels, height, width].
    pub fn pixels(&self, images: Vec<JsValue>) -> Result<TensorRun> {
        Ok(self.tensor(album(images)?, Looking::Pixels))
    }

    pub fn logits(&self, data: &Float32Array, dims: &[u32]) -> Result<TensorRun> {
        Ok(self.tensor(images(data, dims)?, Looking::Logits))
    }

    pub fn features(&self, data: &Float32Array, dims: &[u32]) -> Result<TensorRun> {
        Ok(self.tensor(images(data, dims)?, Looking::Features))
    }

    /// [layers, rows, heads, tokens, tokens]
    #[wasm_bindgen(js_name = attentionMaps)]
    pub fn attention_maps(&self, data: &Float32Array, dims: &[u32]) -> Result<TensorRun> {
        Ok(self.tensor(images(data, dims)?, Looking::Attention))
    }

    #[wasm_bindgen(js_name = featuresOf)]
    pub fn features_of(&self, image: JsValue) -> Result<TensorRun> {
        Ok(self.tensor(album(vec![image])?, Looking::Features))
    }

    /// What the class token looks at, [1, rows, columns]: of one layer or all, one head or their mean.
    pub fn attention(&self, image: JsValue, layer: Option<usize>, head: Option<usize>) -> Result<TensorRun> {
        Ok(self.tensor(album(vec![image])?, Looking::Heat(Heat { layer, head })))
    }
}

/// Pictures that JavaScript holds; they are copied one by one.
struct Pictures(Vec<(Uint8Array, usize, usize)>);

impl Album for Pictures {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn size(&self, index: usize) -> (usize, usize) {
        (self.0[index].1, self.0[index].2)
    }

    fn rgba(&self, index: usize) -> Vec<u8> {
        self.0[index].0.to_vec()
    }
}

pub fn album(images: Vec<JsValue>) -> Result<Source> {
    let picture = |image: &JsValue| {
        let get = |key: &str| Reflect::get(image, &key.into()).unwrap_or_default();
        let side = |key: &str| get(key).as_f64().filter(|side| *side >= 0.0).map(|side| side as usize);
        Some((get("data").dyn_into().ok()?, side("width")?, side("height")?))
    };
    let pictures: Option<Vec<_>> = images.iter().map(picture).collect();
    match pictures {
        Some(pictures) if !pictures.is_empty() => Ok(Source::Album(Box::new(Pictures(pictures)))),
        Some(_) => Err(Error::invalid("no images")),
        None => Err(Error::invalid("an image: expected { data: Uint8Array, width, height }")),
    }
}

pub fn images(data: &Float32Array, dims: &[u32]) -> Result<Source> {
    let &[count, channels, height, width] = dims else {
        return Err(Error::invalid(format!("pixels of dims {dims:?}, expected [rows, channels, height, width]")));
    };
    let len = dims.iter().try_fold(1u32, |len, n| len.checked_mul(*n));
    if count == 0 || len != Some(data.length()) {
        let message = format!("pixels of dims {dims:?} with {} values", data.length());
        return Err(Error::invalid(message));
    }
    let [count, channels, height, width] = [count, channels, height, width].map(|n| n as usize);
    Ok(Source::Images(Images { values: data.to_vec(), count, channels, height, width }))
}

/// A tensor of all images under way. One step is one pass of images.
#[wasm_bindgen]
pub struct TensorRun {
    looking: Box<dyn AnyLooking>,
    layers: usize,
    tensor: Option<Tensor>,
}

impl TensorRun {
    pub fn new(looking: Box<dyn AnyLooking>) -> Self {
        Self { looking, layers: 1, tensor: None }
    }
}

#[wasm_bindgen]
impl TensorRun {
    /// `{ data, dims }` in the end, true where there is more to do, null where it waits.
    pub fn step(&mut self) -> Result<JsValue> {
        let (count, first) = self.looking.progress();
        let Some(seen) = self.looking.step() else { return Ok(JsValue::NULL) };
        let seen = seen?;
        let tensor = match self.tensor.take() {
            Some(tensor) => tensor,
            None if self.layers == 1 => Tensor::new(&[&[count], &seen.dims[..]].concat())?,
            None => Tensor::new(&[&[seen.dims[0], count], &seen.dims[1..]].concat())?,
        };
        let layer = seen.values.len() / self.layers;
        if tensor.data.length() as usize != seen.values.len() / seen.count * count {
            return Err(Error::invalid("these images come out in different sizes: give them one by one"));
        }
        for (index, values) in seen.values.chunks(layer).enumerate() {
            let at = index * count * layer / seen.count + first * layer / seen.count;
            tensor.data.subarray(at as u32, (at + layer) as u32).copy_from(values);
        }
        let whole = first + seen.count == count;
        let result = if whole { tensor.to_js() } else { true.into() };
        self.tensor = Some(tensor);
        Ok(result)
    }
}

/// Pictures' classes under way. One step is one pass of images.
#[wasm_bindgen]
pub struct ClassifyRun {
    looking: Box<dyn AnyLooking>,
    labels: Rc<Vec<String>>,
    scores: Scores,
    top_k: usize,
    classes: Vec<Vec<Classification>>,
}

#[wasm_bindgen]
impl ClassifyRun {
    /// `{ label, index, score }[][]` in the end, the best first; true where there is more to do, null where it waits.
    pub fn step(&mut self) -> Result<JsValue> {
        let Some(seen) = self.looking.step() else { return Ok(JsValue::NULL) };
        let Seen { count, values, .. } = seen?;
        for logits in values.chunks(values.len() / count) {
            self.classes.push(best(logits, &self.labels, self.scores, self.top_k)?);
        }
        let (all, done) = self.looking.progress();
        Ok(if done == all { to_js(&self.classes) } else { true.into() })
    }
}
