//! Something done to a container, watched until it is true.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use whaleware::lifecycle::{Moment, State};

use super::msg::Verb;
use crate::fleet::{Change, Container, EngineState, HostName};

/// How long the end of an operation is shown in its row.
const SHOWN: Duration = Duration::from_secs(10);
/// The same when it failed.
const SHOWN_FAILED: Duration = Duration::from_secs(300);
/// With nothing heard for so long an operation is said to be late; it is watched on.
const PATIENCE: Duration = Duration::from_secs(60);

/// An operation on one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    /// What.
    pub verb: Verb,
    /// Which life of the container it is meant for.
    pub started: Option<Timestamp>,
    /// When it was confirmed.
    pub begun: Moment,
    /// How many restarts there had been before.
    restarts: u32,
    /// How much longer than usual it may take, by the agent's own word.
    allowance: Duration,
    /// How far it is.
    pub progress: Progress,
}

/// How something is done to several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// To all at once.
    AtOnce,
    /// To one after the other, the next only when the last is well.
    InTurn,
}

/// How far an operation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It is on its way to the Engine.
    Sending,
    /// The Engine has it; nothing was seen of it yet.
    Sent,
    /// The container acts on it.
    Seen {
        /// The state that shows it.
        state: State,
        /// Since when.
        since: Moment,
    },
    /// It is true.
    Done {
        /// When that was seen.
        at: Moment,
    },
    /// It will not become true.
    Failed {
        /// Why, in words.
        reason: String,
        /// When that was seen.
        at: Moment,
    },
}

impl Operation {
    /// One that is about to be sent.
    pub(crate) fn new(verb: Verb, container: &Container, now: Moment) -> Self {
        let agent = container.agent.as_ref();
        let stop = agent.map(|agent| &agent.stop);
        let allowance = stop.map_or(0, |stop| {
            stop.drain_ms
                .saturating_add(stop.svcdown_ms.unwrap_or(0))
                .saturating_add(stop.grace_ms)
        });
        Self {
            verb,
            started: container.started,
            begun: now,
            restarts: agent.map_or(0, |agent| agent.restarts.total),
            allowance: Duration::from_millis(allowance),
            progress: Progress::Sending,
        }
    }

