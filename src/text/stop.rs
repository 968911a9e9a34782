//! Stop strings in a text that arrives in pieces.

use crate::{Error, Result};

/// Most stop strings a generation may have, and the most bytes of one.
const MAX_STOPS: usize = 64;
const MAX_STOP_BYTES: usize = 4096;

/// One stop string with its Knuth-Morris-Pratt table: `fallback[n]` is the length of the longest
/// proper prefix that also ends the first `n` bytes.
#[derive(Clone, Debug)]
struct StopString {
    bytes: Vec<u8>,
    fallback: Vec<usize>,
    /// How many bytes at the end of the text so far are a beginning of this stop string.
    matched: usize,
}

impl StopString {
    fn new(text: &str) -> Self {
        let bytes = text.as_bytes().to_vec();
        let mut fallback = vec![0; bytes.len() + 1];
        let mut length = 0;
        for at in 1..bytes.len() {
            while length > 0 && bytes[at] != bytes[length] {
                length = fallback[length];
            }
            length += usize::from(bytes[at] == bytes[length]);
            fallback[at + 1] = length;
        }
        Self { bytes, fallback, matched: 0 }
    }

    /// True where this byte completes the stop string.
    fn advance(&mut self, byte: u8) -> bool {
        while self.matched > 0 && self.bytes[self.matched] != byte {
            self.matched = self.fallback[self.matched];
        }
        self.matched += usize::from(self.bytes[self.matched] == byte);
        self.matched == self.bytes.len()
    }
}

/// Lets text through that can no longer become part of a stop string, and holds the rest back.
///
/// The stop string that is complete first ends the text, wherever tokens happen to be cut; of several
/// that are complete at the same byte, the longest counts.
#[derive(Clone, Debug)]
pub struct StopStrings {
    patterns: Vec<StopString>,
    held: String,
    stopped: bool,
}

impl StopStrings {
    pub fn new(stops: &[String]) -> Result<Self> {
        if stops.len() > MAX_STOPS {
            return Err(Error::invalid(format!("stop: {} strings, at most {MAX_STOPS}", stops.len())));
        }
        if let Some(index) = stops.iter().position(String::is_empty) {
            return Err(Error::invalid(format!("stop[{index}]: an empty string, which would stop every text at once")));
        }
        if let Some(stop) = stops.iter().find(|stop| stop.len() > MAX_STOP_BYTES) {
            return Err(Error::invalid(format!("stop: a string of {} bytes, at most {MAX_STOP_BYTES}", stop.len())));
        }
        Ok(Self {
            patterns: stops.iter().map(|stop| StopString::new(stop)).collect(),
            held: String::new(),
            stopped: false,
        })
    }

    /// Takes more text, gives what may be shown.
    pub fn push(&mut self, text: &str) -> String {
        if self.stopped {
            return String::new();
        }
        let before = self.held.len();
        self.held.push_str(text);
        for (index, byte) in text.bytes().enumerate() {
            let mut found = 0;
            for pattern in &mut self.patterns {
                if pattern.advance(byte) {
                    found = found.max(pattern.bytes.len());
                }
            }
            if found > 0 {
                self.stopped = true;
                self.held.truncate(before + index + 1 - found);
                return std::mem::take(&mut self.held);
            }
        }
        let keep = self.patterns.iter().map(|pattern| pattern.matched).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        std::mem::replace(&mut self.held, rest)
    }

    /// The text is over: what was held back was no stop string after all.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Whether a stop string has ended the text.
    pub fn stopped(&self) -> bool {
        self.stopped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stops(list: &[&str]) -> StopStrings {
        StopStrings::new(&list.iter().map(|s| s.to_string()).collect::<Vec<_>>()).unwrap()
    }

    /// The whole text that is let through, and whether it was stopped.
    fn run(list: &[&str], pieces: &[&str]) -> (String, bool) {
        let mut stops = stops(list);
        let mut shown: String = pieces.iter().map(|piece| stops.push(piece)).collect();
        shown += &stops.finish();
        (shown, stops.stopped())
    }

    #[test]
    fn a_stop_string_over_several_pieces_is_never_shown() {
        assert_eq!(run(&["END"], &["abc E", "N", "D more"]), ("abc ".into(), true));
        assert_eq!(run(&["END"], &["abc E", "N", "x"]), ("abc ENx".into(), false));
        assert_eq!(run(&["END"], &["abc EN"]), ("abc EN".into(), false));
    }

    #[test]
    fn only_what_may_become_a_stop_string_is_held_back() {
        let mut stops = stops(&["aab"]);
        assert_eq!(stops.push("xaa"), "x");
        assert_eq!(stops.push("a"), "a");
        assert_eq!(stops.push("c"), "aac");
        assert_eq!(stops.push("aab"), "");
        assert!(stops.stopped());
        assert_eq!(stops.push("more"), "");
    }

    #[test]
    fn the_stop_string_complete_first_counts_however_the_text_is_cut() {
        for pieces in [&["abcd"][..], &["ab", "cd"], &["a", "b", "c", "d"]] {
            assert_eq!(run(&["abcd", "bc"], pieces), ("a".into(), true));
            assert_eq!(run(&["c", "abc"], pieces), ("".into(), true));
        }
    }

    #[test]
    fn characters_of_several_bytes_stay_whole() {
        // The stop string begins with the same byte as the characters let through.
        assert_eq!(run(&["éß"], &["è", "é", "é", "ß"]), ("èé".into(), true));
        assert_eq!(run(&["🙂🙃"], &["🙂", "🙂", "x"]), ("🙂🙂x".into(), false));
    }

    #[test]
    fn every_cut_of_a_text_gives_what_the_whole_gives() {
        let text = "aabaabaaabab";
        for list in [&["aabaaa"][..], &["abab", "baaab"], &["bb"]] {
            let whole = run(list, &[text]);
            for cut in 0..text.len() {
                for second in cut..text.len() {
                    assert_eq!(run(list, &[&text[..cut], &text[cut..second], &text[second..]]), whole);
                }
            }
        }
    }

    #[test]
    fn empty_and_absurd_stop_strings_are_refused() {
        for list in [vec![String::new()], vec!["x".repeat(5000)], vec!["x".to_owned(); 65]] {
            assert_eq!(StopStrings::new(&list).unwrap_err().code, crate::Code::InvalidArgument);
        }
    }
}
