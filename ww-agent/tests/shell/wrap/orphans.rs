//! What the command leaves behind is reaped while it runs, and ended when it has.

use std::time::Duration;

use super::shell;
use crate::harness::{now, until};

#[test]
fn a_hundred_orphans_are_reaped_while_it_runs() {
    let program = "i=0; while [ $i -lt 100 ]; do (sh -c 'exit 3' &); i=$((i+1)); done; \
                   echo spawned >> $LOG; exec sleep 1000";
    for image in shell(program) {
        let mut agent = image.start();
        agent.wait_log("spawned", 1);
        // The command alone is left, and nobody waits to be reaped.
        until("all to be reaped", || {
            (agent.children().len() == 1).then_some(())
        });
        assert_eq!(agent.stop().0, 143);
        assert_eq!(agent.stderr(), "");
    }
}

#[test]
fn its_status_is_not_lost_among_those_of_a_thousand_others() {
    let program = "i=0; while [ $i -lt 500 ]; do (sh -c 'exit 3' &); (sh -c 'kill -9 $$' &); \
                   i=$((i+1)); done; exit 7";
    for image in shell(program) {
        let mut agent = image.start();
        assert_eq!(agent.exit(), 7);
        assert_eq!(agent.stderr(), "");
    }
}

#[test]
fn what_it_leaves_behind_is_told_to_end_once_and_waited_for() {
    // In its own session, so that it is found only by the sweep at the end; and in the command's group.
    let orphan = "trap 'echo term-NAME >> $LOG' TERM; echo ready >> $LOG; \
                  until [ -e $ROOT/go ]; do sleep 0.01; done; echo gone >> $LOG";
    let program = "setsid sh $ROOT/session & sh $ROOT/group & \
                   until [ $(grep -c ready $LOG) = 2 ]; do sleep 0.01; done; exit 5";
    for image in shell(program) {
        let mut agent = image
            .file(
                "session",
                orphan.replace("NAME", "session").as_bytes(),
                0o644,
            )
            .file("group", orphan.replace("NAME", "group").as_bytes(), 0o644)
            .file("log", b"", 0o644)
            .start();
        agent.wait_log("term-group", 1);
        std::fs::write(agent.path("go"), "").unwrap();
        assert_eq!(agent.exit(), 5);
        let log = agent.log();
        let count = |line: &str| log.iter().filter(|seen| *seen == line).count();
        assert_eq!(count("term-group"), 1, "{log:?}");
        assert!(count("term-session") <= 1, "{log:?}");
        assert_eq!(count("gone"), 2, "{log:?}");
    }
}

#[test]
fn what_does_not_hear_is_killed_after_the_grace() {
    let program = "setsid sh $ROOT/deaf & until [ -e $LOG ]; do sleep 0.01; done; exit 6";
    let deaf = b"trap '' TERM; echo $$ >> $LOG; while :; do sleep 0.05; done";
    for image in shell(program) {
        let mut agent = image
            .file("deaf", deaf, 0o644)
            .cfg(r#"{"ww":{"stop":{"grace":"300ms"}}}"#)
            .start();
        until("the orphan", || (!agent.log().is_empty()).then_some(()));
        let began = now();
        assert_eq!(agent.exit(), 6);
        assert!(now() - began < Duration::from_secs(4));
        // Its parent has gone, so it is nobody's but the system's; its file tells whose it was.
        let mark = agent.path("deaf");
        let of_ours = |pid: &str| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let words = line.split(|byte| *byte == 0);
            words
                .into_iter()
                .any(|word| word == mark.as_os_str().as_encoded_bytes())
        };
        let left = std::fs::read_dir("/proc").unwrap().flatten();
        let left = left.filter(|entry| of_ours(&entry.file_name().to_string_lossy()));
        assert_eq!(left.count(), 0);
        assert!(
            agent.stderr().contains("killing them"),
            "{}",
            agent.stderr()
        );
    }
}
