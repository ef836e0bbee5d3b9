//! The manual, and what shells are given.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::shape::{Shapes, undescribed};
use crate::{ctl, run, tool};

#[test]
fn the_manual_is_a_page_a_command_and_replaces_that_of_another_version() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("UTF-8");
    let other = directory.path().join("docker.1");
    std::fs::write(&other, "not ours").expect("a file");
    std::fs::write(directory.path().join("ww-ctl.1"), "older").expect("a file");
    let ran = ctl(&["man", path, "-o", "json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let written = Shapes::new().document("man", &ran.stdout);
    let written = written["files"].as_array().expect("files").clone();
    let in_it = std::fs::read_dir(path).expect("a directory").count();
    assert_eq!(written.len() + 1, in_it);
    for file in &written {
        let file = file.as_str().expect("a path");
        let page = std::fs::read_to_string(file).expect("a page");
        assert!(page.starts_with(".TH ww-ctl"), "{file}: {page}");
    }
    let lines = ctl(&["man", path, "-o", "jsonl"]);
    assert_eq!(
        Shapes::new().lines("manLine", &lines.stdout).len(),
        written.len()
    );
    assert_eq!(std::fs::read_to_string(other).expect("a file"), "not ours");
    for name in ["ww-ctl", "ww-ctl-wait"] {
        let page = directory.path().join(format!("{name}.1"));
        let page = std::fs::read_to_string(page).expect("a page");
        let page = page.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        insta::assert_snapshot!(format!("man-{name}"), page);
    }
}

#[test]
fn a_manual_that_cannot_be_written_says_where_and_why() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).expect("a mode");
    let closed = directory.path().join("closed");
    std::fs::create_dir(&closed).expect("a directory");
    // The tool itself may lie where another user cannot go: a copy.
    let copy = directory.path().join("ww-ctl");
    std::fs::copy(env!("CARGO_BIN_EXE_ww-ctl"), &copy).expect("a copy");
    let ran = run(Command::new("setpriv")
        .args(["--reuid=12345", "--regid=12345", "--clear-groups"])
        .arg(&copy)
        .arg("man")
        .arg(&closed));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let words = format!("cannot write the manual to {}", closed.display());
    assert!(ran.stderr.contains(&words), "{}", ran.stderr);
    assert!(ran.stderr.contains("Permission denied"), "{}", ran.stderr);
    assert!(ran.stderr.contains("sudo"), "{}", ran.stderr);
}

#[test]
fn each_shell_gets_a_script_of_its_own() {
    for (shell, words) in [
        ("bash", "complete -o nosort -F _ww_ctl ww-ctl"),
        ("zsh", "#compdef ww-ctl"),
        ("fish", "complete --keep-order --exclusive --command ww-ctl"),
        ("elvish", "edit:completion:arg-completer[ww-ctl]"),
        (
            "powershell",
            "Register-ArgumentCompleter -Native -CommandName ww-ctl",
        ),
    ] {
        // Neither Engine nor context is needed for it.
        let ran = run(tool()
            .args(["completions", shell])
            .env("DOCKER_CONTEXT", "nowhere"));
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{shell}");
        assert!(ran.stdout.contains(words), "{shell}: {}", ran.stdout);
        assert!(
            ran.stdout.contains("WW_COMPLETE"),
            "{shell}: {}",
            ran.stdout
        );
    }
}

#[test]
fn what_bash_is_given_is_bash() {
    let script = ctl(&["completions", "bash"]).stdout;
    let checked = run(Command::new("bash").args(["-n", "-c", &script]));
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""));
}

#[test]
fn the_schema_describes_every_field() {
    let found = undescribed();
    assert!(found.is_empty(), "without a description: {found:#?}");
}
