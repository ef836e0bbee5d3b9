//! What `firstboot` and `upgrade` are told of the runs before them, whatever ended those.

use std::os::unix::fs::symlink;
use std::time::Duration;

use crate::harness::{Agent, Image, now};

/// A script that logs what it is told, does `body`, and logs that it did.
fn teller(name: &str, body: &str) -> String {
    format!(
        "echo \"{name} ${{WW_FROM_VERSION-unset}}>${{WW_TO_VERSION-unset}} \
         ${{WW_PREVIOUS_ATTEMPT-none}}/${{WW_PREVIOUS_ATTEMPT_VERSION-unset}}\" >> $LOG\n\
         {body}\necho {name}-done >> $LOG"
    )
}

/// An image that hangs in the script that `$ROOT/hang` names.
fn image(version: &str) -> Image {
    let hang =
        |name: &str| format!("if [ \"$(cat $ROOT/hang)\" = {name} ]; then exec sleep 1000; fi");
    Image::new()
        .file("hang", b"", 0o644)
        .script("firstboot", &teller("firstboot", &hang("firstboot")))
        .script("upgrade", &teller("upgrade", &hang("upgrade")))
        .script("svcup", &hang("svcup"))
        .variable("WW_VERSION", version)
        // What the container itself was given does not count.
        .variable("WW_PREVIOUS_ATTEMPT", "bogus")
}

fn hang(agent: &Agent, name: &str) {
    std::fs::write(agent.path("hang"), name).unwrap();
}

/// Starts again, up to UP, and stops; what the scripts were told.
fn boot(agent: &mut Agent, version: &str) -> Vec<String> {
    let before = agent.log().len();
    agent.set("WW_VERSION", version);
    hang(agent, "");
    agent.start_again();
    agent.wait_state("UP");
    assert_eq!(agent.stop().0, 0, "{}", agent.stderr());
    let log = agent.log().split_off(before);
    log.into_iter().filter(|line| line.contains('>')).collect()
}

#[test]
fn the_power_goes_in_firstboot_in_upgrade_and_after() {
    let mut agent = image("1").start();
    hang(&agent, "firstboot");
    agent.wait_log("firstboot unset>1 none/unset", 1);
    agent.cut_the_power();
    hang(&agent, "upgrade");
    agent.start_again();
    agent.wait_log("firstboot unset>1 interrupted/1", 1);
    agent.wait_stderr("the last firstboot of version 1 was begun at");
    agent.wait_log("upgrade 1>1 none/unset", 1);
    agent.cut_the_power();
    assert!(agent.is_marked());
    // The old version stays the one to come from until an upgrade has succeeded.
    hang(&agent, "upgrade");
    agent.set("WW_VERSION", "2");
    agent.start_again();
    agent.wait_log("upgrade 1>2 interrupted/1", 1);
    agent.cut_the_power();
    hang(&agent, "svcup");
    agent.start_again();
    agent.wait_log("upgrade 1>2 interrupted/2", 1);
    agent.wait_log("svcup", 1);
    agent.cut_the_power();
    // That one had ended.
    assert_eq!(boot(&mut agent, "3"), ["upgrade 2>3 none/unset"]);
    assert_eq!(boot(&mut agent, "2"), ["upgrade 3>2 none/unset"]);
}

