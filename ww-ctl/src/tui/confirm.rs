//! What is asked before something is done.

use jiff::Timestamp;
use whaleware::lifecycle::Moment;

use super::msg::Verb;
use super::operation::Manner;
use crate::fleet::{Container, ContainerKey, Fleet, HostStatus};

/// With more containers than this their number is to be typed.
const MANY: usize = 10;

/// A question that waits for its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Confirmation {
    /// What is to be done.
    pub verb: Verb,
    /// To which containers; at least one.
    pub targets: Vec<Target>,
    /// Which ones were asked for but cannot be, and why.
    pub left_out: Vec<(String, &'static str)>,
    /// What counts as a yes.
    pub challenge: Challenge,
    /// How it is done to several.
    pub manner: Manner,
}

/// A container in the life for which the operator was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The container.
    pub key: ContainerKey,
    /// Its name when asked.
    pub name: String,
    /// When it was started, by the Engine's clock.
    pub started: Option<Timestamp>,
    /// Whether it ran when asked.
    running: bool,
    /// When it was first seen in this life; an event of the Engine tells of a new one before the
    /// Engine was asked when exactly it began.
    pub seen: Moment,
}

/// What counts as a yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// The key `y`.
    Yes,
    /// The number of containers, or the name of the only one, typed, and Enter.
    Type {
        /// What is to be typed.
        wanted: String,
        /// What was typed so far.
        typed: String,
    },
}

impl Confirmation {
    /// Whether it can be done to one after the other.
    pub(crate) fn can_be_in_turn(&self) -> bool {
        self.verb == Verb::Restart && self.targets.len() > 1
    }

    /// A question about these containers; none of them left, only the reasons.
    pub(crate) fn new<'a>(
        verb: Verb,
        fleet: &Fleet,
        containers: impl IntoIterator<Item = &'a Container>,
        busy: impl Fn(&ContainerKey) -> bool,
    ) -> Result<Self, Vec<(String, &'static str)>> {
        let mut targets = Vec::new();
        let mut left_out = Vec::new();
        for container in containers {
            match obstacle(verb, fleet, container, &busy) {
                Some(reason) => left_out.push((container.name.clone(), reason)),
                None => targets.push(Target {
                    key: container.key.clone(),
                    name: container.name.clone(),
                    running: container.engine.is_running(),
                    started: container.started,
                    seen: container.engine_since,
                }),
            }
        }
        if targets.is_empty() {
            return Err(left_out);
        }
        let typing = |wanted: String| Challenge::Type {
            wanted,
            typed: String::new(),
        };
        let challenge = match (verb, targets.as_slice()) {
            // What is killed is not asked, and may lose what it has not written.
            (Verb::Kill, [only]) => typing(only.name.clone()),
            (Verb::Kill, several) => typing(several.len().to_string()),
            (Verb::Restart | Verb::Stop | Verb::Start | Verb::Backup, some) => {
                if some.len() > MANY {
                    typing(some.len().to_string())
                } else {
                    Challenge::Yes
                }
            }
        };
        Ok(Self {
            verb,
            targets,
            left_out,
            challenge,
            manner: Manner::AtOnce,
        })
    }

    /// Which of the containers are not any more what the operator was asked about.
    pub(crate) fn outdated(&self, fleet: &Fleet) -> Vec<&str> {
        self.targets
            .iter()
            .filter(|target| !target.holds(fleet))
            .map(|target| target.name.as_str())
            .collect()
    }
}

impl Target {
    fn holds(&self, fleet: &Fleet) -> bool {
        fleet.get(&self.key).is_some_and(|container| {
            container.engine.is_running() == self.running
                && container.engine_since == self.seen
                && (self.started.is_none() || container.started == self.started)
        })
    }
}

/// Why something cannot be done to a container.
fn obstacle(
    verb: Verb,
    fleet: &Fleet,
    container: &Container,
    busy: &impl Fn(&ContainerKey) -> bool,
) -> Option<&'static str> {
    let host = fleet.host(&container.key.host).map(|host| &host.status);
    if matches!(host, Some(HostStatus::Lost { .. })) {
        return Some("its host does not answer");
    }
    match (verb, container.engine.is_running()) {
        (Verb::Restart | Verb::Stop | Verb::Kill, false) => return Some("it does not run"),
        (Verb::Start, true) => return Some("it runs already"),
        (Verb::Restart | Verb::Stop | Verb::Kill, true)
        | (Verb::Start, false)
        | (Verb::Backup, _) => {}
    }
    if busy(&container.key) {
        return Some("something is under way already");
    }
    match verb {
        // The signal that makes an agent restart its services ends any other program.
        Verb::Restart if !container.has_agent => Some("it has no agent"),
        Verb::Restart | Verb::Stop | Verb::Start | Verb::Kill | Verb::Backup => None,
    }
}
