//! Agents and tools of different versions get along.

use whaleware::protocol::{
    BackupStep, FromAgent, HookResult, LEASE_DEFAULT_S, Request, RequestId, RequestKind,
};

#[test]
fn fields_of_a_later_version_are_ignored() {
    let line = r#"{"type":"hello","protocol":1,"agent":"9.9","boot":"b","moon":{"phase":[1]}}"#;
    let FromAgent::Hello(hello) = serde_json::from_str(line).unwrap() else {
        panic!("a hello")
    };
    assert_eq!((hello.agent.as_str(), hello.boot.as_str()), ("9.9", "b"));
    let line = r#"{"type":"restart","id":1,"by":"x","gently":true}"#;
    let request: Request = serde_json::from_str(line).unwrap();
    assert_eq!(request.kind, RequestKind::Restart);
}

#[test]
fn types_of_a_later_version_are_skipped() {
    let frame: FromAgent = serde_json::from_str(r#"{"type":"moon","phase":3}"#).unwrap();
    assert_eq!(frame, FromAgent::Unknown);
    let request: Request = serde_json::from_str(r#"{"type":"fly","id":"x","to":"moon"}"#).unwrap();
    assert_eq!(
        (request.kind, request.id),
        (RequestKind::Unknown, RequestId::Text("x".into()))
    );
}

#[test]
fn steps_of_a_later_version_are_known_as_such() {
    let line = r#"{"type":"backup","step":"teleport","id":1,"to":"moon"}"#;
    let request: Request = serde_json::from_str(line).unwrap();
    assert_eq!(request.kind, RequestKind::Backup(BackupStep::Unknown));
    let line = r#"{"type":"backup","step":"quiesce","id":1,"gently":true}"#;
    let request: Request = serde_json::from_str(line).unwrap();
    let most_s = LEASE_DEFAULT_S;
    assert_eq!(
        request.kind,
        RequestKind::Backup(BackupStep::Quiesce { most_s })
    );
}

#[test]
fn words_of_a_later_version_do_not_break_a_line() {
    let line = r#"{"type":"hook","run":1,"hook":"backup","state":"UP","at":"2026-01-01T00:00:00Z","result":"postponed","duration_ms":1}"#;
    let FromAgent::Hook(run) = serde_json::from_str(line).unwrap() else {
        panic!("a hook")
    };
    assert_eq!(run.result, HookResult::Unknown);
}

#[test]
fn the_least_an_earlier_version_said_is_enough() {
    let line = r#"{"type":"snapshot","at":"2026-01-01T00:00:00Z","booted":"2026-01-01T00:00:00Z","state":"UP","since":"2026-01-01T00:00:00Z","since_ms":5,"cause":"x","health":{"status":"unknown"},"restarts":{"total":0,"in_a_row":0,"max":5},"stop":{"drain_ms":0,"grace_ms":5000}}"#;
    let FromAgent::Snapshot(snapshot) = serde_json::from_str(line).unwrap() else {
        panic!("a snapshot")
    };
    assert!(snapshot.transitions.is_empty() && snapshot.resources.is_none());
}

#[test]
fn what_is_no_object_with_a_type_is_an_error_and_not_a_panic() {
    for line in [
        "",
        "{}",
        "[]",
        "null",
        "\"hello\"",
        r#"{"type":5}"#,
        r#"{"type":"state"}"#,
        "{\"type\":\"hello\"",
    ] {
        assert!(serde_json::from_str::<FromAgent>(line).is_err(), "{line}");
        assert!(serde_json::from_str::<Request>(line).is_err(), "{line}");
    }
}
