//! Looks at images on whatever device, behind a trait.

use super::task::{Work, holding, pause};
use crate::device::Device;
use crate::error::Result;
use crate::model::{DualEncoder, ImageModel, ImageOutput, ImageSource, ImageTask};
use std::cell::RefCell;
use std::rc::Rc;

/// What looks at images.
pub trait AnyImages {
    /// What is seen of the next images, from image `first` on.
    fn look(&self, source: Rc<ImageSource>, first: usize, task: ImageTask) -> Work<ImageOutput>;
}

impl<D: Device> AnyImages for Rc<RefCell<ImageModel<D>>> {
    fn look(&self, source: Rc<ImageSource>, first: usize, task: ImageTask) -> Work<ImageOutput> {
        let model = self.clone();
        Box::pin(async move { holding(&model, async |model| model.look(&source, first, task).await).await })
    }
}

impl<D: Device> AnyImages for Rc<RefCell<DualEncoder<D>>> {
    fn look(&self, source: Rc<ImageSource>, first: usize, _: ImageTask) -> Work<ImageOutput> {
        let model = self.clone();
        Box::pin(async move { holding(&model, async |model| model.embed_images(&source, first).await).await })
    }
}

/// Looks at all images, a pass of them at a time; `take` gets the first one's number and what is seen.
pub async fn look_at_all(
    images: Rc<dyn AnyImages>,
    source: ImageSource,
    task: ImageTask,
    mut take: impl FnMut(usize, ImageOutput) -> Result<()>,
) -> Result<()> {
    let (source, mut first) = (Rc::new(source), 0);
    loop {
        let seen = images.look(source.clone(), first, task).await?;
        let after = first + seen.count;
        take(first, seen)?;
        if after == source.count() {
            return Ok(());
        }
        first = after;
        pause().await;
    }
}
