//! The columns to choose from, over the lower part of the screen, so that the table is seen.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::model::Model;
use super::super::theme::{Look, Role};
use super::layout::Areas;
use super::text::{left, span};
use crate::fleet::clean;

/// The columns of a name.
const NAME: usize = 16;

/// Draws it.
pub(super) fn draw(model: &Model, place: usize, look: Look, frame: &mut Frame<'_>) {
    let (columns, rows) = model.size;
    let footer = Areas::of(model).footer.height;
    let choice = model.columns.choice();
    let wanted = u16::try_from(choice.len())
        .unwrap_or(u16::MAX)
        .saturating_add(1);
    // At least some rows of the table are left to see what it does.
    let height = wanted
        .min(rows.saturating_sub(footer + 5))
        .max(2)
        .min(rows - footer);
    let area = Rect::new(0, rows - footer - height, columns, height);
    let visible = usize::from(height - 1).max(1);
    let first = place.saturating_sub(visible - 1);
    let title = span(" columns, from left to right ", Role::Banner, look);
    let mut lines = vec![Line::from(title)];
    for (index, column) in choice.iter().enumerate().skip(first).take(visible) {
        let mark = if model.columns.has(column) {
            look.glyphs().mark
        } else {
            " "
        };
        let here = index == place;
        let cursor = if here { look.glyphs().cursor } else { " " };
        let name = left(&clean(&column.name(), 64), NAME, look);
        let role = if here { Role::Selected } else { Role::Plain };
        let meaning = if here { Role::Selected } else { Role::Dim };
        lines.push(Line::from(vec![
            span(format!(" {cursor} "), Role::Strong, look),
            span(format!("{mark} {name} "), role, look),
            span(column.meaning(), meaning, look),
            Span::raw(""),
        ]));
    }
    super::empty(area, frame);
    super::paragraph(&lines, area, look, frame);
}
