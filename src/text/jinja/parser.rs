//! Statements: what stands in `{% … %}`.

use std::collections::HashMap;
use std::rc::Rc;

use super::ast::{Body, Expr, ExprKind, For, Macro, Name, Statement, StatementKind, Target, Template, Uses};
use super::lexer::{Lexeme, lex};
use super::stop::{RunResult, Stop};
use super::string::Text;
use super::symbols;

/// Statements and expressions within each other, while they are read: that takes native stack.
const MAX_NEST: usize = 60;

pub(crate) struct TemplateParser {
    tokens: Vec<(Lexeme, u32)>,
    at: usize,
    nest: usize,
    places: HashMap<Rc<str>, Name>,
    /// Of the macros around.
    uses: Vec<Uses>,
    /// Whether `break` and `continue` have a loop.
    in_loop: bool,
    template: Template,
}

pub(crate) fn parse(source: &str) -> RunResult<Template> {
    let template = Template { body: Body::default(), names: Vec::new(), macros: Vec::new(), literals: Vec::new() };
    let tokens = lex(source)?;
    let mut parser =
        TemplateParser { tokens, at: 0, nest: 0, places: HashMap::new(), uses: Vec::new(), in_loop: false, template };
    let body = parser.body(&[]).map_err(|stop| stop.at(parser.line()))?;
    let mut template = Template { body, ..parser.template };
    symbols::resolve(&mut template);
    Ok(template)
}

impl TemplateParser {
    pub fn peek(&self) -> &Lexeme {
        self.peek_at(0)
    }

    pub fn peek_at(&self, ahead: usize) -> &Lexeme {
        self.tokens.get(self.at + ahead).map_or(&Lexeme::End, |(token, _)| token)
    }

