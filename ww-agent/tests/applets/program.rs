use std::process::Stdio;

use crate::{outcome, ww_agent};

#[test]
fn the_version_names_the_protocol() {
    for argument in ["version", "--version", "-V"] {
        outcome(ww_agent().arg(argument)).is(0, "ww-agent 0.1.0 (protocol 1)\n");
    }
}

#[test]
fn every_applet_has_its_help() {
    let program = outcome(ww_agent().arg("--help"));
    assert_eq!(program.code, Some(0));
    for applet in [
        "run", "cfg", "status", "attach", "backup", "health", "notify", "check", "version",
    ] {
        assert!(
            program.stdout.contains(&format!("\n  {applet} ")),
            "{applet}"
        );
        let long = outcome(ww_agent().args([applet, "--help"]));
        let short = outcome(ww_agent().args([applet, "-h"]));
        let by_name = outcome(ww_agent().args(["help", applet]));
        assert!(long.stdout.contains("Usage: "), "{applet}: {long:?}");
        assert_eq!((long.code, &long.stdout), (Some(0), &short.stdout));
        assert_eq!((by_name.code, &by_name.stdout), (Some(0), &long.stdout));
        for line in long.stdout.lines().chain(program.stdout.lines()) {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}

#[test]
fn wrong_arguments_are_named() {
    let table: [(&[&str], &str); 7] = [
        (
            &["stauts"],
            "ww-agent: there is no applet `stauts`; did you mean `status`?\nTry: ww-agent --help\n",
        ),
        (
            &["frobnicate"],
            "ww-agent: there is no applet `frobnicate`\nTry: ww-agent --help\n",
        ),
        (
            &["x\u{1b}[2J"],
            "ww-agent: there is no applet `x\u{fffd}[2J`\nTry: ww-agent --help\n",
        ),
        (
            &["status", "--jsn"],
            "ww-agent status: there is no option `--jsn`; did you mean `--json`?\nTry: ww-agent status --help\n",
        ),
        (
            &["status", "web"],
            "ww-agent status: one argument too many: `web`\nTry: ww-agent status --help\n",
        ),
        (
            &["health", "-q"],
            "ww-agent health: there is no option `-q`\nTry: ww-agent health --help\n",
        ),
        (
            &["help", "chek"],
            "ww-agent help: there is no applet `chek`; did you mean `check`?\n",
        ),
    ];
    for (arguments, expected) in table {
        outcome(ww_agent().args(arguments)).fails(2, expected);
    }
    let bare = outcome(&mut ww_agent());
    assert_eq!((bare.code, bare.stdout.as_str()), (Some(2), ""));
    assert!(bare.stderr.contains("Usage: ww-agent APPLET"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = ww_agent()
        .arg("--help")
        .stdout(Stdio::from(writer))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let status = ww_agent()
        .arg("--help")
        .stdout(Stdio::from(full))
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}
