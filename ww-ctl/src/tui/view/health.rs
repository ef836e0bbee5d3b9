//! The tab Health: the checks, and what the last one printed, as a tree with a cursor.

use ratatui::text::{Line, Span};
use serde_json::Value;

use super::super::columns::Column;
use super::super::model::{Focus, Model};
use super::super::path::Path;
use super::super::theme::{Look, Role};
use super::details::{fact, health_line, monitor_value};
use super::text::{cut, span, width};
use super::{graph, timeline, tree};
use crate::fleet::Container;

/// The lines before the tree.
const ABOVE: usize = 3;
/// The most columns of a key and its value before what is told of its past.
const VALUE: usize = 44;
/// The columns of a sparkline.
const SPARKLINE: usize = 32;

/// What is shown.
pub(super) fn lines(
    model: &Model,
    container: &Container,
    columns: usize,
    look: Look,
) -> Vec<Line<'static>> {
    let Some(agent) = &container.agent else {
        return vec![Line::from(span(
            "no check has been heard of",
            Role::Dim,
            look,
        ))];
    };
    let (text, role) = health_line(model, container, agent);
    let mut lines = vec![fact("health", text, role, look)];
    let Some(monitor) = &agent.monitor else {
        return lines;
    };
    let text = format!("{} UTC, exit {}", timeline::clock(monitor.at), monitor.exit);
    lines.push(fact("last check", text, Role::Plain, look));
    lines.push(Line::default());
    let value = monitor.value.as_ref();
    let nodes = value.map(tree::nodes).unwrap_or_default();
    let Some(value) = value.filter(|_| !nodes.is_empty()) else {
        lines.extend(monitor_value(monitor, look));
        return lines;
    };
    let wide = nodes
        .iter()
        .map(|node| {
            node.spans(look)
                .iter()
                .map(|span| width(&span.content))
                .sum::<usize>()
        })
        .max()
        .unwrap_or(0)
        .min(VALUE.min(columns));
    let told = nodes.iter().map(|node| {
        let mut spans = node.spans(look);
        let used: usize = spans.iter().map(|span| width(&span.content)).sum();
        let past = node
            .path
            .as_ref()
            .map_or_else(Vec::new, |path| past(model, container, value, path, look));
        if !past.is_empty() {
            spans.push(Span::raw(" ".repeat(wide.saturating_sub(used) + 2)));
            spans.extend(past);
        }
        Line::from(spans)
    });
    lines.extend(told);
    if monitor.truncated {
        lines.push(Line::from(span("cut: it printed more", Role::Dim, look)));
    }
    if let (Focus::Pane { .. } | Focus::Full { .. }, Some(line)) =
        (model.focus, lines.get_mut(line_of(model.leaf)))
    {
        // One look for the whole line: what is reversed in pieces cannot be read.
        for span in &mut line.spans {
            span.style = look.style(Role::Selected);
        }
    }
    lines
}

/// What is known of the past of a value, and whether it is a column.
fn past(
    model: &Model,
    container: &Container,
    value: &Value,
    path: &Path,
    look: Look,
) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let past = model.past(&container.key);
    if let Some(values) = past
        .and_then(|past| past.values(path))
        .filter(|it| it.len() > 1)
    {
        let line = graph::sparkline(values.iter(), SPARKLINE, look);
        spans.push(span(format!("{line}  "), Role::Busy, look));
    }
    let now = path
        .of(value)
        .filter(|it| !it.is_object() && !it.is_array());
    let before = past.and_then(|past| past.before());
    if let (Some(before), Some(now)) = (before, now) {
        match path.of(before) {
            Some(before) if before != now => {
                let before = cut(&tree::text(before), 24, look);
                spans.push(span(format!("was {before}  "), Role::Warn, look));
            }
            None => spans.push(span("new  ", Role::Warn, look)),
            Some(_) => {}
        }
    }
    if model.columns.has(&Column::Value(path.clone())) {
        spans.push(span("column", Role::Dim, look));
    }
    spans
}

/// In which line a leaf of the tree stands.
pub(super) const fn line_of(leaf: usize) -> usize {
    ABOVE + leaf
}

/// How many lines the tree has.
pub(super) fn leaves(model: &Model) -> usize {
    value(model).map_or(0, |value| tree::nodes(value).len())
}

/// The value under the cursor and its place.
pub(super) fn leaf(model: &Model) -> Option<(Path, Value)> {
    let value = value(model)?;
    let path = tree::nodes(value).into_iter().nth(model.leaf)?.path?;
    let found = path.of(value)?.clone();
    Some((path, found))
}

/// What the last check of the container under the cursor printed.
fn value(model: &Model) -> Option<&Value> {
    let monitor = model.selected()?.agent.as_ref()?.monitor.as_ref()?;
    monitor.value.as_ref()
}
