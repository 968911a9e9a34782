//! JSON schemas, made ready for llguidance: what that one would pass over, or keep only nearly, is kept whole or refused.

use crate::{Result, multiples};
use llguidance::JsonCompileOptions;
use llguidance::api::TopLevelGrammar;
use regex_syntax::hir::{Class, Hir, HirKind};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// What says nothing of a value (JSON Schema's own annotations, OpenAPI's and editors'), or what llguidance takes or refuses
/// by name.
const KNOWN: [&str; 74] = [
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
/// that are too long or look like Punycode. Each with patterns of what is in the format.
const FORMATS: [(&str, &[&str]); 4] =
    [("date", &[DATE]), ("date-time", &[DATE, TIME]), ("time", &[TIME]), ("hostname", &[HOSTNAME])];
const TIME: &str = "^[^:]*:[^:]*:[0-5]";
const HOSTNAME: &str = "^[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*(\\.[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*)*$";
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
    multiples::refuse_large(&schema)?;
    prepare(&mut schema)?;
    let options = JsonCompileOptions {
        item_separator: ", ".to_owned(),
        key_separator: ": ".to_owned(),
        whitespace_flexible: false,
        json_allowed_escapes: Some(ESCAPES.to_owned()),
        ..JsonCompileOptions::default()
    };
    let Some(object) = schema.as_object_mut() else { return Err(format!("{schema}, expected an object")) };
    match object.get_mut("x-guidance") {
        Some(Value::Object(own)) => {
            if own.get("lenient").is_some_and(|lenient| *lenient != Value::Bool(false)) {
                return Err("x-guidance: lenient, which passes over what it does not know".to_owned());
            }
            own.entry("json_allowed_escapes").or_insert_with(|| ESCAPES.into());
        }
        Some(_) => return Err("x-guidance: expected an object".to_owned()),
        None => options.apply_to(&mut schema),
    }
    Ok(schema)
}

/// All but `\u`.
const ESCAPES: &str = "nrbtf\\\"";

/// As deep as JSON is read.
fn prepare(schema: &mut Value) -> Result<()> {
    let Value::Object(object) = schema else { return Ok(()) };
    if let Some(unknown) = object.keys().find(|key| !KNOWN.contains(&&***key) && !key.starts_with("x-")) {
        return Err(format!("unknown keyword {unknown:?}"));
    }
    // The keywords of the newest draft are known: with an older one's name some would be passed over.
    object.remove("$schema");
    refuse_types(object)?;
    object.get("$ref").and_then(Value::as_str).map_or(Ok(()), refuse_elsewhere)?;
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
    if let Some(Value::String(pattern)) = object.get_mut("pattern") {
        *pattern = as_rust(pattern);
    }
    if let Some(Value::Object(by_pattern)) = object.get_mut("patternProperties") {
        *by_pattern = std::mem::take(by_pattern).into_iter().map(|(pattern, one)| (as_rust(&pattern), one)).collect();
    }
    narrow_format(object);
    Ok(())
}

/// llguidance's own words for a value of a wrong type cut it where a character may stand.
fn refuse_types(object: &Map<String, Value>) -> Result<()> {
    let wrong = object.iter().find(|(key, value)| {
        !match key.as_str() {
            "$ref" | "format" | "pattern" => value.is_string(),
            "maxItems" | "maxLength" | "maxProperties" | "minItems" | "minLength" | "minProperties" => {
                value.is_number()
            }
            "maximum" | "minimum" | "multipleOf" => value.is_number(),
            // Draft 4's.
            "exclusiveMaximum" | "exclusiveMinimum" => value.is_number() || value.is_boolean(),
            "prefixItems" => value.is_array(),
            "required" => value.as_array().is_some_and(|names| names.iter().all(Value::is_string)),
            key if SCHEMAS_BY_NAME.contains(&key) => value.is_object(),
            _ => true,
        }
    });
    wrong.map_or(Ok(()), |(key, _)| Err(format!("{key}: a value of another type than it has")))
}

/// A reference to where no schema stands: nobody has looked at what does.
fn refuse_elsewhere(reference: &str) -> Result<()> {
    let mut path = reference.trim_start_matches('#').split('/').skip(1).peekable();
    while let Some(key) = path.next().filter(|key| !key.is_empty()) {
        let is_there = match key {
            key if SCHEMAS_BY_NAME.contains(&key) => path.next().is_some(),
            key if SCHEMAS.contains(&key) => {
                path.next_if(|next| next.parse::<usize>().is_ok());
                true
            }
            _ => false,
        };
        if !is_there {
            return Err(format!("$ref: {key:?} has no schemas"));
        }
    }
    Ok(())
}

/// A pattern of JavaScript's, as Rust's regex crate has it: other characters are of `.` and `\s`, and classes have no others
/// in them.
fn as_rust(pattern: &str) -> String {
    const SPACES: &str =
        "\\t\\n\\x0B\\x0C\\r \u{a0}\u{1680}\u{2000}-\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}\u{feff}";
    let (mut all, mut in_class, mut chars) = (String::new(), false, pattern.chars());
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some('s') => all += &format!("[{SPACES}]"),
                Some('S') => all += &format!("[^{SPACES}]"),
                next => all.extend([Some(char), next].into_iter().flatten()),
            },
            '.' if !in_class => all += "[^\\n\\r\u{2028}\u{2029}]",
            '[' | '&' | '~' if in_class => all.extend(['\\', char]),
            _ => {
                in_class = (in_class || char == '[') && char != ']';
                all.push(char);
            }
        }
    }
    all
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
    let Some((format, patterns)) = FORMATS.iter().find(|(name, _)| *name == format) else { return };
    let mut narrower: Vec<Value> = patterns.iter().map(|pattern| json!({ "pattern": pattern })).collect();
    if *format == "hostname" {
        narrower.push(json!({ "maxLength": LONGEST_HOSTNAME }));
    }
    match object.get_mut("allOf") {
        Some(Value::Array(list)) => list.append(&mut narrower),
        _ => drop(object.insert("allOf".to_owned(), narrower.into())),
    }
}
