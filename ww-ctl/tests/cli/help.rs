//! The help of every command reads well and stays as it is until somebody means to change it.

use crate::ctl;

#[test]
fn help_of_every_command() {
    for command in [
        "",
        "ls",
        "top",
        "show",
        "wait",
        "start",
        "stop",
        "restart",
        "logs",
        "events",
        "cfg",
        "image",
        "image build",
        "demo",
        "demo up",
        "demo down",
    ] {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        let ran = ctl(&arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{command}");
        let name = format!("help {command}").trim().replace(' ', "-");
        insta::assert_snapshot!(name, ran.stdout);
    }
}

#[test]
fn every_command_that_acts_has_an_example() {
    for command in [
        "ls", "top", "show", "wait", "start", "stop", "restart", "logs", "events", "cfg",
    ] {
        let help = ctl(&[command, "--help"]).stdout;
        let example = format!("Example: ww-ctl {command}");
        assert!(help.contains(&example), "{command}: {help}");
    }
}

#[test]
fn the_version_is_data() {
    let ran = ctl(&["--version"]);
    assert_eq!(ran.code, Some(0));
    assert_eq!(
        ran.stdout,
        format!("ww-ctl {}\n", env!("CARGO_PKG_VERSION"))
    );
}
