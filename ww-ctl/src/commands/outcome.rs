//! How acting on containers ended, and how that is told.

use std::time::Duration;

use serde_json::{Map, Value, json};
use whaleware::lifecycle::State;

use super::{Context, record};
use crate::cli::Format;
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, ContainerKey, Fleet};
use crate::output::lines;
use crate::units::duration;

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
    /// The stages of its stop, and how long each took.
    stages: Value,
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
        }
    }

    /// How it went well: `shop is UP after 2s`, `shop: stop was asked for`.
    fn words(&self) -> String {
        if !self.reason.is_empty() {
            return format!("{}: {}", self.name, self.reason);
        }
        let state = self.state.map_or("done", State::name);
        format!("{} is {state} after {}", self.name, duration(self.took))
    }

    /// The same with what to do next.
    pub(super) fn hinting(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
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
    for one in outcomes.iter().filter(|one| one.exit != Exit::Done) {
        context.output.failure(&Failure {
            exit: one.exit,
            message: format!("{}: {}", one.name, one.reason),
            hint: one.hint.clone(),
        });
    }
    let good = || outcomes.iter().filter(|one| one.exit == Exit::Done);
    let text: String = match context.format {
        // That it went well is talk, not data.
        Format::Table | Format::Wide if context.output.is_quiet() => String::new(),
        Format::Table | Format::Wide => lines(good().map(Outcome::words)),
        Format::Name => lines(good().map(|one| one.name.clone())),
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

fn json(action: &str, one: &Outcome) -> Map<String, Value> {
    Map::from_iter([
        ("action".to_owned(), json!(action)),
        ("host".to_owned(), json!(*one.key.host)),
        ("id".to_owned(), json!(*one.key.id)),
        ("name".to_owned(), json!(one.name)),
        ("ok".to_owned(), json!(one.exit == Exit::Done)),
        ("state".to_owned(), json!(one.state)),
        ("reason".to_owned(), json!(one.reason)),
        ("took_ms".to_owned(), record::millis(one.took)),
        ("stages".to_owned(), one.stages.clone()),
    ])
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
