//! One line, as it is shown, written or recorded.

use jiff::Timestamp;
use serde_json::{Map, json};

use crate::commands::record;
use crate::engine::{LogLine, LogSource};
use crate::fleet::{ContainerKey, clean, clean_coloured};
use crate::output::Output;

/// The longest line shown on a terminal, in characters.
const LINE: usize = 16 * 1024;

/// Whose lines they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub key: ContainerKey,
    pub name: String,
    /// The same with its host, where there are several.
    pub called: String,
    /// What stands before each; empty for nothing.
    pub prefix: String,
}

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// For a terminal: without anything it would obey but colours.
    Shown,
    /// For a file or a pipe: every byte as it was written.
    Written,
    /// As JSON.
    Recorded,
}

/// Makes lines of what comes. A long one comes in pieces.
pub(super) struct Printer {
    output: Output,
    form: Form,
    timestamps: bool,
    /// Whose line was written last and has not ended.
    open: Option<(usize, LogSource)>,
    /// Of whose lines a piece was told already: on the standard output, on the standard error.
    begun: Vec<[bool; 2]>,
}

impl Printer {
    pub(super) fn new(output: Output, form: Form, timestamps: bool, owners: usize) -> Self {
        Self {
            output,
            form,
            timestamps,
            open: None,
            begun: vec![[false; 2]; owners],
        }
    }

    /// The output of this owner is read from where it was left on: what was cut off there by an end is
    /// not gone on with.
    pub(super) fn begins(&mut self, index: usize) {
        self.begun[index] = [false; 2];
    }

    /// What to print of the next line or piece, of the owner with this number.
    pub(super) fn print(&mut self, index: usize, owner: &Owner, line: &LogLine) -> Vec<u8> {
        let goes_on = &mut self.begun[index][usize::from(line.source == LogSource::Stderr)];
        let is_first = !*goes_on;
        *goes_on = !line.is_whole;
        match self.form {
            // The rest of a line that is too long for a terminal is left out, and its beginning says so.
            Form::Shown if is_first => self.shown(index, owner, line),
            Form::Shown => Vec::new(),
            Form::Written => self.written(index, owner, line, is_first),
            Form::Recorded => recorded(owner, line).into_bytes(),
        }
    }

    fn shown(&self, index: usize, owner: &Owner, line: &LogLine) -> Vec<u8> {
        let text = line.to_text();
        let text = if self.output.has_colour() {
            clean_coloured(&text, LINE)
        } else {
            clean(&text, LINE)
        };
        let prefix = self.output.paint_apart(&owner.prefix, index);
        format!("{prefix}{}{text}\n", self.time(line)).into_bytes()
    }

    fn written(&mut self, index: usize, owner: &Owner, line: &LogLine, is_first: bool) -> Vec<u8> {
        let before = self.open.take();
        let goes_on = !is_first && before == Some((index, line.source));
        let mut bytes = Vec::with_capacity(owner.prefix.len() + line.text.len() + 40);
        if !goes_on {
            // Two lines are never mixed.
            if before.is_some() {
                bytes.push(b'\n');
            }
            bytes.extend_from_slice(owner.prefix.as_bytes());
            bytes.extend_from_slice(self.time(line).as_bytes());
        }
        bytes.extend_from_slice(&line.text);
        if line.is_whole {
            bytes.push(b'\n');
        } else {
            self.open = Some((index, line.source));
        }
        bytes
    }

    fn time(&self, line: &LogLine) -> String {
        match line.at.filter(|_| self.timestamps) {
            Some(at) => format!("{at:.9} "),
            None => String::new(),
        }
    }
}

