//! From a pattern's text to its tree, in the syntax of Oniguruma (Ruby's), which the patterns of `tokenizer.json` are
//! written in. What is not here is refused by name.

use std::ops::BitAnd;

use regex_syntax::hir::ClassUnicode;

use super::class::{self, Sets};
use super::cursor::Cursor;
use super::unicode;

/// How a repetition gives back what it has taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Greed {
    /// As many as there are, then fewer.
    Greedy,
    /// As few as will do, then more.
    Lazy,
    /// As many as there are.
    Possessive,
}

/// A place in the text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Anchor {
    TextStart,
    TextEnd,
    /// The text's end, or before a line feed that ends it.
    LastLineEnd,
    LineStart,
    LineEnd,
    WordEdge,
    NoWordEdge,
    /// Where the search began.
    SearchStart,
}

#[derive(Debug)]
pub(crate) enum Node {
    Empty,
    One(ClassUnicode),
    Sequence(Vec<Node>),
    Either(Vec<Node>),
    Repeat {
        node: Box<Node>,
        min: u32,
        max: Option<u32>,
        kind: Greed,
    },
    Look {
        node: Box<Node>,
        behind: bool,
        negative: bool,
    },
    Atomic(Box<Node>),
    Group(usize, Box<Node>),
    /// What a group has caught, once more.
    Same(usize),
    At(Anchor),
}

/// What is on at a place of the pattern.
#[derive(Clone, Copy, Default)]
struct Flags {
    fold: bool,
    dot_all: bool,
    extended: bool,
}

struct PatternParser<'a> {
    cursor: Cursor<'a>,
    /// Which groups have ended.
    groups: Vec<bool>,
    named: bool,
    refers: bool,
}

pub(crate) fn parse(pattern: &str) -> Result<Node, String> {
    let mut parser = PatternParser { cursor: Cursor::new(pattern), groups: Vec::new(), named: false, refers: false };
    let node = parser.alternation(Flags::default())?;
    match parser.cursor.peek() {
        Some(_) => Err("a ) without its (".to_owned()),
        None if parser.named && parser.refers => Err("a number for a group, where groups have names".to_owned()),
        None => Ok(node),
    }
}

