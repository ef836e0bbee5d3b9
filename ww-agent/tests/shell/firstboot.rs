//! `firstboot` runs until it has succeeded once, and the mark says so.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::{Agent, Image, now};

/// What the agent notes on `/data` itself.
const NOTE: &str = "user.ww.journal";
/// As `initdb` does: nothing but an empty directory will do. What a run before left is cleared up by whoever is
/// told of one, and by nobody else.
const WANTS_IT_EMPTY: &str = "\
    echo \"told ${WW_PREVIOUS_ATTEMPT-none}/${WW_PREVIOUS_ATTEMPT_VERSION-unset}\" >> $LOG\n\
    [ -z \"$WW_PREVIOUS_ATTEMPT\" ] || rm -rf $ROOT/data/base\n\
    found=$(ls -A $ROOT/data | grep -v '^lost+found$')\n\
    [ -z \"$found\" ] || { echo \"found $found\" >> $LOG; exit 9; }\n\
    mkdir $ROOT/data/base\n\
    echo begun >> $LOG\n\
    case $(cat $ROOT/what) in hang) exec sleep 1000 ;; fail) exit 3 ;; esac\n\
    [ \"$(ls -A $ROOT/data | grep -v '^lost+found$')\" = base ] || exit 8\n\
    echo firstboot-done >> $LOG";

fn image() -> Image {
    Image::new()
        .file("what", b"", 0o644)
        .script("firstboot", WANTS_IT_EMPTY)
        .script(
            "upgrade",
            "echo \"from $WW_FROM_VERSION ${WW_PREVIOUS_ATTEMPT-none}\" >> $LOG",
        )
        .variable("WW_VERSION", "1")
}