    pub fn line(&self) -> u32 {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |(_, line)| *line)
    }

    pub fn next(&mut self) -> Lexeme {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    pub fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Lexeme::Sign(found) if *found == sign)
    }

    pub fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Lexeme::Name(name) if **name == *word)
    }

    pub fn skip_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.at += usize::from(found);
        found
    }

    pub fn skip_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    pub fn expect_sign(&mut self, sign: &str) -> RunResult<()> {
        if self.skip_sign(sign) { Ok(()) } else { Err(self.unexpected(&format!("'{sign}'"))) }
    }

    pub fn expect_word(&mut self) -> RunResult<Rc<str>> {
        match self.next() {
            Lexeme::Name(name) => Ok(name),
            _ => {
                self.at -= 1;
                Err(self.unexpected("a name"))
            }
        }
    }

    pub fn back(&mut self) {
        self.at -= 1;
    }

    fn expect(&mut self, token: &Lexeme, what: &str) -> RunResult<()> {
        if self.peek() != token {
            return Err(self.unexpected(what));
        }
        self.at += 1;
        Ok(())
    }

    pub fn unexpected(&self, wanted: &str) -> Stop {
        let found = match self.peek() {
            Lexeme::Data(_) | Lexeme::BlockBegin | Lexeme::OutputBegin => "text".to_owned(),
            Lexeme::BlockEnd => "end of statement block".to_owned(),
            Lexeme::OutputEnd => "end of print statement".to_owned(),
            Lexeme::Name(name) => format!("'{name}'"),
            Lexeme::Text(text) => format!("{text:?}"),
            Lexeme::Int(value) => value.to_string(),
            Lexeme::Float(value) => value.to_string(),
            Lexeme::Sign(sign) => format!("'{sign}'"),
            Lexeme::End => "end of template".to_owned(),
        };
        Stop::new(format!("unexpected {found}, expected {wanted}")).at(self.line())
    }

    /// A level deeper.
    pub fn within<T>(&mut self, read: impl FnOnce(&mut Self) -> RunResult<T>) -> RunResult<T> {
        if self.nest == MAX_NEST {
            return Err(Stop::new(format!("it is nested more than {MAX_NEST} deep")).at(self.line()));
        }
        self.nest += 1;
        let result = read(self);
        self.nest -= 1;
        result
    }

    pub fn name(&mut self, name: &Rc<str>) -> Name {
        for uses in &mut self.uses {
            uses.varargs |= &**name == "varargs";
            uses.kwargs |= &**name == "kwargs";
            uses.caller |= &**name == "caller";
        }
        let names = &mut self.template.names;
        *self.places.entry(name.clone()).or_insert_with(|| {
            names.push(name.clone());
            names.len() - 1
        })
    }

    pub fn literal(&mut self, text: &str) -> Rc<Text> {
        let text = Text::literal(text);
        self.template.literals.push(text.clone());
        text
    }

    /// Statements up to a block that begins with one of `ends`, whose word is left standing.
    fn body(&mut self, ends: &[&str]) -> RunResult<Body> {
        let mut statements = Vec::new();
        loop {
            let line = self.line();
            let kind = match self.next() {
                Lexeme::Data(text) => StatementKind::Text(self.literal(&text)),
                Lexeme::OutputBegin => {
                    let value = self.tuple()?;
                    self.expect(&Lexeme::OutputEnd, "end of print statement")?;
                    StatementKind::Output(value)
                }
                Lexeme::BlockBegin => {
                    if ends.iter().any(|end| self.is_word(end)) {
                        return Ok(Body { statements, ..Body::default() });
                    }
                    self.within(Self::statement)?
                }
                Lexeme::End if ends.is_empty() => return Ok(Body { statements, ..Body::default() }),
                _ => {
                    self.at -= 1;
                    return Err(self.unexpected(&format!("{{% {} %}}", ends.last().unwrap_or(&"end"))));
                }
            };
            statements.push(Statement { kind, line });
        }
    }

    /// The rest of a block's beginning, and its body up to the end, whose block is read too.
    fn body_to(&mut self, end: &str) -> RunResult<Body> {
        self.expect_block_end()?;
        let body = self.body(&[end])?;
        self.at += 1;
        Ok(body)
    }

    fn expect_block_end(&mut self) -> RunResult<()> {
        self.skip_sign(":");
        self.expect(&Lexeme::BlockEnd, "end of statement block")
    }

    fn statement(&mut self) -> RunResult<StatementKind> {
        let line = self.line();
        let word = self.expect_word()?;
        let kind = match &*word {
            "if" => self.branches()?,
            "for" => self.for_loop()?,
            "set" => self.set()?,
            "with" => self.with()?,
            "macro" => self.macro_block()?,
            "call" => self.call_block()?,
            "filter" => {
                let filter = self.filters(None, true)?;
                StatementKind::FilterBlock { filter, body: self.body_to("endfilter")? }
            }
            "block" => self.block()?,
            // What marks the parts to train on means nothing here, but what is set within it stays within.
            "generation" => {
                let outer = std::mem::replace(&mut self.in_loop, false);
                let body = self.body_to("endgeneration")?;
                self.in_loop = outer;
                StatementKind::Scope { body, is_block: false, scoped: true }
            }
            "break" | "continue" if !self.in_loop => {
                return Err(Stop::new(format!("'{word}' outside of a loop")).at(line));
            }
            "break" => StatementKind::Break,
            "continue" => StatementKind::Continue,
            _ => return Err(Stop::new(format!("the tag '{word}' is not known")).at(line)),
        };
        self.expect(&Lexeme::BlockEnd, "end of statement block")?;
        Ok(kind)
    }

    fn branches(&mut self) -> RunResult<StatementKind> {
        let mut branches = Vec::new();
        let mut otherwise = Body::default();
        loop {
            let condition = self.tuple_without_choice()?;
            self.expect_block_end()?;
            branches.push((condition, self.body(&["elif", "else", "endif"])?));
            match self.next() {
                Lexeme::Name(word) if &*word == "elif" => continue,
                Lexeme::Name(word) if &*word == "else" => otherwise = self.body_to("endif")?,
                _ => {}
            }
            return Ok(StatementKind::If { branches, otherwise });
        }
    }

    fn for_loop(&mut self) -> RunResult<StatementKind> {
        let target = self.targets(false, &["in"])?;
        if !self.skip_word("in") {
            return Err(self.unexpected("'in'"));
        }
        let over = self.tuple_without_choice()?;
        let condition = if self.skip_word("if") { Some(self.expression()?) } else { None };
        let recursive = self.skip_word("recursive");
        self.expect_block_end()?;
        let outer = std::mem::replace(&mut self.in_loop, true);
        let body = self.body(&["endfor", "else"])?;
        self.in_loop = outer;
        let otherwise = match self.next() {
            Lexeme::Name(word) if &*word == "else" => self.body_to("endfor")?,
            _ => Body::default(),
        };
        Ok(StatementKind::For(Box::new(For { target, over, condition, body, otherwise, recursive })))
    }

    fn set(&mut self) -> RunResult<StatementKind> {
        let target = self.targets(true, &["="])?;
        if self.skip_sign("=") {
            return Ok(StatementKind::Set(target, self.tuple()?));
        }
        let filter = if self.is_sign("|") { Some(self.filters(None, false)?) } else { None };
        Ok(StatementKind::SetBlock { target, filter, body: self.body_to("endset")? })
    }

    fn with(&mut self) -> RunResult<StatementKind> {
        let mut assignments = Vec::new();
        while *self.peek() != Lexeme::BlockEnd {
            if !assignments.is_empty() {
                self.expect_sign(",")?;
            }
            let name = self.expect_word()?;
            let target = Target::Name(self.name(&name));
            self.expect_sign("=")?;
            assignments.push((target, self.expression()?));
        }
        Ok(StatementKind::With { assignments, body: self.body_to("endwith")? })
    }

    fn macro_block(&mut self) -> RunResult<StatementKind> {
        let word = self.expect_word()?;
        let name = self.name(&word);
        let index = self.macro_of(word, "endmacro")?;
        Ok(StatementKind::Macro { name, index })
    }

    fn call_block(&mut self) -> RunResult<StatementKind> {
        // The parameters stand before what is called.
        let parameters = if self.is_sign("(") { self.parameters()? } else { Vec::new() };
        let call = self.unary()?;
        if !matches!(call.kind, ExprKind::Call(..)) {
            return Err(Stop::new("expected call").at(call.line));
        }
        let caller = self.macro_body("caller".into(), parameters, "endcall")?;
        Ok(StatementKind::CallBlock { call, caller })
    }

    fn macro_of(&mut self, name: Rc<str>, end: &str) -> RunResult<usize> {
        let parameters = self.parameters()?;
        self.macro_body(name, parameters, end)
    }

    fn macro_body(&mut self, name: Rc<str>, parameters: Vec<(Name, Option<Expr>)>, end: &str) -> RunResult<usize> {
        self.uses.push(Uses::default());
        let outer = std::mem::replace(&mut self.in_loop, false);
        let body = self.body_to(end)?;
        self.in_loop = outer;
        let uses = self.uses.pop().unwrap_or_default();
        self.template.macros.push(Macro { name, parameters, body, uses });
        Ok(self.template.macros.len() - 1)
    }

    fn parameters(&mut self) -> RunResult<Vec<(Name, Option<Expr>)>> {
        self.expect_sign("(")?;
        let mut parameters: Vec<(Name, Option<Expr>)> = Vec::new();
        while !self.skip_sign(")") {
            if !parameters.is_empty() {
                self.expect_sign(",")?;
            }
            let word = self.expect_word()?;
            let name = self.name(&word);
            let default = if self.skip_sign("=") { Some(self.expression()?) } else { None };
            if default.is_none() && parameters.last().is_some_and(|(_, default)| default.is_some()) {
                return Err(Stop::new("non-default argument follows default argument").at(self.line()));
            }
            parameters.push((name, default));
        }
        Ok(parameters)
    }

    fn block(&mut self) -> RunResult<StatementKind> {
        let name = self.expect_word()?;
        let scoped = self.skip_word("scoped");
        self.skip_word("required");
        self.expect_block_end()?;
        let outer = std::mem::replace(&mut self.in_loop, false);
        let body = self.body(&["endblock"])?;
        self.in_loop = outer;
        self.at += 1;
        self.skip_word(&name);
        Ok(StatementKind::Scope { body, is_block: true, scoped })
    }

    /// One target, or several with commas between; `ends`: what they end at.
    fn targets(&mut self, with_namespace: bool, ends: &[&str]) -> RunResult<Target> {
        let first = self.target(with_namespace)?;
        if !self.is_sign(",") {
            return Ok(first);
        }
        let mut targets = vec![first];
        while self.skip_sign(",") {
            if ends.iter().any(|end| self.is_word(end) || self.is_sign(end)) {
                break;
            }
            targets.push(self.target(with_namespace)?);
        }
        Ok(Target::Tuple(targets))
    }

    fn target(&mut self, with_namespace: bool) -> RunResult<Target> {
        if self.skip_sign("(") {
            let inner = self.within(|parser| parser.targets(with_namespace, &[")"]))?;
            self.expect_sign(")")?;
            return Ok(inner);
        }
        let word = self.expect_word()?;
        if matches!(&*word, "true" | "false" | "none" | "True" | "False" | "None") {
            return Err(Stop::new(format!("can't assign to '{word}'")).at(self.line()));
        }
        let name = self.name(&word);
        if with_namespace && self.skip_sign(".") {
            return Ok(Target::Attribute(name, self.expect_word()?));
        }
        Ok(Target::Name(name))
    }
}
