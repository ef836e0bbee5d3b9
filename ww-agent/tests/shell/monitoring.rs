//! Checks: what they print, how long they may take, where their numbers go.

use crate::harness::{Image, until};

const OFTEN: &str = r#"{"ww":{"monitor":{"interval":"20ms","timeout":"200ms"}}}"#;

fn monitor(body: &str) -> Image {
    let text = format!("#!/bin/sh\n{body}\n");
    Image::new()
        .file("ww/usr/monitor", text.as_bytes(), 0o755)
        .cfg(OFTEN)
}

#[test]
fn one_that_prints_nothing_passes() {
    let agent = monitor("exit 0").start();
    let mut listener = agent.listen();
    let report = listener.line("monitor");
    assert_eq!(report["exit"], 0);
    assert!(report.get("value").is_none() && report.get("text").is_none());
    assert_eq!(listener.line("health")["status"], "passing");
}

#[test]
fn one_that_does_not_print_json_passes_and_is_shown_as_text() {
    let agent = monitor("echo all is well").start();
    let mut listener = agent.listen();
    assert_eq!(listener.line("monitor")["text"], "all is well");
    assert_eq!(listener.line("health")["status"], "passing");
}

#[test]
fn one_that_prints_without_end_is_cut_in_what_is_kept_only() {
    let agent = monitor("head -c 3000000 /dev/zero | tr '\\0' x; exit 0").start();
    let report = agent.listen().line("monitor");
    assert_eq!(report["exit"], 0);
    assert_eq!(report["truncated"], true);
    assert!(report["text"].as_str().unwrap().len() <= 16 * 1024);
}

#[test]
fn one_that_hangs_is_killed_and_leads_to_a_restart() {
    let agent = monitor("trap '' TERM; sleep 1000").start();
    let mut listener = agent.listen();
    assert_eq!(
        listener.change("RESTARTING")["cause"],
        "monitor was cut after 200ms"
    );
}

#[test]
fn one_that_is_killed_takes_all_of_its_group_with_it() {
    let agent = monitor("sleep 4713 & sleep 4713 & wait").start();
    let mut listener = agent.listen();
    listener.change("RESTARTING");
    until("the rest of the check to be gone", || {
        agent.others().is_empty().then_some(())
    });
}

#[test]
fn one_that_prints_what_is_no_text_passes() {
    let agent = monitor("head -c 200000 /dev/urandom; printf '\\000\\377\\n'").start();
    let mut listener = agent.listen();
    let report = listener.line("monitor");
    assert_eq!(
        (&report["exit"], &report["truncated"]),
        (&0.into(), &true.into())
    );
    assert!(report["text"].as_str().is_some());
    assert_eq!(listener.line("health")["status"], "passing");
}

#[test]
fn there_are_never_two_at_once_however_often_one_is_asked_for() {
    let body = "mkdir $ROOT/lock || echo twice >> $LOG; sleep 0.05; rmdir $ROOT/lock; echo {}";
    let agent = monitor(body).start();
    let mut listener = agent.listen();
    listener.state("UP");
    for id in 0..20 {
        listener.write(format!("{{\"id\":{id},\"type\":\"check\"}}\n").as_bytes());
    }
    for _ in 0..20 {
        assert_eq!(listener.line("answer")["ok"], true);
    }
    assert!(!agent.log().contains(&"twice".to_owned()));
}

#[test]
fn its_json_is_pushed_on_as_one_argument() {
    let agent = monitor("echo '{\"queries\": 17, \"name\": \"a b\"}'")
        .script("pushstats", "echo \"$#:$1\" >> $LOG")
        .start();
    agent.wait_log("1:{\"queries\": 17, \"name\": \"a b\"}", 2);
}

#[test]
fn a_slow_receiver_of_numbers_does_not_hold_up_the_checks() {
    let agent = monitor("echo 1")
        .script("pushstats", "exec sleep 1000")
        .start();
    agent.wait_log("pushstats", 1);
    let mut listener = agent.listen();
    for _ in 0..5 {
        listener.line("monitor");
    }
    assert_eq!(
        agent
            .log()
            .iter()
            .filter(|line| *line == "pushstats")
            .count(),
        1
    );
}

#[test]
fn states_are_told_to_the_lifecycle_script_in_order() {
    let mut agent = Image::bare()
        .script("lifecycle", "echo \"= $1\" >> $LOG")
        .start();
    agent.wait_log("= UP", 1);
    assert_eq!(agent.stop().0, 0);
    let told: Vec<_> = agent
        .log()
        .into_iter()
        .filter(|line| line.starts_with('='))
        .collect();
    assert_eq!(
        told.join(" "),
        "= BOOT = FIRSTBOOT = UPGRADING = WARMUP = UP = STOPPED"
    );
    assert!(!agent.stdout().contains("LIFECYCLE"));
}

#[test]
fn a_lifecycle_script_that_hangs_holds_up_neither_the_start_nor_the_stop() {
    let mut agent = Image::new().script("lifecycle", "exec sleep 1000").start();
    agent.wait_state("UP");
    let (code, took) = agent.stop();
    assert_eq!(code, 0);
    assert!(took < std::time::Duration::from_secs(4), "took {took:?}");
}

#[test]
fn a_lifecycle_script_has_its_time_and_no_more() {
    let agent = Image::bare()
        .script(
            "lifecycle",
            "echo \"= $1\" >> $LOG; [ $1 = BOOT ] && exec sleep 1000; exit 0",
        )
        .cfg(r#"{"ww":{"hooks":{"lifecycle":{"timeout":"100ms"}}}}"#)
        .start();
    agent.wait_log("= UP", 1);
    agent.wait_stderr("lifecycle was cut after 100ms");
}

#[test]
fn one_that_hangs_costs_its_time_once_and_hears_the_newest_state_next() {
    let agent = Image::bare()
        .script(
            "lifecycle",
            "echo \"= $1\" >> $LOG; [ $1 = BOOT ] || exit 0; touch $LOG.told; exec sleep 1000",
        )
        .script("warmup", "until [ -e $LOG.told ]; do sleep 0.01; done")
        .cfg(r#"{"ww":{"hooks":{"lifecycle":{"timeout":"8s"}}}}"#)
        .start();
    agent.wait_log("= UP", 1);
    let told = agent.log();
    let told: Vec<_> = told.iter().filter(|line| line.starts_with('=')).collect();
    assert_eq!(told, ["= BOOT", "= UP"]);
    agent.wait_stderr(
        "the lifecycle script is too slow: FIRSTBOOT, UPGRADING, WARMUP not told to it (3 in all)",
    );
}
