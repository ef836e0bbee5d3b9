//! How backups ended, and how that is told.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Context;
use super::chosen::Chosen;
use crate::audit::{Target, TargetResult};
use crate::cli::Format;
use crate::commands::record;
use crate::exit::{Exit, Failure};
use crate::fleet::{HostName, clean};
use crate::output::lines;
use crate::units::{duration, size};

/// How it ended for one group.
#[derive(Debug, Clone)]
pub(super) struct Done {
    host: HostName,
    /// The group's name, fit for a terminal.
    pub name: String,
    members: Vec<String>,
    /// What it counts for.
    pub exit: Exit,
    reason: String,
    hint: Option<String>,
    /// What was made; none where nothing was.
    pub made: Option<Made>,
    /// How long all took.
    pub took: Duration,
    /// How long services were not UP.
    pub outage: Option<Duration>,
}

/// A set that was published.
#[derive(Debug, Clone)]
pub(super) struct Made {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub path: PathBuf,
    /// How still everything was.
    pub consistency: &'static str,
    /// Bytes of what was read.
    pub bytes: u64,
    /// How many entries that is.
    pub entries: u64,
    /// Bytes that are kept of it.
    pub kept: u64,
    /// How many are missing in it.
    pub lost: u64,
    /// How many changed while they were read.
    pub changed: u64,
}

impl Done {
    /// Nothing has come of it yet.
    pub(super) fn new(chosen: &Chosen) -> Self {
        let members = chosen.group.members.iter();
        Self {
            host: chosen.host.clone(),
            name: chosen.name(),
            members: members.map(|one| clean(&one.name, 200)).collect(),
            exit: Exit::Done,
            reason: String::new(),
            hint: None,
            made: None,
            took: Duration::ZERO,
            outage: None,
        }
    }

    /// Where it is.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// It has come to nothing.
    pub(super) fn failed(mut self, failure: Failure) -> Self {
        self.exit = failure.exit;
        self.reason = failure.message;
        self.hint = failure.hint;
        self
    }

    /// This is to be said of it.
    pub(super) fn saying(mut self, exit: Exit, words: &str) -> Self {
        self.exit = self.exit.max(exit);
        if !self.reason.is_empty() {
            self.reason.push_str("; ");
        }
        self.reason.push_str(words);
        self
    }

    /// What to do next.
    pub(super) fn hinting(mut self, hint: &str) -> Self {
        self.hint = Some(hint.to_owned());
        self
    }

    /// A signal has come meanwhile. What was published by then stays.
    pub(super) fn interrupted(mut self, number: u8) -> Self {
        if self.made.is_none() {
            self.exit = Exit::Signal(number);
        }
        self
    }

