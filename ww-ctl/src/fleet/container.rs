//! One container as the fleet's model knows it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use whaleware::lifecycle::{Moment, State};
use whaleware::paths::LABEL_VERSION;
use whaleware::protocol::{FromAgent, HealthStatus, Resources, ServiceStatus};

use super::agent::{AgentView, Room, Stage, clean_health, clean_monitor};
use super::backed::Backed;
use super::input::{ContainerKey, HostName, Listed, Stamp};
use super::phrase::down_words;
use super::text::clean;

/// The most characters kept of a name, a label or a cause.
pub(super) const TEXT: usize = 256;
/// What the Engine says a container does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EngineState {
    /// Made, never started.
    Created,
    /// Its process runs.
    Running,
    /// Its process is frozen.
    Paused,
    /// The Engine is about to start it again by its restart policy.
    Restarting,
    /// Its process has ended.
    Exited {
        /// Its exit code; none when nobody asked.
        code: Option<i64>,
        /// Whether the kernel ended it for want of memory.
        out_of_memory: bool,
    },
    /// The Engine could not remove it.
    Dead,
}

impl EngineState {
    /// Whether there is a process.
    pub(crate) const fn is_running(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }
}

/// How an agent is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Route {
    /// Through the socket below `/proc/PID/root`.
    Direct,
    /// Through `docker exec … ww-agent attach`.
    Exec,
}

/// How the connection to an agent stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    /// There is no agent to be reached: none in the image, or no process.
    None,
    /// It is being reached.
    Reaching {
        /// Since when.
        since: Moment,
    },
    /// It speaks.
    Live {
        /// How it is reached.
        route: Route,
    },
    /// It does not answer; what is known of it is as old as this.
    Silent {
        /// Since when.
        since: Moment,
        /// Why, in words.
        reason: String,
    },
}

/// One container.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Container {
    /// What it is for good.
    pub key: ContainerKey,
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// Whether its image has the label of an agent.
    pub has_agent: bool,
    /// What the Engine says it does.
    pub engine: EngineState,
    /// When it was created, by the Engine's clock.
    pub created: Option<Timestamp>,
    /// When it was started last, by the Engine's clock.
    pub started: Option<Timestamp>,
    /// When it ended last, by the Engine's clock.
    pub finished: Option<Timestamp>,
    /// When the Engine's own state was first seen as it is, on the monotonic clock.
    pub engine_since: Moment,
    /// How many of its starts were seen.
    pub starts: u64,
    /// How its agent is reached.
    pub link: Link,
    /// What its agent has told in this life; kept after the end of it, to say how it ended.
    pub agent: Option<AgentView>,
    /// What it uses, as its host counts it; none where nobody asked.
    pub used: Option<Resources>,
    /// What is known of its backups.
    pub backed: Backed,
}

impl Container {
    pub(super) fn new(key: ContainerKey, listed: Listed, since: Moment) -> Self {
        let mut container = Self {
            key,
            name: String::new(),
            image: String::new(),
            labels: Vec::new(),
            has_agent: false,
            engine: listed.engine,
            created: None,
            started: None,
            finished: None,
            engine_since: since,
            starts: 0,
            link: Link::None,
            agent: None,
            used: None,
            backed: Backed::default(),
        };
        container.describe(listed);
        container
    }

    /// As a listing alone shows it.
    pub(crate) fn listed(host: &HostName, listed: &Listed) -> Self {
        let key = ContainerKey {
            host: host.clone(),
            id: listed.id.clone(),
        };
        Self::new(key, listed.clone(), Moment::default())
    }

    /// Takes over what a listing says, the Engine's state apart.
    pub(super) fn describe(&mut self, listed: Listed) {
        self.name = clean(&listed.name, TEXT);
        self.image = clean(&listed.image, TEXT);
        self.labels = listed
            .labels
            .into_iter()
            .map(|(key, value)| (clean(&key, TEXT), clean(&value, TEXT)))
            .collect();
        self.has_agent = listed.has_agent;
        self.created = listed.created.or(self.created);
        self.started = listed.started.or(self.started);
        self.finished = listed.finished.or(self.finished);
    }

