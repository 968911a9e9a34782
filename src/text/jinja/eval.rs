//! Expressions, as Python evaluates them.

use std::cmp::Ordering;
use std::rc::Rc;

use super::args::Args;
use super::arithmetic;
use super::ast::{Arguments, Comparison, Expr, ExprKind};
use super::render::Renderer;
use super::stop::{RunResult, Stop};
use super::string::Writer;
use super::value::{Kind, Value};
use super::write::write;

impl<'t> Renderer<'t> {
    pub fn eval(&mut self, expr: &'t Expr) -> RunResult<Value> {
        self.enter()?;
        let value = self.eval_kind(&expr.kind).map_err(|stop| stop.at(expr.line))?;
        self.leave();
        Ok(value)
    }

    fn eval_kind(&mut self, kind: &'t ExprKind) -> RunResult<Value> {
        Ok(match kind {
            ExprKind::None => Value::None,
            ExprKind::Bool(value) => Value::Bool(*value),
            ExprKind::Int(value) => Value::Int(*value),
            ExprKind::Float(value) => Value::Float(*value),
            ExprKind::Text(text) => Value::Text(text.clone()),
            ExprKind::Name(name) => self.named(*name)?,
            ExprKind::List(items) => self.eval_list(Kind::List, items)?,
            ExprKind::Tuple(items) => self.eval_list(Kind::Tuple, items)?,
            ExprKind::Map(entries) => self.eval_map(entries)?,
            ExprKind::Attribute(of, name) => {
                let of = self.eval(of)?;
                self.attribute(&of, name)?
            }
            ExprKind::Item(of, key) => {
                let of = self.eval(of)?;
                let key = self.eval(key)?;
                self.item(&of, &key)?
            }
            ExprKind::Slice(of, places) => self.eval_slice(of, places)?,
            ExprKind::Call(of, arguments) => self.eval_call(of, arguments, None)?,
            ExprKind::Filter(of, name, arguments) => {
                let Some(of) = of else { return Err(Stop::new("a filter without a value")) };
                let of = self.eval(of)?;
                let args = self.eval_args(arguments)?;
                self.filter(name, of, args)?
            }
            ExprKind::Test(of, name, arguments) => {
                let of = self.eval(of)?;
                let args = self.eval_args(arguments)?;
                Value::Bool(self.test(name, &of, args)?)
            }
            ExprKind::Not(of) => Value::Bool(!self.eval(of)?.is_true()),
            ExprKind::Negative(of) => arithmetic::negative(&self.eval(of)?)?,
            ExprKind::Positive(of) => arithmetic::positive(&self.eval(of)?)?,
            ExprKind::And(left, right) => {
                let left = self.eval(left)?;
                if left.is_true() { self.eval(right)? } else { left }
            }
            ExprKind::Or(left, right) => {
                let left = self.eval(left)?;
                if left.is_true() { left } else { self.eval(right)? }
            }
            ExprKind::Compare(first, others) => self.eval_comparison(first, others)?,
            ExprKind::Concat(parts) => self.eval_concat(parts)?,
            ExprKind::Binary(operator, left, right) => {
                let left = self.eval(left)?;
                let right = self.eval(right)?;
                arithmetic::binary(*operator, &left, &right, &self.budget)?
            }
            ExprKind::Choice { condition, then, otherwise } => {
                self.eval_choice(condition, then, otherwise.as_deref())?
            }
        })
    }

    fn eval_list(&mut self, kind: Kind, items: &'t [Expr]) -> RunResult<Value> {
        let items = items.iter().map(|item| self.eval(item)).collect::<RunResult<Vec<_>>>()?;
        Value::list(kind, items, &self.budget)
    }

    fn eval_map(&mut self, entries: &'t [(Expr, Expr)]) -> RunResult<Value> {
        let entries = entries.iter().map(|(key, value)| Ok((self.eval(key)?, self.eval(value)?)));
        let entries = entries.collect::<RunResult<Vec<_>>>()?;
        Value::map(entries, &self.budget)
    }

    fn eval_slice(&mut self, of: &'t Expr, places: &'t [Option<Box<Expr>>; 3]) -> RunResult<Value> {
        let of = self.eval(of)?;
        let mut numbers = [None; 3];
        for (number, place) in numbers.iter_mut().zip(places) {
            let Some(place) = place else { continue };
            match self.eval(place)? {
                Value::None => {}
                place => *number = Some(place.expect_int("slice indices")?),
            }
        }
        self.slice(&of, numbers)
    }

