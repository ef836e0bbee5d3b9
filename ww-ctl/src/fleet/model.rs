//! The model itself: hosts, containers, and what each input changes.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::SignedDuration;
use whaleware::lifecycle::{Moment, State};
use whaleware::protocol::{
    FromAgent, HealthReport, Note, Resources, ServiceReport, Stopping, TransitionReport,
};

use super::agent::{Room, clean_service};
use super::backed::Backed;
use super::container::{Container, EngineState, Link};
use super::input::{ContainerKey, EngineEvent, HostName, Input, Listed, Stamp};
use super::text::clean;
use super::touched::Touched;

/// How a host stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HostStatus {
    /// Nothing has been heard yet.
    Reaching,
    /// It answers.
    Live,
    /// It does not; what is known of its containers is as old as this.
    Lost {
        /// Since when.
        since: Moment,
        /// Why, in words.
        reason: String,
    },
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    /// Its name.
    pub name: HostName,
    /// How it stands.
    pub status: HostStatus,
    /// How far its clock is ahead of this program's; zero before the first listing.
    pub skew: SignedDuration,
}

/// What an input changed, for those who wait or watch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// A container is new.
    Appeared(ContainerKey),
    /// A container is gone for good; the last of what was known of it.
    Gone(Box<Container>),
    /// The state changed, as the agent told it.
    State(ContainerKey, TransitionReport),
    /// The state changed as the host sees it (DOCKERUP, DOCKERDOWN).
    Docker(ContainerKey, State),
    /// The health is another, or has been confirmed.
    Health(ContainerKey, HealthReport),
    /// A service stands otherwise, or has said something.
    Service(ContainerKey, ServiceReport),
    /// A stop has come to its next stage.
    Stopping(ContainerKey, Stopping),
    /// The agent has something to say.
    Note(ContainerKey, Note),
    /// The connection to the agent is another.
    Link(ContainerKey),
    /// Something else about a container that a screen may show.
    Details(ContainerKey),
    /// A host answers again, or for the first time.
    HostLive(HostName),
    /// A host does not answer any more.
    HostLost(HostName),
}

/// What is known about the fleet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fleet {
    hosts: BTreeMap<HostName, Host>,
    /// Each by itself: a map's nodes are half empty, and these are large.
    containers: BTreeMap<ContainerKey, Box<Container>>,
    /// Stands for which containers there are and what they are called.
    names: u64,
    touched: Touched,
}

impl Fleet {
    /// A fleet of these hosts, of which nothing is known yet.
    pub(crate) fn new(hosts: impl IntoIterator<Item = HostName>) -> Self {
        let hosts = hosts
            .into_iter()
            .map(|name| {
                let host = Host {
                    name: name.clone(),
                    status: HostStatus::Reaching,
                    skew: SignedDuration::ZERO,
                };
                (name, host)
            })
            .collect();
        Self {
            hosts,
            containers: BTreeMap::new(),
            names: 0,
            touched: Touched::All,
        }
    }

