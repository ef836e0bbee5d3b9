//! Which command prints which form: what it cannot print is refused before anything is done.

use crate::{all, ctl};

const FORMATS: [&str; 5] = ["table", "wide", "json", "jsonl", "name"];
/// Nobody answers here: what is not refused gets to that.
const GONE: [&str; 2] = ["-H", "unix:///nonexistent/docker.sock"];

/// A command with what it needs to be understood, and the forms it has, `twjln`.
const COMMANDS: &[(&str, &str)] = &[
    ("ls", "twjln"),
    ("top", "t"),
    ("show x", "twjln"),
    ("wait x --for UP", "twjln"),
    ("start x", "twjln"),
    ("stop x", "twjln"),
    ("restart x", "twjln"),
    ("upgrade x --image y", "twjln"),
    ("logs x", "twl"),
    ("exec x -- true", "t"),
    ("events", "twjln"),
    ("cfg x", "twjl"),
    ("cfg x --origin", "twjln"),
    ("cfg --diff x y", "twjln"),
    ("data create x-data", "twjln"),
    ("data ls", "twjln"),
    ("data show x-data", "twjln"),
    ("backup x", "twjln"),
    ("restore x y", "twjln"),
    ("backup --install-timer --print", "t"),
    ("data adopt x-data", "twjln"),
    ("data clone x-data y-data", "twjln"),
    ("data rm x-data", "twjln"),
    ("data doctor", "twjln"),
    ("backups ls", "twjln"),
    ("backups show x", "twjln"),
    ("backups verify x", "twjln"),
    ("backups drill x", "twjln"),
    ("backups prune --keep-last 1", "twjln"),
    ("audit", "twjln"),
    ("run x --name y", "twjln"),
    ("run x --name y --print", "twjl"),
    ("init /dev/null/shop", "twjln"),
    ("check /nonexistent", "twjl"),
    ("check --image x", "twjl"),
    ("image build --base scratch -t x", "twjln"),
    ("demo up", "twjln"),
    ("demo down", "twjl"),
    ("completions bash", "t"),
    ("man /nonexistent", "twjln"),
];

#[test]
fn a_form_that_a_command_does_not_have_is_refused() {
    for (command, forms) in COMMANDS {
        for format in FORMATS {
            let letter = if format == "jsonl" {
                'l'
            } else {
                format.chars().next().unwrap_or('?')
            };
            let words: Vec<&str> = GONE
                .into_iter()
                .chain(["-o", format])
                .chain(command.split(' '))
                .collect();
            let ran = ctl(&words);
            let refused = format!("does not print `{format}`");
            if forms.contains(letter) {
                assert!(!ran.stderr.contains("does not print"), "{command}: {ran:?}");
            } else {
                assert_eq!(ran.code, Some(2), "{command} -o {format}: {ran:?}");
                assert_eq!(ran.stdout, "", "{command} -o {format}");
                assert!(ran.stderr.contains(&refused), "{command}: {}", ran.stderr);
            }
        }
    }
}

#[test]
fn every_command_is_in_the_table() {
    for command in all() {
        let begins = format!("{command} ");
        let is_there = COMMANDS
            .iter()
            .any(|(line, _)| format!("{line} ").starts_with(&begins));
        assert!(is_there, "`ww-ctl {command}` is not in the table");
    }
}
