//! Text made to fit, and figures made to read.

use std::time::Duration;

use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::super::theme::{Look, Role};

const HOUR: Duration = Duration::from_secs(3600);

/// How many columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    // Nearly everything is plain, and this is asked of every container. Without an early end many
    // bytes are looked at in one step.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~');
    if text.bytes().fold(true, |all, byte| all & is_plain(byte)) {
        return text.len();
    }
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// A text cut to so many columns, with a sign where something was left out.
pub(super) fn cut(text: &str, columns: usize, look: Look) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(1) else {
        return String::new();
    };
    let mut kept = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let wide = grapheme.width();
        if used + wide > room {
            break;
        }
        kept.push_str(grapheme);
        used += wide;
    }
    kept.push_str(look.glyphs().more);
    kept
}

/// A text of exactly so many columns, from the left.
pub(super) fn left(text: &str, columns: usize, look: Look) -> String {
    let mut text = cut(text, columns, look);
    let missing = columns.saturating_sub(width(&text));
    text.extend(std::iter::repeat_n(' ', missing));
    text
}

/// A text of exactly so many columns, to the right.
pub(super) fn right(text: &str, columns: usize, look: Look) -> String {
    let text = cut(text, columns, look);
    let missing = columns.saturating_sub(width(&text));
    format!("{}{text}", " ".repeat(missing))
}

/// How long something lasts, in at most six columns: `12s`, `4m12s`, `3h07m`, `5d03h`, `420d`.
pub(super) fn age(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if seconds < 60 {
        format!("{seconds}s")
    } else if hours < 1 {
        format!("{minutes}m{:02}s", seconds % 60)
    } else if days < 1 {
        format!("{hours}h{:02}m", minutes % 60)
    } else if days < 100 {
        format!("{days}d{:02}h", hours % 24)
    } else {
        format!("{days}d")
    }
}

/// The same for what is not looked at by the second: `12m`, `3h05m`.
pub(super) fn minutes(duration: Duration) -> String {
    if duration < HOUR {
        format!("{}m", duration.as_secs() / 60)
    } else {
        age(duration)
    }
}

/// When [`minutes`] says something else next.
pub(super) fn next_minutes(duration: Duration) -> Duration {
    if duration < HOUR {
        left_of(duration, Duration::from_secs(60))
    } else {
        next_age(duration)
    }
}

/// When [`age`] says something else next.
pub(super) fn next_age(duration: Duration) -> Duration {
    let step = match duration.as_secs() {
        0..3600 => 1,
        3600..86_400 => 60,
        _ => 3600,
    };
    left_of(duration, Duration::from_secs(step))
}

fn left_of(duration: Duration, step: Duration) -> Duration {
    let over = duration.as_nanos() % step.as_nanos();
    step.saturating_sub(Duration::from_nanos(u64::try_from(over).unwrap_or(0)))
}

/// A round span of time: `45s`, `15m`, `6h`, `7d`.
pub(super) fn span_of(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        3600..86_400 if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        86_400.. if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        _ => age(duration),
    }
}

/// How long something took: `340ms`, `4.2s`, `1m03s`.
pub(super) fn took(millis: u64) -> String {
    match millis {
        0..1000 => format!("{millis}ms"),
        1000..60_000 => format!("{}.{}s", millis / 1000, millis % 1000 / 100),
        _ => age(Duration::from_millis(millis)),
    }
}

/// How much memory, in at most five columns: `640K`, `12M`, `1.4G`.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "K", "M", "G", "T", "P"];
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    if tenths < 100 && unit > 1 {
        format!("{}.{}{}", tenths / 10, tenths % 10, UNITS[unit])
    } else {
        format!("{}{}", tenths / 10, UNITS[unit])
    }
}

/// A share of a processor: `3.2%`, `140%`.
pub(super) fn percent(value: f64) -> String {
    if !value.is_finite() || value < 0.0 {
        "?".into()
    } else if value < 9.95 {
        format!("{value:.1}%")
    } else {
        format!("{:.0}%", value.min(99_999.0))
    }
}

/// A count with its noun.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// A piece of a line.
pub(super) fn span(text: impl Into<String>, role: Role, look: Look) -> Span<'static> {
    Span::styled(text.into(), look.style(role))
}

/// A line cut to so many columns.
pub(super) fn cut_line(line: Line<'static>, columns: usize, look: Look) -> Line<'static> {
    if line
        .spans
        .iter()
        .map(|span| width(&span.content))
        .sum::<usize>()
        <= columns
    {
        return line;
    }
    let mut kept = Vec::new();
    let mut room = columns;
    for mut span in line.spans {
        let wide = width(&span.content);
        if wide < room {
            room -= wide;
            kept.push(span);
        } else {
            // The sign must be there although this piece may end just at the edge.
            let content = cut(&format!("{}  ", span.content), room, look);
            span.content = content.into();
            kept.push(span);
            break;
        }
    }
    Line::from(kept)
}

/// Two blocks of lines side by side.
pub(super) fn beside(
    left_lines: Vec<Line<'static>>,
    right_lines: Vec<Line<'static>>,
    left_columns: usize,
    look: Look,
) -> Vec<Line<'static>> {
    let rows = left_lines.len().max(right_lines.len());
    let mut left_lines = left_lines.into_iter();
    let mut right_lines = right_lines.into_iter();
    (0..rows)
        .map(|_| {
            let mut line = cut_line(left_lines.next().unwrap_or_default(), left_columns, look);
            let used: usize = line.spans.iter().map(|span| width(&span.content)).sum();
            line.spans
                .push(Span::raw(" ".repeat(left_columns.saturating_sub(used) + 2)));
            line.spans
                .extend(right_lines.next().unwrap_or_default().spans);
            line
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::tests::UNICODE;

    #[test]
    fn text_is_cut_between_graphemes_and_never_too_wide() {
        for (text, columns, expected) in [
            ("plain", 5, "plain"),
            ("plain", 4, "pla…"),
            ("漢字漢字", 5, "漢字…"),
            ("漢字漢字", 4, "漢…"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
            ("👩‍👩‍👧x", 2, "…"),
            ("abc", 1, "…"),
            ("abc", 0, ""),
        ] {
            let cut = cut(text, columns, UNICODE);
            assert_eq!(cut, expected, "{text:?} to {columns}");
            assert!(width(&cut) <= columns);
            assert_eq!(width(&left(text, columns, UNICODE)), columns);
            assert_eq!(width(&right(text, columns, UNICODE)), columns);
        }
    }

    #[test]
    fn an_age_changes_when_it_is_said_to() {
        for seconds in [
            0, 1, 59, 60, 3599, 3600, 3660, 86_399, 86_400, 90_000, 8_640_000,
        ] {
            let now = Duration::from_millis(seconds * 1000 + 250);
            let next = now + next_age(now);
            let just_before = next.saturating_sub(Duration::from_millis(1));
            assert_eq!(age(now), age(just_before), "{seconds}");
            assert!(width(&age(now)) <= 6);
        }
        assert_ne!(age(Duration::from_secs(59)), age(Duration::from_secs(60)));
    }

    #[test]
    fn figures_are_short() {
        for (number, expected) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1K"),
            (1 << 20, "1.0M"),
            (130 << 20, "130M"),
            (1500 << 20, "1.4G"),
            (u64::MAX, "16383P"),
        ] {
            assert_eq!(bytes(number), expected);
        }
        assert_eq!(took(340), "340ms");
        assert_eq!(took(4210), "4.2s");
        assert_eq!(percent(3.21), "3.2%");
        assert_eq!(percent(140.4), "140%");
        assert_eq!(percent(f64::NAN), "?");
    }
}
