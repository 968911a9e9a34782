//! Whatever a caller puts into JSON, with the order of its fields, as a chat template sees it.

use std::fmt;
use std::rc::Rc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::jinja::{Budget, Kind, RunResult, Text, Value};

/// A value of JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Data>),
    /// In the order in which the fields stand.
    Map(Vec<(String, Data)>),
}

impl Data {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// Bytes of all texts in it, and some for each value.
    pub(crate) fn size(&self) -> usize {
        8 + match self {
            Self::Text(text) => text.len(),
            Self::List(list) => list.iter().map(Self::size).sum(),
            Self::Map(fields) => fields.iter().map(|(name, value)| name.len() + value.size()).sum(),
            _ => 0,
        }
    }

    /// The template's value: every text in it is the caller's.
    pub(crate) fn value(&self, budget: &Rc<Budget>) -> RunResult<Value> {
        Ok(match self {
            Self::Null => Value::None,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Float(value) => Value::Float(*value),
            Self::Text(text) => Value::Text(Text::new(text, true, budget)?),
            Self::List(list) => {
                let list = list.iter().map(|each| each.value(budget)).collect::<RunResult<Vec<_>>>()?;
                Value::list(Kind::List, list, budget)?
            }
            Self::Map(fields) => {
                let field = |(name, value): &(String, Data)| {
                    Ok((Value::Text(Text::new(name, true, budget)?), value.value(budget)?))
                };
                Value::map(fields.iter().map(field).collect::<RunResult<Vec<_>>>()?, budget)?
            }
        })
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyData)
    }
}

struct AnyData;

impl<'de> Visitor<'de> for AnyData {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_unit<E>(self) -> Result<Data, E> {
        Ok(Data::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Data, E> {
        Ok(Data::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Data, E> {
        Ok(Data::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Data, E> {
        Ok(i64::try_from(value).map_or(Data::Float(value as f64), Data::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Data, E> {
        Ok(Data::Float(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Data, E> {
        Ok(Data::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Data, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Data::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Data, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Data::Map(fields))
    }
}
