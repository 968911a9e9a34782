//! Runs a template: its statements, and the scopes of its variables.
//!
//! The native stack is bounded by `MAX_LEVEL`, time by the budget's steps, memory by its bytes. Whatever a template makes
//! lies in its renderer, and goes with it.

use std::rc::Rc;

use super::args::Args;
use super::ast::{Body, Expr, For, Name, Statement, StatementKind, Target, Template};
use super::budget::Budget;
use super::objects::{Loop, Object};
use super::stop::{RunResult, Stop};
use super::string::{Text, Writer};
use super::value::{Function, Value};
use super::write::write;
use crate::text::date::Moment;

/// Statements, expressions and calls within each other: each takes native stack, of which WebAssembly has 1 MiB.
const MAX_LEVEL: usize = 250;

pub(crate) struct Renderer<'t> {
    pub template: &'t Template,
    pub budget: Rc<Budget>,
    pub now: Option<Moment>,
    pub objects: Vec<Object<'t>>,
    scopes: Vec<Scope>,
    current: usize,
    level: usize,
    /// The name `loop`, if the template has it.
    loop_name: Option<Name>,
}

#[derive(Default)]
struct Scope {
    parent: Option<usize>,
    /// Without a value those that are not set yet.
    variables: Vec<(Name, Option<Value>)>,
    /// A block, which finds given what is not set yet at the template's top.
    is_block: bool,
    /// A macro was made here, and sees it.
    captured: bool,
}

/// The scope of what stands at the template's top; the one before has the variables that it is given.
const TOP: usize = 1;

/// How statements go on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Next,
    Break,
    Continue,
}

const FUNCTIONS: [(&str, Function); 7] = [
    ("range", Function::Range),
    ("dict", Function::Dict),
    ("namespace", Function::Namespace),
    ("cycler", Function::Cycler),
    ("joiner", Function::Joiner),
    ("raise_exception", Function::RaiseException),
    ("strftime_now", Function::StrftimeNow),
];

impl<'t> Renderer<'t> {
    /// `variables`: what the template is given; the last of a name counts.
    pub fn new(template: &'t Template, variables: &[(&str, Value)], now: Option<Moment>, budget: Rc<Budget>) -> Self {
        let mut given = Scope::default();
        for (place, name) in template.names.iter().enumerate() {
            let function = FUNCTIONS.iter().find(|(known, _)| **known == **name).map(|(_, function)| *function);
            let function = function.filter(|function| *function != Function::StrftimeNow || now.is_some());
            let variable = variables.iter().rfind(|(known, _)| **known == **name).map(|(_, value)| value.clone());
            given.variables.extend(variable.or(function.map(Value::Function)).map(|value| (place, Some(value))));
        }
        let top = Scope { parent: Some(0), ..Scope::default() };
        let loop_name = template.names.iter().position(|name| &**name == "loop");
        let (scopes, objects) = (vec![given, top], Vec::new());
        Self { template, budget, now, objects, scopes, current: TOP, level: 0, loop_name }
    }

    pub fn render(&mut self) -> RunResult<Text> {
        let mut out = Writer::new(&self.budget);
        let template = self.template;
        self.body(&template.body, &mut out)?;
        Ok(out.finish())
    }

    /// One level deeper in the native stack.
    pub fn enter(&mut self) -> RunResult<()> {
        self.level += 1;
        self.budget.pay(1)?;
        if self.level > MAX_LEVEL {
            return Err(Stop::new(format!("it is nested more than {MAX_LEVEL} deep")));
        }
        Ok(())
    }

    pub fn leave(&mut self) {
        self.level -= 1;
    }

    pub fn body(&mut self, body: &'t Body, out: &mut Writer) -> RunResult<Flow> {
        self.enter()?;
        self.budget.pay(body.unset.len() as u64)?;
        self.scopes[self.current].variables.extend(body.unset.iter().map(|name| (*name, None)));
        let mut flow = Flow::Next;
        for statement in &body.statements {
            flow = self.statement(statement, out).map_err(|stop| stop.at(statement.line))?;
            if flow != Flow::Next {
                break;
            }
        }
        self.leave();
        Ok(flow)
    }

