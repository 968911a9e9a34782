//! A folder's files.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{Error, Result};

/// Files by their names.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What a JSON file says: nothing where there is none.
pub(super) fn config_of(json: Option<&str>, name: &str) -> Result<Value> {
    let read =
        |json| serde_json::from_str(json).map_err(|error| Error::corrupt(format!("{name}: {error}")).in_file(name));
    json.map_or(Ok(Value::Null), read)
}
