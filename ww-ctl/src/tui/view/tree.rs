//! A JSON value as a tree that can be read and walked.

use ratatui::text::{Line, Span};
use serde_json::Value;

use super::super::path::{Path, Step};
use super::super::theme::{Look, Role};
use super::text::{left, span, width};
use crate::fleet::clean;

/// The most lines of one value.
const LINES: usize = 400;
/// The most characters of one key.
const KEY: usize = 40;
/// The most characters of one value.
const TEXT: usize = 400;

/// One line of a tree.
#[derive(Debug)]
pub(super) struct Node {
    /// Where its value stands; none where that has no name.
    pub path: Option<Path>,
    /// Its key, clean.
    key: String,
    /// How far in it is.
    depth: usize,
    /// How wide the keys beside it are.
    column: usize,
    /// Its value where that fits beside its key, and how it looks.
    text: Option<(String, Role)>,
}

impl Node {
    /// Its key and its value.
    pub(super) fn spans(&self, look: Look) -> Vec<Span<'static>> {
        let indent = Span::raw("  ".repeat(self.depth));
        match &self.text {
            Some((text, role)) => {
                let key = span(left(&self.key, self.column, look), Role::Dim, look);
                vec![indent, key, Span::raw("  "), span(text, *role, look)]
            }
            None => vec![indent, span(&self.key, Role::Dim, look)],
        }
    }
}

/// A value as lines: keys in a column, what is nested further right.
pub(super) fn lines(value: &Value, look: Look) -> Vec<Line<'static>> {
    let nodes = nodes(value);
    let mut lines: Vec<Line<'static>> = match scalar_text(value) {
        Some((text, role)) => vec![Line::from(span(text, role, look))],
        None => nodes
            .iter()
            .map(|node| Line::from(node.spans(look)))
            .collect(),
    };
    if nodes.len() >= LINES {
        lines.push(too_long(look));
    }
    lines
}

/// That there is more.
pub(super) fn too_long(look: Look) -> Line<'static> {
    Line::from(span("too long to show the rest", Role::Dim, look))
}

/// The lines of an object or an array, at most so many; none of anything else.
pub(super) fn nodes(value: &Value) -> Vec<Node> {
    let mut nodes = Vec::new();
    children(value, &mut Vec::new(), &mut nodes);
    nodes
}

fn children(value: &Value, steps: &mut Vec<Step>, nodes: &mut Vec<Node>) {
    let entries: Vec<(Step, &Value)> = match value {
        Value::Object(map) => {
            let entries = map.iter().take(LINES);
            entries
                .map(|(key, value)| (Step::Key(key.clone()), value))
                .collect()
        }
        Value::Array(list) => {
            let entries = list.iter().take(LINES).enumerate();
            entries
                .map(|(index, value)| (Step::Index(index), value))
                .collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return,
    };
    let name = |step: &Step| match step {
        Step::Key(key) => clean(key, KEY),
        Step::Index(index) => index.to_string(),
    };
    let column = entries
        .iter()
        .filter(|(_, value)| inline(value).is_some())
        .map(|(step, _)| width(&name(step)))
        .max()
        .unwrap_or(0);
    let depth = steps.len();
    for (step, value) in entries {
        if nodes.len() >= LINES {
            return;
        }
        let key = name(&step);
        steps.push(step);
        let text = inline(value);
        let nested = text.is_none();
        nodes.push(Node {
            path: Path::new(steps),
            key,
            depth,
            column,
            text,
        });
        if nested {
            children(value, steps, nodes);
        }
        steps.pop();
    }
}

/// What fits beside its key.
fn inline(value: &Value) -> Option<(String, Role)> {
    match value {
        Value::Object(map) if map.is_empty() => Some(("{}".into(), Role::Dim)),
        Value::Array(list)
            if list
                .iter()
                .all(|item| !item.is_object() && !item.is_array())
                && list.len() <= 16 =>
        {
            let items: Vec<String> = list.iter().map(text).collect();
            Some((format!("[{}]", items.join(", ")), Role::Plain))
        }
        Value::Object(_)
        | Value::Array(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_) => scalar_text(value),
    }
}

fn scalar_text(value: &Value) -> Option<(String, Role)> {
    let role = match value {
        Value::Object(_) | Value::Array(_) => return None,
        Value::Null => Role::Dim,
        // What is false or empty is what one looks for.
        Value::Bool(false) => Role::Warn,
        Value::Bool(true) | Value::Number(_) | Value::String(_) => Role::Plain,
    };
    Some((text(value), role))
}

/// A value in one line: a text without its quotes, anything else as JSON.
pub(super) fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| clean(&value.to_string(), TEXT), |text| clean(text, TEXT))
}
