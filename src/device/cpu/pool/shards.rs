//! Slices that several threads write to at once.

use std::marker::PhantomData;
use std::ops::Range;

/// A slice that the threads of a loop write to, each its own part.
pub struct Shards<'a, T> {
    start: *mut T,
    len: usize,
    _borrow: PhantomData<&'a mut [T]>,
}

// SAFETY: it only gives out parts by `part`, whose caller answers for their being disjoint.
unsafe impl<T: Send> Sync for Shards<'_, T> {}

impl<'a, T> Shards<'a, T> {
    pub fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), _borrow: PhantomData }
    }

    /// What lies behind the first `start`.
    pub fn after(&self, start: usize) -> Shards<'_, T> {
        assert!(start <= self.len);
        // SAFETY: inside the slice, or at its end, by the assertion.
        Shards { start: unsafe { self.start.add(start) }, len: self.len - start, _borrow: PhantomData }
    }

    /// # Safety
    /// Parts that are in use at one time must not overlap.
    #[allow(clippy::mut_from_ref)] // That is this type's purpose; see Safety.
    pub unsafe fn part(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: inside the slice by the assertion, disjoint by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}
