use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::{Outcome, outcome, put, ww_agent};

fn check(directory: &Path) -> Outcome {
    outcome(ww_agent().arg("check").arg(directory))
}

/// What was found, without the summary.
fn findings(outcome: &Outcome) -> Vec<&str> {
    let mut lines: Vec<_> = outcome.stdout.lines().collect();
    lines.pop();
    lines
}

const SCRIPT: &str = "#!/bin/sh\nexit 0\n";

fn good() -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    for name in ["boot", "svcup", "svcdown", "monitor"] {
        put(tree.path(), &format!("ww/usr/{name}"), SCRIPT, 0o755);
    }
    put(tree.path(), "bin/sh", "x", 0o755);
    put(
        tree.path(),
        "ww/etc/defaults.json",
        "// in the wild\n{\"memory\": 400, \"ww\": {\"drain\": \"5s\"},}\n",
        0o644,
    );
    put(tree.path(), "ww/files/page.html", "hello", 0o644);
    tree
}

#[test]
fn a_good_tree_has_nothing_to_be_said_about() {
    let tree = good();
    let ww = tree.path().join("ww");
    check(tree.path()).is(
        0,
        &format!("{}: 0 errors, 0 warnings, 0 notes\n", ww.display()),
    );
    let root = tree.path().to_str().unwrap();
    let with_root = outcome(ww_agent().args(["check", "--root", root, ww.to_str().unwrap()]));
    assert_eq!(
        (with_root.code, findings(&with_root).len()),
        (Some(0), 0),
        "{with_root:?}"
    );
}

#[test]
fn interpreters_are_looked_for_only_where_the_image_has_its_root() {
    let tree = good();
    let alone = check(&tree.path().join("ww"));
    assert_eq!(alone.code, Some(0));
    assert_eq!(
        findings(&alone)[0],
        "note: usr/: /bin/sh was not looked for: give the image's root with --root, or check it in the image"
    );
    assert_eq!(findings(&alone).len(), 1);
    std::fs::remove_file(tree.path().join("bin/sh")).unwrap();
    let within = check(tree.path());
    assert_eq!(within.code, Some(1));
    assert_eq!(
        findings(&within)[0],
        "error: usr/boot: its interpreter /bin/sh does not exist: install it in the image or name another one"
    );
}

