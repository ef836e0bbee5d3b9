//! How acting on containers ended, and how that is told.

use std::time::Duration;

use serde_json::{Map, Value, json};
use whaleware::lifecycle::State;

use super::{Context, record};
use crate::audit::{Entry, Target, TargetResult};
use crate::cli::Format;
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, ContainerKey, Fleet};
use crate::output::lines;
use crate::units::duration;

/// How the reason begins of one whose turn never came.
pub(super) const UNTOUCHED: &str = "not touched: ";

/// How it ended for one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Which one.
    pub key: ContainerKey,
    name: String,
    state: Option<State>,
    /// What it counts for.
    pub exit: Exit,
    reason: String,
    /// What to do next, where it is not done.
    hint: Option<String>,
    took: Duration,
    /// Whether its turn never came.
    untouched: bool,
    /// The stages of its stop, and how long each took.
    stages: Value,
    /// What else there is to be told of it in JSON.
    more: Map<String, Value>,
}

impl Outcome {
    pub(super) fn new(
        fleet: &Fleet,
        key: ContainerKey,
        exit: Exit,
        reason: String,
        took: Duration,
    ) -> Self {
        let container = fleet.get(&key);
        Self {
            name: container
                .map_or_else(|| key.id.chars().take(12).collect(), |one| one.name.clone()),
            state: container.and_then(Container::state),
            stages: container.map_or(Value::Null, stages),
            key,
            exit,
            reason,
            hint: None,
            took,
            untouched: false,
            more: Map::new(),
        }
    }

    /// Why it ended so.
    pub(super) fn reason(&self) -> &str {
        &self.reason
    }

    /// The same under the name by which it was asked for.
    pub(super) fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// The same with more to be told of it in JSON.
    pub(super) fn telling(mut self, more: Map<String, Value>) -> Self {
        self.more = more;
        self
    }

    /// Its turn never came.
    pub(super) fn untouched(mut self) -> Self {
        self.untouched = true;
        self
    }

    /// How it went well: `shop is UP after 2s`, `shop: stop was asked for`.
    fn words(&self, name: &str) -> String {
        if !self.reason.is_empty() {
            return format!("{name}: {}", self.reason);
        }
        let state = self.result();
        format!("{name} is {state} after {}", duration(self.took))
    }

    /// The same without its name: `UP`, `stop was asked for`.
    pub(super) fn result(&self) -> String {
        if self.reason.is_empty() {
            self.state.map_or("done", State::name).to_owned()
        } else {
            self.reason.clone()
        }
    }

    /// The same, but having taken this long.
    pub(super) const fn lasting(mut self, took: Duration) -> Self {
        self.took = took;
        self
    }

    /// The same with what to do next.
    pub(super) fn hinting(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

/// How an action ended: written down, then printed. The exit code of all.
///
/// # Errors
/// When it cannot be printed.
pub(super) fn conclude(
    context: &Context,
    action: &str,
    entry: Entry,
    outcomes: &[Outcome],
) -> Result<Exit, Failure> {
    let results = outcomes.iter().map(|one| TargetResult {
        target: Target {
            host: one.key.host.to_string(),
            id: Some(one.key.id.to_string()),
            name: one.name.clone(),
        },
        ok: one.exit == Exit::Done,
        words: one.result(),
        took_ms: u64::try_from(one.took.as_millis()).unwrap_or(u64::MAX),
    });
    entry.end_each(weigh(outcomes), results.collect());
    report(context, action, outcomes)
}

/// Prints how it ended: what was reached on stdout, what was not on stderr. The exit code of all.
///
/// # Errors
/// When it cannot be printed.
pub(super) fn report(
    context: &Context,
    action: &str,
    outcomes: &[Outcome],
) -> Result<Exit, Failure> {
    let name = |one: &Outcome| context.name_of(&one.key.host, &one.name);
    let (rest, failed): (Vec<_>, Vec<_>) = outcomes
        .iter()
        .filter(|one| one.exit != Exit::Done)
        .partition(|one| one.untouched);
    for one in failed {
        context.output.failure(&Failure {
            exit: one.exit,
            message: format!("{}: {}", name(one), one.reason),
            hint: one.hint.clone(),
        });
    }
    if let [first, ..] = rest.as_slice() {
        context.output.failure(&left(context, first, &rest));
    }
    let good = || outcomes.iter().filter(|one| one.exit == Exit::Done);
    let text: String = match context.format {
        // That it went well is talk, not data.
        Format::Table | Format::Wide if context.output.is_quiet() => String::new(),
        Format::Table | Format::Wide => lines(good().map(|one| one.words(&name(one)))),
        Format::Name => lines(good().map(name)),
        Format::Jsonl => outcomes
            .iter()
            .map(|one| record::line(json(action, one)))
            .collect(),
        Format::Json => {
            let results = outcomes
                .iter()
                .map(|one| Value::Object(json(action, one)))
                .collect();
            record::document(Map::from_iter([(
                "results".to_owned(),
                Value::Array(results),
            )]))
        }
    };
    context.output.data(&text)?;
    Ok(weigh(outcomes))
}

/// Those whose turn never came: all in one line, or the one that matters would be lost among them.
fn left(context: &Context, first: &Outcome, rest: &[&Outcome]) -> Failure {
    let name = |one: &&Outcome| {
        if context.has_several_hosts() {
            format!("{}/{}", one.key.host, one.name)
        } else {
            one.name.clone()
        }
    };
    let names: Vec<String> = rest.iter().map(name).collect();
    let why = first
        .reason
        .strip_prefix(UNTOUCHED)
        .unwrap_or(&first.reason);
    let message = format!("not touched ({why}): {}", names.join(" "));
    let hint = "when that is mended, the same can be done to these";
    Failure::new(first.exit, message).hint(hint)
}

fn json(action: &str, one: &Outcome) -> Map<String, Value> {
    let mut object = Map::from_iter([
        ("action".to_owned(), json!(action)),
        ("host".to_owned(), json!(*one.key.host)),
        ("id".to_owned(), json!(*one.key.id)),
        ("name".to_owned(), json!(one.name)),
        ("ok".to_owned(), json!(one.exit == Exit::Done)),
        ("state".to_owned(), json!(one.state)),
        ("reason".to_owned(), json!(one.reason)),
        ("hint".to_owned(), json!(one.hint)),
        ("exit".to_owned(), json!(one.exit.code())),
        ("took_ms".to_owned(), record::millis(one.took)),
        ("stages".to_owned(), one.stages.clone()),
    ]);
    object.extend(one.more.clone());
    object
}

/// The stages of its stop, and how long each took.
pub(super) fn stages(container: &Container) -> Value {
    let stages = container.stages().into_iter().map(|(stage, took)| {
        json!({
            "stage": stage.name,
            "at": stage.at,
            "took_ms": took.map(record::millis),
            "limit_ms": stage.limit_ms,
        })
    });
    Value::Array(stages.collect())
}

/// One that failed counts more than one that took too long.
fn weigh(outcomes: &[Outcome]) -> Exit {
    if outcomes.iter().any(|one| one.exit == Exit::Failed) {
        return Exit::Failed;
    }
    outcomes
        .iter()
        .map(|one| one.exit)
        .max()
        .unwrap_or(Exit::Done)
}
