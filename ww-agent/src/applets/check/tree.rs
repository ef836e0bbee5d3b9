//! The tree of an image: where it is, and what may lie where.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use whaleware::spelling::nearest;

use super::finding::{Finding, Level};
use super::{configuration, relative, scripts};
use crate::applets::legible;

/// What may lie at the top of the tree.
const TOP: [&str; 6] = ["usr", "etc", "files", "bin", "run", "cfg"];

/// The most entries of one directory that are looked at.
const MAX_ENTRIES: usize = 10_000;

/// The tree of an image.
#[derive(Debug)]
pub(super) struct Tree {
    /// What becomes `/ww`.
    directory: PathBuf,
    /// What becomes `/`, where that is known.
    root: Option<PathBuf>,
}

impl Tree {
    /// Takes the directory for a tree, or what lies in it as `ww`.
    ///
    /// # Errors
    /// In words, when it cannot be read.
    pub(super) fn open(given: PathBuf, root: Option<PathBuf>) -> Result<Self, String> {
        for directory in root.iter().chain([&given]) {
            let shown = legible::line(&directory.to_string_lossy());
            match fs::metadata(directory) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => return Err(format!("cannot check {shown}: it is not a directory")),
                Err(error) => return Err(format!("cannot check {shown}: {error}")),
            }
        }
        let inner = given.join("ww");
        let (directory, around) = if inner.is_dir() {
            (inner, Some(given))
        } else if given == Path::new("/ww") {
            (given, Some("/".into()))
        } else {
            (given, None)
        };
        // A directory that merely holds `ww` says nothing about interpreters; one with `bin` does.
        let around =
            around.filter(|root| root.join("bin").exists() || root.join("usr/bin").exists());
        Ok(Self {
            directory,
            root: root.or(around),
        })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// Everything found, by path.
    pub(super) fn lint(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.lint_top(&mut findings);
        scripts::lint(self, &mut findings);
        configuration::lint(self, &mut findings);
        findings.sort_by(|one, other| (&one.path, one.level).cmp(&(&other.path, other.level)));
        findings
    }

    fn lint_top(&self, findings: &mut Vec<Finding>) {
        let names = self.names(Path::new(""), findings);
        if !names.iter().any(|name| TOP.contains(&name.as_str())) {
            findings.push(Finding::new(
                Level::Error,
                ".",
                "there is neither `usr` nor `etc` here",
                "give the directory that becomes /ww",
            ));
        }
        for name in names.iter().filter(|name| !TOP.contains(&name.as_str())) {
            if let Some(near) = nearest(name, &["usr", "etc", "files"])
                && !names.iter().any(|name| name == near)
            {
                findings.push(Finding::new(
                    Level::Warning,
                    name,
                    "the agent does not look here",
                    format!("did you mean `{near}`?"),
                ));
            }
        }
    }

    /// The names in a directory of the tree, sorted; none when it is not there.
    pub(super) fn names(&self, directory: &Path, findings: &mut Vec<Finding>) -> Vec<String> {
        let path = self.directory.join(directory);
        let listed = fs::read_dir(&path).and_then(|entries| {
            entries
                .take(MAX_ENTRIES)
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect::<io::Result<Vec<_>>>()
        });
        match listed {
            Ok(mut names) => {
                names.sort();
                names
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                findings.push(Finding::new(
                    Level::Error,
                    relative(&self.directory, &path),
                    format!("cannot be listed: {error}"),
                    "make it a directory that can be read",
                ));
                Vec::new()
            }
        }
    }
}
