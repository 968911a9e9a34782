//! Expressions, in Jinja's order of precedence.

use std::rc::Rc;

use super::ast::{Arguments, Comparison, Expr, ExprKind, Operator};
use super::lexer::Lexeme;
use super::parser::TemplateParser;
use super::stop::{RunResult, Stop};

impl TemplateParser {
    /// Any expression, also `a if b else c`.
    pub fn expression(&mut self) -> RunResult<Expr> {
        self.within(|parser| {
            let mut then = parser.either()?;
            loop {
                let line = parser.line();
                if !parser.skip_word("if") {
                    return Ok(then);
                }
                let condition = Box::new(parser.either()?);
                let otherwise = if parser.skip_word("else") { Some(Box::new(parser.expression()?)) } else { None };
                then = Expr::new(ExprKind::Choice { condition, then: Box::new(then), otherwise }, line)?;
            }
        })
    }

    /// Several with commas between are a tuple.
    pub fn tuple(&mut self) -> RunResult<Expr> {
        self.tuple_of(Self::expression)
    }

    /// What a loop goes over: an `if` behind it is the loop's.
    pub fn tuple_without_choice(&mut self) -> RunResult<Expr> {
        self.tuple_of(Self::either)
    }

    fn tuple_of(&mut self, mut read: impl FnMut(&mut Self) -> RunResult<Expr>) -> RunResult<Expr> {
        let line = self.line();
        let first = read(self)?;
        if !self.is_sign(",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.skip_sign(",") {
            let ends = matches!(self.peek(), Lexeme::BlockEnd | Lexeme::OutputEnd) || self.is_sign(")");
            if ends || self.is_word("if") || self.is_word("recursive") {
                break;
            }
            items.push(read(self)?);
        }
        Expr::new(ExprKind::Tuple(items), line)
    }

    fn either(&mut self) -> RunResult<Expr> {
        self.joined("or", Self::both, ExprKind::Or)
    }

    fn both(&mut self) -> RunResult<Expr> {
        self.joined("and", Self::negation, ExprKind::And)
    }

    /// What `read` reads, once or more often with a word between, the first two first.
    fn joined(
        &mut self,
        word: &str,
        read: fn(&mut Self) -> RunResult<Expr>,
        kind: fn(Box<Expr>, Box<Expr>) -> ExprKind,
    ) -> RunResult<Expr> {
        let mut left = read(self)?;
        loop {
            let line = self.line();
            if !self.skip_word(word) {
                return Ok(left);
            }
            left = Expr::new(kind(Box::new(left), Box::new(read(self)?)), line)?;
        }
    }

    fn negation(&mut self) -> RunResult<Expr> {
        let line = self.line();
        if !self.skip_word("not") {
            return self.comparison();
        }
        let inner = self.within(Self::negation)?;
        Expr::new(ExprKind::Not(Box::new(inner)), line)
    }

    fn comparison(&mut self) -> RunResult<Expr> {
        let line = self.line();
        let first = self.sum()?;
        let mut others = Vec::new();
        loop {
            let sign = match self.peek() {
                Lexeme::Sign("==") => Comparison::Equal,
                Lexeme::Sign("!=") => Comparison::NotEqual,
                Lexeme::Sign("<") => Comparison::Less,
                Lexeme::Sign("<=") => Comparison::LessOrEqual,
                Lexeme::Sign(">") => Comparison::Greater,
                Lexeme::Sign(">=") => Comparison::GreaterOrEqual,
                Lexeme::Name(word) if &**word == "in" => Comparison::In,
                Lexeme::Name(word) if &**word == "not" => {
                    if !matches!(self.peek_at(1), Lexeme::Name(word) if &**word == "in") {
                        break;
                    }
                    self.next();
                    Comparison::NotIn
                }
                _ => break,
            };
            self.next();
            others.push((sign, self.sum()?));
        }
        if others.is_empty() {
            return Ok(first);
        }
        Expr::new(ExprKind::Compare(Box::new(first), others), line)
    }

    fn binary(&mut self, signs: &[(&str, Operator)], part: fn(&mut Self) -> RunResult<Expr>) -> RunResult<Expr> {
        let mut left = part(self)?;
        loop {
            let line = self.line();
            let Some(&(_, operator)) = signs.iter().find(|(sign, _)| self.is_sign(sign)) else { return Ok(left) };
            self.next();
            left = Expr::new(ExprKind::Binary(operator, Box::new(left), Box::new(part(self)?)), line)?;
        }
    }