/// A file, its content, its mode, and what is said about it.
const MISTAKES: [(&str, &[u8], u32, &str); 24] = [
    (
        "usr/boot",
        b"#!/bin/sh\r\nexit 0\r\n",
        0o755,
        "error: usr/boot: its first line ends in a carriage return (CRLF), which becomes part of what `/bin/sh` names: save it with Unix line endings",
    ),
    (
        "usr/boot",
        b"#!/bin/sh\nexit 0\r\n",
        0o755,
        "warning: usr/boot: line 2 ends in a carriage return (CRLF): save it with Unix line endings",
    ),
    (
        "usr/boot",
        b"\xef\xbb\xbf#!/bin/sh\n",
        0o755,
        "error: usr/boot: it starts with a byte order mark, which hides its first line: save it as UTF-8 without one",
    ),
    (
        "usr/boot",
        b"#!/bin/sh\n",
        0o644,
        "error: usr/boot: it has no run bit (mode 0644): `chmod +x` it in the image",
    ),
    (
        "usr/boot",
        b"#!/bin/bash\n",
        0o755,
        "error: usr/boot: its interpreter /bin/bash does not exist: install it in the image or name another one",
    ),
    (
        "usr/boot",
        b"#!\n",
        0o755,
        "error: usr/boot: its first line is `#!` without an interpreter: write `#!/bin/sh` into its first line",
    ),
    (
        "usr/boot",
        b"exit 0\n",
        0o755,
        "warning: usr/boot: it has no first line that names its interpreter, so /bin/sh runs it: write `#!/bin/sh` into its first line",
    ),
    (
        "usr/boot",
        b"",
        0o755,
        "note: usr/boot: it is empty: there is nothing to do",
    ),
    (
        "usr/fristboot",
        b"#!/bin/sh\n",
        0o755,
        "error: usr/fristboot: the agent knows no script of this name and does not run it: did you mean `firstboot`?",
    ),
    (
        "usr/boot.sh",
        b"#!/bin/sh\n",
        0o755,
        "warning: usr/boot.sh: the agent does not run it under this name: rename it to `boot` if it is to be run, or leave it out of the image",
    ),
    (
        "usr/svc.d/web",
        b"#!/bin/sh\n",
        0o644,
        "error: usr/svc.d/web: it has no run bit (mode 0644): `chmod +x` it in the image",
    ),
    (
        "usr/svc.d/web",
        b"#!/bin/sh\r\nexec web\r\n",
        0o755,
        "error: usr/svc.d/web: its first line ends in a carriage return",
    ),
    (
        "usr/svc.d/web",
        b"#!/bin/bash\n",
        0o755,
        "error: usr/svc.d/web: its interpreter /bin/bash does not exist",
    ),
    (
        "usr/svc.d/web",
        b"exec web\n",
        0o755,
        "warning: usr/svc.d/web: it has no first line that names its interpreter",
    ),
    (
        "usr/svc.d/web~",
        b"#!/bin/sh\n",
        0o755,
        "note: usr/svc.d/web~: its name says that it is no service: the agent leaves it out",
    ),
    (
        "usr/svc.d/.web",
        b"#!/bin/sh\n",
        0o755,
        "note: usr/svc.d/.web: its name says that it is no service: the agent leaves it out",
    ),
    (
        "etc/defaults.json",
        b"{\"ww\": {\"services\": {\"web\": {}}}}",
        0o644,
        "warning: etc/defaults.json: there are settings for a service `web` (ww.services), but no usr/svc.d/web: add usr/svc.d/web, unless `boot` does",
    ),
    (
        "usr/svc.d/main",
        b"#!/bin/sh\n",
        0o755,
        "error: usr/svc.d/main: a service cannot be called main: the command of `run -- CMD` is: rename it",
    ),
    (
        "usr/svc.d/a\x1bb",
        b"#!/bin/sh\n",
        0o755,
        "error: usr/svc.d/a\u{fffd}b: a service cannot be called ab: it has a control character in it: rename it",
    ),
    (
        "usr/svc.d/web.orig",
        b"#!/bin/sh\n",
        0o755,
        "note: usr/svc.d/web.orig: its name says that it is no service: the agent leaves it out",
    ),
    (
        "etc/defaults.json",
        b"{\n  \"a\": tru\n}",
        0o644,
        "error: etc/defaults.json: line 2, column 8: unexpected word: correct the JSON there; comments and trailing commas are fine",
    ),
    (
        "etc/defaults.json",
        b"[1]",
        0o644,
        "error: etc/defaults.json: line 1, column 1: this is an array: the configuration must be one JSON object: { … }",
    ),
    (
        "etc/defaults.json",
        b"{\"ww\": {\"drain\": 5}}",
        0o644,
        "error: etc/defaults.json: setting `ww.drain` must be",
    ),
    (
        "etc/cfg.json",
        b"{}",
        0o644,
        "warning: etc/cfg.json: it is written anew at every boot, and may hold somebody's secrets: leave it out of the image",
    ),
];

#[test]
fn each_mistake_is_named_with_what_to_do() {
    for (name, content, mode, expected) in MISTAKES {
        let tree = good();
        put(&tree.path().join("ww"), name, content, mode);
        let outcome = check(tree.path());
        let found = findings(&outcome);
        assert!(
            found.iter().any(|found| found.starts_with(expected)),
            "{expected}\n{found:#?}"
        );
        assert_eq!(
            outcome.code,
            Some(i32::from(expected.starts_with("error"))),
            "{found:#?}"
        );
    }
}

