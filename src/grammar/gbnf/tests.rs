use super::parser::{Expr, parse};
use super::to_lark;
use crate::{Tokenize, Vocabulary};
use std::collections::BTreeSet;

/// The end of a text, after a token for each byte.
const END: u32 = 256;

struct NoTokenizer;

impl Tokenize for NoTokenizer {
    fn tokens(&self, _: &str) -> Option<Vec<u32>> {
        None
    }
}

/// A token for each byte, and one for the end.
fn bytes() -> Vocabulary {
    let all: Vec<u8> = (0..=255).chain(*b"</s>").collect();
    let ends: Vec<u32> = (1..=256).chain([260]).collect();
    Vocabulary::new(&all, &ends, &[END], &[END], NoTokenizer).unwrap()
}

/// Whether the grammar takes the text, a byte at a time.
fn takes(vocabulary: &Vocabulary, grammar: &str, text: &str) -> bool {
    let mut constraint = vocabulary.constraint("gbnf", grammar).unwrap();
    let may = |allowed: Vec<u32>, id: u32| allowed[id as usize / 32] >> (id % 32) & 1 == 1;
    for byte in text.bytes() {
        if constraint.is_over() || !may(constraint.allowed().unwrap(), byte.into()) {
            return false;
        }
        constraint.take(byte.into(), false).unwrap();
    }
    constraint.is_over() || may(constraint.allowed().unwrap(), END)
}

/// Where a rule's text may end, by where it begins: found by trying until nothing is new.
fn ends(rules: &[Expr], text: &[char]) -> Vec<Vec<BTreeSet<usize>>> {
    fn of(expr: &Expr, at: usize, text: &[char], known: &[Vec<BTreeSet<usize>>]) -> BTreeSet<usize> {
        match expr {
            Expr::Chars(set) => text
                .get(at)
                .filter(|char| set.meets(&super::CharSet::one(**char)))
                .map(|_| at + 1)
                .into_iter()
                .collect(),
            Expr::Rule(rule) => known[*rule][at].clone(),
            Expr::Seq(parts) => parts.iter().fold(BTreeSet::from([at]), |starts, part| {
                starts.into_iter().flat_map(|at| of(part, at, text, known)).collect()
            }),
            Expr::Alt(parts) => parts.iter().flat_map(|part| of(part, at, text, known)).collect(),
            Expr::Repeat(expr, least, most) => {
                let (mut all, mut starts) = (BTreeSet::new(), BTreeSet::from([at]));
                for count in 0..=most.unwrap_or(*least + text.len() as u32 + 1) {
                    if count >= *least {
                        all.extend(&starts);
                    }
                    starts = starts.into_iter().flat_map(|at| of(expr, at, text, known)).collect();
                }
                all
            }
        }
    }
    let mut known = vec![vec![BTreeSet::new(); text.len() + 1]; rules.len()];
    loop {
        let before = known.clone();
        for (rule, expr) in rules.iter().enumerate() {
            for (at, ends) in known[rule].iter_mut().enumerate() {
                ends.extend(of(expr, at, text, &before));
            }
        }
        if known == before {
            return known;
        }
    }
}

fn belongs(rules: &[Expr], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    ends(rules, &text)[0][0].contains(&text.len())
}

/// All texts of these characters, up to a length.
fn texts(chars: &[char], longest: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..longest {
        last = last.iter().flat_map(|text| chars.iter().map(move |char| format!("{text}{char}"))).collect();
        all.extend(last.clone());
    }
    all
}

/// The same as the grammar's own words say, of all short texts.
fn agrees(vocabulary: &Vocabulary, grammar: &str, chars: &[char], longest: usize) {
    let rules = parse(grammar).unwrap();
    for text in texts(chars, longest) {
        let expected = belongs(&rules, &text);
        assert_eq!(
            takes(vocabulary, grammar, &text),
            expected,
            "{text:?} by\n{grammar}\nas\n{}",
            to_lark(grammar).unwrap()
        );
    }
}

#[test]
fn what_is_taken_is_what_the_grammar_says() {
    let vocabulary = bytes();
    for grammar in [
        "root ::= \"a\" \"b\"* | \"ba\"",
        "root ::= (\"a\" | \"b\" | \"\")\n",
        "root ::= [^a]{2} .? # two others\n",
        // What a word could be lengthened by follows it.
        "root ::= x \"b\" | \"(\" root \")\"\nx ::= [ab]+",
        "root ::= \"a\" | \"a\" root \"b\"",
        "root ::= \"a\" root | \"ab\" root | \"b\"",
        "root ::= w \"b\" root | w\nw ::= \"a\" | \"ab\" | \"aba\"",
        "root ::= (\"a\" root \"b\")?",
        "root ::= \"a\"? root2 \"a\"?\nroot2 ::= \"b\" root2 | \"\"",
        // Left recursion, empty loops.
        "root ::= root \"a\" | \"b\"",
        "root ::= (x?)* \"b\"\nx ::= \"a\" x | \"\"",
        "root ::= (\"a\" |\n  \"b\" root)\n\nunused ::= \"c\"",
    ] {
        agrees(&vocabulary, grammar, &['a', 'b', '('], 5);
    }
}

