//! Work that may have to wait for the GPU, asked again and again by JavaScript.
//!
//! A method of the core runs until it waits; then it answers `null`, and the caller comes again after the
//! next event ([`turn`]). So every line of ours runs inside a call of the package's, where a trap is seen,
//! and none in a task that the browser starts by itself.

use crate::error::{Code, Error, Result};
use js_sys::{Function, Promise};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

/// Work whose type nobody needs to know: whatever it is done on.
pub type Work<T> = Pin<Box<dyn Future<Output = Result<T>>>>;

/// One piece of work under way, or none.
pub struct Task<T>(Option<Work<T>>);

impl<T> Default for Task<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Task<T> {
    /// Work that is to be gone on with.
    pub fn begun(work: impl Future<Output = Result<T>> + 'static) -> Self {
        Self(Some(Box::pin(work)))
    }

    /// Goes on with work that was begun. `None`: it waits, or there is none.
    pub fn step(&mut self) -> Option<Result<T>> {
        let work = self.0.as_mut()?;
        let waker = Waker::from(Arc::new(Turn));
        match work.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => None,
            Poll::Ready(result) => {
                self.0 = None;
                Some(result)
            }
        }
    }

    /// Goes on with the work, which `start` begins where none is under way. `None`: it waits.
    pub fn run<F: Future<Output = Result<T>> + 'static>(&mut self, start: impl FnOnce() -> F) -> Option<Result<T>> {
        self.0.get_or_insert_with(|| Box::pin(start()));
        self.step()
    }

    pub fn is_begun(&self) -> bool {
        self.0.is_some()
    }
}

/// A piece of work for JavaScript, whatever it is: one that has several parts lets go between them ([`pause`]).
#[wasm_bindgen]
pub struct Run(Task<JsValue>);

impl Run {
    pub fn new(work: impl Future<Output = Result<JsValue>> + 'static) -> Self {
        Self(Task::begun(work))
    }
}

#[wasm_bindgen]
impl Run {
    /// The result in the end, true where there is more to do, null where it waits.
    pub fn step(&mut self) -> Result<JsValue> {
        match self.0.step() {
            None if has_paused() => Ok(true.into()),
            result => or_null(result),
        }
    }
}

thread_local! {
    /// The work that was stepped last could go on at once.
    static PAUSED: Cell<bool> = const { Cell::new(false) };
}

/// Lets go of the thread between two parts of some work.
pub async fn pause() {
    let mut paused = false;
    poll_fn(|_| match std::mem::replace(&mut paused, true) {
        true => Poll::Ready(()),
        false => {
            PAUSED.set(true);
            Poll::Pending
        }
    })
    .await;
}

/// Whether what gave no answer has only let go, and waits for nothing.
pub fn has_paused() -> bool {
    PAUSED.replace(false)
}

/// Does `work` on what others share, and holds it while it waits. The package's queue lets one piece of work at a time
/// come to a model. Error: internal where that has failed.
#[allow(clippy::await_holding_refcell_ref)]
pub async fn holding<T, R>(shared: &Rc<RefCell<T>>, work: impl AsyncFnOnce(&mut T) -> Result<R>) -> Result<R> {
    work(&mut *taken(shared)?).await
}

pub fn taken<T>(shared: &RefCell<T>) -> Result<std::cell::RefMut<'_, T>> {
    shared.try_borrow_mut().map_err(|_| Error::new(Code::Internal, "other work on this model is under way"))
}

/// The result for JavaScript: `null` where the work waits.
pub fn or_null<T: Into<JsValue>>(result: Option<Result<T>>) -> Result<JsValue> {
    result.map_or(Ok(JsValue::NULL), |result| result.map(Into::into))
}

thread_local! {
    /// The promise of the next event, if anybody waits for it.
    static NEXT: RefCell<Option<(Promise, Function)>> = const { RefCell::new(None) };
}

/// Resolves at the next event.
#[cfg(not(target_feature = "atomics"))] // With threads there is only the CPU, which never waits.
pub fn turn() -> Promise {
    NEXT.with_borrow_mut(|next| {
        let (promise, _) = next.get_or_insert_with(|| {
            let mut resolve = None;
            let promise = Promise::new(&mut |done, _| resolve = Some(done));
            (promise, resolve.expect("called at once"))
        });
        promise.clone()
    })
}

/// Something has happened.
pub fn event() {
    if let Some((_, resolve)) = NEXT.take() {
        // A resolve function does not throw.
        let _ = resolve.call0(&JsValue::UNDEFINED);
    }
}

struct Turn;

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        event();
    }
}
