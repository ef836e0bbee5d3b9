//! The agent's own check of a tree, run before the tree is built into an image, or by itself.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::{Deserialize, Serialize};

use super::binary::StaticBinary;
use crate::fleet::clean;

/// The most findings passed on; the worst of them.
const MAX_FINDINGS: usize = 1000;
/// The version of the document that is understood.
const SCHEMA: u32 = 1;
/// The most characters of one text passed on.
const MAX_TEXT: usize = 2000;

/// Why a tree did not pass.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LintError {
    /// The check could not be made.
    #[error("cannot check {} with {}", checked.display(), agent.display())]
    Run {
        /// What was to be checked.
        checked: PathBuf,
        /// The agent.
        agent: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What was named is no tree.
    #[error("{said}")]
    Refused {
        /// The agent's words.
        said: String,
    },
    /// The check ended in an unforeseen way.
    #[error("cannot check {} with {}: {status}: {said}", checked.display(), agent.display())]
    Ended {
        /// What was to be checked.
        checked: PathBuf,
        /// The agent.
        agent: PathBuf,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The first of what it said.
        said: String,
    },
    /// The check found errors.
    #[error("cannot build from the tree {}: the check found errors\n  {}", tree.display(), findings.join("\n  "))]
    Found {
        /// The tree.
        tree: PathBuf,
        /// A line each.
        findings: Vec<String>,
    },
}

/// How bad it is; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// The image will not do what its author wants.
    Error,
    /// It probably will not.
    Warning,
    /// Worth knowing.
    Note,
}

