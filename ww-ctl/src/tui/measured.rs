//! Which containers the Engine is asked for figures of: those without an agent whose rows are seen.
//! Agents tell theirs for nothing; the Engine takes milliseconds of its processor for each every
//! second.

use std::collections::BTreeSet;

use super::columns::Column;
use super::lanes::Body;
use super::model::{Flow, Focus, Model};
use super::msg::Cmd;
use super::view;
use crate::fleet::{ContainerKey, EngineState, Input};

/// The most of them at a time, however high the screen is.
const AT_ONCE: usize = 64;

/// What is to be asked for from now on, where that has changed.
pub(super) fn wanted(model: &mut Model) -> Option<Cmd> {
    let wanted = seen(model);
    if wanted == model.measured {
        return None;
    }
    let over: Vec<_> = model.measured.difference(&wanted).cloned().collect();
    for key in over {
        // A figure that nobody keeps up to date is none.
        let _seen = model
            .fleet
            .apply(Input::Used { key, used: None }, model.now);
    }
    model.measured = wanted;
    let keys = model.measured.iter().cloned().collect();
    Some(Cmd::Measure(keys))
}

fn seen(model: &Model) -> BTreeSet<ContainerKey> {
    let is_seen = model.body == Body::Table
        && !matches!(model.focus, Focus::Full { .. })
        && matches!(model.flow, Flow::Live)
        && (model.columns.has(&Column::Cpu) || model.columns.has(&Column::Memory));
    if !is_seen {
        return BTreeSet::new();
    }
    let height = usize::from(view::table_rows(model));
    let rows = model.rows().iter().skip(model.offset()).take(height);
    rows.filter_map(|key| model.fleet.get(key))
        .filter(|one| !one.has_agent && one.engine == EngineState::Running)
        .filter(|one| model.fleet.lost_since(&one.key.host).is_none())
        .map(|one| one.key.clone())
        .take(AT_ONCE)
        .collect()
}
