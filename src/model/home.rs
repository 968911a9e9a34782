//! Where a sequence is while no generation is under way in it.

use super::session::Session;
use crate::error::{Code, Error, Result};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A sequence, which is away while a generation is under way in it.
#[derive(Clone)]
pub struct Home(Rc<HomeState>);

struct HomeState {
    session: RefCell<Option<Session>>,
    /// Its length when it was last seen.
    len: Cell<usize>,
}

impl Home {
    pub fn new(session: Session) -> Self {
        let len = Cell::new(session.len());
        Self(Rc::new(HomeState { session: RefCell::new(Some(session)), len }))
    }

    /// The sequence. Error: internal where it is away.
    pub fn take(&self) -> Result<Session> {
        self.0.session.take().ok_or_else(away)
    }

    /// Another sequence of the same tokens. Error: as there.
    pub fn copy(&self) -> Result<Session> {
        self.0.session.borrow().as_ref().map(Session::copy).ok_or_else(away)
    }

    pub fn put(&self, session: Session) {
        self.0.len.set(session.len());
        self.0.session.replace(Some(session));
    }

    /// Tokens in its cache, as far as is known.
    pub fn len(&self) -> usize {
        self.0.len.get()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn away() -> Error {
    Error::new(Code::Internal, "another generation is under way in this session")
}
