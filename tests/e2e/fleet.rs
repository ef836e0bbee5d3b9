//! The dashboard with a fleet far larger than one machine has: its memory is bounded, and it answers.

use crate::lab::{until_or, ww_ctl_path};
use crate::pty::Terminal;
use crate::simulated::Simulated;

/// What the dashboard may have in memory, in MB, whether it is built for speed or not. With many more
/// it is measured by `make bench`.
const MEMORY: u64 = 60;

#[test]
fn it_shows_a_large_fleet_in_bounded_memory() {
    let (hosts, containers, changes) = (5, 40, 200);
    let all = hosts * containers;
    let directory = tempfile::tempdir().expect("a directory");
    let fleet = Simulated::start(directory.path(), hosts, containers, changes);
    let pid = directory.path().join("pid");
    let shell = fleet.dashboard(&ww_ctl_path(), &pid);
    let mut terminal = Terminal::new(&shell, 45, 160);
    // All are reached while those that are speak.
    let reached = || format!("{} of {all} agents to be listened to", fleet.listened_to());
    until_or(reached, || {
        terminal.look();
        (fleet.listened_to() >= all).then_some(())
    });
    let told = fleet.told();
    terminal.shows("the end of the list", |screen| {
        screen.contains(&format!("of {all}"))
    });
    // What was asked is answered though changes never end.
    for (keys, word) in [("?", true), ("?", false)] {
        terminal.keys(keys);
        terminal.shows("the help, or not", |screen| {
            screen.contains("to the first") == word
        });
    }
    terminal.keys("/app-3-17 \r");
    terminal.shows("the one that was looked for", |screen| {
        screen.contains("app-3-17 ") && !screen.contains("app-2-1 ")
    });
    let pid = std::fs::read_to_string(&pid).expect("its process");
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim()));
    let status = status.expect("it runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak: u64 = peak
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .expect("its memory");
    assert!(fleet.told() > told, "agents speak");
    terminal.keys("q");
    let screen = terminal.shows("its end", |screen| screen.contains("left with 0"));
    assert!(peak >> 10 < MEMORY, "{} MB", peak >> 10);
    assert!(screen.contains("99 of 100"), "{screen}");
}
