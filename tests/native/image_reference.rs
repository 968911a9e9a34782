//! Pixels against what transformers' image processors made of the same PNG files, with Pillow's filters: equal, to the bit.
//! What a JPEG becomes depends on its decoder: a browser's is tested in the browser.

use azulejo::image::Processor;

use crate::devices::cpu;
use crate::pictures::{Decoded, pixels, processors};
use serde_json::{Value, json};

const PICTURES: [&str; 3] = ["tall", "tissue", "tiny-grey"];

/// Planes of an expected picture, [3, height, width].
fn planes(decoded: &Decoded) -> Vec<u8> {
    (0..3).flat_map(|channel| decoded.rgba.iter().skip(channel).step_by(4).copied()).collect()
}

#[test]
fn levels_before_rescaling_are_those_of_transformers_to_the_bit() {
    for (name, mut config) in processors() {
        (config["do_rescale"], config["do_normalize"]) = (json!(false), json!(false));
        let processor = Processor::from_json(&config.to_string(), 3, "vit").unwrap();
        for (picture, threads) in PICTURES.iter().zip(1..) {
            let input = Decoded::open(&format!("inputs/{picture}.png"));
            let expected = planes(&Decoded::open(&format!("expected/{name}/{picture}.png")));
            let found = pixels(&mut cpu(threads), &processor, &input.picture());
            assert_eq!(processor.size(), Some((224, 224)));
            assert_eq!(found.len(), expected.len(), "{name}, {picture}");
            let differing = found.iter().zip(&expected).filter(|(a, b)| **a != f32::from(**b)).count();
            assert_eq!(differing, 0, "{name}, {picture}: of {}", expected.len());
        }
    }
}

#[test]
fn levels_are_rescaled_and_normalised_as_the_file_says() {
    let input = Decoded::open("inputs/tall.png");
    for (name, config) in processors() {
        let numbers = |field: &str| config[field].as_array().unwrap().iter().map(|n| n.as_f64().unwrap());
        let (mean, std): (Vec<f64>, Vec<f64>) = (numbers("image_mean").collect(), numbers("image_std").collect());
        let processor = Processor::from_json(&config.to_string(), 3, "vit").unwrap();
        let found = pixels(&mut cpu(2), &processor, &input.picture());
        let expected = planes(&Decoded::open(&format!("expected/{name}/tall.png")));
        for (at, (found, level)) in found.iter().zip(&expected).enumerate() {
            let channel = at / (224 * 224);
            let exact = (f64::from(*level) / 255.0 - mean[channel]) / std[channel];
            // A rounding of each of three steps.
            assert!((f64::from(*found) - exact).abs() < 1e-6, "{name}[{at}]: {found}, expected {exact}");
        }
    }
}

#[test]
fn the_processors_of_2022_with_sizes_as_plain_numbers_mean_the_same() {
    let old = [
        ("vit", json!({ "feature_extractor_type": "ViTFeatureExtractor", "size": 224, "resample": 2 })),
        (
            "deit",
            json!({ "feature_extractor_type": "DeiTFeatureExtractor", "size": 256, "crop_size": 224,
                "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225] }),
        ),
        ("clip", json!({ "feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224 })),
    ];
    let input = Decoded::open("inputs/tall.png");
    for (name, config) in old {
        let (_, today): (_, Value) = processors().into_iter().find(|(other, _)| other == name).unwrap();
        let [found, expected] = [&config, &today].map(|config| {
            let processor = Processor::from_json(&config.to_string(), 3, "vit").unwrap();
            pixels(&mut cpu(1), &processor, &input.picture())
        });
        assert!(found == expected, "{name}");
    }
}

/// The first 48 × 40 pixels of a picture.
fn corner(name: &str) -> Decoded {
    let whole = Decoded::open(&format!("inputs/{name}.png"));
    let (width, height) = (48, 40);
    let rows = whole.rgba.chunks(4 * whole.width).take(height);
    Decoded { width, height, rgba: rows.flat_map(|row| row[..4 * width].to_vec()).collect() }
}

#[test]
fn every_filter_is_pillows_to_the_bit() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../reference/images/filters.json")).unwrap();
    for case in cases {
        let input = corner(case["picture"].as_str().unwrap());
        let config =
            json!({ "size": case["size"], "resample": case["resample"], "do_rescale": false, "do_normalize": false });
        let processor = Processor::from_json(&config.to_string(), 3, "vit").unwrap();
        let found: Vec<u64> =
            pixels(&mut cpu(1), &processor, &input.picture()).iter().map(|level| *level as u64).collect();
        let numbers = |name: &str| -> Vec<u64> {
            case[name].as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect()
        };
        let (first, sums) = (numbers("first"), numbers("sum"));
        assert_eq!(found[..first.len()], first, "{}, {}", case["resample"], case["size"]);
        let plane = found.len() / 3;
        let found: Vec<u64> = found.chunks(plane).map(|plane| plane.iter().sum()).collect();
        assert_eq!(found, sums, "{}, {}", case["resample"], case["size"]);
    }
}