#[test]
fn random_grammars_are_taken_as_they_are() {
    let vocabulary = bytes();
    let mut seed = 7u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) % below
    };
    fn expr(random: &mut impl FnMut(u64) -> u64, depth: u64) -> String {
        let kind = if depth == 0 { random(4) } else { random(9) };
        let inner = |random: &mut _| expr(random, depth - 1);
        match kind {
            0 => "\"a\"".to_owned(),
            1 => "\"b\"".to_owned(),
            2 => ["\"ab\"", "[ab]", "\"\"", "\"ba\""][random(4) as usize].to_owned(),
            3 => ["root", "x", "y"][random(3) as usize].to_owned(),
            4 | 5 => format!("{} {}", inner(random), inner(random)),
            6 | 7 => format!("({} | {})", inner(random), inner(random)),
            _ => format!("({}){}", inner(random), ["*", "+", "?", "{2}"][random(4) as usize]),
        }
    }
    for _ in 0..150 {
        let [root, x, y] = [3, 2, 2].map(|depth| expr(&mut random, depth));
        // Without an end to it, a grammar has no text: llguidance refuses it.
        let grammar = format!("root ::= {root}\nx ::= {x} | \"b\"\ny ::= \"a\" | {y}\n");
        if texts(&['a', 'b'], 4).iter().any(|text| belongs(&parse(&grammar).unwrap(), text)) {
            agrees(&vocabulary, &grammar, &['a', 'b'], 4);
        }
    }
}

#[test]
fn llama_cpp_s_own_json_is_taken() {
    let json = r#"
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::=
  "{" ws (
            string ":" ws value
    ("," ws string ":" ws value)*
  )? "}" ws
array  ::=
  "[" ws (
            value
    ("," ws value)*
  )? "]" ws
string ::=
  "\"" (
    [^"\\\x7F\x00-\x1F] |
    "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) # escapes
  )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
# Optional space: by convention, applied in this grammar after literal chars when allowed
ws ::= | " " | "\n" [ \t]{0,20}
"#;
    let vocabulary = bytes();
    for (text, expected) in [
        (r#"{"a": [1, -2.5e3, {"b\u00e9": "c\n é"}], "d": null}"#, true),
        ("{}\n\t", true),
        (r#"{"a": 01}"#, false),
        (r#"{"a": 1,}"#, false),
        (r#"["a"]"#, false),
    ] {
        assert_eq!(takes(&vocabulary, json, text), expected, "{text}");
        assert_eq!(belongs(&parse(json).unwrap(), text), expected, "{text}");
    }
    // A word each: none has to be taken apart.
    assert!(to_lark(json).unwrap().matches("\nW").count() < 16, "{}", to_lark(json).unwrap());
}

#[test]
fn much_and_many_times_nothing_are_read_at_once() {
    let vocabulary = bytes();
    let some = "x".repeat(400);
    for (grammar, text, expected) in [
        ("root ::= \"\\\"\" [^\"]{0,500} \"\\\"\"", &*format!("\"{some}\""), true),
        ("root ::= [^\\n]{1,2000}", &some, true),
        ("root ::= [^\\n]{1,2000}", "x\n", false),
        // Words that may be followed by their own characters, in a rule that comes back to itself.
        ("root ::= \"(\" root* [a-z]{0,500} \")\"", "((ab)(c)de)", true),
        ("root ::= \"(\" root* [a-z]{0,500} \")\"", "((ab)c(d)e)", false),
        ("root ::= (((\"\"{2000}){2000}){2000}){2000} \"a\"", "a", true),
        ("root ::= (((\"b\"{0}){2000}){2000}){2000} \"a\"", "a", true),
        ("root ::= x{0} \"b\"\nx ::= \"(\" x \")\" | \"a\"", "b", true),
    ] {
        assert_eq!(takes(&vocabulary, grammar, text), expected, "{grammar}: {text}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (grammar, expected) in [
        ("", "\"root\" is missing"),
        ("x ::= \"a\"", "\"root\" is missing"),
        ("root ::= y", "\"y\" is missing"),
        ("root ::= \"a", "a character"),
        ("root ::= (\"a\"", "\")\""),
        ("root ::= \"a\")", "a line's end"),
        ("root ::= \"a\"\nroot ::= \"b\"", "twice"),
        ("root = \"a\"", "\"::=\""),
        ("root ::= [b-a]", "empty"),
        ("root ::= []", "without characters"),
        ("root ::= \"a\"{3,2}", "repetition"),
        ("root ::= \"a\"{99999}", "repetition"),
        ("root ::= \"a\"{x}", "a number"),
        ("root ::= \"\\q\"", "an escape"),
        ("root ::= \"\\xg0\"", "2 hexadecimal"),
        ("root ::= \"\\uD800\"", "4 hexadecimal"),
        ("root ::= <think>", "tokens"),
        ("root ::= ((\"a\"{2000}){2000}){2000}", "characters"),
        ("root ::= \"a\"?????", "repetitions of each other"),
    ] {
        let error = to_lark(grammar).unwrap_err();
        assert!(error.contains(expected), "{grammar}: {error}");
    }
    let deep = format!("root ::= {}\"a\"{}", "(".repeat(300), ")".repeat(300));
    assert!(to_lark(&deep).unwrap_err().contains("nested"));
    let doubling: String = (0..40).map(|rule| format!("r{rule} ::= r{} r{}\n", rule + 1, rule + 1)).collect();
    assert!(to_lark(&format!("root ::= r0\n{doubling}r40 ::= \"a\"")).unwrap_err().contains("too large"));
}