    /// Whether it is still to become true.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(
            self.progress,
            Progress::Sending | Progress::Sent | Progress::Seen { .. }
        )
    }

    /// Whether its row need not show it any more.
    pub(crate) fn is_over(&self, now: Moment) -> bool {
        match &self.progress {
            Progress::Sending | Progress::Sent | Progress::Seen { .. } => false,
            Progress::Done { at } => now - *at >= SHOWN,
            Progress::Failed { at, .. } => now - *at >= SHOWN_FAILED,
        }
    }

    /// Whether it takes longer than it should.
    pub(crate) fn is_late(&self, now: Moment) -> bool {
        // How long a backup takes is a matter of how much there is.
        self.verb != Verb::Backup && self.is_open() && now - self.begun > PATIENCE + self.allowance
    }

    /// The request was sent, or could not be; a backup is done.
    pub(crate) fn replied(&mut self, result: Result<String, String>, now: Moment) {
        if !self.is_open() {
            return;
        }
        match result {
            Err(reason) => self.fail(reason, now),
            Ok(_) if self.verb == Verb::Backup => self.progress = Progress::Done { at: now },
            Ok(_) if self.progress == Progress::Sending => self.progress = Progress::Sent,
            // The container was faster than the answer.
            Ok(_) => {}
        }
    }

    /// Its container has changed.
    pub(crate) fn observe(&mut self, change: &Change, container: Option<&Container>, now: Moment) {
        if !self.is_open() {
            return;
        }
        let Some(container) = container else {
            match self.verb {
                Verb::Stop | Verb::Kill => self.progress = Progress::Done { at: now },
                Verb::Restart | Verb::Start | Verb::Backup => {
                    self.fail("the container was removed".into(), now);
                }
            }
            return;
        };
        let same_life = match self.verb {
            Verb::Restart | Verb::Stop | Verb::Kill => true,
            // Another life is what is wanted, or makes no difference.
            Verb::Start | Verb::Backup => false,
        };
        if same_life
            && container.started.is_some()
            && self.started.is_some()
            && container.started != self.started
        {
            self.fail("the container was started anew meanwhile".into(), now);
            return;
        }
        match self.verb {
            Verb::Restart => self.observe_restart(change, container, now),
            Verb::Stop | Verb::Kill => self.observe_stop(container, now),
            Verb::Start => self.observe_start(change, container, now),
            // Whoever makes it tells how it went.
            Verb::Backup => {}
        }
    }

    fn observe_restart(&mut self, change: &Change, container: &Container, now: Moment) {
        let Some(state) = container.state() else {
            return;
        };
        let again = container
            .agent
            .as_ref()
            .is_some_and(|agent| agent.restarts.total > self.restarts);
        let seen = again || matches!(self.progress, Progress::Seen { .. });
        let reason = || container.cause();
        match state {
            State::Restarting => self.see(state, now),
            // After a reconnect there is only the snapshot: the count tells that it happened.
            State::Up if seen => self.progress = Progress::Done { at: now },
            State::Error => self.fail(format!("ERROR: {}", reason()), now),
            State::Dockerdown => self.fail(reason(), now),
            State::Stopped => self.fail(format!("STOPPED: {}", reason()), now),
            State::Dockerup if matches!(change, Change::Docker(..)) => {
                self.fail("the container was started anew meanwhile".into(), now);
            }
            State::Up
            | State::Dockerup
            | State::Boot
            | State::Firstboot
            | State::Upgrading
            | State::Warmup => {}
        }
    }

    fn observe_stop(&mut self, container: &Container, now: Moment) {
        if !container.engine.is_running() {
            self.progress = match container.engine {
                EngineState::Restarting => Progress::Failed {
                    reason: "stopped, but Docker starts it again".into(),
                    at: now,
                },
                EngineState::Created
                | EngineState::Running
                | EngineState::Paused
                | EngineState::Exited { .. }
                | EngineState::Dead => Progress::Done { at: now },
            };
        } else if let Some(state @ (State::Stopped | State::Error)) = container.state() {
            self.see(state, now);
        }
    }

    fn observe_start(&mut self, change: &Change, container: &Container, now: Moment) {
        let was_seen = matches!(self.progress, Progress::Seen { .. });
        if !container.engine.is_running() {
            // Until its start was seen one that is down is not one that has ended.
            let starts_again = container.engine == EngineState::Restarting;
            if was_seen && !starts_again && matches!(change, Change::Docker(..)) {
                self.fail(format!("it has ended: {}", container.cause()), now);
            }
            return;
        }
        match container.state() {
            // Without an agent nobody can say more.
            None | Some(State::Up) => self.progress = Progress::Done { at: now },
            Some(State::Error) => self.fail(format!("ERROR: {}", container.cause()), now),
            Some(state @ State::Stopped) => {
                self.fail(format!("{state}: {}", container.cause()), now);
            }
            Some(
                state @ (State::Dockerup
                | State::Boot
                | State::Firstboot
                | State::Upgrading
                | State::Warmup
                | State::Restarting),
            ) => self.see(state, now),
            Some(State::Dockerdown) => {}
        }
    }

    fn see(&mut self, state: State, now: Moment) {
        match self.progress {
            Progress::Seen { state: known, .. } if known == state => {}
            Progress::Sending
            | Progress::Sent
            | Progress::Seen { .. }
            | Progress::Done { .. }
            | Progress::Failed { .. } => self.progress = Progress::Seen { state, since: now },
        }
    }

    fn fail(&mut self, reason: String, now: Moment) {
        self.progress = Progress::Failed { reason, at: now };
    }
}

/// The command line that does the same. `manner` are options such as `--rolling`; `options` are those that name a host.
pub(crate) fn equivalent<'a>(
    verb: Verb,
    manner: Manner,
    containers: impl IntoIterator<Item = &'a Container>,
    options: &BTreeMap<HostName, String>,
) -> String {
    let mut names = Vec::new();
    let mut hosts: Vec<&HostName> = Vec::new();
    for container in containers {
        names.push(quoted(&container.name));
        if !hosts.contains(&&container.key.host) {
            hosts.push(&container.key.host);
        }
    }
    // What asks nobody needs no agent, and no tool of ours.
    let tool = if verb == Verb::Kill {
        "docker"
    } else {
        "ww-ctl"
    };
    let mut words = vec![tool.to_owned()];
    for url in hosts.into_iter().filter_map(|host| options.get(host)) {
        words.push("-H".into());
        words.push(quoted(url));
    }
    words.push(verb.name().into());
    if manner == Manner::InTurn {
        words.push("--rolling".into());
    }
    words.extend(names);
    words.join(" ")
}

/// The command line of a subcommand, options included, for one container.
pub(crate) fn command(
    subcommand: &str,
    container: &Container,
    urls: &BTreeMap<HostName, String>,
) -> String {
    let host = urls
        .get(&container.key.host)
        .map_or_else(String::new, |url| format!("-H {} ", quoted(url)));
    format!("ww-ctl {host}{subcommand} {}", quoted(&container.name))
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.:/@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
