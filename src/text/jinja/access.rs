//! Attributes, items and slices.

use std::ops::Range;
use std::rc::Rc;

use super::methods::{LIST_METHODS, MAP_METHODS, TEXT_METHODS};
use super::places::{chosen, place, span};
use super::render::Renderer;
use super::stop::{RunResult, Stop};
use super::string::{Text, Writer};
use super::value::{Kind, List, Method, Value};

/// Methods that change their list or map, which Jinja's sandbox forbids.
const CHANGING_LISTS: [&str; 8] = ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"];
const CHANGING_MAPS: [&str; 5] = ["clear", "pop", "popitem", "setdefault", "update"];

impl Renderer<'_> {
    /// `of.name`: a method or attribute, else the entry of that name.
    pub fn attribute(&mut self, of: &Value, name: &Rc<str>) -> RunResult<Value> {
        if let Value::Undefined(why) = of {
            return Err(Stop::new(&**why));
        }
        if let Some(found) = self.method(of, name) {
            return Ok(found);
        }
        let entry = match of {
            Value::Map(map) => {
                self.budget.pay(map.entries.len() as u64 / 16)?;
                map.field(name).cloned()
            }
            Value::Object(place) => Some(self.object_field(*place, name)),
            _ => None,
        };
        Ok(entry.unwrap_or_else(|| missing(of, &format!("attribute '{name}'"))))
    }

    /// `of[key]`: an entry or item, else the attribute of that name.
    pub fn item(&mut self, of: &Value, key: &Value) -> RunResult<Value> {
        let found = match (of, key) {
            (Value::Undefined(why), _) => return Err(Stop::new(&**why)),
            (Value::Map(map), _) => map.get(key, &self.budget)?.cloned(),
            (Value::List(list), _) if indexed(list) => {
                key.as_int().and_then(|at| place(at, list.items.len())).map(|at| list.items[at].clone())
            }
            (Value::Text(text), _) => match key.as_int().and_then(|at| place(at, text.chars())) {
                Some(at) => {
                    let start = text.byte_of(at);
                    self.budget.pay_bytes(start)?;
                    let length = text.as_str()[start..].chars().next().map_or(0, char::len_utf8);
                    Some(Value::Text(text.part(start..start + length, &self.budget)?))
                }
                None => None,
            },
            _ => None,
        };
        match (found, key) {
            (Some(found), _) => Ok(found),
            (None, Value::Text(name)) => match of {
                Value::Map(_) => {
                    let name: Rc<str> = name.as_str().into();
                    Ok(self.method(of, &name).unwrap_or_else(|| missing(of, &format!("attribute '{name}'"))))
                }
                _ => self.attribute(of, &name.as_str().into()),
            },
            (None, key) => Ok(missing(of, &format!("element of type {}", key.kind()))),
        }
    }

    fn method(&self, of: &Value, name: &Rc<str>) -> Option<Value> {
        let (methods, forbidden): (&[&str], &[&str]) = match of {
            Value::Text(_) => (&TEXT_METHODS, &[]),
            Value::Map(_) => (&MAP_METHODS, &CHANGING_MAPS),
            Value::List(list) if list.kind == Kind::List => (&LIST_METHODS, &CHANGING_LISTS),
            Value::List(list) if list.kind == Kind::Tuple => (&LIST_METHODS[..2], &[]),
            _ => return None,
        };
        if forbidden.contains(&&**name) {
            let kind = of.kind();
            return Some(Value::Undefined(
                format!("access to attribute '{name}' of '{kind}' object is unsafe.").into(),
            ));
        }
        methods.contains(&&**name).then(|| Value::Method(Rc::new(Method { of: of.clone(), name: name.clone() })))
    }

    /// `of[start:end:step]`
    pub fn slice(&mut self, of: &Value, places: [Option<i64>; 3]) -> RunResult<Value> {
        let step = places[2].unwrap_or(1);
        if step == 0 {
            return Err(Stop::new("slice step cannot be zero"));
        }
        match of {
            Value::Undefined(why) => Err(Stop::new(&**why)),
            Value::Text(text) => self.slice_text(text, places, step),
            Value::List(list) if indexed(list) => {
                let chosen = chosen(places, step, list.items.len());
                self.budget.pay_bytes(chosen.len() * size_of::<Value>())?;
                let items = chosen.into_iter().map(|at| list.items[at].clone()).collect();
                Value::list(list.kind, items, &self.budget)
            }
            other => Err(Stop::new(format!("'{}' object is not subscriptable by slices", other.kind()))),
        }
    }

    fn slice_text(&mut self, text: &Rc<Text>, places: [Option<i64>; 3], step: i64) -> RunResult<Value> {
        let budget = &self.budget;
        if step == 1 {
            let Range { start, end } = span(places[0], places[1], text.chars());
            let (start, end) = (text.byte_of(start), text.byte_of(end));
            budget.pay_bytes(end)?;
            return Ok(Value::Text(text.part(start..end.max(start), budget)?));
        }
        let chars: Vec<(char, bool)> = text.marked_chars().collect();
        let _held = budget.hold(chars.len() * size_of::<(char, bool)>())?;
        let mut out = Writer::new(budget);
        for at in chosen(places, step, chars.len()) {
            out.push_char(chars[at].0, chars[at].1)?;
        }
        Ok(Value::Text(Rc::new(out.finish())))
    }
}

fn indexed(list: &List) -> bool {
    matches!(list.kind, Kind::List | Kind::Tuple | Kind::Range)
}

fn missing(of: &Value, what: &str) -> Value {
    let kind = match of {
        Value::None => "None".to_owned(),
        other => format!("'{} object'", other.kind()),
    };
    Value::Undefined(format!("{kind} has no {what}").into())
}
