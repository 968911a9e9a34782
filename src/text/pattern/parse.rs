//! From a pattern's text to what the automaton is built of. The regex-syntax crate parses; its own translation of what it
//! has parsed would bring all of Unicode's properties along.

use regex_syntax::ast::{self, Ast};
use regex_syntax::hir::{Class, ClassUnicode, Dot, Hir, Look, Repetition};

use super::unicode;

/// What is on at a place of the pattern.
#[derive(Clone, Copy, Default)]
struct Flags {
    fold: bool,
    multi_line: bool,
    dot_all: bool,
    swap_greed: bool,
    crlf: bool,
}

impl Flags {
    fn set(&mut self, change: &ast::Flags) -> Result<(), String> {
        use ast::{Flag, FlagsItemKind};
        let mut on = true;
        for item in &change.items {
            let flag = match &item.kind {
                FlagsItemKind::Negation => {
                    on = false;
                    continue;
                }
                FlagsItemKind::Flag(flag) => flag,
            };
            match flag {
                Flag::CaseInsensitive => self.fold = on,
                Flag::MultiLine => self.multi_line = on,
                Flag::DotMatchesNewLine => self.dot_all = on,
                Flag::SwapGreed => self.swap_greed = on,
                Flag::CRLF => self.crlf = on,
                Flag::Unicode if !on => return Err("bytes instead of characters (?-u)".to_owned()),
                // The parser has seen to it.
                Flag::Unicode | Flag::IgnoreWhitespace => {}
            }
        }
        Ok(())
    }
}

/// Parses a pattern. Groups match as they are: nobody asks what they caught.
pub(crate) fn parse(pattern: &str) -> Result<Hir, String> {
    let parsed = ast::parse::Parser::new().parse(pattern).map_err(|error| error.to_string())?;
    translate(&parsed, &mut Flags::default())
}

/// The depth is bounded: the parser takes no more than 250 levels.
fn translate(ast: &Ast, flags: &mut Flags) -> Result<Hir, String> {
    Ok(match ast {
        Ast::Empty(_) => Hir::empty(),
        Ast::Flags(change) => {
            flags.set(&change.flags)?;
            Hir::empty()
        }
        Ast::Literal(literal) if flags.fold => of_class(folded(unicode::range(literal.c, literal.c))),
        Ast::Literal(literal) => Hir::literal(literal.c.to_string().into_bytes()),
        Ast::Dot(_) => Hir::dot(match (flags.dot_all, flags.crlf) {
            (true, _) => Dot::AnyChar,
            (false, false) => Dot::AnyCharExceptLF,
            (false, true) => Dot::AnyCharExceptCRLF,
        }),
        Ast::Assertion(assertion) => Hir::look(look(&assertion.kind, *flags)),
        Ast::ClassUnicode(class) => of_class(named(class, *flags)?),
        Ast::ClassPerl(class) => of_class(perl(class)),
        Ast::ClassBracketed(class) => of_class(bracketed(class, *flags)?),
        Ast::Repetition(repetition) => repeated(repetition, flags)?,
        Ast::Group(group) => {
            let mut inner = *flags;
            if let Some(change) = group.flags() {
                inner.set(change)?;
            }
            translate(&group.ast, &mut inner)?
        }
        Ast::Alternation(list) => Hir::alternation(each(&list.asts, flags)?),
        Ast::Concat(list) => Hir::concat(each(&list.asts, flags)?),
    })
}

fn each(list: &[Ast], flags: &mut Flags) -> Result<Vec<Hir>, String> {
    list.iter().map(|ast| translate(ast, flags)).collect()
}

fn repeated(repetition: &ast::Repetition, flags: &mut Flags) -> Result<Hir, String> {
    use ast::{RepetitionKind, RepetitionRange};
    let (min, max) = match &repetition.op.kind {
        RepetitionKind::ZeroOrOne => (0, Some(1)),
        RepetitionKind::ZeroOrMore => (0, None),
        RepetitionKind::OneOrMore => (1, None),
        &RepetitionKind::Range(RepetitionRange::Exactly(count)) => (count, Some(count)),
        &RepetitionKind::Range(RepetitionRange::AtLeast(min)) => (min, None),
        &RepetitionKind::Range(RepetitionRange::Bounded(min, max)) => (min, Some(max)),
    };
    // Flags set inside a repeated group end with it, and nothing else that is repeated sets any.
    let sub = Box::new(translate(&repetition.ast, flags)?);
    Ok(Hir::repetition(Repetition { min, max, greedy: repetition.greedy != flags.swap_greed, sub }))
}

