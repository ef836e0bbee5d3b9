//! How long after a change of state in a container it is seen outside.
//!
//! The agent stamps each transition with the wall clock; both ends are on one machine, so that is
//! the clock a line's arrival is held against.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::lab::{Guest, Lab, docker, run, ww_ctl_command, ww_ctl_path};
use crate::pty::Terminal;
use crate::spread;

/// Prints the latency of `ww-ctl events` and of the dashboard over so many restarts.
pub(crate) fn measure(rounds: usize) {
    let lab = Lab::new("bench-latency");
    let tree = lab.tree("app");
    // Long enough to be seen as a state of its own.
    tree.all_scripts().script("svcup", "sleep 0.4");
    let guest = lab.start("app", &lab.image(&tree), &[], &[]);
    guest.reaches("UP");
    println!(
        "events, change of state to line: {}",
        spread(events(&guest, rounds))
    );
    println!(
        "top, change of state to screen: {}",
        spread(dashboard(&guest, rounds))
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "the benchmark's seam to the wall clock"
)]
fn wall() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970")
}

fn restart(guest: &Guest) {
    run(Command::new("kill").args(["-HUP", &guest.inspect("{{.State.Pid}}")])).expect(0);
}

/// The last value of a field of this name in a line of JSON, without a parser: the line is ours.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("\"{name}\":\""))?;
    rest.split('"').next()
}

fn since_epoch(text: &str) -> Duration {
    let at: jiff::Timestamp = text.parse().expect("a time");
    Duration::try_from(at.duration_since(jiff::Timestamp::UNIX_EPOCH)).expect("after 1970")
}

fn events(guest: &Guest, rounds: usize) -> Vec<Duration> {
    let mut child = ww_ctl_command()
        .args(["events", &guest.name, "-o", "jsonl"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("ww-ctl events");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut seen = Vec::new();
    // The first restart makes sure that it listens; what came before it is not counted.
    std::thread::scope(|scope| {
        let kicker = scope.spawn(|| {
            for _ in 0..=rounds {
                let before = guest.log().iter().filter(|line| *line == "-svcup").count();
                restart(guest);
                guest.wrote("-svcup", before + 1);
                guest.reaches("UP");
            }
        });
        let mut ups = 0;
        while ups <= rounds {
            let line = lines.next().expect("a line").expect("a line");
            let arrived = wall();
            let Some(state) = field(&line, "state") else {
                continue;
            };
            let Some(at) = field(&line, "at") else {
                continue;
            };
            if state == "UP" && line.contains("restart finished") {
                ups += 1;
            }
            if ups > 0 && (state == "UP" || state == "RESTARTING") {
                seen.push(arrived.saturating_sub(since_epoch(at)));
            }
        }
        kicker.join().expect("the restarts");
    });
    drop(child.kill());
    drop(child.wait());
    seen
}

fn dashboard(guest: &Guest, rounds: usize) -> Vec<Duration> {
    let shell = format!("{} top", ww_ctl_path().display());
    let mut terminal = Terminal::new(&shell, 45, 160);
    let row = |screen: &str, word: &str| {
        screen
            .lines()
            .any(|line| line.contains(&guest.name) && line.contains(word))
    };
    terminal.shows("UP", |screen| row(screen, " UP"));
    let mut seen = Vec::new();
    for _ in 0..rounds {
        restart(guest);
        terminal.shows("RESTARTING", |screen| row(screen, "RESTARTING"));
        let arrived = wall();
        let status = docker(["exec", &guest.name, "/ww/bin/ww-agent", "status", "--json"]).stdout;
        let at = last_restart(&status).expect("the time of the restart");
        seen.push(arrived.saturating_sub(since_epoch(&at)));
        terminal.shows("UP", |screen| row(screen, " UP"));
    }
    terminal.keys("q");
    seen
}

/// When the last restart began, by the agent's own record.
fn last_restart(status: &str) -> Option<String> {
    let (_, restarts) = status.split_once("\"restarts\":{")?;
    field(restarts.split('}').next()?, "last").map(str::to_owned)
}
