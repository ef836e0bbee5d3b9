//! What there is, asked of the Engines that are meant.

use std::ffi::{OsStr, OsString};
use std::future::Future;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use clap_complete::engine::CompletionCandidate;
use futures::future::join_all;
use whaleware::env;
use whaleware::lifecycle::State;

use crate::backup::vault::Vault;
use crate::clock::Clock;
use crate::engine::{self, EndpointError, Engine, EngineError, Named, Scope, Target, resolve};
use crate::environment;
use crate::selection::{HEALTH, KEYS, PROJECT};

/// Somebody waits at the prompt: what is not there by then is left out.
const PATIENCE: Duration = Duration::from_millis(800);
/// More than anybody reads.
const MOST: usize = 1000;

/// What is to be completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Containers with an agent.
    Names,
    /// Those that run.
    Running,
    /// Those that do not.
    Ended,
    /// Containers with an agent or without.
    AllNames,
    /// Docker's contexts.
    Contexts,
    /// `--filter`.
    Filters,
    /// `wait --for`.
    Goals,
    /// Images.
    Images,
    /// Images with an agent.
    AgentImages,
    /// Backups of a vault.
    Backups,
}

impl Wanted {
    /// The containers a command is for.
    pub(super) fn names_for(command: &str) -> Self {
        match command {
            "start" => Self::Ended,
            "stop" | "restart" | "cfg" | "exec" => Self::Running,
            "show" | "logs" => Self::AllNames,
            _ => Self::Names,
        }
    }
}

/// What stands on the command line so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    hosts: Vec<String>,
    contexts: Vec<String>,
    /// Where backups are.
    vaults: Vec<String>,
}

impl Line {
    /// From the words up to the one that is to be completed.
    pub(super) fn new(words: &[OsString]) -> Self {
        let mut line = Self::default();
        let mut words = words.iter().rev().skip(1).rev();
        while let Some(word) = words.next() {
            let Some(word) = word.to_str() else {
                continue;
            };
            let (into, rest) = if let Some(rest) = option(word, "-H", "--host") {
                (&mut line.hosts, rest)
            } else if let Some(rest) = option(word, "-c", "--context") {
                (&mut line.contexts, rest)
            } else if let Some(rest) = word
                .strip_prefix("--from")
                .filter(|rest| rest.is_empty() || rest.starts_with('='))
            {
                (&mut line.vaults, rest.trim_start_matches('='))
            } else {
                continue;
            };
            let value = match rest {
                "" => words.next().and_then(|word| word.to_str()).unwrap_or(""),
                rest => rest,
            };
            into.push(value.to_owned());
        }
        line
    }

    /// The words that begin with what is there.
    pub(super) fn complete(&self, wanted: Wanted, current: &OsStr) -> Vec<CompletionCandidate> {
        let Some(current) = current.to_str() else {
            return Vec::new();
        };
        let mut words = match wanted {
            Wanted::Goals => goals(current),
            Wanted::Contexts => plain(self.contexts()),
            Wanted::Filters => self.filters(current),
            Wanted::Names | Wanted::Running | Wanted::Ended => self.names(wanted, Scope::Agents),
            Wanted::AllNames => self.names(wanted, Scope::Everything),
            Wanted::Images => plain(self.images(Scope::Everything)),
            Wanted::AgentImages => plain(self.images(Scope::Agents)),
            Wanted::Backups => self.backups(),
        };
        words.retain(|(word, _)| word.starts_with(current) && is_harmless(word));
        words.sort();
        words.dedup_by(|one, other| one.0 == other.0);
        words.truncate(MOST);
        words
            .into_iter()
            .map(|(word, help)| CompletionCandidate::new(word).help(help.map(Into::into)))
            .collect()
    }

