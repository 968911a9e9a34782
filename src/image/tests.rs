//! What files are read as, and what is refused.

use super::{LARGEST_PICTURE, Processor};
use crate::device::cpu::{Cpu, pool::Pool};
use crate::device::{Device, Picture};
use crate::error::{Code, Error};
use serde_json::{Value, json};

fn processor(config: Value) -> Processor {
    Processor::from_json(&config.to_string(), 3, "vit").unwrap()
}

fn refused(config: Value) -> Error {
    Processor::from_json(&config.to_string(), 3, "vit").expect_err(&config.to_string())
}

/// The sizes before and after the crop, [height, width] each, of a picture.
fn sizes(config: Value, width: usize, height: usize) -> [[usize; 2]; 2] {
    let processor = processor(config);
    let preparation = processor.preparation(width, height).unwrap();
    [processor.resized(width, height), [preparation.rows.len(), preparation.columns.len()]]
}

fn pixels(processor: &Processor, rgba: &[u8], width: usize, height: usize) -> Vec<f32> {
    let preparation = processor.preparation(width, height).unwrap();
    let mut out = vec![f32::NAN; preparation.len()];
    Cpu::new(Pool::alone()).pixels(&Picture { rgba, width, height }, &preparation, 0, &mut out).unwrap();
    out
}

/// Levels as they are, of pictures as they are.
fn plain(channels: usize) -> Processor {
    let config = json!({ "do_resize": false, "do_rescale": false, "do_normalize": false });
    Processor::from_json(&config.to_string(), channels, "vit").unwrap()
}

