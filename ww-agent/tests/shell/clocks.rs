//! What the clocks do is no concern of the life cycle: the wall clock may jump, the agent may stand
//! still for a while.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::{Agent, Image, Listener, now, until};

/// Stands before the C library: the wall clock is off by as many seconds as a file says.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int) syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && clock == CLOCK_REALTIME) {
        char text[32] = {0};
        int file = open(getenv("SHIFT"), O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            if (read(file, text, sizeof text - 1) > 0) time->tv_sec += atoll(text);
            close(file);
        }
    }
    return result;
}
"#;

const DAY: i64 = 86_400;

fn compile(image: &Image) {
    let (source, library) = (image.path("shim.c"), image.path("shim.so"));
    std::fs::write(&source, SHIM).unwrap();
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .output()
        .expect("this test needs a C compiler, as Rust does to link");
    assert!(made.status.success(), "{made:?}");
}

/// In one step: the agent must not read half a number.
fn shift(image: &Path, seconds: i64) {
    let fresh = image.join("shift.new");
    std::fs::write(&fresh, seconds.to_string()).unwrap();
    std::fs::rename(fresh, image.join("shift")).unwrap();
}

/// An agent whose wall clock can be set, and nobody else's.
fn start(image: Image) -> Agent {
    compile(&image);
    shift(&image.path(""), 0);
    let (library, file) = (image.path("shim.so"), image.path("shift"));
    image
        .variable("LD_PRELOAD", library.to_str().unwrap())
        .variable("SHIFT", file.to_str().unwrap())
        .start()
}

/// The day that a line says it was written on.
fn day(line: &serde_json::Value) -> String {
    line["at"].as_str().unwrap()[..10].to_owned()
}

fn rounds(listener: &mut Listener, count: u32) -> Duration {
    listener.line("monitor");
    let began = now();
    for _ in 0..count {
        listener.line("monitor");
    }
    now() - began
}

#[test]
fn a_wall_clock_that_jumps_moves_no_check() {
    let image = Image::new()
        .file("ww/usr/monitor", b"#!/bin/sh\n", 0o755)
        .cfg(r#"{"ww":{"monitor":{"interval":"100ms"}}}"#);
    let mut agent = start(image);
    let mut listener = agent.listen();
    let today = day(&listener.line("monitor"));
    let mut seen = vec![today];
    for seconds in [DAY, -DAY, 400 * DAY, -400 * DAY, 0] {
        shift(&agent.path(""), seconds);
        // Until the agent's own clock has jumped, as its lines say.
        let last = seen.last().unwrap().clone();
        until("the jump", || {
            (day(&listener.line("monitor")) != last).then_some(())
        });
        seen.push(day(&listener.line("monitor")));
        let took = rounds(&mut listener, 5);
        assert!(
            took >= Duration::from_millis(250) && took < Duration::from_secs(5),
            "five checks in {took:?} after a jump by {seconds} s"
        );
    }
    assert_eq!(agent.stop().0, 0);
    assert!(!agent.stderr().contains("RESTARTING"), "{}", agent.stderr());
}

#[test]
fn a_wall_clock_that_jumps_neither_cuts_nor_stretches_what_is_measured() {
    let image = Image::new()
        .script("boot", "while [ ! -e $ROOT/go ]; do sleep 0.02; done")
        .script("monitor", "[ -e $ROOT/up ]")
        .cfg(
            r#"{"ww":{"hooks":{"boot":{"timeout":"1m"}},"monitor":{"interval":"50ms"},
                "restart":{"backoff":"300ms","backoff_max":"300ms"}}}"#,
        );
    let mut agent = start(image);
    agent.wait_log("boot", 1);
    let began = now();
    let mut listener = agent.listen();
    shift(&agent.path(""), DAY);
    std::fs::write(agent.path("go"), "").unwrap();
    let report = listener.change("FIRSTBOOT");
    let most = u64::try_from((now() - began).as_millis()).unwrap() + 2000;
    assert!(report["lasted_ms"].as_u64().unwrap() < most, "{report}");
    // The pause before a restart is as long as it is, though a day goes by on the wall.
    listener.change("RESTARTING");
    agent.wait_log("svcdown", 1);
    shift(&agent.path(""), -DAY);
    std::fs::write(agent.path("up"), "").unwrap();
    let report = listener.change("UP");
    let lasted = report["lasted_ms"].as_u64().unwrap();
    assert!((200..10_000).contains(&lasted), "{report}");
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn an_agent_that_stood_still_neither_makes_up_for_checks_nor_cuts_one_that_has_ended() {
    let body = b"#!/bin/sh\necho check >> $LOG\n[ ! -e $ROOT/slow ] || sleep 0.3\n";
    let agent = Image::new()
        .file("ww/usr/monitor", body, 0o755)
        .cfg(r#"{"ww":{"monitor":{"interval":"100ms","timeout":"1s"}}}"#)
        .start();
    let mut listener = agent.listen();
    listener.line("monitor");
    std::fs::write(agent.path("slow"), "").unwrap();
    let checks = || agent.log().iter().filter(|line| *line == "check").count();
    let before = checks();
    agent.wait_log("check", before + 2);
    // The check that runs ends by itself; the agent sees it only after its time would be over.
    agent.signal(Signal::SIGSTOP);
    let still = checks();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(checks(), still, "it did not stand still");
    let resumed = now();
    agent.signal(Signal::SIGCONT);
    agent.wait_log("check", still + 4);
    let took = now() - resumed;
    // Each takes 0.3 s, and comes 0.1 s after the one before.
    assert!(took >= Duration::from_secs(1), "four checks in {took:?}");
    let snapshot = agent.listen().line("snapshot");
    assert_eq!(snapshot["state"], "UP");
    assert_eq!(snapshot["restarts"]["total"], 0, "{snapshot}");
    assert_eq!(snapshot["health"]["status"], "passing", "{snapshot}");
}
