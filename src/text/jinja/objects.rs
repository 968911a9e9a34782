//! What a template makes and can change: namespaces, loops, macros, and what goes round.

use std::rc::Rc;

use super::ast::For;
use super::value::Value;

pub(crate) enum Object<'t> {
    Namespace(Vec<(Rc<str>, Value)>),
    Cycler {
        items: Vec<Value>,
        at: usize,
    },
    Joiner {
        separator: Value,
        used: bool,
    },
    Loop(Loop<'t>),
    /// By its place in the template's list, with the scope that it sees.
    Macro {
        index: usize,
        scope: usize,
    },
}

/// What a loop's body knows of it.
pub(crate) struct Loop<'t> {
    items: Rc<[Value]>,
    pub at: usize,
    pub depth: usize,
    /// What `changed` was asked of last.
    pub changed: Option<Vec<Value>>,
    pub each: &'t For,
}

impl<'t> Loop<'t> {
    pub fn new(items: Rc<[Value]>, depth: usize, each: &'t For) -> Self {
        Self { items, at: 0, depth, changed: None, each }
    }

    /// What it went through is needed no more.
    pub fn end(&mut self) {
        self.items = Rc::new([]);
    }

    pub fn field(&self, name: &str) -> Option<Value> {
        let (at, count) = (self.at as i64, self.items.len() as i64);
        let neighbour = |place: i64, what: &str| {
            let found = usize::try_from(place).ok().and_then(|place| self.items.get(place)).cloned();
            found.unwrap_or_else(|| Value::Undefined(format!("there is no {what} item").into()))
        };
        Some(match name {
            "index" => Value::Int(at + 1),
            "index0" => Value::Int(at),
            "revindex" => Value::Int(count - at),
            "revindex0" => Value::Int(count - at - 1),
            "first" => Value::Bool(at == 0),
            "last" => Value::Bool(at + 1 == count),
            "length" => Value::Int(count),
            "depth" => Value::Int(self.depth as i64 + 1),
            "depth0" => Value::Int(self.depth as i64),
            "previtem" => neighbour(at - 1, "previous"),
            "nextitem" => neighbour(at + 1, "next"),
            _ => return None,
        })
    }
}
