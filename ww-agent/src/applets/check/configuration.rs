//! Looks at `etc/`.

use std::io::{self, Read};
use std::path::Path;
use whaleware::spelling::nearest;

use whaleware::config::{self, ConfigError, Settings};
use whaleware::lifecycle::MAIN_SERVICE;

use super::finding::{Finding, Level};
use super::open;
use super::tree::Tree;

const DEFAULTS: &str = "etc/defaults.json";
const SERVICES: &str = "usr/svc.d";

pub(super) fn lint(tree: &Tree, findings: &mut Vec<Finding>) {
    for name in tree.names(Path::new("etc"), findings) {
        // In a running container they belong there.
        if matches!(name.as_str(), "cfg.json" | "source_cfg.json")
            && tree.root() != Some(Path::new("/"))
        {
            findings.push(Finding::new(
                Level::Warning,
                format!("etc/{name}"),
                "it is written anew at every boot, and may hold somebody's secrets",
                "leave it out of the image",
            ));
        } else if name != "defaults.json" && nearest(&name, &["defaults.json"]).is_some() {
            findings.push(Finding::new(
                Level::Error,
                format!("etc/{name}"),
                "the agent does not read it",
                "did you mean `defaults.json`?",
            ));
        }
    }
    lint_defaults(tree, findings);
}

fn lint_defaults(tree: &Tree, findings: &mut Vec<Finding>) {
    let mut text = Vec::new();
    let read = open(&tree.directory().join(DEFAULTS)).and_then(|file| {
        file.take(config::MAX_TEXT as u64 + 1)
            .read_to_end(&mut text)
    });
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => {
            findings.push(Finding::new(
                Level::Error,
                DEFAULTS,
                format!("cannot be read: {error}"),
                "make it a file with JSON",
            ));
            return;
        }
    }
    let layer = match config::parse(DEFAULTS, &text) {
        Ok(layer) => layer,
        Err(error) => {
            findings.push(unreadable(&error));
            return;
        }
    };
    let settings = Settings::read(&layer.object);
    if let Ok(settings) = &settings {
        lint_services(tree, settings, findings);
    }
    if let Err(error) = settings {
        let text = error.to_string();
        let (what, hint) = text.split_once("; ").unwrap_or((&text, ""));
        let remedy = if hint.is_empty() {
            "the settings are listed in docs/images.md"
        } else {
            hint
        };
        findings.push(Finding::new(Level::Error, DEFAULTS, what, remedy));
    }
}

/// Settings of services that the image does not have.
fn lint_services(tree: &Tree, settings: &Settings, findings: &mut Vec<Finding>) {
    let there = tree.names(Path::new(SERVICES), findings);
    let there: Vec<&str> = there.iter().map(String::as_str).collect();
    for name in settings.policy.services.keys() {
        // That is the command of `ww-agent run -- CMD`.
        if name == MAIN_SERVICE || there.contains(&name.as_str()) {
            continue;
        }
        let remedy = nearest(name, &there).map_or_else(
            || format!("add {SERVICES}/{name}, unless `boot` does"),
            |near| format!("did you mean `{near}`?"),
        );
        findings.push(Finding::new(
            Level::Warning,
            DEFAULTS,
            format!(
                "there are settings for a service `{name}` (ww.services), but no {SERVICES}/{name}"
            ),
            remedy,
        ));
    }
}

/// The same as the error says, in the order of a finding.
fn unreadable(error: &ConfigError) -> Finding {
    let new = |what: String, remedy: &str| Finding::new(Level::Error, DEFAULTS, what, remedy);
    match error {
        ConfigError::Syntax {
            line,
            column,
            reason,
            ..
        } => new(
            format!("line {line}, column {column}: {reason}"),
            "correct the JSON there; comments and trailing commas are fine",
        ),
        ConfigError::NotAnObject {
            line,
            column,
            found,
            ..
        } => new(
            format!("line {line}, column {column}: this is {found}"),
            "the configuration must be one JSON object: { … }",
        ),
        ConfigError::NotUtf8 { line, column, .. } => new(
            format!("line {line}, column {column}: not UTF-8"),
            "save the file as UTF-8",
        ),
        ConfigError::TooDeep { limit, .. } => new(
            format!("it is nested more than {limit} deep"),
            "make it flatter",
        ),
        ConfigError::TooLarge { size, limit, .. } => new(
            format!("{size} bytes, more than the {limit} a configuration may have"),
            "move the data into files/",
        ),
    }
}