    fn eval_comparison(&mut self, first: &'t Expr, others: &'t [(Comparison, Expr)]) -> RunResult<Value> {
        let mut left = self.eval(first)?;
        for (comparison, right) in others {
            let right = self.eval(right)?;
            if !self.holds(*comparison, &left, &right)? {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    pub fn holds(&self, comparison: Comparison, left: &Value, right: &Value) -> RunResult<bool> {
        let budget = &self.budget;
        let order = |sign| left.compare(right, sign, budget);
        Ok(match comparison {
            Comparison::Equal => left.equals(right, budget)?,
            Comparison::NotEqual => !left.equals(right, budget)?,
            Comparison::Less => order("<")? == Some(Ordering::Less),
            Comparison::LessOrEqual => matches!(order("<=")?, Some(Ordering::Less | Ordering::Equal)),
            Comparison::Greater => order(">")? == Some(Ordering::Greater),
            Comparison::GreaterOrEqual => matches!(order(">=")?, Some(Ordering::Greater | Ordering::Equal)),
            Comparison::In => right.contains(left, budget)?,
            Comparison::NotIn => !right.contains(left, budget)?,
        })
    }

    fn eval_concat(&mut self, parts: &'t [Expr]) -> RunResult<Value> {
        let mut out = Writer::new(&self.budget);
        for part in parts {
            let part = self.eval(part)?;
            write(&mut out, &part)?;
        }
        Ok(Value::Text(Rc::new(out.finish())))
    }

    fn eval_choice(&mut self, condition: &'t Expr, then: &'t Expr, otherwise: Option<&'t Expr>) -> RunResult<Value> {
        if self.eval(condition)?.is_true() {
            return self.eval(then);
        }
        match otherwise {
            Some(otherwise) => self.eval(otherwise),
            None => Ok(Value::Undefined(
                "the inline if-expression evaluated to false and no else section was defined.".into(),
            )),
        }
    }

    fn eval_args(&mut self, arguments: &'t Arguments) -> RunResult<Args> {
        let mut args = Args::default();
        for value in &arguments.positional {
            args.positional.push(self.eval(value)?);
        }
        for (name, value) in &arguments.named {
            args.named.push((name.clone(), self.eval(value)?));
        }
        if let Some(rest) = &arguments.rest {
            args.positional.extend(self.eval(rest)?.items(&self.budget)?);
        }
        if let Some(rest) = &arguments.named_rest {
            let Value::Map(map) = self.eval(rest)? else {
                return Err(Stop::new("argument after ** must be a mapping"));
            };
            for (key, value) in &map.entries {
                args.named.push((key.expect_text("keywords")?.as_str().into(), value.clone()));
            }
        }
        Ok(args)
    }

    fn eval_call(&mut self, of: &'t Expr, arguments: &'t Arguments, caller: Option<Value>) -> RunResult<Value> {
        let callee = self.eval(of)?;
        let mut args = self.eval_args(arguments)?;
        args.named.extend(caller.map(|caller| ("caller".into(), caller)));
        self.call(callee, args)
    }

    /// What `{% call %}` calls.
    pub fn call_with_caller(&mut self, call: &'t Expr, caller: Value) -> RunResult<Value> {
        match &call.kind {
            ExprKind::Call(of, arguments) => self.eval_call(of, arguments, Some(caller)),
            _ => Err(Stop::new("expected call")),
        }
    }

    pub fn call(&mut self, callee: Value, args: Args) -> RunResult<Value> {
        match callee {
            Value::Function(function) => self.call_function(function, args),
            Value::Method(method) => match method.of {
                Value::Object(place) => self.call_object_method(place, &method.name, args),
                _ => self.call_method(&method.of, &method.name, args),
            },
            Value::Object(place) => self.call_object(place, args),
            Value::Undefined(why) => Err(Stop::new(&*why)),
            other => Err(Stop::new(format!("'{}' object is not callable", other.kind()))),
        }
    }

    /// The filters of a block, around its text.
    pub fn filtered(&mut self, filter: &'t Expr, text: Value) -> RunResult<Value> {
        let ExprKind::Filter(of, name, arguments) = &filter.kind else { return Err(Stop::new("expected filter")) };
        self.enter()?;
        let value = match of {
            Some(of) => self.filtered(of, text)?,
            None => text,
        };
        let args = self.eval_args(arguments)?;
        let value = self.filter(name, value, args)?;
        self.leave();
        Ok(value)
    }
}