    /// For the audit journal.
    pub(super) fn result(&self, target: Target) -> TargetResult {
        TargetResult {
            target,
            ok: self.exit == Exit::Done,
            words: self.words(),
            took_ms: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// In a line, without its name.
    fn words(&self) -> String {
        let Some(made) = &self.made else {
            return self.reason.clone();
        };
        let path = clean(&made.path.to_string_lossy(), 1000);
        let (bytes, kept) = (size(made.bytes), size(made.kept));
        let mut words = format!(
            "{path}: {bytes} in {} entries, {kept} kept, {}",
            made.entries, made.consistency
        );
        if let Some(outage) = self.outage {
            let _never = write!(words, ", down for {}", duration(outage));
        }
        if made.changed > 0 {
            let _never = write!(words, ", {} changed while read", made.changed);
        }
        if !self.reason.is_empty() {
            let _never = write!(words, "; {}", self.reason);
        }
        words
    }

    fn fields(&self) -> Map<String, Value> {
        let made = self.made.as_ref();
        Map::from_iter([
            ("action".to_owned(), json!("backup")),
            ("host".to_owned(), json!(*self.host)),
            ("name".to_owned(), json!(self.name)),
            ("members".to_owned(), json!(self.members)),
            ("ok".to_owned(), json!(self.exit == Exit::Done)),
            ("exit".to_owned(), json!(self.exit.code())),
            ("reason".to_owned(), json!(self.reason)),
            ("hint".to_owned(), json!(self.hint)),
            ("id".to_owned(), json!(made.map(|made| &made.id))),
            (
                "path".to_owned(),
                json!(made.map(|made| clean(&made.path.to_string_lossy(), 4096))),
            ),
            (
                "consistency".to_owned(),
                json!(made.map(|made| made.consistency)),
            ),
            ("bytes".to_owned(), json!(made.map(|made| made.bytes))),
            ("entries".to_owned(), json!(made.map(|made| made.entries))),
            ("kept_bytes".to_owned(), json!(made.map(|made| made.kept))),
            ("lost".to_owned(), json!(made.map(|made| made.lost))),
            ("changed".to_owned(), json!(made.map(|made| made.changed))),
            (
                "outage_ms".to_owned(),
                self.outage.map_or(Value::Null, record::millis),
            ),
            ("took_ms".to_owned(), record::millis(self.took)),
        ])
    }
}

/// Tells how each ended, as soon as it has.
pub(super) struct Report<'a> {
    context: &'a Context,
    exit: Exit,
    failed: bool,
    all: Vec<Value>,
    /// All that have ended.
    pub done: Vec<Done>,
}

impl<'a> Report<'a> {
    /// Of nothing yet.
    pub(super) const fn new(context: &'a Context) -> Self {
        Self {
            context,
            exit: Exit::Done,
            failed: false,
            all: Vec::new(),
            done: Vec::new(),
        }
    }

    /// One more has ended.
    ///
    /// # Errors
    /// When it cannot be printed.
    pub(super) fn add(&mut self, done: Done) -> Result<(), Failure> {
        let output = self.context.output;
        let name = self.context.name_of(&done.host, &done.name);
        self.exit = self.exit.max(done.exit);
        self.failed |= done.exit == Exit::Failed;
        let is_good = done.exit == Exit::Done;
        if !is_good {
            output.failure(&Failure {
                exit: done.exit,
                message: format!("{name}: {}", done.words()),
                hint: done.hint.clone(),
            });
        }
        let text = match self.context.format {
            Format::Table | Format::Wide if output.is_quiet() || !is_good => String::new(),
            Format::Table | Format::Wide => {
                lines(std::iter::once(format!("{name}: {}", done.words())))
            }
            // It can be given as a backup again.
            Format::Name => lines(
                done.made
                    .iter()
                    .map(|made| format!("{}/{}", done.name, made.id)),
            ),
            Format::Jsonl => record::line(done.fields()),
            Format::Json => {
                self.all.push(Value::Object(done.fields()));
                String::new()
            }
        };
        self.done.push(done);
        output.data(&text)
    }

    /// All have. The worst tells; one that failed is worse than anything but a signal.
    ///
    /// # Errors
    /// When it cannot be printed.
    pub(super) fn end(self, otherwise: Exit) -> Result<Exit, Failure> {
        if self.context.format == Format::Json {
            let results = ("results".to_owned(), Value::Array(self.all));
            let text = record::document(Map::from_iter([results]));
            self.context.output.data(&text)?;
        }
        let is_signal = matches!(self.exit, Exit::Signal(_));
        Ok(if self.exit == Exit::Done {
            otherwise
        } else if self.failed && !is_signal {
            Exit::Failed
        } else {
            self.exit
        })
    }
}

#[cfg(test)]
impl Done {
    /// One for tests, with a set or without.
    pub(super) fn sample(name: &str, exit: Exit, has_set: bool) -> Self {
        Self {
            host: std::sync::Arc::from("local"),
            name: name.to_owned(),
            members: vec![name.to_owned()],
            exit,
            reason: String::new(),
            hint: None,
            made: has_set.then(|| Made {
                id: "20261122T161500Z-7f3a".into(),
                path: PathBuf::from("/srv/backup/shop/20261122T161500Z-7f3a"),
                consistency: "svcdown",
                bytes: 100,
                entries: 3,
                kept: 50,
                lost: 0,
                changed: 0,
            }),
            took: Duration::from_secs(2),
            outage: Some(Duration::from_millis(500)),
        }
    }
}
