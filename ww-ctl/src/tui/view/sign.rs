//! How a container's state, health and story are told in a few columns.

use std::fmt::Write as _;

use whaleware::lifecycle::{Moment, State};
use whaleware::protocol::{HealthStatus, ServiceStatus};

use super::super::model::Model;
use super::super::msg::Verb;
use super::super::operation::{Operation, Progress};
use super::super::theme::{Glyphs, Look, Role};
use super::text::age;
use crate::fleet::{
    Container, EngineState, Fleet, Link, Service, Severity, service_end, stage_now,
};

/// A state as it is shown: never a colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sign {
    /// How bad it is.
    pub severity: Severity,
    /// The word.
    pub word: &'static str,
    /// The glyph.
    pub glyph: &'static str,
}

/// How a container's state is shown. `fleet` tells whether it is still heard.
pub(super) fn sign(container: &Container, fleet: &Fleet, look: Look) -> Sign {
    let glyphs = look.glyphs();
    let severity = container.severity();
    let glyph = if fleet.stale_since(container).is_some() {
        glyphs.stale
    } else if container.engine == EngineState::Paused {
        glyphs.paused
    } else {
        glyph(container.state(), severity, glyphs)
    };
    Sign {
        severity,
        word: word(container),
        glyph,
    }
}

/// The word for a container's state.
pub(crate) fn word(container: &Container) -> &'static str {
    match (container.state(), container.engine) {
        (_, EngineState::Paused) => "PAUSED",
        (Some(state), _) => state.name(),
        (None, EngineState::Created) => "created",
        (None, EngineState::Running) => "running",
        (None, EngineState::Restarting) => "restarting",
        (None, EngineState::Exited { .. }) => "exited",
        (None, EngineState::Dead) => "dead",
    }
}

const fn glyph(state: Option<State>, severity: Severity, glyphs: &Glyphs) -> &'static str {
    match severity {
        Severity::Failed => glyphs.failed,
        Severity::Sick => glyphs.failing,
        Severity::Restarting => glyphs.restarting,
        Severity::Starting => match state {
            Some(State::Dockerup) => glyphs.unheard,
            _ => glyphs.starting,
        },
        Severity::Stopping => glyphs.stopping,
        Severity::Good => glyphs.up,
        Severity::Down => glyphs.down,
        Severity::Plain => glyphs.plain,
    }
}

/// How something that bad looks.
pub(super) const fn role(severity: Severity) -> Role {
    match severity {
        Severity::Failed => Role::Bad,
        Severity::Sick => Role::Warn,
        Severity::Restarting | Severity::Starting | Severity::Stopping => Role::Busy,
        Severity::Good => Role::Good,
        Severity::Down | Severity::Plain => Role::Dim,
    }
}

/// Health in a few columns.
pub(super) fn health(container: &Container, look: Look) -> (String, Role) {
    let failures = container
        .agent
        .as_ref()
        .map_or(0, |agent| agent.health.failures);
    match container.health() {
        HealthStatus::Unknown => (look.glyphs().none.into(), Role::Dim),
        HealthStatus::Passing => ("passing".into(), Role::Plain),
        HealthStatus::Failing if failures > 1 => (format!("failing {failures}"), Role::Warn),
        HealthStatus::Failing => ("failing".into(), Role::Warn),
    }
}

