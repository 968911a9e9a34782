//! Mistakes that tests of the tests make in kernels.

use std::cell::RefCell;

thread_local! {
    static EDIT: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
}

/// In the kernels that this thread makes from now on, the first piece of text becomes the second: what tests of the tests
/// do, to see that a mistake is caught.
pub fn edit(piece: Option<(String, String)>) {
    EDIT.set(piece);
}

/// What [`edit`] was told last.
pub fn edit_in_force() -> Option<(String, String)> {
    EDIT.with_borrow(Clone::clone)
}

/// A kernel's text after [`edit`].
pub(super) fn edited(source: String) -> String {
    EDIT.with_borrow(|edit| match edit {
        Some((from, to)) => source.replacen(from, to, 1),
        None => source,
    })
}
