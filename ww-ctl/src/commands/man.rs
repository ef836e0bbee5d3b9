//! `man`: the manual, a page a command, made from the same words as the help.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, bold, roman};
use serde_json::{Map, Value, json};

use super::record;
use crate::cli::{Cli, Format, Man};
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::output::{Output, lines};

/// The most characters of a path that are shown.
const TEXT: usize = 4096;
const MANUAL: &str = "whaleware";
/// What follows the example in the help of a command begins with this.
const EXAMPLE: &str = "Example: ";

/// What each exit code means.
const EXITS: [(&str, &str); 9] = [
    ("0", "Done."),
    ("1", "Failed, or failed for some of several."),
    (
        "2",
        "Wrong usage, a form of output the command does not have, or a name that means several containers.",
    ),
    ("3", "There is no such container, or none matched."),
    ("4", "It took longer than allowed."),
    ("5", "A Docker Engine was not reached."),
    ("6", "Refused: read-only, not confirmed, or still in use."),
    ("10", "Locked: another run is at work on the same."),
    ("128+n", "Ended by signal n."),
];

/// What the program takes from its environment.
const ENVIRONMENT: [(&str, &str); 10] = [
    (
        "DOCKER_HOST",
        "The Docker Engine, where neither -H nor -c names one.",
    ),
    (
        "DOCKER_CONTEXT",
        "The Docker context, where neither -H, -c nor DOCKER_HOST say otherwise.",
    ),
    (
        "DOCKER_CONFIG",
        "The directory with Docker's contexts and certificates instead of ~/.docker.",
    ),
    ("NO_COLOR", "No colours when set and not empty."),
    (
        "LC_ALL, LC_CTYPE, LANG",
        "Whether the dashboard may draw with more than ASCII.",
    ),
    (
        "SUDO_USER",
        "Who acts, in what agents record, where sudo was used.",
    ),
    (
        "WW_AGENT_BINARY",
        "The agent that goes into images, before the places where it is looked for.",
    ),
    (
        "WW_AUDIT_FILE",
        "Where it is written down who did what, instead of the usual place.",
    ),
    (
        "WW_BUSYBOX",
        "A statically linked busybox for the images of the demonstration.",
    ),
    (
        "WW_COMPLETE",
        "Set by the scripts of ww-ctl completions alone.",
    ),
];

/// The files the program uses.
const FILES: [(&str, &str); 6] = [
    (
        "/var/run/docker.sock",
        "The Docker Engine that is meant where nothing is said.",
    ),
    (
        "~/.docker/config.json, ~/.docker/contexts",
        "Docker's own configuration and its contexts.",
    ),
    (
        "/var/log/whaleware/audit.jsonl, ~/.local/state/ww-ctl/audit.jsonl",
        "Who did what, root's and anybody else's.",
    ),
    (
        "PREFIX/lib/whaleware/ww-agent",
        "The agent that goes into images, beside PREFIX/bin/ww-ctl.",
    ),
    (
        "/run/ww/agent.sock",
        "Inside a container: the agent's socket.",
    ),
    (
        "/data/.ww",
        "Inside a container: what its agent keeps for show --history and show --evidence.",
    ),
];

pub(super) fn run(arguments: &Man, format: Format, output: Output) -> Result<Exit, Failure> {
    let directory = &arguments.directory;
    let mut written = Vec::new();
    for (name, page) in pages().map_err(|error| failed(directory, &error))? {
        let path = directory.join(name);
        std::fs::write(&path, page).map_err(|error| failed(&path, &error))?;
        written.push(path);
    }
    let shown = |path: &PathBuf| clean(&path.display().to_string(), TEXT);
    let text = match format {
        Format::Json => {
            let files = written.iter().map(shown).map(Value::String).collect();
            record::document(Map::from_iter([("files".into(), Value::Array(files))]))
        }
        Format::Jsonl => written
            .iter()
            .map(|path| record::line(Map::from_iter([("file".into(), json!(shown(path)))])))
            .collect(),
        Format::Table | Format::Wide | Format::Name => lines(written.iter().map(shown)),
    };
    output.data(&text)?;
    Ok(Exit::Done)
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    let path = clean(&path.display().to_string(), TEXT);
    let message = format!("cannot write the manual to {path}: {error}");
    let failure = Failure::new(Exit::Failed, message);
    let kind = error.kind();
    failure.hint(
        if matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
            "name a directory that is there (mkdir -p makes one)"
        } else if kind == io::ErrorKind::PermissionDenied {
            "name a directory you may write to, or use sudo"
        } else {
            "is there room on the disk, and is it a directory?"
        },
    )
}

/// Every page, by its file's name.
fn pages() -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut command = Cli::command();
    command.build();
    let mut all = BTreeMap::new();
    add(&command, &[], &mut all)?;
    Ok(all)
}

