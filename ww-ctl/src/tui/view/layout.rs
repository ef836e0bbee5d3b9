//! What goes where on a screen of which size.

use ratatui::layout::Rect;

use super::super::model::{Focus, Mode, Model};
use super::banner;

/// How much fits on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tier {
    /// One word.
    Word,
    /// The list alone.
    List,
    /// Everything.
    Screen,
}

impl Tier {
    /// What fits on a screen of this size.
    pub(super) const fn of(size: (u16, u16)) -> Self {
        match size {
            (0..20, _) | (_, 0..5) => Self::Word,
            (0..50, _) | (_, 0..10) => Self::List,
            _ => Self::Screen,
        }
    }
}

/// The fewest lines of details worth a pane, its tabs included.
const PANE: u16 = 5;

/// Where everything is. What is not shown has no height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Areas {
    /// Hosts and counts.
    pub header: Rect,
    /// Filter, sort, marks.
    pub status: Rect,
    /// The columns' headings.
    pub heading: Rect,
    /// The rows.
    pub rows: Rect,
    /// The tabs of the details.
    pub tabs: Rect,
    /// The details.
    pub details: Rect,
    /// Keys and messages.
    pub footer: Rect,
}

impl Areas {
    /// Where everything is on the screen of a model.
    pub(super) fn of(model: &Model) -> Self {
        let (width, height) = model.size;
        let line = |y: u16, lines: u16| Rect::new(0, y, width, lines);
        match Tier::of(model.size) {
            Tier::Word => Self::default(),
            Tier::List => {
                let footer = u16::from(has_something_to_say(model));
                let body = line(0, height - footer);
                let areas = Self {
                    footer: line(height - footer, footer),
                    ..Self::default()
                };
                match model.focus {
                    Focus::Full { .. } => Self {
                        tabs: line(0, 1),
                        details: line(1, body.height - 1),
                        ..areas
                    },
                    Focus::Table | Focus::Pane { .. } => Self {
                        rows: body,
                        ..areas
                    },
                }
            }
            Tier::Screen => {
                let areas = Self {
                    header: line(0, 1),
                    footer: line(height - 1, 1),
                    ..Self::default()
                };
                if matches!(model.focus, Focus::Full { .. }) {
                    return Self {
                        tabs: line(1, 1),
                        details: line(2, height - 3),
                        ..areas
                    };
                }
                let table = table_lines(height);
                let pane = height - 3 - table;
                Self {
                    status: line(1, 1),
                    heading: line(2, 1),
                    rows: line(3, table - 1),
                    tabs: line(2 + table, u16::from(pane > 0)),
                    details: line((3 + table).min(height - 1), pane.saturating_sub(1)),
                    ..areas
                }
            }
        }
    }
}

/// How many lines the table has, its heading included: at least 60 % of the screen.
fn table_lines(height: u16) -> u16 {
    let body = height - 3;
    let least = u16::try_from((u32::from(height) * 6).div_ceil(10)).unwrap_or(body);
    let pane = body.saturating_sub(least);
    if pane >= PANE { body - pane } else { body }
}

/// Where there is no footer, a line is made for what must be said.
const fn has_something_to_say(model: &Model) -> bool {
    model.notice.is_some()
        || matches!(
            model.mode,
            Mode::Filtering { .. } | Mode::Searching { .. } | Mode::Calling(_)
        )
        || banner::must_be_seen(model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::tests::fixture;

    #[test]
    fn the_table_has_its_share_and_nothing_overlaps() {
        let mut model = fixture::fleet();
        for width in [0, 1, 19, 20, 49, 50, 80, 160] {
            for height in 0..70 {
                model.size = (width, height);
                for focus in [
                    Focus::Table,
                    Focus::Pane { scroll: 0 },
                    Focus::Full { scroll: 0 },
                ] {
                    model.focus = focus;
                    let areas = Areas::of(&model);
                    let Areas {
                        header,
                        status,
                        heading,
                        rows,
                        tabs,
                        details,
                        footer,
                    } = areas;
                    let all = [header, status, heading, rows, tabs, details, footer];
                    let lines: u16 = all.iter().map(|area| area.height).sum();
                    if Tier::of(model.size) == Tier::Word {
                        assert_eq!(lines, 0);
                        continue;
                    }
                    assert_eq!(lines, height, "{width}x{height} {focus:?}");
                    for area in all {
                        assert!(
                            area.bottom() <= height,
                            "{width}x{height} {focus:?} {area:?}"
                        );
                    }
                    if focus == Focus::Table {
                        let share = u32::from(rows.height + heading.height) * 10;
                        assert!(share >= u32::from(height) * 6, "{width}x{height}");
                    }
                }
            }
        }
    }
}