impl PatternParser<'_> {
    /// All up to the group's end or the pattern's.
    fn alternation(&mut self, flags: Flags) -> Result<Node, String> {
        self.cursor.enter()?;
        let mut list = vec![self.sequence(flags)?];
        while self.cursor.eat("|") {
            list.push(self.sequence(flags)?);
        }
        self.cursor.leave();
        Ok(if list.len() == 1 { list.remove(0) } else { Node::Either(list) })
    }

    fn sequence(&mut self, flags: Flags) -> Result<Node, String> {
        let mut list = Vec::new();
        while let Some(c) = self.cursor.peek() {
            if c == '|' || c == ')' {
                break;
            }
            if flags.extended && (c.is_ascii_whitespace() || c == '#') {
                self.cursor.next();
                while c == '#' && self.cursor.next().is_some_and(|c| c != '\n') {}
                continue;
            }
            if self.cursor.eat("(?#") {
                self.cursor.until(')')?;
                continue;
            }
            let start = self.cursor.at();
            let node = self.atom(flags)?;
            let node = self.repeated(node)?;
            if flags.fold {
                self.folds_alone(&list, &node, self.cursor.since(start))?;
            }
            list.push(node);
        }
        Ok(match list.len() {
            0 => Node::Empty,
            1 => list.remove(0),
            _ => Node::Sequence(list),
        })
    }

    /// Without case, some letters equal several: ß is ss, ﬆ is st. A pattern where that could matter is refused.
    fn folds_alone(&self, before: &[Node], node: &Node, written: &str) -> Result<(), String> {
        let Node::One(set) = node else { return Ok(()) };
        let pair = matches!(before.last(), Some(Node::One(last)) if class::fold_to_one(last, set));
        if pair || class::folds_to_several(set) {
            return Err(format!("{written:?} without case, where one letter equals several"));
        }
        Ok(())
    }

    fn atom(&mut self, flags: Flags) -> Result<Node, String> {
        let c = self.cursor.next().ok_or("nothing")?;
        Ok(match c {
            '(' => self.group(flags)?,
            '[' => Node::One(self.cursor.bracketed(flags.fold)?),
            '.' if flags.dot_all => Node::One(class::any()),
            '.' => Node::One(class::not_line_feed()),
            '^' => Node::At(Anchor::LineStart),
            '$' => Node::At(Anchor::LineEnd),
            '*' | '+' | '?' => return Err(format!("a {c} behind nothing")),
            '\\' => self.escaped(flags)?,
            _ => literal(c, flags),
        })
    }

    /// Behind `(`.
    fn group(&mut self, flags: Flags) -> Result<Node, String> {
        let look = |behind, negative| move |node| Node::Look { node: Box::new(node), behind, negative };
        let made: Box<dyn Fn(Node) -> Node> = if !self.cursor.eat("?") {
            self.groups.push(false);
            let index = self.groups.len() - 1;
            let node = self.alternation(flags)?;
            self.close()?;
            self.groups[index] = true;
            return Ok(Node::Group(index, Box::new(node)));
        } else if self.cursor.eat(":") {
            Box::new(|node| node)
        } else if self.cursor.eat("=") {
            Box::new(look(false, false))
        } else if self.cursor.eat("!") {
            Box::new(look(false, true))
        } else if self.cursor.eat("<=") {
            Box::new(look(true, false))
        } else if self.cursor.eat("<!") {
            Box::new(look(true, true))
        } else if self.cursor.eat(">") {
            Box::new(|node| Node::Atomic(Box::new(node)))
        } else if self.cursor.eat("<") {
            self.cursor.until('>')?;
            self.named = true;
            Box::new(|node| node)
        } else {
            return self.flagged(flags);
        };
        let node = self.alternation(flags)?;
        self.close()?;
        Ok(made(node))
    }

    fn close(&mut self) -> Result<(), String> {
        if self.cursor.eat(")") { Ok(()) } else { Err("a ( without its )".to_owned()) }
    }

    /// `(?i)`, which holds to the end of the group it stands in, alternatives and all, and `(?i:…)`.
    fn flagged(&mut self, mut flags: Flags) -> Result<Node, String> {
        let mut on = true;
        loop {
            match self.cursor.next() {
                Some('-') => on = false,
                Some('i') => flags.fold = on,
                Some('m') => flags.dot_all = on,
                Some('x') => flags.extended = on,
                Some(')') => return self.alternation(flags),
                Some(':') => {
                    let node = self.alternation(flags)?;
                    self.close()?;
                    return Ok(node);
                }
                Some(other) => return Err(format!("a group that begins (?{other}")),
                None => return Err("a ( without its )".to_owned()),
            }
        }
    }

    fn repeated(&mut self, mut node: Node) -> Result<Node, String> {
        loop {
            let start = self.cursor.at();
            let (min, max, interval) = match self.cursor.peek() {
                Some('*') => (0, None, false),
                Some('+') => (1, None, false),
                Some('?') => (0, Some(1), false),
                Some('{') => match self.interval()? {
                    Some((min, max)) => (min, max, true),
                    None => return Ok(node),
                },
                _ => return Ok(node),
            };
            if !interval {
                self.cursor.next();
            }
            if matches!(node, Node::At(_) | Node::Look { .. } | Node::Empty) {
                return Err(format!("{} behind what takes no text", self.cursor.since(start)));
            }
            let repeat = |node, min, max, kind| Node::Repeat { node: Box::new(node), min, max, kind };
            node = if interval && max == Some(min) && self.cursor.eat("?") {
                // No lazy repetition here: it may be missing.
                repeat(repeat(node, min, max, Greed::Greedy), 0, Some(1), Greed::Greedy)
            } else if self.cursor.eat("?") {
                repeat(node, min, max, Greed::Lazy)
            } else if !interval && self.cursor.eat("+") {
                repeat(node, min, max, Greed::Possessive)
            } else {
                repeat(node, min, max, Greed::Greedy)
            };
        }
    }

    /// `{2}`, `{2,}`, `{,2}`, `{1,2}`; anything else is no repetition.
    fn interval(&mut self) -> Result<Option<(u32, Option<u32>)>, String> {
        let rest = &self.cursor.rest()[1..];
        let Some(inside) = rest.find('}').map(|end| &rest[..end]) else { return Ok(None) };
        let (min, max) = inside.split_once(',').unwrap_or((inside, inside));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(min) || !digits(max) || (min.is_empty() && max.is_empty()) {
            return Ok(None);
        }
        let number = |text: &str| text.parse().map_err(|_| format!("{{{inside}}}"));
        let min = if min.is_empty() { 0 } else { number(min)? };
        let max = if max.is_empty() { None } else { Some(number(max)?) };
        if max.is_some_and(|max| max < min) {
            return Err(format!("{{{inside}}}"));
        }
        self.cursor.until('}')?;
        Ok(Some((min, max)))
    }

    /// Behind `\`, outside a class.
    fn escaped(&mut self, flags: Flags) -> Result<Node, String> {
        let c = self.cursor.peek().ok_or("a \\ at the end")?;
        let place = match c {
            'A' => Anchor::TextStart,
            'z' => Anchor::TextEnd,
            'Z' => Anchor::LastLineEnd,
            'b' => Anchor::WordEdge,
            'B' => Anchor::NoWordEdge,
            'G' => Anchor::SearchStart,
            'R' => {
                self.cursor.next();
                return Ok(line_break());
            }
            'N' | 'O' => {
                self.cursor.next();
                return Ok(Node::One(if c == 'N' { class::not_line_feed() } else { class::any() }));
            }
            '1'..='9' => return self.reference(flags),
            _ => {
                return Ok(match self.cursor.escaped_set(Sets::Alone)? {
                    class::Item::Character(c) => literal(c, flags),
                    class::Item::Set(set) => Node::One(set),
                });
            }
        };
        self.cursor.next();
        Ok(Node::At(place))
    }

    fn reference(&mut self, flags: Flags) -> Result<Node, String> {
        let mut number = 0usize;
        while let Some(digit) = self.cursor.peek().and_then(|c| c.to_digit(10)) {
            number = number.saturating_mul(10).saturating_add(digit as usize);
            self.cursor.next();
        }
        if flags.fold || self.groups.get(number - 1) != Some(&true) {
            return Err(format!("\\{number}, which is no group before it with its case"));
        }
        self.refers = true;
        Ok(Node::Same(number - 1))
    }
}

