//! The `backup` and `restore` scripts, and the directory they are given.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{Agent, Image, Listener, until};

const HOOK: &str = r#"{"id":"h","type":"backup","step":"hook","by":"alice@ops1"}"#;

fn image(backup: &str) -> Image {
    let image = Image::new()
        .script("backup", backup)
        .cfg(r#"{"ww":{"stop":{"grace":"300ms"}}}"#);
    fs::create_dir(image.path("backup")).unwrap();
    image
}

fn up(image: Image) -> (Agent, Listener) {
    let agent = image.start();
    let mut listener = agent.listen();
    listener.state("UP");
    (agent, listener)
}

/// What was made below `/backup`.
fn left(agent: &Agent) -> Vec<PathBuf> {
    let found = fs::read_dir(agent.path("backup")).unwrap();
    found.map(|entry| entry.unwrap().path()).collect()
}

fn step(step: &str, directory: &str) -> String {
    json!({"id": "s", "type": "backup", "step": step, "directory": directory}).to_string()
}

#[test]
fn a_script_fills_a_directory_of_its_own_and_it_is_removed_when_asked() {
    let (agent, mut listener) = up(image(
        "echo dump > \"$WW_BACKUP_DIR/db.sql\"; stat -c %a \"$WW_BACKUP_DIR\" >> $LOG; echo $WW_STATE >> $LOG",
    ));
    let answer = listener.ask(HOOK);
    let result = &answer["result"];
    assert_eq!(
        (&result["exit"], &result["written"]),
        (&0.into(), &true.into()),
        "{answer}"
    );
    let directory = result["directory"].as_str().unwrap();
    assert_eq!(
        fs::read(Path::new(directory).join("db.sql")).unwrap(),
        b"dump\n"
    );
    let log = agent.log();
    assert_eq!(&log[log.len() - 3..], ["backup", "700", "UP"]);
    // Another one is another directory.
    let second = listener.ask(HOOK)["result"]["directory"].clone();
    assert_ne!(second, result["directory"]);
    for directory in [directory, second.as_str().unwrap()] {
        assert_eq!(listener.ask(&step("clean", directory))["ok"], true);
        // Once more is as good.
        assert_eq!(listener.ask(&step("clean", directory))["ok"], true);
    }
    assert!(left(&agent).is_empty());
}

#[test]
fn nothing_to_do_and_a_failure_and_nothing_written_leave_nothing_behind() {
    for (body, exit) in [
        ("echo x > $WW_BACKUP_DIR/x; exit 75", 75),
        ("echo x > $WW_BACKUP_DIR/x; exit 1", 1),
        ("exit 0", 0),
        (
            ": > $WW_BACKUP_DIR/empty; mkdir $WW_BACKUP_DIR/d; exit 0",
            0,
        ),
    ] {
        let (agent, mut listener) = up(image(body));
        let answer = listener.ask(HOOK);
        let result = &answer["result"];
        assert_eq!(answer["ok"], true, "{answer}");
        assert_eq!(
            (&result["exit"], &result["written"]),
            (&exit.into(), &false.into()),
            "{body}"
        );
        assert_eq!(result["directory"], Value::Null);
        assert!(left(&agent).is_empty(), "{body}");
    }
}

#[test]
fn one_that_is_missing_is_told_and_one_that_cannot_be_started_is_refused() {
    let image = Image::new();
    fs::create_dir(image.path("backup")).unwrap();
    let (agent, mut listener) = up(image);
    let answer = listener.ask(HOOK);
    assert_eq!(answer["result"], json!({"written": false}), "{answer}");
    let script = agent.path("ww/usr/backup");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    let answer = listener.ask(HOOK);
    assert_eq!(answer["error"]["code"], "refused", "{answer}");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_dir(agent.path("backup")).unwrap();
    let answer = listener.ask(HOOK);
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("/backup does not exist"), "{message}");
    // A link in its place is no place either.
    symlink(agent.path("data"), agent.path("backup")).unwrap();
    let answer = listener.ask(HOOK);
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("not a directory"), "{message}");
}