#[test]
fn sizes_follow_the_shorter_side_and_are_cut_off_not_rounded() {
    let clip =
        |size: Value| json!({ "image_processor_type": "CLIPImageProcessor", "do_center_crop": false, "size": size });
    assert_eq!(sizes(clip(json!({ "shortest_edge": 224 })), 500, 333), [[224, 336]; 2]);
    assert_eq!(sizes(clip(json!(224)), 333, 500), [[336, 224]; 2]);
    assert_eq!(sizes(clip(json!({ "height": 20, "width": 30 })), 333, 500), [[20, 30]; 2]);
    let both = clip(json!({ "shortest_edge": 100, "longest_edge": 150 }));
    assert_eq!(sizes(both.clone(), 400, 300), [[100, 133]; 2]);
    assert_eq!(sizes(both.clone(), 700, 300), [[64, 150]; 2]);
    assert_eq!(sizes(both.clone(), 166, 100), [[90, 149]; 2], "90.36 · 166 / 100 is a little less than 150 in floats");
    assert_eq!(sizes(both, 1000, 200), [[30, 150]; 2]);
    let cropped = json!({ "feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224 });
    assert_eq!(sizes(cropped, 16_384, 1), [[224, 224 * 16_384], [224, 224]]);
}

#[test]
fn what_a_file_leaves_out_is_as_the_class_has_it() {
    let of = |class: &str| json!({ "image_processor_type": class });
    assert_eq!(sizes(json!({}), 50, 40), [[224, 224]; 2]);
    assert_eq!(sizes(of("ViTImageProcessorFast"), 50, 40), [[224, 224]; 2]);
    assert_eq!(sizes(of("DeiTImageProcessor"), 50, 40), [[256, 256], [224, 224]]);
    assert_eq!(sizes(of("BitImageProcessor"), 50, 40), [[224, 280], [224, 224]]);
    let (found, expected) = (processor(json!({ "size": 5, "crop_size": null })), Processor::plain(3, 5, 5).unwrap());
    let picture: Vec<u8> = (0..7 * 9 * 4).map(|n| (n * 37 % 256) as u8).collect();
    assert_eq!(pixels(&found, &picture, 7, 9), pixels(&expected, &picture, 7, 9));
}

#[test]
fn a_file_that_names_no_class_is_of_the_one_that_its_family_has() {
    let of = |family: &str| {
        let found = Processor::from_json("{}", 3, family).unwrap();
        let white = pixels(&found, &[255; 4 * 50 * 40], 50, 40);
        (found.resized(50, 40), white[0])
    };
    assert_eq!(of("vit"), ([224, 224], 1.0));
    // Its mean was ImageNet's before 2022; transformers today has a half for all of its files.
    assert_eq!(of("deit"), ([256, 256], 1.0));
    assert_eq!(of("siglip"), ([224, 224], 1.0));
    let clip = (1.0 - 0.481_454_66) / 0.268_629_54;
    for family in ["clip", "dinov2", "dinov2_with_registers"] {
        let (resized, white) = of(family);
        assert_eq!(resized, [224, 280], "{family}");
        assert!((white - clip).abs() < 1e-5, "{family}: {white}");
    }
    let inside = json!({ "processor_class": "CLIPProcessor", "image_processor": { "size": 5 } });
    assert_eq!(Processor::from_json(&inside.to_string(), 3, "clip").unwrap().resized(7, 9), [6, 5]);
}

#[test]
fn sizes_may_be_lists_and_plain_numbers_are_what_the_file_says() {
    assert_eq!(sizes(json!({ "size": [20, 30] }), 50, 40), [[20, 30]; 2]);
    assert_eq!(sizes(json!({ "size": 20, "default_to_square": false }), 50, 40), [[20, 25]; 2]);
    let clip = json!({ "image_processor_type": "CLIPImageProcessor", "size": 20, "crop_size": [5, 6] });
    assert_eq!(sizes(clip.clone(), 50, 40), [[20, 25], [5, 6]]);
    let mut square = clip;
    square["default_to_square"] = json!(true);
    assert_eq!(sizes(square, 50, 40), [[20, 20], [5, 6]]);
}

#[test]
fn what_a_file_asks_for_in_vain_is_named() {
    let cases = [
        (json!({ "image_processor_type": "LlavaNextImageProcessor" }), "LlavaNextImageProcessor"),
        (json!({ "do_pad": true }), "do_pad"),
        (json!({ "do_image_splitting": true }), "do_image_splitting"),
        (json!({ "crop_pct": 0.875 }), "crop_pct"),
        (json!({ "resample": 6 }), "\"resample\": 6"),
        (json!({ "resample": "bicubic" }), "bicubic"),
        (json!({ "size": { "longest_edge": 800 } }), "longest_edge"),
        (json!({ "size": { "max_height": 8, "max_width": 8 } }), "max_height"),
        (json!({ "size": { "height": 8, "width": 8, "shortest_edge": 8 } }), "shortest_edge"),
        (json!({ "size": 1_000_000_000 }), "1000000000"),
        (json!({ "size": { "height": 8, "width": u64::MAX } }), "4096"),
        (json!({ "do_center_crop": true, "crop_size": 5000 }), "5000"),
        (json!({ "do_center_crop": true, "crop_size": { "shortest_edge": 5 } }), "crop_size"),
    ];
    for (config, name) in cases {
        let error = refused(config);
        assert_eq!(error.code, Code::UnsupportedModel, "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
    for channels in [0, 2, 4, 1_000_000] {
        assert_eq!(Processor::from_json("{}", channels, "vit").unwrap_err().code, Code::UnsupportedModel);
        assert_eq!(Processor::plain(channels, 8, 8).unwrap_err().code, Code::UnsupportedModel);
    }
    assert_eq!(Processor::plain(3, 1_000_000, 8).unwrap_err().code, Code::UnsupportedModel);
}

#[test]
fn a_file_that_makes_no_sense_is_corrupt_and_named() {
    let cases = [
        (json!({ "size": 0 }), "0 pixels"),
        (json!({ "size": -3 }), "size"),
        (json!({ "size": { "shortest_edge": 1.5 } }), "1.5"),
        (json!({ "do_resize": "yes" }), "do_resize"),
        (json!({ "image_mean": [0.5, 0.4] }), "image_mean"),
        (json!({ "image_mean": [] }), "image_mean"),
        (json!({ "image_std": [0.5, 0.0, 0.5] }), "image_std"),
        (json!({ "image_std": "half" }), "image_std"),
        (json!({ "rescale_factor": 1e300 }), "rescale_factor"),
        (json!({ "image_processor_type": 5 }), "image_processor_type"),
        (json!([]), "preprocessor_config.json"),
    ];
    for (config, name) in cases {
        let error = refused(config);
        assert_eq!(error.code, Code::CorruptFile, "{error}");
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(error.place.file.as_deref(), Some("preprocessor_config.json"));
    }
    assert_eq!(Processor::from_json("{\"size\":", 3, "vit").unwrap_err().code, Code::CorruptFile);
}

#[test]
fn pictures_without_pixels_too_large_or_cut_short_are_refused() {
    let (whole, follows) =
        (Processor::plain(3, 8, 8).unwrap(), processor(json!({ "size": { "shortest_edge": 4000 } })));
    let most = LARGEST_PICTURE;
    for (processor, width, height, word) in [
        (&whole, 0, 5, "no pixels"),
        (&whole, 5, 0, "no pixels"),
        (&whole, 20_000, 5, "16384"),
        (&whole, 5, most + 1, "16384"),
        (&whole, usize::MAX, usize::MAX, "16384"),
        (&follows, 20, 10, "4096"),
        (&plain(3), 5000, 5, "4096"),
    ] {
        let error = processor.preparation(width, height).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
        assert!(error.message.contains(word), "{error}");
    }
    let preparation = whole.preparation(3, 2).unwrap();
    for len in [0, 23, 25, 18] {
        let picture = Picture { rgba: &vec![0; len], width: 3, height: 2 };
        let error = Cpu::new(Pool::alone()).pixels(&picture, &preparation, 0, &mut vec![0.0; 192]).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
        assert!(error.message.contains("24"), "{error}");
    }
}

#[test]
fn a_crop_larger_than_the_picture_is_padded_with_level_0_as_transformers_does() {
    let config = json!({ "do_resize": false, "do_center_crop": true, "crop_size": { "height": 4, "width": 5 },
        "do_rescale": false, "image_mean": 1.0, "image_std": 2.0 });
    let grey = Processor::from_json(&config.to_string(), 1, "vit").unwrap();
    let rgba: Vec<u8> = [11, 13, 21, 23, 31, 33].iter().flat_map(|level| [*level, *level, *level, 255]).collect();
    let o = -0.5;
    // Three rows are put below the middle, two columns to its right: what is left over goes before.
    let rows = [[o; 5], [o, o, 5.0, 6.0, o], [o, o, 10.0, 11.0, o], [o, o, 15.0, 16.0, o]];
    assert_eq!(pixels(&grey, &rgba, 2, 3), rows.concat());
}

#[test]
fn transparency_lies_over_white_and_colours_become_luminance() {
    let rgba = [200, 100, 0, 255, 200, 100, 0, 0, 200, 100, 0, 128, 0, 0, 0, 254];
    let colours = pixels(&plain(3), &rgba, 2, 2);
    // What Pillow's alpha_composite makes of them.
    assert_eq!(colours, [200., 255., 227., 1., 100., 255., 177., 1., 0., 255., 127., 1.]);
    // What its convert("L") makes of that.
    assert_eq!(pixels(&plain(1), &rgba, 2, 2), [118., 255., 186., 1.]);
}

#[test]
fn images_of_a_batch_stand_one_after_the_other() {
    let preparation = plain(3).preparation(1, 1).unwrap();
    let (mut cpu, mut out) = (Cpu::new(Pool::alone()), vec![-1.0; 9]);
    for (index, level) in [(2, 7), (0, 5)] {
        let picture = Picture { rgba: &[level, level, level, 255], width: 1, height: 1 };
        cpu.pixels(&picture, &preparation, index, &mut out).unwrap();
    }
    assert_eq!(out, [5., 5., 5., -1., -1., -1., 7., 7., 7.]);
}
