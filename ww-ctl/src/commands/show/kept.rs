//! What an agent keeps for afterwards: asked of it while it runs, read from its files when it does not.

use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;
use whaleware::protocol::{
    Answer, Evidence, EvidenceAnswer, FromAgent, Hello, HistoryAnswer, HistoryEntry, HistoryEvent,
    RequestKind, WireError,
};

use crate::agent::Reach;
use crate::commands::Context;
use crate::engine::{Engine, FileError};
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, EngineState, clean};

/// How long an agent may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Where an agent keeps its own files.
const DIRECTORY: &str = "/data/.ww";
/// So many reports are looked for.
const REPORTS: u32 = 10;
/// The files of the history, the older one first.
const HISTORY: [&str; 2] = ["history.1.jsonl", "history.jsonl"];

/// Where something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Source {
    /// Its agent told it.
    Agent,
    /// Its files, through the Engine.
    Files,
}

impl Source {
    /// The word for it in JSON.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Files => "files",
        }
    }
}

/// A report of all that are kept.
pub(super) struct Reports {
    pub answer: EvidenceAnswer,
    pub source: Source,
    /// How many make no sense.
    pub odd: u32,
}

/// What has happened, oldest first, and which of it is the container's own.
pub(in crate::commands) struct History {
    pub entries: Vec<HistoryEntry>,
    pub source: Source,
    pub own: Own,
}

/// What tells a container's own boots from those of others with the same `/data`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::commands) struct Own {
    /// Whether a boot of it goes on now.
    pub runs: bool,
    /// Which one, where its agent has said so.
    pub boot: Option<String>,
    /// Its host name, where it is known.
    pub hostname: Option<String>,
}

/// A container, and how to get at what is kept of it.
pub(in crate::commands) struct Keeper<'a> {
    pub context: &'a Context,
    pub engine: &'a Engine,
    pub container: &'a Container,
}

