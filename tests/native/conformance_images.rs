//! The image families in native code: the reference implementation's logits, hidden states and attention maps, by both
//! devices.

use azulejo::device::gpu::native::run;
use azulejo::device::{Device, Progress};
use azulejo::model::{ImageModel, ImageTask};

use crate::case::{Case, Compared, assembled, assert_reference, families};
use crate::devices::{cpu, gpu, gpus};
use crate::outputs::images;
use crate::sample::share;

async fn load<D: Device>(family: &str, device: D) -> ImageModel<D> {
    ImageModel::new(assembled(family, device), None, &Progress::default()).await.unwrap()
}

pub async fn gives_the_reference<D: Device>(family: &str, device: D) {
    let case = Case::read(family);
    let mut model = load(family, device).await;
    let images = images(&case);
    for (looking, name) in [(ImageTask::Logits, "logits"), (ImageTask::Features, "hidden")] {
        let expected = case.floats(name);
        let seen = model.look(&images, 0, looking).await.unwrap();
        assert_eq!(seen.count, 2);
        assert_reference(family, Compared::Outputs, &seen.values, &expected, name);
        // One alone gives what it gave among others.
        let second = model.look(&images, 1, looking).await.unwrap();
        let what = format!("{name} of the second");
        assert_reference(family, Compared::Outputs, &second.values, &expected[expected.len() / 2..], &what);
    }
    let expected = case.floats("attention");
    let layers = model.encoder.spec.layers();
    let len = expected.len() / (2 * layers);
    for image in 0..2 {
        let seen = model.look(&images, image, ImageTask::Attention).await.unwrap();
        assert_eq!((seen.count, seen.values.len()), (1, layers * len));
        for (layer, map) in seen.values.chunks(len).enumerate() {
            let expected = &expected[(2 * layer + image) * len..][..len];
            assert_reference(family, Compared::Attention, map, expected, &format!("attention of layer {layer}"));
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
