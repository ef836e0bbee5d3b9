//! The audit journal as it is shown. No Engine is asked.

use std::path::Path;

use crate::{Ran, run, tool};

/// A journal as it may look after a while: one action ended well, one for some only, one was
/// killed, one line is torn, and a name that would take a terminal over.
const JOURNAL: &str = r#"{"type":"begun","schema":1,"entry":"1","at":"2026-11-22T16:15:00.250Z","by":"alice@ops1","uid":1000,"from":"ops1","pid":1,"process":0,"action":"restart","command":["ww-ctl","restart","shop"],"targets":[{"host":"local","id":"aa","name":"shop"}]}
{"type":"begun","schema":1,"entry":"2","at":"2026-11-22T16:15:01Z","by":"bob@ops1","uid":0,"from":"ops1","pid":2,"process":0,"action":"stop","command":["ww-ctl","stop","--all"],"targets":[{"host":"local","id":"aa","name":"shop"},{"host":"ops2","id":"bb","name":"db\u001b[2J"},{"host":"ops2","id":"cc","name":"cache"},{"host":"ops2","id":"dd","name":"mail"}]}
{"type":"ended","schema":1,"entry":"1","at":"2026-11-22T16:15:02Z","by":"alice@ops1","action":"restart","exit":0,"words":"","took_ms":1750,"results":[{"host":"local","id":"aa","name":"shop","ok":true,"words":"UP","took_ms":1700}]}
{"type":"ended","schema":1,"entry":"2","at":"2026-11-22T16:15:03Z","by":"bob@ops1","action":"stop","exit":1,"words":"","took_ms":2000,"results":[{"host":"local","id":"aa","name":"shop","ok":true,"words":"DOCKERDOWN","took_ms":1},{"host":"ops2","id":"bb","name":"db\u001b[2J","ok":false,"words":"it was killed","took_ms":2}]}
{"type":"begun","schema":1,"entry":"3","at":"2026-11-22T17:00:00Z","by":"alice@ops1","uid":1000,"fro
{"type":"begun","schema":1,"entry":"4","at":"2026-11-22T18:00:00Z","by":"alice@ops1","uid":1000,"from":"ops1","pid":4,"process":0,"action":"restart","command":["ww-ctl","restart","db"],"targets":[{"host":"ops2","id":"bb","name":"db"}]}
"#;

fn audit(journal: &Path, arguments: &[&str]) -> Ran {
    run(tool()
        .args(["-H", "unix:///nonexistent.sock", "audit"])
        .args(arguments)
        .env("WW_AUDIT_FILE", journal))
}

#[test]
fn it_tells_who_did_what_and_how_it_ended_and_what_has_no_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let journal = directory.path().join("audit.jsonl");
    std::fs::write(&journal, JOURNAL).expect("a journal");
    let ran = audit(&journal, &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        ran.stderr,
        format!(
            "ww-ctl: warning: 1 line of {} cannot be read\n",
            journal.display()
        )
    );
    insta::assert_snapshot!(ran.stdout, @r"
    TIME                  BY          ACTION   TARGETS                      RESULT                             TOOK
    2026-11-22T16:15:00Z  alice@ops1  restart  shop                         done                               1.7s
    2026-11-22T16:15:01Z  bob@ops1    stop     shop, db, cache, and 1 more  failed: 1 of 2: db: it was killed    2s
    2026-11-22T18:00:00Z  alice@ops1  restart  db                           not ended (killed?)                   –
    ");
    let of = |arguments: &[&str]| audit(&journal, arguments).stdout.lines().count();
    // The heading is a line as well.
    assert_eq!(of(&["-n", "1"]), 2);
    assert_eq!(of(&["--since", "2026-11-22T17:00:00Z"]), 2);
    assert_eq!(of(&["--filter", "action=restart"]), 3);
    assert_eq!(of(&["--filter", "by=bob*", "--filter", "host=ops2"]), 2);
    assert_eq!(of(&["--filter", "shop"]), 3);
    assert_eq!(of(&["--filter", "name=shop", "--filter", "by=carol"]), 0);
    assert_eq!(audit(&journal, &["-o", "name", "-n", "1"]).stdout, "db\n");
}

#[test]
fn as_json_it_is_all_there_and_obeyed_by_no_terminal() {
    let directory = tempfile::tempdir().expect("a directory");
    let journal = directory.path().join("audit.jsonl");
    std::fs::write(&journal, JOURNAL).expect("a journal");
    let ran = audit(&journal, &["-o", "json"]);
    let shown: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(
        (&shown["schema"], &shown["unreadable"]),
        (&1.into(), &1.into())
    );
    let actions = shown["actions"].as_array().expect("the actions");
    let ended: Vec<_> = actions.iter().map(|one| &one["ended"]).collect();
    assert_eq!(ended, ["ended", "ended", "unknown"]);
    assert_eq!(actions[1]["results"][1]["name"], "db\u{1b}[2J");
    let lines = audit(&journal, &["-o", "jsonl"]).stdout;
    assert_eq!(lines.lines().count(), 3);
    assert!(!lines.contains('\u{1b}'), "{lines:?}");
}

#[test]
fn a_journal_that_is_not_there_is_empty_and_one_that_cannot_be_read_an_error() {
    let directory = tempfile::tempdir().expect("a directory");
    let ran = audit(&directory.path().join("none"), &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stderr.contains("no such action"), "{ran:?}");
    let ran = audit(directory.path(), &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.contains("not a regular file"), "{ran:?}");
}