    /// What is said of a container that is not what is wanted by its name alone.
    fn names(&self, wanted: Wanted, scope: Scope) -> Vec<(String, Option<String>)> {
        let targets = self.targets();
        let several = targets.len() > 1;
        let found = ask(&targets, |engine| async move { engine.names(scope).await });
        found
            .into_iter()
            .filter(|(_, one)| match wanted {
                Wanted::Running => one.running,
                Wanted::Ended => !one.running,
                Wanted::Names
                | Wanted::AllNames
                | Wanted::Contexts
                | Wanted::Filters
                | Wanted::Goals
                | Wanted::Images
                | Wanted::AgentImages
                | Wanted::Backups => true,
            })
            .map(|(host, one)| {
                let help = is_harmless(&one.image).then(|| one.image.clone());
                let word = if several {
                    format!("{host}/{}", one.name)
                } else {
                    one.name
                };
                (word, help)
            })
            .collect()
    }

    fn filters(&self, current: &str) -> Vec<(String, Option<String>)> {
        let Some((key, _)) = current.split_once('=') else {
            return plain(KEYS.iter().map(|key| format!("{key}=")));
        };
        let named = || {
            let found = ask(&self.targets(), |engine| async move {
                engine.names(Scope::Agents).await
            });
            found.into_iter().map(|(_, one)| one)
        };
        let values: Vec<String> = match key.trim_end_matches('!') {
            "state" => State::ALL
                .map(|state| state.name().to_owned())
                .into_iter()
                .collect(),
            "health" => HEALTH.map(str::to_owned).into_iter().collect(),
            "name" => named().map(|one| one.name).collect(),
            "image" => named().map(|one| one.image).collect(),
            "label" => named().flat_map(labels).collect(),
            "project" => named()
                .flat_map(|one| one.labels)
                .filter(|(label, _)| label == PROJECT)
                .map(|(_, project)| project)
                .collect(),
            "host" => self
                .targets()
                .iter()
                .map(|target| target.name.to_string())
                .collect(),
            _ => Vec::new(),
        };
        plain(values.into_iter().map(|value| format!("{key}={value}")))
    }

    fn images(&self, scope: Scope) -> Vec<String> {
        let found = ask(
            &self.targets(),
            |engine| async move { engine.tags(scope).await },
        );
        found.into_iter().map(|(_, name)| name).collect()
    }

    /// The backups of the vault that was named last, each with how it was made; none where it cannot be read in time.
    fn backups(&self) -> Vec<(String, Option<String>)> {
        let named = self.vaults.last().cloned();
        let Some(path) = named.or_else(|| environment::variable(env::WW_VAULT)) else {
            return Vec::new();
        };
        let (tell, told) = mpsc::sync_channel(1);
        // A file system that hangs is left behind.
        std::thread::spawn(move || tell.send(backups(Path::new(&path))));
        let found = told.recv_timeout(PATIENCE).ok();
        found.flatten().unwrap_or_default()
    }

    /// The names of Docker's contexts.
    #[expect(clippy::unused_self, reason = "one of the things a line can ask for")]
    fn contexts(&self) -> Vec<String> {
        // Nothing can have this name; who asks for it is told which ones there are.
        match resolved(&[], &["\0".to_owned()]) {
            Err(EndpointError::NoContext { known, .. }) => known,
            Ok(_) | Err(_) => Vec::new(),
        }
    }

    fn targets(&self) -> Vec<Target> {
        resolved(&self.hosts, &self.contexts).unwrap_or_default()
    }
}

fn backups(path: &Path) -> Option<Vec<(String, Option<String>)>> {
    let vault = Vault::open(path).ok()?;
    let mut all = Vec::new();
    for name in vault.names().ok()? {
        let sets = vault.sets(&name).unwrap_or_default().into_iter();
        all.extend(sets.map(|set| {
            let class = set.manifest.consistency.word();
            (set.reference(), Some(class.to_owned()))
        }));
    }
    Some(all)
}

/// What follows an option in the same word; empty when its value is the next word.
fn option<'a>(word: &'a str, short: &str, long: &str) -> Option<&'a str> {
    if word == long {
        return Some("");
    }
    let long = word.strip_prefix(long).and_then(|it| it.strip_prefix('='));
    long.or_else(|| {
        let value = word.strip_prefix(short)?;
        Some(value.strip_prefix('=').unwrap_or(value))
    })
}

