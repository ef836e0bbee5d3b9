//! With nobody listening nothing wakes an idle agent.

use std::time::Duration;

use crate::harness::Image;

#[test]
fn an_idle_agent_sleeps() {
    let agent = Image::new()
        .file("ww/usr/monitor", b"#!/bin/sh\n", 0o755)
        .start();
    agent.wait_state("UP");
    let path = format!("/proc/{}/status", agent.pid());
    let switches = || -> u64 {
        std::fs::read_to_string(&path)
            .unwrap()
            .lines()
            .filter_map(|line| line.split_once("ctxt_switches:"))
            .map(|(_, count)| count.trim().parse::<u64>().unwrap())
            .sum()
    };
    // Until it has noticed that the listener of `wait_state` is gone.
    let mut before = switches();
    crate::harness::until("quiet", || {
        std::thread::sleep(Duration::from_millis(300));
        let now = switches();
        let quiet = now == before;
        before = now;
        quiet.then_some(())
    });
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(switches(), before, "it woke up with nothing to do");
}
