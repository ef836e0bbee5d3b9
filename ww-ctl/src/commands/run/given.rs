//! What the options name that lies elsewhere: files, stdin, the environment.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use whaleware::config::{Layer, MAX_TEXT, parse};
use whaleware::env;

use crate::cli::Run;
use crate::environment;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;

/// The most bytes of a file with variables, and of a security profile.
const MAX_FILE: usize = 1 << 20;
/// The most characters shown of a path or a name.
const SHOWN: usize = 200;

/// All of it, read.
#[derive(Default)]
pub(super) struct Given {
    /// `--cfg`.
    pub cfg: Option<Layer>,
    /// Variables, in the order in which later ones win; a name alone takes one away.
    pub environment: Vec<String>,
    /// `--security-opt`, profiles in place of their files.
    pub security: Vec<String>,
    /// Nothing of `/proc` and `/sys` is to be hidden.
    pub unconfined_paths: bool,
}

impl Given {
    /// The last `CFG` among the variables.
    pub(super) fn own_cfg(&self) -> Option<&str> {
        let prefix = |line: &&String| {
            line.strip_prefix(env::CFG)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        };
        let line = self.environment.iter().rev().find(prefix)?;
        Some(line.split_once('=').map_or("", |(_, value)| value))
    }
}

/// Reads it. Blocks on what is read.
pub(super) fn read(wanted: &Wanted) -> Result<Given, Failure> {
    let mut given = Given::default();
    if let Some(path) = &wanted.cfg {
        given.cfg = Some(cfg(path)?);
    }
    for path in &wanted.env_files {
        variables(path, &mut given.environment)?;
    }
    for word in &wanted.env {
        given.environment.push(variable(word)?);
    }
    for option in &wanted.security {
        security(option, &mut given)?;
    }
    Ok(given)
}

/// What is to be read.
pub(super) struct Wanted {
    cfg: Option<String>,
    env_files: Vec<String>,
    env: Vec<String>,
    security: Vec<String>,
}

impl Wanted {
    pub(super) fn of(arguments: &Run) -> Self {
        Self {
            cfg: arguments.cfg.clone(),
            env_files: arguments.process.env_file.clone(),
            env: arguments.process.env.clone(),
            security: arguments.security.options.clone(),
        }
    }
}

fn cfg(path: &str) -> Result<Layer, Failure> {
    let (name, text) = if path == "-" {
        ("stdin".to_owned(), bounded(io::stdin().lock(), MAX_TEXT))
    } else {
        let opened = File::open(path).and_then(|file| bounded(file, MAX_TEXT));
        (shown(path), opened)
    };
    let text = text.map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("cannot read the configuration {name}: {error}"),
        )
        .hint("--cfg takes a file with JSON, or - for stdin")
    })?;
    parse(&name, &text).map_err(|error| Failure::new(Exit::Failed, error.to_string()))
}

/// One byte more than the limit where there are more.
fn bounded(source: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    source.take(limit as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}

fn small(path: &str, what: &str) -> Result<String, Failure> {
    let read = File::open(path)
        .and_then(|file| bounded(file, MAX_FILE))
        .and_then(|text| {
            if text.len() > MAX_FILE {
                return Err(io::Error::other(format!(
                    "it has more than {MAX_FILE} bytes"
                )));
            }
            String::from_utf8(text).map_err(|_| io::Error::other("it is not UTF-8"))
        });
    read.map_err(|error| {
        let message = format!("cannot read the {what} {}: {error}", shown(path));
        Failure::new(Exit::Failed, message)
    })
}

/// As Docker reads such files: no quotes, no substitution.
fn variables(path: &str, into: &mut Vec<String>) -> Result<(), Failure> {
    let text = small(path, "variables in")?;
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.split_once('=').map_or(line, |(name, _)| name);
        // The line itself may be a secret.
        if name.is_empty() || name.contains(char::is_whitespace) {
            let message = format!(
                "cannot read the variables in {}: line {}: expected NAME=VALUE, the name without spaces",
                shown(path),
                number + 1
            );
            return Err(Failure::new(Exit::Failed, message));
        }
        if line.contains('=') {
            into.push(line.to_owned());
        } else if let Some(value) = environment::exact(name) {
            into.push(format!("{name}={value}"));
        }
    }
    Ok(())
}

