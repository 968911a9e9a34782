//! llama.cpp's grammars (GBNF), as Lark's.
//!
//! A grammar of GBNF is one of characters: there are no words with white space between. llguidance reads words first, and
//! then what they make. So all that needs no stack becomes a word, a regular expression, as large as it can be; what is
//! left are the rules that come back to themselves. Where words would be cut otherwise than the grammar has it
//! (`lexemes.rs`), they are taken apart: a word of one character is always cut right.

mod chars;
mod lexemes;
mod parser;
#[cfg(test)]
mod tests;

use crate::Result;
use chars::CharSet;
use lexemes::{Lexeme, MOST_PAIRS};
use parser::Expr;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

/// Parts of an expression, with the rules in it written out.
const MOST_PARTS: usize = 20_000;
/// Rules within each other, where they are written out.
const DEEPEST: usize = 200;

/// A rule, in words and rules.
enum Node {
    Word(usize),
    Rule(usize),
    Seq(Vec<Node>),
    Alt(Vec<Node>),
    Repeat(Box<Node>, u32, Option<u32>),
}

/// What becomes of the rules.
struct Translation<'a> {
    rules: &'a [Expr],
    /// Whether a rule is a regular expression.
    regular: Vec<bool>,
    /// Words that are taken apart.
    split: HashSet<Expr>,
    numbers: HashMap<Expr, usize>,
    words: Vec<(Expr, Lexeme)>,
}

/// What stands where, as far as is known.
#[derive(Clone, Default)]
struct Facts {
    nullable: bool,
    first: CharSet,
    follow: CharSet,
}

/// The same grammar for llguidance. Error: what is wrong with it.
pub fn to_lark(text: &str) -> Result<String> {
    let rules = parser::parse(text)?;
    let (mut split, mut pairs) = (HashSet::new(), MOST_PAIRS);
    loop {
        let mut translation = Translation::new(&rules, std::mem::take(&mut split));
        let nodes: Vec<Option<Node>> = (0..rules.len()).map(|rule| translation.rule(rule)).collect::<Result<_>>()?;
        let wrong = translation.cut_wrongly(&nodes, &mut pairs);
        if wrong.is_empty() {
            return Ok(translation.lark(&nodes));
        }
        split = translation.split;
        split.extend(wrong);
    }
}

impl<'a> Translation<'a> {
    fn new(rules: &'a [Expr], split: HashSet<Expr>) -> Self {
        let mut regular = vec![false; rules.len()];
        loop {
            let more: Vec<usize> =
                (0..rules.len()).filter(|rule| !regular[*rule] && is_regular(&rules[*rule], &regular)).collect();
            if more.is_empty() {
                return Self { rules, regular, split, numbers: HashMap::new(), words: Vec::new() };
            }
            more.into_iter().for_each(|rule| regular[rule] = true);
        }
    }

    /// None for those that stand in words.
    fn rule(&mut self, rule: usize) -> Result<Option<Node>> {
        if rule > 0 && self.regular[rule] { Ok(None) } else { self.node(&self.rules[rule]).map(Some) }
    }

    fn node(&mut self, expr: &Expr) -> Result<Node> {
        if is_regular(expr, &self.regular) {
            return self.word(expr);
        }
        match expr {
            Expr::Chars(_) => self.word(expr),
            Expr::Rule(rule) => Ok(Node::Rule(*rule)),
            Expr::Seq(parts) => {
                // What stands side by side is one word.
                let mut nodes = Vec::new();
                let side_by_side = |a: &Expr, b: &Expr| is_regular(a, &self.regular) && is_regular(b, &self.regular);
                let runs: Vec<&[Expr]> = parts.chunk_by(side_by_side).collect();
                for run in runs {
                    nodes.push(if run.len() > 1 { self.word(&Expr::Seq(run.to_vec()))? } else { self.node(&run[0])? });
                }
                Ok(Node::Seq(nodes))
            }
            Expr::Alt(parts) => {
                let (words, others): (Vec<_>, Vec<_>) = parts.iter().partition(|part| is_regular(part, &self.regular));
                let mut nodes: Vec<Node> = others.into_iter().map(|part| self.node(part)).collect::<Result<_>>()?;
                if !words.is_empty() {
                    nodes.push(self.word(&Expr::Alt(words.into_iter().cloned().collect()))?);
                }
                Ok(Node::Alt(nodes))
            }
            Expr::Repeat(expr, least, most) => Ok(Node::Repeat(Box::new(self.node(expr)?), *least, *most)),
        }
    }

