//! A container as JSON: the form that other programs depend on.

use serde_json::{Map, Value, json};
use whaleware::protocol::ServiceReport;

use crate::fleet::{
    AgentView, Container, EngineState, Fleet, LastBackup, Link, Route, Stamp, is_deceptive,
    service_end,
};

/// The version of every JSON this program prints. Additions do not change it.
pub(crate) const SCHEMA: u32 = 1;

/// One container, as `ls -o json` lists it. Times are RFC 3339 UTC, durations in milliseconds,
/// sizes in bytes; what is not known is null.
pub(crate) fn container(container: &Container, fleet: &Fleet, at: Stamp) -> Map<String, Value> {
    let now = at.moment;
    let labels: Map<String, Value> = container
        .labels
        .iter()
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect();
    let (engine, exit_code) = engine(container.engine);
    let live = container
        .agent
        .as_ref()
        .filter(|_| container.engine.is_running());
    let resources = live.and_then(|agent| agent.resources.as_ref());
    let mut record = Map::new();
    let mut put = |key: &str, value: Value| record.insert(key.to_owned(), value);
    put("host", json!(*container.key.host));
    put("id", json!(*container.key.id));
    put("name", json!(container.name));
    put("image", json!(container.image));
    put("labels", Value::Object(labels));
    put("engine", json!(engine));
    put("exit_code", json!(exit_code));
    put("agent", json!(link(&container.link, container.has_agent)));
    put("state", json!(container.state()));
    put("for_ms", millis(container.age(now)));
    put("cause", json!(container.cause()));
    put("health", json!(container.health()));
    put("health_detail", json!(container.ailment()));
    put("failures", json!(live.map(|agent| agent.health.failures)));
    put("restarts", json!(live.map(|agent| agent.restarts.total)));
    put(
        "cpu_percent",
        json!(resources.and_then(|used| used.cpu_percent)),
    );
    put(
        "memory_bytes",
        json!(resources.and_then(|used| used.memory_bytes)),
    );
    put(
        "memory_limit_bytes",
        json!(resources.and_then(|used| used.memory_limit)),
    );
    put("version", json!(container.version()));
    put("services", live.map_or(Value::Null, services));
    let running = live.and_then(|agent| agent.running.as_ref());
    put("running", json!(running.map(|(run, _)| run)));
    put("created", json!(container.created));
    // A listing does not say since when a container runs; its agent does.
    let booted = live.and_then(|agent| agent.booted);
    put("started", json!(container.started.or(booted)));
    put("finished", json!(container.finished));
    let stale = fleet.stale_since(container).map(|since| now - since);
    put("stale_ms", stale.map_or(Value::Null, millis));
    let last = container.backed.last();
    put(
        "last_backup",
        last.map_or(Value::Null, |last| backup(last, at)),
    );
    record
}

fn backup(last: &LastBackup, at: Stamp) -> Value {
    json!({
        "name": last.name,
        "id": last.id,
        "vault": last.vault,
        "begun": last.begun,
        "age_ms": millis(last.age(at.wall)),
        "consistency": last.consistency,
        "verified": last.verified,
    })
}

/// The services, in the order in which they are started.
fn services(agent: &AgentView) -> Value {
    let all = agent.services.iter();
    json!(all.map(|one| service(&one.report)).collect::<Vec<_>>())
}

/// All that is known of a service.
pub(super) fn service(report: &ServiceReport) -> Map<String, Value> {
    Map::from_iter([
        ("service".to_owned(), json!(report.service)),
        ("status".to_owned(), json!(report.status)),
        ("since".to_owned(), json!(report.since)),
        ("pid".to_owned(), json!(report.pid)),
        ("restarts".to_owned(), json!(report.restarts)),
        ("last_end".to_owned(), json!(service_end(report))),
        ("exit".to_owned(), json!(report.exit)),
        ("detail".to_owned(), json!(report.detail)),
        ("text".to_owned(), json!(report.text)),
        ("progress".to_owned(), json!(report.progress)),
    ])
}

pub(super) fn millis(length: std::time::Duration) -> Value {
    json!(u64::try_from(length.as_millis()).unwrap_or(u64::MAX))
}

const fn engine(state: EngineState) -> (&'static str, Option<i64>) {
    match state {
        EngineState::Created => ("created", None),
        EngineState::Running => ("running", None),
        EngineState::Paused => ("paused", None),
        EngineState::Restarting => ("restarting", None),
        EngineState::Exited { code, .. } => ("exited", code),
        EngineState::Dead => ("dead", None),
    }
}

const fn link(link: &Link, has_agent: bool) -> &'static str {
    match link {
        Link::None if has_agent => "down",
        Link::None => "none",
        Link::Reaching { .. } => "reaching",
        Link::Live {
            route: Route::Direct,
        } => "direct",
        Link::Live { route: Route::Exec } => "exec",
        Link::Silent { .. } => "silent",
    }
}

/// One JSON document, with its version.
pub(crate) fn document(mut fields: Map<String, Value>) -> String {
    fields.insert("schema".into(), json!(SCHEMA));
    let mut text = escaped(&format!("{:#}", Value::Object(fields)));
    text.push('\n');
    text
}

/// One JSON object on a line, with its version.
pub(crate) fn line(mut fields: Map<String, Value>) -> String {
    fields.insert("schema".into(), json!(SCHEMA));
    let mut text = escaped(&Value::Object(fields).to_string());
    text.push('\n');
    text
}

/// The same for what is an object already; nothing for what is none.
pub(crate) fn line_of(value: Value) -> String {
    if let Value::Object(fields) = value {
        line(fields)
    } else {
        String::new()
    }
}

/// The same JSON with everything escaped that a terminal would obey or not show. Such characters
/// are in its strings only; serde escapes none of them but those below a space.
pub(crate) fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c >= ' ' && is_deceptive(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.push_str("\\u");
                let digits = [12, 8, 4, 0].map(|shift| u32::from(*unit >> shift) & 0xf);
                text.extend(
                    digits
                        .iter()
                        .filter_map(|digit| char::from_digit(*digit, 16)),
                );
            }
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_json_reaches_a_terminal_unseen_and_its_meaning_stays() {
        let value = json!({"a\u{202e}": "b\u{7f}\u{9b}31m\u{e0041}\u{1b}\n\u{200b}é漢🐳"});
        let Value::Object(fields) = value.clone() else {
            panic!("an object");
        };
        let printed = line(fields.clone());
        assert!(printed.contains(r#""a\u202e":"b\u007f\u009b31m\udb40\udc41\u001b\n\u200bé漢🐳""#));
        for printed in [printed, document(fields)] {
            let mut read: Value = serde_json::from_str(&printed).unwrap();
            read.as_object_mut().unwrap().remove("schema");
            assert_eq!(read, value);
        }
    }
}
