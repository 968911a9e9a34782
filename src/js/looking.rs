//! Looks at images on whatever device, behind traits.

use super::running::taken;
use super::task::Task;
use crate::device::Device;
use crate::error::Result;
use crate::model::{ImageModel, Looking, Matcher, Seen, Source};
use std::cell::RefCell;
use std::rc::Rc;

/// A model of images.
pub trait AnyImageModel {
    fn looking(&self, source: Source, looking: Looking) -> Box<dyn AnyLooking>;
}

/// A look at images under way.
pub trait AnyLooking {
    /// What is seen of the next images. `None`: it waits.
    fn step(&mut self) -> Option<Result<Seen>>;
    /// How many there are, and how many have been seen.
    fn progress(&self) -> (usize, usize);
}

/// What looks at images.
trait Looks: 'static {
    async fn look(&mut self, source: &Source, first: usize, looking: Looking) -> Result<Seen>;
}

impl<D: Device> Looks for ImageModel<D> {
    async fn look(&mut self, source: &Source, first: usize, looking: Looking) -> Result<Seen> {
        ImageModel::look(self, source, first, looking).await
    }
}

impl<D: Device> Looks for Matcher<D> {
    async fn look(&mut self, source: &Source, first: usize, _: Looking) -> Result<Seen> {
        self.embed_images(source, first).await
    }
}

impl<D: Device> AnyImageModel for Rc<RefCell<ImageModel<D>>> {
    fn looking(&self, source: Source, looking: Looking) -> Box<dyn AnyLooking> {
        Box::new(RunLooking::new(self.clone(), source, looking))
    }
}

impl<D: Device> AnyImageModel for Rc<RefCell<Matcher<D>>> {
    fn looking(&self, source: Source, looking: Looking) -> Box<dyn AnyLooking> {
        Box::new(RunLooking::new(self.clone(), source, looking))
    }
}

struct RunLooking<M: Looks> {
    model: Rc<RefCell<M>>,
    source: Rc<Source>,
    looking: Looking,
    seen: usize,
    task: Task<Seen>,
}

impl<M: Looks> RunLooking<M> {
    fn new(model: Rc<RefCell<M>>, source: Source, looking: Looking) -> Self {
        Self { model, source: Rc::new(source), looking, seen: 0, task: Task::default() }
    }
}

#[allow(clippy::await_holding_refcell_ref)] // As in `running::work`.
async fn look<M: Looks>(model: Rc<RefCell<M>>, source: Rc<Source>, first: usize, looking: Looking) -> Result<Seen> {
    taken(&model)?.look(&source, first, looking).await
}

impl<M: Looks> AnyLooking for RunLooking<M> {
    fn step(&mut self) -> Option<Result<Seen>> {
        let Self { model, source, looking, seen, task } = self;
        let result = task.run(|| look(model.clone(), source.clone(), *seen, *looking))?;
        Some(result.inspect(|result| *seen += result.count))
    }

    fn progress(&self) -> (usize, usize) {
        (self.source.count(), self.seen)
    }
}
