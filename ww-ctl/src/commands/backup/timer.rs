//! `backup --install-timer`: units for systemd that do the same every night.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use whaleware::env::{DOCKER_CONFIG, DOCKER_CONTEXT, DOCKER_HOST, RESTIC_PASSWORD_FILE, WW_VAULT};

use super::Context;
use crate::cli::Backup;
use crate::environment::{own_path, own_words, variable};
use crate::exit::{Exit, Failure};
use crate::output::lines;

/// Where units of the machine's own are.
const UNITS: &str = "etc/systemd/system";
/// What the two are called.
const NAME: &str = "ww-backup";
/// Options that are about the units and not in them, and whether they take a value.
const OWN: [(&str, bool); 6] = [
    ("--install-timer", false),
    ("--print", false),
    ("--on-calendar", true),
    ("--destdir", true),
    ("--yes", false),
    ("-y", false),
];

pub(super) async fn run(context: &Context, arguments: &Backup) -> Result<Exit, Failure> {
    let program = own_path().map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("cannot tell where this program is: {error}"),
        )
    })?;
    let docker = [DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG];
    let variables = [WW_VAULT, RESTIC_PASSWORD_FILE].into_iter().chain(docker);
    let variables = variables.filter_map(|name| Some((name, variable(name)?)));
    let service = service(&program, &words(own_words()), variables);
    let timer = timer(&arguments.on_calendar);
    if arguments.print {
        let text = format!("# {NAME}.service\n{service}\n# {NAME}.timer\n{timer}");
        context.output.data(&text)?;
        return Ok(Exit::Done);
    }
    context.may_change("install a timer")?;
    let directory = directory(arguments)?;
    let place = |ending: &str| directory.join(format!("{NAME}.{ending}"));
    let both = [(place("service"), &service), (place("timer"), &timer)];
    for (path, text) in &both {
        let path = path.display();
        context.output.say(&format!("# {path}\n{text}"));
    }
    context
        .confirm(&format!("write these into {}", directory.display()))
        .await?;
    let entry = context.audit.begin("backup --install-timer", Vec::new());
    for (path, text) in &both {
        replace(path, text).map_err(|error| {
            let path = path.display();
            Failure::new(Exit::Failed, format!("cannot write {path}: {error}"))
                .hint("units of the machine belong to root: try it with sudo, or use --print")
        })?;
    }
    entry.end(Exit::Done, "");
    let what = format!("systemctl daemon-reload && systemctl enable --now {NAME}.timer");
    context.output.data(&format!("written; now: {what}\n"))?;
    Ok(Exit::Done)
}

/// Where they are written.
fn directory(arguments: &Backup) -> Result<PathBuf, Failure> {
    let root = arguments.destdir.as_deref().unwrap_or(Path::new("/"));
    let directory = root.join(UNITS);
    if directory.is_dir() {
        return Ok(directory);
    }
    let message = format!(
        "there is no {}: systemd is not used here",
        directory.display()
    );
    Err(Failure::new(Exit::Refused, message)
        .hint("call `ww-ctl backup --all` from cron instead; --print shows the units"))
}

/// The command line without what is about the units.
fn words(all: Vec<String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut all = all.into_iter();
    while let Some(word) = all.next() {
        let own = OWN.iter().find(|(name, _)| *name == word);
        let is_joined = OWN.iter().any(|(name, takes)| {
            *takes
                && word
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with('='))
        });
        match own {
            Some((_, true)) => drop(all.next()),
            Some((_, false)) => {}
            None if is_joined => {}
            None => kept.push(word),
        }
    }
    kept
}

fn service(
    program: &Path,
    words: &[String],
    variables: impl Iterator<Item = (&'static str, String)>,
) -> String {
    let command = std::iter::once(program.to_string_lossy().into_owned());
    let command: Vec<String> = command
        .chain(words.iter().cloned())
        .map(|word| quoted(&word, "%$"))
        .collect();
    let variables = variables.map(|(name, value)| format!("{name}={value}"));
    let variables = variables.map(|pair| format!("Environment={}", quoted(&pair, "%")));
    let variables = lines(variables);
    format!(
        "[Unit]\nDescription=Backup of whaleware containers\nAfter=docker.service\n\n\
         [Service]\nType=oneshot\nTimeoutStartSec=infinity\nTimeoutStopSec=10min\nKillMode=mixed\n\
         Nice=10\nIOSchedulingClass=idle\n{variables}ExecStart={}\n",
        command.join(" ")
    )
}

fn timer(calendar: &str) -> String {
    format!(
        "[Unit]\nDescription=Backup of whaleware containers\n\n\
         [Timer]\nOnCalendar={calendar}\nPersistent=true\nRandomizedDelaySec=5min\n\n\
         [Install]\nWantedBy=timers.target\n"
    )
}

/// A word as systemd reads it back: nothing in it is looked up or split. What is looked up where it stands is
/// written twice.
fn quoted(word: &str, looked_up: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@,+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let mut text = String::from('"');
    for c in word.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if looked_up.contains(c) => text.extend([c, c]),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    let written = (|| {
        let mut file = fs::File::options()
            .write(true)
            .create_new(true)
            .open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    })();
    if written.is_err() {
        let _left = fs::remove_file(&fresh);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_called_without_what_is_about_the_units() {
        let line = "backup --all --install-timer --on-calendar daily --destdir=/x -y --to /srv/b";
        let all = line.split(' ').map(str::to_owned).collect();
        let unit = service(
            Path::new("/usr/bin/ww-ctl"),
            &words(all),
            std::iter::empty(),
        );
        let command = "ExecStart=/usr/bin/ww-ctl backup --all --to /srv/b\n";
        assert!(unit.ends_with(command), "{unit}");
    }

    #[test]
    fn a_word_is_read_back_as_it_was() {
        assert_eq!(quoted("a b\"$x%h\\", "%$"), r#""a b\"$$x%%h\\""#);
        assert_eq!(quoted("", "%"), "\"\"");
        assert_eq!(quoted("**/*.log", "%$"), "\"**/*.log\"");
    }
}
