//! Texts that are longer than a model reads at once, in windows that overlap.

use std::ops::Range;

/// A part of a text that is read at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its tokens' places in the text.
    pub tokens: Range<usize>,
    /// Of them, those that it answers for: all of them stand deeper in it than in any other.
    pub answers: Range<usize>,
}

/// A text of `len` tokens in windows of at most `room`, of which each shares a quarter with the next. A text without tokens
/// has one window.
pub fn windows(len: usize, room: usize) -> Vec<Window> {
    let room = room.max(1);
    let shared = room / 4;
    let mut windows = vec![Window { tokens: 0..len.min(room), answers: 0..len.min(room) }];
    while let Some(last) = windows.last_mut().filter(|last| last.tokens.end < len) {
        let start = last.tokens.end - shared;
        let middle = start + shared / 2;
        last.answers.end = middle;
        let end = len.min(start + room);
        windows.push(Window { tokens: start..end, answers: middle..end });
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_answer_for_every_token_once() {
        for (len, room) in [(0, 5), (5, 5), (6, 5), (37, 8), (100, 9), (7, 1), (3, 0)] {
            let windows = windows(len, room);
            let answered: Vec<usize> = windows.iter().flat_map(|window| window.answers.clone()).collect();
            assert_eq!(answered, (0..len).collect::<Vec<_>>(), "{len} tokens, {room} at once");
            for Window { tokens, answers } in &windows {
                assert!(tokens.len() <= room.max(1) && tokens.start <= answers.start && answers.end <= tokens.end);
            }
        }
    }

    #[test]
    fn tokens_are_answered_for_by_the_window_in_which_they_stand_deepest() {
        let window = |tokens: Range<usize>, answers: Range<usize>| Window { tokens, answers };
        assert_eq!(windows(8, 8), [window(0..8, 0..8)]);
        assert_eq!(windows(20, 8), [window(0..8, 0..7), window(6..14, 7..13), window(12..20, 13..20)]);
    }
}
