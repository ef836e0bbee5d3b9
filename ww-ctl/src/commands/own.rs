//! This program, called by itself: what is a whole command of its own is done by just that command, which goes on when the
//! dashboard is left.

use std::process::{Output, Stdio};

use tokio::process::Command;

use crate::environment;
use crate::fleet::{Container, clean};
use crate::tui::{Reply, Verb};

/// Runs what is there, as `ww-ctl exec NAME -- bash` would.
const SHELL: &str = "if command -v bash > /dev/null; then exec bash; fi; exec sh";

/// This program, for the same Engines.
#[derive(Debug, Clone)]
pub(super) struct Tool {
    /// The words of the command line that say which Engines are meant.
    pub(super) engines: Vec<String>,
}

impl Tool {
    fn command(&self, words: &[&str]) -> Command {
        // Where it has been replaced meanwhile this is still the program that runs.
        let path = environment::own_path().unwrap_or_else(|_| "/proc/self/exe".into());
        let mut command = Command::new(path);
        command.args(&self.engines).args(words);
        command
    }

    /// A shell in a container, on the terminal that is there.
    pub(super) fn shell(&self, container: &Container) -> Command {
        let id: &str = &container.key.id;
        self.command(&["exec", "--tty", id, "--", "sh", "-c", SHELL])
    }

    /// Runs a command apart: what stops the dashboard (^Z) must not stop it while services are down.
    async fn apart(&self, words: &[&str]) -> std::io::Result<Output> {
        let mut command = self.command(words);
        command.stdin(Stdio::null()).process_group(0);
        command.output().await
    }

    /// Backs a container up; the answer names the set.
    pub(super) async fn backup(&self, container: &Container) -> Reply {
        let id: &str = &container.key.id;
        let ran = self.apart(&["backup", "--yes", "-o", "name", id]).await;
        let result = concluded(ran).map(|told| {
            let set = told.lines().last().unwrap_or_default();
            format!("backed up {}: {}", container.name, clean(set, 128))
        });
        reply(Verb::Backup, container, result)
    }

    /// Restarts containers one after the other; an answer for each.
    pub(super) async fn roll(&self, containers: &[Container]) -> Vec<Reply> {
        let mut words = vec!["restart", "--rolling", "--yes", "--quiet"];
        words.extend(containers.iter().map(|one| &*one.key.id));
        let result = concluded(self.apart(&words).await).map(|_| String::new());
        let replies = containers.iter();
        replies
            .map(|one| reply(Verb::Restart, one, result.clone()))
            .collect()
    }
}

fn reply(verb: Verb, container: &Container, result: Result<String, String>) -> Reply {
    let key = container.key.clone();
    Reply { key, verb, result }
}

/// What a command has printed, or why it has failed in its own words.
fn concluded(ran: std::io::Result<Output>) -> Result<String, String> {
    let output = ran.map_err(|error| format!("cannot run ww-ctl: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let failure = said.lines().find(|line| line.starts_with("ww-ctl: "));
    let words = failure.or_else(|| said.lines().last()).unwrap_or_default();
    let words = words.trim_start_matches("ww-ctl: ");
    Err(if words.is_empty() {
        output.status.to_string()
    } else {
        clean(words, 256)
    })
}
