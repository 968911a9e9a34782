//! What a model makes of its case's inputs, whatever kind of model it is.
#![allow(dead_code)] // Each test file takes what it needs.

use crate::case::Case;
use azulejo::Result;
use azulejo::device::{CacheType, Device, Progress};
use azulejo::model::{
    DualEncoder, ImageModel, ImageSource, ImageTask, Images, Model, Output, Scoring, Sequence, TextModel, WeightLoader,
};

/// The two rows of a case without their padding.
pub fn rows(case: &Case) -> Vec<Sequence> {
    let (ids, mask) = (case.ids("input_ids"), case.ids("attention_mask"));
    let real = |row: usize| {
        let row = row * ids.len() / 2..(row + 1) * ids.len() / 2;
        ids[row.clone()].iter().zip(&mask[row]).filter(|(_, mask)| **mask == 1).map(|(id, _)| *id).collect()
    };
    vec![Sequence::new(real(0)), Sequence::new(real(1))]
}

/// The two images of a case.
pub fn images(case: &Case) -> ImageSource {
    let values = case.floats("pixel_values");
    let side = (values.len() as f64 / 6.0).sqrt() as usize;
    ImageSource::Images(Images { values, count: 2, channels: 3, height: side, width: side })
}

/// The logits of rows of one length.
pub async fn score<D: Device>(model: &mut Model<D>, rows: Vec<Vec<u32>>, sources: Vec<Vec<u32>>) -> Result<Vec<f32>> {
    let mut scoring = Scoring::new(model, rows, sources, false)?;
    let [rows, positions, vocabulary] = scoring.dims(model);
    let mut all = vec![0.0; rows * positions * vocabulary];
    let mut more = true;
    while more {
        let take = |row: usize, position: usize, logits: &[f32]| {
            all[(row * positions + position) * vocabulary..][..vocabulary].copy_from_slice(logits);
        };
        more = scoring.step(model, take).await?;
    }
    Ok(all)
}

/// All that the model gives, by its task.
pub async fn outputs<D: Device>(case: &Case, weight_loader: WeightLoader<D>) -> Result<Vec<f32>> {
    outputs_of(case, case.has("pixel_values").then(|| images(case)), weight_loader).await
}

/// The same of other images than the case's.
pub async fn outputs_of<D: Device>(
    case: &Case,
    source: Option<ImageSource>,
    weight_loader: WeightLoader<D>,
) -> Result<Vec<f32>> {
    let source = || source.as_ref().expect("a case of images has some");
    let (progress, task) = (Progress::default(), weight_loader.plan()?.spec().task());
    let ids = |rows: Vec<Sequence>| rows.into_iter().map(|row| row.ids).collect();
    match task {
        "causal-lm" => {
            let mut model = Model::new(weight_loader, None, CacheType::F32, &progress).await?;
            score(&mut model, ids(rows(case)), Vec::new()).await
        }
        "seq2seq" => {
            let mut model = Model::new(weight_loader, None, CacheType::F32, &progress).await?;
            let given = case.ids("decoder_input_ids");
            let targets = given.chunks(given.len() / 2).map(<[u32]>::to_vec).collect();
            score(&mut model, targets, ids(rows(case))).await
        }
        "image-classification" => {
            let mut model = ImageModel::new(weight_loader, None, &progress).await?;
            let mut all = model.look(source(), 0, ImageTask::Features).await?.values;
            if case.has("logits") {
                all.extend(model.look(source(), 0, ImageTask::Logits).await?.values);
            }
            Ok(all)
        }
        "image-text-matching" => {
            let mut model = DualEncoder::new(weight_loader, None, &progress).await?;
            let mut all = model.embed_texts(&rows(case)).await?;
            all.extend(model.embed_images(source(), 0).await?.values);
            Ok(all)
        }
        _ => {
            let mut model = TextModel::new(weight_loader, &progress).await?;
            let mut all = model.read(&rows(case), Output::Hidden).await?;
            for reading in [Output::Logits, Output::TokenLogits] {
                if model.check(reading).is_ok() {
                    all.extend(model.read(&rows(case), reading).await?);
                }
            }
            Ok(all)
        }
    }
}
