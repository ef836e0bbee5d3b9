//! How the dashboard stands a fleet far larger than one machine has: Engines and agents that are
//! played, and speak the real protocols.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::lab::{now, until_or, ww_ctl_path};
use crate::millis;
use crate::pty::Terminal;
use crate::simulated::Simulated;
use crate::yes;

/// What 99 of 100 frames may take.
const FRAME: f64 = 16.0;
/// What the dashboard may have in memory, in MB.
const MEMORY: u64 = 150;
/// When a key is to be answered.
const KEY: Duration = Duration::from_millis(50);
/// How often the help is opened and closed.
const KEYS: usize = 100;

/// A fleet, and how long it is looked at.
pub(crate) struct Size {
    pub hosts: usize,
    /// Of each host.
    pub containers: usize,
    /// Changes in a second.
    pub changes: usize,
    pub time: Duration,
}

/// Prints what frames, keys and memory take.
pub(crate) fn measure(size: &Size) {
    open_more();
    let all = size.hosts * size.containers;
    println!(
        "{all} containers on {} hosts, {} changes a second",
        size.hosts, size.changes
    );
    let directory = tempfile::tempdir().expect("a directory");
    let fleet = Simulated::start(directory.path(), size.hosts, size.containers, size.changes);
    let pid = directory.path().join("pid");
    let shell = fleet.dashboard(&ww_ctl_path(), &pid);
    let begun = now();
    let mut terminal = Terminal::new(&shell, 45, 160);
    let reached = || format!("{} of {all} agents to be listened to", fleet.listened_to());
    until_or(reached, || {
        terminal.look();
        (fleet.listened_to() >= all).then_some(())
    });
    println!(
        "all agents are listened to after {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    let (since, told) = (now(), fleet.told());
    while since.elapsed() < size.time {
        terminal.look();
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut waited = Vec::new();
    for _ in 0..KEYS {
        for (keys, word) in [("?", true), ("?", false)] {
            let asked = now();
            terminal.keys(keys);
            terminal.shows("the help, or not", |screen| {
                screen.contains("to the first") == word
            });
            waited.push(asked.elapsed());
        }
    }
    let told = fleet.told() - told;
    println!(
        "{:.0} changes a second were told",
        f64::from(u32::try_from(told).unwrap_or(u32::MAX)) / since.elapsed().as_secs_f64()
    );
    let pid = fs::read_to_string(&pid).expect("its process");
    let status = fs::read_to_string(format!("/proc/{}/status", pid.trim())).expect("it runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak: u64 = peak
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .expect("its memory");
    terminal.keys("q");
    let screen = terminal.shows("its end", |screen| screen.contains("left with 0"));
    let frames = screen.lines().find(|line| line.contains("99 of 100"));
    let frames = frames.expect("what frames took");
    println!("{frames}");
    let within = frames
        .split_once("within ")
        .and_then(|(_, rest)| rest.split(' ').next()?.parse::<f64>().ok())
        .expect("a number");
    println!(
        "target: 99 of 100 frames within {FRAME} ms: {within:.1} ms: {}",
        yes(within < FRAME)
    );
    waited.sort_unstable();
    let longest = waited[waited.len() - 1];
    println!(
        "target: a key is answered within {} ms: median {:.0} ms, longest of {} {:.0} ms: {}",
        KEY.as_millis(),
        millis(waited[waited.len() / 2]),
        waited.len(),
        millis(longest),
        yes(longest <= KEY)
    );
    let peak = peak >> 10;
    println!(
        "target: at most {MEMORY} MB: {peak} MB: {}",
        yes(peak < MEMORY)
    );
}

/// Every agent is a connection, whose other end is here.
fn open_more() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let most = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, most).expect("as many files as the system allows");
}
