//! The last line: what happened, or what can be pressed.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::confirm::Challenge;
use super::super::keymap::{Action, Context};
use super::super::logs::Search;
use super::super::model::{Access, Keeping, Mode, Model, Tone};
use super::super::theme::{Look, Role};
use super::banner;
use super::layout::{Areas, Tier};
use super::palette;
use super::text::{bytes, cut_line, percent, span, width};

/// From so many columns on there is room for what the dashboard costs.
const OWN: usize = 80;

/// Draws it.
pub(super) fn draw(model: &Model, area: Rect, look: Look, frame: &mut Frame<'_>) {
    if area.height == 0 {
        return;
    }
    super::empty(area, frame);
    let columns = usize::from(area.width);
    let line = match (&model.mode, &model.notice) {
        // Where there is no line for the filter it is typed here.
        (Mode::Filtering { draft }, _) if Areas::of(model).status.height == 0 => {
            Line::from(typed(draft, area, look, frame))
        }
        (Mode::Searching { draft, .. }, _) => {
            let mut line = typed(draft, area, look, frame);
            line.push(Span::raw("  "));
            match model.logs.search().and_then(Search::doubt) {
                Some(doubt) => line.push(span(doubt, Role::Warn, look)),
                None => line.extend(pairs(&[("Enter", "keep"), ("Esc", "none")], look).spans),
            }
            Line::from(line)
        }
        (Mode::Filtering { .. }, _) => pairs(
            &[("Enter", "keep"), ("Esc", "show all"), ("^U", "empty")],
            look,
        ),
        (Mode::Calling(palette), _) => {
            let (line, cursor) = palette::line(model, palette, look);
            frame.set_cursor_position((area.x + within(cursor, area), area.y));
            line
        }
        (Mode::Confirming(confirmation), _) => match &confirmation.challenge {
            Challenge::Yes => pairs(
                &[("y", confirmation.verb.name()), ("any other key", "cancel")],
                look,
            ),
            Challenge::Type { wanted, .. } => pairs(
                &[
                    (&format!("{wanted}, Enter"), confirmation.verb.name()),
                    ("Esc", "cancel"),
                ],
                look,
            ),
        },
        (Mode::Normal | Mode::Help { .. } | Mode::Choosing { .. }, Some(notice)) => {
            let role = match notice.tone {
                Tone::Calm => Role::Plain,
                Tone::Wrong => Role::Bad,
            };
            Line::from(vec![Span::raw(" "), span(&notice.text, role, look)])
        }
        (Mode::Normal | Mode::Help { .. } | Mode::Choosing { .. }, None)
            if Tier::of(model.size) == Tier::List =>
        {
            // There is no header, and this line only where it is for this.
            Line::from(banner::spans(model, columns, look))
        }
        (Mode::Normal | Mode::Help { .. } | Mode::Choosing { .. }, None) => {
            let own = own(model);
            let taken = width(&own);
            if columns >= OWN {
                let x = area.right() - u16::try_from(taken).unwrap_or(0);
                let line = Line::from(span(own, Role::Dim, look));
                frame.buffer_mut().set_line(x, area.y, &line, area.width);
                keys(model, columns - taken, look)
            } else {
                keys(model, columns, look)
            }
        }
    };
    let line = cut_line(line, columns, look);
    frame
        .buffer_mut()
        .set_line(area.x, area.y, &line, area.width);
}

/// A column, as far as the area has it.
fn within(column: usize, area: Rect) -> u16 {
    let last = area.width.saturating_sub(1);
    u16::try_from(column).unwrap_or(u16::MAX).min(last)
}

/// What is being typed, with the cursor at its end.
fn typed(draft: &str, area: Rect, look: Look, frame: &mut Frame<'_>) -> Vec<Span<'static>> {
    let line = vec![span(" /", Role::Key, look), span(draft, Role::Strong, look)];
    let used: usize = line.iter().map(|span| width(&span.content)).sum();
    frame.set_cursor_position((area.x + within(used, area), area.y));
    line
}

/// What the dashboard itself costs.
fn own(model: &Model) -> String {
    model.own.as_ref().map_or_else(String::new, |own| {
        let (cpu, memory) = (percent(own.cpu_percent), bytes(own.memory));
        format!(" top: {cpu} {memory} ")
    })
}

/// The keys of the present context, as many as fit; help and leaving always do.
fn keys(model: &Model, columns: usize, look: Look) -> Line<'static> {
    let Some(context) = Context::of(model) else {
        return Line::default();
    };
    let nowhere = context == Context::Table && model.filter.is_empty() && model.marks.is_empty();
    let replayed = matches!(model.keeping, Keeping::Replayed(_));
    let labels: Vec<(String, &str)> = model
        .keymap
        .bindings(context)
        .filter(|binding| binding.action != Action::Back || !nowhere)
        .filter(|binding| !binding.short.is_empty())
        .filter(|binding| model.access == Access::ReadWrite || !binding.action.changes_things())
        .filter(|binding| replayed || !matches!(binding.action, Action::Wind(_)))
        .filter_map(|binding| Some((binding.keys.first()?.label(), binding.short)))
        .collect();
    let size = |(key, short): &(String, &str)| width(key) + width(short) + 3;
    let last = labels.len().saturating_sub(2);
    let mut room = columns.saturating_sub(labels[last..].iter().map(size).sum::<usize>() + 1);
    let mut shown = Vec::new();
    for (index, label) in labels.iter().enumerate() {
        if index >= last {
            shown.push((label.0.as_str(), label.1));
        } else if size(label) <= room {
            room -= size(label);
            shown.push((label.0.as_str(), label.1));
        } else {
            room = 0;
        }
    }
    pairs(&shown, look)
}

fn pairs(pairs: &[(&str, &str)], look: Look) -> Line<'static> {
    let mut spans = vec![Span::raw(" ")];
    for (key, word) in pairs {
        spans.push(span(*key, Role::Key, look));
        spans.push(span(format!(" {word}  "), Role::Dim, look));
    }
    Line::from(spans)
}
