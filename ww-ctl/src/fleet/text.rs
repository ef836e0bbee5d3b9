//! Text that somebody else wrote, made fit for a terminal.

/// A text of at most `limit` characters without anything a terminal could take for a command:
/// escape sequences and other control characters, direction marks and invisible characters go,
/// line ends and tabs become a space.
pub(crate) fn clean(text: &str, limit: usize) -> String {
    let mut kept = Vec::new();
    let mut collector = Printable {
        kept: &mut kept,
        limit,
    };
    let mut parser = vte::Parser::new();
    // Whole sequences must go, not only their first byte: `ESC ] 0 ; title BEL` is no text at all.
    parser.advance(&mut collector, text.as_bytes());
    kept.into_iter().collect()
}

struct Printable<'a> {
    kept: &'a mut Vec<char>,
    limit: usize,
}

impl Printable<'_> {
    fn keep(&mut self, c: char) {
        if self.kept.len() < self.limit {
            self.kept.push(c);
        } else if let Some(last) = self.kept.last_mut() {
            *last = '…';
        }
    }
}

impl vte::Perform for Printable<'_> {
    fn print(&mut self, c: char) {
        if !is_deceptive(c) {
            self.keep(c);
        }
    }

    fn execute(&mut self, byte: u8) {
        if matches!(byte, b'\n' | b'\r' | b'\t') && self.kept.last() != Some(&' ') {
            self.keep(' ');
        }
    }
}

/// Characters that print nothing but change what is seen around them.
pub(crate) const fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn nothing_a_terminal_would_obey_is_left() {
        for (text, expected) in [
            ("plain é 漢 🐳", "plain é 漢 🐳"),
            ("a\u{1b}[31mred\u{1b}[0m", "ared"),
            ("a\u{1b}]0;title\u{7}b", "ab"),
            ("a\u{1b}]52;c;aGk=\u{1b}\\b", "ab"),
            ("a\u{1b}Pq#0\u{1b}\\b", "ab"),
            ("a\u{9b}31mb", "a31mb"),
            ("a\r\n\tb", "a b"),
            ("a\u{202e}b\u{200b}c\u{2066}d", "abcd"),
            ("bell\u{7}, del\u{7f}", "bell, del"),
            ("\u{1b}[", ""),
        ] {
            assert_eq!(clean(text, 100), expected, "{text:?}");
        }
        assert_eq!(clean("abcdef", 4), "abc…");
        assert_eq!(clean(&"x".repeat(1 << 20), 10).chars().count(), 10);
    }
}
