//! One container as the fleet's model knows it.

use std::time::Duration;

use jiff::Timestamp;
use whaleware::lifecycle::{Moment, State};
use whaleware::protocol::{
    FromAgent, HealthReport, HealthStatus, Hello, HookResult, HookRun, MonitorReport, Resources,
    Restarts, Snapshot, StopBudget, TransitionReport,
};

use super::input::{ContainerKey, Listed, Stamp};
use super::text::clean;

/// The most characters kept of a name, a label or a cause.
const TEXT: usize = 256;
/// The most entries kept of a boot's transitions and scripts.
const HISTORY: usize = 128;

/// What the Engine says a container does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// What an agent has told. Every text in it is clean.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AgentView {
    /// Who it is.
    pub hello: Option<Hello>,
    /// When its boot began, by its clock.
    pub booted: Option<Timestamp>,
    /// Its state.
    pub state: State,
    /// Since when, on this program's monotonic clock.
    pub since: Moment,
    /// Why.
    pub cause: String,
    /// What the checks say.
    pub health: HealthReport,
    /// What the last check printed.
    pub monitor: Option<MonitorReport>,
    /// Restarts of this boot.
    pub restarts: Restarts,
    /// The script that runs now, and when it was first seen running.
    pub running: Option<(HookRun, Moment)>,
    /// How long a stop may take.
    pub stop: StopBudget,
    /// The transitions of this boot, oldest first.
    pub transitions: Vec<TransitionReport>,
    /// The scripts of this boot that have ended, oldest first.
    pub hooks: Vec<HookRun>,
    /// What the container uses.
    pub resources: Option<Resources>,
    /// What the agent cannot do here and why.
    pub degraded: Vec<String>,
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
        };
        container.describe(listed);
        container
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

    /// What the checks say; unknown where nobody can tell.
    pub(crate) fn health(&self) -> HealthStatus {
        match &self.agent {
            Some(agent) if self.engine.is_running() => agent.health.status,
            Some(_) | None => HealthStatus::Unknown,
        }
    }

    /// Whether it is UP and not failing.
    pub(crate) fn is_healthy(&self) -> bool {
        self.state() == Some(State::Up) && self.health() != HealthStatus::Failing
    }

    /// How long it has been in its state, as far as can be told.
    pub(crate) fn age(&self, now: Moment) -> Duration {
        match &self.agent {
            Some(agent) if self.engine.is_running() => now - agent.since,
            Some(_) | None => now - self.engine_since,
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

    /// A new life: what the agent of the last one said is over.
    pub(super) fn forget_agent(&mut self) {
        self.starts = self.starts.saturating_add(1);
        self.agent = None;
        self.link = Link::None;
    }

    /// Takes one line of the agent in. True when it changed state or health.
    pub(super) fn hear(&mut self, frame: FromAgent, now: Stamp) {
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
                let hello = self.agent.take().and_then(|agent| agent.hello);
                self.agent = Some(AgentView::from_snapshot(*snapshot, hello, moment));
            }
            FromAgent::State(report) => {
                if let Some(agent) = &mut self.agent {
                    agent.change(report, moment);
                }
            }
            FromAgent::Hook(run) => {
                if let Some(agent) = &mut self.agent {
                    agent.ran(run, moment);
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
            // Answers go to whoever asked; notes are shown by `events`, not kept.
            FromAgent::Answer(_)
            | FromAgent::Note(_)
            | FromAgent::Service(_)
            | FromAgent::Stopping(_)
            | FromAgent::Unknown => {}
        }
    }
}

impl AgentView {
    /// By which name the agent knows this life; none before it has said who it is.
    fn boot(&self) -> Option<&str> {
        self.hello.as_ref().map(|hello| hello.boot.as_str())
    }

    /// After `hello` and before `snapshot`: it speaks, but has not said what it does.
    fn unknown(hello: Hello, since: Moment) -> Self {
        Self {
            hello: Some(hello),
            booted: None,
            state: State::Dockerup,
            since,
            cause: String::new(),
            health: HealthReport::default(),
            monitor: None,
            restarts: Restarts::default(),
            running: None,
            stop: StopBudget::default(),
            transitions: Vec::new(),
            hooks: Vec::new(),
            resources: None,
            degraded: Vec::new(),
        }
    }

    fn from_snapshot(snapshot: Snapshot, hello: Option<Hello>, now: Moment) -> Self {
        let Snapshot {
            state,
            since_ms,
            cause,
            health,
            monitor,
            restarts,
            running,
            stop,
            transitions,
            hooks,
            resources,
            degraded,
            at: _,
            booted,
            since: _,
            omitted: _,
            stopping: _,
            services: _,
            version: _,
            previous: _,
        } = snapshot;
        Self {
            hello,
            booted: Some(booted),
            state,
            since: back(now, since_ms),
            cause: clean(&cause, TEXT),
            health: clean_health(health),
            monitor: monitor.map(clean_monitor),
            restarts: Restarts {
                cause: restarts.cause.map(|text| clean(&text, TEXT)),
                ..restarts
            },
            running: running.map(|run| {
                let since = back(now, run.duration_ms);
                (clean_run(run), since)
            }),
            stop,
            transitions: last(transitions).map(clean_transition).collect(),
            hooks: last(hooks).map(clean_run).collect(),
            resources,
            degraded: degraded
                .iter()
                .take(16)
                .map(|text| clean(text, TEXT))
                .collect(),
        }
    }

    fn change(&mut self, report: TransitionReport, now: Moment) {
        let report = clean_transition(report);
        self.state = report.state;
        self.since = now;
        self.cause.clone_from(&report.cause);
        if report.state == State::Restarting {
            self.restarts.total = report.restarts.max(self.restarts.total);
            self.restarts.last = Some(report.at);
            self.restarts.cause = Some(report.cause.clone());
        }
        push(&mut self.transitions, report);
    }

    fn ran(&mut self, run: HookRun, now: Moment) {
        let run = clean_run(run);
        if run.result == HookResult::Running {
            let since = back(now, run.duration_ms);
            self.running = Some((run, since));
            return;
        }
        if self
            .running
            .as_ref()
            .is_some_and(|(running, _)| running.run == run.run)
        {
            self.running = None;
        }
        push(&mut self.hooks, run);
    }
}

fn back(now: Moment, millis: u64) -> Moment {
    Moment::at((now - Moment::default()).saturating_sub(Duration::from_millis(millis)))
}

fn last<T>(list: Vec<T>) -> impl Iterator<Item = T> {
    let skip = list.len().saturating_sub(HISTORY);
    list.into_iter().skip(skip)
}

fn push<T>(list: &mut Vec<T>, entry: T) {
    if list.len() >= HISTORY {
        // The way up is what one looks for later; the oldest entry after it goes.
        list.remove(HISTORY / 4);
    }
    list.push(entry);
}

fn clean_health(mut report: HealthReport) -> HealthReport {
    report.detail = report.detail.map(|text| clean(&text, TEXT));
    report
}

fn clean_monitor(mut report: MonitorReport) -> MonitorReport {
    report.text = report.text.map(|text| clean(&text, 4 * TEXT));
    report
}

fn clean_run(mut run: HookRun) -> HookRun {
    run.hook = clean(&run.hook, 40);
    run.detail = run.detail.map(|text| clean(&text, TEXT));
    run
}

fn clean_transition(mut report: TransitionReport) -> TransitionReport {
    report.cause = clean(&report.cause, TEXT);
    report
}
