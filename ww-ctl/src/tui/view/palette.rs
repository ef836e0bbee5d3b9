//! The actions to choose from, over the lower part of the screen.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::keymap::Key;
use super::super::model::{Model, Tone};
use super::super::palette::{self, Palette};
use super::super::theme::{Look, Role};
use super::layout::Areas;
use super::text::{left, span, width};

/// The columns of a name.
const NAME: usize = 17;
/// The columns of keys.
const KEYS: usize = 11;

/// Draws the list.
pub(super) fn draw(model: &Model, palette: &Palette, look: Look, frame: &mut Frame<'_>) {
    let (columns, rows) = model.size;
    let footer = Areas::of(model).footer.height;
    let choice = palette.choice(model);
    let wanted = u16::try_from(choice.len()).unwrap_or(u16::MAX);
    // Some of what it is about is left to be seen.
    let height = wanted.min(rows.saturating_sub(footer + 4)).max(1);
    let area = Rect::new(0, rows.saturating_sub(footer + height), columns, height);
    let visible = usize::from(height);
    let first = palette.place().saturating_sub(visible - 1);
    let mut lines = Vec::new();
    if choice.is_empty() {
        lines.push(Line::from(span(
            "   no action is called so",
            Role::Dim,
            look,
        )));
    }
    for (index, entry) in choice.iter().enumerate().skip(first).take(visible) {
        let binding = entry.binding;
        let is_chosen = index == palette.place();
        let role = |usual| match (is_chosen, palette::does_something(model, *entry)) {
            (true, _) => Role::Selected,
            (false, true) => usual,
            (false, false) => Role::Dim,
        };
        let cursor = if is_chosen { look.glyphs().cursor } else { " " };
        let keys: Vec<String> = binding.keys.iter().copied().map(Key::label).collect();
        let mut help = binding.help.to_owned();
        if !binding.place().is_empty() {
            help = format!("{help} ({})", binding.place());
        }
        lines.push(Line::from(vec![
            span(format!(" {cursor} "), Role::Strong, look),
            span(
                left(binding.action.name(), NAME, look),
                role(Role::Plain),
                look,
            ),
            span(left(&keys.join(" "), KEYS, look), role(Role::Key), look),
            span(help, role(Role::Dim), look),
        ]));
    }
    super::empty(area, frame);
    super::paragraph(&lines, area, look, frame);
}

/// The line that is typed, and where its cursor is; behind it what there is to say.
pub(super) fn line(model: &Model, palette: &Palette, look: Look) -> (Line<'static>, usize) {
    let mut line = vec![
        span(" :", Role::Key, look),
        span(palette.draft(), Role::Strong, look),
    ];
    let cursor = line.iter().map(|span| width(&span.content)).sum();
    line.push(Span::raw("   "));
    match &model.notice {
        Some(notice) => {
            let role = match notice.tone {
                Tone::Calm => Role::Plain,
                Tone::Wrong => Role::Bad,
            };
            line.push(span(&notice.text, role, look));
        }
        None => {
            for (key, word) in [("Enter", " does it  "), ("Esc", " leaves  ")] {
                line.push(span(key, Role::Key, look));
                line.push(span(word, Role::Dim, look));
            }
        }
    }
    (Line::from(line), cursor)
}
