//! However long it lives, the agent does not grow. The short form is in `make test`, the long one
//! in `make soak`.

use std::fs::{self, File};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::footprint::Footprint;
use crate::harness::{Agent, Image, now, until, until_within};
use crate::soak;

/// What the allocator may do with what it has, in kB: a leak of one small allocation a round is more.
const SLACK: u64 = 16;
/// The long form may take so long.
const LONG: Duration = Duration::from_secs(900);

/// A monitor that counts its rounds in a file, and stays in one of them when it is told to: what is
/// measured is then at the same point of a round each time.
const MONITOR: &str = "#!/bin/sh\nprintf . >> \"$ROOT/rounds\"\necho '{\"queue\": 17}'\n\
    [ -e \"$ROOT/hold\" ] || exit 0\n: > \"$ROOT/held\"\n\
    while [ -e \"$ROOT/hold\" ]; do sleep 0.01; done\n";

fn count(agent: &Agent, name: &str) -> u64 {
    fs::metadata(agent.path(name)).map_or(0, |file| file.len())
}

/// The footprint in the middle of a check.
fn held(agent: &Agent) -> Footprint {
    File::create(agent.path("hold")).unwrap();
    until("a check that waits", || {
        agent.path("held").exists().then_some(())
    });
    let mut seen = None;
    // It has gone back to its wait when what the monitor printed is read: nothing tells when.
    let footprint = until("the same twice", || {
        let again = Footprint::of(agent);
        (seen.replace(again) == Some(again)).then_some(again)
    });
    fs::remove_file(agent.path("held")).unwrap();
    fs::remove_file(agent.path("hold")).unwrap();
    footprint
}

/// What was just built is not on the disk yet, and what is mapped of it would count as written to by
/// the one process that maps it.
fn sync(agent: &Agent) {
    let binary = File::open(format!("/proc/{}/exe", agent.pid())).unwrap();
    binary.sync_all().unwrap();
}

fn assert_no_growth(what: &str, before: Footprint, after: Footprint) {
    println!("{what}\n  before {before:?}\n  after  {after:?}");
    assert!(after.anonymous <= before.anonymous + SLACK, "{what}");
    assert!(
        after.private_dirty <= before.private_dirty + SLACK,
        "{what}"
    );
    assert_eq!(after.descriptors, before.descriptors, "{what}");
    assert_eq!(after.children, before.children, "{what}");
    assert_eq!(after.threads, 1, "{what}");
}

#[test]
fn checks_leave_nothing_behind() {
    let (warm, rounds) = if soak::is_wanted() {
        (500, 10_000)
    } else {
        (600, 300)
    };
    let agent = Image::new()
        .shipped()
        .file("ww/usr/monitor", MONITOR.as_bytes(), 0o755)
        .cfg(r#"{"ww":{"monitor":{"interval":"1ms","timeout":"10m"}}}"#)
        .start();
    let reach = |wanted| {
        until_within(LONG, "the checks", || {
            (count(&agent, "rounds") >= wanted).then_some(())
        });
    };
    reach(warm);
    sync(&agent);
    let before = held(&agent);
    let (begun, from) = (now(), count(&agent, "rounds"));
    reach(from + rounds);
    let took = begun.elapsed();
    let after = held(&agent);
    assert_no_growth(&format!("{rounds} checks in {took:.1?}"), before, after);
    assert_eq!(agent.stderr().matches("RESTARTING").count(), 0);
}

#[test]
fn restarts_leave_nothing_behind() {
    // The record of what happened is bounded; it is full before the first look. In the long form the
    // history's two files have been turned as well, each once.
    let (warm, restarts) = if soak::is_wanted() {
        (1_000, 1_000)
    } else {
        (400, 30)
    };
    // A service that outlived `svcdown` would be given its grace each time.
    let svcup = b"#!/bin/sh\nsleep 1000 &\necho $! > \"$ROOT/pid\"\n";
    let svcdown = b"#!/bin/sh\nread pid < \"$ROOT/pid\"\nkill $pid\n";
    let agent = Image::bare()
        .shipped()
        .file("ww/usr/svcup", svcup, 0o755)
        .file("ww/usr/svcdown", svcdown, 0o755)
        .start();
    let mut listener = agent.listen();
    listener.state("UP");
    let mut restart = |times| {
        for _ in 0..times {
            agent.signal(Signal::SIGHUP);
            listener.change("UP");
        }
    };
    let at_rest = || {
        crate::footprint::settle(&agent);
        Footprint::of(&agent)
    };
    restart(warm);
    sync(&agent);
    let before = at_rest();
    let begun = now();
    restart(restarts);
    let took = begun.elapsed();
    let after = at_rest();
    assert_no_growth(&format!("{restarts} restarts in {took:.1?}"), before, after);
}