#[test]
fn a_failure_and_a_stop_are_told_apart() {
    let mut agent = image("1").start();
    agent.wait_state("UP");
    assert_eq!(agent.stop().0, 0);
    hang(&agent, "upgrade");
    agent.set("WW_VERSION", "2");
    agent.start_again();
    agent.wait_log("upgrade 1>2 none/unset", 1);
    assert_eq!(agent.stop().0, 0);
    assert_eq!(boot(&mut agent, "2"), ["upgrade 1>2 cut/2"]);
    assert_eq!(boot(&mut agent, "3"), ["upgrade 2>3 none/unset"]);

    let mut agent = Image::new()
        .script("upgrade", &teller("upgrade", "[ -e $ROOT/well ] || exit 7"))
        .cfg(r#"{"ww":{"version":"2-b"}}"#)
        .variable("WW_VERSION", "the setting goes before")
        .start();
    assert_eq!(agent.exit(), 1);
    agent.start_again();
    assert_eq!(agent.exit(), 1);
    std::fs::write(agent.path("well"), "").unwrap();
    agent.start_again();
    assert_eq!(agent.listen().line("snapshot")["version"], "2-b");
    agent.wait_state("UP");
    let told: Vec<_> = agent.log();
    let told: Vec<_> = told.iter().filter(|line| line.contains('>')).collect();
    assert_eq!(
        told,
        [
            "upgrade 2-b>2-b none/unset",
            "upgrade 2-b>2-b failed/2-b",
            "upgrade 2-b>2-b failed/2-b"
        ]
    );
}

#[test]
fn a_firstboot_without_its_mark_is_not_done() {
    let mut agent = image("1").start();
    agent.wait_state("UP");
    assert_eq!(agent.stop().0, 0);
    // A directory that comes to stand in its place keeps the mark from being made.
    std::fs::remove_file(agent.path("data/whaleup")).unwrap();
    let script = format!("mkdir $ROOT/data/whaleup\n{}", teller("firstboot", ""));
    let script = format!("#!/bin/sh\n{script}\n");
    std::fs::write(agent.path("ww/usr/firstboot"), script).unwrap();
    agent.start_again();
    assert_eq!(agent.exit(), 1);
    std::fs::remove_dir(agent.path("data/whaleup")).unwrap();
    let script = format!("#!/bin/sh\n{}\n", teller("firstboot", ""));
    std::fs::write(agent.path("ww/usr/firstboot"), script).unwrap();
    assert_eq!(
        boot(&mut agent, "2"),
        ["firstboot unset>2 failed/1", "upgrade 2>2 none/unset"]
    );
}

#[test]
fn data_of_an_older_agent_is_upgraded_from_nowhere() {
    let mut agent = image("5").file("data/whaleup", b"", 0o644).start();
    agent.wait_state("UP");
    assert_eq!(agent.stop().0, 0);
    assert_eq!(agent.log()[1], "upgrade");
    assert_eq!(agent.log()[2], "upgrade >5 none/unset");
    assert_eq!(boot(&mut agent, "6"), ["upgrade 5>6 none/unset"]);
}

#[test]
fn a_failure_that_is_tolerated_is_done() {
    let mut agent = Image::new()
        .script("upgrade", &teller("upgrade", "exit 7"))
        .cfg(r#"{"ww":{"hooks":{"on_failure":"continue"}}}"#)
        .variable("WW_VERSION", "1")
        .start();
    agent.wait_state("UP");
    assert_eq!(agent.stop().0, 0);
    agent.set("WW_VERSION", "2");
    agent.start_again();
    agent.wait_log("upgrade 1>2 none/unset", 1);
}

#[test]
fn what_is_planted_in_its_place_neither_hurts_nor_holds_up() {
    type Plant = fn(&std::path::Path, &std::path::Path);
    let plants: [(&str, Plant); 5] = [
        ("link", |place, victim| symlink(victim, place).unwrap()),
        ("pipe", |place, _| {
            nix::unistd::mkfifo(place, nix::sys::stat::Mode::S_IRWXU).unwrap();
        }),
        ("directory", |place, _| {
            std::fs::create_dir_all(place.join("full")).unwrap();
        }),
        ("huge", |place, _| {
            std::fs::write(place, vec![b'['; 10 << 20]).unwrap();
        }),
        ("text", |place, _| {
            std::fs::write(place, "nonsense").unwrap();
        }),
    ];
    for (what, plant) in plants {
        let mut agent = image("1").start();
        agent.wait_state("UP");
        assert_eq!(agent.stop().0, 0);
        let place = agent.path("data/.ww/journal.json");
        std::fs::remove_file(&place).unwrap();
        std::fs::write(agent.path("victim"), "theirs").unwrap();
        plant(&place, &agent.path("victim"));
        let told = boot(&mut agent, "2");
        assert_eq!(told, ["upgrade >2 none/unset"], "{what}");
        assert!(
            agent.stderr().contains("kept as journal.json.bad"),
            "{what}"
        );
        let victim = std::fs::read_to_string(agent.path("victim")).unwrap();
        assert_eq!(victim, "theirs", "{what}");
        let told = boot(&mut agent, "3");
        assert_eq!(told, ["upgrade 2>3 none/unset"], "{what}");
    }
}

#[test]
fn wherever_it_is_killed_nothing_unfinished_is_taken_for_done() {
    let mut agent = image("0").start();
    agent.wait_state("UP");
    assert_eq!(agent.stop().0, 0);
    for round in 1..=24_u64 {
        let before = agent.log().len();
        agent.set("WW_VERSION", &round.to_string());
        agent.start_again();
        // A boot takes about thirty milliseconds; each round comes a little further.
        agent.pid();
        let until = now() + Duration::from_micros(1500 * (round - 1));
        while now() < until && agent.log().last().is_none_or(|line| line != "warmup") {
            std::hint::spin_loop();
        }
        agent.cut_the_power();
        let log = agent.log().split_off(before);
        let begun = log.iter().any(|line| line.contains('>'));
        let done = log.iter().any(|line| line == "upgrade-done");
        let after = log.iter().any(|line| line == "svcup");
        let mut told = boot(&mut agent, &round.to_string());
        let told = told.pop().unwrap();
        let (old, new) = (round - 1, round);
        let finished = format!("upgrade {new}>{new} none/unset");
        let interrupted = format!("upgrade {old}>{new} interrupted/{new}");
        let untouched = format!("upgrade {old}>{new} none/unset");
        let right = match (begun, done, after) {
            (_, _, true) => told == finished,
            (true, false, false) => told == interrupted,
            (true, true, false) => told == interrupted || told == finished,
            (false, _, false) => told == interrupted || told == untouched,
        };
        assert!(right, "round {round}: {log:?} and then {told}");
    }
}

#[test]
fn a_version_that_cannot_be_one_is_said_once() {
    let long = "9".repeat(129);
    for version in ["2\u{1b}[2J", "2\nwarning: mine", long.as_str()] {
        let mut agent = Image::new().variable("WW_VERSION", version).start();
        agent.wait_state("UP");
        assert!(agent.listen().line("snapshot").get("version").is_none());
        assert_eq!(agent.stop().0, 0);
        let stderr = agent.stderr();
        let told = stderr.matches("warning: WW_VERSION cannot be a version");
        assert_eq!(told.count(), 1, "{stderr}");
        let shown = |letter: char| letter == '\n' || !letter.is_control();
        assert!(stderr.chars().all(shown), "{stderr:?}");
        assert!(
            !stderr.contains("mine") && !stderr.contains(&long),
            "{stderr}"
        );
        // One that is not used does no harm.
        agent.set("CFG", r#"{"ww":{"version":"3"}}"#);
        agent.start_again();
        agent.wait_state("UP");
        assert_eq!(agent.listen().line("snapshot")["version"], "3");
        assert!(!agent.stderr().contains("WW_VERSION"), "{}", agent.stderr());
    }
}
