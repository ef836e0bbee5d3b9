//! The dashboard with a fleet far larger than one machine has: its memory is bounded, and it answers.

use std::fmt::Write as _;
use std::time::Duration;

use crate::lab::{is_soak, now, until_or, ww_ctl_path};
use crate::pty::Terminal;
use crate::simulated::Simulated;

/// What the dashboard may have in memory, in MB.
const MEMORY: u64 = 150;

#[test]
fn it_shows_a_large_fleet_in_bounded_memory() {
    let (hosts, containers, changes) = if is_soak() {
        (100, 100, 1000)
    } else {
        (5, 40, 200)
    };
    let all = hosts * containers;
    let directory = tempfile::tempdir().expect("a directory");
    let fleet = Simulated::start(directory.path(), hosts, containers, changes);
    let pid = directory.path().join("pid");
    let mut words = String::new();
    for url in fleet.urls() {
        write!(words, " -H {url}").expect("a string");
    }
    let shell = format!(
        "sh -c 'echo $$ > {}; exec {} -v{words} top'; echo left with $?",
        pid.display(),
        ww_ctl_path().display()
    );
    let mut terminal = Terminal::new(&shell, 45, 160);
    let begun = now();
    // All are reached while those that are speak.
    let reached = || format!("{} of {all} agents to be listened to", fleet.listened_to());
    until_or(reached, || {
        terminal.look();
        (fleet.listened_to() >= all).then_some(())
    });
    println!(
        "{all} agents of {hosts} hosts reached in {:?}",
        begun.elapsed()
    );
    let told = fleet.told();
    if is_soak() {
        while begun.elapsed() < Duration::from_secs(60) {
            terminal.look();
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    terminal.shows("the end of the list", |screen| {
        screen.contains(&format!("of {all}"))
    });
    // Nothing is late: what was asked is answered though changes never end.
    let mut waited = Vec::new();
    for _ in 0..if is_soak() { 50 } else { 3 } {
        for (keys, word) in [("?", true), ("?", false)] {
            let asked = now();
            terminal.keys(keys);
            terminal.shows("the help, or not", |screen| {
                screen.contains("to the first") == word
            });
            waited.push(asked.elapsed());
        }
    }
    waited.sort_unstable();
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
    let frames = screen.lines().find(|line| line.contains("99 of 100"));
    println!(
        "a key answered: median {:?}, longest {:?}; {} MB at most; {}",
        waited[waited.len() / 2],
        waited[waited.len() - 1],
        peak >> 10,
        frames.unwrap_or_default()
    );
    assert!(peak >> 10 < MEMORY, "{} MB", peak >> 10);
    assert!(frames.is_some(), "{screen}");
}
