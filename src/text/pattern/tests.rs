//! Against Oniguruma, by what Python's `tokenizers` makes of the same patterns (tests/reference/patterns/make.py).

use serde_json::Value;
use tokenizers::pattern::Pattern as _;

use super::Regex;
use crate::text::work::StepBudget;

/// What the pattern makes of a text as the file has it: the lengths of the parts, negative where it does not match.
fn pieces(regex: &Regex, text: &str) -> Vec<i64> {
    let work = StepBudget::of(text.len());
    let parts = regex.within(&work).find_matches(text).unwrap();
    let length = |&((start, end), found): &((usize, usize), bool)| {
        let count = text[start..end].chars().count() as i64;
        if found { count } else { -count }
    };
    parts.iter().map(length).filter(|&length| length != 0).collect()
}

#[test]
fn patterns_match_as_in_oniguruma_or_are_refused() {
    let file: Value = serde_json::from_str(include_str!("../../../tests/reference/patterns/patterns.json")).unwrap();
    let texts: Vec<&str> = file["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    let (mut wrong, mut refused, mut taken) = (Vec::new(), Vec::new(), 0);
    for case in file["cases"].as_array().unwrap() {
        let pattern = case["pattern"].as_str().unwrap();
        let regex = match (Regex::new(pattern), case.get("error")) {
            (Err(error), None) => {
                refused.push(format!("{pattern}: {error}"));
                continue;
            }
            (Err(_), Some(_)) => continue,
            (Ok(_), Some(error)) => {
                wrong.push(format!("{pattern} is taken: {error}"));
                continue;
            }
            (Ok(regex), None) => regex,
        };
        taken += 1;
        for (text, expected) in texts.iter().zip(case["pieces"].as_array().unwrap()) {
            let expected: Vec<i64> = expected.as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect();
            let found = pieces(&regex, text);
            if found != expected {
                wrong.push(format!("{pattern:?} in {text:?}:\n    {found:?}\n    {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    println!("{}", refused.join("\n"));
    // Spellings that no tokenizer of the hub's has: octal numbers, letters that are several without case, `\X`, `\K`.
    assert!(taken >= 305 && refused.len() <= 21, "{taken} taken, refused:\n{}", refused.join("\n"));
}

/// Where Unicode has given a character another class since, both may be right.
const NEWER: usize = 12;

#[test]
fn classes_have_the_characters_that_oniguruma_s_have() {
    let file: Value = serde_json::from_str(include_str!("../../../tests/reference/patterns/classes.json")).unwrap();
    for (pattern, ranges) in file.as_object().unwrap() {
        let regex = Regex::new(pattern).unwrap();
        let ends: Vec<u32> = ranges.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as u32).collect();
        let theirs = |code: u32| ends.chunks(2).any(|range| (range[0]..=range[1]).contains(&code));
        let ours = |code: u32| pieces(&regex, &char::from_u32(code).unwrap().to_string()) == [1];
        let differ: Vec<String> =
            (0..0x3000).filter(|&code| ours(code) != theirs(code)).map(|code| format!("{code:x}")).collect();
        assert!(differ.len() <= NEWER, "{pattern}: {}", differ.join(" "));
        assert!(differ.iter().all(|code| code.len() > 2), "{pattern}: {differ:?}");
    }
}

#[test]
fn a_pattern_that_costs_too_much_ends_in_an_error() {
    let text = "a".repeat(1 << 16);
    for pattern in [r"(?:a*)*b", r"(a|aa)+$b", r"[a-z]*x", r"(?<=a*b)a", r"(a*)\1+x", r"(?:a|b)*c"] {
        let regex = Regex::new(pattern).unwrap();
        let work = StepBudget::of(text.len());
        assert!(regex.within(&work).find_matches(&text).is_err() && work.spent(), "{pattern}");
    }
}

#[test]
fn what_is_too_large_or_too_deep_is_refused() {
    for pattern in [
        "(((a{1,99}){1,99}){1,99}){1,99}",
        &"(".repeat(9999),
        &"[".repeat(9999),
        &"(?i)".repeat(9999),
        "(a{9999}){9999}",
    ] {
        assert!(Regex::new(pattern).is_err());
    }
}

#[test]
fn as_many_groups_and_classes_stand_beside_each_other_as_may_be_but_few_in_each_other() {
    assert!(Regex::new(&"([a-c[d]]|(?i:e))".repeat(150)).is_ok());
    let nested = |count: usize| format!("{}a{}", "(".repeat(count), ")".repeat(count));
    assert!(Regex::new(&nested(99)).is_ok());
    assert!(Regex::new(&nested(100)).is_err());
    let classes = |count: usize| format!("{}a{}", "[".repeat(count), "]".repeat(count));
    assert!(Regex::new(&classes(99)).is_ok());
    assert!(Regex::new(&classes(100)).is_err());
}
