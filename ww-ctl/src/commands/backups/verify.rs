//! `backups verify`.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::row::word;
use super::{Context, TEXT, apart, listed, vault};
use crate::audit::{self, TargetResult};
use crate::backup::source::Gauge;
use crate::backup::vault::{Depth, How, Listed, Set, Vault, VaultError, Verdict, Verified, verify};
use crate::cli::{BackupsVerify, Format};
use crate::commands::record;
use crate::engine::chain;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::output::Tone;
use crate::units::{duration, size};

/// How often it is said how far it is.
const TICK: Duration = Duration::from_millis(250);
/// So many faults are told on a terminal of one backup.
const TOLD: usize = 10;

pub(super) async fn run(context: &Context, arguments: &BackupsVerify) -> Result<Exit, Failure> {
    let vault = vault(&arguments.vault).await?;
    let wanted = wanted(&vault, arguments).await?;
    if wanted.is_empty() {
        context.output.say("there is no backup to verify");
    }
    // To look is always allowed; only what was found is not written down then.
    let writes = context.may_change("write down what was found").is_ok();
    let entry = writes.then(|| {
        let targets = wanted
            .iter()
            .map(|one| audit::Target::named("", &one.reference()));
        context.audit.begin("backups verify", targets.collect())
    });
    let mut results = Vec::new();
    let mut documents = Vec::new();
    let mut is_good = true;
    for one in wanted {
        let checked = check(context, arguments, one, writes).await?;
        is_good &= checked.is_good();
        results.push(checked.result());
        let text = match context.format {
            Format::Table | Format::Wide => checked.text(context),
            Format::Name if checked.is_good() => format!("{}\n", checked.reference),
            Format::Name => String::new(),
            Format::Jsonl => record::line(checked.fields()),
            Format::Json => {
                documents.push(Value::Object(checked.fields()));
                String::new()
            }
        };
        context.output.data(&text)?;
    }
    if context.format == Format::Json {
        let all = Map::from_iter([("verified".to_owned(), Value::Array(documents))]);
        context.output.data(&record::document(all))?;
    }
    let exit = if is_good {
        Exit::Done
    } else {
        Exit::Unverified
    };
    if let Some(entry) = entry {
        entry.end_each(exit, results);
    }
    Ok(exit)
}

/// What is to be verified, or is known to be broken.
enum Wanted {
    Set(Box<Set>),
    Broken { reference: String, reason: String },
}

impl Wanted {
    fn reference(&self) -> String {
        match self {
            Self::Set(set) => set.reference(),
            Self::Broken { reference, .. } => reference.clone(),
        }
    }
}

async fn wanted(vault: &Arc<Vault>, arguments: &BackupsVerify) -> Result<Vec<Wanted>, Failure> {
    let vault = vault.clone();
    if arguments.all {
        let found = apart(move || listed(&vault, vault.names()?)).await??;
        let all = found.into_iter().map(|(name, one)| match one {
            Listed::Set(set) => Wanted::Set(Box::new(set)),
            Listed::Broken { id, reason } => Wanted::Broken {
                reference: clean(&format!("{name}/{id}"), TEXT),
                reason,
            },
        });
        return Ok(all.collect());
    }
    let references = arguments.backups.clone();
    let find = move || {
        let find = |reference: String| match vault.find(&reference) {
            Ok(set) => Ok(Wanted::Set(Box::new(set))),
            Err(VaultError::Broken {
                reference, reason, ..
            }) => Ok(Wanted::Broken {
                reference: clean(&reference, TEXT),
                reason,
            }),
            Err(error) => Err(Failure::from(error)),
        };
        references.into_iter().map(find).collect()
    };
    apart(find).await?
}

/// What was found of one.
struct Checked {
    reference: String,
    how: How,
    verdict: Verdict,
    bytes: u64,
    took: Duration,
}

async fn check(
    context: &Context,
    arguments: &BackupsVerify,
    one: Wanted,
    writes: bool,
) -> Result<Checked, Failure> {
    let reference = one.reference();
    let (depth, how) = if arguments.full {
        (Depth::Full, How::Full)
    } else {
        (Depth::Quick, How::Quick)
    };
    let set = match one {
        Wanted::Set(set) => *set,
        Wanted::Broken { reason, .. } => {
            return Ok(Checked {
                reference,
                how,
                verdict: Verdict {
                    faults: vec![clean(&reason, TEXT)],
                    unchecked: Vec::new(),
                },
                bytes: 0,
                took: Duration::ZERO,
            });
        }
    };
    let begun = context.clock.now().moment;
    let gauge = Gauge::new();
    let (own, identity) = (set.clone(), arguments.identity.clone());
    let at_work = gauge.clone();
    let work = apart(move || verify(&own, depth, identity.as_deref(), &at_work));
    let verdict = watched(context, &reference, &gauge, work)
        .await?
        .map_err(|error| {
            let message = format!("cannot verify {reference}: {}", clean(&chain(&error), TEXT));
            Failure::new(Exit::Failed, message).hint("nothing is known of it; is it readable?")
        })?;
    let took = context.clock.now().moment.since(begun);
    // What was not decoded was looked into quickly.
    let how = if verdict.unchecked.is_empty() {
        how
    } else {
        How::Quick
    };
    let checked = Checked {
        reference,
        how,
        verdict,
        bytes: set.bytes(),
        took,
    };
    if writes {
        write_down(context, set, &checked).await?;
    }
    Ok(checked)
}

/// Writes down what was found, beside the backup.
async fn write_down(context: &Context, mut set: Set, checked: &Checked) -> Result<(), Failure> {
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

/// Waits for work on a backup, and tells how far it is where somebody looks on.
async fn watched<T>(
    context: &Context,
    reference: &str,
    gauge: &Gauge,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut work = std::pin::pin!(work);
    let mut shown = 0;
    let mut ticks = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            done = &mut work => {
                context.output.rewrite(shown, &[]);
                return done;
            }
            _ = ticks.tick() => {
                let line = format!("{reference}  {} read", size(gauge.bytes()));
                shown = context.output.rewrite(shown, &[line]);
            }
        }
    }
}

impl Checked {
    fn is_good(&self) -> bool {
        self.verdict.is_good()
    }

    /// What was found, in words.
    fn words(&self) -> String {
        match self.verdict.faults.first() {
            None => format!(
                "is what it was ({}, {} in {})",
                word(self.how),
                size(self.bytes),
                duration(self.took)
            ),
            Some(fault) => format!("is not what it was: {fault}"),
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
        fields
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
