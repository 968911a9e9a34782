//! Classes of characters as Oniguruma has them: `[…]`, `\w` and its like, POSIX's names and Unicode's.

use regex_syntax::hir::ClassUnicode;

use super::cursor::Cursor;
use super::unicode;

/// Where a class stands, which tells apart what a few names mean.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Sets {
    /// By itself.
    Alone,
    /// Within brackets.
    Bracketed,
}

pub(super) enum Item {
    Character(char),
    Set(ClassUnicode),
}

pub(super) fn any() -> ClassUnicode {
    unicode::range('\0', char::MAX)
}

pub(super) fn not_line_feed() -> ClassUnicode {
    let mut set = unicode::range('\n', '\n');
    set.negate();
    set
}

/// What ends a line, for `\R`.
pub(super) fn line_ends() -> ClassUnicode {
    let mut set = unicode::range('\n', '\r');
    set.union(&unicode::range('\u{85}', '\u{85}'));
    set.union(&unicode::range('\u{2028}', '\u{2029}'));
    set
}

/// What `\w` means in brackets: Unicode's words without what joins emoji.
fn bracketed_word() -> ClassUnicode {
    let mut set = unicode::word();
    set.difference(&unicode::range('\u{200c}', '\u{200d}'));
    set
}

/// What `\b` and `\w` go by: of Latin-1 the digits that are no decimal ones too.
pub(super) fn word() -> ClassUnicode {
    let mut set = bracketed_word();
    for (first, last) in [('²', '³'), ('¹', '¹'), ('¼', '¾')] {
        set.union(&unicode::range(first, last));
    }
    set
}

/// Letters that equal several where case does not count, and none of those alone.
const SEVERAL: &str = "ßẞŉǰΐΰևẖẗẘẙẚİﬀﬁﬂﬃﬄﬅﬆﬓﬔﬕﬖﬗ";

pub(super) fn folds_to_several(set: &ClassUnicode) -> bool {
    let greek = ('\u{1f50}'..='\u{1f57}').chain('\u{1f80}'..='\u{1fff}');
    // Whole alphabets have both, and it makes no difference to them.
    let few = !unicode::contains(set, 's') && !unicode::contains(set, 'α');
    few && SEVERAL.chars().chain(greek).any(|c| unicode::contains(set, c))
}

/// Whether two characters may together equal one.
pub(super) fn fold_to_one(first: &ClassUnicode, second: &ClassUnicode) -> bool {
    let pairs = ["ss", "st", "ff", "fi", "fl", "ʼn"].map(|pair| pair.chars().collect::<Vec<_>>());
    let in_pair = |pair: &Vec<char>| unicode::contains(first, pair[0]) && unicode::contains(second, pair[1]);
    let marks = "\u{308}\u{30c}\u{331}\u{30a}\u{2be}\u{307}\u{342}\u{3b9}\u{313}\u{582}\u{565}\u{56b}\u{56d}\u{576}";
    let narrow = |set: &ClassUnicode| set.ranges().len() <= 4;
    narrow(first)
        && narrow(second)
        && (pairs.iter().any(in_pair) || marks.chars().any(|mark| unicode::contains(second, mark)))
}

/// What a name means: POSIX's in brackets, or Unicode's.
fn named(name: &str, sets: Sets) -> Option<ClassUnicode> {
    let union = |names: &[&str]| {
        let mut set = ClassUnicode::empty();
        names.iter().for_each(|name| set.union(&unicode::class(name).expect("build.rs packs it")));
        set
    };
    let simple = name.trim_matches(' ').to_ascii_lowercase();
    Some(match simple.as_str() {
        "alnum" => union(&["alphabetic", "nd"]),
        "alpha" => union(&["alphabetic"]),
        "ascii" => unicode::range('\0', '\x7f'),
        "blank" => {
            let mut set = union(&["zs"]);
            set.union(&unicode::range('\t', '\t'));
            set
        }
        "cntrl" => union(&["cc"]),
        "digit" => union(&["nd"]),
        "graph" | "print" => {
            let mut set = union(&["whitespace", "cc", "cn"]);
            if simple == "print" {
                set.difference(&union(&["zs"]));
            }
            set.negate();
            set
        }
        "lower" => union(&["lowercase"]),
        "punct" if sets == Sets::Bracketed => union(&["p", "s"]),
        "space" => union(&["whitespace"]),
        "upper" => union(&["uppercase"]),
        "word" if sets == Sets::Bracketed => bracketed_word(),
        "word" => word(),
        "xdigit" => hex_digits(),
        _ => return None,
    })
}

fn hex_digits() -> ClassUnicode {
    let mut set = unicode::range('0', '9');
    set.union(&unicode::range('A', 'F'));
    set.union(&unicode::range('a', 'f'));
    set
}

fn negated_if(negated: bool, mut set: ClassUnicode) -> Item {
    if negated {
        set.negate();
    }
    Item::Set(set)
}

