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

/// The same with its colours left in, and taken back at its end.
pub(crate) fn clean_coloured(text: &str, limit: usize) -> String {
    let mut kept = Vec::new();
    let mut collector = Coloured {
        printable: Printable {
            kept: &mut kept,
            limit,
        },
        colours: Vec::new(),
    };
    vte::Parser::new().advance(&mut collector, text.as_bytes());
    let colours = collector.colours;
    let mut text = String::with_capacity(kept.len());
    let mut next = colours.iter().peekable();
    for (place, c) in kept.iter().enumerate() {
        while let Some((_, colour)) = next.next_if(|(at, _)| *at <= place) {
            text.push_str(colour);
        }
        text.push(*c);
    }
    if !colours.is_empty() {
        text.push_str("\x1b[0m");
    }
    text
}

/// So many changes of colour are kept in one text.
const COLOURS: usize = 1024;

struct Coloured<'a> {
    printable: Printable<'a>,
    /// Before which character.
    colours: Vec<(usize, String)>,
}

impl vte::Perform for Coloured<'_> {
    fn print(&mut self, c: char) {
        self.printable.print(c);
    }

    fn execute(&mut self, byte: u8) {
        self.printable.execute(byte);
    }

    fn csi_dispatch(&mut self, params: &vte::Params, intermediates: &[u8], ignore: bool, c: char) {
        let full = self.printable.kept.len() >= self.printable.limit;
        if c != 'm' || !intermediates.is_empty() || ignore || full || self.colours.len() >= COLOURS
        {
            return;
        }
        let mut words = Vec::new();
        let mut params = params.iter();
        while let Some(param) = params.next() {
            // What is written as invisible was not written to be seen; a number of a colour is
            // no such order.
            let first = param.first().copied().unwrap_or(0);
            if first == 8 {
                continue;
            }
            words.push(joined(param));
            if matches!(first, 38 | 48 | 58) && param.len() == 1 {
                let kind = params.next();
                let more = match kind.and_then(|kind| kind.first()) {
                    Some(5) => 1,
                    Some(2) => 3,
                    Some(_) | None => 0,
                };
                words.extend(kind.into_iter().map(joined));
                words.extend(params.by_ref().take(more).map(joined));
            }
        }
        if !words.is_empty() {
            let colour = format!("\x1b[{}m", words.join(";"));
            self.colours.push((self.printable.kept.len(), colour));
        }
    }
}

fn joined(param: &[u16]) -> String {
    let numbers: Vec<String> = param.iter().map(u16::to_string).collect();
    numbers.join(":")
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
    use super::{clean, clean_coloured};

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

    #[test]
    fn colours_stay_where_they_are_wanted_and_nothing_else() {
        for (text, expected) in [
            ("plain", "plain"),
            (
                "a\u{1b}[31mred\u{1b}[0m b",
                "a\u{1b}[31mred\u{1b}[0m b\u{1b}[0m",
            ),
            ("\u{1b}[1;38;5;8mgrey", "\u{1b}[1;38;5;8mgrey\u{1b}[0m"),
            ("\u{1b}[38;2;8;8;8;8mx", "\u{1b}[38;2;8;8;8mx\u{1b}[0m"),
            ("\u{1b}[38:2::1:2:3mx", "\u{1b}[38:2:0:1:2:3mx\u{1b}[0m"),
            ("\u{1b}[8mhidden", "hidden"),
            ("\u{1b}[?1049h\u{1b}[2J\u{1b}[>4;2mx\u{1b}]0;t\u{7}y", "xy"),
            ("\u{1b}[31m", "\u{1b}[0m"),
        ] {
            assert_eq!(clean_coloured(text, 100), expected, "{text:?}");
        }
        assert_eq!(
            clean_coloured("ab\u{1b}[31mcdef", 4),
            "ab\u{1b}[31mc…\u{1b}[0m"
        );
        assert!(clean_coloured(&"\u{1b}[31mx".repeat(1 << 16), 1 << 16).len() < 1 << 17);
    }
}
