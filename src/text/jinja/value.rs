//! A template's values, which behave as Python's do.
//!
//! Lists and maps cannot be changed, and what can be (namespaces) lies in the renderer, to which values only point: so
//! nothing holds itself, nothing lives longer than the rendering, and no value is nested deeper than `MAX_NEST`.

use std::cmp::Ordering;
use std::rc::Rc;

use super::budget::{Budget, Held};
use super::stop::{RunResult, Stop};
use super::string::Text;

/// Lists within lists. Comparing, writing and dropping them takes native stack.
const MAX_NEST: usize = 100;

#[derive(Clone)]
pub(crate) enum Value {
    /// With what is said to who makes something of it.
    Undefined(Rc<str>),
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<Text>),
    List(Rc<List>),
    Map(Rc<Map>),
    /// A function that every template has.
    Function(Function),
    /// A method of a value, not yet called.
    Method(Rc<Method>),
    /// What a template makes and can change, by its place in the renderer.
    Object(usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Range,
    Dict,
    Namespace,
    Cycler,
    Joiner,
    RaiseException,
    StrftimeNow,
}

pub(crate) struct Method {
    pub of: Value,
    pub name: Rc<str>,
}

/// What kind of list Python has there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    List,
    Tuple,
    Range,
    /// What a filter like `map` gives: no length, no places.
    Generator,
    /// Of a map.
    Keys,
    Values,
    Items,
}

pub(crate) struct List {
    pub items: Vec<Value>,
    pub kind: Kind,
    nest: usize,
    _held: Held,
}

/// A map in the order of its making.
pub(crate) struct Map {
    pub entries: Vec<(Value, Value)>,
    nest: usize,
    _held: Held,
}

impl Value {
    pub fn text(text: &str, budget: &Rc<Budget>) -> RunResult<Self> {
        Text::new(text, false, budget).map(Self::Text)
    }

    pub fn list(kind: Kind, items: Vec<Value>, budget: &Rc<Budget>) -> RunResult<Self> {
        let held = budget.hold(48 + items.len() * size_of::<Value>())?;
        let nest = nest_of(items.iter())?;
        Ok(Self::List(Rc::new(List { items, kind, nest, _held: held })))
    }

