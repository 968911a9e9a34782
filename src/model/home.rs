//! Where a sequence is while no generation is under way in it.

use super::session::Session;
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

    /// The sequence, if it is here.
    pub fn take(&self) -> Option<Session> {
        self.0.session.take()
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