    /// The container's state: the agent's own word where it speaks, the host's view otherwise.
    /// None for a container without an agent, which has no life cycle.
    pub(crate) fn state(&self) -> Option<State> {
        if !self.has_agent {
            return None;
        }
        if !self.engine.is_running() {
            return Some(State::Dockerdown);
        }
        Some(
            self.agent
                .as_ref()
                .map_or(State::Dockerup, |agent| agent.state),
        )
    }

    /// Whether its agent has said what it does, not only who it is.
    pub(crate) fn is_introduced(&self) -> bool {
        self.agent
            .as_ref()
            .is_some_and(|agent| agent.state != State::Dockerup)
    }

    /// The image's version: its agent's word, or else the image's label.
    pub(crate) fn version(&self) -> Option<&str> {
        let agent = self.agent.as_ref();
        let told = agent.and_then(|agent| agent.version.as_deref());
        told.or_else(|| {
            let mut labels = self.labels.iter();
            labels
                .find(|(key, _)| self.has_agent && key == LABEL_VERSION)
                .map(|(_, value)| value.as_str())
        })
    }

    /// What the checks say; unknown where nobody can tell.
    pub(crate) fn health(&self) -> HealthStatus {
        match &self.agent {
            Some(agent) if self.engine.is_running() => agent.health.status,
            Some(_) | None => HealthStatus::Unknown,
        }
    }

    /// What it uses: its agent's word, or else its host's. None while it does not run.
    pub(crate) fn resources(&self) -> Option<&Resources> {
        if !self.engine.is_running() {
            return None;
        }
        let agent = self.agent.as_ref();
        let told = agent.and_then(|agent| agent.resources.as_ref());
        told.or(self.used.as_ref())
    }

    /// What is not well while its health is failing: what its agent says of it, or a service that is
    /// not up, with how it last ended. None while it is well, or nobody knows more.
    pub(crate) fn ailment(&self) -> Option<String> {
        let agent = self.agent.as_ref().filter(|_| self.engine.is_running())?;
        if agent.health.status != HealthStatus::Failing {
            return None;
        }
        let told = agent.health.detail.clone().filter(|text| !text.is_empty());
        told.or_else(|| {
            agent
                .services
                .iter()
                .find(|one| one.report.status != ServiceStatus::Up)
                .map(|one| down_words(&one.report))
        })
    }

    /// Whether it is UP and not failing.
    pub(crate) fn is_healthy(&self) -> bool {
        self.state() == Some(State::Up) && self.health() != HealthStatus::Failing
    }

    /// How long it has been in its state, as far as can be told.
    pub(crate) fn age(&self, now: Moment) -> Duration {
        now - self.since()
    }

    /// Since when it is in its state, as far as can be told, on the monotonic clock.
    pub(crate) fn since(&self) -> Moment {
        match &self.agent {
            Some(agent) if self.engine.is_running() => agent.since,
            Some(_) | None => self.engine_since,
        }
    }

