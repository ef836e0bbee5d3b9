//! Columns of text that fit where they are shown.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::output::{Output, Tone};

/// The gap between two columns.
const GAP: usize = 2;

/// A cell: clean text and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell with a meaning.
    pub(crate) fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self {
            text: text.into(),
            tone,
        }
    }

    /// A cell without one.
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// A column's heading, and how narrow it may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column<'a> {
    /// The heading.
    pub heading: &'a str,
    /// It is cut where there is no room, but not below so many columns; none: never cut.
    pub least: Option<usize>,
    /// Numbers are set to the right.
    pub right: bool,
}

impl<'a> Column<'a> {
    /// A column of words that is never cut.
    pub(crate) const fn fixed(heading: &'a str) -> Self {
        Self {
            heading,
            least: None,
            right: false,
        }
    }

    /// A column of numbers.
    pub(crate) const fn number(heading: &'a str) -> Self {
        Self {
            heading,
            least: None,
            right: true,
        }
    }

    /// A column that gives way.
    pub(crate) const fn elastic(heading: &'a str, least: usize) -> Self {
        Self {
            heading,
            least: Some(least),
            right: false,
        }
    }
}

/// The lines of a table, its headings first, each with its line end and no spaces before it.
/// `width` is the terminal's; nothing is cut where there is none.
pub(crate) fn lines(
    columns: &[Column<'_>],
    rows: &[Vec<Cell>],
    width: Option<usize>,
    output: Output,
) -> String {
    let widths = widths(columns, rows, width);
    let headings: Vec<Cell> = columns
        .iter()
        .map(|column| Cell::new(column.heading, Tone::Strong))
        .collect();
    let mut text = String::new();
    for row in std::iter::once(&headings).chain(rows) {
        let last = row.iter().rposition(|cell| !cell.text.is_empty());
        for (index, (cell, (column, room))) in
            row.iter().zip(columns.iter().zip(&widths)).enumerate()
        {
            if Some(index) > last {
                break;
            }
            let shown = cut(&cell.text, *room);
            let padding = " ".repeat(room - shown.width().min(*room));
            let painted = output.paint(&shown, cell.tone);
            if column.right {
                text.push_str(&padding);
                text.push_str(&painted);
            } else {
                text.push_str(&painted);
                if Some(index) < last {
                    text.push_str(&padding);
                }
            }
            if Some(index) < last {
                text.push_str(&" ".repeat(GAP));
            }
        }
        text.push('\n');
    }
    text
}

fn widths(columns: &[Column], rows: &[Vec<Cell>], width: Option<usize>) -> Vec<usize> {
    let mut widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            rows.iter()
                .filter_map(|row| row.get(index))
                .map(|cell| cell.text.width())
                .chain([column.heading.width()])
                .max()
                .unwrap_or(0)
        })
        .collect();
    let Some(width) = width else {
        return widths;
    };
    let gaps = GAP * columns.len().saturating_sub(1);
    // The widest of those that may give way does, one column at a time.
    while widths.iter().sum::<usize>() + gaps > width {
        let widest = columns
            .iter()
            .zip(&widths)
            .enumerate()
            .filter(|(_, (column, now))| column.least.is_some_and(|least| **now > least))
            .max_by_key(|(_, (_, now))| **now)
            .map(|(index, _)| index);
        match widest {
            Some(index) => widths[index] -= 1,
            None => break,
        }
    }
    widths
}

/// At most `room` columns of a text; what is cut ends with `…`.
pub(crate) fn cut(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        if used + grapheme.width() + 1 > room {
            break;
        }
        used += grapheme.width();
        shown.push_str(grapheme);
    }
    if room > 0 {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Verbosity;

    fn table(width: Option<usize>) -> String {
        let columns = [
            Column::elastic("NAME", 4),
            Column::number("MEM"),
            Column::elastic("CAUSE", 5),
        ];
        let row = |name: &str, memory: &str, cause: &str| {
            vec![Cell::plain(name), Cell::plain(memory), Cell::plain(cause)]
        };
        let rows = [
            row("shop", "46 MiB", "monitor exited 1"),
            row("漢字コンテナ", "–", ""),
        ];
        lines(&columns, &rows, width, Output::new(Verbosity::Normal, true))
    }

    #[test]
    fn without_a_terminal_nothing_is_cut_and_no_line_ends_with_spaces() {
        assert_eq!(
            table(None),
            "NAME             MEM  CAUSE\n\
             shop          46 MiB  monitor exited 1\n\
             漢字コンテナ       –\n"
        );
    }

    #[test]
    fn on_a_terminal_the_widest_columns_give_way() {
        let narrow = table(Some(30));
        assert_eq!(
            narrow,
            "NAME           MEM  CAUSE\n\
             shop        46 MiB  monitor e…\n\
             漢字コン…        –\n"
        );
        assert!(narrow.lines().all(|line| line.width() <= 30), "{narrow}");
        // Where even that is not enough, it is as narrow as it may become.
        assert!(table(Some(3)).contains("moni…"));
    }

    #[test]
    fn a_cut_never_takes_half_a_character() {
        assert_eq!(cut("漢字", 3), "漢…");
        assert_eq!(cut("漢字", 2), "…");
        assert_eq!(cut("e\u{301}clair", 3), "e\u{301}c…");
        assert_eq!(cut("abc", 0), "");
    }
}
