//! Python's operators.

use std::rc::Rc;

use super::ast::Operator;
use super::budget::Budget;
use super::filters_text::escaped;
use super::format::percent;
use super::stop::{RunResult, Stop};
use super::string::Writer;
use super::value::{Kind, Value};

pub(crate) fn negative(of: &Value) -> RunResult<Value> {
    match (of, of.as_int()) {
        (Value::Float(value), _) => Ok(Value::Float(-value)),
        (_, Some(value)) => value.checked_neg().map(Value::Int).ok_or_else(too_large),
        _ => Err(no_sign(of, "-")),
    }
}

pub(crate) fn positive(of: &Value) -> RunResult<Value> {
    match (of, of.as_int()) {
        (Value::Float(value), _) => Ok(Value::Float(*value)),
        (_, Some(value)) => Ok(Value::Int(value)),
        _ => Err(no_sign(of, "+")),
    }
}

fn no_sign(of: &Value, sign: &str) -> Stop {
    match of {
        Value::Undefined(why) => Stop::new(&**why),
        other => Stop::new(format!("bad operand type for unary {sign}: '{}'", other.kind())),
    }
}

fn too_large() -> Stop {
    Stop::new("a whole number grows beyond 64 bits")
}

fn sign(operator: Operator) -> &'static str {
    match operator {
        Operator::Add => "+",
        Operator::Subtract => "-",
        Operator::Multiply => "*",
        Operator::Divide => "/",
        Operator::FloorDivide => "//",
        Operator::Remainder => "%",
        Operator::Power => "** or pow()",
    }
}

pub(crate) fn binary(operator: Operator, left: &Value, right: &Value, budget: &Rc<Budget>) -> RunResult<Value> {
    if let Value::Undefined(why) = left {
        return Err(Stop::new(&**why));
    }
    if let (Operator::Remainder, Value::Text(format)) = (operator, left) {
        return Ok(Value::Text(percent(format, right, budget)?));
    }
    if let Value::Undefined(why) = right {
        return Err(Stop::new(&**why));
    }
    match (operator, left, right) {
        (Operator::Add, ..) => {
            if let Some(sum) = joined(left, right, budget)? {
                return Ok(sum);
            }
        }
        (Operator::Multiply, Value::Text(_) | Value::List(_), count) if count.as_int().is_some() => {
            return repeated(left, count.as_int().unwrap_or(0), budget);
        }
        (Operator::Multiply, count, Value::Text(_) | Value::List(_)) if count.as_int().is_some() => {
            return repeated(right, count.as_int().unwrap_or(0), budget);
        }
        _ => {}
    }
    if let (Some(a), Some(b)) = (left.as_int(), right.as_int())
        && let Some(value) = whole(operator, a, b)?
    {
        return Ok(value);
    }
    match (left.as_number(), right.as_number()) {
        (Some(a), Some(b)) => fraction(operator, a, b).map(Value::Float),
        _ => {
            let (sign, a, b) = (sign(operator), left.kind(), right.kind());
            Err(Stop::new(format!("unsupported operand type(s) for {sign}: '{a}' and '{b}'")))
        }
    }
}

/// Texts and lists behind each other.
fn joined(left: &Value, right: &Value, budget: &Rc<Budget>) -> RunResult<Option<Value>> {
    match (left, right) {
        (Value::Text(a), Value::Text(b)) => {
            let mut out = Writer::new(budget);
            let markup = a.markup || b.markup;
            for part in [a, b] {
                if markup && !part.markup {
                    out.push_text(&*escaped(part, budget)?)?;
                } else {
                    out.push_text(part)?;
                }
            }
            let mut text = out.finish();
            text.markup = markup;
            Ok(Some(Value::Text(Rc::new(text))))
        }
        (Value::List(a), Value::List(b)) if a.kind == b.kind && matches!(a.kind, Kind::List | Kind::Tuple) => {
            let _held = budget.hold((a.items.len() + b.items.len()) * size_of::<Value>())?;
            let items = a.items.iter().chain(&b.items).cloned().collect();
            Value::list(a.kind, items, budget).map(Some)
        }
        _ => Ok(None),
    }
}

fn repeated(of: &Value, count: i64, budget: &Rc<Budget>) -> RunResult<Value> {
    let count = usize::try_from(count).unwrap_or(0);
    match of {
        Value::Text(text) => {
            budget.hold(text.as_str().len().saturating_mul(count))?;
            let mut out = Writer::new(budget);
            if !text.as_str().is_empty() {
                (0..count).try_for_each(|_| out.push_text(text))?;
            }
            Ok(Value::Text(Rc::new(out.finish())))
        }
        Value::List(list) if matches!(list.kind, Kind::List | Kind::Tuple) => {
            let length = list.items.len().saturating_mul(count);
            let _held = budget.hold(length.saturating_mul(size_of::<Value>()))?;
            let items = list.items.iter().cycle().take(length).cloned().collect();
            Value::list(list.kind, items, budget)
        }
        other => Err(Stop::new(format!("can't multiply '{}'", other.kind()))),
    }
}

/// Of whole numbers, where the result is one.
fn whole(operator: Operator, a: i64, b: i64) -> RunResult<Option<Value>> {
    let value = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::FloorDivide | Operator::Remainder if b == 0 => {
            return Err(Stop::new("integer division or modulo by zero"));
        }
        // Rounded down, so that the remainder has the divisor's sign.
        Operator::FloorDivide => {
            a.checked_div(b).map(|quotient| if a % b != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient })
        }
        Operator::Remainder => {
            a.checked_rem(b).map(|rest| if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
        }
        Operator::Power if b >= 0 => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        Operator::Power | Operator::Divide => return Ok(None),
    };
    value.map(|value| Some(Value::Int(value))).ok_or_else(too_large)
}

fn fraction(operator: Operator, a: f64, b: f64) -> RunResult<f64> {
    let divides = matches!(operator, Operator::Divide | Operator::FloorDivide | Operator::Remainder);
    if divides && b == 0.0 {
        return Err(Stop::new("division by zero"));
    }
    Ok(match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        Operator::FloorDivide => (a / b).floor(),
        Operator::Remainder => {
            let rest = a % b;
            if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
        }
        Operator::Power => a.powf(b),
    })
}
