//! How the command ends is how the agent ends.

use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{both, shell};
use crate::harness::Image;

/// Runs `each` for every number on two threads.
fn for_all(numbers: std::ops::Range<i32>, each: impl Fn(i32) + Sync) {
    let next = AtomicI32::new(numbers.start);
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= numbers.end {
                return;
            }
            each(number);
        }
    };
    thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
}

#[test]
fn every_exit_status_is_that_of_the_agent() {
    for_all(0..256, |code| {
        for image in shell(&format!("exit {code}")) {
            let mut agent = image.start();
            assert_eq!(agent.exit(), code);
            assert_eq!(agent.stderr(), "", "exit {code}");
        }
    });
}

/// What does not end a process by default, and the two numbers that the C library keeps to itself.
const HARMLESS: [i32; 10] = [17, 18, 19, 20, 21, 22, 23, 28, 32, 33];

#[test]
fn a_death_by_any_signal_is_128_and_its_number() {
    for_all(1..65, |number| {
        if HARMLESS.contains(&number) {
            return;
        }
        for image in shell(&format!("ulimit -c 0; kill -{number} $$")) {
            let mut agent = image.start();
            assert_eq!(agent.exit(), 128 + number);
            assert_eq!(agent.stderr(), "", "signal {number}");
        }
    });
}

#[test]
fn one_that_is_killed_from_outside_is_137() {
    for image in both(&["sleep", "1000"]) {
        let mut agent = image.start();
        agent.wait_state("UP");
        let command = agent.children()[0];
        kill(Pid::from_raw(command), Signal::SIGKILL).unwrap();
        assert_eq!(agent.exit(), 137);
    }
}

#[test]
fn one_that_cannot_be_started_is_127_or_126_and_said_in_one_line() {
    let cases: [(&str, i32, &str); 6] = [
        (
            "no-such-command",
            127,
            "`no-such-command` is in no directory of PATH",
        ),
        ("/no/such/command", 127, "/no/such/command does not exist"),
        ("./plain", 126, "run bit"),
        ("./tree", 126, "is a directory"),
        ("./lost", 127, "/no/such/interpreter"),
        ("./crlf", 127, "carriage return"),
    ];
    for (command, code, reason) in cases {
        for image in both(&[command, "argument"]) {
            let image = image
                .file("plain", b"#!/bin/sh\n", 0o644)
                .file("tree/file", b"", 0o644)
                .file("lost", b"#!/no/such/interpreter\n", 0o755)
                .file("crlf", b"#!/bin/sh\r\necho no\r\n", 0o755);
            let directory = image.path(".");
            let mut agent = image.directory(&directory).start();
            assert_eq!(agent.exit(), code, "{command}");
            let stderr = agent.stderr();
            assert!(stderr.contains(reason), "{command}: {stderr}");
            assert_eq!(stderr.lines().count(), 1, "{command}: {stderr}");
            assert_eq!(agent.stdout(), "");
        }
    }
}

#[test]
fn a_script_without_a_first_line_runs_through_the_shell() {
    for image in both(&["./script", "7"]) {
        let image = image.file("script", b"exit $1\n", 0o755);
        let directory = image.path(".");
        assert_eq!(image.directory(&directory).start().exit(), 7);
    }
}

#[test]
fn an_option_of_the_commands_is_not_the_agents() {
    for image in both(&["printf", "%s|", "-h", "--help", "--", ""]) {
        let mut agent = image.start();
        assert_eq!(agent.exit(), 0);
        assert_eq!(agent.stdout(), "-h|--help|--||");
    }
}

#[test]
fn a_stop_ends_with_what_the_command_makes_of_it() {
    for image in both(&["sleep", "1000"]) {
        let mut agent = image.start();
        agent.wait_state("UP");
        let (code, took) = agent.stop();
        assert_eq!(code, 143);
        assert!(took < std::time::Duration::from_secs(1), "took {took:?}");
        assert_eq!(agent.stdout(), "");
        assert_eq!(agent.stderr(), "");
    }
    let polite = "trap 'exit 4' TERM; echo ready >> $LOG; while :; do sleep 0.05; done";
    for image in shell(polite) {
        let mut agent = image.start();
        agent.wait_log("ready", 1);
        assert_eq!(agent.stop().0, 4);
    }
}

#[test]
fn a_restart_that_is_asked_for_starts_it_again_and_what_it_ends_with_then_counts() {
    let program = "echo begun >> $LOG; until [ -e $ROOT/go ]; do sleep 0.01; done; exit 6";
    for image in shell(program) {
        let mut agent = image.start();
        let mut listener = agent.listen();
        listener.state("UP");
        agent.wait_log("begun", 1);
        let answer = listener.ask(r#"{"id":1,"type":"restart"}"#);
        assert_eq!(answer["ok"], true, "{answer}");
        agent.wait_log("begun", 2);
        listener.state("UP");
        // So it is when an operator's HUP comes through Docker.
        let announcement = r#"{"id":2,"by":"alice","type":"announce","signal":"HUP"}"#;
        assert_eq!(listener.ask(announcement)["ok"], true);
        agent.signal(Signal::SIGHUP);
        agent.wait_log("begun", 3);
        listener.state("UP");
        std::fs::write(agent.path("go"), "").unwrap();
        assert_eq!(agent.exit(), 6);
    }
}

#[test]
fn the_socket_tells_how_it_stands_and_how_it_ended() {
    for image in shell("until [ -e $ROOT/go ]; do sleep 0.01; done; exit 3") {
        let mut agent = image.start();
        let mut listener = agent.listen();
        listener.state("UP");
        let snapshot = agent.listen().line("snapshot");
        assert_eq!(snapshot["services"][0]["service"], "main");
        assert_eq!(snapshot["services"][0]["status"], "up");
        std::fs::write(agent.path("go"), "").unwrap();
        assert_eq!(listener.change("ERROR")["cause"], "service main exited 3");
        assert_eq!(agent.exit(), 3);
    }
}

#[test]
fn in_an_image_of_whaleware_the_scripts_are_run_around_it() {
    let mut agent = Image::new()
        .command(&["sh", "-c", "echo command >> $LOG; exit 5"])
        .start();
    assert_eq!(agent.exit(), 5);
    let log = agent.log();
    assert_eq!(log[..4], ["boot", "firstboot", "upgrade", "svcup"]);
    assert_eq!(log.last().map(String::as_str), Some("svcdown"));
    assert!(log.contains(&"command".to_owned()), "{log:?}");
}