    /// Every host, by name.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.values()
    }

    /// One host.
    pub(crate) fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.get(name)
    }

    /// Every container, by host and id.
    pub(crate) fn containers(&self) -> impl Iterator<Item = &Container> {
        self.containers.values().map(|container| &**container)
    }

    /// How many containers there are.
    pub(crate) fn len(&self) -> usize {
        self.containers.len()
    }

    /// Every container of a host, by id.
    pub(crate) fn containers_of(&self, host: &HostName) -> impl Iterator<Item = &Container> {
        let first = ContainerKey {
            host: host.clone(),
            id: Arc::from(""),
        };
        let from = self.containers.range(first..);
        from.take_while(|(key, _)| key.host == *host)
            .map(|(_, container)| &**container)
    }

    /// Stands for which containers there are and what they are called: with the same number their
    /// order by name is the same.
    pub(crate) const fn names(&self) -> u64 {
        self.names
    }

    /// Of which containers something was said since this was called last; at first of all.
    pub(crate) fn touched(&mut self) -> Touched {
        std::mem::take(&mut self.touched)
    }

    /// One container.
    pub(crate) fn get(&self, key: &ContainerKey) -> Option<&Container> {
        self.containers.get(key).map(|container| &**container)
    }

    /// Whether every host has answered, or has been found not to.
    pub(crate) fn is_settled(&self) -> bool {
        self.hosts
            .values()
            .all(|host| host.status != HostStatus::Reaching)
    }

    /// Whether a host does not answer, and since when.
    pub(crate) fn lost_since(&self, host: &str) -> Option<Moment> {
        match self.hosts.get(host).map(|host| &host.status) {
            Some(HostStatus::Lost { since, .. }) => Some(*since),
            Some(HostStatus::Live | HostStatus::Reaching) | None => None,
        }
    }

    /// Whether what is known of this container may be out of date, and since when.
    pub(crate) fn stale_since(&self, container: &Container) -> Option<Moment> {
        let host = self.lost_since(&container.key.host);
        let agent = match &container.link {
            Link::Silent { since, .. } => Some(*since),
            Link::None | Link::Reaching { .. } | Link::Live { .. } => None,
        };
        host.into_iter().chain(agent).min()
    }

    /// Takes one input in.
    pub(crate) fn apply(&mut self, input: Input, now: Stamp) -> Vec<Change> {
        self.touched.by(&input);
        match input {
            Input::Listing {
                host,
                skew,
                containers,
            } => self.listing(&host, skew, containers, now),
            Input::Engine { key, event } => self.engine(key, event, now),
            Input::HostLost {
                host,
                since,
                reason,
            } => self.host_lost(&host, since.unwrap_or(now.moment), &reason),
            Input::Backups { host, found } => self.backed(&host, found),
            Input::Used { key, used } => self.used(key, used),
            Input::Reaching(key) => self.link(&key, |container| {
                container.link = Link::Reaching { since: now.moment };
            }),
            Input::Reached { key, route } => {
                self.link(&key, |container| container.link = Link::Live { route })
            }
            Input::AgentLost { key, reason } => self.link(&key, |container| {
                // What had ended on purpose is not a silence.
                if !container.engine.is_running() {
                    container.link = Link::None;
                } else if !matches!(container.link, Link::Silent { .. }) {
                    let reason = clean(&reason, 256);
                    container.link = Link::Silent {
                        since: now.moment,
                        reason,
                    };
                }
            }),
            Input::Frame { key, frame } => self.frame(&key, *frame, now),
        }
    }

    fn listing(
        &mut self,
        host: &HostName,
        skew: SignedDuration,
        containers: Vec<Listed>,
        now: Stamp,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        let known = self.hosts.entry(host.clone()).or_insert_with(|| Host {
            name: host.clone(),
            status: HostStatus::Reaching,
            skew: SignedDuration::ZERO,
        });
        known.skew = skew;
        if known.status != HostStatus::Live {
            known.status = HostStatus::Live;
            changes.push(Change::HostLive(host.clone()));
        }
        let seen: BTreeSet<_> = containers.iter().map(|listed| listed.id.clone()).collect();
        let gone: Vec<_> = self
            .containers
            .keys()
            .filter(|key| key.host == *host && !seen.contains(&key.id))
            .cloned()
            .collect();
        for key in gone {
            if let Some(container) = self.containers.remove(&key) {
                self.names ^= name(&key, &container.name);
                changes.push(Change::Gone(container));
            }
        }
        for listed in containers {
            let key = ContainerKey {
                host: host.clone(),
                id: listed.id.clone(),
            };
            self.known(key, listed, now, &mut changes);
        }
        changes
    }

    fn known(&mut self, key: ContainerKey, listed: Listed, now: Stamp, changes: &mut Vec<Change>) {
        let skew = self
            .hosts
            .get(&key.host)
            .map_or(SignedDuration::ZERO, |host| host.skew);
        let since = since(&listed, skew, now);
        let Some(container) = self.containers.get_mut(&key) else {
            let container = Container::new(key.clone(), listed, since);
            self.names ^= name(&key, &container.name);
            self.containers.insert(key.clone(), Box::new(container));
            changes.push(Change::Appeared(key));
            return;
        };
        let engine = listed.engine;
        let restarted = listed.started.is_some()
            && container.started.is_some()
            && listed.started != container.started;
        let before = container.engine;
        let called = std::mem::take(&mut container.name);
        container.describe(listed);
        if container.name != called {
            self.names ^= name(&key, &called) ^ name(&key, &container.name);
        }
        if restarted || before.is_running() != engine.is_running() {
            container.engine = engine;
            container.engine_since = since;
            if engine.is_running() {
                container.forget_agent();
                changes.push(Change::Docker(key, State::Dockerup));
            } else {
                container.link = Link::None;
                changes.push(Change::Docker(key, State::Dockerdown));
            }
        } else if before != engine {
            // An exit code that is known already is not unlearned by a listing without one.
            let unlearned = matches!(engine, EngineState::Exited { code: None, .. });
            if !unlearned {
                container.engine = engine;
            }
            changes.push(Change::Details(key));
        }
    }

    fn engine(&mut self, key: ContainerKey, event: EngineEvent, now: Stamp) -> Vec<Change> {
        let mut changes = Vec::new();
        match event {
            EngineEvent::Known(listed) => self.known(key, *listed, now, &mut changes),
            EngineEvent::Removed => {
                if let Some(container) = self.containers.remove(&key) {
                    self.names ^= name(&key, &container.name);
                    changes.push(Change::Gone(container));
                }
            }
            EngineEvent::Started
            | EngineEvent::Died { .. }
            | EngineEvent::Paused
            | EngineEvent::Unpaused
            | EngineEvent::Renamed(_) => {
                if let Some(container) = self.containers.get_mut(&key) {
                    self.names ^= name(&key, &container.name);
                    changes.push(happened(container, event, now));
                    self.names ^= name(&key, &container.name);
                }
            }
        }
        changes
    }

    fn host_lost(&mut self, name: &HostName, since: Moment, reason: &str) -> Vec<Change> {
        let Some(host) = self.hosts.get_mut(name) else {
            return Vec::new();
        };
        let reason = clean(reason, 256);
        match &mut host.status {
            HostStatus::Lost { reason: known, .. } => {
                *known = reason;
                Vec::new()
            }
            HostStatus::Reaching | HostStatus::Live => {
                host.status = HostStatus::Lost { since, reason };
                vec![Change::HostLost(name.clone())]
            }
        }
    }

    fn backed(&mut self, host: &HostName, found: Vec<(Arc<str>, Backed)>) -> Vec<Change> {
        let mut changes = Vec::new();
        for (id, backed) in found {
            let key = ContainerKey {
                host: host.clone(),
                id,
            };
            if let Some(container) = self.containers.get_mut(&key)
                && container.backed != backed
            {
                container.backed = backed;
                changes.push(Change::Details(key));
            }
        }
        changes
    }

    fn used(&mut self, key: ContainerKey, used: Option<Resources>) -> Vec<Change> {
        match self.containers.get_mut(&key) {
            Some(container) if container.used != used => {
                container.used = used;
                vec![Change::Details(key)]
            }
            Some(_) | None => Vec::new(),
        }
    }

    fn link(&mut self, key: &ContainerKey, set: impl FnOnce(&mut Container)) -> Vec<Change> {
        let Some(container) = self.containers.get_mut(key) else {
            return Vec::new();
        };
        let before = container.link.clone();
        set(container);
        if container.link == before {
            Vec::new()
        } else {
            vec![Change::Link(key.clone())]
        }
    }

    fn frame(&mut self, key: &ContainerKey, frame: FromAgent, now: Stamp) -> Vec<Change> {
        let room = Room::among(self.containers.len());
        let Some(container) = self.containers.get_mut(key) else {
            return Vec::new();
        };
        let told = match &frame {
            FromAgent::Note(note) => {
                let note = Note {
                    at: note.at,
                    text: clean(&note.text, 512),
                };
                Some(Change::Note(key.clone(), note))
            }
            FromAgent::Service(report) => {
                let report = clean_service(report.clone());
                Some(Change::Service(key.clone(), report))
            }
            FromAgent::Stopping(stopping) => Some(Change::Stopping(key.clone(), stopping.clone())),
            FromAgent::Answer(_) | FromAgent::Unknown => return Vec::new(),
            FromAgent::Hello(_)
            | FromAgent::Snapshot(_)
            | FromAgent::State(_)
            | FromAgent::Hook(_)
            | FromAgent::Quiesced(_)
            | FromAgent::Health(_)
            | FromAgent::Monitor(_)
            | FromAgent::Resources(_) => None,
        };
        let is_state = matches!(frame, FromAgent::State(_));
        let is_health = matches!(frame, FromAgent::Health(_));
        container.hear(frame, now, room);
        let change = match (&container.agent, told) {
            (_, Some(told)) => told,
            (Some(agent), None) if is_state => match agent.transitions.last() {
                Some(report) => Change::State(key.clone(), report.clone()),
                None => Change::Details(key.clone()),
            },
            (Some(agent), None) if is_health => Change::Health(key.clone(), agent.health.clone()),
            (Some(_) | None, None) => Change::Details(key.clone()),
        };
        vec![change]
    }
}

