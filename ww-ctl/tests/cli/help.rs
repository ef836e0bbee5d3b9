//! The help of every command reads well and stays as it is until somebody means to change it.

use crate::{all, ctl};

#[test]
fn help_of_every_command() {
    let mut all = all();
    // Those that only gather others.
    all.extend(["", "image", "demo", "data", "backups"].map(str::to_owned));
    for command in all {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        let ran = ctl(&arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{command}");
        let name = format!("help {command}").trim().replace(' ', "-");
        insta::assert_snapshot!(name, ran.stdout);
    }
}

#[test]
fn every_command_has_an_example() {
    for command in all() {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = ctl(&words).stdout;
        let example = help.lines().find(|line| line.starts_with("Example: "));
        let named = format!("ww-ctl {command}");
        assert!(
            example.is_some_and(|example| example.contains(&named)),
            "{command}: {help}"
        );
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
