//! Mistakes that a kernel's text could have, made by rule: in each line a comparison, a sign, a limit, a number or a
//! component is another one.

use azulejo::device::gpu::{Extras, Kernel};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// One change of one file's text, as build.rs has left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Below `shaders/`, without its ending.
    pub file: String,
    /// Counted from 0, and the line before and after.
    pub at: usize,
    pub line: String,
    pub wrong: String,
}

impl Mistake {
    pub fn label(&self) -> String {
        format!("{}: {}  →  {}", self.file, self.line, self.wrong)
    }

    /// The file's text, right and wrong.
    pub fn texts(&self) -> (String, String) {
        let text = fs::read_to_string(format!("{}/{}.wgsl", folder(), self.file)).unwrap();
        let wrong = text.lines().enumerate().map(|(at, line)| if at == self.at { &*self.wrong } else { line });
        let wrong = wrong.flat_map(|line| [line, "\n"]).collect();
        (text, wrong)
    }
}

/// Mistakes that change nothing that anybody can see: of each file, right lines and what they become.
#[derive(Deserialize)]
pub struct Equivalent {
    proof: String,
    mistakes: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

impl Equivalent {
    pub fn is(&self, mistake: &Mistake) -> bool {
        assert!(!self.proof.is_empty());
        let wrongs = self.mistakes.get(&mistake.file).and_then(|lines| lines.get(&mistake.line));
        wrongs.is_some_and(|wrongs| wrongs.contains(&mistake.wrong))
    }

    /// Those of its own that nobody makes any more.
    pub fn missing<'a>(&'a self, all: &'a [Mistake]) -> impl Iterator<Item = String> + 'a {
        let lines = self.mistakes.iter().flat_map(|(file, lines)| lines.iter().map(move |line| (file, line)));
        let each = lines.flat_map(|(file, (line, wrongs))| wrongs.iter().map(move |wrong| (file, line, wrong)));
        each.filter(|(file, line, wrong)| {
            !all.iter().any(|one| one.file == **file && one.line == **line && one.wrong == **wrong)
        })
        .map(|(file, line, wrong)| format!("{file}: {line}  →  {wrong}"))
    }
}

/// Whether WGSL's rules let the first kernel pass that has the text.
pub fn compiles(right: &str, wrong: &str) -> bool {
    use wgpu::naga;
    let extras = |[subgroups, inexact_halves]: [bool; 2]| Extras {
        subgroups,
        inexact_halves,
        integer_dot: true,
        ..Extras::default()
    };
    let source = |kernel: &Kernel| {
        let ways = [[true, false], [false, false], [true, true]];
        ways.into_iter().map(|way| kernel.source(extras(way), false)).find(|source| source.contains(right))
    };
    let source = Kernel::all().iter().find_map(source).expect("a kernel of that text");
    let Ok(module) = naga::front::wgsl::parse_str(&source.replacen(right, wrong, 1)) else { return false };
    let mut validator =
        naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::all());
    validator.validate(&module).is_ok()
}

fn folder() -> &'static str {
    concat!(env!("OUT_DIR"), "/shaders")
}

/// All of them, file by file.
pub fn mistakes() -> Vec<Mistake> {
    let mut texts = BTreeMap::new();
    for below in ["", "formats", "caches", "halves"] {
        for entry in fs::read_dir(Path::new(folder()).join(below)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.file_stem().unwrap().to_str().unwrap();
                let file = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
                texts.insert(file, fs::read_to_string(path).unwrap());
            }
        }
    }
    // A device that is worse than any here: no kernel of a page has it.
    texts.remove("halves/poor");
    let mut all = Vec::new();
    for (file, text) in texts {
        for (at, line) in text.lines().enumerate() {
            let of = |wrong| Mistake { file: file.clone(), at, line: line.to_owned(), wrong };
            all.extend(wrongs(line).into_iter().map(of));
        }
    }
    all
}

/// What a word between spaces, or a call, becomes.
const INSTEAD: [(&str, &str); 17] = [
    (" < ", " <= "),
    (" <= ", " < "),
    (" > ", " >= "),
    (" >= ", " > "),
    (" == ", " != "),
    (" != ", " == "),
    (" + ", " - "),
    (" - ", " + "),
    (" += ", " -= "),
    (" / ", " * "),
    (" % ", " / "),
    (" << ", " >> "),
    (" >> ", " << "),
    (" && ", " || "),
    (" & ", " | "),
    ("max(", "min("),
    ("min(", "max("),
];

/// Declarations that Rust goes by, or that hold no number of ours.
fn is_declaration(line: &str) -> bool {
    ["@", "struct ", "var<workgroup>", "alias ", "enable "].iter().any(|start| line.starts_with(start))
}

fn wrongs(line: &str) -> Vec<String> {
    if is_declaration(line) {
        return Vec::new();
    }
    let mut wrongs = Vec::new();
    // A loop that never ends is noticed, but only after half a minute.
    let endless = |from: &str| from == " += " && line.starts_with("for (");
    for (from, to) in INSTEAD.into_iter().filter(|(from, _)| !endless(from)) {
        for (at, _) in line.match_indices(from) {
            wrongs.push(format!("{}{to}{}", &line[..at], &line[at + from.len()..]));
        }
    }
    wrongs.extend(other_numbers(line));
    for (from, to) in [(".x", ".y"), (".y", ".x"), (".z", ".w"), (".w", ".z")] {
        let ends = |at: usize| !line[at + 2..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        for (at, _) in line.match_indices(from).filter(|(at, _)| ends(*at)) {
            wrongs.push(format!("{}{to}{}", &line[..at], &line[at + 2..]));
        }
    }
    wrongs
}

/// Whole numbers one larger, others a hundredth.
fn other_numbers(line: &str) -> Vec<String> {
    let bytes = line.as_bytes();
    let (mut wrongs, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let starts = bytes[at].is_ascii_digit() && (at == 0 || !is_word(bytes[at - 1]));
        let mut end = at + 1;
        if starts {
            let exponent = |end: usize| matches!(bytes[end - 1], b'e' | b'E') && matches!(bytes[end], b'-' | b'+');
            while end < bytes.len() && (is_word(bytes[end]) || bytes[end] == b'.' || exponent(end)) {
                end += 1;
            }
            let wrong = other_number(&line[at..end]);
            wrongs.extend(wrong.map(|wrong| format!("{}{wrong}{}", &line[..at], &line[end..])));
        }
        at = end;
    }
    wrongs
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn other_number(number: &str) -> Option<String> {
    if let Some(hex) = number.strip_prefix("0x") {
        let value = u32::from_str_radix(hex.trim_end_matches('u'), 16).ok()?;
        // One bit of a mask.
        return Some(format!("{:#x}u", value >> 1));
    }
    match number.strip_suffix('u') {
        Some(whole) => Some(format!("{}u", whole.parse::<u32>().ok()? + 1)),
        None if number.contains(['.', 'e']) => {
            let value: f64 = number.parse().ok()?;
            Some(if value == 0.0 { "1.0".to_owned() } else { format!("{:?}", value * 1.01) })
        }
        None => Some((number.parse::<u32>().ok()? + 1).to_string()),
    }
}