fn literal(c: char, flags: Flags) -> Node {
    let mut set = unicode::range(c, c);
    if flags.fold {
        unicode::fold(&mut set);
    }
    Node::One(set)
}

/// `\R`
fn line_break() -> Node {
    let pair = Node::Sequence(vec![literal('\r', Flags::default()), literal('\n', Flags::default())]);
    Node::Atomic(Box::new(Node::Either(vec![pair, Node::One(class::line_ends())])))
}

impl Node {
    /// How many characters it takes, at least and at most.
    pub fn length(&self) -> (usize, Option<usize>) {
        match self {
            Node::Empty | Node::Look { .. } | Node::At(_) => (0, Some(0)),
            Node::One(_) => (1, Some(1)),
            Node::Same(_) => (0, None),
            Node::Atomic(node) | Node::Group(_, node) => node.length(),
            Node::Sequence(list) => list.iter().map(Node::length).fold((0, Some(0)), |(min, max), each| {
                (min.saturating_add(each.0), max.zip(each.1).map(|(a, b)| a.saturating_add(b)))
            }),
            Node::Either(list) => {
                let lengths = list.iter().map(Node::length);
                let either = |a: (usize, Option<usize>), b: (usize, Option<usize>)| {
                    (a.0.min(b.0), a.1.zip(b.1).map(|(a, b)| a.max(b)))
                };
                lengths.reduce(either).unwrap_or((0, Some(0)))
            }
            Node::Repeat { node, min, max, .. } => {
                let (least, most) = node.length();
                let max = most.zip(*max).map(|(most, max)| most.saturating_mul(max as usize));
                (least.saturating_mul(*min as usize), max)
            }
        }
    }

    /// Adds the characters that a match may begin with. False where it may be empty, or begin with any.
    pub fn first(&self, set: &mut ClassUnicode) -> bool {
        match self {
            Node::Empty | Node::Look { .. } | Node::At(_) | Node::Same(_) => false,
            Node::One(class) => {
                set.union(class);
                true
            }
            Node::Atomic(node) | Node::Group(_, node) => node.first(set),
            // A reference may be to anything, so what begins with one is not looked through.
            Node::Sequence(list) => {
                let known = |node: &Node| !matches!(node, Node::Same(_));
                let mut those = list.iter().take_while(|node| known(node));
                those.any(|node| node.first(set))
            }
            // Each of them adds to the set: none may be passed over.
            Node::Either(list) => list.iter().map(|node| node.first(set)).fold(true, BitAnd::bitand),
            Node::Repeat { node, min, .. } => node.first(set) && *min > 0,
        }
    }
}
