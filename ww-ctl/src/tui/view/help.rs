//! The keys, explained from the same table that interprets them.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::keymap::{Key, Keymap};
use super::super::model::Model;
use super::super::theme::{Look, Role};
use super::layout::Areas;
use super::text::{left, span};
use whaleware::lifecycle::State;

/// The lines of the help.
pub(super) fn content(keymap: &Keymap, look: Look, columns: usize) -> Vec<Line<'static>> {
    let key_columns = if columns < 50 { 12 } else { 20 };
    let mut lines = vec![
        Line::from(span(" Keys", Role::Strong, look)),
        Line::default(),
    ];
    for binding in keymap.all().filter(|binding| !binding.keys.is_empty()) {
        let keys: Vec<String> = binding.keys.iter().copied().map(Key::label).collect();
        let place = match binding.place() {
            "" => String::new(),
            place => format!(" ({place})"),
        };
        lines.push(Line::from(vec![
            Span::raw("   "),
            span(left(&keys.join(" "), key_columns, look), Role::Key, look),
            span(format!("{}{place}", binding.help), Role::Plain, look),
        ]));
    }
    let filters = FILTERS
        .iter()
        .map(|(example, meaning)| (*example, *meaning));
    section(" Filter", filters, key_columns, look, &mut lines);
    let states = STATES
        .iter()
        .map(|(state, meaning)| (state.name(), *meaning));
    section(" States", states, key_columns, look, &mut lines);
    lines
}

fn section(
    title: &str,
    entries: impl Iterator<Item = (&'static str, &'static str)>,
    key_columns: usize,
    look: Look,
    lines: &mut Vec<Line<'static>>,
) {
    lines.push(Line::default());
    lines.push(Line::from(span(title, Role::Strong, look)));
    lines.push(Line::default());
    for (word, meaning) in entries {
        lines.push(Line::from(vec![
            Span::raw("   "),
            span(left(word, key_columns, look), Role::Plain, look),
            span(meaning, Role::Dim, look),
        ]));
    }
}

const FILTERS: &[(&str, &str)] = &[
    ("web", "in the name, state, health or image"),
    ("state=UP", "in this state; part of a word is enough"),
    ("health=failing", "or passing, unknown"),
    ("name= image= host=", "in just that"),
    (
        "label=team=shop",
        "with this label; label=team with any value",
    ),
    ("~^web-[0-9]+$ name~", "the same as a regular expression"),
    (
        ".queue.depth>100",
        "by a value of the monitor: = > < >= <=, or .queue.depth alone: it has one",
    ),
    ("!web", "not that"),
    ("web state=UP", "both"),
];

const STATES: &[(State, &str)] = &[
    (
        State::Dockerup,
        "the container runs, its agent does not answer yet",
    ),
    (State::Boot, "the script boot runs"),
    (
        State::Firstboot,
        "the script firstboot runs, once per /data",
    ),
    (State::Upgrading, "the script upgrade runs"),
    (State::Warmup, "svcup and warmup run"),
    (State::Up, "ready to serve"),
    (State::Restarting, "services are stopped and started again"),
    (State::Stopped, "the container stops in order"),
    (State::Error, "it cannot go on; the container ends"),
    (State::Dockerdown, "the container has exited"),
];

/// How many lines of it are visible.
pub(super) const fn visible(model: &Model) -> u16 {
    area(model).height
}

const fn area(model: &Model) -> Rect {
    let (width, height) = model.size;
    Rect::new(0, 0, width, height.saturating_sub(1))
}

/// Draws it over everything but the footer.
pub(super) fn draw(model: &Model, scroll: u16, look: Look, frame: &mut Frame<'_>) {
    let area = area(model);
    super::empty(
        Rect {
            height: model.size.1,
            ..area
        },
        frame,
    );
    let lines = content(&model.keymap, look, usize::from(area.width));
    super::scrolled(&lines, scroll, area, look, frame);
    if Areas::of(model).footer.height == 0 {
        let line = [Line::from(span(" Esc back", Role::Dim, look))];
        let last = Rect::new(0, model.size.1.saturating_sub(1), area.width, 1);
        super::paragraph(&line, last, look, frame);
    }
}
