//! The agent's own check of a tree, run before the tree is built into an image.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::binary::StaticBinary;

/// The most lines of findings passed on.
const MAX_LINES: usize = 100;

/// Why a tree did not pass.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LintError {
    /// The check could not be made.
    #[error("cannot check the tree with {}", agent.display())]
    Run {
        /// The agent.
        agent: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The check ended in an unforeseen way.
    #[error("cannot check the tree with {}: it ended with {status}: {said}", agent.display())]
    Ended {
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

/// Checks a tree and returns the warnings, a line each. Notes are for those who ask for the check
/// itself.
///
/// # Errors
/// When the check finds errors or cannot be made.
pub(crate) async fn check(agent: &StaticBinary, tree: &Path) -> Result<Vec<String>, LintError> {
    let (agent, tree) = (agent.path().to_owned(), tree.to_owned());
    let run = |source| LintError::Run {
        agent: agent.clone(),
        source,
    };
    let mut command = Command::new(&agent);
    command.arg("check").arg(&tree).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .map_err(|error| run(io::Error::other(error)))?
        .map_err(run)?;
    judge(agent, tree, &output)
}

fn judge(agent: PathBuf, tree: PathBuf, output: &Output) -> Result<Vec<String>, LintError> {
    let lines = lines(&output.stdout).chain(lines(&output.stderr));
    let lines: Vec<_> = lines
        .filter(|line| !line.starts_with("note: "))
        .take(MAX_LINES)
        .collect();
    match output.status.code() {
        // Without findings there is only the sum of them, which says nothing.
        Some(0) => Ok(lines
            .into_iter()
            .filter(|line| line.starts_with("warning: "))
            .collect()),
        Some(1) => Err(LintError::Found {
            tree,
            findings: lines,
        }),
        Some(_) | None => {
            let said = lines
                .into_iter()
                .next()
                .unwrap_or_else(|| "nothing was said".into());
            Err(LintError::Ended {
                agent,
                status: output.status,
                said,
            })
        }
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = String> {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(super::build::plain)
        .collect();
    lines.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    fn judged(code: i32, said: &str) -> Result<Vec<String>, LintError> {
        let output = Output {
            status: ExitStatus::from_raw(code << 8),
            stdout: said.into(),
            stderr: Vec::new(),
        };
        judge("agent".into(), "tree".into(), &output)
    }

    #[test]
    fn warnings_pass_and_errors_do_not() {
        assert_eq!(
            judged(
                0,
                "warning: usr/svcdown: missing\nnote: x\n\ntree: 0 errors, 1 warning\n"
            )
            .unwrap(),
            ["warning: usr/svcdown: missing"]
        );
        let error = judged(1, "usr/boot: no run bit\nusr/svcup: CRLF\n").unwrap_err();
        let LintError::Found { findings, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!(findings, ["usr/boot: no run bit", "usr/svcup: CRLF"]);
        let error = judged(2, "unknown applet\x1b[2J").unwrap_err().to_string();
        assert!(error.ends_with("unknown applet"), "{error:?}");
    }
}
