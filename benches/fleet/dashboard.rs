//! What the dashboard costs while it is open: itself and the Engine's daemons, beside oxker and
//! `docker stats` on the same fleet in the same run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::lab::{Guest, Lab, now, part, until, ww_ctl_path};
use crate::listing::grow;
use crate::pty::Terminal;
use crate::{median, millis, yes};

/// So much of the daemons' time may be chance.
const NOISE: f64 = 0.1;
/// What the dashboard may have in memory.
const MEMORY: f64 = 12.0;
/// When the first true numbers are to be there.
const SOON: Duration = Duration::from_millis(150);
/// So often the first numbers are waited for.
const STARTS: usize = 5;
/// Lines of the screen.
const LINES: u16 = 45;
/// Columns of the screen.
const COLUMNS: u16 = 160;

/// A program that shows a fleet.
struct Program {
    name: &'static str,
    path: PathBuf,
    arguments: &'static str,
    /// Whether a line of the screen has true numbers of a container with this name.
    is_true: fn(&str) -> bool,
}

/// What one program cost.
struct Cost {
    own: f64,
    daemons: f64,
    memory: f64,
    first: Duration,
}

/// Prints what each costs over so long a time with a fleet of this size.
pub(crate) fn measure(size: usize, time: Duration) {
    let lab = Lab::new("bench-top");
    let tree = lab.tree("app");
    tree.all_scripts().script("monitor", "echo '{\"queue\":1}'");
    let image = lab.image(&tree);
    let mut guests: Vec<Guest> = Vec::new();
    grow(&lab, &image, &mut guests, size);
    let ours = Program {
        name: "ww-ctl top",
        path: ww_ctl_path(),
        arguments: "top",
        is_true: |line| line.contains(" UP ") && has_size(line),
    };
    let peers = [
        Program {
            name: "oxker",
            path: part("WW_OXKER"),
            arguments: "",
            is_true: |line| line.contains("unning") && has_size(line),
        },
        Program {
            name: "docker stats",
            path: "docker".into(),
            arguments: "stats",
            is_true: has_size,
        },
    ];
    let name = lab.named("c");
    println!(
        "{size} containers, {} s each; seconds of CPU, MB of memory, ms to the first true numbers",
        time.as_secs()
    );
    println!(
        "{:<14}  {:>7}  {:>14}  {:>7}  {:>9}",
        "", "own CPU", "daemons' CPU", "RSS", "first"
    );
    let mut idle = vec![idle(time)];
    let our = cost(&ours, &name, time);
    idle.push(self::idle(time));
    let peer = peers.map(|peer| cost(&peer, &name, time));
    let least = peer.iter().map(|one| one.own).fold(f64::INFINITY, f64::min);
    let most_idle = idle.iter().copied().fold(0.0, f64::max);
    println!(
        "target: own CPU at most a third of the best peer's: {:.2} of {least:.2} s: {}",
        our.own,
        yes(our.own * 3.0 <= least)
    );
    println!(
        "target: daemons' CPU at most {NOISE} s above idle: {:.2} above {most_idle:.2} s: {}",
        our.daemons - most_idle,
        yes(our.daemons <= most_idle + NOISE)
    );
    println!(
        "target: at most {MEMORY} MB: {:.1} MB: {}",
        our.memory,
        yes(our.memory <= MEMORY)
    );
    println!(
        "target: first true numbers within {} ms: {:.0} ms: {}",
        SOON.as_millis(),
        millis(our.first),
        yes(our.first <= SOON)
    );
}

/// What the daemons use when nobody looks.
fn idle(time: Duration) -> f64 {
    let before = daemons();
    std::thread::sleep(time);
    let used = daemons() - before;
    println!("{:<14}  {:>7}  {used:>14.2}", "idle", "");
    used
}

fn cost(program: &Program, name: &str, time: Duration) -> Cost {
    let mut firsts: Vec<f64> = (1..STARTS)
        .map(|_| millis(first(program, name).1))
        .collect();
    let before = daemons();
    let begun = now();
    let (mut terminal, took) = first(program, name);
    firsts.push(millis(took));
    let process = process(&program.path);
    // What is written to it is taken as it comes, as a terminal does.
    while begun.elapsed() < time {
        std::thread::sleep(Duration::from_millis(50));
        terminal.look();
    }
    let cost = Cost {
        own: seconds(process),
        daemons: daemons() - before,
        memory: memory(process),
        first: Duration::from_secs_f64(median(firsts) / 1e3),
    };
    println!(
        "{:<14}  {:>7.2}  {:>14.2}  {:>7.1}  {:>9.0}",
        program.name,
        cost.own,
        cost.daemons,
        cost.memory,
        millis(cost.first)
    );
    cost
}

/// Starts it and waits for the first true numbers.
fn first(program: &Program, name: &str) -> (Terminal, Duration) {
    let begun = now();
    // Some write a file of settings where there is none.
    let settings = tempfile::tempdir().expect("a directory");
    let shell = format!(
        "export XDG_CONFIG_HOME={}; exec {} {}",
        settings.path().display(),
        program.path.display(),
        program.arguments
    );
    let mut terminal = Terminal::new(&shell, LINES, COLUMNS);
    terminal.shows(program.name, |screen| {
        screen
            .lines()
            .any(|line| line.contains(name) && (program.is_true)(line))
    });
    let took = begun.elapsed();
    (terminal, took)
}

/// Whether there is an amount of memory in a line, and not of nothing: `3.87MB`, or `3.87 MB`.
fn has_size(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.iter().enumerate().any(|(place, word)| {
        let end = word.find(|c: char| !(c.is_ascii_digit() || c == '.'));
        let (number, unit) = word.split_at(end.unwrap_or(word.len()));
        let next = words.get(place + 1).copied().unwrap_or_default();
        let unit = if unit.is_empty() { next } else { unit };
        matches!(unit, "K" | "M" | "kB" | "MB" | "KiB" | "MiB")
            && number.parse().is_ok_and(|number: f64| number > 0.0)
    })
}

/// The process below this one that runs a program.
fn process(program: &Path) -> u32 {
    let own = std::process::id();
    let wanted = program.file_name().expect("a program");
    until("the program on the terminal", || {
        let mut found = vec![own];
        let mut place = 0;
        while let Some(&parent) = found.get(place) {
            place += 1;
            let name = fs::read_to_string(format!("/proc/{parent}/comm")).ok()?;
            if *name.trim() == *wanted {
                return Some(parent);
            }
            let children = format!("/proc/{parent}/task/{parent}/children");
            let children = fs::read_to_string(children).ok()?;
            found.extend(
                children
                    .split_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            );
        }
        None
    })
}

/// The processor time a process has used so far.
fn seconds(pid: u32) -> f64 {
    /// So many a second: what Linux tells user space whatever it counts itself.
    const TICKS: f64 = 100.0;
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let (_, after) = text.rsplit_once(')').expect("its name");
    let ticks = after.split_whitespace().skip(11).take(2);
    let ticks = ticks.map(|ticks| ticks.parse::<f64>().expect("a number"));
    ticks.sum::<f64>() / TICKS
}

/// The processor time the Engine's daemons have used so far, the containers' own keepers apart.
fn daemons() -> f64 {
    let processes = fs::read_dir("/proc").expect("the processes");
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let is_daemon = |pid: &u32| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        matches!(name.trim(), "dockerd" | "containerd")
    };
    pids.filter(is_daemon).map(seconds).sum()
}

/// Its memory in MB, at the most it ever was.
fn memory(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let words = line.expect("its memory").split_whitespace().nth(1);
    words.expect("a value").parse::<f64>().expect("a number") / 1024.0
}
