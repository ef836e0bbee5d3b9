//! What has happened survives the end of the container, whichever way that came.

use serde_json::Value;

use crate::harness::{Agent, Image};

fn history(agent: &Agent) -> Vec<Value> {
    let answer = agent.listen().ask(r#"{"id":1,"type":"history"}"#);
    assert_eq!(answer["ok"], true, "{answer}");
    answer["result"]["entries"].as_array().unwrap().clone()
}

/// What happened, in few words.
fn story(entries: &[Value]) -> String {
    let word = |entry: &Value| match entry["event"].as_str().unwrap() {
        "state" => entry["state"].as_str().unwrap().to_owned(),
        "exit" => format!("exit{}", entry["exit"]),
        other => other.to_owned(),
    };
    let words: Vec<_> = entries.iter().map(word).collect();
    words.join(" ")
}

#[test]
fn a_boot_that_was_killed_is_told_by_the_next() {
    let mut agent = Image::new().variable("WW_VERSION", "2.1").start();
    agent.wait_state("UP");
    let snapshot = agent.listen().line("snapshot");
    assert!(snapshot.get("previous").is_none());
    agent.cut_the_power();
    agent.start_again();
    agent.wait_state("UP");
    agent.wait_stderr(
        "the boot before ended without a word in UP (killed, or the host went down), last seen 20",
    );
    let previous = agent.listen().line("snapshot")["previous"].clone();
    assert_eq!(previous["state"], "UP");
    assert_eq!(previous["cause"], "warmup finished");
    assert!(previous.get("exit").is_none());
    let entries = history(&agent);
    assert_eq!(
        story(&entries),
        "boot BOOT FIRSTBOOT UPGRADING WARMUP UP boot BOOT UPGRADING WARMUP UP"
    );
    assert_eq!(entries[0]["version"], "2.1");
    assert_eq!(entries[0]["boot"], previous["boot"]);
    assert_ne!(entries[6]["boot"], previous["boot"]);
    assert_eq!(agent.stop().0, 0);
    agent.start_again();
    agent.wait_state("UP");
    let previous = agent.listen().line("snapshot")["previous"].clone();
    assert_eq!(
        (&previous["exit"], &previous["state"]),
        (&0.into(), &"STOPPED".into())
    );
    assert!(!agent.stderr().contains("the boot before"));
}

#[test]
fn a_failure_is_told_with_its_script_and_exit_code() {
    let mut agent = Image::new().script("warmup", "exit 7").start();
    assert_eq!(agent.exit(), 1);
    std::fs::remove_file(agent.path("ww/usr/warmup")).unwrap();
    agent.start_again();
    agent.wait_stderr("the boot before left with exit code 1");
    agent.wait_state("UP");
    let entries = history(&agent);
    assert!(
        story(&entries).starts_with("boot BOOT FIRSTBOOT UPGRADING WARMUP hook ERROR exit1 boot"),
        "{entries:?}"
    );
    assert_eq!(entries[5]["name"], "warmup");
    assert_eq!(entries[5]["exit"], 7);
    assert_eq!(entries[6]["cause"], "warmup exited 7");
}

#[test]
fn a_configuration_that_cannot_be_used_is_remembered() {
    let mut agent = Image::new().cfg("{").start();
    assert_eq!(agent.exit(), 78);
    // Before the mark nothing is to be seen there.
    assert_eq!(
        std::fs::read_dir(agent.path("data")).unwrap().count(),
        0,
        "{}",
        agent.stderr()
    );
    std::fs::write(agent.path("data/whaleup"), "").unwrap();
    agent.start_again();
    assert_eq!(agent.exit(), 78);
    agent.set("CFG", "{}");
    agent.start_again();
    agent.wait_state("UP");
    let previous = agent.listen().line("snapshot")["previous"].clone();
    assert_eq!(previous["exit"], 78);
    let cause = previous["cause"].as_str().unwrap();
    assert!(cause.starts_with("cannot read CFG"), "{cause}");
}

#[test]
fn where_nothing_can_be_kept_it_is_said_once_and_this_boot_is_told() {
    let mut agent = Image::new().file("data/.ww", b"theirs", 0o644).start();
    agent.wait_state("UP");
    assert_eq!(
        story(&history(&agent)),
        "boot BOOT FIRSTBOOT UPGRADING WARMUP UP"
    );
    let told = agent.stderr();
    let told = told.matches("cannot write to /data/.ww").count();
    assert_eq!(told, 1, "{}", agent.stderr());
    let degraded = agent.listen().line("snapshot")["degraded"].to_string();
    assert!(degraded.contains("/data/.ww"), "{degraded}");
    assert_eq!(agent.stop().0, 0);
    assert_eq!(std::fs::read(agent.path("data/.ww")).unwrap(), b"theirs");
}

#[test]
fn without_data_it_begins_when_there_is_some() {
    let image = Image::new();
    std::fs::remove_dir(image.path("data")).unwrap();
    let mut agent = image
        .script("firstboot", "[ ! -e $ROOT/data ] || exit 9")
        .start();
    agent.wait_state("UP");
    assert!(!agent.stderr().contains("/data/.ww"), "{}", agent.stderr());
    assert_eq!(agent.stop().0, 0);
    let kept = std::fs::read_to_string(agent.path("data/.ww/history.jsonl")).unwrap();
    let kept: Vec<Value> = kept
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        story(&kept),
        "boot BOOT FIRSTBOOT UPGRADING WARMUP UP STOPPED exit0"
    );
}