impl Cursor<'_> {
    /// Behind `\`: a character by another name, or a class.
    pub fn escaped_set(&mut self, sets: Sets) -> Result<Item, String> {
        let c = self.next().ok_or("a \\ at the end")?;
        let digits = |set: Option<ClassUnicode>| set.expect("build.rs packs it");
        Ok(match c {
            't' => Item::Character('\t'),
            'n' => Item::Character('\n'),
            'r' => Item::Character('\r'),
            'f' => Item::Character('\x0c'),
            'v' => Item::Character('\x0b'),
            'a' => Item::Character('\x07'),
            'e' => Item::Character('\x1b'),
            'b' if sets == Sets::Bracketed => Item::Character('\x08'),
            'x' | 'u' => Item::Character(self.code(c)?),
            'd' | 'D' => negated_if(c == 'D', digits(unicode::class("nd"))),
            's' | 'S' => negated_if(c == 'S', digits(unicode::class("whitespace"))),
            'w' | 'W' if sets == Sets::Bracketed => negated_if(c == 'W', bracketed_word()),
            'w' | 'W' => negated_if(c == 'W', word()),
            'h' | 'H' => negated_if(c == 'H', hex_digits()),
            'p' | 'P' if self.eat("{") => {
                let name = self.until('}')?;
                let (name, not) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
                // By this name alone brackets make a difference.
                let word = name.eq_ignore_ascii_case("word");
                let set = named(name, if word { sets } else { Sets::Alone }).or_else(|| unicode::class(name));
                negated_if((c == 'P') != not, set.ok_or_else(|| format!("the class \\p{{{name}}}"))?)
            }
            // The rest of what means something, and numbers.
            'A'
            | 'B'
            | 'C'
            | 'G'
            | 'K'
            | 'M'
            | 'N'
            | 'O'
            | 'R'
            | 'X'
            | 'Y'
            | 'Z'
            | 'c'
            | 'g'
            | 'k'
            | 'o'
            | 'p'
            | 'P'
            | 'y'
            | 'z'
            | '0'..='9' => return Err(format!("\\{c}")),
            _ => Item::Character(c),
        })
    }

    /// `\x41`, `\x{41}`, `\u0041`
    fn code(&mut self, kind: char) -> Result<char, String> {
        let wrong = |text: &str| format!("\\{kind}{text}, which is no character");
        let braces = kind == 'x' && self.eat("{");
        let digits = if braces {
            self.until('}')?.to_owned()
        } else {
            let most = if kind == 'x' { 2 } else { 4 };
            let mut digits = String::new();
            while digits.len() < most && self.peek().is_some_and(|c| c.is_ascii_hexdigit()) {
                digits.extend(self.next());
            }
            digits
        };
        let whole = kind == 'x' || digits.len() == 4;
        let code =
            u32::from_str_radix(&digits, 16).ok().filter(|_| whole && (braces || kind == 'u' || !digits.is_empty()));
        let c = code.and_then(char::from_u32).ok_or_else(|| wrong(&digits))?;
        // One byte of several is no character.
        if kind == 'x' && !braces && c > '\x7f' { Err(wrong(&digits)) } else { Ok(c) }
    }

    /// Behind `[`.
    pub fn bracketed(&mut self, fold: bool) -> Result<ClassUnicode, String> {
        self.enter()?;
        let negated = self.eat("^");
        let mut set: Option<ClassUnicode> = None;
        // Up to `&&` or the end.
        let mut part = ClassUnicode::empty();
        let mut empty = true;
        loop {
            if self.eat("&&") {
                if empty {
                    return Err("&& with nothing beside it".to_owned());
                }
                let done = std::mem::replace(&mut part, ClassUnicode::empty());
                set = Some(intersected(set, done));
                empty = true;
                continue;
            }
            match self.peek() {
                None => return Err("a [ without its ]".to_owned()),
                Some(']') if !empty || set.is_some() => {
                    self.next();
                    break;
                }
                Some(_) => part.union(&self.item()?),
            }
            empty = false;
        }
        if empty {
            return Err("&& with nothing beside it".to_owned());
        }
        let mut set = intersected(set, part);
        if fold {
            unicode::fold(&mut set);
            if !negated && folds_to_several(&set) {
                return Err("a class without case, where one letter equals several".to_owned());
            }
        }
        if negated {
            set.negate();
        }
        self.leave();
        Ok(set)
    }

    /// One member of a class: a character, a range of them, or a class in it.
    fn item(&mut self) -> Result<ClassUnicode, String> {
        let first = match self.member()? {
            Item::Character(first) => first,
            Item::Set(set) => {
                return if self.at_range() { Err("a range that begins with a class".to_owned()) } else { Ok(set) };
            }
        };
        if !self.at_range() {
            return Ok(unicode::range(first, first));
        }
        self.next();
        let last = match self.member()? {
            Item::Character(last) => last,
            Item::Set(_) => return Err("a range that ends with a class".to_owned()),
        };
        if last < first {
            return Err(format!("the range {first}-{last}"));
        }
        let mut set = unicode::range(first, last);
        // Behind a range it stands for itself.
        if self.peek() == Some('-') {
            self.next();
            set.union(&unicode::range('-', '-'));
        }
        Ok(set)
    }

    /// Whether a `-` comes next that stands between two characters.
    fn at_range(&self) -> bool {
        let rest = self.rest();
        rest.starts_with('-') && !rest.starts_with("-]") && !rest.starts_with("-&&")
    }

    fn member(&mut self) -> Result<Item, String> {
        if self.eat("[:") {
            let name = self.until(':')?;
            let (name, not) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
            let set = named(name, Sets::Bracketed).filter(|_| name == name.trim());
            if !self.eat("]") {
                return Err(format!("[:{name}"));
            }
            return Ok(negated_if(not, set.ok_or_else(|| format!("[:{name}:]"))?));
        }
        match self.next() {
            Some('[') => Ok(Item::Set(self.bracketed(false)?)),
            Some('\\') => self.escaped_set(Sets::Bracketed),
            Some(c) => Ok(Item::Character(c)),
            None => Err("a [ without its ]".to_owned()),
        }
    }
}

fn intersected(before: Option<ClassUnicode>, with: ClassUnicode) -> ClassUnicode {
    match before {
        Some(mut set) => {
            set.intersect(&with);
            set
        }
        None => with,
    }
}
