//! What keys do with rows: mark them, go to those in trouble, copy their names.

use super::model::{Model, Tone};
use super::msg::Cmd;
use crate::fleet::Severity;

/// The longest text handed to the terminal for pasting, in bytes; some take no more than 100 kB.
const COPIED: usize = 64 << 10;

/// Marks the row under the cursor, or not any more, and goes on to the next.
pub(super) fn mark(model: &mut Model) {
    let Some(place) = model.place() else {
        return;
    };
    let key = model.rows()[place].clone();
    if !model.marks.remove(&key) {
        model.marks.insert(key);
    }
    model.go_to(place + 1);
}

/// Marks all rows, or none any more.
pub(super) fn mark_all(model: &mut Model) {
    if model.rows().iter().all(|key| model.marks.contains(key)) {
        for key in model.rows().to_vec() {
            model.marks.remove(&key);
        }
    } else {
        model.marks.extend(model.rows().to_vec());
    }
}

/// Marks from the row where this was begun to the one under the cursor.
pub(super) fn range(model: &mut Model) {
    let Some(place) = model.place() else {
        return;
    };
    let here = model.rows()[place].clone();
    let Some(from) = model.range.take() else {
        model.pin();
        model.marks.insert(here.clone());
        model.range = Some(here);
        model.say(
            Tone::Calm,
            "move to the other end of the range and press it again",
        );
        return;
    };
    let Some(from) = model.rows().iter().position(|row| *row == from) else {
        model.say(
            Tone::Wrong,
            "the other end of the range is not shown any more",
        );
        return;
    };
    let rows = model.rows()[from.min(place)..=from.max(place)].to_vec();
    model.say(Tone::Calm, format!("{} rows marked", rows.len()));
    model.marks.extend(rows);
}

/// Goes to the next row in trouble, or to the one before, around the end.
pub(super) fn trouble(model: &mut Model, down: bool) {
    let Some(place) = model.place() else {
        return;
    };
    let rows = model.rows().len();
    let is_bad = |at: &usize| {
        let container = model.shown().get(&model.rows()[*at]);
        container.is_some_and(|one| {
            matches!(one.severity(), Severity::Failed | Severity::Sick)
                || model.shown().stale_since(one).is_some()
        })
    };
    let steps = 1..=rows;
    let mut places = steps.map(|step| if down { place + step } else { place + rows - step } % rows);
    match places.find(is_bad) {
        Some(found) => model.go_to(found),
        None => model.say(Tone::Calm, "no row is in trouble"),
    }
}

/// Hands the name under the cursor, or those that are marked, to the terminal.
pub(super) fn copy(model: &mut Model) -> Vec<Cmd> {
    let names: Vec<&str> = model
        .targets()
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    let text = names.join(" ");
    let told = match names.as_slice() {
        [name] => format!("copied {name}"),
        several => format!("copied {} names", several.len()),
    };
    if text.len() > COPIED {
        model.say(
            Tone::Wrong,
            format!("cannot copy {} names: too long for a terminal", names.len()),
        );
        return Vec::new();
    }
    model.say(
        Tone::Calm,
        format!("{told}, if the terminal allows it (OSC 52)"),
    );
    vec![Cmd::Copy(text)]
}
