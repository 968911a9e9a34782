//! What of one model's commands may still turn out wrong, and whether it has.
//!
//! A buffer that could not be made looks like any other; the device says so later, and then drops whatever uses it. So
//! as long as allocations are on trial, all commands are watched: what goes wrong because of them is the model's own,
//! out-of-memory. What goes wrong otherwise, on any other day, the device tells to everybody ([`Context::errors`]): each
//! model hears of it once, if it had something under way.

use super::context::Context;
use crate::error::{Code, Error, Result};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;

type PopScope = Pin<Box<dyn Future<Output = Option<wgpu::Error>>>>;

pub struct Trials {
    pub context: Rc<Context>,
    /// Allocations whose success is not known yet, and what they were for; between them, what else was done meanwhile.
    scopes: RefCell<Vec<(PopScope, Option<String>)>>,
    /// The device's errors that were told here, or had nothing to do with this model.
    told: Cell<u64>,
    /// Commands were given since the last time that all was well.
    under_way: Cell<bool>,
}

impl Trials {
    pub fn new(context: Rc<Context>) -> Self {
        let told = Cell::new(context.errors());
        Self { context, scopes: RefCell::default(), told, under_way: Cell::new(false) }
    }

    /// A buffer of zeros. A failure is heard of in [`Trials::check`]; `what` names it then.
    pub fn buffer(&self, what: &str, bytes: u64, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer> {
        let context = &self.context;
        context.lost()?;
        let mib = bytes as f64 / (1 << 20) as f64;
        let kernels_see_it = usage.contains(wgpu::BufferUsages::STORAGE);
        let most = if kernels_see_it { context.most_bytes() } else { context.limits.max_buffer_size };
        if bytes > most {
            let most = most >> 20;
            let message = format!("{what} of {mib:.0} MiB: this GPU's buffers have {most} MiB at most");
            return Err(Error::new(Code::OutOfMemory, message));
        }
        let scope = context.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let descriptor = wgpu::BufferDescriptor { label: Some(what), size: bytes, usage, mapped_at_creation: false };
        let buffer = context.device.create_buffer(&descriptor);
        let held = context.allocated() as f64 / (1 << 20) as f64;
        let words = format!("no GPU memory for {what} ({mib:.1} MiB, besides {held:.1} MiB in use)");
        self.scopes.borrow_mut().push((Box::pin(scope.pop()), Some(words)));
        context.count(bytes);
        Ok(buffer)
    }

    /// Gives commands to the device, watched as long as it is not known whether all buffers are there: in a browser
    /// nobody can say when a failure would be heard of otherwise.
    pub fn command<T>(&self, give: impl FnOnce() -> T) -> T {
        self.under_way.set(true);
        if self.scopes.borrow().is_empty() {
            return give();
        }
        let scope = self.context.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let given = give();
        self.scopes.borrow_mut().push((Box::pin(scope.pop()), None));
        given
    }

    /// Writes to a buffer.
    pub fn write(&self, buffer: &wgpu::Buffer, offset: u64, bytes: &[u8]) {
        self.command(|| self.context.queue.write_buffer(buffer, offset, bytes));
    }

    /// Work begins. What went wrong while there was nothing under way is no fault of it.
    pub fn begin(&self) {
        if !self.under_way.get() {
            self.told.set(self.context.errors());
        }
    }

    /// Whether all is well so far. `last`: nothing else is under way.
    ///
    /// Errors: out-of-memory, device-lost, internal.
    pub async fn check(&self, last: bool) -> Result<()> {
        let scopes = std::mem::take(&mut *self.scopes.borrow_mut());
        let (mut refused, mut mistake) = (None, None);
        for (scope, words) in scopes {
            match (scope.await, words) {
                (Some(_), Some(words)) => _ = refused.get_or_insert(words),
                (Some(error), None) => _ = mistake.get_or_insert(error),
                (None, _) => {}
            }
        }
        if last {
            self.under_way.set(false);
        }
        self.context.lost()?;
        // Whoever used meanwhile what was not there has made no other mistake.
        if let Some(words) = refused {
            return Err(Error::new(Code::OutOfMemory, words));
        }
        if let Some(mistake) = mistake {
            self.context.hear(&mistake);
        }
        let (told, errors) = (self.told.replace(self.context.errors()), self.context.errors());
        if told == errors { Ok(()) } else { Err(self.context.error_after(told)) }
    }
}
