//! A stop ends in order, at once, with 0, whatever was going on.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::{Agent, Image};

/// Far below the 30 seconds a monitor's pause took the shell original.
const PROMPT: Duration = Duration::from_secs(4);
const HOLD: &str = "exec sleep 1000";

fn stops_in_order(agent: &mut Agent, expected: &str) {
    let (code, took) = agent.stop();
    assert_eq!(code, 0);
    assert!(took < PROMPT, "took {took:?}");
    assert_eq!(agent.log().join(" "), expected);
    assert!(agent.stderr().contains("STOPPED"), "{}", agent.stderr());
    assert!(agent.stdout().contains("= LIFECYCLE: STOPPED"));
}

fn held_in(script: &str, expected: &str) -> Agent {
    let mut agent = Image::new().script(script, HOLD).start();
    agent.wait_log(script, 1);
    stops_in_order(&mut agent, expected);
    agent
}

#[test]
fn in_boot() {
    let agent = held_in("boot", "boot");
    assert!(!agent.is_marked());
}

#[test]
fn in_firstboot_which_leaves_no_mark() {
    let agent = held_in("firstboot", "boot firstboot");
    assert!(!agent.is_marked());
    assert!(agent.stderr().contains("runs again"), "{}", agent.stderr());
}

#[test]
fn in_upgrading() {
    let agent = held_in("upgrade", "boot firstboot upgrade");
    assert!(agent.is_marked());
}

#[test]
fn in_svcup() {
    held_in("svcup", "boot firstboot upgrade svcup svcdown");
}

#[test]
fn in_warmup() {
    held_in("warmup", "boot firstboot upgrade svcup warmup svcdown");
}