    fn word(&mut self, expr: &Expr) -> Result<Node> {
        let mut parts = 0;
        let expr = self.written_out(expr, 0, &mut parts)?;
        self.word_of(expr)
    }

    /// Of an expression without rules.
    fn word_of(&mut self, expr: Expr) -> Result<Node> {
        if self.split.contains(&expr) {
            let nodes = |parts: Vec<Expr>, this: &mut Self| {
                parts.into_iter().map(|part| this.word_of(part)).collect::<Result<Vec<Node>>>()
            };
            return match expr {
                Expr::Seq(parts) => nodes(parts, self).map(Node::Seq),
                Expr::Alt(parts) => nodes(parts, self).map(Node::Alt),
                Expr::Repeat(expr, least, most) => Ok(Node::Repeat(Box::new(self.word_of(*expr)?), least, most)),
                Expr::Chars(_) | Expr::Rule(_) => unreachable!("one character is not taken apart"),
            };
        }
        if let Some(number) = self.numbers.get(&expr) {
            return Ok(Node::Word(*number));
        }
        self.numbers.insert(expr.clone(), self.words.len());
        self.words.push((expr.clone(), Lexeme::new(&expr)?));
        Ok(Node::Word(self.words.len() - 1))
    }

    /// A regular expression without rules.
    fn written_out(&self, expr: &Expr, depth: usize, parts: &mut usize) -> Result<Expr> {
        *parts += 1;
        if *parts > MOST_PARTS || depth > DEEPEST {
            return Err("rules that are too large, or too deep within each other, when they are written out".to_owned());
        }
        let mut all = |list: &[Expr]| {
            list.iter().map(|part| self.written_out(part, depth + 1, parts)).collect::<Result<Vec<Expr>>>()
        };
        Ok(match expr {
            Expr::Chars(chars) => Expr::Chars(chars.clone()),
            Expr::Rule(rule) => self.written_out(&self.rules[*rule], depth + 1, parts)?,
            Expr::Seq(list) => Expr::Seq(all(list)?),
            Expr::Alt(list) => Expr::Alt(all(list)?),
            Expr::Repeat(expr, least, most) => {
                Expr::Repeat(Box::new(self.written_out(expr, depth + 1, parts)?), *least, *most)
            }
        })
    }

    /// A word that would be cut too late, or that has another one cut too late. Where that is too much to find out, all.
    fn cut_wrongly(&self, nodes: &[Option<Node>], pairs: &mut usize) -> Vec<Expr> {
        let follow = self.follow(nodes);
        let longer = || self.words.iter().filter(|(_, word)| !word.is_one_char());
        for ((_, mine), follow) in self.words.iter().zip(&follow) {
            for (expr, other) in longer() {
                match mine.is_lengthened(other, follow, pairs) {
                    Some(false) => {}
                    Some(true) => return vec![expr.clone()],
                    None => return longer().map(|(expr, _)| expr.clone()).collect(),
                }
            }
        }
        Vec::new()
    }

    /// What may follow each word.
    fn follow(&self, nodes: &[Option<Node>]) -> Vec<CharSet> {
        let mut rules = vec![Facts::default(); nodes.len()];
        let mut words = vec![CharSet::default(); self.words.len()];
        loop {
            let mut changed = false;
            for (rule, node) in nodes.iter().enumerate() {
                let Some(node) = node else { continue };
                let (first, nullable) = (self.first(node, &rules), self.is_nullable(node, &rules));
                changed |= rules[rule].first.add(&first) | (nullable != rules[rule].nullable);
                rules[rule].nullable = nullable;
                let follow = rules[rule].follow.clone();
                changed |= self.spread(node, &follow, &mut rules, &mut words);
            }
            if !changed {
                return words;
            }
        }
    }

    fn is_nullable(&self, node: &Node, rules: &[Facts]) -> bool {
        match node {
            Node::Word(word) => self.words[*word].1.nullable,
            Node::Rule(rule) => rules[*rule].nullable,
            Node::Seq(nodes) => nodes.iter().all(|node| self.is_nullable(node, rules)),
            Node::Alt(nodes) => nodes.iter().any(|node| self.is_nullable(node, rules)),
            Node::Repeat(node, least, _) => *least == 0 || self.is_nullable(node, rules),
        }
    }