    fn sum(&mut self) -> RunResult<Expr> {
        self.binary(&[("+", Operator::Add), ("-", Operator::Subtract)], Self::concat)
    }

    fn concat(&mut self) -> RunResult<Expr> {
        let line = self.line();
        let first = self.product()?;
        if !self.is_sign("~") {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.skip_sign("~") {
            parts.push(self.product()?);
        }
        Expr::new(ExprKind::Concat(parts), line)
    }

    fn product(&mut self) -> RunResult<Expr> {
        let signs = [
            ("*", Operator::Multiply),
            ("/", Operator::Divide),
            ("//", Operator::FloorDivide),
            ("%", Operator::Remainder),
        ];
        self.binary(&signs, Self::power)
    }

    fn power(&mut self) -> RunResult<Expr> {
        self.binary(&[("**", Operator::Power)], Self::unary)
    }

    pub fn unary(&mut self) -> RunResult<Expr> {
        let signed = self.signed()?;
        self.filters(Some(signed), false)
    }

    /// A sign binds closer than a filter.
    fn signed(&mut self) -> RunResult<Expr> {
        let line = self.line();
        let kind = if self.skip_sign("-") {
            ExprKind::Negative(Box::new(self.within(Self::signed)?))
        } else if self.skip_sign("+") {
            ExprKind::Positive(Box::new(self.within(Self::signed)?))
        } else {
            let primary = self.primary()?;
            return self.postfix(primary);
        };
        let signed = Expr::new(kind, line)?;
        self.postfix(signed)
    }

    fn primary(&mut self) -> RunResult<Expr> {
        let line = self.line();
        let kind = match self.next() {
            Lexeme::Name(word) => match &*word {
                "true" | "True" => ExprKind::Bool(true),
                "false" | "False" => ExprKind::Bool(false),
                "none" | "None" => ExprKind::None,
                _ => ExprKind::Name(self.name(&word)),
            },
            Lexeme::Text(text) => {
                let mut text = text.to_string();
                while let Lexeme::Text(more) = self.peek() {
                    text.push_str(more);
                    self.next();
                }
                ExprKind::Text(self.literal(&text))
            }
            Lexeme::Int(value) => ExprKind::Int(value),
            Lexeme::Float(value) => ExprKind::Float(value),
            Lexeme::Sign("(") => {
                if self.skip_sign(")") {
                    return Expr::new(ExprKind::Tuple(Vec::new()), line);
                }
                let inner = self.tuple()?;
                self.expect_sign(")")?;
                return Ok(inner);
            }
            Lexeme::Sign("[") => ExprKind::List(self.listed("]", Self::expression)?),
            Lexeme::Sign("{") => ExprKind::Map(self.listed("}", |parser| {
                let key = parser.expression()?;
                parser.expect_sign(":")?;
                Ok((key, parser.expression()?))
            })?),
            _ => {
                self.back();
                return Err(self.unexpected("an expression"));
            }
        };
        Expr::new(kind, line)
    }

    /// What stands between commas up to `close`, before which one more may stand.
    fn listed<T>(&mut self, close: &str, mut read: impl FnMut(&mut Self) -> RunResult<T>) -> RunResult<Vec<T>> {
        let mut items = Vec::new();
        while !self.skip_sign(close) {
            if !items.is_empty() {
                self.expect_sign(",")?;
                if self.skip_sign(close) {
                    break;
                }
            }
            items.push(read(self)?);
        }
        Ok(items)
    }

    fn postfix(&mut self, mut of: Expr) -> RunResult<Expr> {
        loop {
            let line = self.line();
            let kind = match self.peek() {
                Lexeme::Sign(".") => {
                    self.next();
                    match self.next() {
                        Lexeme::Name(name) => ExprKind::Attribute(Box::new(of), name),
                        Lexeme::Int(place) => {
                            ExprKind::Item(Box::new(of), Box::new(Expr::new(ExprKind::Int(place), line)?))
                        }
                        _ => {
                            self.back();
                            return Err(self.unexpected("a name or a number"));
                        }
                    }
                }
                Lexeme::Sign("[") => {
                    self.next();
                    self.subscript(of)?
                }
                Lexeme::Sign("(") => ExprKind::Call(Box::new(of), self.arguments()?),
                _ => return Ok(of),
            };
            of = Expr::new(kind, line)?;
        }
    }

    fn subscript(&mut self, of: Expr) -> RunResult<ExprKind> {
        let line = self.line();
        let first = if self.is_sign(":") { None } else { Some(self.expression()?) };
        if !self.is_sign(":") {
            let Some(first) = first else { return Err(self.unexpected("a place")) };
            let mut places = vec![first];
            while self.skip_sign(",") {
                places.push(self.expression()?);
            }
            self.expect_sign("]")?;
            let place = match places.len() {
                1 => places.remove(0),
                _ => Expr::new(ExprKind::Tuple(places), line)?,
            };
            return Ok(ExprKind::Item(Box::new(of), Box::new(place)));
        }
        let mut places = [first.map(Box::new), None, None];
        for place in &mut places[1..] {
            if !self.skip_sign(":") {
                break;
            }
            if !self.is_sign(":") && !self.is_sign("]") {
                *place = Some(Box::new(self.expression()?));
            }
        }
        self.expect_sign("]")?;
        Ok(ExprKind::Slice(Box::new(of), places))
    }

    pub fn arguments(&mut self) -> RunResult<Arguments> {
        self.expect_sign("(")?;
        let mut arguments = Arguments::default();
        let mut first = true;
        while !self.skip_sign(")") {
            if !first {
                self.expect_sign(",")?;
                if self.skip_sign(")") {
                    break;
                }
            }
            first = false;
            let misplaced = Stop::new("invalid syntax for function call expression").at(self.line());
            let late = arguments.named_rest.is_some();
            if self.skip_sign("**") && !late {
                arguments.named_rest = Some(Box::new(self.expression()?));
            } else if self.skip_sign("*") && !late && arguments.rest.is_none() {
                arguments.rest = Some(Box::new(self.expression()?));
            } else if matches!((self.peek(), self.peek_at(1)), (Lexeme::Name(_), Lexeme::Sign("="))) && !late {
                let name = self.expect_word()?;
                self.next();
                arguments.named.push((name, self.expression()?));
            } else if arguments.named.is_empty() && arguments.rest.is_none() && !late {
                arguments.positional.push(self.expression()?);
            } else {
                return Err(misplaced);
            }
        }
        Ok(arguments)
    }

    /// The filters, tests and calls behind a value; without one the filters of a block, where the first may stand without its
    /// bar.
    pub fn filters(&mut self, mut of: Option<Expr>, bare: bool) -> RunResult<Expr> {
        let mut first = bare;
        loop {
            let line = self.line();
            let kind = if first || self.is_sign("|") {
                if !first {
                    self.next();
                }
                let name = self.dotted()?;
                let arguments = if self.is_sign("(") { self.arguments()? } else { Arguments::default() };
                ExprKind::Filter(of.take().map(Box::new), name, arguments)
            } else if self.is_word("is") && of.is_some() {
                self.next();
                let negated = self.skip_word("not");
                let name = self.dotted()?;
                let arguments = self.test_arguments()?;
                let Some(value) = of.take() else { return Err(self.unexpected("a value")) };
                let test = ExprKind::Test(Box::new(value), name, arguments);
                if negated { ExprKind::Not(Box::new(Expr::new(test, line)?)) } else { test }
            } else if self.is_sign("(") && of.is_some() {
                let Some(value) = of.take() else { return Err(self.unexpected("a value")) };
                ExprKind::Call(Box::new(value), self.arguments()?)
            } else {
                return of.ok_or_else(|| self.unexpected("a filter"));
            };
            of = Some(Expr::new(kind, line)?);
            first = false;
        }
    }

    fn dotted(&mut self) -> RunResult<Rc<str>> {
        let mut name = self.expect_word()?;
        while self.skip_sign(".") {
            name = format!("{name}.{}", self.expect_word()?).into();
        }
        Ok(name)
    }

    /// A test may take one argument without brackets.
    fn test_arguments(&mut self) -> RunResult<Arguments> {
        let bare = match self.peek() {
            Lexeme::Sign("(") => return self.arguments(),
            Lexeme::Name(word) if &**word == "is" => {
                return Err(Stop::new("you cannot chain multiple tests with is").at(self.line()));
            }
            Lexeme::Name(word) => !matches!(&**word, "else" | "or" | "and"),
            Lexeme::Text(_) | Lexeme::Int(_) | Lexeme::Float(_) | Lexeme::Sign("[" | "{") => true,
            _ => false,
        };
        let mut arguments = Arguments::default();
        if bare {
            let primary = self.primary()?;
            arguments.positional.push(self.postfix(primary)?);
        }
        Ok(arguments)
    }
}