    /// Of two entries with one key the first keeps its place, and the last its value.
    pub fn map(entries: Vec<(Value, Value)>, budget: &Rc<Budget>) -> RunResult<Self> {
        let held = budget.hold(48 + entries.len() * 2 * size_of::<Value>())?;
        let mut unique: Vec<(Value, Value)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            key.check_hashable()?;
            match find(&unique, &key, budget)? {
                Some(at) => unique[at].1 = value,
                None => unique.push((key, value)),
            }
        }
        Self::map_of_unique(unique, held)
    }

    /// For entries that are known to have different keys.
    pub fn map_of_unique(entries: Vec<(Value, Value)>, held: Held) -> RunResult<Self> {
        let nest = nest_of(entries.iter().map(|(_, value)| value))?;
        Ok(Self::Map(Rc::new(Map { entries, nest, _held: held })))
    }

    fn nest(&self) -> usize {
        match self {
            Self::List(list) => list.nest,
            Self::Map(map) => map.nest,
            Self::Method(method) => 1 + method.of.nest(),
            _ => 0,
        }
    }

    /// Whether Python takes it as a key.
    pub fn check_hashable(&self) -> RunResult<()> {
        match self {
            Self::Map(_) => Err(Stop::new("unhashable type: 'dict'")),
            Self::List(list) if list.kind == Kind::List => Err(Stop::new("unhashable type: 'list'")),
            Self::List(list) if list.kind == Kind::Tuple => list.items.iter().try_for_each(Self::check_hashable),
            _ => Ok(()),
        }
    }

    /// What Python calls its type.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "Undefined",
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
            Self::List(list) => match list.kind {
                Kind::List => "list",
                Kind::Tuple => "tuple",
                Kind::Range => "range",
                Kind::Generator => "generator",
                Kind::Keys => "dict_keys",
                Kind::Values => "dict_values",
                Kind::Items => "dict_items",
            },
            Self::Map(_) => "dict",
            Self::Function(_) => "function",
            Self::Method(_) => "builtin_function_or_method",
            Self::Object(_) => "object",
        }
    }

    pub fn is_true(&self) -> bool {
        match self {
            Self::Undefined(_) | Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.as_str().is_empty(),
            Self::List(list) => list.kind == Kind::Generator || !list.items.is_empty(),
            Self::Map(map) => !map.entries.is_empty(),
            Self::Function(_) | Self::Method(_) | Self::Object(_) => true,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// As a whole number, which Python's truth values are too.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Bool(value) => Some(i64::from(*value)),
            _ => None,
        }
    }

    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            _ => self.as_int().map(|value| value as f64),
        }
    }

    /// A text argument.
    pub fn expect_text(&self, what: &str) -> RunResult<&Rc<Text>> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Undefined(why) => Err(Stop::new(&**why)),
            other => Err(Stop::new(format!("{what} must be str, not {}", other.kind()))),
        }
    }

    /// Itself, unless it is undefined.
    pub fn defined(&self) -> RunResult<&Self> {
        match self {
            Self::Undefined(why) => Err(Stop::new(&**why)),
            other => Ok(other),
        }
    }

    pub fn expect_int(&self, what: &str) -> RunResult<i64> {
        self.defined()?.as_int().ok_or_else(|| Stop::new(format!("{what} must be int, not {}", self.kind())))
    }

    /// Its length, where Python's `len` gives one.
    pub fn length(&self) -> RunResult<usize> {
        match self {
            Self::Undefined(_) => Ok(0),
            Self::Text(text) => Ok(text.chars()),
            Self::List(list) if list.kind != Kind::Generator => Ok(list.items.len()),
            Self::Map(map) => Ok(map.entries.len()),
            other => Err(Stop::new(format!("object of type '{}' has no len()", other.kind()))),
        }
    }

    /// What a loop over it goes through.
    pub fn items(&self, budget: &Rc<Budget>) -> RunResult<Vec<Value>> {
        let items: Vec<Value> = match self {
            Self::Undefined(_) => Vec::new(),
            Self::List(list) => {
                budget.pay_bytes(list.items.len() * size_of::<Value>())?;
                list.items.clone()
            }
            Self::Map(map) => map.entries.iter().map(|(key, _)| key.clone()).collect(),
            Self::Text(text) => {
                let mut items = Vec::new();
                let mut at = 0;
                for c in text.as_str().chars() {
                    items.push(Self::Text(text.part(at..at + c.len_utf8(), budget)?));
                    at += c.len_utf8();
                }
                items
            }
            other => return Err(Stop::new(format!("'{}' object is not iterable", other.kind()))),
        };
        budget.pay(items.len() as u64 / 16)?;
        Ok(items)
    }

    pub fn is_iterable(&self) -> bool {
        matches!(self, Self::Undefined(_) | Self::List(_) | Self::Map(_) | Self::Text(_))
    }

    /// Python's `==`.
    pub fn equals(&self, other: &Self, budget: &Budget) -> RunResult<bool> {
        budget.pay(1)?;
        Ok(match (self, other) {
            (Self::Undefined(_), Self::Undefined(_)) | (Self::None, Self::None) => true,
            (Self::Text(a), Self::Text(b)) => {
                a.as_str().len() == b.as_str().len() && {
                    budget.pay_bytes(a.as_str().len())?;
                    a.as_str() == b.as_str()
                }
            }
            (Self::List(a), Self::List(b)) => {
                let plain = !matches!(a.kind, Kind::Generator | Kind::Values);
                if !plain || a.kind != b.kind || a.items.len() != b.items.len() {
                    return Ok(Rc::ptr_eq(a, b));
                }
                all(a.items.iter().zip(&b.items), |(a, b)| a.equals(b, budget))?
            }
            (Self::Map(a), Self::Map(b)) => {
                a.entries.len() == b.entries.len()
                    && all(a.entries.iter(), |(key, value)| match find(&b.entries, key, budget)? {
                        Some(at) => value.equals(&b.entries[at].1, budget),
                        None => Ok(false),
                    })?
            }
            (Self::Function(a), Self::Function(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => a == b,
            (Self::Method(a), Self::Method(b)) => Rc::ptr_eq(a, b),
            _ => match (self.as_int(), other.as_int()) {
                (Some(a), Some(b)) => a == b,
                _ => matches!((self.as_number(), other.as_number()), (Some(a), Some(b)) if a == b),
            },
        })
    }

    /// Python's order, where the two have one; `None`: a number that is none.
    pub fn compare(&self, other: &Self, sign: &str, budget: &Budget) -> RunResult<Option<Ordering>> {
        budget.pay(1)?;
        match (self, other) {
            (Self::Undefined(why), _) | (_, Self::Undefined(why)) => Err(Stop::new(&**why)),
            (Self::Text(a), Self::Text(b)) => {
                budget.pay_bytes(a.as_str().len().min(b.as_str().len()))?;
                Ok(Some(a.as_str().cmp(b.as_str())))
            }
            (Self::List(a), Self::List(b)) if a.kind == b.kind && matches!(a.kind, Kind::List | Kind::Tuple) => {
                for (a, b) in a.items.iter().zip(&b.items) {
                    if !a.equals(b, budget)? {
                        return a.compare(b, sign, budget);
                    }
                }
                Ok(Some(a.items.len().cmp(&b.items.len())))
            }
            _ => match (self.as_int(), other.as_int(), self.as_number(), other.as_number()) {
                (Some(a), Some(b), ..) => Ok(Some(a.cmp(&b))),
                (_, _, Some(a), Some(b)) => Ok(a.partial_cmp(&b)),
                _ => {
                    let (a, b) = (self.kind(), other.kind());
                    Err(Stop::new(format!("'{sign}' not supported between instances of '{a}' and '{b}'")))
                }
            },
        }
    }

    /// Python's `needle in self`.
    pub fn contains(&self, needle: &Self, budget: &Budget) -> RunResult<bool> {
        match self {
            Self::Text(text) => {
                let Self::Text(part) = needle else {
                    let kind = needle.kind();
                    return Err(Stop::new(format!("'in <string>' requires string as left operand, not {kind}")));
                };
                budget.pay_bytes(text.as_str().len() * 4)?;
                Ok(text.as_str().contains(part.as_str()))
            }
            Self::List(list) => any(list.items.iter(), |item| item.equals(needle, budget)),
            Self::Map(map) => {
                needle.check_hashable()?;
                Ok(find(&map.entries, needle, budget)?.is_some())
            }
            Self::Undefined(_) => Ok(false),
            other => Err(Stop::new(format!("argument of type '{}' is not iterable", other.kind()))),
        }
    }
}

impl Map {
    pub fn get(&self, key: &Value, budget: &Budget) -> RunResult<Option<&Value>> {
        Ok(find(&self.entries, key, budget)?.map(|at| &self.entries[at].1))
    }

    /// The value of a text key.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.entries.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
    }
}

/// Where a key is.
fn find(entries: &[(Value, Value)], key: &Value, budget: &Budget) -> RunResult<Option<usize>> {
    budget.pay(1 + entries.len() as u64 / 8)?;
    if let Some(text) = key.as_str() {
        return Ok(entries.iter().position(|(key, _)| key.as_str() == Some(text)));
    }
    for (at, (known, _)) in entries.iter().enumerate() {
        if known.equals(key, budget)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

fn nest_of<'a>(values: impl Iterator<Item = &'a Value>) -> RunResult<usize> {
    let nest = 1 + values.map(Value::nest).max().unwrap_or(0);
    if nest > MAX_NEST {
        return Err(Stop::new(format!("a value is nested more than {MAX_NEST} deep")));
    }
    Ok(nest)
}

fn all<T>(mut items: impl Iterator<Item = T>, mut test: impl FnMut(T) -> RunResult<bool>) -> RunResult<bool> {
    items.try_fold(true, |so_far, item| if so_far { test(item) } else { Ok(false) })
}

fn any<T>(items: impl Iterator<Item = T>, mut test: impl FnMut(T) -> RunResult<bool>) -> RunResult<bool> {
    for item in items {
        if test(item)? {
            return Ok(true);
        }
    }
    Ok(false)
}