impl Keeper<'_> {
    /// A report; the newest is 0.
    ///
    /// # Errors
    /// When nothing is kept, or cannot be got at.
    pub(super) async fn evidence(&self, index: u32) -> Result<Reports, Failure> {
        const WHAT: &str = "evidence";
        if let Some((result, _)) = self.ask(RequestKind::Evidence { index }, WHAT).await? {
            let answer = serde_json::from_value(result).map_err(|error| {
                self.failed(WHAT, &format!("its agent's answer makes no sense: {error}"))
            })?;
            return Ok(Reports {
                answer,
                source: Source::Agent,
                odd: 0,
            });
        }
        let names: Vec<_> = (0..REPORTS).map(|n| format!("evidence-{n}.json")).collect();
        let mut reports = Vec::new();
        let mut odd = 0;
        for file in self.files(&names, WHAT).await? {
            match serde_json::from_slice::<Evidence>(&file) {
                Ok(report) => reports.push(report),
                Err(error) => {
                    odd += 1;
                    self.warn(&format!("a report of it makes no sense: {error}"));
                }
            }
        }
        Ok(Reports {
            answer: choose(reports, index),
            source: Source::Files,
            odd,
        })
    }

    /// The history, oldest first.
    ///
    /// # Errors
    /// When it cannot be got at.
    pub(in crate::commands) async fn history(&self) -> Result<History, Failure> {
        const WHAT: &str = "history";
        if let Some((result, hello)) = self.ask(RequestKind::History, WHAT).await? {
            let answer: HistoryAnswer = serde_json::from_value(result).map_err(|error| {
                self.failed(WHAT, &format!("its agent's answer makes no sense: {error}"))
            })?;
            return Ok(History {
                entries: answer.entries,
                source: Source::Agent,
                own: self.own(hello).await,
            });
        }
        let names = HISTORY.map(str::to_owned);
        let mut entries = Vec::new();
        let mut odd = 0_usize;
        for file in self.files(&names, WHAT).await? {
            let (read, passed_over) = lines(&file);
            entries.extend(read);
            odd += passed_over;
        }
        if odd > 0 {
            self.warn(&format!(
                "{odd} lines of its history make no sense and are left out"
            ));
        }
        Ok(History {
            entries,
            source: Source::Files,
            own: self.own(None).await,
        })
    }

    /// How its last life ended, by its own word; none where it is not kept or cannot be read, which
    /// nobody need hear of who has not asked for the history.
    pub(super) async fn last_end(&self, hostname: Option<&str>) -> Option<HistoryEntry> {
        let id = &self.container.key.id;
        let mut entries = Vec::new();
        for name in HISTORY {
            let path = format!("{DIRECTORY}/{name}");
            let read = tokio::time::timeout(ANSWER, self.engine.file(id, &path)).await;
            if let Ok(Ok(Some(file))) = read {
                entries.extend(lines(&file).0);
            }
        }
        own_end(entries, hostname)
    }

    /// By what its own boots are known.
    async fn own(&self, hello: Option<Hello>) -> Own {
        let (boot, hostname) = hello.map_or((None, None), |hello| {
            let hostname = Some(hello.hostname).filter(|name| !name.is_empty());
            (Some(hello.boot), hostname)
        });
        let hostname = match hostname {
            Some(name) => Some(name),
            // Without it boots are told apart less well, which is no reason to show none.
            None => match self.engine.details(&self.container.key.id).await {
                Ok(details) => details.hostname,
                Err(_) => None,
            },
        };
        Own {
            runs: self.container.engine.is_running(),
            boot,
            hostname,
        }
    }

    /// What its agent answers, and who it is; none when there is no agent to ask, and its files may
    /// tell.
    async fn ask(
        &self,
        kind: RequestKind,
        what: &str,
    ) -> Result<Option<(Value, Option<Hello>)>, Failure> {
        let one = self.container;
        if !one.has_agent || one.engine != EngineState::Running {
            return Ok(None);
        }
        let reach = Reach::new(self.engine.clone());
        let asked = async {
            let mut session = reach
                .connect(&one.key.id)
                .await
                .map_err(|e| e.to_string())?;
            let hello = match session.next().await.map_err(|e| e.to_string())? {
                FromAgent::Hello(hello) => Some(hello),
                FromAgent::Snapshot(_)
                | FromAgent::State(_)
                | FromAgent::Hook(_)
                | FromAgent::Service(_)
                | FromAgent::Stopping(_)
                | FromAgent::Quiesced(_)
                | FromAgent::Health(_)
                | FromAgent::Monitor(_)
                | FromAgent::Resources(_)
                | FromAgent::Answer(_)
                | FromAgent::Note(_)
                | FromAgent::Unknown => None,
            };
            let answer = session.request(kind, &self.context.by).await;
            let answer: Answer = answer.map_err(|error| error.to_string())?;
            Ok((answer, hello))
        };
        let reason = match tokio::time::timeout(ANSWER, asked).await {
            Ok(Ok((answer, hello))) => {
                match answer.error {
                    None => return Ok(Some((answer.result.unwrap_or_default(), hello))),
                    Some(WireError { code, .. }) if code == "unknown" => {
                        return Err(self
                        .failed(what, "its agent is of a version that keeps none")
                        .hint("build its image again with this ww-ctl's agent: `ww-ctl image build`"));
                    }
                    Some(error) => clean(&error.message, 500),
                }
            }
            Ok(Err(reason)) => reason,
            Err(_) => format!("no answer within {} s", ANSWER.as_secs()),
        };
        self.warn(&format!(
            "its agent did not tell ({reason}); reading its files instead"
        ));
        Ok(None)
    }

    /// Those of these files that are there.
    async fn files(&self, names: &[String], what: &str) -> Result<Vec<Vec<u8>>, Failure> {
        let id = &self.container.key.id;
        let reads = names.iter().map(|name| async move {
            let path = format!("{DIRECTORY}/{name}");
            self.engine.file(id, &path).await
        });
        let mut found = Vec::new();
        for read in join_all(reads).await {
            match read {
                Ok(file) => found.extend(file),
                Err(FileError::Engine(error)) => return Err(error.into()),
                // One that was planted hides nothing of the others.
                Err(error @ FileError::Odd { .. }) => self.warn(&error.to_string()),
            }
        }
        if found.is_empty() && self.container.engine == EngineState::Created {
            return Err(self.failed(what, "it was never started"));
        }
        if found.is_empty() {
            let reason = "there is nothing in its /data/.ww";
            return Err(self.failed(what, reason).hint(
                "an agent keeps it where /data can be written; a container that was started by an \
                 older version has none",
            ));
        }
        Ok(found)
    }

    /// Why it cannot be shown.
    pub(super) fn failed(&self, what: &str, reason: &str) -> Failure {
        let name = &self.container.name;
        Failure::new(
            Exit::Failed,
            format!("cannot show the {what} of {name}: {reason}"),
        )
    }

    fn warn(&self, text: &str) {
        let name = &self.container.name;
        self.context.output.warn(&format!("{name}: {text}"));
    }
}

