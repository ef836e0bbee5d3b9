//! The agent's own lines: one an event, text for people or JSON for collectors.

use serde_json::{Map, Value};
use whaleware::protocol::MAX_TEXT;

use crate::clock;
use crate::environment::LogFormat;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// The normal course of things.
    Info,
    /// Not as it should be; the agent goes on.
    Warning,
    /// The life cycle suffers.
    Error,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A line with its newline.
pub(crate) fn line(format: LogFormat, level: Level, message: &str) -> Vec<u8> {
    let message = plain(message, 4 * MAX_TEXT);
    match format {
        LogFormat::Text => {
            let word = match level {
                Level::Info => "",
                Level::Warning => "warning: ",
                Level::Error => "error: ",
            };
            format!("ww-agent: {word}{message}\n").into_bytes()
        }
        LogFormat::Json => {
            let mut object = Map::new();
            object.insert("time".into(), clock::wall().to_string().into());
            object.insert("level".into(), level.name().into());
            object.insert("from".into(), "ww-agent".into());
            object.insert("message".into(), message.into());
            let mut line = Value::Object(object).to_string().into_bytes();
            line.push(b'\n');
            line
        }
    }
}

/// A text without control characters, of at most `most` characters.
pub(crate) fn plain(text: &str, most: usize) -> String {
    let mut letters = text.chars().filter(|letter| !is_control(*letter));
    let mut kept: String = letters.by_ref().take(most).collect();
    if letters.next().is_some() {
        kept.pop();
        kept.push('…');
    }
    kept
}

/// Control characters, and those that turn the direction of what follows.
fn is_control(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A duration for people: `0.3 s`, `12 s`, `4 min 10 s`, `3 h 2 min`.
pub(crate) fn duration(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 10 {
        format!("{:.1} s", duration.as_secs_f64())
    } else if seconds < 120 {
        format!("{seconds} s")
    } else if seconds < 7200 {
        format!("{} min {} s", seconds / 60, seconds % 60)
    } else {
        format!("{} h {} min", seconds / 3600, seconds / 60 % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_line_stays_one_line_whatever_it_says() {
        let line = line(LogFormat::Text, Level::Error, "a\nb\x1b[2Jc\u{202e}d");
        assert_eq!(line, b"ww-agent: error: ab[2Jcd\n");
    }

    #[test]
    fn json_lines_are_json() {
        let line = line(LogFormat::Json, Level::Warning, "say \"no\"");
        let value: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(value["level"], "warning");
        assert_eq!(value["message"], "say \"no\"");
    }

    #[test]
    fn durations_read_well() {
        for (milliseconds, text) in [
            (320, "0.3 s"),
            (12_900, "12 s"),
            (250_000, "4 min 10 s"),
            (10_920_000, "3 h 2 min"),
        ] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), text);
        }
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(plain("abcdef", 4), "abc…");
        assert_eq!(plain("abcd", 4), "abcd");
    }
}
