//! The value under the cursor of the tab Health: as a column, as an order, as a filter.

use serde_json::Value;

use super::columns::Column;
use super::filter::Filter;
use super::model::{Focus, Model, Tab, Tone};
use super::path::Path;
use super::sort::{Direction, SortKey};
use super::view;

/// Moves the cursor in the tree by so many lines, where there is one. Whether that was so.
pub(super) fn shift(model: &mut Model, by: isize) -> bool {
    let lines = view::leaves(model);
    if model.focus == Focus::Table || model.tab != Tab::Health || lines == 0 {
        return false;
    }
    let leaf = model.leaf.min(lines - 1).saturating_add_signed(by);
    model.leaf = leaf.min(lines - 1);
    let scroll = view::scroll_to_leaf(model);
    if let Focus::Pane { scroll: known } | Focus::Full { scroll: known } = &mut model.focus {
        *known = scroll;
    }
    true
}

/// The tree may have become shorter.
pub(super) fn settle(model: &mut Model) {
    if model.tab == Tab::Health {
        model.leaf = model.leaf.min(view::leaves(model).saturating_sub(1));
    }
}

/// Makes it a column, or not any more.
pub(super) fn column(model: &mut Model) {
    let Some((path, _)) = here(model) else {
        return;
    };
    match model.columns.toggle(&Column::Value(path.clone())) {
        Ok(true) => {
            model.say(
                Tone::Calm,
                format!("{path} is a column; c again takes it away"),
            );
        }
        Ok(false) => {
            if model.sort == SortKey::Value(path.clone()) {
                model.sort = SortKey::default();
            }
            model.say(Tone::Calm, format!("{path} is no column any more"));
        }
        Err(error) => model.say(Tone::Wrong, error.to_string()),
    }
}

/// Sorts by it, the largest first, or the other way round; it becomes a column, or the order could
/// not be understood.
pub(super) fn sort(model: &mut Model) {
    let Some((path, _)) = here(model) else {
        return;
    };
    let key = SortKey::Value(path.clone());
    if model.sort == key {
        model.direction = model.direction.turned();
    } else {
        model.sort = key;
        model.direction = Direction::default();
    }
    let column = Column::Value(path.clone());
    // Where there is no room for one more the line above the table says what it is sorted by.
    if !model.columns.has(&column) {
        let _full = model.columns.toggle(&column);
    }
    model.say(Tone::Calm, format!("sorted by {path}"));
}

/// Shows only containers that have the same value.
pub(super) fn filter(model: &mut Model) {
    let Some((path, value)) = here(model) else {
        return;
    };
    let value = match value {
        Value::String(text) => text,
        Value::Number(_) | Value::Bool(_) | Value::Null => value.to_string(),
        Value::Array(_) | Value::Object(_) => {
            model.say(
                Tone::Wrong,
                format!("{path} is no single value to filter by"),
            );
            return;
        }
    };
    let term = format!("{path}={value}");
    if term.contains(char::is_whitespace) {
        model.say(
            Tone::Wrong,
            format!("cannot filter by {path}: it has spaces"),
        );
        return;
    }
    let text = model.filter.text().trim().to_owned();
    if text.split_whitespace().any(|known| known == term) {
        return;
    }
    model.filter = Filter::parse(format!("{text} {term}").trim());
}

/// The value under the cursor and its place.
fn here(model: &mut Model) -> Option<(Path, Value)> {
    let found = view::leaf(model);
    if found.is_none() {
        model.say(
            Tone::Wrong,
            "there is no value here: the monitor has printed no JSON object",
        );
    }
    found
}
