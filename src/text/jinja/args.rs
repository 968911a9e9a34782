//! What a call is given.

use std::rc::Rc;

use super::stop::{RunResult, Stop};
use super::value::Value;

#[derive(Default)]
pub(crate) struct Args {
    pub positional: Vec<Value>,
    pub named: Vec<(Rc<str>, Value)>,
}

impl Args {
    /// By place or by name; `what` is what is called.
    pub fn take<const N: usize>(self, what: &str, names: [&str; N]) -> RunResult<[Option<Value>; N]> {
        let mut taken = [const { None }; N];
        let count = self.positional.len();
        if count > N {
            return Err(Stop::new(format!("{what}() takes {N} arguments, but {count} were given")));
        }
        for (place, value) in taken.iter_mut().zip(self.positional) {
            *place = Some(value);
        }
        for (name, value) in self.named {
            let Some(at) = names.iter().position(|known| **known == *name) else {
                return Err(Stop::new(format!("{what}() got an unexpected keyword argument '{name}'")));
            };
            if taken[at].replace(value).is_some() {
                return Err(Stop::new(format!("{what}() got multiple values for argument '{name}'")));
            }
        }
        Ok(taken)
    }

    /// Those of a call that takes none by name.
    pub fn unnamed(self, what: &str) -> RunResult<Vec<Value>> {
        match self.named.first() {
            Some((name, _)) => Err(Stop::new(format!("{what}() takes no keyword arguments, such as '{name}'"))),
            None => Ok(self.positional),
        }
    }
}

/// An argument that must be there.
pub(crate) fn needed(value: Option<Value>, what: &str, name: &str) -> RunResult<Value> {
    value.ok_or_else(|| Stop::new(format!("{what}() missing 1 required positional argument: '{name}'")))
}