#[test]
fn services_are_looked_over_with_their_settings() {
    let tree = good();
    let ww = tree.path().join("ww");
    for name in ["10-db", "20-web"] {
        put(&ww, &format!("usr/svc.d/{name}"), SCRIPT, 0o755);
    }
    put(&ww, "usr/svc.d/.gitkeep", "", 0o644);
    let settings = |services: &str| {
        let text = format!(r#"{{"ww": {{"services": {services}}}}}"#);
        put(&ww, "etc/defaults.json", text, 0o644);
        check(tree.path())
    };
    let fine = settings(r#"{"10-db": {"notify": true}, "main": {"watchdog": "30s"}}"#);
    assert_eq!((fine.code, findings(&fine).len()), (Some(0), 0), "{fine:?}");
    let typo = settings(r#"{"20-wbe": {}}"#);
    assert_eq!(typo.code, Some(0));
    assert!(
        findings(&typo)[0].ends_with("but no usr/svc.d/20-wbe: did you mean `20-web`?"),
        "{typo:?}"
    );
    let wrong = settings(r#"{"10-db": {"notfy": true}}"#);
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    for number in 0..31 {
        put(&ww, &format!("usr/svc.d/more-{number}"), SCRIPT, 0o755);
    }
    let many = check(tree.path());
    let expected = "error: usr/svc.d: it holds 33 services, and there may be 32";
    assert!(
        findings(&many)
            .iter()
            .any(|found| found.starts_with(expected)),
        "{many:?}"
    );
}

#[test]
fn a_typo_in_the_settings_is_an_error_with_a_hint() {
    let tree = good();
    put(
        tree.path(),
        "ww/etc/defaults.json",
        r#"{"ww": {"monitor": {"intervall": "30s"}}}"#,
        0o644,
    );
    let outcome = check(tree.path());
    assert_eq!(outcome.code, Some(1));
    assert!(
        findings(&outcome)[0]
            .starts_with("error: etc/defaults.json: unknown setting `ww.monitor.intervall`"),
        "{outcome:?}"
    );
    assert!(outcome.stdout.contains("interval`"), "{outcome:?}");
}

#[test]
fn scripts_that_need_each_other_are_missed() {
    let tree = good();
    let usr = tree.path().join("ww/usr");
    std::fs::remove_file(usr.join("svcdown")).unwrap();
    std::fs::remove_file(usr.join("monitor")).unwrap();
    let outcome = check(tree.path());
    assert_eq!(outcome.code, Some(0));
    let found = findings(&outcome);
    assert!(
        found[0].starts_with("warning: usr/svcup: there is no `svcdown`"),
        "{found:#?}"
    );
    assert!(
        found[1].starts_with("note: usr/svcup: there is no `monitor`"),
        "{found:#?}"
    );
    put(tree.path(), "ww/usr/svcup", "", 0o755);
    put(tree.path(), "ww/usr/monitor", SCRIPT, 0o755);
    let outcome = check(tree.path());
    assert!(
        findings(&outcome)
            .iter()
            .any(|found| found.starts_with("warning: usr/monitor: there is no `svcup`")),
        "{outcome:?}"
    );
}

#[test]
fn links_mean_places_in_the_image() {
    let tree = good();
    put(tree.path(), "ww/files/upgrade", SCRIPT, 0o755);
    symlink("/ww/files/upgrade", tree.path().join("ww/usr/upgrade")).unwrap();
    symlink("/nowhere", tree.path().join("ww/usr/warmup")).unwrap();
    let outcome = check(tree.path());
    let alone = check(&tree.path().join("ww"));
    assert!(!outcome.stdout.contains("usr/upgrade"), "{outcome:?}");
    assert!(outcome.stdout.contains("error: usr/warmup"), "{outcome:?}");
    assert!(
        alone
            .stdout
            .contains("note: usr/warmup: it is a link to a place outside the tree"),
        "{alone:?}"
    );
}

#[test]
fn names_of_files_do_not_control_the_terminal() {
    let tree = good();
    put(tree.path(), "ww/usr/x\u{1b}[2J\n", SCRIPT, 0o755);
    let outcome = check(tree.path());
    assert!(
        outcome.stdout.chars().all(|c| c == '\n' || !c.is_control()),
        "{outcome:?}"
    );
    assert_eq!(findings(&outcome).len(), 1);
}

#[test]
fn what_is_no_tree_is_refused() {
    let empty = tempfile::tempdir().unwrap();
    let nothing = check(empty.path());
    assert_eq!(nothing.code, Some(1));
    assert!(
        nothing
            .stdout
            .contains("error: .: there is neither `usr` nor `etc` here"),
        "{nothing:?}"
    );
    let missing = empty.path().join("missing");
    check(&missing).fails(
        2,
        &format!(
            "ww-agent check: cannot check {}: No such file or directory (os error 2)\n",
            missing.display()
        ),
    );
    outcome(ww_agent().args(["check", "--root"])).fails(
        2,
        "ww-agent check: `--root` needs a directory after it\nTry: ww-agent check --help\n",
    );
    assert_eq!(outcome(ww_agent().args(["check", "a", "b"])).code, Some(2));
}

#[test]
fn a_program_gets_the_same_as_json() {
    let tree = good();
    let usr = tree.path().join("ww/usr");
    std::fs::write(usr.join("restor"), "#!/bin/sh\n").unwrap();
    std::fs::write(usr.join("mine\u{1b}[2J"), "").unwrap();
    let directory = tree.path().to_str().unwrap();
    let told = outcome(ww_agent().args(["check", "--json", directory]));
    assert_eq!(told.code, Some(1), "{told:?}");
    let document: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    let findings = document["findings"].as_array().unwrap();
    let of = |path: &str| findings.iter().find(|one| one["path"] == path).unwrap();
    let misspelt = of("usr/restor");
    assert_eq!(misspelt["level"], "error");
    assert_eq!(misspelt["remedy"], "did you mean `restore`?");
    assert_eq!(of("usr/mine\u{1b}[2J")["level"], "note");
    for (key, level) in [
        ("errors", "error"),
        ("warnings", "warning"),
        ("notes", "note"),
    ] {
        let count = findings.iter().filter(|one| one["level"] == level).count();
        assert_eq!(document[key], count, "{document}");
    }
    let ww = tree.path().join("ww");
    assert_eq!(document["checked"], ww.to_str().unwrap());
    assert_eq!(document["schema"], 1);
}

#[test]
fn what_would_be_waited_for_is_told_and_not_waited_for() {
    for (name, expected) in [
        ("usr/boot", "error: usr/boot: it is not a regular file"),
        (
            "usr/svc.d/f",
            "error: usr/svc.d/f: it is not a regular file",
        ),
        (
            "etc/defaults.json",
            "error: etc/defaults.json: cannot be read: it is not a regular file",
        ),
        ("usr/svc.d", "error: usr/svc.d: cannot be listed"),
    ] {
        let tree = good();
        let path = tree.path().join("ww").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if path.exists() {
            std::fs::remove_file(&path).unwrap();
        }
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        let outcome = check(tree.path());
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        let found = findings(&outcome);
        assert!(
            found.iter().any(|found| found.starts_with(expected)),
            "{expected}\n{found:#?}"
        );
    }
}

#[test]
fn a_service_whose_name_is_not_text_is_named() {
    let tree = good();
    let services = tree.path().join("ww/usr/svc.d");
    std::fs::create_dir(&services).unwrap();
    std::fs::write(services.join(OsStr::from_bytes(b"a\xff")), SCRIPT).unwrap();
    let outcome = check(tree.path());
    assert_eq!(
        findings(&outcome),
        ["error: usr/svc.d/a\u{fffd}: a service cannot be called this: it is not UTF-8: rename it"]
    );
}

#[test]
fn services_need_neither_svcup_nor_a_monitor() {
    let tree = good();
    let usr = tree.path().join("ww/usr");
    put(&usr, "svc.d/web", SCRIPT, 0o755);
    for name in ["svcup", "monitor"] {
        std::fs::remove_file(usr.join(name)).unwrap();
    }
    // `svcdown` is run all the same.
    let outcome = check(tree.path());
    assert_eq!(findings(&outcome).len(), 0, "{outcome:?}");
    put(&usr, "svcup", SCRIPT, 0o755);
    std::fs::remove_file(usr.join("svcdown")).unwrap();
    let outcome = check(tree.path());
    let found = findings(&outcome);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("note: usr/svcup: there is no `svcdown`"));
    assert!(
        found[1].starts_with("note: usr/svcup: there is no `monitor`: the services of `svc.d`")
    );
    // A directory without a service is none.
    std::fs::remove_file(usr.join("svc.d/web")).unwrap();
    let outcome = check(tree.path());
    let found = findings(&outcome);
    assert!(
        found[0].starts_with("warning: usr/svcup: there is no `svcdown`"),
        "{found:#?}"
    );
}

#[test]
fn svcdown_alone_is_run_and_nothing_is_said_about_it() {
    let tree = good();
    let usr = tree.path().join("ww/usr");
    for name in ["svcup", "monitor", "boot"] {
        std::fs::remove_file(usr.join(name)).unwrap();
    }
    let outcome = check(tree.path());
    assert_eq!(findings(&outcome).len(), 0, "{outcome:?}");
}
