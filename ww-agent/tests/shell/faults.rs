//! A fault of the agent itself ends in order where that can still be done, with a code of its own,
//! and its cause is left where orchestrators look for it.
//!
//! The fault is one that builds with debug assertions can be asked for; what is shipped cannot.

use crate::harness::{Agent, Image};

const FAULT: &str = "WW_TEST_FAULT";
const LEFT: &str = "dev/termination-log";

fn left_by(agent: &Agent) -> String {
    std::fs::read_to_string(agent.path(LEFT)).unwrap()
}

#[test]
fn a_fault_stops_the_services_in_order_with_70_and_tells_no_secret() {
    let mut agent = Image::new()
        .script("svcup", "setsid sleep 1000 &")
        .file(LEFT, b"what an earlier end has left", 0o644)
        .variable(FAULT, "UP")
        .start();
    assert_eq!(agent.exit(), 70);
    assert_eq!(
        agent.log().join(" "),
        "boot firstboot upgrade svcup warmup svcdown"
    );
    let (stderr, left) = (agent.stderr(), left_by(&agent));
    for told in [&stderr, &left] {
        assert!(told.contains("the agent itself met a fault at"), "{told}");
        assert!(told.contains("emergency.rs:"), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
    assert!(!stderr.contains("cannot stop in order"), "{stderr}");
    assert!(stderr.contains("UP -> ERROR"), "{stderr}");
}

#[test]
fn a_fault_before_anything_was_started_runs_no_svcdown() {
    let mut agent = Image::new().variable(FAULT, "BOOT").start();
    assert_eq!(agent.exit(), 70);
    assert!(!agent.log().contains(&"svcdown".to_owned()));
}

#[test]
fn a_fault_in_the_stop_after_a_fault_still_ends_everything_with_70() {
    // The state that follows a fault is ERROR: the agent meets another one on its way there.
    let mut agent = Image::new()
        .script("svcup", "setsid sleep 1000 &")
        .script("warmup", "exit 3")
        .variable(FAULT, "ERROR")
        .cfg(r#"{"ww":{"stop":{"grace":"200ms"}}}"#)
        .start();
    assert_eq!(agent.exit(), 70);
    assert!(agent.stderr().contains("the agent itself met a fault at"));
}

#[test]
fn the_cause_of_an_error_is_left_and_bounded() {
    let mut agent = Image::new()
        .script("upgrade", "exit 3")
        .file(LEFT, b"", 0o644)
        .start();
    assert_eq!(agent.exit(), 1);
    assert_eq!(left_by(&agent), "upgrade exited 3");
    let long = format!("{{\"ww\":{{\"{}\":1}}}}", "x".repeat(20_000));
    let mut agent = Image::new().file(LEFT, b"", 0o644).cfg(&long).start();
    assert_eq!(agent.exit(), 78);
    let left = left_by(&agent);
    assert!(left.contains("xxx") && left.len() <= 4096, "{}", left.len());
}

#[test]
fn nothing_is_left_where_nobody_asks_for_it_or_after_a_stop() {
    let mut agent = Image::new().script("upgrade", "exit 3").start();
    assert_eq!(agent.exit(), 1);
    assert!(!agent.path(LEFT).exists());
    let mut agent = Image::new().file(LEFT, b"as it was", 0o644).start();
    agent.wait_state("UP");
    assert_eq!(agent.stop().0, 0);
    assert_eq!(left_by(&agent), "as it was");
}