/// A number for a container and its name.
fn name(key: &ContainerKey, name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key, name).hash(&mut hasher);
    hasher.finish()
}

fn happened(container: &mut Container, event: EngineEvent, now: Stamp) -> Change {
    let key = container.key.clone();
    match event {
        EngineEvent::Started => {
            container.engine = EngineState::Running;
            container.engine_since = now.moment;
            container.finished = None;
            container.forget_agent();
            Change::Docker(key, State::Dockerup)
        }
        // Its end was known already, from a listing.
        EngineEvent::Died { code, .. }
            if matches!(container.engine, EngineState::Exited { code: known, .. }
                if known.is_none_or(|known| known == code)) =>
        {
            Change::Details(key)
        }
        EngineEvent::Died {
            code,
            out_of_memory,
        } => {
            container.engine = EngineState::Exited {
                code: Some(code),
                out_of_memory,
            };
            container.engine_since = now.moment;
            container.link = Link::None;
            Change::Docker(key, State::Dockerdown)
        }
        EngineEvent::Paused => {
            container.engine = EngineState::Paused;
            Change::Details(key)
        }
        EngineEvent::Unpaused => {
            container.engine = EngineState::Running;
            Change::Details(key)
        }
        EngineEvent::Renamed(name) => {
            container.name = clean(&name, 256);
            Change::Details(key)
        }
        EngineEvent::Known(_) | EngineEvent::Removed => Change::Details(key),
    }
}

/// When the Engine's state began, on this program's monotonic clock.
fn since(listed: &Listed, skew: SignedDuration, now: Stamp) -> Moment {
    let began = if listed.engine.is_running() {
        listed.started
    } else {
        listed.finished
    };
    let Some(began) = began.or(listed.created) else {
        return now.moment;
    };
    let age = now.wall.duration_since(began) + skew;
    let age = std::time::Duration::try_from(age).unwrap_or_default();
    Moment::at((now.moment - Moment::default()).saturating_sub(age))
}
