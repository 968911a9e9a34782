//! Fields of the files that sentence-transformers writes.

use serde_json::Value;

use crate::{Error, Result};

/// What a file says.
pub(super) fn parse(name: &str, json: &str) -> Result<Value> {
    crate::json::parse(json).map_err(|error| Error::corrupt(format!("{name}: {error}")))
}

/// The same of an object; an empty one where the file is missing.
pub(super) fn object(name: &str, json: Option<&str>) -> Result<Value> {
    match json.map(|json| parse(name, json)).transpose()? {
        None => Ok(Value::Object(Default::default())),
        Some(value) if value.is_object() => Ok(value),
        Some(_) => Err(Error::corrupt(format!("{name} is no object"))),
    }
}

pub(super) fn wrong(file: &str, name: &str, value: &Value) -> Error {
    Error::corrupt(format!("{file}: {name:?} is {value}"))
}

/// Refuses every value but those, `null` and none.
pub(super) fn expect(file: &str, config: &Value, name: &str, only: &[Value]) -> Result<()> {
    match &config[name] {
        Value::Null => Ok(()),
        value if only.contains(value) => Ok(()),
        value => Err(Error::unsupported(format!("{file}: {name:?} is {value}"))),
    }
}

pub(super) fn flag(file: &str, config: &Value, name: &str, default: bool) -> Result<bool> {
    match &config[name] {
        Value::Null => Ok(default),
        Value::Bool(flag) => Ok(*flag),
        value => Err(wrong(file, name, value)),
    }
}
