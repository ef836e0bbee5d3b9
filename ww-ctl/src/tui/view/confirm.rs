//! A question, over the lower part of the screen.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::confirm::{Challenge, Confirmation};
use super::super::model::Model;
use super::super::msg::Verb;
use super::super::operation::{Manner, equivalent};
use super::super::theme::{Look, Role};
use super::layout::Areas;
use super::sign;
use super::text::{age, count, cut_line, span, width};
use crate::fleet::stop_words;

/// Draws it.
pub(super) fn draw(model: &Model, confirmation: &Confirmation, look: Look, frame: &mut Frame<'_>) {
    let (columns, rows) = model.size;
    let footer = Areas::of(model).footer.height;
    let room = rows - footer;
    let head = head(model, confirmation, look);
    let tail = tail(model, confirmation, look);
    let fixed = u16::try_from(head.len() + tail.len()).unwrap_or(u16::MAX);
    let for_names = usize::from(room.saturating_sub(fixed)).clamp(1, 8);
    let names = names(model, confirmation, usize::from(columns), for_names, look);
    let lines: Vec<_> = head.into_iter().chain(names).chain(tail).collect();
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(room);
    let area = Rect::new(0, room - height, columns, height);
    super::empty(area, frame);
    super::paragraph(&lines, area, look, frame);
}

fn head(model: &Model, confirmation: &Confirmation, look: Look) -> Vec<Line<'static>> {
    let number = confirmation.targets.len();
    let what = match (confirmation.verb, confirmation.targets.as_slice()) {
        (verb, [target]) => format!("{} {}?", capital(verb), target.name),
        (verb, _) => format!("{} {}?", capital(verb), count(number, "container")),
    };
    let mut lines = vec![Line::from(span(format!(" {what} "), Role::Banner, look))];
    if let [target] = confirmation.targets.as_slice()
        && let Some(container) = model.fleet.get(&target.key)
    {
        let sign = sign::sign(container, &model.fleet, look);
        let (health, _) = sign::health(container, look);
        let text = format!(
            "   {} {} for {}, health {health}, on {}",
            sign.glyph,
            sign.word,
            age(container.age(model.now.moment)),
            container.key.host
        );
        lines.push(Line::from(span(text, Role::Plain, look)));
        if matches!(confirmation.verb, Verb::Stop | Verb::Backup)
            && let Some(words) = stop_words(container)
        {
            let line = Line::from(span(format!("   {words}"), Role::Plain, look));
            lines.push(cut_line(line, usize::from(model.size.0), look));
        }
    }
    lines
}

const fn capital(verb: Verb) -> &'static str {
    match verb {
        Verb::Restart => "Restart the services of",
        Verb::Stop => "Stop",
        Verb::Start => "Start",
        Verb::Kill => "Kill at once, unasked,",
        Verb::Backup => "Back up",
    }
}

/// The names, in as many lines as there are; what does not fit is counted.
fn names(
    model: &Model,
    confirmation: &Confirmation,
    columns: usize,
    lines: usize,
    look: Look,
) -> Vec<Line<'static>> {
    if confirmation.targets.len() == 1 {
        return Vec::new();
    }
    let room = columns.saturating_sub(4);
    let several = model.fleet.hosts().nth(1).is_some();
    let mut rows: Vec<String> = vec![String::new()];
    for (index, target) in confirmation.targets.iter().enumerate() {
        let name = if several {
            format!("{}/{}", target.key.host, target.name)
        } else {
            target.name.clone()
        };
        let left = confirmation.targets.len() - index;
        let rest = format!("and {left} more");
        let row = rows.last().map_or(0, |row| width(row));
        let last = rows.len() >= lines;
        let reserve = if last && left > 1 {
            width(&rest) + 2
        } else {
            0
        };
        let fits = row + width(&name) + 2 + reserve <= room;
        if !fits && row > 0 && !last {
            rows.push(String::new());
        } else if !fits && row > 0 {
            if let Some(row) = rows.last_mut() {
                row.push_str(&rest);
            }
            break;
        }
        if let Some(row) = rows.last_mut() {
            row.push_str(&name);
            row.push_str("  ");
        }
    }
    rows.into_iter()
        .map(|row| {
            let line = Line::from(vec![
                Span::raw("   "),
                span(row.trim_end(), Role::Strong, look),
            ]);
            cut_line(line, columns, look)
        })
        .collect()
}

fn tail(model: &Model, confirmation: &Confirmation, look: Look) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if let Some((name, reason)) = confirmation.left_out.first() {
        let text = match confirmation.left_out.len() {
            1 => format!("   without {name}: {reason}"),
            several => format!("   without {several} others, such as {name}: {reason}"),
        };
        lines.push(Line::from(span(text, Role::Warn, look)));
    }
    match model.hidden_marks() {
        0 => {}
        hidden => {
            let text = match hidden {
                1 => "   1 marked row is hidden by the filter and left alone".to_owned(),
                several => {
                    format!("   {several} marked rows are hidden by the filter and left alone")
                }
            };
            lines.push(Line::from(span(text, Role::Warn, look)));
        }
    }
    let containers = confirmation
        .targets
        .iter()
        .filter_map(|target| model.fleet.get(&target.key));
    let line = equivalent(
        confirmation.verb,
        confirmation.manner,
        containers,
        &model.urls,
    );
    lines.push(Line::from(span(format!("   $ {line}"), Role::Dim, look)));
    if confirmation.can_be_in_turn() {
        let text = match confirmation.manner {
            Manner::AtOnce => " all at once; change to one after the other",
            Manner::InTurn => {
                " one after the other, stopping at the first that is not well; change to all at once"
            }
        };
        lines.push(Line::from(vec![
            span("   o", Role::Key, look),
            span(text, Role::Plain, look),
        ]));
    }
    lines.push(match &confirmation.challenge {
        // The footer says it where there is one.
        Challenge::Yes if Areas::of(model).footer.height > 0 => return lines,
        Challenge::Yes => Line::from(vec![
            span("   y", Role::Key, look),
            span(
                format!(" {}, any other key cancels", confirmation.verb.name()),
                Role::Plain,
                look,
            ),
        ]),
        Challenge::Type { wanted, typed } => Line::from(vec![
            span(format!("   type {wanted} and Enter: "), Role::Plain, look),
            span(format!("{typed}_"), Role::Key, look),
        ]),
    });
    lines
}
