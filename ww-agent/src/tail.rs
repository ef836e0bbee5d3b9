//! The last lines that scripts and services printed, for whoever asks later what was said.

use std::collections::VecDeque;

use crate::log;
use crate::output::Writer;

/// The most bytes kept.
const BYTES: usize = 16 * 1024;
/// The most lines given.
const LINES: usize = 60;
/// The most characters of a line given.
const LINE: usize = 240;

/// The end of everything that was printed. Nothing is allocated before something is.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    bytes: VecDeque<u8>,
    /// Whether the beginning was cut off.
    cut: bool,
    /// Whose line is not finished.
    open_line: Option<Writer>,
}

impl Tail {
    /// Something was printed.
    pub(crate) fn feed(&mut self, writer: Writer, bytes: &[u8]) {
        let Some(last) = bytes.last() else {
            return;
        };
        if self.open_line.is_some_and(|other| other != writer) {
            self.push(b"\n");
        }
        self.push(bytes);
        self.open_line = (*last != b'\n').then_some(writer);
    }

    fn push(&mut self, bytes: &[u8]) {
        let kept = &bytes[bytes.len().saturating_sub(BYTES)..];
        let beyond = (self.bytes.len() + kept.len()).saturating_sub(BYTES);
        self.cut |= beyond > 0 || kept.len() < bytes.len();
        self.bytes.drain(..beyond.min(self.bytes.len()));
        self.bytes.extend(kept);
    }

    /// The last lines, oldest first, fit to be shown.
    pub(crate) fn lines(&self) -> Vec<String> {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let mut lines: Vec<String> = text
            .lines()
            .rev()
            .map(|line| log::plain(line, LINE))
            .filter(|line| !line.is_empty())
            .take(LINES + 1)
            .collect();
        // What the first line began with may be gone.
        if lines.len() > LINES || (self.cut && lines.len() > 1) {
            lines.pop();
        }
        lines.reverse();
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_whole_lines_are_kept_and_writers_apart() {
        let mut tail = Tail::default();
        assert!(tail.lines().is_empty());
        tail.feed(Writer::Pipe(1), b"half");
        tail.feed(Writer::Pipe(1), b" whole\nopen");
        tail.feed(Writer::Pipe(2), b"other\x1b[2J\n\n");
        assert_eq!(tail.lines(), ["half whole", "open", "other[2J"]);
        for number in 0..10_000 {
            tail.feed(Writer::Pipe(1), format!("line {number}\n").as_bytes());
        }
        let lines = tail.lines();
        assert_eq!(lines.len(), LINES);
        assert_eq!(lines[0], "line 9940");
        assert_eq!(lines[LINES - 1], "line 9999");
    }

    #[test]
    fn a_flood_without_lines_is_bounded() {
        let mut tail = Tail::default();
        for _ in 0..100 {
            tail.feed(Writer::Pipe(1), &[b'x'; 8192]);
        }
        tail.feed(Writer::Pipe(1), &vec![0xff; 3 * BYTES]);
        assert!(tail.bytes.len() <= BYTES && tail.bytes.capacity() <= 2 * BYTES);
        let lines = tail.lines();
        assert_eq!((lines.len(), lines[0].chars().count()), (1, LINE));
    }
}