    /// Why it is as it is, in words; empty when nobody knows.
    pub(crate) fn cause(&self) -> String {
        let last = self.agent.as_ref();
        match self.engine {
            EngineState::Running => match (&self.link, last) {
                (Link::Silent { reason, .. }, _) => format!("agent silent: {reason}"),
                (Link::None | Link::Reaching { .. } | Link::Live { .. }, Some(agent)) => {
                    agent.cause.clone()
                }
                (Link::Reaching { .. }, None) => "reaching its agent".into(),
                (Link::None | Link::Live { .. }, None) => String::new(),
            },
            EngineState::Paused => "paused by Docker".into(),
            EngineState::Created => "never started".into(),
            EngineState::Restarting => "Docker is about to start it again".into(),
            EngineState::Dead => "Docker could not remove it".into(),
            EngineState::Exited {
                code,
                out_of_memory,
            } => {
                let mut text = match code {
                    Some(code) => format!("exited {code}"),
                    None => "exited".into(),
                };
                if out_of_memory {
                    text.push_str(", out of memory");
                }
                let how = match last {
                    Some(agent) if matches!(agent.state, State::Error | State::Stopped) => {
                        format!(", {}: {}", agent.state, agent.cause)
                    }
                    Some(agent) => format!(" while {}", agent.state),
                    // The agent's own exit codes say how its last life ended.
                    None if self.has_agent && code == Some(1) => ", ended in ERROR".into(),
                    None if self.has_agent && code == Some(78) => ", configuration refused".into(),
                    None => String::new(),
                };
                text.push_str(&how);
                text
            }
        }
    }

    /// The stages of its stop, and how long each took; none where it is not over.
    pub(crate) fn stages(&self) -> Vec<(Stage, Option<Duration>)> {
        let stages = self.agent.as_ref().map_or(&[][..], |agent| &agent.stages);
        let end = (!self.engine.is_running()).then_some(self.engine_since);
        let ends = stages.iter().skip(1).map(|next| Some(next.since));
        stages
            .iter()
            .zip(ends.chain([end]))
            .map(|(stage, end)| (*stage, end.map(|end| end - stage.since)))
            .collect()
    }

    /// A new life: what the agent of the last one said is over.
    pub(super) fn forget_agent(&mut self) {
        self.starts = self.starts.saturating_add(1);
        self.agent = None;
        self.used = None;
        self.link = Link::None;
    }

    /// Takes one line of the agent in.
    pub(super) fn hear(&mut self, frame: FromAgent, now: Stamp, room: Room) {
        let moment = now.moment;
        match frame {
            FromAgent::Hello(mut hello) => {
                hello.agent = clean(&hello.agent, 40);
                hello.boot = clean(&hello.boot, 64);
                hello.hostname = clean(&hello.hostname, TEXT);
                match &mut self.agent {
                    Some(agent) if agent.boot().is_none_or(|boot| boot == hello.boot) => {
                        agent.hello = Some(hello);
                    }
                    // Another boot: what the last one told is over, though nobody saw its end.
                    Some(_) | None => self.agent = Some(AgentView::unknown(hello, moment)),
                }
            }
            FromAgent::Snapshot(snapshot) => {
                let before = self.agent.take();
                self.agent = Some(AgentView::from_snapshot(*snapshot, before, moment, room));
            }
            FromAgent::State(report) => {
                if let Some(agent) = &mut self.agent {
                    agent.change(report, moment, room);
                }
            }
            FromAgent::Hook(run) => {
                if let Some(agent) = &mut self.agent {
                    agent.ran(run, moment, room);
                }
            }
            FromAgent::Health(report) => {
                if let Some(agent) = &mut self.agent {
                    agent.health = clean_health(report);
                }
            }
            FromAgent::Monitor(report) => {
                if let Some(agent) = &mut self.agent {
                    agent.monitor = Some(clean_monitor(report));
                }
            }
            FromAgent::Resources(resources) => {
                if let Some(agent) = &mut self.agent {
                    agent.resources = Some(resources);
                }
            }
            FromAgent::Service(report) => {
                if let Some(agent) = &mut self.agent {
                    agent.serves(report, moment);
                }
            }
            FromAgent::Stopping(stopping) => {
                if let Some(agent) = &mut self.agent {
                    agent.stops(&stopping, moment);
                }
            }
            FromAgent::Quiesced(report) => {
                if let Some(agent) = &mut self.agent {
                    agent.quiesces(report);
                }
            }
            // Answers go to whoever asked; notes are shown by `events`, not kept.
            FromAgent::Answer(_) | FromAgent::Note(_) | FromAgent::Unknown => {}
        }
    }
}
