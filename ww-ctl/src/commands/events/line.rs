//! One line of `events`, made of what happened.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use whaleware::lifecycle::State;
use whaleware::protocol::{HealthReport, HealthStatus, ServiceReport, Stopping, TransitionReport};

use crate::commands::hosts::News;
use crate::commands::ls::service_tone;
use crate::commands::record::{self, millis};
use crate::fleet::{Container, HostName, service_word, service_words, stage_word};
use crate::output::Tone;
use crate::units::duration;

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub at: Timestamp,
    pub host: HostName,
    /// Id and name; none when it is about a host.
    pub container: Option<(String, String)>,
    pub kind: &'static str,
    /// What is set in columns: the new state, or what happened.
    pub word: String,
    pub text: String,
    pub tone: Tone,
    pub more: Map<String, Value>,
}

/// The state changed.
pub(super) fn transition(container: &Container, report: &TransitionReport) -> Event {
    let text = match report.from {
        Some(from) => format!(
            "{} (after {from} for {})",
            report.cause,
            duration(Duration::from_millis(report.lasted_ms))
        ),
        None => report.cause.clone(),
    };
    let mut event = plain(container, "state", report.state.name(), text, report.at);
    event.tone = match report.state {
        State::Up => Tone::Good,
        State::Error => Tone::Bad,
        State::Dockerdown => Tone::Dim,
        State::Dockerup
        | State::Boot
        | State::Firstboot
        | State::Upgrading
        | State::Warmup
        | State::Restarting
        | State::Stopped => Tone::Busy,
    };
    event.more = Map::from_iter([
        ("state".to_owned(), json!(report.state)),
        ("from".to_owned(), json!(report.from)),
        ("cause".to_owned(), json!(report.cause)),
        ("lasted_ms".to_owned(), json!(report.lasted_ms)),
        ("restarts".to_owned(), json!(report.restarts)),
    ]);
    event
}

/// The health is another.
pub(super) fn health(container: &Container, report: &HealthReport, now: Timestamp) -> Event {
    let word = match report.status {
        HealthStatus::Unknown => "unknown".to_owned(),
        HealthStatus::Passing => "passing".to_owned(),
        HealthStatus::Failing => format!("failing({})", report.failures),
    };
    let text = report.detail.clone().unwrap_or_default();
    // Health that is forgotten, as by a restart, still has the time of the last check.
    let at = match report.status {
        HealthStatus::Unknown => now,
        HealthStatus::Passing | HealthStatus::Failing => report.at.unwrap_or(now),
    };
    let mut event = plain(container, "health", &word, text, at);
    event.tone = match report.status {
        HealthStatus::Unknown => Tone::Plain,
        HealthStatus::Passing => Tone::Good,
        HealthStatus::Failing => Tone::Bad,
    };
    event.more = Map::from_iter([
        ("health".to_owned(), json!(report.status)),
        ("failures".to_owned(), json!(report.failures)),
        ("detail".to_owned(), json!(report.detail)),
    ]);
    event
}

/// A service stands otherwise, or has said something.
pub(super) fn service(container: &Container, report: &ServiceReport, now: Timestamp) -> Event {
    let mut text = format!("service {}", report.service);
    if let Some(pid) = report.pid {
        let _never = write!(text, ", pid {pid}");
    }
    let more = service_words(report);
    if !more.is_empty() {
        text.push_str(", ");
        text.push_str(&more);
    }
    let mut event = plain(container, "service", service_word(report.status), text, now);
    event.tone = service_tone(report.status);
    event.more = record::service(report);
    event
}

/// A stop has come to its next stage.
pub(super) fn stopping(container: &Container, report: &Stopping) -> Event {
    let limit = match report.limit_ms {
        Some(limit) => format!("{} at most", duration(Duration::from_millis(limit))),
        None => "no cap".to_owned(),
    };
    let word = stage_word(report.stage);
    let text = format!("stopping, {limit}");
    let mut event = plain(container, "stopping", word, text, report.at);
    event.tone = Tone::Busy;
    event.more = Map::from_iter([
        ("stage".to_owned(), json!(report.stage)),
        ("limit_ms".to_owned(), json!(report.limit_ms)),
    ]);
    event
}

/// Something about a container that has no more to it than words.
pub(super) fn plain(
    container: &Container,
    kind: &'static str,
    word: &str,
    text: String,
    at: Timestamp,
) -> Event {
    Event {
        at,
        host: container.key.host.clone(),
        container: Some((container.key.id.to_string(), container.name.clone())),
        kind,
        word: word.to_owned(),
        text,
        tone: Tone::Plain,
        more: Map::new(),
    }
}

/// A host is lost or answers.
pub(super) fn about_host(host: HostName, news: &News, now: Timestamp) -> Event {
    let text = news.words(now);
    let (word, tone, more) = match news {
        News::Lost { since, reason } => (
            "LOST",
            Tone::Bad,
            [("since", json!(since)), ("reason", json!(reason))].to_vec(),
        ),
        News::Answers { after } => (
            "ANSWERS",
            Tone::Good,
            [("after_ms", after.map_or(Value::Null, millis))].to_vec(),
        ),
    };
    let said = [("what", json!(word)), ("text", json!(text))];
    let more = said.into_iter().chain(more);
    Event {
        at: now,
        host,
        container: None,
        kind: "host",
        word: word.to_owned(),
        text,
        tone,
        more: more.map(|(key, value)| (key.to_owned(), value)).collect(),
    }
}

/// The form that other programs depend on.
pub(super) fn fields(event: &Event) -> Map<String, Value> {
    let mut fields = event.more.clone();
    fields.insert("at".into(), json!(event.at));
    fields.insert("event".into(), json!(event.kind));
    fields.insert("host".into(), json!(*event.host));
    if let Some((id, name)) = &event.container {
        fields.insert("id".into(), json!(id));
        fields.insert("name".into(), json!(name));
    }
    if event.more.is_empty() {
        fields.insert("what".into(), json!(event.word));
        fields.insert("text".into(), json!(event.text));
    }
    fields
}
