//! What `is` asks.

use std::rc::Rc;

use super::args::{Args, needed};
use super::arithmetic;
use super::ast::{Comparison, Operator};
use super::chars::is_space;
use super::filters_text::is_cased;
use super::render::Renderer;
use super::stop::{RunResult, Stop};
use super::value::{Kind, Value};
use super::write::{is_printable, text_of};

impl Renderer<'_> {
    pub fn test(&mut self, name: &str, of: &Value, args: Args) -> RunResult<bool> {
        let comparison = match name {
            "==" | "eq" | "equalto" => Some(Comparison::Equal),
            "!=" | "ne" => Some(Comparison::NotEqual),
            "<" | "lt" | "lessthan" => Some(Comparison::Less),
            "<=" | "le" => Some(Comparison::LessOrEqual),
            ">" | "gt" | "greaterthan" => Some(Comparison::Greater),
            ">=" | "ge" => Some(Comparison::GreaterOrEqual),
            "in" => Some(Comparison::In),
            _ => None,
        };
        if let Some(comparison) = comparison {
            let [other] = args.take(name, ["other"])?;
            return self.holds(comparison, of, &needed(other, name, "other")?);
        }
        match name {
            "divisibleby" => {
                let [number] = args.take(name, ["num"])?;
                let rest = arithmetic::binary(Operator::Remainder, of, &needed(number, name, "num")?, &self.budget)?;
                return rest.equals(&Value::Int(0), &self.budget);
            }
            "sameas" => {
                let [other] = args.take(name, ["other"])?;
                return same(of, &needed(other, name, "other")?);
            }
            _ => {}
        }
        args.take::<0>(name, [])?;
        self.plain_test(name, of)
    }

    fn plain_test(&mut self, name: &str, of: &Value) -> RunResult<bool> {
        Ok(match name {
            "defined" => !matches!(of, Value::Undefined(_)),
            "undefined" => matches!(of, Value::Undefined(_)),
            "none" => matches!(of, Value::None),
            "boolean" => matches!(of, Value::Bool(_)),
            "true" => matches!(of, Value::Bool(true)),
            "false" => matches!(of, Value::Bool(false)),
            "integer" => matches!(of, Value::Int(_)),
            "float" => matches!(of, Value::Float(_)),
            "number" => of.as_number().is_some(),
            "string" => matches!(of, Value::Text(_)),
            "mapping" => matches!(of, Value::Map(_)),
            "sequence" => match of {
                Value::List(list) => matches!(list.kind, Kind::List | Kind::Tuple | Kind::Range),
                // Undefined has a length, but its items cannot be asked for.
                Value::Text(_) | Value::Map(_) | Value::Undefined(_) => true,
                _ => false,
            },
            "iterable" => of.is_iterable(),
            "callable" => matches!(of, Value::Function(_) | Value::Method(_) | Value::Object(_) | Value::Undefined(_)),
            "escaped" => matches!(of, Value::Text(text) if text.markup),
            "even" | "odd" => {
                let odd = match of {
                    Value::Float(value) => value.rem_euclid(2.0) == 1.0,
                    _ => of.expect_int("the value")?.rem_euclid(2) == 1,
                };
                match of {
                    Value::Float(value) if value.fract() != 0.0 => false,
                    _ => odd == (name == "odd"),
                }
            }
            "lower" | "upper" => {
                let text = text_of(of, &self.budget)?;
                is_of_kind(text.as_str(), if name == "lower" { "islower" } else { "isupper" })
            }
            "filter" => of.as_str().is_some_and(super::filters::is_known),
            "test" => return Err(Stop::new("the test 'test' is not known here")),
            _ => return Err(Stop::new(format!("no test named '{name}'"))),
        })
    }
}

/// Python's `is`, where it does not depend on how values are kept.
fn same(of: &Value, other: &Value) -> RunResult<bool> {
    Ok(match (of, other) {
        (Value::None, Value::None) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Object(a), Value::Object(b)) => a == b,
        (Value::List(a), Value::List(b)) => Rc::ptr_eq(a, b),
        (Value::Map(a), Value::Map(b)) => Rc::ptr_eq(a, b),
        (Value::Int(_), Value::Int(_)) | (Value::Float(_), Value::Float(_)) | (Value::Text(_), Value::Text(_)) => {
            return Err(Stop::new("whether two numbers or texts are the same object is not known here"));
        }
        _ => false,
    })
}

/// Python's `isalpha` and the like.
pub(crate) fn is_of_kind(text: &str, name: &str) -> bool {
    let all = |test: fn(char) -> bool| !text.is_empty() && text.chars().all(test);
    match name {
        "isspace" => all(is_space),
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isdecimal" => all(is_decimal),
        "isdigit" => all(|c| is_decimal(c) || matches!(c, '²' | '³' | '¹' | '⁰' | '⁴'..='⁹' | '₀'..='₉')),
        "isnumeric" => all(char::is_numeric),
        "isascii" => text.is_ascii(),
        "isprintable" => text.chars().all(is_printable),
        "isidentifier" => {
            let first = text.chars().next();
            first.is_some_and(|c| c == '_' || c.is_alphabetic())
                && text.chars().all(|c| c == '_' || c.is_alphanumeric())
        }
        "islower" => text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase),
        "isupper" => text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase),
        _ => is_title_case(text),
    }
}

fn is_decimal(c: char) -> bool {
    // Ten digits stand together in Unicode, from a place whose number ends in 0 or 6.
    c.is_ascii_digit() || (c.is_numeric() && decimal_run(c))
}

fn decimal_run(c: char) -> bool {
    const ZEROS: [u32; 22] = [
        0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20,
        0x1040, 0x1090, 0x17e0, 0x1810, 0xa620, 0xff10,
    ];
    ZEROS.iter().any(|zero| (*zero..zero + 10).contains(&(c as u32)))
}

fn is_title_case(text: &str) -> bool {
    let (mut within, mut any) = (false, false);
    for c in text.chars() {
        if (c.is_uppercase() && within) || (c.is_lowercase() && !within) {
            return false;
        }
        within = is_cased(c);
        any |= within;
    }
    any
}
