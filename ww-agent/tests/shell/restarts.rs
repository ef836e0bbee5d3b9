//! Restarts: asked for or needed, never two at once, never a storm.

use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::harness::{Image, until};

#[test]
fn a_hup_leads_through_restarting_to_up() {
    let mut agent = Image::new().start();
    let mut listener = agent.listen();
    listener.state("UP");
    agent.signal(Signal::SIGHUP);
    assert_eq!(listener.change("RESTARTING")["cause"], "SIGHUP");
    assert_eq!(listener.change("UP")["from"], "RESTARTING");
    assert_eq!(
        agent.log().join(" "),
        "boot firstboot upgrade svcup warmup svcdown svcup"
    );
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn ten_hups_at_once_give_at_most_two_restarts() {
    let mut agent = Image::new()
        .script("svcup", "sleep 0.2")
        .script("svcdown", "sleep 0.1")
        .start();
    let mut listener = agent.listen();
    listener.state("UP");
    for _ in 0..10 {
        agent.signal(Signal::SIGHUP);
    }
    listener.change("RESTARTING");
    listener.change("UP");
    // A check is refused as long as a further restart is under way.
    until("the last restart to be done", || {
        let answer = listener.ask(r#"{"id":1,"type":"check"}"#);
        (answer["error"]["message"] != "it is not UP").then_some(())
    });
    assert_eq!(agent.stop().0, 0);
    let restarts = agent.stderr().matches("-> RESTARTING").count();
    assert!((1..=2).contains(&restarts), "{restarts} restarts");
}

#[test]
fn what_the_services_left_in_their_group_is_gone_before_they_start_again() {
    let svcup = "echo alive: $(cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep[ ]4711') \
                 >> $LOG; sleep 4711 &";
    let mut agent = Image::new()
        .script("svcup", svcup)
        .cfg(r#"{"ww":{"stop":{"grace":"100ms"}}}"#)
        .start();
    let mut listener = agent.listen();
    listener.state("UP");
    agent.signal(Signal::SIGHUP);
    listener.change("UP");
    let alive: Vec<String> = agent
        .log()
        .into_iter()
        .filter(|line| line.starts_with("alive"))
        .collect();
    assert_eq!(alive, ["alive: 0", "alive: 0"]);
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn a_failing_check_leads_to_a_restart_with_its_cause_and_in_the_end_to_an_error() {
    let mut agent = Image::new()
        .script("monitor", "exit 3")
        .cfg(r#"{"ww":{"monitor":{"interval":"10ms"},"restart":{"max":2,"backoff":"10ms"}}}"#)
        .start();
    let mut listener = agent.listen();
    let report = listener.change("RESTARTING");
    assert_eq!(report["cause"], "monitor exited 3");
    assert_eq!(agent.exit(), 1);
    let stderr = agent.stderr();
    assert_eq!(stderr.matches("-> RESTARTING").count(), 2, "{stderr}");
    assert!(stderr.contains("UP -> ERROR"), "{stderr}");
}

#[test]
fn a_failing_svcdown_stops_neither_a_restart_nor_a_stop() {
    let mut agent = Image::new().script("svcdown", "exit 9").start();
    let mut listener = agent.listen();
    listener.state("UP");
    agent.signal(Signal::SIGHUP);
    listener.change("UP");
    assert_eq!(agent.stop().0, 0);
    assert!(agent.stderr().contains("svcdown exited 9"));
}

#[test]
fn what_svcdown_still_does_is_done_before_the_services_come_back() {
    let agent = Image::new()
        .script("svcdown", "(sleep 0.5; echo stopped >> \"$LOG\") & exit 0")
        .start();
    agent.wait_state("UP");
    agent.signal(Signal::SIGHUP);
    agent.wait_log("svcup", 2);
    assert_eq!(
        agent.log().join(" "),
        "boot firstboot upgrade svcup warmup svcdown stopped svcup"
    );
}

#[test]
fn a_group_whose_number_is_somebody_elses_by_now_is_left_alone() {
    let mut agent = Image::new()
        .script("svcup", "echo $$ > $ROOT/group; sleep 0.2 &")
        .cfg(r#"{"ww":{"stop":{"grace":"100ms"}}}"#)
        .start();
    let mut listener = agent.listen();
    listener.state("UP");
    let group = std::fs::read_to_string(agent.path("group")).unwrap();
    let group: i32 = group.trim().parse().unwrap();
    until("the group to be empty", || {
        agent.others().is_empty().then_some(())
    });
    // The next process of the name space gets the number of the group; it has come in from outside.
    let script = format!(
        "echo {} > /proc/sys/kernel/ns_last_pid; setsid sh -c 'echo $$ > {}; exec sleep 1000' &",
        group - 1,
        agent.path("stranger").display(),
    );
    let entered = Command::new("nsenter")
        .args([
            "-t",
            &agent.pid().to_string(),
            "-p",
            "-m",
            "--",
            "sh",
            "-c",
            &script,
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(entered.success());
    let stranger = until("the stranger", || {
        let text = std::fs::read_to_string(agent.path("stranger")).ok()?;
        text.trim().parse::<i32>().ok()
    });
    assert_eq!(stranger, group, "the number was not had");
    agent.signal(Signal::SIGHUP);
    listener.change("RESTARTING");
    listener.change("UP");
    let alive = agent.others().into_iter().any(|(pid, state)| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let own = format!("\t{group}");
        state == 'S'
            && status
                .lines()
                .any(|line| line.starts_with("NSpid:") && line.ends_with(&own))
    });
    assert!(alive, "a process that came in from outside was ended");
    assert_eq!(agent.stop().0, 0);
}
