//! The image families in native code: the reference implementation's logits, hidden states and attention maps, by both
//! devices.

use azulejo::device::gpu::native::run;
use azulejo::device::{Device, Progress};
use azulejo::model::{ImageModel, Looking};

use crate::case::{Case, assembled, assert_close, families};
use crate::devices::{cpu, gpu, gpus};
use crate::outputs::images;
use crate::sample::share;

async fn load<D: Device>(family: &str, device: D) -> ImageModel<D> {
    ImageModel::new(assembled(family, device), None, &Progress::default()).await.unwrap()
}

async fn gives_the_reference<D: Device>(family: &str, device: D) {
    let case = Case::read(family);
    let mut model = load(family, device).await;
    let images = images(&case);
    for (looking, name) in [(Looking::Logits, "logits"), (Looking::Features, "hidden")] {
        let expected = case.floats(name);
        let seen = model.look(&images, 0, looking).await.unwrap();
        assert_eq!(seen.count, 2);
        assert_close(&seen.values, &expected, &format!("{family}, {name}"));
        // One alone gives what it gave among others.
        let second = model.look(&images, 1, looking).await.unwrap();
        assert_close(&second.values, &expected[expected.len() / 2..], &format!("{family}, {name} of the second"));
    }
    let expected = case.floats("attention");
    let layers = model.spec.layers;
    let len = expected.len() / (2 * layers);
    for image in 0..2 {
        let seen = model.look(&images, image, Looking::Attention).await.unwrap();
        assert_eq!((seen.count, seen.values.len()), (1, layers * len));
        for (layer, map) in seen.values.chunks(len).enumerate() {
            for (found, expected) in map.iter().zip(&expected[(2 * layer + image) * len..]) {
                assert!((found - expected).abs() <= 1e-4, "{family}, layer {layer}: {found}, expected {expected}");
            }
        }
    }
}

#[test]
fn every_family_gives_the_reference_outputs() {
    for family in &families("vision") {
        run(None, gives_the_reference(family, cpu(2)));
    }
    for (variant, (name, kernels)) in gpus().into_iter().enumerate() {
        for family in share(families("vision"), variant) {
            println!("{family}, {name}");
            run(Some(&kernels.context), gives_the_reference(&family, gpu(&kernels)));
        }
    }
}
