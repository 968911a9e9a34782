//! Pictures for tests: PNG files of `reference/images`, and what one makes of them.
#![allow(dead_code)] // Each test file takes what it needs.

use azulejo::device::{Device, Picture};
use azulejo::image::Processor;
use std::fs::File;
use std::io::BufReader;

/// A decoded file.
pub struct Decoded {
    pub width: usize,
    pub height: usize,
    /// As a browser gives it.
    pub rgba: Vec<u8>,
}

impl Decoded {
    /// Of `tests/reference/images`.
    pub fn open(path: &str) -> Self {
        let path = format!("{}/tests/reference/images/{path}", env!("CARGO_MANIFEST_DIR"));
        let mut decoder = png::Decoder::new(BufReader::new(File::open(path).unwrap()));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        let rgba = match info.color_type {
            png::ColorType::Rgb => bytes.as_chunks().0.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]).collect(),
            png::ColorType::Grayscale => bytes.iter().flat_map(|grey| [*grey, *grey, *grey, 255]).collect(),
            other => panic!("{other:?}"),
        };
        Self { width: info.width as usize, height: info.height as usize, rgba }
    }

    pub fn picture(&self) -> Picture<'_> {
        Picture { rgba: &self.rgba, width: self.width, height: self.height }
    }
}

/// The processors of `processors.json`, by their names.
pub fn processors() -> Vec<(String, serde_json::Value)> {
    let all: serde_json::Map<_, _> = serde_json::from_str(include_str!("../reference/images/processors.json")).unwrap();
    all.into_iter().collect()
}

/// A picture's pixels in a buffer of their own.
pub fn pixels<D: Device>(device: &mut D, processor: &Processor, picture: &Picture) -> D::Buffer {
    let preparation = processor.preparation(picture.width, picture.height).unwrap();
    let mut out = device.buffer(preparation.len()).unwrap();
    device.pixels(picture, &preparation, 0, &mut out).unwrap();
    out
}
