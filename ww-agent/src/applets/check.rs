//! `ww-agent check [DIR]`: looks an image's tree over.
//!
//! With `--json` the findings are one document on stdout: `schema` (1), `checked` (the directory),
//! `errors`, `warnings` and `notes` (how many there are of each), and `findings`, each with `level`,
//! `path`, `what` and `remedy`. Its texts are as they are, not fit for a terminal.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::libc::O_NONBLOCK;
use serde_json::json;

use super::usage::{Argument, Usage, read};
use super::{FAILED, USAGE, help, legible, terminal};

use crate::environment::Environment;

mod configuration;
mod finding;
mod scripts;
mod tree;

use finding::{Finding, Level};
use tree::Tree;

pub(super) fn main(usage: Usage, arguments: &[OsString]) -> u8 {
    let asked = match parse(usage, arguments) {
        Ok(asked) => asked,
        Err(code) => return code,
    };
    let tree = match Tree::open(asked.directory, asked.root) {
        Ok(tree) => tree,
        Err(why) => return usage.failed(&why, USAGE),
    };
    let findings = tree.lint();
    let printed = terminal::print(&if asked.json {
        document(&tree, &findings)
    } else {
        report(&tree, &findings)
    });
    let failed = findings.iter().any(|finding| finding.level == Level::Error);
    printed.max(if failed { FAILED } else { 0 })
}

/// What is to be done.
struct Asked {
    /// The tree, or what holds it.
    directory: PathBuf,
    /// What becomes `/`, where it was named.
    root: Option<PathBuf>,
    /// For a program.
    json: bool,
}

fn parse(usage: Usage, arguments: &[OsString]) -> Result<Asked, u8> {
    let (mut directory, mut root) = (None, None);
    let mut json = false;
    let mut root_follows = false;
    for argument in read(arguments) {
        match argument {
            Argument::Word(word) if root_follows => {
                root = Some(PathBuf::from(word));
                root_follows = false;
            }
            Argument::Flag("-h" | "--help", None) => return Err(terminal::print(help::CHECK)),
            Argument::Flag("--root", value) if !root_follows => match value {
                Some(value) => root = Some(PathBuf::from(value)),
                None => root_follows = true,
            },
            Argument::Flag("--json", None) if !root_follows => json = true,
            Argument::Flag(flag, _) => {
                return Err(usage.unknown_flag(flag, &["--root", "--json", "--help"]));
            }
            Argument::Word(word) if directory.is_none() => directory = Some(PathBuf::from(word)),
            Argument::Word(word) => return Err(usage.too_many(word)),
        }
    }
    if root_follows {
        return Err(usage.wrong("`--root` needs a directory after it"));
    }
    let directory = directory
        .or_else(|| root.clone())
        .unwrap_or_else(|| Environment::read().path("/ww"));
    Ok(Asked {
        directory,
        root,
        json,
    })
}

/// How many errors, warnings and notes there are.
fn counts(findings: &[Finding]) -> [usize; 3] {
    let mut counts = [0; 3];
    for finding in findings {
        counts[finding.level as usize] += 1;
    }
    counts
}

fn document(tree: &Tree, findings: &[Finding]) -> String {
    let [errors, warnings, notes] = counts(findings);
    let findings: Vec<_> = findings
        .iter()
        .map(|finding| {
            json!({
                "level": finding.level.name(),
                "path": finding.path,
                "what": finding.what,
                "remedy": finding.remedy,
            })
        })
        .collect();
    let document = json!({
        "schema": 1,
        "checked": tree.directory().to_string_lossy(),
        "errors": errors,
        "warnings": warnings,
        "notes": notes,
        "findings": findings,
    });
    format!("{document}\n")
}

fn report(tree: &Tree, findings: &[Finding]) -> String {
    let mut page = String::new();
    for finding in findings {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "{}", legible::line(&finding.to_string()));
    }
    let [errors, warnings, notes] = counts(findings);
    let _ = writeln!(
        page,
        "{}: {}, {}, {}",
        legible::line(&tree.directory().to_string_lossy()),
        count(errors, "error"),
        count(warnings, "warning"),
        count(notes, "note"),
    );
    page
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Opens a file of the tree to read it, without waiting for whoever might write into a pipe.
///
/// # Errors
/// When it cannot be opened, or is no regular file.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file)
}

/// The path as the image's author knows it: below the tree.
fn relative(directory: &Path, path: &Path) -> String {
    path.strip_prefix(directory)
        .unwrap_or(path)
        .to_string_lossy()
        .into_owned()
}