    fn statement(&mut self, statement: &'t Statement, out: &mut Writer) -> RunResult<Flow> {
        match &statement.kind {
            StatementKind::Text(text) => out.push_text(text)?,
            StatementKind::Output(value) => {
                let value = self.eval(value)?;
                write(out, &value)?;
            }
            StatementKind::If { branches, otherwise } => {
                for (condition, body) in branches {
                    if self.eval(condition)?.is_true() {
                        return self.body(body, out);
                    }
                }
                return self.body(otherwise, out);
            }
            StatementKind::For(each) => {
                let over = self.eval(&each.over)?;
                return self.for_loop(each, &over, 0, out);
            }
            StatementKind::Set(target, value) => {
                let value = self.eval(value)?;
                self.assign(target, value)?;
            }
            StatementKind::SetBlock { target, filter, body } => return self.set_block(target, filter.as_ref(), body),
            StatementKind::With { assignments, body } => return self.with(assignments, body, out),
            StatementKind::Macro { name, index } => {
                let value = self.make_macro(*index)?;
                self.set(*name, value)?;
            }
            StatementKind::CallBlock { call, caller } => {
                let caller = self.make_macro(*caller)?;
                let value = self.call_with_caller(call, caller)?;
                write(out, &value)?;
            }
            StatementKind::FilterBlock { filter, body } => {
                let (text, flow) = self.captured(body)?;
                if flow == Flow::Next {
                    let value = self.filtered(filter, Value::Text(text))?;
                    write(out, &value)?;
                }
                return Ok(flow);
            }
            StatementKind::Scope { body, is_block, scoped } => {
                let outer = self.open_scope(if *scoped { self.current } else { TOP })?;
                self.scopes[self.current].is_block = *is_block;
                let flow = self.body(body, out)?;
                self.close_scope(outer);
                return Ok(flow);
            }
            StatementKind::Break => return Ok(Flow::Break),
            StatementKind::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    /// A body's text, in a scope of its own. Who leaves it before its end leaves the text behind.
    fn captured(&mut self, body: &'t Body) -> RunResult<(Rc<Text>, Flow)> {
        let outer = self.open_scope(self.current)?;
        let mut out = Writer::new(&self.budget);
        let flow = self.body(body, &mut out)?;
        self.close_scope(outer);
        Ok((Rc::new(out.finish()), flow))
    }

    fn set_block(&mut self, target: &'t Target, filter: Option<&'t Expr>, body: &'t Body) -> RunResult<Flow> {
        let (text, flow) = self.captured(body)?;
        if flow != Flow::Next {
            return Ok(flow);
        }
        let value = Value::Text(text);
        let value = match filter {
            Some(filter) => self.filtered(filter, value)?,
            None => value,
        };
        self.assign(target, value)?;
        Ok(Flow::Next)
    }

    fn with(&mut self, assignments: &'t [(Target, Expr)], body: &'t Body, out: &mut Writer) -> RunResult<Flow> {
        // All values are seen from outside.
        let values = assignments.iter().map(|(_, value)| self.eval(value)).collect::<RunResult<Vec<_>>>()?;
        let outer = self.open_scope(self.current)?;
        for ((target, _), value) in assignments.iter().zip(values) {
            self.assign(target, value)?;
        }
        let flow = self.body(body, out)?;
        self.close_scope(outer);
        Ok(flow)
    }

    /// `depth`: of loops that call themselves. Gives how the statements around it go on: `break` in its `else` is theirs.
    pub fn for_loop(&mut self, each: &'t For, over: &Value, depth: usize, out: &mut Writer) -> RunResult<Flow> {
        let items = self.loop_items(each, over)?;
        if !items.is_empty() && self.rounds(each, items.into(), depth, out)? {
            return Ok(Flow::Next);
        }
        let outer = self.open_scope(self.current)?;
        let flow = self.body(&each.otherwise, out)?;
        self.close_scope(outer);
        Ok(flow)
    }

    /// The body for each item; whether it came to its end once, without which there is `else`, as in jinja2.
    fn rounds(&mut self, each: &'t For, items: Rc<[Value]>, depth: usize, out: &mut Writer) -> RunResult<bool> {
        let _held = self.budget.hold(items.len() * size_of::<Value>())?;
        let place = match self.loop_name {
            Some(_) => Some(self.add(Object::Loop(Loop::new(items.clone(), depth, each)))?),
            None => None,
        };
        let mut ended = false;
        for (at, item) in items.iter().enumerate() {
            let outer = self.open_scope(self.current)?;
            if let (Some(name), Some(place)) = (self.loop_name, place) {
                if let Object::Loop(state) = &mut self.objects[place] {
                    state.at = at;
                }
                self.set(name, Value::Object(place))?;
            }
            self.assign(&each.target, item.clone())?;
            let flow = self.body(&each.body, out)?;
            self.close_scope(outer);
            ended |= flow == Flow::Next;
            if flow == Flow::Break {
                break;
            }
        }
        if let Some(Object::Loop(state)) = place.map(|place| &mut self.objects[place]) {
            state.end();
        }
        Ok(ended)
    }

    /// Those that its condition lets through.
    fn loop_items(&mut self, each: &'t For, over: &Value) -> RunResult<Vec<Value>> {
        let items = over.items(&self.budget)?;
        let Some(condition) = &each.condition else { return Ok(items) };
        let mut kept = Vec::new();
        for item in items {
            let outer = self.open_scope(self.current)?;
            self.assign(&each.target, item.clone())?;
            if self.eval(condition)?.is_true() {
                kept.push(item);
            }
            self.close_scope(outer);
        }
        Ok(kept)
    }

    fn assign(&mut self, target: &'t Target, value: Value) -> RunResult<()> {
        match target {
            Target::Name(name) => self.set(*name, value),
            Target::Tuple(targets) => {
                let values = value.items(&self.budget)?;
                let (wanted, found) = (targets.len(), values.len());
                if wanted != found {
                    return Err(Stop::new(format!("{found} values for {wanted} names")));
                }
                targets.iter().zip(values).try_for_each(|(target, value)| self.assign(target, value))
            }
            Target::Attribute(name, field) => match self.lookup(*name) {
                Value::Object(place) => self.set_field(place, field, value),
                _ => Err(Stop::new("cannot assign attribute on non-namespace object")),
            },
        }
    }

    pub fn set(&mut self, name: Name, value: Value) -> RunResult<()> {
        let variables = &mut self.scopes[self.current].variables;
        match variables.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = Some(value),
            None => variables.push((name, Some(value))),
        }
        Ok(())
    }

    pub fn lookup(&self, name: Name) -> Value {
        let (mut at, mut in_block) = (Some(self.current), false);
        while let Some(place) = at {
            let scope = &self.scopes[place];
            in_block |= scope.is_block;
            match scope.variables.iter().find(|(known, _)| *known == name) {
                Some((_, Some(value))) => return value.clone(),
                Some((_, None)) if !(in_block && place == TOP) => break,
                _ => at = scope.parent,
            }
        }
        Value::Undefined(format!("'{}' is undefined", self.template.names[name]).into())
    }

    /// What a name stands for where it is read. Of what jinja2 has beside ours, nothing is said to be undefined.
    pub fn named(&self, name: Name) -> RunResult<Value> {
        let value = self.lookup(name);
        let known = &*self.template.names[name];
        if matches!(value, Value::Undefined(_)) && ["self", "lipsum"].contains(&known) {
            return Err(Stop::new(format!("{known:?} is not supported")));
        }
        Ok(value)
    }

    /// Goes into a new scope within `parent`; gives the one to go back to.
    pub fn open_scope(&mut self, parent: usize) -> RunResult<usize> {
        self.budget.pay(1)?;
        self.scopes.push(Scope { parent: Some(parent), ..Scope::default() });
        Ok(std::mem::replace(&mut self.current, self.scopes.len() - 1))
    }

    /// Scopes that a macro sees stay, and so do those before them.
    pub fn close_scope(&mut self, outer: usize) {
        self.current = outer;
        while self.scopes.len() > outer.max(TOP) + 1 && self.scopes.last().is_some_and(|scope| !scope.captured) {
            self.scopes.pop();
        }
    }

    fn make_macro(&mut self, index: usize) -> RunResult<Value> {
        let mut at = Some(self.current);
        while let Some(place) = at.filter(|place| *place > TOP && !self.scopes[*place].captured) {
            self.scopes[place].captured = true;
            at = self.scopes[place].parent;
        }
        self.add(Object::Macro { index, scope: self.current }).map(Value::Object)
    }

    /// Keeps an object for the rest of the rendering.
    pub fn add(&mut self, object: Object<'t>) -> RunResult<usize> {
        if self.objects.len() >= MAX_OBJECTS {
            return Err(Stop::new(format!("it makes more than {MAX_OBJECTS} loops, macros and namespaces")));
        }
        self.budget.pay(4)?;
        self.objects.push(object);
        Ok(self.objects.len() - 1)
    }

    /// Calls a macro of the template's.
    pub fn call_macro(&mut self, index: usize, scope: usize, args: Args) -> RunResult<Value> {
        self.enter()?;
        let template = self.template;
        let definition = &template.macros[index];
        let outer = self.open_scope(scope)?;
        self.bind(definition, args)?;
        let mut out = Writer::new(&self.budget);
        self.body(&definition.body, &mut out)?;
        self.close_scope(outer);
        self.leave();
        Ok(Value::Text(Rc::new(out.finish())))
    }
}

/// Loops, macros, namespaces: some 100 bytes each.
const MAX_OBJECTS: usize = 500_000;
