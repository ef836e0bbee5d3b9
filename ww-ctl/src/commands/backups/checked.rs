//! What was found of backups that were looked into: written down beside them, and printed.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::row::word;
use super::{Context, TEXT, apart};
use crate::audit::{self, TargetResult};
use crate::backup::vault::{How, Set, Verdict, Verified};
use crate::cli::Format;
use crate::commands::record;
use crate::engine::chain;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::output::Tone;

/// So many faults are told on a terminal of one backup.
const TOLD: usize = 10;

/// All that was found, printed as it comes.
pub(super) struct Findings<'a> {
    context: &'a Context,
    /// What the list is called where it is one document.
    key: &'static str,
    results: Vec<TargetResult>,
    documents: Vec<Value>,
    is_good: bool,
    /// How it ends where nothing that was looked into is bad.
    exit: Exit,
}

impl<'a> Findings<'a> {
    pub(super) const fn new(context: &'a Context, key: &'static str) -> Self {
        Self {
            context,
            key,
            results: Vec::new(),
            documents: Vec::new(),
            is_good: true,
            exit: Exit::Done,
        }
    }

    pub(super) fn add(&mut self, checked: &Checked) -> Result<(), Failure> {
        self.is_good &= checked.is_good();
        self.results.push(checked.result());
        let text = match self.context.format {
            Format::Table | Format::Wide => checked.text(self.context),
            Format::Name if checked.is_good() => format!("{}\n", checked.reference),
            Format::Name => String::new(),
            Format::Jsonl => record::line(checked.fields()),
            Format::Json => {
                self.documents.push(Value::Object(checked.fields()));
                String::new()
            }
        };
        self.context.output.data(&text)
    }

    /// One that could not be looked into: that hides nothing of the others.
    pub(super) fn miss(&mut self, reference: &str, failure: &Failure) {
        self.context.output.failure(failure);
        self.exit = self.exit.max(failure.exit);
        self.results.push(TargetResult {
            target: audit::Target::named("", reference),
            ok: false,
            words: failure.message.clone(),
            took_ms: 0,
        });
    }

    /// The end of it, for the audit journal too.
    pub(super) fn end(self, entry: Option<audit::Entry>) -> Result<Exit, Failure> {
        if self.context.format == Format::Json {
            let all = Map::from_iter([(self.key.to_owned(), Value::Array(self.documents))]);
            self.context.output.data(&record::document(all))?;
        }
        let exit = if self.is_good {
            self.exit
        } else {
            Exit::Unverified
        };
        if let Some(entry) = entry {
            entry.end_each(exit, self.results);
        }
        Ok(exit)
    }
}

/// What was found of one.
pub(super) struct Checked {
    pub reference: String,
    pub how: How,
    pub verdict: Verdict,
    /// How it is, where nothing is wrong with it.
    pub well: String,
    /// What it is not, where something is.
    pub wrong: &'static str,
    pub bytes: u64,
    pub took: Duration,
    /// What there is to say besides, for other programs.
    pub more: Map<String, Value>,
}

/// Writes down what was found, beside the backup.
pub(super) async fn write_down(
    context: &Context,
    mut set: Set,
    checked: &Checked,
) -> Result<(), Failure> {
    let now = context.clock.now().wall;
    let text = checked.verdict.faults.first().cloned();
    let (how, verified) = (checked.how, Verified::new(now, checked.is_good(), text));
    let written = apart(move || set.record_verified(how, verified)).await?;
    if let Err(error) = written {
        let reference = &checked.reference;
        let why = clean(&chain(&error), TEXT);
        let text = format!("what was found of {reference} is not written down: {why}");
        context.output.warn(&text);
    }
    Ok(())
}

impl Checked {
    pub(super) fn is_good(&self) -> bool {
        self.verdict.is_good()
    }

    /// What was found, in words.
    fn words(&self) -> String {
        match self.verdict.faults.first() {
            None => self.well.clone(),
            Some(fault) => format!("{}: {fault}", self.wrong),
        }
    }

    fn result(&self) -> TargetResult {
        TargetResult {
            target: audit::Target::named("", &self.reference),
            ok: self.is_good(),
            words: self.words(),
            took_ms: millis(self.took),
        }
    }

    fn text(&self, context: &Context) -> String {
        let tone = if self.is_good() {
            Tone::Good
        } else {
            Tone::Bad
        };
        let words = context.output.paint(&self.words(), tone);
        let mut text = format!("{} {words}\n", self.reference);
        let more = self.verdict.faults.iter().skip(1);
        for fault in more.clone().take(TOLD) {
            let _always = writeln!(text, "  {fault}");
        }
        match more.count().saturating_sub(TOLD) {
            0 => {}
            more => {
                let _always = writeln!(text, "  and {more} more");
            }
        }
        for unchecked in &self.verdict.unchecked {
            let _always = writeln!(text, "  {unchecked}; give --identity FILE");
        }
        text
    }

    fn fields(&self) -> Map<String, Value> {
        let (name, id) = self.reference.rsplit_once('/').unwrap_or_default();
        let mut fields = Map::new();
        let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
        put("name", json!(name));
        put("id", json!(id));
        put("how", json!(word(self.how)));
        put("ok", json!(self.is_good()));
        put("faults", json!(self.verdict.faults));
        put("unchecked", json!(self.verdict.unchecked));
        put("bytes", json!(self.bytes));
        put("took_ms", json!(millis(self.took)));
        fields.extend(self.more.clone());
        fields
    }
}

pub(super) fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
