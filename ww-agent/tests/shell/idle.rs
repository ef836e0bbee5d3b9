//! With nobody listening nothing wakes an idle agent but its own checks, and it is small.

use std::fs;
use std::time::Duration;

use crate::footprint::{Footprint, settle, sleeps};
use crate::harness::{Agent, Image, now, until_within};
use crate::soak;

/// In one check of a script that prints nothing the agent waits for: its time to come, the script's
/// exec, the end of its stdout and of its stderr, and its exit. What comes together is one wait.
const SLEEPS_A_CHECK: u64 = 5;
/// kB.
const RESIDENT: u64 = 2048;
const PRIVATE: u64 = 512;

fn monitored(interval: &str) -> Agent {
    let monitor = b"#!/bin/sh\nprintf . >> \"$ROOT/rounds\"\n";
    let cfg =
        format!("{{\"ww\":{{\"monitor\":{{\"interval\":\"{interval}\",\"timeout\":\"20s\"}}}}}}");
    Image::new()
        .shipped()
        .file("ww/usr/monitor", monitor, 0o755)
        .cfg(&cfg)
        .start()
}

#[test]
fn an_idle_agent_sleeps() {
    let agent = monitored("30s");
    agent.wait_state("UP");
    // Until it has noticed that the listener of `wait_state` is gone.
    let before = settle(&agent);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(sleeps(&agent), before, "it woke up with nothing to do");
}

#[test]
fn checks_are_all_that_wakes_it_and_it_is_small() {
    let (interval, checks) = if soak::is_wanted() {
        ("30s", 2)
    } else {
        ("1s", 2)
    };
    let agent = monitored(interval);
    // The other container of the same image that there is on every host with a fleet.
    let other = monitored(interval);
    other.wait_state("UP");
    agent.wait_state("UP");
    let rounds = || fs::metadata(agent.path("rounds")).map_or(0, |file| file.len());
    let before = settle(&agent);
    let (begun, from) = (now(), rounds());
    until_within(Duration::from_secs(90), "the checks", || {
        (rounds() >= from + checks).then_some(())
    });
    let woken = settle(&agent) - before;
    let (took, checks) = (begun.elapsed(), rounds() - from);
    let footprint = Footprint::of(&agent);
    println!("{checks} checks in {took:.1?}: {woken} sleeps; {footprint:?}");
    assert!(
        woken <= checks * SLEEPS_A_CHECK,
        "{woken} sleeps for {checks} checks"
    );
    // Fewer and it would not have been this process that was counted.
    assert!(woken >= checks * 2, "{woken} sleeps for {checks} checks");
    assert!(footprint.resident <= RESIDENT, "{footprint:?}");
    let private = footprint.private_dirty + footprint.private_clean;
    assert!(private <= PRIVATE, "{private} kB private: {footprint:?}");
}
