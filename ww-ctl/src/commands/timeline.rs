//! Which transitions of a container have not been told yet.

use std::collections::BTreeMap;

use whaleware::protocol::TransitionReport;

use crate::fleet::{Container, ContainerKey, Fleet};

/// How far a container's life has been told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    /// What it had done before we looked is no news.
    AllSoFar,
    /// Up to this transition of this boot.
    UpTo { boot: String, number: u64 },
}

/// Which transitions have not been told yet. A transition that happened while an agent was not
/// reached comes with its next snapshot, and none is told twice.
#[derive(Debug, Clone, Default)]
pub(super) struct Timeline {
    told: BTreeMap<ContainerKey, Told>,
}

impl Timeline {
    /// From now on.
    pub(super) fn from_now(fleet: &Fleet) -> Self {
        let mut timeline = Self::default();
        for container in fleet.containers().filter(|one| one.engine.is_running()) {
            timeline.told.insert(container.key.clone(), Told::AllSoFar);
            if container.is_introduced() {
                timeline.fresh(container);
            }
        }
        timeline
    }

    /// A new life: all of it is news.
    pub(super) fn started(&mut self, key: &ContainerKey) {
        self.told.remove(key);
    }

    /// The transitions that have not been told, oldest first; they are told now.
    pub(super) fn fresh(&mut self, container: &Container) -> Vec<TransitionReport> {
        let Some(agent) = container
            .agent
            .as_ref()
            .filter(|_| container.is_introduced())
        else {
            return Vec::new();
        };
        let boot = agent.hello.as_ref().map_or("", |hello| hello.boot.as_str());
        let newest = agent.transitions.last().map_or(0, |report| report.number);
        let after = match self.told.get(&container.key) {
            Some(Told::AllSoFar) => newest,
            Some(Told::UpTo {
                boot: known,
                number,
            }) if known == boot => *number,
            Some(Told::UpTo { .. }) | None => 0,
        };
        let up_to = Told::UpTo {
            boot: boot.to_owned(),
            number: newest.max(after),
        };
        self.told.insert(container.key.clone(), up_to);
        agent
            .transitions
            .iter()
            .filter(|report| report.number > after)
            .cloned()
            .collect()
    }
}
