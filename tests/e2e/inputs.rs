//! Wrong inputs, each with a message one would like to get, and the right exit code.

use std::process::Command;

use crate::lab::{Lab, docker, run, ww_ctl, ww_ctl_path};

#[test]
fn names_and_engines_that_are_not_there() {
    ww_ctl(["show", "no-such-container-at-all"])
        .expect(3)
        .says(&["no-such-container-at-all", "ww-ctl ls"]);
    ww_ctl(["-H", "unix:///nonexistent/docker.sock", "ls"])
        .expect(5)
        .says(&["/nonexistent/docker.sock"]);
    ww_ctl(["ls", "--no-such-flag"])
        .expect(2)
        .says(&["--no-such-flag"]);
    ww_ctl(["wait", "x", "--for", "LATER"])
        .expect(2)
        .says(&["LATER"]);
    let denied = run(Command::new("setpriv")
        .args(["--reuid=12345", "--regid=12345", "--clear-groups"])
        .arg(ww_ctl_path())
        .arg("ls")
        .env("HOME", "/"));
    denied
        .expect(5)
        .says(&["permission denied", "docker.sock", "docker` group"]);
}

#[test]
fn a_name_that_matches_several_is_refused_with_the_candidates() {
    let lab = Lab::new("inputs");
    let tree = lab.tree("app");
    tree.all_scripts();
    let image = lab.image(&tree);
    let (one, two) = (
        lab.start("one", &image, &[], &[]),
        lab.start("two", &image, &[], &[]),
    );
    one.reaches("UP");
    two.reaches("UP");
    let glob = lab.named("*");
    ww_ctl(["show", &glob])
        .expect(2)
        .says(&[&one.name, &two.name]);
    // Acting on several without a terminal to confirm on is refused, and nothing is done.
    ww_ctl(["stop", &glob]).expect(6).says(&["--yes"]);
    assert_eq!(one.inspect("{{.State.Status}}"), "running");
    ww_ctl(["stop", &glob, "--yes"]).expect(0);
    assert_eq!(one.exit_code() + two.exit_code(), 0);
}

#[test]
fn configuration_that_cannot_be_used_names_the_place_and_never_the_value() {
    let lab = Lab::new("inputs");
    let tree = lab.tree("app");
    tree.all_scripts().defaults("{\n  \"memory\": 100\n}\n");
    let image = lab.image(&tree);
    for (what, cfg, words) in [
        (
            "syntax",
            "{\n \"password\": hunter2 }",
            ["CFG", "line 2", "column 14"],
        ),
        (
            "key",
            r#"{"ww":{"monitor":{"intervall":"1s"}},"p":"hunter2"}"#,
            ["ww.monitor.intervall", "did you mean", "interval"],
        ),
        (
            "type",
            r#"{"ww":{"drain":"hunter2"}}"#,
            ["ww.drain", "must be", "duration"],
        ),
        ("object", r#"["hunter2"]"#, ["CFG", "JSON object", "array"]),
    ] {
        let option = format!("CFG={cfg}");
        let guest = lab.start(what, &image, &["-e", &option], &[]);
        assert_eq!(guest.exit_code(), 78, "{what}");
        let output = guest.output();
        for word in words {
            assert!(
                output.contains(word),
                "{what}: {word:?} is not in {output:?}"
            );
        }
        assert!(!output.contains("hunter2"), "{what}: {output:?}");
        assert!(guest.log().is_empty(), "{what}: a script ran");
    }
    // Defaults of an image that was built without being looked at.
    let tree = lab.tree("defaults");
    tree.all_scripts()
        .defaults("{\n  \"memory\": 100\n  \"more\": 1\n}\n");
    let tag = lab.named("unchecked");
    let directory = tree.path().to_str().expect("UTF-8");
    let checked = ww_ctl([
        "image",
        "build",
        "--base",
        lab.base(),
        "--tree",
        directory,
        "-t",
        &tag,
    ]);
    checked
        .expect(1)
        .says(&["defaults.json", "line 2, column 16"]);
    ww_ctl([
        "image",
        "build",
        "--base",
        lab.base(),
        "--tree",
        directory,
        "-t",
        &tag,
        "--no-check",
    ])
    .expect(0);
    let guest = lab.start("defaults", &tag, &[], &[]);
    let (code, output) = (guest.exit_code(), guest.output());
    docker(["rm", "-f", &guest.name]);
    docker(["rmi", "-f", &tag]);
    assert_eq!(code, 78);
    assert!(
        output.contains("/ww/etc/defaults.json") && output.contains("line 2, column 16"),
        "{output}"
    );
}

#[test]
fn scripts_that_cannot_be_started_say_the_real_cause() {
    let lab = Lab::new("inputs");
    for (what, mode, content, words) in [
        ("norunbit", 0o644, "#!/bin/sh\n", vec!["run bit", "chmod"]),
        ("crlf", 0o755, "#!/bin/sh\r\necho hi\r\n", vec!["CRLF"]),
        (
            "nointerpreter",
            0o755,
            "#!/usr/bin/perl6\n",
            vec!["/usr/bin/perl6", "interpreter"],
        ),
        ("bom", 0o755, "\u{feff}#!/bin/sh\n", vec!["byte order mark"]),
    ] {
        let tree = lab.tree(what);
        tree.all_scripts().file("usr/upgrade", mode, content);
        let tag = lab.named(what);
        let directory = tree.path().to_str().expect("UTF-8").to_owned();
        // The lint of the build says so, and the agent says so where nobody looked before.
        if what != "nointerpreter" {
            ww_ctl([
                "image",
                "build",
                "--base",
                lab.base(),
                "--tree",
                &directory,
                "-t",
                &tag,
            ])
            .expect(1)
            .says(&["upgrade"])
            .says(&words);
        }
        ww_ctl([
            "image",
            "build",
            "--base",
            lab.base(),
            "--tree",
            &directory,
            "-t",
            &tag,
            "--no-check",
        ])
        .expect(0);
        let guest = lab.start(what, &tag, &[], &[]);
        let (code, output) = (guest.exit_code(), guest.output());
        docker(["rm", "-f", &guest.name]);
        docker(["rmi", "-f", &tag]);
        assert_eq!(code, 1, "{what}: {output}");
        for word in words.into_iter().chain(["upgrade", "LIFECYCLE: ERROR"]) {
            assert!(
                output.contains(word),
                "{what}: {word:?} is not in {output:?}"
            );
        }
    }
    // Without a shebang it runs through /bin/sh, as it does in a shell.
    let tree = lab.tree("noshebang");
    tree.all_scripts()
        .file("usr/upgrade", 0o755, "echo plain >> /data/log\n");
    let guest = lab.start("noshebang", &lab.image(&tree), &[], &[]);
    guest.reaches("UP");
    assert!(guest.log().contains(&"plain".to_owned()));
}