#[test]
fn idle_nothing_is_written() {
    let mut agent = Image::new()
        .file("ww/usr/monitor", b"#!/bin/sh\n", 0o755)
        .cfg(r#"{"ww":{"monitor":{"interval":"10ms"}}}"#)
        .start();
    agent.wait_state("UP");
    let path = agent.path("data/.ww/history.jsonl");
    // A state is told before it is written down; whoever asks for the history waits for that.
    assert!(story(&history(&agent)).ends_with(" UP"));
    let before = std::fs::metadata(&path).unwrap().len();
    let mut listener = agent.listen();
    for _ in 0..20 {
        listener.line("monitor");
    }
    assert_eq!(std::fs::metadata(&path).unwrap().len(), before);
    assert_eq!(agent.stop().0, 0);
    assert!(std::fs::metadata(&path).unwrap().len() > before);
}

#[test]
fn a_full_disk_is_said_and_what_waits_is_written_when_there_is_room() {
    let mount = "mount -t tmpfs -o size=64k none $ROOT/data && touch $ROOT/data/whaleup; \
                 head -c 1000000 /dev/zero > $ROOT/data/fill 2> /dev/null; exec \"$@\"";
    let mut agent = Image::new()
        .script("svcdown", "rm -f $ROOT/data/fill")
        .around(&["sh", "-c", mount, "sh"])
        .start();
    agent.wait_state("UP");
    let told = agent.stderr();
    assert_eq!(
        told.matches("cannot write to /data/.ww").count(),
        1,
        "{told}"
    );
    assert!(told.contains("No space left on device"), "{told}");
    let before = "boot BOOT UPGRADING WARMUP UP";
    assert_eq!(story(&history(&agent)), before);
    let mut listener = agent.listen();
    listener.ask(r#"{"id":1,"type":"restart"}"#);
    listener.change("UP");
    let after = format!("{before} RESTARTING UP");
    assert_eq!(story(&history(&agent)), after);
    // Only the agent's own name space has it mounted.
    let path = agent.path("data/.ww/history.jsonl");
    let path = format!("/proc/{}/root{}", agent.pid(), path.display());
    let kept = std::fs::read_to_string(path).unwrap();
    let kept: Vec<Value> = kept
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(story(&kept), after);
    assert_eq!(agent.stop().0, 0);
}
