//! Pixels on the GPU: the CPU's, to the bit, whatever is done to the picture.

use azulejo::device::gpu::{Gpu, native::run};
use azulejo::device::{Device, Picture};
use azulejo::image::Processor;
use serde_json::{Value, json};

use crate::devices::{self, cpu, first, gpu, gpus};
use crate::pictures::{Decoded, pixels, processors};
use crate::random::Random;
use crate::verbs::read;

fn processor(config: &Value, channels: usize) -> Processor {
    Processor::from_json(&config.to_string(), channels, "vit").unwrap()
}

/// Any colours; `alpha`: and any transparency.
fn noise(seed: u64, width: usize, height: usize, alpha: bool) -> Decoded {
    let mut random = Random::new(seed);
    let opaque = if alpha { 0 } else { 0xff00_0000 };
    let rgba = (0..width * height).flat_map(|_| (random.next().rotate_left(16) ^ random.next() | opaque).to_le_bytes());
    Decoded { width, height, rgba: rgba.collect() }
}

/// Both devices' numbers, as bits.
fn both(device: &mut Gpu, processor: &Processor, picture: &Picture) -> [Vec<u32>; 2] {
    let expected = pixels(&mut cpu(2), processor, picture);
    let found = pixels(device, processor, picture);
    let context = device.context();
    [read(device, &context, &found, expected.len()), expected]
        .map(|values| values.into_iter().map(f32::to_bits).collect())
}

#[test]
pub fn photographs_become_the_same_pixels_as_on_the_cpu() {
    for (name, kernels) in gpus() {
        let mut device = gpu(&kernels);
        for (what, config) in processors() {
            for file in ["tall", "tissue", "tiny-grey"] {
                let decoded = Decoded::open(&format!("inputs/{file}.png"));
                let [found, expected] = both(&mut device, &processor(&config, 3), &decoded.picture());
                assert!(found == expected, "{what}, {file}, {name}");
            }
        }
    }
}

#[test]
pub fn every_way_of_resizing_gives_the_bits_of_the_cpu() {
    let sizes = [
        json!({ "do_resize": false }),
        json!({ "size": { "height": 65, "width": 3 } }),
        json!({ "size": { "height": 7, "width": 130 } }),
        json!({ "size": { "shortest_edge": 40 }, "do_center_crop": true, "crop_size": { "height": 64, "width": 21 } }),
    ];
    for (name, kernels) in gpus() {
        let mut device = gpu(&kernels);
        for (seed, (width, height)) in (0..).zip([(1, 1), (67, 129), (200, 31), (5, 300), (64, 64)]) {
            for (size, resample) in sizes.iter().zip([3, 2, 0, 3]) {
                let mut config = size.clone();
                config["resample"] = json!(resample);
                let channels = [3, 1][(seed + resample) as usize % 2];
                config["image_mean"] = json!(vec![0.3; channels]);
                let picture = noise(seed, width, height, seed % 3 != 0);
                let [found, expected] = both(&mut device, &processor(&config, channels), &picture.picture());
                assert!(found == expected, "{width} × {height}, {config}, {channels} channels, {name}");
            }
        }
    }
}

#[test]
pub fn images_of_a_batch_stand_one_after_the_other() {
    let kernels = first();
    let processor = Processor::plain(3, 20, 24).unwrap();
    let each = |device: &mut Gpu| {
        let mut out = device.buffer(4 * 3 * 20 * 24).unwrap();
        // Sizes that come again, and larger ones after smaller ones.
        for (index, (width, height)) in [(2, (90, 70)), (0, (30, 20)), (3, (90, 70)), (1, (300, 400))] {
            let picture = noise(index as u64, width, height, true);
            let preparation = processor.preparation(width, height).unwrap();
            device.pixels(&picture.picture(), &preparation, index, &mut out).unwrap();
        }
        read(device, &kernels.context, &out, 4 * 3 * 20 * 24)
    };
    let found = each(&mut gpu(&kernels));
    for (index, (width, height)) in [(30, 20), (300, 400), (90, 70), (90, 70)].into_iter().enumerate() {
        let expected = pixels(&mut cpu(1), &processor, &noise(index as u64, width, height, true).picture());
        assert!(found[index * expected.len()..][..expected.len()] == expected, "image {index}");
    }
}

#[test]
pub fn large_pictures_go_through_in_strips_and_leave_nothing_behind() {
    let kernels = devices::basic();
    let mut device = gpu(&kernels);
    let processor = Processor::plain(3, 32, 32).unwrap();
    let settled = |device: &mut Gpu| {
        run(Some(&kernels.context), device.sync()).unwrap();
        kernels.context.allocated()
    };
    let before = settled(&mut device);
    // The second's rows are resampled first: its strips share rows.
    for (width, height) in [(16_384, 600), (2000, 4400)] {
        let picture = noise(9, width, height, false);
        let [found, expected] = both(&mut device, &processor, &picture.picture());
        assert!(found == expected, "{width} × {height}");
        let held = settled(&mut device) - before;
        assert!(held < 8 << 20, "{held} bytes are held after a picture of {width} × {height}");
    }
}
