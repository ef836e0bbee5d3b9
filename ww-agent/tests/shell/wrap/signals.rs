//! Signals from outside are the command's, and its whole group's.

use std::time::Duration;

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{both, is_stopped, shell};
use crate::harness::{Agent, Image, until};

/// Sends a signal by its number, real-time signals too.
fn send(agent: &Agent, number: i32) {
    let sent = std::process::Command::new("kill")
        .args(["-s", &number.to_string(), &agent.pid().to_string()])
        .status();
    assert!(sent.unwrap().success(), "signal {number}");
}

/// All that can be forwarded: not what cannot be caught, and not the end of the agent's own children.
fn forwardable() -> Vec<i32> {
    let all = (1..32).chain([34, 35, 50, 63, 64]);
    // Whoever gets TERM is being stopped from then on.
    let mut all: Vec<i32> = all
        .filter(|number| ![9, 15, 17, 19].contains(number))
        .collect();
    all.push(15);
    all
}

/// Appends the number of every signal it gets; one that hears nothing keeps it company.
fn recorder() -> String {
    let numbers: Vec<String> = forwardable().iter().map(i32::to_string).collect();
    let numbers = numbers.join(" ");
    format!(
        "for n in {numbers}; do trap \"echo $n >> $LOG\" $n; done\n\
         (trap '' {numbers}; exec sleep 1000) &\n\
         echo ready >> $LOG; until [ -e $ROOT/go ]; do wait; done; exit 9"
    )
}

