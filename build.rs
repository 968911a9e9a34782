//! What is made smaller before it is compiled in: shaders and Unicode's tables.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=shaders");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("unicode.rs"), unicode())?;
    ["", "formats", "caches", "halves"]
        .iter()
        .try_for_each(|folder| copy(&Path::new("shaders").join(folder), Path::new(&out)))
}

/// Copies the files of one folder to the same place below `out`, without what only people read: comments and
/// indentation would cost every page its bytes.
fn copy(folder: &Path, out: &Path) -> io::Result<()> {
    fs::create_dir_all(out.join(folder))?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            let text = fs::read_to_string(&path)?;
            let code = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
            let lines: String = code.filter(|line| !line.is_empty()).flat_map(|line| [line, "\n"]).collect();
            fs::write(out.join(&path), lines)?;
        }
    }
    Ok(())
}

/// The classes of characters that patterns can name (src/text/pattern/unicode.rs): general categories but for the
/// groups of them, other properties, and the scripts of today's languages.
const CLASSES: &str = "
    Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn
    Alphabetic Lowercase Uppercase White_Space Ideographic Emoji Emoji_Presentation Extended_Pictographic
    Common Inherited Latin Greek Cyrillic Armenian Georgian Hebrew Arabic Syriac Thaana Ethiopic Tifinagh Nko Adlam
    Han Hiragana Katakana Bopomofo Hangul Yi Mongolian Tibetan Thai Lao Khmer Myanmar Javanese Balinese Cherokee
    Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu Kannada Malayalam Sinhala Canadian_Aboriginal
";

/// Rust for `CLASSES`, each with its ranges as pairs of numbers, the distance from the end of the range before and
/// the length less one; and for `FOLDS`, the sets of characters that are equal but for their case, each as the distance
/// of its first character from that of the set before, the count of the others and the distance of each from the one
/// before it. The regex-syntax crate has the same in 300 kB of tables, 90 kB of them after compression.
fn unicode() -> String {
    let mut code = String::from("static CLASSES: &[(&str, &[u8])] = &[\n");
    for name in CLASSES.split_whitespace() {
        let (mut numbers, mut end) = (Vec::new(), 0);
        for (first, last) in ranges(name) {
            numbers.extend([first - end, last - first]);
            end = last;
        }
        let name = name.replace('_', "").to_lowercase();
        writeln!(code, "({name:?}, &{:?}),", packed(&numbers)).expect("a string takes it");
    }
    writeln!(code, "];\nstatic FOLDS: &[u8] = &{:?};", packed(&folds())).expect("a string takes it");
    code
}

/// The ranges of a class's characters, first and last.
fn ranges(name: &str) -> Vec<(u32, u32)> {
    let parsed = regex_syntax::parse(&format!(r"\p{{{name}}}")).expect("the crate knows it");
    match parsed.into_kind() {
        HirKind::Class(Class::Unicode(class)) => {
            class.iter().map(|range| (u32::from(range.start()), u32::from(range.end()))).collect()
        }
        // A class of one character.
        HirKind::Literal(text) => {
            let text = String::from_utf8(text.0.into()).expect("a class of characters");
            text.chars().map(|c| (u32::from(c), u32::from(c))).collect()
        }
        _ => panic!("{name} is no class"),
    }
}

fn folds() -> Vec<u32> {
    let (mut numbers, mut before) = (Vec::new(), 0);
    for c in '\0'..=char::MAX {
        let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
        class.case_fold_simple();
        let set: Vec<u32> = class.iter().flat_map(|range| u32::from(range.start())..=u32::from(range.end())).collect();
        if set.len() > 1 && set[0] == u32::from(c) {
            numbers.extend([set[0] - before, set.len() as u32 - 1]);
            numbers.extend(set.windows(2).map(|pair| pair[1] - pair[0]));
            before = set[0];
        }
    }
    numbers
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn packed(numbers: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for &number in numbers {
        let mut rest = number;
        while rest > 127 {
            bytes.push(rest as u8 | 128);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    bytes
}