impl Level {
    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finding {
    /// How bad it is.
    pub(crate) level: Level,
    /// Where: below the tree, or what of the image.
    pub(crate) path: String,
    /// What is wrong.
    pub(crate) what: String,
    /// What to do; empty where nothing is to be done.
    #[serde(default)]
    pub(crate) remedy: String,
}

impl Finding {
    /// Fit for a terminal, whoever said it.
    fn cleaned(self) -> Self {
        Self {
            level: self.level,
            path: clean(&self.path, MAX_TEXT),
            what: clean(&self.what, MAX_TEXT),
            remedy: clean(&self.remedy, MAX_TEXT),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = self.level.name();
        write!(formatter, "{level}: {}: {}", self.path, self.what)?;
        if !self.remedy.is_empty() {
            write!(formatter, ": {}", self.remedy)?;
        }
        Ok(())
    }
}

/// What an agent's check says, with the fields that are of use here.
#[derive(Debug, Deserialize)]
struct Document {
    schema: u32,
    errors: usize,
    findings: Vec<Finding>,
}

/// Checks a tree and returns all that was found.
///
/// # Errors
/// When the check cannot be made, or what was named is no tree.
pub(crate) fn findings(
    agent: &StaticBinary,
    tree: &Path,
    root: Option<&Path>,
) -> Result<Vec<Finding>, LintError> {
    let mut command = Command::new(agent.path());
    command.args(["check", "--json"]);
    if let Some(root) = root {
        command.arg("--root").arg(root);
    }
    // A name that begins with a dash is no option.
    let given = if tree.is_absolute() {
        tree.to_owned()
    } else {
        Path::new(".").join(tree)
    };
    let output = command.arg(given).stdin(Stdio::null()).output();
    let output = output.map_err(|source| LintError::Run {
        checked: tree.into(),
        agent: agent.path().into(),
        source,
    })?;
    judge(agent.path(), tree, &output)
}

/// Checks a tree before it is built and returns the warnings. Notes are for those who ask for the check
/// itself.
///
/// # Errors
/// When the check finds errors or cannot be made.
pub(crate) async fn check(agent: &StaticBinary, tree: &Path) -> Result<Vec<String>, LintError> {
    let (agent, tree) = (agent.clone(), tree.to_owned());
    let ended = |source| LintError::Run {
        checked: PathBuf::new(),
        agent: PathBuf::new(),
        source,
    };
    let checked = tokio::task::spawn_blocking(move || {
        let found = findings(&agent, &tree, None)?;
        passed(tree, &found)
    });
    checked
        .await
        .map_err(|error| ended(io::Error::other(error)))?
}

/// The warnings, where there are no errors.
fn passed(tree: PathBuf, found: &[Finding]) -> Result<Vec<String>, LintError> {
    let failed = found.iter().any(|finding| finding.level == Level::Error);
    let lines = found
        .iter()
        .filter(|finding| finding.level != Level::Note)
        .map(ToString::to_string);
    if failed {
        return Err(LintError::Found {
            tree,
            findings: lines.collect(),
        });
    }
    Ok(lines.collect())
}

/// What the agent's check printed.
///
/// # Errors
/// In words, when that is none.
pub(crate) fn read(printed: &[u8]) -> Result<Vec<Finding>, String> {
    let document: Result<Document, _> = serde_json::from_slice(printed);
    // The error may quote what was printed.
    let document = document.map_err(|error| super::build::plain(&error.to_string()))?;
    if document.schema != SCHEMA {
        return Err(format!(
            "its findings have the schema {}, and {SCHEMA} is understood",
            document.schema
        ));
    }
    let mut found = document.findings;
    let errors = found.iter().filter(|one| one.level == Level::Error).count();
    if errors != document.errors {
        return Err(format!(
            "it counts {} errors and tells {errors}",
            document.errors
        ));
    }
    // Stable: by path among those that are as bad.
    found.sort_by_key(|one| one.level);
    let more = found.len().saturating_sub(MAX_FINDINGS);
    let found = found.into_iter().take(MAX_FINDINGS);
    let mut found: Vec<_> = found.map(Finding::cleaned).collect();
    if more > 0 {
        found.push(Finding {
            level: Level::Note,
            path: ".".into(),
            what: format!("there are {more} findings more, none of them worse"),
            remedy: "correct these first".into(),
        });
    }
    Ok(found)
}

fn judge(agent: &Path, tree: &Path, output: &Output) -> Result<Vec<Finding>, LintError> {
    let said = || {
        let bytes = [&output.stderr[..], &output.stdout].concat();
        let text = String::from_utf8_lossy(&bytes);
        let line = text.lines().find(|line| !line.trim().is_empty());
        line.map_or_else(|| "nothing was said".into(), super::build::plain)
    };
    let ended = |said| LintError::Ended {
        checked: tree.into(),
        agent: agent.into(),
        status: output.status,
        said,
    };
    match output.status.code() {
        Some(0 | 1) => read(&output.stdout).map_err(|error| {
            ended(if output.stdout.is_empty() {
                said()
            } else {
                error
            })
        }),
        Some(2) => {
            let said = said();
            // As it says itself, without its own name.
            match said.strip_prefix("ww-agent check: cannot check ") {
                Some(why) => Err(LintError::Refused {
                    said: format!("cannot check {why}"),
                }),
                None => Err(ended(said)),
            }
        }
        Some(_) | None => Err(ended(said())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    fn judged(code: i32, stdout: &str, stderr: &str) -> Result<Vec<Finding>, LintError> {
        let output = Output {
            status: ExitStatus::from_raw(code << 8),
            stdout: stdout.into(),
            stderr: stderr.into(),
        };
        judge(Path::new("agent"), Path::new("tree"), &output)
    }

    #[test]
    fn warnings_pass_and_errors_do_not() {
        let found = |level: &str| {
            let text = format!(
                r#"{{"schema":1,"errors":{},"findings":[{{"level":"{level}","path":"usr/boot\u001b[2J","what":"bad","remedy":"mend it"}},
                {{"level":"note","path":"x","what":"y","later":1}}],"later":true}}"#,
                usize::from(level == "error")
            );
            judged(1, &text, "").unwrap()
        };
        assert_eq!(
            passed("tree".into(), &found("warning")).unwrap(),
            ["warning: usr/boot: bad: mend it"]
        );
        let error = passed("tree".into(), &found("error")).unwrap_err();
        let LintError::Found { findings, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!(findings, ["error: usr/boot: bad: mend it"]);
    }

    #[test]
    fn errors_are_told_however_many_notes_there_are() {
        let note = r#"{"level":"note","path":"a","what":"b"}"#;
        let error = r#"{"level":"error","path":"z","what":"bad"}"#;
        let notes = vec![note; 1500].join(",");
        let text = format!(r#"{{"schema":1,"errors":1,"findings":[{notes},{error}]}}"#);
        let found = read(text.as_bytes()).unwrap();
        assert_eq!(found[0].level, Level::Error);
        assert_eq!(found.len(), MAX_FINDINGS + 1);
        assert!(found[MAX_FINDINGS].what.contains("501 findings more"));
    }

    #[test]
    fn what_contradicts_itself_is_not_believed() {
        for (text, expected) in [
            (
                r#"{"schema":1,"errors":5,"findings":[]}"#,
                "counts 5 errors and tells 0",
            ),
            (r#"{"schema":99,"errors":0,"findings":[]}"#, "schema 99"),
            (
                r#"{"schema":1,"errors":1,"findings":[{"level":"\u001b[2Jx","path":"","what":""}]}"#,
                "unknown variant",
            ),
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert!(
                error.contains(expected) && !error.contains('\u{1b}'),
                "{error:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_checked_is_told_in_the_agents_words() {
        let error = |code, stdout: &str, stderr: &str| {
            judged(code, stdout, stderr).unwrap_err().to_string()
        };
        let none = "ww-agent check: cannot check x: No such file or directory\n";
        assert_eq!(
            error(2, "", none),
            "cannot check x: No such file or directory"
        );
        let older = error(2, "", "ww-agent check: unknown option `--json`\x1b[2J\n");
        assert!(
            older.contains("agent") && older.ends_with("unknown option `--json`"),
            "{older:?}"
        );
        assert!(error(0, "no JSON", "").contains("expected"));
        assert!(error(1, "", "it broke\n").ends_with("it broke"));
        assert!(error(139, "", "").ends_with("nothing was said"));
    }
}
