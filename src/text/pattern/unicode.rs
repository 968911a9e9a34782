//! Unicode's classes of characters and its case folding, from the few bytes that build.rs packs them into.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

include!(concat!(env!("OUT_DIR"), "/unicode.rs"));

/// Other names, each before what it stands for: long names of general categories, and ISO 15924's of scripts.
const ALIASES: &str = "letter l uppercaseletter lu lowercaseletter ll titlecaseletter lt modifierletter lm otherletter lo \
    mark m nonspacingmark mn spacingmark mc enclosingmark me number n decimalnumber nd digit nd letternumber nl \
    othernumber no punctuation p punct p connectorpunctuation pc dashpunctuation pd openpunctuation ps \
    closepunctuation pe initialpunctuation pi finalpunctuation pf otherpunctuation po symbol s mathsymbol sm \
    currencysymbol sc modifiersymbol sk othersymbol so separator z spaceseparator zs lineseparator zl \
    paragraphseparator zp other c control cc cntrl cc format cf privateuse co unassigned cn casedletter lc \
    alpha alphabetic lower lowercase upper uppercase space whitespace wspace whitespace ideo ideographic \
    epres emojipresentation extpict extendedpictographic zyyy common zinh inherited qaai inherited \
    latn latin grek greek cyrl cyrillic armn armenian geor georgian hebr hebrew arab arabic syrc syriac thaa thaana \
    ethi ethiopic tfng tifinagh nkoo nko adlm adlam hani han hira hiragana kana katakana bopo bopomofo hang hangul \
    yiii yi mong mongolian tibt tibetan laoo lao khmr khmer mymr myanmar java javanese bali balinese cher cherokee \
    deva devanagari beng bengali guru gurmukhi gujr gujarati orya oriya taml tamil telu telugu knda kannada \
    mlym malayalam sinh sinhala cans canadianaboriginal";

/// What `packed` of build.rs wrote.
struct Numbers<'a>(&'a [u8]);

impl Iterator for Numbers<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u32::from(byte & 127) << shift;
            if byte < 128 {
                return Some(number);
            }
            shift += 7;
        }
    }
}

/// The characters from `first` to `last`, both in.
pub(crate) fn range(first: char, last: char) -> ClassUnicode {
    ClassUnicode::new([ClassUnicodeRange::new(first, last)])
}

fn add(packed: &[u8], class: &mut ClassUnicode) {
    let (mut numbers, mut end) = (Numbers(packed), 0);
    while let (Some(distance), Some(length)) = (numbers.next(), numbers.next()) {
        let first = end + distance;
        end = first + length;
        if let (Some(first), Some(last)) = (char::from_u32(first), char::from_u32(end)) {
            class.push(ClassUnicodeRange::new(first, last));
        }
    }
}

/// The class of a name as in `\p{…}`: a general category or a group of them, a script or another property. Case, spaces,
/// `-` and `_` do not count. `None` where the name is not known.
pub(crate) fn class(name: &str) -> Option<ClassUnicode> {
    let ignored = |c: &char| !matches!(c, ' ' | '_' | '-');
    let name: String = name.chars().filter(ignored).map(|c| c.to_ascii_lowercase()).collect();
    let mut aliases = ALIASES.split(' ');
    let mut name = name.as_str();
    while let (Some(alias), Some(meant)) = (aliases.next(), aliases.next()) {
        if alias == name {
            name = meant;
            break;
        }
    }
    match name {
        "any" => return Some(range('\0', char::MAX)),
        "ascii" => return Some(range('\0', '\x7f')),
        "assigned" => {
            let mut class = class("cn")?;
            class.negate();
            return Some(class);
        }
        _ => {}
    }
    let is = |key: &str| match name {
        "lc" => matches!(key, "lu" | "ll" | "lt"),
        // The group of a letter: the categories, which have two, that begin with it.
        _ if name.len() == 1 => key.len() == 2 && key != "yi" && key.starts_with(name),
        _ => key == name,
    };
    let mut found = None;
    for &(_, packed) in CLASSES.iter().filter(|(key, _)| is(key)) {
        add(packed, found.get_or_insert_with(ClassUnicode::empty));
    }
    if let Some(class) = found.as_mut().filter(|_| name == "c") {
        // The surrogates are in it. With a gap there, which no character is in, the class would not negate well.
        class.union(&range('\u{d7ff}', '\u{e000}'));
    }
    found
}

/// What `\w` means: letters, marks, digits, and what connects them.
pub(crate) fn word() -> ClassUnicode {
    let mut class = range('\u{200c}', '\u{200d}');
    for name in ["alphabetic", "m", "nd", "pc"] {
        class.union(&self::class(name).expect("build.rs packs it"));
    }
    class
}

pub(crate) fn contains(class: &ClassUnicode, c: char) -> bool {
    let ranges = class.ranges();
    let at = ranges.partition_point(|range| range.end() < c);
    ranges.get(at).is_some_and(|range| range.start() <= c)
}

/// Adds what differs from a character of the class only in case.
pub(crate) fn fold(class: &mut ClassUnicode) {
    let (mut numbers, mut first) = (Numbers(FOLDS), 0);
    let mut more = Vec::new();
    while let (Some(distance), Some(others)) = (numbers.next(), numbers.next()) {
        first += distance;
        let mut c = first;
        let mut set = vec![c];
        for _ in 0..others {
            c += numbers.next().unwrap_or_default();
            set.push(c);
        }
        let set = || set.iter().filter_map(|&c| char::from_u32(c));
        if set().any(|c| contains(class, c)) {
            more.extend(set());
        }
    }
    class.union(&ClassUnicode::new(more.into_iter().map(|c| ClassUnicodeRange::new(c, c))));
}

#[cfg(test)]
mod tests {
    use regex_syntax::hir::{Class, HirKind};

    use super::*;

    /// What the regex-syntax crate says the pattern means, a class.
    fn theirs(pattern: &str) -> ClassUnicode {
        match regex_syntax::parse(pattern).unwrap().into_kind() {
            HirKind::Class(Class::Unicode(class)) => class,
            HirKind::Literal(text) => {
                let c = std::str::from_utf8(&text.0).unwrap().chars().next().unwrap();
                range(c, c)
            }
            _ => panic!("{pattern} is no class"),
        }
    }

    fn assert_same(name: &str) {
        let found = |name: &str| class(name.split('=').next_back().unwrap()).unwrap();
        // Compared as they are, not in words: they would fill the screen.
        assert!(found(name) == theirs(&format!(r"\p{{{name}}}")), "{name}");
        let mut folded = found(name);
        fold(&mut folded);
        assert!(folded == theirs(&format!(r"(?i)[\p{{{name}}}]")), "{name} without case");
    }

    #[test]
    fn classes_are_those_of_the_regex_crate() {
        let groups = "L M N P S Z C LC Any ASCII Assigned Letter Other_Symbol gc=Nd script=Han Latn Space alpha";
        CLASSES.iter().map(|(name, _)| *name).chain(groups.split(' ')).for_each(assert_same);
    }

    #[test]
    fn every_alias_is_known_to_the_regex_crate_too() {
        ALIASES.split(' ').step_by(2).for_each(assert_same);
    }
}
