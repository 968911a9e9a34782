//! Where a family's own case does not tell numbers apart: embeddings so small that a norm's epsilon counts, and images of
//! another size than positions were learned on (../reference/teeth/make.py).

use azulejo::device::Device;
use azulejo::device::gpu::native::run;
use azulejo::model::Images;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;

use crate::case::{Case, all_families, folder, plan_of, pushed, weights};
use crate::devices::{cpu, first, gpu};
use crate::outputs::{images, outputs_of};
use crate::sample::due;

#[derive(Deserialize)]
struct Cases {
    step: usize,
    quiet: BTreeMap<String, Quiet>,
    cropped: BTreeMap<String, Cropped>,
}

#[derive(Deserialize)]
struct Quiet {
    factor: f64,
    tensors: Vec<String>,
}

#[derive(Deserialize)]
struct Cropped {
    lines: usize,
}

fn path(file: &str) -> String {
    format!("{}/tests/reference/teeth/{file}", env!("CARGO_MANIFEST_DIR"))
}

fn cases() -> Cases {
    serde_json::from_str(&fs::read_to_string(path("cases.json")).unwrap()).unwrap()
}

/// Multiplies tensors of a safetensors file.
fn scale(file: &mut [u8], Quiet { factor, tensors }: &Quiet) {
    let start = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&file[8..start]).unwrap();
    for name in tensors {
        let offsets: [usize; 2] = serde_json::from_value(header[name]["data_offsets"].clone()).unwrap();
        for bytes in file[start + offsets[0]..start + offsets[1]].as_chunks_mut::<4>().0 {
            *bytes = (f32::from_le_bytes(*bytes) * *factor as f32).to_le_bytes();
        }
    }
}

/// Compares every so many of a model's outputs. Their sizes differ from case to case.
fn assert_expected(found: &[f32], name: &str, step: usize) {
    let expected = Case::at(&path("expected.safetensors")).floats(name);
    let found: Vec<f32> = found.iter().copied().step_by(step).collect();
    assert_eq!(found.len(), expected.len(), "{name}");
    let size = expected.iter().fold(0.0f32, |size, value| size.max(value.abs()));
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!((found - expected).abs() <= 5e-5 * size, "{name}[{i}]: {found}, expected {expected}, of up to {size}");
    }
}

/// A family's models with small embeddings, and its images with fewer lines.
pub async fn gives_the_reference<D: Device>(family: &str, device: impl Fn() -> D) {
    let Cases { step, quiet, cropped } = cases();
    let case = Case::read(family);
    let source = || case.has("pixel_values").then(|| images(&case));
    if let Some(quiet) = quiet.get(family) {
        let mut bytes = weights(&folder(family));
        scale(&mut bytes, quiet);
        let weight_loader = pushed(&bytes, plan_of(family), device()).unwrap();
        let found = outputs_of(&case, source(), weight_loader).await.unwrap();
        assert_expected(&found, &format!("quiet.{family}"), step);
    }
    if let Some(Cropped { lines }) = cropped.get(family) {
        let weight_loader = pushed(&weights(&folder(family)), plan_of(family), device()).unwrap();
        let found = outputs_of(&case, source().map(|source| crop(source, *lines)), weight_loader).await.unwrap();
        assert_expected(&found, &format!("cropped.{family}"), step);
    }
}

/// Only the first lines.
fn crop(source: azulejo::model::ImageSource, lines: usize) -> azulejo::model::ImageSource {
    let azulejo::model::ImageSource::Images(Images { values, count, channels, height, width }) = source else {
        panic!("a case has numbers")
    };
    let planes = values.chunks(height * width);
    let values = planes.flat_map(|plane| &plane[..lines * width]).copied().collect();
    azulejo::model::ImageSource::Images(Images { values, count, channels, height: lines, width })
}

#[test]
fn small_embeddings_and_cropped_images_give_the_reference_outputs() {
    let kernels = first();
    for (at, family) in all_families().iter().enumerate() {
        run(None, gives_the_reference(family, || cpu(2)));
        if due(at) {
            run(Some(&kernels.context), gives_the_reference(family, || gpu(&kernels)));
        }
    }
}