fn variable(word: &str) -> Result<String, Failure> {
    if word.is_empty() || word.starts_with('=') {
        return Err(Failure::new(
            Exit::Usage,
            "cannot use --env: expected NAME=VALUE or NAME",
        ));
    }
    Ok(match environment::exact(word) {
        Some(value) if !word.contains('=') => format!("{word}={value}"),
        Some(_) | None => word.to_owned(),
    })
}

/// Docker's own tool reads profiles and knows `systempaths`; the Engine does not.
fn security(option: &str, given: &mut Given) -> Result<(), Failure> {
    if option == "systempaths=unconfined" {
        given.unconfined_paths = true;
        return Ok(());
    }
    let path = option
        .strip_prefix("seccomp=")
        .filter(|path| !matches!(*path, "unconfined" | "builtin"));
    let Some(path) = path else {
        given.security.push(option.to_owned());
        return Ok(());
    };
    let text = small(path, "seccomp profile")?;
    let profile: serde_json::Value = serde_json::from_str(&text).map_err(|error| {
        let message = format!(
            "cannot read the seccomp profile {} as JSON: line {}, column {}",
            shown(path),
            error.line(),
            error.column()
        );
        Failure::new(Exit::Failed, message)
    })?;
    given.security.push(format!("seccomp={profile}"));
    Ok(())
}

fn shown(path: &str) -> String {
    clean(&Path::new(path).display().to_string(), SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("given");
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap().to_owned();
        (dir, path)
    }

    #[test]
    fn variables_are_read_as_docker_reads_them() {
        let (_dir, path) =
            written("\u{feff}# a comment\n\n  A=1\nB= x \"y\" \nWW_TEST_NO_SUCH\nA=2\n");
        let mut found = Vec::new();
        variables(&path, &mut found).unwrap();
        assert_eq!(found, ["A=1", "B= x \"y\" ", "A=2"]);
        let (_dir, path) = written("A=1\nhunter2 is=secret\n");
        let failure = variables(&path, &mut Vec::new()).unwrap_err();
        assert!(failure.message.contains("line 2"), "{failure:?}");
        assert!(!failure.message.contains("hunter2"), "{failure:?}");
    }

    #[test]
    fn a_variable_has_a_name() {
        assert_eq!(variable("A=b=c").unwrap(), "A=b=c");
        assert_eq!(variable("WW_TEST_NO_SUCH").unwrap(), "WW_TEST_NO_SUCH");
        let failure = variable("=hunter2").unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(!failure.message.contains("hunter2"), "{failure:?}");
    }

    #[test]
    fn the_last_cfg_counts() {
        let given = |lines: &[&str]| Given {
            environment: lines.iter().map(|&line| line.to_owned()).collect(),
            ..Given::default()
        };
        assert_eq!(
            given(&["CFG={}", "A=1", "CFG={\"a\":1}"]).own_cfg(),
            Some("{\"a\":1}")
        );
        assert_eq!(given(&["CFG_FILE=/x", "ACFG=1"]).own_cfg(), None);
        assert_eq!(given(&["CFG"]).own_cfg(), Some(""));
    }

    #[test]
    fn a_profile_is_sent_instead_of_its_name() {
        let (_dir, path) = written("{ \"defaultAction\" : \"SCMP_ACT_ALLOW\" }\n");
        let mut given = Given::default();
        for option in [
            format!("seccomp={path}"),
            "seccomp=unconfined".into(),
            "no-new-privileges".into(),
            "systempaths=unconfined".into(),
        ] {
            security(&option, &mut given).unwrap();
        }
        assert_eq!(
            given.security,
            [
                "seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}",
                "seccomp=unconfined",
                "no-new-privileges"
            ]
        );
        assert!(given.unconfined_paths);
    }

    #[test]
    fn a_configuration_that_cannot_be_read_is_named_with_its_place() {
        let (_dir, path) = written("{\n  \"password\": hunter2\n}");
        let failure = cfg(&path).unwrap_err();
        assert!(failure.message.contains("line 2, column 15"), "{failure:?}");
        assert!(failure.message.contains(&path), "{failure:?}");
        assert!(!failure.message.contains("hunter2"), "{failure:?}");
        let (_dir, path) = written(&" ".repeat(MAX_TEXT + 1));
        assert!(cfg(&path).unwrap_err().message.contains("more than"));
    }
}
