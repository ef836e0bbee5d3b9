//! What a container was like before it was acted on.

use std::collections::BTreeMap;

use whaleware::lifecycle::{Hook, State};
use whaleware::protocol::HealthStatus;

use crate::fleet::{AgentView, Container, ContainerKey, Fleet};

/// What a container's life was like before it was acted on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Before {
    boot: Option<String>,
    number: u64,
    starts: u64,
    running: bool,
    checked: bool,
    to_come: bool,
}

impl Before {
    /// Each of these containers as it is now.
    pub(super) fn all(fleet: &Fleet, keys: &[ContainerKey]) -> BTreeMap<ContainerKey, Self> {
        keys.iter()
            .filter_map(|key| fleet.get(key))
            .map(|one| (one.key.clone(), Self::of(one)))
            .collect()
    }

    pub(super) fn of(container: &Container) -> Self {
        let agent = container.agent.as_ref();
        Self {
            boot: boot(agent),
            number: agent
                .and_then(|agent| agent.transitions.last())
                .map_or(0, |report| report.number),
            starts: container.starts,
            running: container.engine.is_running(),
            checked: container.health() != HealthStatus::Unknown,
            to_come: agent.is_some_and(are_to_come),
        }
    }

    /// Whether it ran.
    pub(super) const fn was_running(&self) -> bool {
        self.running
    }

    /// Whether anything had checked it.
    pub(super) const fn was_checked(&self) -> bool {
        self.checked
    }

    /// Whether it was started since.
    pub(super) const fn was_started(&self, container: &Container) -> bool {
        container.starts > self.starts
    }

    /// Whether this is another life than the one before.
    pub(super) fn is_over(&self, container: &Container) -> bool {
        let now = boot(container.agent.as_ref());
        match (&self.boot, now) {
            (Some(before), Some(now)) => *before != now,
            (Some(_), None) | (None, _) => self.was_started(container),
        }
    }

    /// Whether its services have begun to be restarted since; or to be started at all, where they
    /// were yet to be when it was asked for: that start is what the agent answers with.
    pub(super) fn has_restarted(&self, container: &Container, acted: bool) -> bool {
        let joined = acted && self.to_come && container.state() == Some(State::Up);
        joined || self.has_begun_to(container)
    }

    fn has_begun_to(&self, container: &Container) -> bool {
        container.agent.as_ref().is_some_and(|agent| {
            agent
                .transitions
                .iter()
                .any(|report| report.number > self.number && report.state == State::Restarting)
        })
    }
}

/// Whether its services are going to be started, but that has not begun.
fn are_to_come(agent: &AgentView) -> bool {
    match agent.state {
        State::Boot | State::Firstboot | State::Upgrading => true,
        State::Restarting => !agent.running.as_ref().is_some_and(|(run, _)| {
            [Hook::Svcup, Hook::Warmup]
                .map(Hook::name)
                .contains(&run.hook.as_str())
        }),
        State::Dockerup
        | State::Warmup
        | State::Up
        | State::Stopped
        | State::Error
        | State::Dockerdown => false,
    }
}

fn boot(agent: Option<&AgentView>) -> Option<String> {
    agent
        .and_then(|agent| agent.hello.as_ref())
        .map(|hello| hello.boot.clone())
}
