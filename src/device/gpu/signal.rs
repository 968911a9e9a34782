//! What the GPU says of its own accord, later.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll, Waker};

/// Something that the GPU will say once: a mapping is there, or work is done.
#[derive(Clone, Default)]
pub struct Signal(Arc<Mutex<Said>>);

#[derive(Default)]
struct Said {
    /// As it should be or not, and when, by [`super::Wishes::clock`].
    given: Option<(bool, f64)>,
    waker: Option<Waker>,
}

impl Signal {
    /// `good`: as it should be.
    pub fn give(&self, good: bool) {
        self.give_at(good, 0.0);
    }

    /// Where it matters when.
    pub fn give_at(&self, good: bool, now: f64) {
        let mut said = self.0.lock().expect("nothing panics under it");
        said.given = Some((good, now));
        if let Some(waker) = said.waker.take() {
            waker.wake();
        }
    }

    /// What was said, if it was.
    pub fn given(&self) -> Option<bool> {
        self.0.lock().expect("nothing panics under it").given.map(|(good, _)| good)
    }

    /// When it was said.
    pub fn given_at(&self) -> Option<f64> {
        self.0.lock().expect("nothing panics under it").given.map(|(_, at)| at)
    }
}

impl Future for Signal {
    type Output = bool;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<bool> {
        let mut said = self.0.lock().expect("nothing panics under it");
        said.waker = Some(task.waker().clone());
        said.given.map_or(Poll::Pending, |(good, _)| Poll::Ready(good))
    }
}
