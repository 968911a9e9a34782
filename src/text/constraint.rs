//! What a text may say next, where it has to be of a grammar. The grammar itself lies elsewhere: it is larger than all of
//! this, and few ask for it.

use crate::error::Result;
use std::cell::RefCell;
use std::rc::Rc;

/// A grammar, and how far a text has come in it.
pub trait Constraint {
    /// A bit for each token that may come next, the first token's the lowest of the first word: end tokens too, where the
    /// text may end. Error: invalid-argument where the grammar is too much for its limits.
    fn allowed(&mut self) -> Result<Vec<u32>>;
    /// A token has come. Gives those that have to follow it, which are taken with it; none where `forces` is false. Errors:
    /// those of `allowed`; also where the token may not come.
    fn take(&mut self, id: u32, forces: bool) -> Result<Vec<u32>>;
    /// Nothing more can come.
    fn is_over(&self) -> bool;
}

/// Asked by the generation that goes by it, and by the pass that chooses its next token.
pub type SharedConstraint = Rc<RefCell<dyn Constraint>>;
