//! Telling what becomes of the containers that are acted on, while it happens.

use whaleware::lifecycle::State;

use super::Context;
use super::timeline::Timeline;
use crate::fleet::{Change, ContainerKey, Fleet};

/// Tells each transition once.
pub(super) struct Teller {
    timeline: Timeline,
}

impl Teller {
    /// From now on.
    pub(super) fn from_now(fleet: &Fleet) -> Self {
        Self {
            timeline: Timeline::from_now(fleet),
        }
    }

    /// Tells what changed about those that are `watched`.
    pub(super) fn tell(
        &mut self,
        context: &Context,
        fleet: &Fleet,
        changes: &[Change],
        watched: impl Fn(&ContainerKey) -> bool,
    ) {
        for change in changes {
            let (Change::State(key, _) | Change::Details(key) | Change::Docker(key, _)) = change
            else {
                continue;
            };
            let Some(container) = fleet.get(key).filter(|_| watched(key)) else {
                continue;
            };
            if let Change::Docker(_, state) = change {
                if *state == State::Dockerup {
                    self.timeline.started(key);
                }
                let text = progress_line(&container.name, *state, &container.cause());
                context.output.say(&text);
            }
            for report in self.timeline.fresh(container) {
                let text = progress_line(&container.name, report.state, &report.cause);
                context.output.say(&text);
            }
        }
    }
}

fn progress_line(name: &str, state: State, cause: &str) -> String {
    if cause.is_empty() {
        format!("{name}: {state}")
    } else {
        format!("{name}: {state} ({cause})")
    }
}