/// The report that is meant of all that there are. Their files are used in turn, so that their times
/// alone say which one is the newest.
fn choose(mut reports: Vec<Evidence>, index: u32) -> EvidenceAnswer {
    reports.sort_by_key(|report| std::cmp::Reverse(report.at));
    EvidenceAnswer {
        kept: u32::try_from(reports.len()).unwrap_or(u32::MAX),
        report: usize::try_from(index)
            .ok()
            .filter(|index| *index < reports.len())
            .map(|index| reports.swap_remove(index)),
    }
}

/// The last of its own entries, if that is an end, with the state it ended in and why.
fn own_end(entries: Vec<HistoryEntry>, hostname: Option<&str>) -> Option<HistoryEntry> {
    let mut own =
        entries
            .into_iter()
            .rev()
            .filter(|entry| match (entry.hostname.as_deref(), hostname) {
                (Some(its), Some(own)) => its == own,
                (None, _) | (_, None) => true,
            });
    let mut end = own
        .next()
        .filter(|entry| entry.event == HistoryEvent::Exit)?;
    if end.state.is_none() {
        let boot = end.boot.clone();
        let last = own
            .take_while(|entry| entry.boot == boot)
            .find(|entry| entry.event == HistoryEvent::State);
        if let Some(last) = last {
            end.state = last.state;
            end.cause = end.cause.or(last.cause);
        }
    }
    Some(end)
}

/// The entries of a file, one a line, and how many lines make no sense.
fn lines(file: &[u8]) -> (Vec<HistoryEntry>, usize) {
    let mut odd = 0;
    let entries = file
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .filter_map(|line| {
            let entry = serde_json::from_slice(line).ok();
            odd += usize::from(entry.is_none());
            entry
        })
        .collect();
    (entries, odd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use whaleware::lifecycle::State;

    fn report(at: &str) -> Evidence {
        serde_json::from_str(&format!(
            r#"{{"at":"2026-11-22T{at}Z","boot":"b","cause":"monitor exited 1"}}"#
        ))
        .unwrap()
    }

    #[test]
    fn the_newest_report_is_0_whatever_its_file_is_called() {
        let reports = ["03:00:00", "05:00:00", "04:00:00"].map(report).to_vec();
        for (index, at) in [(0, Some("05")), (1, Some("04")), (2, Some("03")), (3, None)] {
            let answer = choose(reports.clone(), index);
            assert_eq!(answer.kept, 3);
            let hour = answer
                .report
                .map(|report| report.at.strftime("%H").to_string());
            assert_eq!(hour.as_deref(), at, "{index}");
        }
    }

    #[test]
    fn only_the_last_of_its_own_entries_says_how_it_ended() {
        let file = br#"{"at":"2026-11-22T03:00:00Z","boot":"a","hostname":"one","event":"exit","exit":1,"state":"ERROR"}
            {"at":"2026-11-22T04:00:00Z","boot":"b","hostname":"two","event":"exit","exit":0}
            {"at":"2026-11-22T05:00:00Z","boot":"c","hostname":"two","event":"boot"}"#;
        let end = |hostname| own_end(lines(file).0, hostname).map(|entry| entry.exit);
        assert_eq!(end(Some("one")), Some(Some(1)));
        assert_eq!(end(Some("two")), None);
        assert_eq!(end(None), None);
    }

    #[test]
    fn an_end_has_the_state_it_came_after() {
        let file = br#"{"at":"2026-11-22T03:00:00Z","boot":"a","event":"state","state":"STOPPED","cause":"SIGTERM"}
            {"at":"2026-11-22T03:00:01Z","boot":"a","event":"exit","exit":143}"#;
        let end = own_end(lines(file).0, None).unwrap();
        assert_eq!(
            (end.state, end.cause.as_deref()),
            (Some(State::Stopped), Some("SIGTERM"))
        );
    }

    #[test]
    fn a_line_that_was_cut_hides_nothing_of_the_others() {
        let file = b"{\"at\":\"2026-11-22T03:00:00Z\",\"boot\":\"b\",\"event\":\"boot\"}\n\
            {\"at\":\"2026-11-22T03:0\n\n\
            {\"at\":\"2026-11-22T03:00:01Z\",\"boot\":\"b\",\"event\":\"later\"}";
        let (entries, odd) = lines(file);
        assert_eq!((entries.len(), odd), (2, 1));
    }
}
