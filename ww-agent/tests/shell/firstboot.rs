//! `firstboot` runs until it has succeeded once, and the mark says so.

use crate::harness::Image;

#[test]
fn one_that_fails_is_an_error_and_leaves_no_mark() {
    let mut agent = Image::new().script("firstboot", "exit 7").start();
    assert_eq!(agent.exit(), 1);
    assert!(!agent.is_marked());
    assert_eq!(agent.log(), ["boot", "firstboot"]);
    let stderr = agent.stderr();
    assert!(stderr.contains("FIRSTBOOT -> ERROR"), "{stderr}");
    assert!(stderr.contains("firstboot exited 7"), "{stderr}");
    assert!(stderr.contains("runs again"), "{stderr}");
    assert!(agent.stdout().contains("= LIFECYCLE: ERROR"));
}

#[test]
fn one_that_succeeded_does_not_run_again() {
    let mut agent = Image::new().file("data/whaleup", b"", 0o644).start();
    agent.wait_state("UP");
    assert_eq!(agent.stop().0, 0);
    assert_eq!(agent.log().join(" "), "boot upgrade svcup warmup svcdown");
}

#[test]
fn a_failure_that_is_tolerated_is_marked_and_told() {
    let mut agent = Image::new()
        .script("firstboot", "exit 7")
        .cfg(r#"{"ww":{"hooks":{"on_failure":"continue"}}}"#)
        .start();
    agent.wait_state("UP");
    assert!(agent.is_marked());
    let snapshot = agent.listen().line("snapshot");
    assert_eq!(snapshot["hooks"][1]["hook"], "firstboot");
    assert_eq!(snapshot["hooks"][1]["result"], "tolerated");
    assert_eq!(snapshot["hooks"][1]["exit"], 7);
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn a_later_failure_ends_what_was_started() {
    let mut agent = Image::new().script("warmup", "exit 1").start();
    assert_eq!(agent.exit(), 1);
    assert_eq!(
        agent.log().join(" "),
        "boot firstboot upgrade svcup warmup svcdown"
    );
    assert!(agent.is_marked());
}

#[test]
fn one_that_takes_too_long_is_cut() {
    let mut agent = Image::new()
        .script("firstboot", "exec sleep 1000")
        .cfg(r#"{"ww":{"hooks":{"firstboot":{"timeout":"100ms"}}}}"#)
        .start();
    assert_eq!(agent.exit(), 1);
    assert!(!agent.is_marked());
    let stderr = agent.stderr();
    assert!(stderr.contains("firstboot was cut after 100ms"), "{stderr}");
}
