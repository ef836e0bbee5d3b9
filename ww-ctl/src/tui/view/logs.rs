//! The tab Logs: lines of one container, or of several in one.

use std::borrow::Cow;
use std::ops::Range;

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::super::logs::{Line as Printed, Search};
use super::super::model::{Model, Tab};
use super::super::msg::Said;
use super::super::theme::{Look, Role};
use super::text::{count, left, span, width};
use crate::fleet::ContainerKey;
use crate::units::day_and_time;

/// The widest name before a line, in columns.
const NAME: usize = 32;

/// The lines that are seen in an area, and how many there are above and below them.
pub(super) fn lines(model: &Model, area: Rect, look: Look) -> (Vec<Line<'static>>, usize, usize) {
    let (rows, columns) = (usize::from(area.height), usize::from(area.width));
    let logs = &model.logs;
    if logs.store().len() == 0 {
        let text = if logs.are_known() {
            "it has printed nothing".to_owned()
        } else {
            format!("reading its output {}", look.glyphs().more)
        };
        return (
            vec![Line::from(span(format!(" {text}"), Role::Dim, look))],
            0,
            0,
        );
    }
    let names = names(model, columns, look);
    let top = logs.top(rows);
    let seen = logs.store().lines().skip(top).take(rows);
    let lines: Vec<_> = seen
        .map(|line| draw(model, line, &names, columns, look))
        .collect();
    let below = logs.store().len().saturating_sub(top + rows);
    (lines, top, below)
}

/// How many columns the longest of the lines that are seen takes.
pub(super) fn longest(model: &Model, rows: usize) -> usize {
    let logs = &model.logs;
    let seen = logs.store().lines().skip(logs.top(rows)).take(rows);
    let widths = seen.map(|line| width(&told(line, Look::PLAIN).0));
    widths.max().unwrap_or(0)
}

/// What the lines of several begin with, all of one width; nothing where there is only one.
fn names(model: &Model, columns: usize, look: Look) -> Vec<(ContainerKey, String)> {
    let keys = model.logs.keys();
    if keys.len() < 2 {
        return Vec::new();
    }
    let has_several = model.fleet.hosts().nth(1).is_some();
    let named = keys.iter().map(|key| {
        let name = model.fleet.get(key).map_or("?", |one| one.name.as_str());
        let name = if has_several {
            format!("{}/{name}", key.host)
        } else {
            name.to_owned()
        };
        (key.clone(), name)
    });
    let named: Vec<_> = named.collect();
    let widest = named.iter().map(|(_, name)| width(name)).max().unwrap_or(0);
    let wide = widest.min(NAME).min(columns / 3);
    let fit =
        |(key, name): (ContainerKey, String)| (key, left(&end(&name, wide, look), wide, look));
    named.into_iter().map(fit).collect()
}

/// A name as far as there is room: its end, which names have less in common than their beginning.
fn end(name: &str, columns: usize, look: Look) -> String {
    if width(name) <= columns {
        return name.to_owned();
    }
    let mut kept = Vec::new();
    let mut room = columns.saturating_sub(1);
    for grapheme in name.graphemes(true).rev() {
        let Some(left) = room.checked_sub(grapheme.width()) else {
            break;
        };
        room = left;
        kept.push(grapheme);
    }
    kept.push(look.glyphs().more);
    kept.into_iter().rev().collect()
}

fn draw(
    model: &Model,
    line: &Printed,
    names: &[(ContainerKey, String)],
    columns: usize,
    look: Look,
) -> Line<'static> {
    let logs = &model.logs;
    let is_current = |search: &Search| search.current == Some(line.id);
    let sign = if logs.search().is_some_and(is_current) {
        span(look.glyphs().cursor, Role::Strong, look)
    } else {
        Span::raw(" ")
    };
    let mut spans = vec![sign];
    if logs.has_times {
        let time = line.at.map(|at| {
            let millis = at.subsec_millisecond();
            let text = day_and_time(at);
            format!("{}.{millis:03}Z ", text.trim_end_matches('Z'))
        });
        let time = left(&time.unwrap_or_default(), 25, look);
        spans.push(span(time, Role::Dim, look));
    }
    let owner = names.iter().position(|(key, _)| *key == line.key);
    if let Some(owner) = owner {
        let style = look.apart(owner);
        spans.push(Span::styled(names[owner].1.clone(), style));
        spans.push(span(" | ", Role::Dim, look));
    }
    let found: Vec<_> = match (logs.search().filter(|_| line.is_found), line.text()) {
        (Some(search), Some(text)) => search.places(text).collect(),
        (_, _) => Vec::new(),
    };
    let (text, role) = told(line, look);
    let text = Text {
        whole: &text,
        role,
        found: &found,
    };
    spans.extend(text.cut(logs.aside(), columns, look));
    Line::from(spans)
}

/// What a line says.
fn told(line: &Printed, look: Look) -> (Cow<'_, str>, Role) {
    match &line.said {
        Said::Line(text) => (text.into(), Role::Plain),
        Said::LeftOut(lines) => {
            let lines = usize::try_from(*lines).unwrap_or(usize::MAX);
            let text = format!("{} {} left out", look.glyphs().more, count(lines, "line"));
            (text.into(), Role::Warn)
        }
        Said::Word(text) => {
            let text = format!("{} {text}", look.glyphs().dot);
            (text.into(), Role::Dim)
        }
        Said::Failed(reason) => {
            let text = format!("cannot read its output: {reason}");
            (text.into(), Role::Bad)
        }
    }
}

/// A text, with what was found in it.
struct Text<'a> {
    whole: &'a str,
    role: Role,
    found: &'a [Range<usize>],
}

impl Text<'_> {
    /// From a column on, as far as it may be seen.
    fn cut(&self, aside: usize, columns: usize, look: Look) -> Vec<Span<'static>> {
        let mut spans = Vec::new();
        let mut run = String::new();
        let mut role = self.role;
        let mut at = 0;
        for (byte, grapheme) in self.whole.grapheme_indices(true) {
            let from = at;
            at += grapheme.width();
            if at <= aside {
                continue;
            }
            let is_found = self.found.iter().any(|range| range.contains(&byte));
            let wanted = if is_found { Role::Found } else { self.role };
            if wanted != role && !run.is_empty() {
                spans.push(span(std::mem::take(&mut run), role, look));
            }
            role = wanted;
            // Of a wide one half may be left out.
            if from < aside {
                run.extend(std::iter::repeat_n(' ', at - aside));
            } else {
                run.push_str(grapheme);
            }
            // One more than fits, so that it is seen that there is more.
            if at > aside + columns {
                break;
            }
        }
        if !run.is_empty() {
            spans.push(span(run, role, look));
        }
        spans
    }
}

/// What stands at the right end of the line with the tabs: what is searched for, how many containers
/// are left out.
pub(super) fn notes(model: &Model, look: Look) -> Vec<Span<'static>> {
    if model.tab != Tab::Logs {
        return Vec::new();
    }
    let logs = &model.logs;
    let mut spans = Vec::new();
    if logs.left_out() > 0 {
        let all = logs.keys().len() + logs.left_out();
        let text = format!(" {} of {all} marked ", logs.keys().len());
        spans.push(span(text, Role::Warn, look));
    }
    if let Some(search) = logs.search() {
        spans.push(span(format!(" /{}", search.text()), Role::Key, look));
        let text = if search.doubt().is_some() {
            " is no regular expression ".to_owned()
        } else {
            let found = logs.store().lines().filter(|line| line.is_found);
            format!(" {} ", count(found.count(), "line"))
        };
        spans.push(span(text, Role::Dim, look));
    }
    spans
}
