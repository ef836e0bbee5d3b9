//! A JSON value as lines that can be read.

use ratatui::text::{Line, Span};
use serde_json::Value;

use super::super::theme::{Look, Role};
use super::text::{left, span, width};
use crate::fleet::clean;

/// The most lines of one value.
const LINES: usize = 400;
/// The most characters of one key.
const KEY: usize = 40;
/// The most characters of one value.
const TEXT: usize = 400;

/// A value as lines: keys in a column, what is nested further right.
pub(super) fn lines(value: &Value, look: Look) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    match value {
        Value::Object(_) | Value::Array(_) => children(value, 0, look, &mut lines),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            lines.push(Line::from(scalar_span(value, look)));
        }
    }
    if lines.len() > LINES {
        lines.truncate(LINES);
        lines.push(Line::from(span(
            "too long to show the rest",
            Role::Dim,
            look,
        )));
    }
    lines
}

fn children(value: &Value, depth: usize, look: Look, lines: &mut Vec<Line<'static>>) {
    let entries: Vec<(String, &Value)> = match value {
        Value::Object(map) => map
            .iter()
            .take(LINES)
            .map(|(key, value)| (clean(key, KEY), value))
            .collect(),
        Value::Array(list) => list
            .iter()
            .take(LINES)
            .enumerate()
            .map(|(index, value)| (index.to_string(), value))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return,
    };
    let column = entries
        .iter()
        .filter(|(_, value)| inline(value, look).is_some())
        .map(|(key, _)| width(key))
        .max()
        .unwrap_or(0);
    for (key, value) in entries {
        if lines.len() > LINES {
            return;
        }
        let indent = Span::raw("  ".repeat(depth));
        if let Some(text) = inline(value, look) {
            let key = span(left(&key, column, look), Role::Dim, look);
            lines.push(Line::from(vec![indent, key, Span::raw("  "), text]));
        } else {
            lines.push(Line::from(vec![indent, span(key, Role::Dim, look)]));
            children(value, depth + 1, look, lines);
        }
    }
}

/// What fits beside its key.
fn inline(value: &Value, look: Look) -> Option<Span<'static>> {
    match value {
        Value::Object(map) if map.is_empty() => Some(span("{}", Role::Dim, look)),
        Value::Array(list)
            if list
                .iter()
                .all(|item| !item.is_object() && !item.is_array())
                && list.len() <= 16 =>
        {
            let items: Vec<String> = list.iter().map(scalar).collect();
            Some(span(format!("[{}]", items.join(", ")), Role::Plain, look))
        }
        Value::Object(_) | Value::Array(_) => None,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Some(scalar_span(value, look))
        }
    }
}

fn scalar_span(value: &Value, look: Look) -> Span<'static> {
    let role = match value {
        Value::Null => Role::Dim,
        // What is false or empty is what one looks for.
        Value::Bool(false) => Role::Warn,
        Value::Bool(true)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => Role::Plain,
    };
    span(scalar(value), role, look)
}

fn scalar(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| clean(&value.to_string(), TEXT), |text| clean(text, TEXT))
}