/// The page of a command and those of its sub-commands.
fn add(
    command: &Command,
    above: &[&Command],
    all: &mut BTreeMap<String, Vec<u8>>,
) -> io::Result<()> {
    let page = Page::new(command.clone());
    all.insert(page.get_filename(), render(&page, command, above)?);
    let below: Vec<&Command> = above.iter().copied().chain([command]).collect();
    for one in subcommands(command) {
        add(one, &below, all)?;
    }
    Ok(())
}

fn subcommands(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|one| !one.is_hide_set())
}

fn render(page: &Page, command: &Command, above: &[&Command]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    // Its date is empty, which the library would leave out: the others would move up.
    let (title, version) = (name_of(command), env!("CARGO_PKG_VERSION"));
    writeln!(
        text,
        ".TH {title} 1 \"\" \"{MANUAL} {version}\" \"User Commands\""
    )?;
    page.render_name_section(&mut text)?;
    let mut roff = Roff::new();
    synopsis(&mut roff, command);
    description(&mut roff, command, above.is_empty());
    roff.to_writer(&mut text)?;
    page.render_options_section(&mut text)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut text)?;
    }
    let mut roff = Roff::new();
    if let Some(example) = parts(command).0 {
        roff.control("SH", ["EXAMPLE"]);
        roff.control("EX", []);
        roff.text([roman(example)]);
        roff.control("EE", []);
    }
    list(&mut roff, "EXIT STATUS", &EXITS);
    if above.is_empty() {
        list(&mut roff, "ENVIRONMENT", &ENVIRONMENT);
        list(&mut roff, "FILES", &FILES);
    }
    see_also(&mut roff, command, above);
    roff.to_writer(&mut text)?;
    Ok(text)
}

/// As the help has it.
fn synopsis(roff: &mut Roff, command: &Command) {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([roman(usage)]);
}

/// What it does, and what the help says of it below the options.
fn description(roff: &mut Roff, command: &Command, is_top: bool) {
    let about = command.get_about().map(ToString::to_string);
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([roman(format!(
        "{}.",
        about.unwrap_or_default().trim_end_matches('.')
    ))]);
    // Those of the whole program are its exit codes, which have a section.
    for part in parts(command).1.iter().filter(|_| !is_top) {
        roff.control("PP", []);
        roff.text([roman(part.replace('\n', " "))]);
    }
}

/// What the help says below the options: an example, and what else is to be known.
fn parts(command: &Command) -> (Option<String>, Vec<String>) {
    let words = command.get_after_help().map(ToString::to_string);
    let words = words.unwrap_or_default();
    let mut parts = words
        .split("\n\n")
        .filter(|part| !part.is_empty())
        .peekable();
    let example = parts.peek().and_then(|part| part.strip_prefix(EXAMPLE));
    let example = example.map(str::to_owned);
    if example.is_some() {
        parts.next();
    }
    (example, parts.map(str::to_owned).collect())
}

/// Words, each with what it means.
fn list(roff: &mut Roff, heading: &str, entries: &[(&str, &str)]) {
    roff.control("SH", [heading]);
    for (word, meaning) in entries {
        roff.control("TP", []);
        roff.text([bold(*word)]);
        roff.text([roman(*meaning)]);
    }
}

/// The name of its page: `ww-ctl-image-build`.
fn name_of(command: &Command) -> &str {
    let name = command.get_display_name();
    name.unwrap_or_else(|| command.get_name())
}

fn see_also(roff: &mut Roff, command: &Command, above: &[&Command]) {
    let parent = above.last().copied();
    let beside = parent.into_iter().flat_map(subcommands);
    let names = above
        .iter()
        .copied()
        .chain(subcommands(command))
        .chain(beside)
        .filter(|one| one.get_name() != command.get_name())
        .map(|one| format!("{}(1)", name_of(one)));
    let mut names: Vec<String> = names.collect();
    if above.is_empty() {
        names.push("docker(1)".into());
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text([roman(names.join(", "))]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_sections_and_no_other_file_is_written() {
        fn count(command: &Command) -> usize {
            1 + subcommands(command).map(count).sum::<usize>()
        }
        let pages = pages().unwrap();
        let mut command = Cli::command();
        command.build();
        assert_eq!(pages.len(), count(&command));
        for (name, page) in &pages {
            assert!(name.starts_with("ww-ctl") && name.ends_with(".1"), "{name}");
            let page = String::from_utf8(page.clone()).unwrap();
            for section in [
                "NAME",
                "SYNOPSIS",
                "DESCRIPTION",
                "\"EXIT STATUS\"",
                "\"SEE ALSO\"",
            ] {
                let heading = format!(".SH {section}\n");
                assert_eq!(page.matches(&heading).count(), 1, "{name} {section}");
            }
        }
        let all = String::from_utf8(pages["ww-ctl.1"].clone()).unwrap();
        for section in [".SH ENVIRONMENT", ".SH FILES"] {
            assert!(all.contains(section), "{section}");
        }
    }
}
