//! Which names a scope has for itself before anything is set. As jinja2 tells from a template's text (`idtracking.py`): what
//! a scope sets without having read it before, and no scope around mentions, is undefined until then. What stands within
//! finds it undefined too, even where the conversation brings a variable of that name.

use std::collections::HashMap;

use super::ast::{Body, Expr, ExprKind, Macro, Name, Statement, StatementKind, Target, Template};

/// Fills in what each scope has unset.
pub(super) fn resolve(template: &mut Template) {
    let Template { body, names, macros, .. } = template;
    let name_of = |word: &str| names.iter().position(|name| &**name == word);
    let special = ["loop", "caller", "varargs", "kwargs"].map(name_of);
    Resolver { macros, special }.scope(body, None, &[], &[]);
}

/// What a scope begins with under a name that it mentions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// A parameter, or what it is outside.
    Something,
    Unset,
}

/// A scope's names.
struct Symbols<'a> {
    outer: Option<&'a Symbols<'a>>,
    begins: HashMap<Name, Begin>,
    /// Looks through branches, which may be taken or not: what they set begins as what it is outside.
    in_branch: bool,
}

impl Symbols<'_> {
    fn is_outside(&self, name: Name) -> bool {
        self.outer.is_some_and(|outer| outer.begins.contains_key(&name) || outer.is_outside(name))
    }

    fn given(&mut self, name: Name) {
        self.begins.insert(name, Begin::Something);
    }

    fn read(&mut self, name: Name) {
        if !self.is_outside(name) {
            self.begins.entry(name).or_insert(Begin::Something);
        }
    }

    fn set(&mut self, name: Name) {
        let begin = if self.in_branch || self.is_outside(name) { Begin::Something } else { Begin::Unset };
        self.begins.entry(name).or_insert(begin);
    }

    fn target(&mut self, target: &Target) {
        match target {
            Target::Name(name) => self.set(*name),
            Target::Tuple(targets) => targets.iter().for_each(|target| self.target(target)),
            Target::Attribute(name, _) => self.read(*name),
        }
    }

    fn expression(&mut self, expr: &Expr) {
        if let ExprKind::Name(name) = &expr.kind {
            self.read(*name);
        }
        expr.kind.parts(&mut |part| self.expression(part));
    }

    /// What a statement of the scope itself mentions, not what stands in scopes within.
    fn statement(&mut self, statement: &Statement) {
        match &statement.kind {
            StatementKind::Text(_) | StatementKind::Scope { .. } | StatementKind::Break | StatementKind::Continue => {}
            StatementKind::Output(value) => self.expression(value),
            StatementKind::If { branches, otherwise } => {
                let outer = self.in_branch;
                for (condition, then) in branches {
                    self.expression(condition);
                    self.in_branch = true;
                    self.body(then);
                }
                self.body(otherwise);
                self.in_branch = outer;
            }
            StatementKind::For(each) => self.expression(&each.over),
            StatementKind::Set(target, value) => {
                self.expression(value);
                self.target(target);
            }
            StatementKind::SetBlock { target, .. } => self.target(target),
            StatementKind::With { assignments, .. } => {
                assignments.iter().for_each(|(_, value)| self.expression(value));
            }
            StatementKind::Macro { name, .. } => self.set(*name),
            StatementKind::CallBlock { call, .. } => self.expression(call),
            StatementKind::FilterBlock { filter, .. } => self.expression(filter),
        }
    }

    fn body(&mut self, body: &Body) {
        body.statements.iter().for_each(|statement| self.statement(statement));
    }

    fn unset(&self) -> Vec<Name> {
        let unset = self.begins.iter().filter(|(_, begin)| **begin == Begin::Unset);
        let mut unset: Vec<Name> = unset.map(|(name, _)| *name).collect();
        unset.sort_unstable();
        unset
    }
}

/// The names that a target gives values to.
fn names_of(target: &Target) -> Vec<Name> {
    match target {
        Target::Name(name) => vec![*name],
        Target::Tuple(targets) => targets.iter().flat_map(names_of).collect(),
        Target::Attribute(..) => Vec::new(),
    }
}

struct Resolver<'t> {
    macros: &'t mut Vec<Macro>,
    /// `loop`, and what a macro may find beside its parameters, as far as the template has these names.
    special: [Option<Name>; 4],
}

impl Resolver<'_> {
    /// A scope and those within: the names that it is given, and what it mentions beside its body.
    fn scope(&mut self, body: &mut Body, outer: Option<&Symbols>, given: &[Name], beside: &[&Expr]) {
        let mut symbols = Symbols { outer, begins: HashMap::new(), in_branch: false };
        given.iter().for_each(|name| symbols.given(*name));
        beside.iter().for_each(|expr| symbols.expression(expr));
        symbols.body(body);
        body.unset = symbols.unset();
        self.within(body, &symbols);
    }

    fn within(&mut self, body: &mut Body, symbols: &Symbols) {
        for statement in &mut body.statements {
            match &mut statement.kind {
                StatementKind::If { branches, otherwise } => {
                    branches.iter_mut().for_each(|(_, body)| self.within(body, symbols));
                    self.within(otherwise, symbols);
                }
                StatementKind::For(each) => {
                    let given: Vec<Name> = names_of(&each.target).into_iter().chain(self.special[0]).collect();
                    self.scope(&mut each.body, Some(symbols), &given, &[]);
                    self.scope(&mut each.otherwise, Some(symbols), &[], &[]);
                }
                StatementKind::SetBlock { body, .. } => self.scope(body, Some(symbols), &[], &[]),
                StatementKind::With { assignments, body } => {
                    let given: Vec<Name> = assignments.iter().flat_map(|(target, _)| names_of(target)).collect();
                    self.scope(body, Some(symbols), &given, &[]);
                }
                StatementKind::Macro { index, .. } | StatementKind::CallBlock { caller: index, .. } => {
                    self.macro_body(*index, symbols);
                }
                // The filter stands behind the body, but in the scope around it, too: it makes no difference here.
                StatementKind::FilterBlock { body, .. } => self.scope(body, Some(symbols), &[], &[]),
                // A block sees no scope around it, but what the template has been given and has set at its top.
                StatementKind::Scope { body, is_block: true, .. } => self.scope(body, None, &[], &[]),
                StatementKind::Scope { body, .. } => self.scope(body, Some(symbols), &[], &[]),
                _ => {}
            }
        }
    }

    fn macro_body(&mut self, index: usize, outer: &Symbols) {
        let Macro { name, mut body, parameters, uses } = std::mem::take(&mut self.macros[index]);
        let names = parameters.iter().map(|(name, _)| *name).chain(self.special.into_iter().skip(1).flatten());
        let given: Vec<Name> = names.collect();
        let defaults: Vec<&Expr> = parameters.iter().filter_map(|(_, default)| default.as_ref()).collect();
        self.scope(&mut body, Some(outer), &given, &defaults);
        self.macros[index] = Macro { name, body, parameters, uses };
    }
}
