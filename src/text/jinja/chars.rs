//! Characters as Python sorts them.

/// Python's `isspace`.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// What `splitlines` ends a line at.
pub(crate) fn ends_line(c: char) -> bool {
    matches!(c, '\n' | '\x0b' | '\x0c' | '\r' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_python_s_do_and_spaces_are_python_s() {
        let all = |is: fn(char) -> bool| ('\0'..=char::MAX).filter(|c| is(*c)).map(u32::from).collect::<Vec<_>>();
        // [ord(c) for c in map(chr, range(0x110000)) if len(('a' + c + 'b').splitlines()) == 2]
        assert_eq!(all(ends_line), [10, 11, 12, 13, 28, 29, 30, 133, 8232, 8233]);
        // [ord(c) for c in map(chr, range(0x110000)) if c.isspace()]
        let spaces: Vec<u32> = (9..=13)
            .chain(28..=32)
            .chain([133, 160, 5760])
            .chain(8192..=8202)
            .chain([8232, 8233, 8239, 8287, 12288])
            .collect();
        assert_eq!(all(is_space), spaces);
    }
}
