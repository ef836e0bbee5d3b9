//! What scripts print is forwarded, and a reader that does not read holds up nothing.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use nix::unistd::pipe;

use crate::harness::{Agent, Image};

#[test]
fn what_scripts_print_is_forwarded_each_to_its_stream() {
    let mut agent = Image::new()
        .script("boot", "echo to stdout; echo to stderr >&2")
        .start();
    agent.wait_state("UP");
    assert_eq!(agent.stop().0, 0);
    assert!(agent.stdout().contains("to stdout\n"));
    assert!(agent.stderr().contains("to stderr\n"));
    assert!(!agent.stdout().contains("to stderr"));
}

#[test]
fn a_daemon_that_keeps_the_pipe_does_not_hold_up_the_script_and_is_still_heard() {
    let daemon = "(while [ ! -e $ROOT/go ]; do sleep 0.02; done; echo from the daemon) &";
    let mut agent = Image::new().script("svcup", daemon).start();
    agent.wait_state("UP");
    std::fs::write(agent.path("go"), "").unwrap();
    crate::harness::until("the daemon's line", || {
        agent.stdout().contains("from the daemon").then_some(())
    });
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn a_flood_that_nobody_reads_does_not_stop_the_life_cycle() {
    let (reading, writing) = pipe().unwrap();
    let mut agent = Image::new()
        .stdout(writing)
        .script("boot", "head -c 3000000 /dev/zero | tr '\\0' x; echo")
        .start();
    agent.wait_state("UP");
    agent.wait_stderr("nobody reads stdout");
    assert_eq!(agent.stop().0, 0);
    drop(agent);
    // What was kept is a beginning, and there is an end of it.
    let mut kept = Vec::new();
    std::fs::File::from(reading).read_to_end(&mut kept).unwrap();
    assert!(kept.starts_with(b"= LIFECYCLE: BOOT\nxxx"));
}

/// Where the agent may not open its stdout anew, it writes to what it was given.
fn survives_a_flood(stdout: std::os::fd::OwnedFd, around: &[&str]) -> Agent {
    let flood = b"#!/bin/sh\nhead -c 3000000 /dev/zero | tr '\\0' x; echo\n";
    let image = Image::bare()
        .file("ww/usr/upgrade", flood, 0o755)
        .around(around)
        .stdout(stdout);
    std::fs::set_permissions(image.path(""), std::fs::Permissions::from_mode(0o755)).unwrap();
    let agent = image.start();
    agent.wait_stderr("WARMUP -> UP");
    agent.wait_stderr("nobody reads stdout");
    agent
}

const ANYBODY: [&str; 5] = [
    "setpriv",
    "--reuid=12345",
    "--regid=12345",
    "--clear-groups",
    "--",
];

#[test]
fn a_pipe_that_belongs_to_somebody_else_is_not_waited_for_either() {
    let (reading, writing) = pipe().unwrap();
    let mut agent = survives_a_flood(writing, &ANYBODY);
    drop(reading);
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn a_socket_is_not_waited_for_either() {
    let (reading, writing) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut agent = survives_a_flood(writing.into(), &[]);
    drop(reading);
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn a_reader_that_goes_while_output_waits_does_not_keep_the_agent_busy() {
    let (reading, writing) = pipe().unwrap();
    let mut agent = survives_a_flood(writing, &ANYBODY);
    drop(reading);
    let path = format!("/proc/{}/stat", agent.pid());
    let ticks = || -> u64 {
        let stat = std::fs::read_to_string(&path).unwrap();
        let (_, rest) = stat.rsplit_once(')').unwrap();
        let words: Vec<&str> = rest.split_whitespace().collect();
        words[11].parse::<u64>().unwrap() + words[12].parse::<u64>().unwrap()
    };
    let before = ticks();
    std::thread::sleep(std::time::Duration::from_secs(1));
    // A hundred ticks are a second of one CPU.
    assert!(ticks() - before < 20);
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn a_whole_life_with_a_stdout_that_takes_nothing() {
    // Full before the agent starts, and nobody reads: not one line of all of this ever gets out.
    let (reading, writing) = pipe().unwrap();
    let blocking = nix::fcntl::OFlag::empty();
    let set = |flags| nix::fcntl::fcntl(&writing, nix::fcntl::FcntlArg::F_SETFL(flags)).unwrap();
    set(nix::fcntl::OFlag::O_NONBLOCK);
    while nix::unistd::write(&writing, &[b'.'; 4096]).is_ok() {}
    set(blocking);
    let mut agent = Image::new()
        .stdout(writing)
        .script("svcup", "head -c 600000 /dev/zero | tr '\\0' x; echo")
        .script("svcdown", "head -c 600000 /dev/zero | tr '\\0' y; echo")
        .file("ww/usr/monitor", b"#!/bin/sh\necho 1\n", 0o755)
        .cfg(r#"{"ww":{"monitor":{"interval":"20ms"}}}"#)
        .start();
    let mut listener = agent.listen();
    listener.state("UP");
    agent.wait_stderr("nobody reads stdout");
    agent.signal(nix::sys::signal::Signal::SIGHUP);
    listener.change("RESTARTING");
    listener.change("UP");
    listener.line("monitor");
    let (code, took) = agent.stop();
    assert_eq!(code, 0);
    assert!(took < std::time::Duration::from_secs(4), "took {took:?}");
    drop((agent, reading));
}

#[test]
fn a_slow_reader_gets_whole_lines_and_is_told_how_much_it_missed() {
    let (reading, writing) = pipe().unwrap();
    let line = "0123456789".repeat(10);
    let mut agent = Image::new()
        .stdout(writing)
        .script("boot", &format!("yes {line} | head -n 20000"))
        .start();
    let mut listener = agent.listen();
    listener.state("UP");
    agent.wait_stderr("nobody reads stdout");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        std::fs::File::from(reading)
            .read_to_string(&mut text)
            .unwrap();
        text
    });
    let note = listener.line("note");
    let told = note["text"].as_str().unwrap();
    let lost: usize = told
        .split_once("stdout is read again: ")
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("{told}"));
    agent.wait_stderr(told);
    assert_eq!(agent.stop().0, 0);
    drop(agent);
    let text = reader.join().unwrap();
    // What came and what was lost is what was printed, but for the newline that ends a cut line.
    let printed = 20_000 * (line.len() + 1);
    let came: usize = text
        .lines()
        .filter(|line| line.starts_with(char::is_numeric))
        .map(|line| line.len() + 1)
        .sum();
    assert!(
        (came + lost).abs_diff(printed) < 200,
        "{came} came, {lost} lost, {printed} printed"
    );
}

#[test]
fn a_reader_that_is_gone_does_not_stop_the_life_cycle() {
    let (reading, writing) = pipe().unwrap();
    drop(reading);
    let mut agent = Image::new()
        .stdout(writing)
        .script("boot", "echo hello")
        .start();
    agent.wait_state("UP");
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn the_log_can_be_json() {
    let mut agent = Image::new().variable("WW_LOG_FORMAT", "json").start();
    agent.wait_state("UP");
    assert_eq!(agent.stop().0, 0);
    for line in agent.stderr().lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["from"], "ww-agent");
    }
}