    fn first(&self, node: &Node, rules: &[Facts]) -> CharSet {
        let mut first = CharSet::default();
        match node {
            Node::Word(word) => first = self.words[*word].1.first(),
            Node::Rule(rule) => first = rules[*rule].first.clone(),
            Node::Seq(nodes) => {
                for node in nodes {
                    first.add(&self.first(node, rules));
                    if !self.is_nullable(node, rules) {
                        break;
                    }
                }
            }
            Node::Alt(nodes) => {
                for node in nodes {
                    first.add(&self.first(node, rules));
                }
            }
            Node::Repeat(node, ..) => first = self.first(node, rules),
        }
        first
    }

    /// Tells all in a node what follows it. Whether that was news.
    fn spread(&self, node: &Node, follow: &CharSet, rules: &mut [Facts], words: &mut [CharSet]) -> bool {
        match node {
            Node::Word(word) => words[*word].add(follow),
            Node::Rule(rule) => rules[*rule].follow.add(follow),
            Node::Seq(nodes) => {
                let (mut follow, mut changed) = (follow.clone(), false);
                for node in nodes.iter().rev() {
                    changed |= self.spread(node, &follow, rules, words);
                    let mut before = self.first(node, rules);
                    if self.is_nullable(node, rules) {
                        before.add(&follow);
                    }
                    follow = before;
                }
                changed
            }
            Node::Alt(nodes) => {
                nodes.iter().fold(false, |changed, node| self.spread(node, follow, rules, words) | changed)
            }
            Node::Repeat(node, ..) => {
                let mut again = self.first(node, rules);
                again.add(follow);
                self.spread(node, &again, rules, words)
            }
        }
    }

    fn lark(&self, nodes: &[Option<Node>]) -> String {
        let mut lark = "start: r0\n".to_owned();
        for (rule, node) in nodes.iter().enumerate() {
            if let Some(node) = node {
                let _ = writeln!(lark, "r{rule}: {}", self.written(node));
            }
        }
        for (word, (expr, lexeme)) in self.words.iter().enumerate() {
            // The empty text is no word: who looks for one goes on without.
            let some = if lexeme.nullable { " & /(?s:.)+/" } else { "" };
            let _ = writeln!(lark, "W{word}: /{}/{some}", pattern(expr));
        }
        lark
    }

    fn written(&self, node: &Node) -> String {
        let all = |nodes: &[Node]| nodes.iter().map(|node| self.written(node)).collect::<Vec<_>>();
        match node {
            Node::Word(word) if self.words[*word].1.nullable => format!("W{word}?"),
            Node::Word(word) => format!("W{word}"),
            Node::Rule(rule) => format!("r{rule}"),
            Node::Seq(nodes) if nodes.is_empty() => "\"\"".to_owned(),
            Node::Seq(nodes) => format!("({})", all(nodes).join(" ")),
            Node::Alt(nodes) => format!("({})", all(nodes).join(" | ")),
            Node::Repeat(_, _, Some(0)) => "\"\"".to_owned(),
            Node::Repeat(node, least, Some(most)) => format!("({}){{{least},{most}}}", self.written(node)),
            Node::Repeat(node, least, None) => format!("({}){{{least},}}", self.written(node)),
        }
    }
}

fn is_regular(expr: &Expr, regular: &[bool]) -> bool {
    match expr {
        Expr::Chars(_) => true,
        Expr::Rule(rule) => regular[*rule],
        Expr::Seq(parts) | Expr::Alt(parts) => parts.iter().all(|part| is_regular(part, regular)),
        Expr::Repeat(expr, ..) => is_regular(expr, regular),
    }
}

/// An expression without rules, as Rust's regex crate writes it.
fn pattern(expr: &Expr) -> String {
    let all = |parts: &[Expr]| parts.iter().map(pattern).collect::<Vec<_>>();
    match expr {
        Expr::Chars(chars) => chars.pattern(),
        Expr::Rule(_) => unreachable!("words have no rules"),
        Expr::Seq(parts) => format!("(?:{})", all(parts).concat()),
        Expr::Alt(parts) => format!("(?:{})", all(parts).join("|")),
        Expr::Repeat(expr, least, Some(most)) => format!("(?:{}){{{least},{most}}}", pattern(expr)),
        Expr::Repeat(expr, least, None) => format!("(?:{}){{{least},}}", pattern(expr)),
    }
}
