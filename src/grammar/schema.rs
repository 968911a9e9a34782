//! JSON schemas, made ready for llguidance: what that one would pass over, or keep only nearly, is kept whole or refused.

use crate::Result;
use llguidance::JsonCompileOptions;
use llguidance::api::TopLevelGrammar;
use regex_syntax::hir::{Class, Hir, HirKind};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// What says nothing of a value (JSON Schema's own annotations, OpenAPI's and editors'), or what llguidance takes or refuses
/// by name.
const KNOWN: [&str; 76] = [
    "$anchor",
    "$comment",
    "$defs",
    "$dynamicAnchor",
    "$dynamicRef",
    "$id",
    "$recursiveAnchor",
    "$recursiveRef",
    "$ref",
    "$schema",
    "$vocabulary",
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "default",
    "definitions",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "deprecated",
    "description",
    "discriminator",
    "else",
    "enum",
    "enumDescriptions",
    "enumNames",
    "example",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "externalDocs",
    "format",
    "id",
    "if",
    "items",
    "markdownDescription",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "nullable",
    "oneOf",
    "options",
    "pattern",
    "patternProperties",
    "prefixItems",
    "properties",
    "propertyNames",
    "readOnly",
    "required",
    "strict",
    "then",
    "title",
    "type",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
    "writeOnly",
    "x-guidance",
    "xml",
    "extends",
    "disallow",
];
/// Keywords whose value is a schema, a list of them, or has them by name.
const SCHEMAS: [&str; 10] = [
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "contains",
    "items",
    "not",
    "oneOf",
    "prefixItems",
    "propertyNames",
];
const SCHEMAS_BY_NAME: [&str; 4] = ["$defs", "definitions", "patternProperties", "properties"];

/// Formats of which llguidance takes more than there are: 29 February of any year, the leap second at any time, host names
/// that are too long or look like Punycode. Each as a pattern that is in the format.
const FORMATS: [(&str, &str); 4] = [
    ("date", DATE),
    ("date-time", "^[^:]*:[^:]*:[0-5]"),
    ("time", "^[^:]*:[^:]*:[0-5]"),
    ("hostname", "^[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*(\\.[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*)*$"),
];
/// Any day but 29 February, or that one where a year has it.
const DATE: &str = "^(....-(0[13-9]|1[0-2]|02-[01]|02-2[0-8])|\
    ([0-9][0-9](0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)";
const LONGEST_HOSTNAME: u64 = 253;

/// The grammar of a schema's values.
pub fn grammar(text: &str) -> Result<TopLevelGrammar> {
    let schema = serde_json::from_str(text).map_err(|error| error.to_string())?;
    ready(schema).map(TopLevelGrammar::from_json_schema)
}

/// The grammar of calls: Lark's, with schemas in it by their numbers, `{ lark: "start: … %json @0", schemas: […] }`.
pub fn calls(text: &str) -> Result<TopLevelGrammar> {
    #[derive(Deserialize)]
    struct Calls {
        lark: String,
        schemas: Vec<Value>,
    }
    let Calls { mut lark, schemas } = serde_json::from_str(text).map_err(|error| error.to_string())?;
    // The last first: @1 is the beginning of @10.
    for (at, schema) in schemas.into_iter().enumerate().rev() {
        lark = lark.replace(&format!("%json @{at}"), &format!("%json {}", ready(schema)?));
    }
    Ok(TopLevelGrammar::from_lark(lark))
}

/// A schema for llguidance. White space is as Python's `json.dumps` writes it, which models have read most: where it is
/// free, one that is lost goes on with spaces for ever. Strings are written without `\u`: a name that is spelled with it
/// would pass for another one. A schema's own `x-guidance` comes first.
fn ready(mut schema: Value) -> Result<Value> {
    prepare(&mut schema)?;
    let options = JsonCompileOptions {
        item_separator: ", ".to_owned(),
        key_separator: ": ".to_owned(),
        whitespace_flexible: false,
        json_allowed_escapes: Some("nrbtf\\\"".to_owned()),
        ..JsonCompileOptions::default()
    };
    match schema.as_object() {
        Some(object) if object.contains_key("x-guidance") => {}
        Some(_) => options.apply_to(&mut schema),
        None => return Err(format!("{schema}, expected an object")),
    }
    Ok(schema)
}

