//! A template as it is parsed.

use std::rc::Rc;

use super::stop::{RunResult, Stop};
use super::string::Text;

/// A parsed template.
pub(crate) struct Template {
    pub body: Body,
    pub names: Vec<Rc<str>>,
    pub macros: Vec<Macro>,
    /// The text outside of marks and all strings in them.
    pub literals: Vec<Rc<Text>>,
}

/// A name, by its place in the template's list of them.
pub(crate) type Name = usize;

pub(crate) struct Expr {
    pub kind: ExprKind,
    pub line: u32,
    depth: usize,
}

/// Expressions within each other. Evaluating and dropping them takes native stack.
const MAX_DEPTH: usize = 150;

impl Expr {
    pub fn new(kind: ExprKind, line: u32) -> RunResult<Self> {
        let depth = 1 + kind.depth_within();
        if depth > MAX_DEPTH {
            return Err(Stop::new(format!("an expression is nested more than {MAX_DEPTH} deep")).at(line));
        }
        Ok(Self { kind, line, depth })
    }
}

pub(crate) enum ExprKind {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<Text>),
    Name(Name),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Attribute(Box<Expr>, Rc<str>),
    Item(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, [Option<Box<Expr>>; 3]),
    Call(Box<Expr>, Arguments),
    /// Without a value: of the text of a block.
    Filter(Option<Box<Expr>>, Rc<str>, Arguments),
    Test(Box<Expr>, Rc<str>, Arguments),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Positive(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    Concat(Vec<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `then if condition else otherwise`
    Choice {
        condition: Box<Expr>,
        then: Box<Expr>,
        otherwise: Option<Box<Expr>>,
    },
}

impl ExprKind {
    /// Of the deepest part.
    fn depth_within(&self) -> usize {
        let mut depth = 0;
        self.parts(&mut |part| depth = depth.max(part.depth));
        depth
    }

    /// Looks at each expression that stands in this one itself.
    pub fn parts(&self, see: &mut dyn FnMut(&Expr)) {
        match self {
            Self::None | Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Text(_) | Self::Name(_) => {}
            Self::List(parts) | Self::Tuple(parts) | Self::Concat(parts) => parts.iter().for_each(see),
            Self::Map(entries) => entries.iter().for_each(|(key, value)| {
                see(key);
                see(value);
            }),
            Self::Attribute(of, _) | Self::Not(of) | Self::Negative(of) | Self::Positive(of) => see(of),
            Self::Item(a, b) | Self::And(a, b) | Self::Or(a, b) | Self::Binary(_, a, b) => {
                see(a);
                see(b);
            }
            Self::Slice(of, places) => {
                see(of);
                places.iter().flatten().for_each(|place| see(place));
            }
            Self::Call(of, arguments) | Self::Test(of, _, arguments) => {
                see(of);
                arguments.parts().for_each(see);
            }
            Self::Filter(of, _, arguments) => {
                of.iter().for_each(|of| see(of));
                arguments.parts().for_each(see);
            }
            Self::Compare(first, others) => {
                see(first);
                others.iter().for_each(|(_, other)| see(other));
            }
            Self::Choice { condition, then, otherwise } => {
                see(condition);
                see(then);
                otherwise.iter().for_each(|otherwise| see(otherwise));
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Power,
}

#[derive(Default)]
pub(crate) struct Arguments {
    pub positional: Vec<Expr>,
    pub named: Vec<(Rc<str>, Expr)>,
    /// `*list` and `**map`
    pub rest: Option<Box<Expr>>,
    pub named_rest: Option<Box<Expr>>,
}

impl Arguments {
    fn parts(&self) -> impl Iterator<Item = &Expr> {
        let named = self.named.iter().map(|(_, value)| value);
        self.positional.iter().chain(named).chain(self.rest.as_deref()).chain(self.named_rest.as_deref())
    }
}

/// What is assigned to.
pub(crate) enum Target {
    Name(Name),
    Tuple(Vec<Target>),
    /// Of a namespace.
    Attribute(Name, Rc<str>),
}

pub(crate) struct Statement {
    pub kind: StatementKind,
    pub line: u32,
}

#[derive(Default)]
pub(crate) struct Body {
    pub statements: Vec<Statement>,
    /// Names that its scope has for itself before it has set them: see `symbols`.
    pub unset: Vec<Name>,
}

pub(crate) enum StatementKind {
    Text(Rc<Text>),
    Output(Expr),
    If {
        branches: Vec<(Expr, Body)>,
        otherwise: Body,
    },
    For(Box<For>),
    Set(Target, Expr),
    /// The filters of `{% set x | upper %}` are around the body's text.
    SetBlock {
        target: Target,
        filter: Option<Expr>,
        body: Body,
    },
    With {
        assignments: Vec<(Target, Expr)>,
        body: Body,
    },
    /// By its place in the template's list of macros.
    Macro {
        name: Name,
        index: usize,
    },
    /// What is called, and the macro that it is given as `caller`.
    CallBlock {
        call: Expr,
        caller: usize,
    },
    FilterBlock {
        filter: Expr,
        body: Body,
    },
    /// Renders its body where it stands: a block of a name, which sees nothing but what is at the template's top unless it
    /// is `scoped`, or a part that is marked as generated.
    Scope {
        body: Body,
        is_block: bool,
        scoped: bool,
    },
    Break,
    Continue,
}

pub(crate) struct For {
    pub target: Target,
    pub over: Expr,
    pub condition: Option<Expr>,
    pub body: Body,
    pub otherwise: Body,
    pub recursive: bool,
}

#[derive(Default)]
pub(crate) struct Macro {
    pub name: Rc<str>,
    pub parameters: Vec<(Name, Option<Expr>)>,
    pub body: Body,
    pub uses: Uses,
}

/// Which of the names that a macro may find besides its parameters its body has.
#[derive(Clone, Copy, Default)]
pub(crate) struct Uses {
    pub varargs: bool,
    pub kwargs: bool,
    pub caller: bool,
}
