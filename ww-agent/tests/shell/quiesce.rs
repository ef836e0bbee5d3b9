//! Services that are kept down for a backup, and whatever can end that.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{Agent, Image, Listener, until};

const QUIESCE: &str =
    r#"{"id":"q","type":"backup","step":"quiesce","most_s":600,"by":"alice@ops1"}"#;
const RESUME: &str = r#"{"id":"r","type":"backup","step":"resume"}"#;

fn image() -> Image {
    Image::new().cfg(r#"{"ww":{"stop":{"grace":"200ms"}}}"#)
}

/// An agent that is up, with a service of `svc.d` and a daemon of `svcup`, its log cut to what follows.
fn up(image: Image) -> (Agent, Listener) {
    // `svcdown` leaves that daemon to the agent.
    let web = "#!/bin/sh\ntrap 'echo web-down >> $LOG; exit 0' TERM\necho web >> $LOG\n\
               while :; do sleep 0.02; done\n";
    let agent = image
        .script("svcup", "sleep 1000 &\necho svcup-done >> $LOG")
        .file("ww/usr/svc.d/web", web.as_bytes(), 0o755)
        .start();
    let mut listener = agent.listen();
    listener.state("UP");
    agent.wait_log("web", 1);
    std::fs::write(agent.path("log"), "").unwrap();
    (agent, listener)
}

fn held(image: Image) -> (Agent, Listener) {
    let (agent, mut listener) = up(image);
    let answer = listener.ask(QUIESCE);
    assert_eq!(answer["ok"], true, "{answer}");
    assert_eq!(answer["result"]["stage"], "held");
    assert_eq!(answer["result"]["by"], "alice@ops1");
    (agent, listener)
}

/// Nothing of the image's runs.
fn is_still(agent: &Agent) -> bool {
    agent.others().is_empty()
}

/// The lines of the log, once they are these.
fn wait_log(agent: &Agent, lines: &[&str]) {
    until(&format!("{lines:?}, not {:?}", agent.log()), || {
        (agent.log() == lines).then_some(())
    });
}

fn quiesced(agent: &Agent) -> Value {
    agent.listen().line("snapshot")["quiesced"].clone()
}

const DOWN: [&str; 2] = ["web-down", "svcdown"];
const AND_UP: [&str; 5] = ["web-down", "svcdown", "svcup", "svcup-done", "web"];

#[test]
fn nothing_runs_between_the_answer_and_the_resume() {
    let (agent, mut listener) = held(image());
    assert!(is_still(&agent), "{:?}", agent.others());
    assert_eq!(agent.log(), DOWN);
    let snapshot = agent.listen().line("snapshot");
    assert_eq!(snapshot["state"], "RESTARTING");
    assert_eq!(snapshot["cause"], "quiesced for a backup by alice@ops1");
    assert_eq!(snapshot["health"]["status"], "unknown");
    assert_eq!(snapshot["quiesced"]["stage"], "held");
    assert_eq!(snapshot["restarts"]["total"], 0);
    assert!(snapshot["restarts"]["cause"].is_null());

    assert_eq!(listener.ask(RESUME)["ok"], true);
    listener.state("UP");
    wait_log(&agent, &AND_UP);
    assert!(quiesced(&agent).is_null());
    // It is over, and told so.
    let answer = listener.ask(RESUME);
    assert_eq!(answer["error"]["code"], "refused", "{answer}");
}

#[test]
fn the_end_of_the_connection_ends_it() {
    let (agent, listener) = held(image());
    let mut other = agent.listen();
    drop(listener);
    let ended = loop {
        let line = other.line("quiesced");
        if line["stage"] == "ended" {
            break line;
        }
    };
    assert_eq!(
        ended["detail"],
        "the connection that asked for it has ended"
    );
    other.state("UP");
    wait_log(&agent, &AND_UP);
}

/// The socket carried by a program, as `docker exec` does.
fn attached(agent: &Agent) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ww-agent"))
        .arg("attach")
        .env("WW_SOCKET", agent.path("run/ww/agent.sock"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let stdin = child.stdin.as_mut().unwrap();
    stdin.write_all(QUIESCE.as_bytes()).unwrap();
    stdin.write_all(b"\n").unwrap();
    child
}

fn wait_held(agent: &Agent) {
    until("services that are down", || {
        (quiesced(agent)["stage"] == "held").then_some(())
    });
}

#[test]
fn the_death_of_who_asked_ends_it() {
    let (agent, mut listener) = up(image());
    let mut child = attached(&agent);
    wait_held(&agent);
    child.kill().unwrap();
    child.wait().unwrap();
    listener.change("UP");
    wait_log(&agent, &AND_UP);
}

#[test]
fn the_end_of_what_may_still_be_asked_ends_it() {
    let (agent, mut listener) = up(image());
    let mut child = attached(&agent);
    wait_held(&agent);
    // As Docker does with an exec whose client is gone: the program itself lives on.
    drop(child.stdin.take());
    listener.change("UP");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn its_time_ends_it_and_a_late_resume_is_told() {
    let (agent, mut listener) = up(image());
    let quiesce = QUIESCE.replace("600", "3");
    assert_eq!(listener.ask(&quiesce)["ok"], true);
    listener.change("UP");
    wait_log(&agent, &AND_UP);
    let answer = listener.ask(RESUME);
    assert_eq!(answer["error"]["code"], "lapsed", "{answer}");
    agent.wait_stderr("its time is over");
}

#[test]
fn one_that_ends_while_svcdown_runs_lets_it_finish() {
    let (agent, mut listener) = up(image().script(
        "svcdown",
        "while [ ! -e $ROOT/go ]; do sleep 0.02; done; echo finished >> $LOG",
    ));
    let mut other = agent.listen();
    other.write(format!("{QUIESCE}\n").as_bytes());
    agent.wait_log("svcdown", 1);
    drop(other);
    agent.wait_stderr("the connection that asked for it has ended");
    std::fs::write(agent.path("go"), "").unwrap();
    listener.change("UP");
    wait_log(
        &agent,
        &[
            "web-down",
            "svcdown",
            "finished",
            "svcup",
            "svcup-done",
            "web",
        ],
    );
}

#[test]
fn a_failing_svcdown_is_told_and_ends_nothing() {
    let (agent, _listener) = held(image().script("svcdown", "exit 3"));
    assert!(agent.stderr().contains("svcdown exited 3"));
    assert!(is_still(&agent));
}

#[test]
fn a_stop_while_it_is_held_is_done_at_once() {
    let (mut agent, mut listener) = held(image());
    agent.signal(Signal::SIGTERM);
    let ended = listener.line("quiesced");
    assert_eq!(ended["detail"], "the container stops");
    assert_eq!(agent.exit(), 0);
    assert_eq!(agent.log(), DOWN);
}

#[test]
fn a_stop_on_the_way_there_runs_svcdown_once() {
    let (mut agent, mut listener) =
        up(image().script("svcdown", "while [ ! -e $ROOT/go ]; do sleep 0.02; done"));
    listener.write(format!("{QUIESCE}\n").as_bytes());
    agent.wait_log("svcdown", 1);
    agent.signal(Signal::SIGTERM);
    let answer = listener.line("answer");
    assert_eq!(answer["error"]["code"], "lapsed", "{answer}");
    std::fs::write(agent.path("go"), "").unwrap();
    assert_eq!(agent.exit(), 0);
    assert_eq!(agent.log(), DOWN);
}

#[test]
fn a_restart_meanwhile_is_the_start_at_its_end() {
    let (agent, mut listener) = held(image());
    let answer = agent
        .listen()
        .ask(r#"{"id":1,"type":"restart","by":"bob"}"#);
    assert_eq!(answer["result"]["heard"], "joined");
    assert_eq!(answer["result"]["quiesced"]["by"], "alice@ops1");
    agent.signal(Signal::SIGHUP);
    assert_eq!(agent.log(), DOWN);
    assert_eq!(listener.ask(RESUME)["ok"], true);
    listener.state("UP");
    wait_log(&agent, &AND_UP);
}

#[test]
fn there_is_one_at_a_time_and_it_is_his_who_asked() {
    let (agent, mut listener) = held(image());
    let mut other = agent.listen();
    let answer = other.ask(QUIESCE);
    assert_eq!(answer["error"]["code"], "busy", "{answer}");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("alice@ops1"), "{message}");
    let answer = other.ask(RESUME);
    assert_eq!(answer["error"]["code"], "refused", "{answer}");
    drop(other);
    assert_eq!(quiesced(&agent)["stage"], "held");
    assert_eq!(listener.ask(RESUME)["ok"], true);
}

#[test]
fn one_that_is_not_up_says_in_which_state_it_is() {
    let agent = image()
        .script("boot", "while [ ! -e $ROOT/go ]; do sleep 0.02; done")
        .start();
    let mut listener = agent.listen();
    let answer = listener.ask(QUIESCE);
    assert_eq!(answer["error"]["code"], "refused");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("BOOT"), "{message}");
    for most in ["0", "86401"] {
        let answer = listener.ask(&QUIESCE.replace("600", most));
        assert_eq!(answer["error"]["code"], "malformed", "{answer}");
    }
}

#[test]
fn how_it_wants_to_be_backed_up_is_told() {
    let agent = image()
        .file("ww/usr/backup", b"#!/bin/sh\n", 0o644)
        .script("restore", "")
        .cfg(r#"{"ww":{"backup":{"mode":"live","exclude":["cache/**"]}}}"#)
        .start();
    let answer = agent
        .listen()
        .ask(r#"{"id":1,"type":"backup","step":"plan"}"#);
    let plan = &answer["result"];
    assert_eq!(plan["mode"], "live");
    assert_eq!(plan["exclude"][0], "cache/**");
    assert_eq!(plan["backup"]["present"], true);
    let fault = plan["backup"]["fault"].as_str().unwrap();
    assert!(fault.contains("run bit"), "{fault}");
    assert_eq!(plan["restore"], serde_json::json!({"present": true}));
}