/// As deep as JSON is read.
fn prepare(schema: &mut Value) -> Result<()> {
    let Value::Object(object) = schema else { return Ok(()) };
    if let Some(unknown) = object.keys().find(|key| !KNOWN.contains(&&***key) && !key.starts_with("x-")) {
        return Err(format!("unknown keyword {unknown:?}"));
    }
    refuse_min_properties(object)?;
    ["const", "enum"].iter().filter_map(|key| object.get(*key)).try_for_each(refuse_control)?;
    let names = object.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
    names.cloned().map(Value::String).try_for_each(|name| refuse_control(&name))?;
    let patterns = object.get("patternProperties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
    patterns
        .map(|pattern| &**pattern)
        .chain(object.get("pattern").and_then(Value::as_str))
        .try_for_each(refuse_control_in)?;
    for key in SCHEMAS {
        match object.get_mut(key) {
            Some(Value::Array(list)) => list.iter_mut().try_for_each(prepare)?,
            Some(one) => prepare(one)?,
            None => {}
        }
    }
    for key in SCHEMAS_BY_NAME {
        if let Some(Value::Object(by_name)) = object.get_mut(key) {
            by_name.values_mut().try_for_each(prepare)?;
        }
    }
    narrow_format(object);
    Ok(())
}

/// Names that nobody has listed may come twice, and count once.
fn refuse_min_properties(object: &Map<String, Value>) -> Result<()> {
    let count = |key: &str| object.get(key).and_then(Value::as_array).map_or(0, Vec::len) as u64;
    let least = object.get("minProperties").and_then(Value::as_u64).unwrap_or(0);
    let is_open =
        object.get("additionalProperties") != Some(&Value::Bool(false)) || object.contains_key("patternProperties");
    match is_open && least > count("required").max(1) {
        true => Err(format!("minProperties: {least}, with names that are free and may come twice")),
        false => Ok(()),
    }
}

/// Without `\u` there is no way to write it.
fn is_control(char: char) -> bool {
    char < ' ' && !"\u{8}\t\n\u{c}\r".contains(char)
}

fn refuse_control(value: &Value) -> Result<()> {
    match value {
        Value::String(text) if text.contains(is_control) => Err(format!("{value} has a control character")),
        Value::Array(list) => list.iter().try_for_each(refuse_control),
        Value::Object(object) => {
            object.keys().cloned().map(Value::String).try_for_each(|name| refuse_control(&name))?;
            object.values().try_for_each(refuse_control)
        }
        _ => Ok(()),
    }
}

/// A pattern that asks for control characters: where it only allows them among others, it is kept without.
fn refuse_control_in(pattern: &str) -> Result<()> {
    fn asks(hir: &Hir) -> bool {
        match hir.kind() {
            HirKind::Literal(literal) => std::str::from_utf8(&literal.0).is_ok_and(|text| text.contains(is_control)),
            HirKind::Class(Class::Unicode(class)) => {
                let mut all = class.iter().flat_map(|range| range.start()..=range.end());
                !class.ranges().is_empty() && all.all(is_control)
            }
            HirKind::Repetition(repetition) => asks(&repetition.sub),
            HirKind::Capture(capture) => asks(&capture.sub),
            HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(asks),
            _ => false,
        }
    }
    match regex_syntax::parse(pattern) {
        Ok(hir) if asks(&hir) => Err(format!("the pattern {pattern:?} asks for a control character")),
        // What is none is refused where it is read.
        _ => Ok(()),
    }
}

fn narrow_format(object: &mut Map<String, Value>) {
    let format = object.get("format").and_then(Value::as_str).unwrap_or_default();
    let Some((format, pattern)) = FORMATS.iter().find(|(name, _)| *name == format) else { return };
    let mut narrower = json!({ "pattern": pattern });
    if *format == "hostname" {
        narrower["maxLength"] = LONGEST_HOSTNAME.into();
    }
    match object.get_mut("allOf") {
        Some(Value::Array(list)) => list.push(narrower),
        _ => drop(object.insert("allOf".to_owned(), json!([narrower]))),
    }
}