fn resolved(hosts: &[String], contexts: &[String]) -> Result<Vec<Target>, EndpointError> {
    let config = environment::docker_config();
    resolve(&engine::Wanted {
        hosts,
        contexts,
        config: config.as_deref(),
        variable: &environment::variable,
    })
}

fn goals(current: &str) -> Vec<(String, Option<String>)> {
    let states = State::ALL.iter().map(|state| state.name());
    let all = states.chain(["healthy"]);
    // Who types small letters means the same.
    let small = current.starts_with(|c: char| c.is_ascii_lowercase());
    plain(all.map(|word| {
        if small {
            word.to_ascii_lowercase()
        } else {
            word.to_owned()
        }
    }))
}

fn labels(one: Named) -> impl Iterator<Item = String> {
    one.labels
        .into_iter()
        .flat_map(|(key, value)| [format!("{key}={value}"), key])
}

fn plain(words: impl IntoIterator<Item = String>) -> Vec<(String, Option<String>)> {
    words.into_iter().map(|word| (word, None)).collect()
}

/// Whether a shell can take a word as it is: what it inserts, it reads as if it had been typed, and
/// names come from Engines that may be anybody's.
fn is_harmless(word: &str) -> bool {
    word.chars()
        .all(|c| c.is_ascii_alphanumeric() || "_.-+/:=@,!".contains(c))
}

/// What the Engines answer within the time there is, each with its host's name. Nothing of the
/// others.
fn ask<Question, Asked, Answer>(targets: &[Target], question: Question) -> Vec<(String, Answer)>
where
    Question: Fn(Engine) -> Asked,
    Asked: Future<Output = Result<Vec<Answer>, EngineError>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return Vec::new();
    };
    let clock = Clock::start();
    let answers = runtime.block_on(join_all(targets.iter().map(|target| async {
        let asked = async {
            let engine = Engine::connect(target, clock).await.ok()?;
            question(engine).await.ok()
        };
        let answer = tokio::time::timeout(PATIENCE, asked).await;
        let found = answer.ok().flatten().unwrap_or_default();
        found
            .into_iter()
            .map(|one| (target.name.to_string(), one))
            .collect::<Vec<_>>()
    })));
    // A look-up of a name that hangs is left behind.
    runtime.shutdown_background();
    answers.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &str) -> Line {
        let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        Line::new(&words)
    }

    #[test]
    fn the_engines_named_before_are_asked() {
        for (words, hosts, contexts) in [
            ("ww-ctl show ", &[][..], &[][..]),
            ("ww-ctl -H unix:///a show ", &["unix:///a"], &[]),
            (
                "ww-ctl -Hunix:///a --host=tcp://b --host c show -c",
                &["unix:///a", "tcp://b", "c"],
                &[],
            ),
            ("ww-ctl -c one ls --context two x", &[], &["one", "two"]),
            // The word that is being typed is none yet.
            ("ww-ctl ls -c on", &[], &[""]),
        ] {
            let expected = Line {
                hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
                contexts: contexts.iter().map(|&name| name.to_owned()).collect(),
                vaults: Vec::new(),
            };
            assert_eq!(line(words), expected, "{words}");
        }
    }

    #[test]
    fn what_a_shell_would_obey_is_no_candidate() {
        for word in [
            "a;b", "$(a)", "`a`", "a b", "a*", "a\nb", "é", "~a", "{a,b}",
        ] {
            assert!(!is_harmless(word), "{word}");
        }
        for word in ["shop-1", "ops2:2375/shop", "repo/shop:1.0", "state!=UP"] {
            assert!(is_harmless(word), "{word}");
        }
    }

    #[test]
    fn states_are_completed_in_the_case_they_are_typed_in() {
        let words = |current: &str| -> Vec<String> {
            let found = Line::default().complete(Wanted::Goals, OsStr::new(current));
            let values = found.iter().map(CompletionCandidate::get_value);
            values.map(|value| value.to_string_lossy().into()).collect()
        };
        assert_eq!(words("U"), ["UP", "UPGRADING"]);
        assert_eq!(words("h"), ["healthy"]);
        assert_eq!(words("restart"), ["restarting"]);
        assert_eq!(words("").len(), 11);
    }
}