/// What is most worth knowing about a container besides its state.
pub(super) fn story(model: &Model, container: &Container, look: Look) -> (String, Role) {
    let now = model.clock().moment;
    if let Some(operation) = model.operations.get(&container.key) {
        return progress(operation, model.now.moment, look);
    }
    if let Some(since) = model.shown().lost_since(&container.key.host) {
        let text = format!("host lost {}, {}", age(now - since), container.cause());
        return (text.trim_end_matches(", ").to_owned(), Role::Warn);
    }
    if let Link::Silent { since, reason } = &container.link {
        let text = format!("silent {}: {reason}", age(now - *since));
        return (text, Role::Warn);
    }
    let cause = container.cause();
    if !container.engine.is_running() {
        let role = if container.severity() == Severity::Failed {
            Role::Plain
        } else {
            Role::Dim
        };
        return (cause, role);
    }
    let Some(agent) = &container.agent else {
        return (cause, Role::Dim);
    };
    let dot = look.glyphs().dot;
    if let Some(stage) = agent.stage() {
        return (
            format!("{cause} {dot} {}", stage_now(stage, now - stage.since)),
            Role::Plain,
        );
    }
    if let Some((run, since)) = &agent.running {
        let mut script = format!("{} {}", run.hook, age(now - *since));
        if let Some(percent) = run.progress {
            let _ = write!(script, " {percent}%");
        }
        if let Some(status) = run.status.as_deref().filter(|status| !status.is_empty()) {
            let _ = write!(script, " {status}");
        }
        // Why it restarts or stops is worth as much as how far it is; why it boots is not.
        return match agent.state {
            State::Restarting | State::Stopped | State::Error => {
                (format!("{cause} {dot} {script}"), Role::Plain)
            }
            State::Dockerup
            | State::Boot
            | State::Firstboot
            | State::Upgrading
            | State::Warmup
            | State::Up
            | State::Dockerdown => (script, Role::Plain),
        };
    }
    // A service that is down explains a failing check, and comes before why it is UP at all.
    let waiting = |one: &&Service| one.report.status == ServiceStatus::Waiting;
    if agent.state == State::Up
        && let Some(Service { report, since }) = agent.services.iter().find(waiting)
    {
        let name = &report.service;
        let end = service_end(report).unwrap_or_else(|| "ended".to_owned());
        let text = format!("{name} waits {}: {end}", age(now - *since));
        return (text, Role::Warn);
    }
    match (&agent.health.detail, container.health()) {
        (Some(detail), HealthStatus::Failing) => (detail.clone(), Role::Plain),
        (None, HealthStatus::Failing) => (cause, Role::Plain),
        (_, HealthStatus::Unknown | HealthStatus::Passing) => {
            let role = if agent.state == State::Up {
                Role::Dim
            } else {
                Role::Plain
            };
            (cause, role)
        }
    }
}

/// How far an operation is, in words.
fn progress(operation: &Operation, now: Moment, look: Look) -> (String, Role) {
    let verb = operation.verb.name();
    let late = if operation.is_late(now) {
        "late, still watching: "
    } else {
        ""
    };
    let arrow = look.glyphs().arrow;
    match &operation.progress {
        Progress::Sending | Progress::Sent if operation.verb == Verb::Backup => {
            let text = format!("{verb}: under way for {}", age(now - operation.begun));
            (text, Role::Busy)
        }
        Progress::Sending => (format!("{verb}: {late}sending"), Role::Busy),
        Progress::Sent => {
            let text = format!("{verb}: {late}sent {} ago", age(now - operation.begun));
            (text, Role::Busy)
        }
        Progress::Seen { state, since } => {
            let text = format!("{verb}: {late}{state} {}", age(now - *since));
            (text, Role::Busy)
        }
        Progress::Done { at } => {
            let lasted = age(*at - operation.begun);
            let state = match operation.verb {
                Verb::Restart | Verb::Start => State::Up.name(),
                Verb::Stop | Verb::Kill => State::Dockerdown.name(),
                Verb::Backup => "made",
            };
            (format!("{verb} {arrow} {state} after {lasted}"), Role::Good)
        }
        Progress::Failed { reason, .. } => (format!("{verb} failed: {reason}"), Role::Bad),
    }
}

/// The glyph of those that stand so, as if all were still heard: staleness is told apart.
pub(super) fn fresh_glyph(severity: Severity, look: Look) -> &'static str {
    glyph(None, severity, look.glyphs())
}
