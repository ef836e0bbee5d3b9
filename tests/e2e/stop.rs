//! `docker stop` in every state ends in order, at once, with exit 0.

use std::time::Duration;

use crate::lab::{Guest, Lab, docker, now};
use crate::tree::Tree;

/// Long enough that nobody waits for it by accident: the monitor's pause is 30 s.
const AT_ONCE: Duration = Duration::from_secs(8);

/// Stops it, with so much time that a container that does not go by itself would be noticed.
#[track_caller]
fn stops_at_once(guest: &Guest) {
    let begun = now();
    docker(["stop", "-t", "60", &guest.name]).expect(0);
    let took = begun.elapsed();
    assert!(took < AT_ONCE, "took {took:?}\n{}", guest.output());
    assert_eq!(guest.exit_code(), 0, "{}", guest.output());
}

/// A container whose `hook` hangs, stopped while it does; its log then.
fn stopped_while(lab: &Lab, hook: &str) -> Guest {
    let tree = lab.tree(hook);
    tree.all_scripts().script(hook, "sleep 600");
    let guest = lab.start(hook, &lab.image(&tree), &[], &[]);
    guest.wrote(&format!("+{hook}"), 1);
    stops_at_once(&guest);
    guest
}

fn up(lab: &Lab, tree: &Tree) -> Guest {
    let guest = lab.start("up", &lab.image(tree), &[], &[]);
    guest.reaches("UP");
    guest
}

#[test]
fn in_boot() {
    let lab = Lab::new("stop");
    let guest = stopped_while(&lab, "boot");
    assert_eq!(guest.log(), ["+boot"]);
}

#[test]
fn in_firstboot_which_leaves_no_mark_and_runs_again() {
    let lab = Lab::new("stop");
    let guest = stopped_while(&lab, "firstboot");
    assert_eq!(guest.log(), ["+boot", "-boot", "+firstboot"]);
    assert!(
        !guest.data.join("whaleup").exists(),
        "a mark without a finished firstboot"
    );
    docker(["start", &guest.name]).expect(0);
    guest.wrote("+firstboot", 2);
    stops_at_once(&guest);
}

#[test]
fn in_upgrading() {
    let lab = Lab::new("stop");
    let guest = stopped_while(&lab, "upgrade");
    assert_eq!(
        guest.log(),
        ["+boot", "-boot", "+firstboot", "-firstboot", "+upgrade"]
    );
    assert!(guest.data.join("whaleup").exists());
}

const UP_TO_WARMUP: [&str; 9] = [
    "+boot",
    "-boot",
    "+firstboot",
    "-firstboot",
    "+upgrade",
    "-upgrade",
    "+svcup",
    "-svcup",
    "+warmup",
];

#[test]
fn in_warmup_stops_the_services() {
    let lab = Lab::new("stop");
    let guest = stopped_while(&lab, "warmup");
    assert_eq!(
        guest.log(),
        [&UP_TO_WARMUP[..], &["+svcdown", "-svcdown"]].concat()
    );
}

#[test]
fn in_the_pause_between_two_checks() {
    let lab = Lab::new("stop");
    let tree = lab.tree("up");
    tree.all_scripts().script("monitor", "echo '{}'");
    let guest = up(&lab, &tree);
    stops_at_once(&guest);
    assert_eq!(
        guest.log(),
        [&UP_TO_WARMUP[..], &["-warmup", "+svcdown", "-svcdown"]].concat()
    );
}

#[test]
fn while_a_check_runs() {
    let lab = Lab::new("stop");
    let tree = lab.tree("up");
    tree.all_scripts()
        .script("monitor", "sleep 600")
        .defaults(r#"{"ww":{"monitor":{"interval":"100ms","timeout":"10m"}}}"#);
    let guest = up(&lab, &tree);
    guest.wrote("+monitor", 1);
    stops_at_once(&guest);
    let log = guest.log();
    assert_eq!(log[log.len() - 3..], ["+monitor", "+svcdown", "-svcdown"]);
}

#[test]
fn while_restarting_in_svcdown_runs_it_once() {
    let lab = Lab::new("stop");
    let tree = lab.tree("up");
    tree.all_scripts()
        .script("svcdown", "while [ ! -e /data/go ]; do sleep 0.05; done");
    let guest = up(&lab, &tree);
    docker(["kill", "-s", "HUP", &guest.name]).expect(0);
    guest.wrote("+svcdown", 1);
    let stopping = std::thread::spawn({
        let guest = guest.clone();
        move || stops_at_once(&guest)
    });
    // It is told of the stop while svcdown runs, and waits for it all the same.
    crate::lab::until("STOPPED in its output", || {
        guest.output().contains("LIFECYCLE: STOPPED").then_some(())
    });
    std::fs::write(guest.data.join("go"), "").expect("a file");
    stopping.join().expect("the stop");
    let log = guest.log();
    assert_eq!(log[log.len() - 3..], ["-warmup", "+svcdown", "-svcdown"]);
}

#[test]
fn while_restarting_in_svcup_undoes_it() {
    let lab = Lab::new("stop");
    let tree = lab.tree("up");
    tree.all_scripts().script(
        "svcup",
        "[ -e /data/second ] && sleep 600; touch /data/second",
    );
    let guest = up(&lab, &tree);
    docker(["kill", "-s", "HUP", &guest.name]).expect(0);
    guest.wrote("+svcup", 2);
    stops_at_once(&guest);
    let log = guest.log();
    assert_eq!(
        log[log.len() - 5..],
        ["+svcdown", "-svcdown", "+svcup", "+svcdown", "-svcdown"]
    );
}

#[test]
fn nothing_is_left_and_what_escaped_is_told_too() {
    let lab = Lab::new("stop");
    let tree = lab.tree("up");
    tree.all_scripts().script(
        "svcup",
        "setsid sh -c 'trap \"echo escaped was told >> /data/log; exit\" TERM; echo escaped >> /data/log; while true; do sleep 0.1; done' &\n\
         setsid setsid sh -c 'trap \"\" TERM; echo deaf >> /data/log; while true; do sleep 0.1; done' &",
    )
    .defaults(r#"{"ww":{"stop":{"grace":"1s"}}}"#);
    let guest = up(&lab, &tree);
    guest.wrote("escaped", 1);
    guest.wrote("deaf", 1);
    stops_at_once(&guest);
    let log = guest.log();
    assert_eq!(
        log[log.len() - 3..],
        ["+svcdown", "-svcdown", "escaped was told"]
    );
}

#[test]
fn a_failing_firstboot_is_an_error_and_leaves_no_mark() {
    let lab = Lab::new("stop");
    let tree = lab.tree("broken");
    tree.all_scripts()
        .script("firstboot", "echo 'no such schema' >&2; exit 3");
    let guest = lab.start("broken", &lab.image(&tree), &[], &[]);
    assert_eq!(guest.exit_code(), 1);
    assert!(!guest.data.join("whaleup").exists());
    assert_eq!(guest.log(), ["+boot", "-boot", "+firstboot"]);
    let output = guest.output();
    for word in [
        "LIFECYCLE: ERROR",
        "firstboot exited 3",
        "no such schema",
        "runs again",
    ] {
        assert!(output.contains(word), "{word:?} is not in\n{output}");
    }
}