#[test]
fn one_that_takes_too_long_is_ended_with_all_it_has_started() {
    let image = image("sh -c \"trap '' TERM; sleep 1000\" & wait")
        .cfg(r#"{"ww":{"stop":{"grace":"300ms"},"hooks":{"backup":{"timeout":"200ms"}}}}"#);
    let (agent, mut listener) = up(image);
    let answer = listener.ask(HOOK);
    assert_eq!(answer["result"]["exit"], 124, "{answer}");
    assert!(left(&agent).is_empty());
    until("the end of all it has started", || {
        agent.others().is_empty().then_some(())
    });
}

const WAITS: &str = "echo x > $WW_BACKUP_DIR/x; echo begun >> $LOG; exec sleep 1000";

#[test]
fn one_whose_asker_is_gone_is_ended() {
    let (agent, listener) = up(image(WAITS));
    let mut asker = agent.listen();
    asker.write(format!("{HOOK}\n").as_bytes());
    agent.wait_log("begun", 1);
    drop(asker);
    until("an empty /backup", || left(&agent).is_empty().then_some(()));
    until("the end of all it has started", || {
        agent.others().is_empty().then_some(())
    });
    drop(listener);
}

#[test]
fn a_restart_and_a_stop_come_first() {
    let (mut agent, mut listener) = up(image(WAITS));
    let mut other = agent.listen();
    listener.write(format!("{HOOK}\n").as_bytes());
    agent.wait_log("begun", 1);
    let busy = other.ask(r#"{"id":1,"type":"backup","step":"quiesce"}"#);
    assert_eq!(busy["error"]["code"], "busy", "{busy}");
    agent.signal(Signal::SIGHUP);
    let answer = listener.line("answer");
    assert_eq!(answer["error"]["code"], "cut", "{answer}");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("SIGHUP"), "{message}");
    listener.state("UP");
    until("an empty /backup", || left(&agent).is_empty().then_some(()));

    listener.write(format!("{HOOK}\n").as_bytes());
    agent.wait_log("begun", 2);
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn checks_go_on_beside_it() {
    let image = image("while [ ! -e $ROOT/go ]; do sleep 0.02; done; echo x > $WW_BACKUP_DIR/x")
        .script("monitor", "")
        .cfg(r#"{"ww":{"monitor":{"interval":"50ms"}}}"#);
    let (agent, mut listener) = up(image);
    listener.write(format!("{HOOK}\n").as_bytes());
    agent.wait_log("backup", 1);
    let seen = agent.log().iter().filter(|line| *line == "monitor").count();
    agent.wait_log("monitor", seen + 3);
    fs::write(agent.path("go"), "").unwrap();
    assert_eq!(listener.line("answer")["result"]["written"], true);
}

#[test]
fn cleaning_follows_no_link_and_removes_nothing_else() {
    let (agent, mut listener) = up(image(
        "ln -s $ROOT/data $WW_BACKUP_DIR/link; mkdir -p $WW_BACKUP_DIR/a/b; echo x > $WW_BACKUP_DIR/a/b/x",
    ));
    fs::write(agent.path("data/precious"), "x").unwrap();
    let directory = listener.ask(HOOK)["result"]["directory"].clone();
    let directory = directory.as_str().unwrap();
    assert_eq!(listener.ask(&step("clean", directory))["ok"], true);
    assert!(!Path::new(directory).exists());
    // What somebody has put in its place is not it.
    symlink(agent.path("data"), agent.path("backup/.ww-hook-abc")).unwrap();
    fs::create_dir(agent.path("backup/web")).unwrap();
    fs::create_dir(agent.path("backup/.ww-hook-")).unwrap();
    let backup = agent.path("backup");
    let path = |end: &str| format!("{}/{end}", backup.display());
    for directory in [
        path(".ww-hook-abc"),
        path("web"),
        path(".ww-hook-"),
        path("web/.ww-hook-abc"),
        path(".ww-hook-abc/.."),
        "/".to_owned(),
        agent.path("data").display().to_string(),
    ] {
        let answer = listener.ask(&step("clean", &directory));
        assert_eq!(answer["ok"], false, "{directory}: {answer}");
    }
    assert!(agent.path("data/precious").exists());
    assert!(agent.path("backup/web").exists());
}

#[test]
fn a_restore_script_is_given_a_directory_below_backup_and_no_other() {
    let image = image("exit 0").script("restore", "cat \"$WW_BACKUP_DIR/db.sql\" >> $LOG; exit 3");
    let (agent, mut listener) = up(image);
    let hook = agent.path("backup/web/20261122T161500Z-7f3a/hook");
    fs::create_dir_all(&hook).unwrap();
    fs::write(hook.join("db.sql"), "dump\n").unwrap();
    let answer = listener.ask(&step("restore", hook.to_str().unwrap()));
    assert_eq!(answer["result"]["exit"], 3, "{answer}");
    assert_eq!(agent.log().last().unwrap(), "dump");
    assert!(hook.exists());

    symlink(agent.path("data"), agent.path("backup/out")).unwrap();
    let backup = agent.path("backup").display().to_string();
    for directory in [
        format!("{backup}/out"),
        format!("{backup}/web/../web"),
        format!("{backup}/nowhere"),
        backup.clone(),
        agent.path("data").display().to_string(),
        "web".to_owned(),
    ] {
        let answer = listener.ask(&step("restore", &directory));
        assert_eq!(answer["error"]["code"], "refused", "{directory}: {answer}");
    }
}

#[test]
fn a_link_planted_in_its_place_is_not_written_through() {
    // Its name cannot be known beforehand; the program that makes it is asked directly.
    let image = image("exit 0");
    let planted = image.path("backup/.ww-hook-00");
    symlink(image.path("data"), &planted).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_ww-agent"))
        .args(["hook-directory", "make", ".ww-hook-00"])
        .env("WW_ROOT", image.path(""))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(fs::symlink_metadata(&planted).unwrap().is_symlink());
}