#[test]
fn every_one_that_can_be_forwarded_is_and_once() {
    for image in shell(&recorder()) {
        let mut agent = image.cfg(r#"{"ww":{"stop":{"grace":"100ms"}}}"#).start();
        agent.wait_log("ready", 1);
        let numbers = forwardable();
        for number in &numbers {
            send(&agent, *number);
            agent.wait_log(&number.to_string(), 1);
        }
        // A stop besides, but no signal less than all come through.
        agent.wait_state("STOPPED");
        send(&agent, 15);
        agent.wait_log("15", 2);
        std::fs::write(agent.path("go"), "").unwrap();
        send(&agent, 10);
        assert_eq!(agent.exit(), 9);
        let mut expected = vec!["ready".to_owned()];
        expected.extend(numbers.iter().map(i32::to_string));
        let mut log = agent.log();
        // The stop continues what it ends, in case that stands still.
        log.retain(|line| line != "18");
        expected.retain(|line| line != "18");
        expected.extend(["15".to_owned(), "10".to_owned()]);
        assert_eq!(log, expected);
    }
}

#[test]
fn its_whole_group_gets_them() {
    // The command itself does not hear; its child does, and it is waited for.
    let child = b"trap 'echo child >> $LOG; exit 0' USR1; echo ready >> $LOG; \
                  while :; do sleep 0.05; done";
    for image in shell("trap : USR1; sh $ROOT/child & wait; wait; exit 8") {
        let mut agent = image.file("child", child, 0o644).start();
        agent.wait_log("ready", 1);
        agent.signal(Signal::SIGUSR1);
        assert_eq!(agent.exit(), 8);
        assert!(
            agent.log().contains(&"child".to_owned()),
            "{:?}",
            agent.log()
        );
    }
}

#[test]
fn the_agents_own_group_does_not_get_them() {
    // Started before the agent, in the group that becomes the agent's.
    let neighbour = "(trap 'echo neighbour-1 >> $LOG' USR1; trap 'echo neighbour-2 >> $LOG' USR2; \
                     echo $(exec sh -c 'echo $PPID') > $ROOT/pid; while :; do sleep 0.02; done) & \
                     exec \"$@\"";
    let program = "trap 'echo command >> $LOG' USR1; echo ready >> $LOG; \
                   while :; do sleep 0.02; done";
    let agent = Image::foreign()
        .command(&["sh", "-c", program])
        .around(&["sh", "-c", neighbour, "sh"])
        .among_others()
        .start();
    agent.wait_log("ready", 1);
    let pid = until("the neighbour", || {
        let text = std::fs::read_to_string(agent.path("pid")).ok()?;
        text.trim().parse().ok()
    });
    agent.signal(Signal::SIGUSR1);
    agent.wait_log("command", 1);
    // Of what it has got by now the smaller number comes first.
    kill(Pid::from_raw(pid), Signal::SIGUSR2).unwrap();
    agent.wait_log("neighbour-2", 1);
    assert!(!agent.log().contains(&"neighbour-1".to_owned()));
}

#[test]
fn one_that_stands_still_is_ended_by_a_stop_all_the_same() {
    for (image, signal) in both(&["sleep", "1000"])
        .into_iter()
        .chain(both(&["sleep", "1000"]))
        .zip([
            Signal::SIGSTOP,
            Signal::SIGSTOP,
            Signal::SIGTSTP,
            Signal::SIGTTIN,
        ])
    {
        let mut agent = image.start();
        agent.wait_state("UP");
        let command = agent.children()[0];
        kill(Pid::from_raw(command), signal).unwrap();
        until("the command to stop", || is_stopped(command).then_some(()));
        // Nobody asked the agent to stand still, so it is there to be asked to stop.
        let (code, took) = agent.stop();
        assert_eq!(code, 143);
        assert!(took < Duration::from_secs(2), "took {took:?}");
    }
}

#[test]
fn one_that_is_stopped_alone_is_continued_alone() {
    for image in both(&["sleep", "1000"]) {
        let agent = image.start();
        agent.wait_state("UP");
        let command = agent.children()[0];
        for _ in 0..3 {
            kill(Pid::from_raw(command), Signal::SIGSTOP).unwrap();
            until("the command to stop", || is_stopped(command).then_some(()));
            assert_eq!(agent.listen().ask(r#"{"id":1,"type":"cfg"}"#)["ok"], true);
            kill(Pid::from_raw(command), Signal::SIGCONT).unwrap();
            until("it to go on", || (!is_stopped(command)).then_some(()));
        }
    }
}

#[test]
fn a_job_that_is_stopped_stops_with_its_command_and_goes_on_with_it() {
    let agent = Image::foreign()
        .command(&["sleep", "1000"])
        .among_others()
        .start();
    agent.wait_state("UP");
    let command = agent.children()[0];
    for signal in [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU] {
        agent.signal(signal);
        for pid in [command, agent.pid()] {
            until("it to stop", || is_stopped(pid).then_some(()));
        }
        agent.signal(Signal::SIGCONT);
        for pid in [command, agent.pid()] {
            until("it to go on", || (!is_stopped(pid)).then_some(()));
        }
        assert_eq!(agent.listen().ask(r#"{"id":1,"type":"cfg"}"#)["ok"], true);
    }
}

#[test]
fn the_first_process_is_never_stopped_and_its_command_is_and_goes_on() {
    let mut agent = Image::foreign().command(&["sleep", "1000"]).start();
    agent.wait_state("UP");
    let command = agent.children()[0];
    agent.signal(Signal::SIGTSTP);
    until("the command to stop", || is_stopped(command).then_some(()));
    assert_eq!(agent.listen().ask(r#"{"id":1,"type":"cfg"}"#)["ok"], true);
    agent.signal(Signal::SIGCONT);
    until("it to go on", || (!is_stopped(command)).then_some(()));
    assert_eq!(agent.stop().0, 143);
}

#[test]
fn in_the_very_first_moment() {
    // Sent before the agent has run a line of its own; whoever starts it holds it back until then.
    for number in [libc::SIGTERM, libc::SIGUSR1] {
        let before = format!("kill -{number} $$; exec \"$@\"");
        let hold = format!("--block-signal={number}");
        for image in both(&["sleep", "1000"]) {
            let around = ["env", &hold, "sh", "-c", &before, "sh"];
            let mut agent = image.around(&around).start();
            assert_eq!(agent.exit(), 128 + number);
        }
    }
}