fn look(kind: &ast::AssertionKind, flags: Flags) -> Look {
    use ast::AssertionKind::*;
    match (kind, flags.multi_line, flags.crlf) {
        (StartLine, true, false) => Look::StartLF,
        (StartLine, true, true) => Look::StartCRLF,
        (EndLine, true, false) => Look::EndLF,
        (EndLine, true, true) => Look::EndCRLF,
        (StartLine | StartText, ..) => Look::Start,
        (EndLine | EndText, ..) => Look::End,
        (WordBoundary, ..) => Look::WordUnicode,
        (NotWordBoundary, ..) => Look::WordUnicodeNegate,
        (WordBoundaryStart | WordBoundaryStartAngle, ..) => Look::WordStartUnicode,
        (WordBoundaryEnd | WordBoundaryEndAngle, ..) => Look::WordEndUnicode,
        (WordBoundaryStartHalf, ..) => Look::WordStartHalfUnicode,
        (WordBoundaryEndHalf, ..) => Look::WordEndHalfUnicode,
    }
}

fn of_class(class: ClassUnicode) -> Hir {
    Hir::class(Class::Unicode(class))
}

fn folded(mut class: ClassUnicode) -> ClassUnicode {
    unicode::fold(&mut class);
    class
}

/// The class with its case folded where that is on, and then negated.
fn finished(class: ClassUnicode, negated: bool, flags: Flags) -> ClassUnicode {
    let mut class = if flags.fold { folded(class) } else { class };
    if negated {
        class.negate();
    }
    class
}

/// `\p{…}`
fn named(class: &ast::ClassUnicode, flags: Flags) -> Result<ClassUnicode, String> {
    use ast::ClassUnicodeKind::*;
    let found = match &class.kind {
        OneLetter(letter) => unicode::class(letter.encode_utf8(&mut [0; 4])),
        Named(name) => unicode::class(name),
        NamedValue { name, value, .. } => match name.to_ascii_lowercase().as_str() {
            "gc" | "general_category" | "sc" | "script" => unicode::class(value),
            _ => None,
        },
    };
    let unknown = || match &class.kind {
        OneLetter(letter) => format!("the class \\p{letter}"),
        Named(name) => format!("the class \\p{{{name}}}"),
        NamedValue { name, value, .. } => format!("the class \\p{{{name}={value}}}"),
    };
    Ok(finished(found.ok_or_else(unknown)?, class.is_negated(), flags))
}

/// `\d`, `\s`, `\w`
fn perl(class: &ast::ClassPerl) -> ClassUnicode {
    let found = match class.kind {
        ast::ClassPerlKind::Digit => unicode::class("nd"),
        ast::ClassPerlKind::Space => unicode::class("whitespace"),
        ast::ClassPerlKind::Word => Some(unicode::word()),
    };
    finished(found.expect("build.rs packs it"), class.negated, Flags::default())
}

/// `[:alpha:]`
fn posix(kind: &ast::ClassAsciiKind) -> &'static [(char, char)] {
    use ast::ClassAsciiKind::*;
    match kind {
        Alnum => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        Alpha => &[('A', 'Z'), ('a', 'z')],
        Ascii => &[('\0', '\x7f')],
        Blank => &[('\t', '\t'), (' ', ' ')],
        Cntrl => &[('\0', '\x1f'), ('\x7f', '\x7f')],
        Digit => &[('0', '9')],
        Graph => &[('!', '~')],
        Lower => &[('a', 'z')],
        Print => &[(' ', '~')],
        Punct => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        Space => &[('\t', '\r'), (' ', ' ')],
        Upper => &[('A', 'Z')],
        Word => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        Xdigit => &[('0', '9'), ('A', 'F'), ('a', 'f')],
    }
}

/// `[…]`
fn bracketed(class: &ast::ClassBracketed, flags: Flags) -> Result<ClassUnicode, String> {
    Ok(finished(set(&class.kind, flags)?, class.negated, flags))
}

fn set(set: &ast::ClassSet, flags: Flags) -> Result<ClassUnicode, String> {
    use ast::ClassSetBinaryOpKind::*;
    let operation = match set {
        ast::ClassSet::Item(item) => return self::item(item, flags),
        ast::ClassSet::BinaryOp(operation) => operation,
    };
    let mut left = finished(self::set(&operation.lhs, flags)?, false, flags);
    let right = finished(self::set(&operation.rhs, flags)?, false, flags);
    match operation.kind {
        Intersection => left.intersect(&right),
        Difference => left.difference(&right),
        SymmetricDifference => left.symmetric_difference(&right),
    }
    Ok(left)
}

fn item(item: &ast::ClassSetItem, flags: Flags) -> Result<ClassUnicode, String> {
    use ast::ClassSetItem::*;
    Ok(match item {
        Empty(_) => ClassUnicode::empty(),
        Literal(literal) => unicode::range(literal.c, literal.c),
        Range(range) => unicode::range(range.start.c, range.end.c),
        Ascii(class) => {
            let mut found = ClassUnicode::empty();
            for &(first, last) in posix(&class.kind) {
                found.union(&unicode::range(first, last));
            }
            finished(found, class.negated, flags)
        }
        Unicode(class) => named(class, flags)?,
        Perl(class) => perl(class),
        Bracketed(class) => bracketed(class, flags)?,
        Union(union) => {
            let mut found = ClassUnicode::empty();
            for item in &union.items {
                found.union(&self::item(item, flags)?);
            }
            found
        }
    })
}
