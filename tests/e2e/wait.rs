//! `wait`: one deadline, an early end when it can no longer come, laggards by name.

use crate::lab::{Guest, Lab, now, ww_ctl};
use std::time::Duration;

/// Three that are UP, one of which has a check that fails.
fn three(lab: &Lab) -> Vec<Guest> {
    let tree = lab.tree("app");
    tree.all_scripts()
        .script("boot", "while [ -e /data/slow ]; do sleep 0.1; done")
        .script("monitor", "[ -e /data/sick ] && exit 1; true")
        .defaults(r#"{"ww":{"monitor":{"interval":"100ms","failures":1000}}}"#);
    let image = lab.image(&tree);
    let start = |what: &str| {
        let data = lab.directory(&format!("data-{what}"));
        if what == "slow" || what == "sick" {
            std::fs::write(data.join(what), "").expect("a file");
        }
        lab.start(what, &image, &[], &[])
    };
    ["well", "sick", "slow"].map(start).to_vec()
}

#[test]
fn laggards_are_named_and_an_end_that_cannot_come_is_told_at_once() {
    let lab = Lab::new("wait");
    let guests = three(&lab);
    let [well, sick, slow] = guests.as_slice() else {
        panic!("three");
    };
    well.reaches("healthy");
    sick.reaches("UP");
    slow.reaches("BOOT");
    let all = lab.named("*");

    // All of them have the same time: the first of them takes all of it.
    let begun = now();
    let ran = ww_ctl(["wait", &all, "--for", "healthy", "--timeout", "2s"]).expect(4);
    assert!(begun.elapsed() < Duration::from_secs(4), "{ran:?}");
    let ran = ran.says(&[
        &format!("{}: not healthy after 2s, still UP", sick.name),
        "failing: monitor exited 1",
        &format!("{}: not healthy after 2s, still BOOT", slow.name),
    ]);
    assert!(!ran.stderr.contains(&well.name), "{ran:?}");
    assert!(
        ran.stdout.contains(&format!("{} is UP", well.name)),
        "{ran:?}"
    );

    // States and health are known before filters are asked.
    for (filter, name) in [
        ("state=UP", "well"),
        ("health=failing", "sick"),
        ("state=BOOT", "slow"),
    ] {
        let ran = ww_ctl(["wait", &all, "--filter", filter, "--for", "DOCKERUP"]).expect(1);
        assert!(ran.stderr.contains(&lab.named(name)), "{filter}: {ran:?}");
    }

    // A stop cannot lead to UP, and nobody waits for what is over.
    slow.reaches("BOOT");
    let begun = now();
    ww_ctl([
        "wait",
        &slow.name,
        &well.name,
        "--for",
        "BOOT",
        "--timeout",
        "30s",
    ])
    .expect(1)
    .says(&[&format!("{}: it is UP already", well.name)]);
    ww_ctl(["stop", &well.name]).expect(0);
    ww_ctl(["wait", &all, "--for", "healthy", "--timeout", "30s"])
        .expect(1)
        .says(&[&format!("{}: it is down: exited 0", well.name)]);
    ww_ctl(["wait", &well.name, "--for", "DOCKERDOWN"]).expect(0);
    assert!(begun.elapsed() < Duration::from_secs(25), "it was waited");
}

#[test]
fn none_that_match_is_three() {
    let lab = Lab::new("wait");
    let label = format!("label={}", lab.label());
    for selection in [
        &["--filter", &label][..],
        &["--all", "--filter", &label],
        &[&lab.named("nobody")],
        &[&lab.named("*")],
    ] {
        let mut arguments = vec!["wait", "--for", "UP", "--timeout", "30s"];
        arguments.extend(selection);
        let ran = crate::lab::run(crate::lab::ww_ctl_command().args(&arguments));
        assert_eq!(ran.expect(3).stdout, "", "{selection:?}");
    }
}