#[test]
fn when_up_between_two_checks() {
    let mut agent = Image::new()
        .file("ww/usr/monitor", b"#!/bin/sh\nexit 0\n", 0o755)
        .cfg(r#"{"ww":{"monitor":{"interval":"50ms"}}}"#)
        .start();
    agent.listen().line("health");
    stops_in_order(&mut agent, "boot firstboot upgrade svcup warmup svcdown");
}

#[test]
fn when_up_while_a_check_runs() {
    let mut agent = Image::new()
        .script("monitor", HOLD)
        .cfg(r#"{"ww":{"monitor":{"interval":"10ms"}}}"#)
        .start();
    agent.wait_log("monitor", 1);
    stops_in_order(
        &mut agent,
        "boot firstboot upgrade svcup warmup monitor svcdown",
    );
}

#[test]
fn in_restarting() {
    let body = "[ $WW_STATE = RESTARTING ] && exec sleep 1000";
    let mut agent = Image::new()
        .script("svcup", &format!("{body}; true"))
        .start();
    agent.wait_state("UP");
    agent.signal(Signal::SIGHUP);
    agent.wait_log("svcup", 2);
    stops_in_order(
        &mut agent,
        "boot firstboot upgrade svcup warmup svcdown svcup svcdown",
    );
}

#[test]
fn in_the_pause_before_a_restart() {
    let mut agent = Image::new()
        .script("monitor", "exit 3")
        .cfg(r#"{"ww":{"monitor":{"interval":"10ms"},"restart":{"backoff":"1h","backoff_max":"1h"}}}"#)
        .start();
    agent.wait_log("svcdown", 1);
    let (code, took) = agent.stop();
    assert_eq!(code, 0);
    assert!(took < PROMPT, "took {took:?}");
    assert!(!agent.log().join(" ").contains("svcdown svcup"));
}

#[test]
fn every_signal_that_means_stop_does() {
    for signal in [Signal::SIGINT, Signal::SIGQUIT] {
        let mut agent = Image::new().start();
        agent.wait_state("UP");
        agent.signal(Signal::SIGUSR1);
        agent.wait_stderr("SIGUSR1 is ignored");
        agent.signal(signal);
        assert_eq!(agent.exit(), 0);
        assert!(agent.stderr().contains(signal.as_str()));
    }
}

#[test]
fn a_daemon_that_left_its_session_and_does_not_hear_is_ended() {
    let daemon = "trap '' TERM; echo $$ > $ROOT/daemon; while :; do sleep 1; done";
    let mut agent = Image::new()
        .script(
            "svcup",
            &format!("setsid sh -c '{}' &", daemon.replace('\'', "'\\''")),
        )
        .cfg(r#"{"ww":{"stop":{"grace":"200ms"}}}"#)
        .start();
    agent.wait_state("UP");
    let path = agent.path("daemon");
    crate::harness::until("the daemon", || {
        std::fs::read_to_string(&path)
            .ok()
            .filter(|pid| !pid.is_empty())
    });
    let others: Vec<i32> = agent.others().iter().map(|(pid, _)| *pid).collect();
    assert!(!others.is_empty());
    let (code, took) = agent.stop();
    assert_eq!(code, 0);
    assert!(took < PROMPT, "took {took:?}");
    assert!(
        agent.stderr().contains("killing them"),
        "{}",
        agent.stderr()
    );
    for pid in others {
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }
}

#[test]
fn a_daemon_that_hears_ends_the_wait_at_once() {
    let mut agent = Image::new()
        .script("svcup", "setsid sleep 1000 &")
        .cfg(r#"{"ww":{"stop":{"grace":"1h"}}}"#)
        .start();
    agent.wait_state("UP");
    let (code, took) = agent.stop();
    assert_eq!(code, 0);
    assert!(took < PROMPT, "took {took:?}");
}

#[test]
fn a_second_signal_shortens_the_grace() {
    let mut agent = Image::new()
        .script(
            "boot",
            "trap 'echo told >> $LOG' TERM; while :; do sleep 0.1; done",
        )
        .cfg(r#"{"ww":{"stop":{"grace":"1h"}}}"#)
        .start();
    agent.wait_log("boot", 1);
    agent.signal(Signal::SIGTERM);
    agent.wait_log("told", 1);
    let (code, took) = agent.stop();
    assert_eq!(code, 0);
    assert!(took < PROMPT, "took {took:?}");
    assert_eq!(agent.log(), ["boot", "told"]);
}

#[test]
fn in_the_very_first_moment() {
    // The signal is there before the agent is: it must neither end it nor be lost.
    let program = "use POSIX; POSIX::sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGTERM)); \
                   kill TERM => $$; exec @ARGV";
    let mut agent = Image::new().around(&["perl", "-e", program]).start();
    assert_eq!(agent.exit(), 0);
    assert!(agent.stderr().contains("SIGTERM"), "{}", agent.stderr());
    assert!(!agent.log().contains(&"svcup".to_owned()));
}

#[test]
fn svcdown_has_all_the_time_it_needs_and_a_second_signal_does_not_cut_it() {
    let mut agent = Image::new()
        .script(
            "svcdown",
            "while [ ! -e $ROOT/go ]; do sleep 0.02; done; echo flushed >> $LOG",
        )
        .cfg(r#"{"ww":{"stop":{"grace":"10ms"}}}"#)
        .start();
    agent.wait_state("UP");
    agent.signal(Signal::SIGTERM);
    agent.wait_log("svcdown", 1);
    agent.signal(Signal::SIGTERM);
    agent.wait_stderr("SIGTERM again");
    // Far longer than the grace, and than what is left of it after a second signal.
    std::thread::sleep(Duration::from_secs(1));
    std::fs::write(agent.path("go"), "").unwrap();
    assert_eq!(agent.exit(), 0);
    assert_eq!(agent.log().last().unwrap(), "flushed");
}

#[test]
fn a_signal_nobody_follows_changes_nothing() {
    let mut agent = Image::new().start();
    agent.wait_state("UP");
    for signal in [
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGALRM,
        Signal::SIGPIPE,
        Signal::SIGTTIN,
        Signal::SIGTTOU,
        Signal::SIGTSTP,
        Signal::SIGWINCH,
        Signal::SIGURG,
    ] {
        agent.signal(signal);
    }
    agent.wait_stderr("SIGALRM is ignored");
    assert_eq!(agent.listen().line("snapshot")["restarts"]["total"], 0);
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn what_svcdown_left_to_do_is_asked_to_end_and_has_the_grace_for_it() {
    let mut agent = Image::new()
        .script(
            "svcdown",
            "(sleep 1000 & trap 'sleep 0.3; echo finished >> $LOG; exit' TERM; echo begun >> $LOG; wait) &
             until grep -q begun $LOG; do sleep 0.01; done",
        )
        .cfg(r#"{"ww":{"stop":{"grace":"1h"}}}"#)
        .start();
    agent.wait_state("UP");
    stops_in_order(
        &mut agent,
        "boot firstboot upgrade svcup warmup svcdown begun finished",
    );
}

#[test]
fn telling_of_the_stop_has_a_second_and_goes_on_beside_svcdown() {
    // Slower than the second, but done before `svcdown` is: nobody cuts it.
    let mut agent = Image::new()
        .script(
            "lifecycle",
            "[ $1 = STOPPED ] || exit 0; sleep 1.3; echo told >> $LOG",
        )
        .script("svcdown", "until grep -q told $LOG; do sleep 0.01; done")
        .start();
    agent.wait_state("UP");
    let (code, took) = agent.stop();
    assert_eq!(code, 0);
    assert!(took < PROMPT, "took {took:?}");
    let log = agent.log().join(" ");
    assert!(log.ends_with("svcdown told"), "{log}");
}

#[test]
fn telling_of_the_stop_is_asked_to_end_with_the_rest_when_svcdown_is_over() {
    let mut agent = Image::new()
        .script(
            "lifecycle",
            "[ $1 = STOPPED ] || exit 0
             sleep 1000 & trap 'echo cut >> $LOG; exit 1' TERM; wait",
        )
        .start();
    agent.wait_state("UP");
    let (code, took) = agent.stop();
    assert_eq!(code, 0);
    assert!(took < PROMPT, "took {took:?}");
    let log = agent.log().join(" ");
    assert!(log.ends_with("lifecycle svcdown cut"), "{log}");
}