fn recorded(owner: &Owner, line: &LogLine) -> String {
    let stream = match line.source {
        LogSource::Stdout => "stdout",
        LogSource::Stderr => "stderr",
    };
    let time = line.at.filter(|at| *at > Timestamp::UNIX_EPOCH);
    record::line(Map::from_iter([
        ("host".to_owned(), json!(*owner.key.host)),
        ("id".to_owned(), json!(*owner.key.id)),
        ("name".to_owned(), json!(owner.name)),
        ("at".to_owned(), json!(time)),
        ("stream".to_owned(), json!(stream)),
        ("line".to_owned(), json!(line.to_text())),
        ("whole".to_owned(), json!(line.is_whole)),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::scene::key;
    use crate::output::Verbosity;

    fn owner(name: &str) -> Owner {
        Owner {
            key: key(name),
            name: name.to_owned(),
            called: name.to_owned(),
            prefix: format!("{name} | "),
        }
    }

    fn line(source: LogSource, text: &'static [u8], is_whole: bool) -> LogLine {
        LogLine {
            at: "2026-11-22T16:15:00.5Z".parse().ok(),
            source,
            text: bytes::Bytes::from_static(text),
            is_whole,
        }
    }

    fn printer(form: Form, timestamps: bool) -> Printer {
        Printer::new(Output::new(Verbosity::Normal, true), form, timestamps, 2)
    }

    #[test]
    fn what_goes_to_a_file_is_what_was_written() {
        let mut printer = printer(Form::Written, false);
        let nameless = Owner {
            prefix: String::new(),
            ..owner("a")
        };
        let mut file = Vec::new();
        for line in [
            line(LogSource::Stdout, b"\x1b[31mred\xff\r", true),
            line(LogSource::Stdout, b"long, ", false),
            line(LogSource::Stdout, b"longer", true),
            line(LogSource::Stdout, b"cut off", false),
            line(LogSource::Stderr, b"no end", false),
        ] {
            file.extend(printer.print(0, &nameless, &line));
        }
        assert_eq!(file, b"\x1b[31mred\xff\r\nlong, longer\ncut off\nno end");
    }

    #[test]
    fn lines_of_two_are_never_mixed() {
        let mut printer = printer(Form::Written, true);
        let (one, two) = (owner("a"), owner("b"));
        let mut file = Vec::new();
        for (index, whose, line) in [
            (0, &one, line(LogSource::Stdout, b"begins, ", false)),
            (1, &two, line(LogSource::Stdout, b"between", true)),
            (0, &one, line(LogSource::Stdout, b"ends", true)),
        ] {
            file.extend(printer.print(index, whose, &line));
        }
        let at = "2026-11-22T16:15:00.500000000Z";
        assert_eq!(
            String::from_utf8(file).unwrap(),
            format!("a | {at} begins, \nb | {at} between\na | {at} ends\n")
        );
    }

    #[test]
    fn a_terminal_sees_the_beginning_of_a_long_line_once_and_nothing_it_would_obey() {
        let mut printer = printer(Form::Shown, false);
        let one = owner("a");
        let long: &'static [u8] = vec![b'x'; 1 << 16].leak();
        let mut screen = Vec::new();
        for line in [
            line(LogSource::Stdout, long, false),
            line(LogSource::Stderr, b"\x1b]0;title\x07\x1b[2Jbetween\r", true),
            line(LogSource::Stdout, long, false),
            line(LogSource::Stdout, b"its end", true),
            line(LogSource::Stdout, b"the next", true),
        ] {
            screen.extend(printer.print(0, &one, &line));
        }
        // What was cut off is not gone on with by what is printed after the next start.
        for begins in [false, true] {
            if begins {
                printer.begins(0);
            }
            let part = if begins { "anew" } else { "cut" }.as_bytes();
            screen.extend(printer.print(0, &one, &line(LogSource::Stdout, part, begins)));
        }
        let screen = String::from_utf8(screen).unwrap();
        let lines: Vec<&str> = screen.lines().collect();
        assert_eq!(lines.len(), 5);
        assert!(lines[0].ends_with("xx…") && lines[0].chars().count() == LINE + "a | ".len());
        let rest = ["a | between", "a | the next", "a | cut", "a | anew"];
        assert_eq!(lines[1..], rest);
    }

    #[test]
    fn json_says_whose_line_it_is_and_whether_it_goes_on() {
        let mut printer = printer(Form::Recorded, false);
        let told = printer.print(
            1,
            &owner("a"),
            &line(LogSource::Stderr, b"\x9b\x1bbad\r", false),
        );
        let value: serde_json::Value = serde_json::from_slice(&told).unwrap();
        assert_eq!(
            value,
            json!({"schema": 1, "host": *key("a").host, "id": *key("a").id, "name": "a", "at": "2026-11-22T16:15:00.5Z",
                   "stream": "stderr", "line": "\u{fffd}\u{1b}bad", "whole": false})
        );
        assert!(!told.contains(&0x1b));
    }
}
