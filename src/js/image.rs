//! A loaded model of images, and its looks at them in steps.

use super::classes::{Classification, best};
use super::looking::{AnyImages, look_at_all};
use super::task::Run;
use super::value::{Tensor, to_js};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::model::{self, ImageOutput, ImageSource, ImageTask, Images, PictureSource, Rollout, Scores, Summary};
use js_sys::{Float32Array, Reflect, Uint8Array};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::{JsCast, JsValue, wasm_bindgen};

#[wasm_bindgen(js_name = ImageModel)]
pub struct ImageHandle {
    images: Rc<dyn AnyImages>,
    summary: Summary,
    labels: Rc<Vec<String>>,
    scores: Scores,
    /// Channels, height and width.
    size: [usize; 3],
}

impl ImageHandle {
    pub fn new<D: Device>(model: model::ImageModel<D>, summary: Summary) -> Self {
        let (labels, size) = (Rc::new(model.labels.clone()), model.image_size());
        let scores = summary.spec.stacks[0].scores();
        Self { images: Rc::new(Rc::new(RefCell::new(model))), summary, labels, scores, size }
    }

    fn tensor(&self, source: ImageSource, task: ImageTask) -> Run {
        // Those of attention have the layers before the images.
        let layers = if task == ImageTask::Attention { self.summary.layers } else { 1 };
        Run::new(tensor_of(self.images.clone(), source, task, layers))
    }
}

#[wasm_bindgen(js_class = ImageModel)]
impl ImageHandle {
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

    /// The likeliest classes of pictures, `{ data, width, height }` each: `{ label, index, score }[][]`, the best first.
    pub fn classify(&self, images: Vec<JsValue>, top_k: usize) -> Result<Run> {
        let (pictures, images) = (pictures_of(images)?, self.images.clone());
        let (labels, scores) = (self.labels.clone(), self.scores);
        Ok(Run::new(async move {
            let mut classes: Vec<Vec<Classification>> = Vec::new();
            let take = |_, ImageOutput { count, values, .. }| {
                for logits in values.chunks(values.len() / count) {
                    classes.push(best(logits, &labels, scores, top_k)?);
                }
                Ok(())
            };
            look_at_all(images, pictures, ImageTask::Logits, take).await?;
            Ok(to_js(&classes))
        }))
    }

    /// Pictures as the model gets them: [rows, channels, height, width].
    pub fn pixels(&self, images: Vec<JsValue>) -> Result<Run> {
        Ok(self.tensor(pictures_of(images)?, ImageTask::Pixels))
    }

    pub fn logits(&self, data: &Float32Array, dims: &[u32]) -> Result<Run> {
        Ok(self.tensor(images(data, dims)?, ImageTask::Logits))
    }

    pub fn features(&self, data: &Float32Array, dims: &[u32]) -> Result<Run> {
        Ok(self.tensor(images(data, dims)?, ImageTask::Features))
    }

    /// [layers, rows, heads, tokens, tokens]
    #[wasm_bindgen(js_name = attentionMaps)]
    pub fn attention_maps(&self, data: &Float32Array, dims: &[u32]) -> Result<Run> {
        Ok(self.tensor(images(data, dims)?, ImageTask::Attention))
    }

    #[wasm_bindgen(js_name = featuresOf)]
    pub fn features_of(&self, image: JsValue) -> Result<Run> {
        Ok(self.tensor(pictures_of(vec![image])?, ImageTask::Features))
    }

    /// What the class token looks at, [1, rows, columns]: of one layer or all, one head or their mean.
    pub fn attention(&self, image: JsValue, layer: Option<usize>, head: Option<usize>) -> Result<Run> {
        Ok(self.tensor(pictures_of(vec![image])?, ImageTask::Rollout(Rollout { layer, head })))
    }
}

/// Pictures that JavaScript holds; they are copied one by one.
struct Pictures(Vec<(Uint8Array, usize, usize)>);

impl PictureSource for Pictures {
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

pub fn pictures_of(images: Vec<JsValue>) -> Result<ImageSource> {
    let picture = |image: &JsValue| {
        let get = |key: &str| Reflect::get(image, &key.into()).unwrap_or_default();
        let side = |key: &str| get(key).as_f64().filter(|side| *side >= 0.0).map(|side| side as usize);
        Some((get("data").dyn_into().ok()?, side("width")?, side("height")?))
    };
    let pictures: Option<Vec<_>> = images.iter().map(picture).collect();
    match pictures {
        Some(pictures) if !pictures.is_empty() => Ok(ImageSource::Pictures(Box::new(Pictures(pictures)))),
        Some(_) => Err(Error::invalid("no images")),
        None => Err(Error::invalid("an image: expected { data: Uint8Array, width, height }")),
    }
}

pub fn images(data: &Float32Array, dims: &[u32]) -> Result<ImageSource> {
    let &[count, channels, height, width] = dims else {
        return Err(Error::invalid(format!("pixels of dims {dims:?}, expected [rows, channels, height, width]")));
    };
    let len = dims.iter().try_fold(1u32, |len, n| len.checked_mul(*n));
    if count == 0 || len != Some(data.length()) {
        let message = format!("pixels of dims {dims:?} with {} values", data.length());
        return Err(Error::invalid(message));
    }
    let [count, channels, height, width] = [count, channels, height, width].map(|n| n as usize);
    Ok(ImageSource::Images(Images { values: data.to_vec(), count, channels, height, width }))
}

/// `{ data, dims }` of what is seen of all images, [images, …], or [layers, images, …].
pub async fn tensor_of(
    images: Rc<dyn AnyImages>,
    source: ImageSource,
    task: ImageTask,
    layers: usize,
) -> Result<JsValue> {
    let count = source.count();
    let mut whole: Option<Tensor> = None;
    let take = |first: usize, seen: ImageOutput| {
        let tensor = match whole.take() {
            Some(tensor) => tensor,
            None if layers == 1 => Tensor::new(&[&[count], &seen.dims[..]].concat())?,
            None => Tensor::new(&[&[seen.dims[0], count], &seen.dims[1..]].concat())?,
        };
        let layer = seen.values.len() / layers;
        if tensor.data.length() as usize != seen.values.len() / seen.count * count {
            return Err(Error::invalid("these images come out in different sizes: give them one by one"));
        }
        for (index, values) in seen.values.chunks(layer).enumerate() {
            tensor.put(index * count * layer / seen.count + first * layer / seen.count, values);
        }
        whole = Some(tensor);
        Ok(())
    };
    look_at_all(images, source, task, take).await?;
    Ok(whole.map_or(JsValue::NULL, |tensor| tensor.to_js()))
}
