//! Makes text from elsewhere fit to be seen: it may hold control sequences.

use std::fmt::Write as _;
use std::time::Duration;

/// The text on one line, without anything that moves a cursor or turns letters around.
pub(super) fn line(text: &str) -> String {
    text.chars()
        .map(|c| if is_harmful(c) { '\u{fffd}' } else { c })
        .collect()
}

/// The same, line ends kept.
pub(super) fn lines(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c != '\n' && is_harmful(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

const fn is_harmful(character: char) -> bool {
    matches!(
        character,
        '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
    )
}

/// A duration in the two units that matter: `1d 4h`, `12m 3s`, `4.2s`, `17ms`.
pub(super) fn duration(milliseconds: u64) -> String {
    let duration = Duration::from_millis(milliseconds);
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{milliseconds}ms"),
        1..=9 => format!("{seconds}.{}s", duration.subsec_millis() / 100),
        10..=59 => format!("{seconds}s"),
        60..=3599 => pair(seconds / 60, "m", seconds % 60, "s"),
        3600..=86_399 => pair(seconds / 3600, "h", seconds % 3600 / 60, "m"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

fn pair(more: u64, unit: &str, less: u64, smaller: &str) -> String {
    let mut text = format!("{more}{unit}");
    if less > 0 {
        let _ = write!(text, " {less}{smaller}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_do_not_pass() {
        assert_eq!(
            line("a\x1b[2Jb\nc\u{9b}d"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d"
        );
        assert_eq!(lines("a\nb\u{202e}c"), "a\nb\u{fffd}c");
    }

    #[test]
    fn durations_are_short() {
        let shown: Vec<_> = [
            0,
            17,
            4_250,
            59_999,
            60_000,
            723_000,
            7_260_000,
            100_800_000,
        ]
        .map(duration)
        .into();
        assert_eq!(
            shown,
            [
                "0ms", "17ms", "4.2s", "59s", "1m", "12m 3s", "2h 1m", "1d 4h"
            ]
        );
    }
}
