//! Every example of `docs/protocol.md` is a line the code reads, and writes the same way.

use serde_json::Value;
use whaleware::protocol::{BackupStep, FromAgent, Request, RequestKind, encode};

/// The lines in the document's fenced blocks of one kind.
fn examples(kind: &str) -> Vec<&'static str> {
    let document = include_str!("../../docs/protocol.md");
    let mut lines = Vec::new();
    let mut inside = false;
    for line in document.lines() {
        if line.starts_with("```") {
            inside = line == format!("```{kind}");
        } else if inside {
            lines.push(line);
        }
    }
    lines
}

#[test]
fn every_line_of_the_agent_is_read_and_written_the_same() {
    let lines = examples("json");
    let mut types = std::collections::BTreeSet::new();
    for line in lines {
        let frame: FromAgent = serde_json::from_str(line).unwrap();
        assert_ne!(frame, FromAgent::Unknown, "{line}");
        let written: Value = serde_json::from_slice(&encode(&frame).unwrap()).unwrap();
        let documented: Value = serde_json::from_str(line).unwrap();
        assert_eq!(written, documented);
        types.insert(documented["type"].as_str().unwrap().to_owned());
    }
    let expected = [
        "answer",
        "health",
        "hello",
        "hook",
        "monitor",
        "note",
        "quiesced",
        "resources",
        "service",
        "snapshot",
        "state",
        "stopping",
    ];
    assert_eq!(
        types.into_iter().collect::<Vec<_>>(),
        expected,
        "each type has an example"
    );
}

#[test]
fn every_request_is_read_and_written_the_same() {
    let lines = examples("request");
    assert_eq!(lines.len(), 15);
    for line in lines {
        let request: Request = serde_json::from_str(line).unwrap();
        assert_ne!(request.kind, RequestKind::Unknown, "{line}");
        let unknown = RequestKind::Backup(BackupStep::Unknown);
        assert_ne!(request.kind, unknown, "{line}");
        let written: Value = serde_json::from_slice(&encode(&request).unwrap()).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(line).unwrap());
    }
}