/// The names in `/data`.
fn listed(agent: &Agent) -> Vec<String> {
    let entries = std::fs::read_dir(agent.path("data")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn noted(agent: &Agent) -> Option<String> {
    let mut buffer = [0; 4096];
    let found = rustix::fs::getxattr(agent.path("data"), NOTE, &mut buffer[..]);
    found
        .ok()
        .map(|length| String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// The lines of the log since `before` that begin with this word.
fn since(agent: &Agent, before: usize, word: &str) -> Vec<String> {
    let log = agent.log().split_off(before);
    log.into_iter()
        .filter(|line| line.split(' ').next() == Some(word))
        .collect()
}

#[test]
fn one_that_wants_data_empty_finds_it_so_and_is_told_what_was_before() {
    let mut agent = image().start();
    let what = |agent: &Agent, what: &str| std::fs::write(agent.path("what"), what).unwrap();
    what(&agent, "hang");
    agent.wait_log("begun", 1);
    assert_eq!(listed(&agent), ["base"]);
    agent.cut_the_power();
    assert_eq!(listed(&agent), ["base"]);
    agent.start_again();
    agent.wait_log("begun", 2);
    agent.wait_stderr("the last firstboot of version 1 was begun at");
    agent.signal(Signal::SIGTERM);
    assert_eq!(agent.exit(), 0);
    assert_eq!(listed(&agent), ["base"]);
    what(&agent, "fail");
    agent.set("WW_VERSION", "2");
    agent.start_again();
    assert_eq!(agent.exit(), 1);
    assert_eq!(listed(&agent), ["base"]);
    assert!(noted(&agent).unwrap().contains("\"failed\""));
    what(&agent, "");
    agent.start_again();
    agent.wait_state("UP");
    assert_eq!(
        since(&agent, 0, "told"),
        [
            "told none/unset",
            "told interrupted/1",
            "told cut/1",
            "told failed/2"
        ]
    );
    assert_eq!(listed(&agent), [".ww", "base", "whaleup"]);
    assert_eq!(noted(&agent), None);
    let journal = std::fs::read_to_string(agent.path("data/.ww/journal.json")).unwrap();
    let journal: serde_json::Value = serde_json::from_str(&journal).unwrap();
    assert_eq!(journal["firstboot"]["result"], "ok", "{journal}");
    // What happened before the mark was kept in memory until then.
    let history = std::fs::read_to_string(agent.path("data/.ww/history.jsonl")).unwrap();
    assert!(
        history.lines().next().unwrap().contains("\"boot\""),
        "{history}"
    );
    assert!(history.contains("\"FIRSTBOOT\""), "{history}");
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn wherever_it_is_killed_data_shows_nothing_and_the_next_is_told() {
    // Around the beginning, the script, and the mark with what follows it, each a little later.
    let anchors = [
        (None, 1500),
        (Some("firstboot"), 1000),
        (Some("firstboot-done"), 250),
    ];
    let rounds = anchors
        .into_iter()
        .flat_map(|(anchor, step)| (0..8).map(move |round| (anchor, step * round)));
    for (anchor, delay) in rounds {
        let mut agent = image().start();
        agent.pid();
        if let Some(line) = anchor {
            agent.wait_log(line, 1);
        }
        let until = now() + Duration::from_micros(delay);
        while now() < until {
            std::hint::spin_loop();
        }
        agent.cut_the_power();
        let log = agent.log();
        let has = |word: &str| log.iter().any(|line| line == word);
        let marked = agent.is_marked();
        if !marked {
            let names = listed(&agent);
            assert!(names.iter().all(|name| name == "base"), "{names:?}");
        }
        agent.start_again();
        agent.wait_state("UP");
        assert_eq!(agent.stop().0, 0);
        let told = since(&agent, log.len(), "told").concat();
        let right = match (marked, has("firstboot")) {
            (true, _) => told.is_empty(),
            (false, true) => told == "told interrupted/1",
            (false, false) => told == "told interrupted/1" || told == "told none/unset",
        };
        let all = agent.log();
        assert!(
            right,
            "{anchor:?}+{delay}: {log:?}, marked: {marked}; {all:?}"
        );
        let from = since(&agent, log.len(), "from").concat();
        assert!(from.starts_with("from 1 "), "{anchor:?}+{delay}: {all:?}");
        assert_eq!(listed(&agent), [".ww", "base", "whaleup"]);
        assert_eq!(noted(&agent), None);
        assert!(agent.path("data/.ww/journal.json").exists());
    }
}

/// Starts it with a file system of this kind at `/data`, which the agent alone sees, and `prepare`d.
fn mounted(image: Image, kind: &str, prepare: &str) -> (Agent, PathBuf) {
    let mount = format!("mount -t {kind} none $ROOT/data && {prepare}; exec \"$@\"");
    let agent = image.around(&["sh", "-c", &mount, "sh"]).start();
    agent.wait_state("UP");
    let data = format!("/proc/{}/root{}", agent.pid(), agent.path("data").display());
    (agent, data.into())
}

#[test]
fn data_in_memory_and_data_on_which_nothing_can_be_noted() {
    const CANNOT: &str = "should this firstboot be interrupted, the next cannot be told";
    let (mut agent, data) = mounted(image(), "tmpfs", "mkdir $ROOT/data/lost+found");
    assert!(data.join(".ww/journal.json").exists());
    assert!(!agent.stderr().contains(CANNOT), "{}", agent.stderr());
    assert_eq!(agent.stop().0, 0);

    let (mut agent, data) = mounted(image(), "ramfs", "mkdir $ROOT/data/lost+found");
    assert!(data.join(".ww/journal.json").exists());
    assert!(agent.stderr().contains(CANNOT), "{}", agent.stderr());
    assert_eq!(agent.stop().0, 0);

    let noted = "grep -q begun $ROOT/data/.ww/journal.json";
    let image = Image::new().script("firstboot", noted);
    let (mut agent, _) = mounted(image, "ramfs", "touch $ROOT/data/theirs");
    assert!(!agent.stderr().contains(CANNOT), "{}", agent.stderr());
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn a_user_who_may_not_note_anything_on_data_finds_it_empty() {
    for (mode, owner, may) in [(0o1777, 0, false), (0o700, 12345, true)] {
        let image = Image::bare()
            .file(
                "ww/usr/firstboot",
                b"#!/bin/sh\n[ -z \"$(ls -A $ROOT/data)\" ]\n",
                0o755,
            )
            .around(&[
                "setpriv",
                "--reuid=12345",
                "--regid=12345",
                "--clear-groups",
            ]);
        std::fs::set_permissions(image.path(""), Permissions::from_mode(0o755)).unwrap();
        std::fs::set_permissions(image.path("data"), Permissions::from_mode(mode)).unwrap();
        std::os::unix::fs::chown(image.path("data"), Some(owner), Some(owner)).unwrap();
        let mut agent = image.start();
        agent.wait_stderr("WARMUP -> UP");
        let told = agent.stderr().contains("the next cannot be told");
        assert_eq!(told, !may, "{}", agent.stderr());
        assert_eq!(listed(&agent), [".ww", "whaleup"]);
        assert_eq!(agent.stop().0, 0);
    }
}

#[test]
fn what_is_noted_by_others_is_not_believed_and_does_not_hold_up() {
    let huge = [b'['; 3000];
    let notes: [&[u8]; 4] = [
        &huge,
        b"",
        b"\x1b[2Jnonsense\xff",
        b"{\"schema\":1}trailing",
    ];
    for note in notes {
        let image = image();
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(image.path("data"), NOTE, note, flags).unwrap();
        let mut agent = image.start();
        agent.wait_state("UP");
        let stderr = agent.stderr();
        assert!(stderr.contains("cannot use what is noted"), "{stderr}");
        assert!(!stderr.contains('\x1b'), "{stderr}");
        assert_eq!(since(&agent, 0, "told"), ["told none/unset"]);
        assert_eq!(noted(&agent), None);
        assert_eq!(agent.stop().0, 0);
    }
}

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
