//! What a template may spend: steps in all, and bytes at a time.

use std::cell::Cell;
use std::rc::Rc;

use super::stop::{RunResult, Stop};

/// Bytes that are copied or compared for the price of one step.
const BYTES_PER_STEP: usize = 1024;

/// Steps left, and the bytes of all values that are alive.
pub(crate) struct Budget {
    steps: Cell<u64>,
    held: Cell<usize>,
    most: usize,
}

impl Budget {
    pub fn new(steps: u64, most: usize) -> Rc<Self> {
        Rc::new(Self { steps: Cell::new(steps), held: Cell::new(0), most })
    }

    pub fn pay(&self, steps: u64) -> RunResult<()> {
        match self.steps.get().checked_sub(steps) {
            Some(left) => self.steps.set(left),
            None => return Err(Stop::new("it does not come to an end")),
        }
        Ok(())
    }

    /// For looking at so many bytes.
    pub fn pay_bytes(&self, bytes: usize) -> RunResult<()> {
        self.pay(1 + (bytes / BYTES_PER_STEP) as u64)
    }

    /// Room for a value, which it gives back when it goes.
    pub fn hold(self: &Rc<Self>, bytes: usize) -> RunResult<Held> {
        let mut held = Held::none_of(self);
        held.grow(bytes)?;
        Ok(held)
    }

    /// Bytes of the values that are alive.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.held.get()
    }
}

/// A value's share of the budget.
pub(crate) struct Held {
    of: Option<Rc<Budget>>,
    bytes: usize,
}

impl Held {
    /// Of what belongs to the template itself.
    pub const fn nothing() -> Self {
        Self { of: None, bytes: 0 }
    }

    /// Of a value that is yet to grow.
    pub fn none_of(budget: &Rc<Budget>) -> Self {
        Self { of: Some(budget.clone()), bytes: 0 }
    }

    /// A few bytes more, whatever the limit: the next who asks for more meets it.
    pub fn take(&mut self, bytes: usize) {
        if let Some(budget) = &self.of {
            budget.held.set(budget.held.get() + bytes);
            self.bytes += bytes;
        }
    }

    pub fn grow(&mut self, bytes: usize) -> RunResult<()> {
        let Some(budget) = &self.of else { return Ok(()) };
        budget.pay_bytes(bytes)?;
        let held = budget.held.get().saturating_add(bytes);
        if held > budget.most {
            return Err(Stop::new(format!("its values take more than {} bytes", budget.most)));
        }
        budget.held.set(held);
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(budget) = &self.of {
            budget.held.set(budget.held.get() - self.bytes);
        }
    }
}
