//! What objects and functions of templates do when they are called, and what objects have.

use std::rc::Rc;

use super::args::{Args, needed};
use super::ast::Macro;
use super::objects::Object;
use super::render::{Flow, Renderer};
use super::stop::{RunResult, Stop};
use super::string::{Text, Writer};
use super::value::{Function, Kind, Value};
use crate::text::date;

impl<'t> Renderer<'t> {
    /// An object's attribute. Methods come back as such.
    pub fn object_field(&self, place: usize, name: &Rc<str>) -> Value {
        let method = || Value::Method(Rc::new(super::value::Method { of: Value::Object(place), name: name.clone() }));
        let found = match &self.objects[place] {
            Object::Namespace(fields) => fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()),
            Object::Loop(state) => state.field(name).or_else(|| matches!(&**name, "cycle" | "changed").then(method)),
            Object::Cycler { items, at } => match &**name {
                "current" => items.get(*at).cloned(),
                "next" | "reset" => Some(method()),
                _ => None,
            },
            Object::Macro { index, .. } if &**name == "name" => {
                Some(Value::Text(Text::literal(&self.template.macros[*index].name)))
            }
            Object::Joiner { .. } | Object::Macro { .. } => None,
        };
        found.unwrap_or_else(|| Value::Undefined(format!("there is no attribute '{name}'").into()))
    }

    pub fn set_field(&mut self, place: usize, name: &Rc<str>, value: Value) -> RunResult<()> {
        let Object::Namespace(fields) = &mut self.objects[place] else {
            return Err(Stop::new("cannot assign attribute on non-namespace object"));
        };
        if name.starts_with('_') {
            return Err(Stop::new(format!("a namespace takes no attribute '{name}', which begins with _")));
        }
        match fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => fields.push((name.clone(), value)),
        }
        Ok(())
    }

    pub fn call_object(&mut self, place: usize, args: Args) -> RunResult<Value> {
        match &mut self.objects[place] {
            Object::Macro { index, scope } => {
                let (index, scope) = (*index, *scope);
                self.call_macro(index, scope, args)
            }
            Object::Joiner { separator, used } => {
                args.take::<0>("joiner", [])?;
                let first = !std::mem::replace(used, true);
                Ok(if first { Value::Text(Text::literal("")) } else { separator.clone() })
            }
            Object::Loop(state) if state.each.recursive => {
                let (each, depth) = (state.each, state.depth + 1);
                let [over] = args.take("loop", ["iterable"])?;
                let over = needed(over, "loop", "iterable")?;
                self.enter()?;
                let mut out = Writer::new(&self.budget);
                if self.for_loop(each, &over, depth, &mut out)? != Flow::Next {
                    return Err(Stop::new("'break' or 'continue' outside of a loop"));
                }
                self.leave();
                Ok(Value::Text(Rc::new(out.finish())))
            }
            Object::Loop(_) => Err(Stop::new("loop() is for loops that are marked recursive")),
            _ => Err(Stop::new("the object is not callable")),
        }
    }

    pub fn call_object_method(&mut self, place: usize, name: &str, args: Args) -> RunResult<Value> {
        let budget = self.budget.clone();
        match (&mut self.objects[place], name) {
            (Object::Loop(state), "cycle") => {
                let items = args.unnamed("cycle")?;
                let count = items.len();
                let at = state.at.checked_rem(count).ok_or_else(|| Stop::new("no items for cycling given"))?;
                Ok(items[at].clone())
            }
            (Object::Loop(state), "changed") => {
                let values = args.unnamed("changed")?;
                let mut same = state.changed.as_ref().is_some_and(|before| before.len() == values.len());
                for (before, value) in state.changed.iter().flatten().zip(&values) {
                    same = same && before.equals(value, &budget)?;
                }
                state.changed = Some(values);
                Ok(Value::Bool(!same))
            }
            (Object::Cycler { items, at }, "next") => {
                let item = items[*at].clone();
                *at = (*at + 1) % items.len();
                Ok(item)
            }
            (Object::Cycler { at, .. }, _) => {
                *at = 0;
                Ok(Value::None)
            }
            _ => Err(Stop::new(format!("the method '{name}' is not known"))),
        }
    }

    pub fn call_function(&mut self, function: Function, args: Args) -> RunResult<Value> {
        match function {
            Function::Range => self.range(args),
            Function::Dict => {
                let entries = self.entries(args)?;
                Value::map(entries, &self.budget)
            }
            Function::Namespace => {
                let entries = self.entries(args)?;
                let place = self.add(Object::Namespace(Vec::new()))?;
                for (name, value) in entries {
                    let name: Rc<str> = name.expect_text("a namespace's attribute")?.as_str().into();
                    self.set_field(place, &name, value)?;
                }
                Ok(Value::Object(place))
            }
            Function::Cycler => {
                let items = args.unnamed("cycler")?;
                if items.is_empty() {
                    return Err(Stop::new("at least one item has to be provided"));
                }
                self.add(Object::Cycler { items, at: 0 }).map(Value::Object)
            }
            Function::Joiner => {
                let [separator] = args.take("joiner", ["sep"])?;
                let separator = separator.unwrap_or_else(|| Value::Text(Text::literal(", ")));
                self.add(Object::Joiner { separator, used: false }).map(Value::Object)
            }
            Function::RaiseException => {
                let [message] = args.take("raise_exception", ["message"])?;
                let message = needed(message, "raise_exception", "message")?;
                Err(Stop::raised(super::write::text_of(&message, &self.budget)?.as_str().to_owned()))
            }
            Function::StrftimeNow => {
                let [format] = args.take("strftime_now", ["format"])?;
                let format = needed(format, "strftime_now", "format")?;
                let now = self.now.ok_or_else(|| Stop::new("there is no clock"))?;
                let text = date::format(now, format.expect_text("the format")?.as_str());
                Value::text(&text?, &self.budget)
            }
        }
    }

    /// What `dict` and `namespace` are made of.
    fn entries(&mut self, mut args: Args) -> RunResult<Vec<(Value, Value)>> {
        let mut entries = Vec::new();
        if args.positional.len() > 1 {
            return Err(Stop::new(format!("expected at most 1 argument, got {}", args.positional.len())));
        }
        match args.positional.pop() {
            Some(Value::Map(map)) => entries.extend(map.entries.iter().cloned()),
            Some(pairs) => {
                for pair in pairs.items(&self.budget)? {
                    match &pair.items(&self.budget)?[..] {
                        [key, value] => entries.push((key.clone(), value.clone())),
                        other => return Err(Stop::new(format!("an entry has {} values, not 2", other.len()))),
                    }
                }
            }
            None => {}
        }
        for (name, value) in args.named {
            entries.push((Value::text(&name, &self.budget)?, value));
        }
        Ok(entries)
    }

    fn range(&mut self, args: Args) -> RunResult<Value> {
        /// As many as Jinja's sandbox lets through.
        const MOST: i128 = 100_000;
        let numbers = args.unnamed("range")?;
        let numbers = numbers.iter().map(|number| number.expect_int("range()")).collect::<RunResult<Vec<_>>>()?;
        let (start, end, step) = match numbers[..] {
            [end] => (0, end, 1),
            [start, end] => (start, end, 1),
            [start, end, step] => (start, end, step),
            _ => return Err(Stop::new(format!("range expected 1 to 3 arguments, got {}", numbers.len()))),
        };
        if step == 0 {
            return Err(Stop::new("range() arg 3 must not be zero"));
        }
        let span = i128::from(end) - i128::from(start);
        let step = i128::from(step);
        let count = ((span + step - step.signum()) / step).max(0);
        if count > MOST {
            return Err(Stop::new(format!("range too big: {count}, where {MOST} are the most")));
        }
        let items = (0..count).map(|at| Value::Int((i128::from(start) + at * step) as i64)).collect();
        Value::list(Kind::Range, items, &self.budget)
    }

    /// Gives a macro's parameters their values, in the scope that is open.
    pub fn bind(&mut self, definition: &'t Macro, args: Args) -> RunResult<()> {
        let Args { positional, mut named } = args;
        let mut positional = positional.into_iter();
        for (name, default) in &definition.parameters {
            let word = &self.template.names[*name];
            let by_name = named.iter().position(|(known, _)| known == word).map(|at| named.remove(at).1);
            let value = match (positional.next(), by_name) {
                (Some(_), Some(_)) => {
                    let message = format!("macro '{}' got multiple values for argument '{word}'", definition.name);
                    return Err(Stop::new(message));
                }
                (Some(value), None) | (None, Some(value)) => value,
                (None, None) => match default {
                    Some(default) => self.eval(default)?,
                    None => Value::Undefined(format!("parameter '{word}' was not provided").into()),
                },
            };
            self.set(*name, value)?;
        }
        self.bind_rest(definition, positional.collect(), named)
    }

    fn bind_rest(
        &mut self,
        definition: &'t Macro,
        rest: Vec<Value>,
        mut named: Vec<(Rc<str>, Value)>,
    ) -> RunResult<()> {
        let place = |word: &str| self.template.names.iter().position(|name| &**name == word);
        let (caller, varargs, kwargs) = (place("caller"), place("varargs"), place("kwargs"));
        let (uses, name) = (definition.uses, &definition.name);
        if let Some(place) = caller.filter(|_| uses.caller) {
            let given = named.iter().position(|(known, _)| &**known == "caller").map(|at| named.remove(at).1);
            self.set(place, given.unwrap_or_else(|| Value::Undefined("no caller defined".into())))?;
        }
        if let Some(place) = varargs.filter(|_| uses.varargs) {
            let list = Value::list(Kind::Tuple, rest, &self.budget)?;
            self.set(place, list)?;
        } else if !rest.is_empty() {
            let most = definition.parameters.len();
            return Err(Stop::new(format!("macro '{name}' takes not more than {most} argument(s)")));
        }
        if let Some(place) = kwargs.filter(|_| uses.kwargs) {
            let entries = named.into_iter().map(|(name, value)| Ok((Value::text(&name, &self.budget)?, value)));
            let entries = entries.collect::<RunResult<Vec<_>>>()?;
            let map = Value::map(entries, &self.budget)?;
            self.set(place, map)?;
        } else if let Some((word, _)) = named.first() {
            return Err(Stop::new(format!("macro '{name}' takes no keyword argument '{word}'")));
        }
        Ok(())
    }
}
