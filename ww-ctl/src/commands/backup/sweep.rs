//! What calls that were killed have left: brought back before anything else is done.

use std::collections::BTreeSet;

use super::Context;
use super::back::{bring_back, found};
use super::chosen::Chosen;
use super::hold::journal;
use crate::agent::Reach;
use crate::backup::journal::{Entry, Touched};
use crate::engine::{Engine, chain};
use crate::exit::{Exit, Failure};
use crate::fleet::clean;

/// The most characters shown of a name.
const SHOWN: usize = 200;

/// Brings back what was left on the Engines that are at hand.
///
/// # Errors
/// When nobody can tell what was left.
pub(super) async fn sweep(context: &Context, all: &[Chosen]) -> Result<(), Failure> {
    let journal = journal(context)?;
    let left = super::apart(move || journal.left()).await?;
    let (left, odd) = left.map_err(|error| {
        let words = clean(&chain(&error), 1000);
        Failure::new(
            Exit::Failed,
            format!("cannot tell what earlier backups have left: {words}"),
        )
    })?;
    for words in odd {
        let words = clean(&words, 1000);
        context
            .output
            .warn(&format!("not understood, and left alone: {words}"));
    }
    for entry in left {
        let engine = all
            .iter()
            .find(|one| one.identity.id == entry.under_way.engine);
        match engine {
            Some(one) => settle(context, &one.engine, entry).await,
            None => context.output.detail(&format!(
                "a backup of {} on {} was cut short; the next one there brings back what it stopped",
                clean(&entry.under_way.name, SHOWN),
                clean(&entry.under_way.host, SHOWN)
            )),
        }
    }
    Ok(())
}

async fn settle(context: &Context, engine: &Engine, entry: Entry) {
    let mut done = true;
    let mut told = BTreeSet::new();
    for one in &entry.under_way.touched {
        let name = clean(&one.name, SHOWN);
        match bring_back(engine, one).await {
            Ok(None) => {}
            Ok(Some(what)) => drop(told.insert(format!("{name} {what}"))),
            Err(error) => {
                done = false;
                let words = chain(&error);
                context.output.warn(&format!(
                    "{name} is not back from a backup that was cut short: {words}"
                ));
            }
        }
        if let Some(directory) = &one.directory {
            tidy(context, engine, one, directory).await;
        }
    }
    if !told.is_empty() {
        let told: Vec<String> = told.into_iter().collect();
        let words = told.join(", ");
        context.output.say(&format!(
            "a backup that was cut short has left them: {words}"
        ));
    }
    if done && let Err(error) = entry.end() {
        context.output.warn(&chain(&error));
    }
}

/// What a script has written and nobody has read. A directory that cannot be removed costs room and nothing else.
async fn tidy(context: &Context, engine: &Engine, one: &Touched, directory: &str) {
    let removed = async {
        let there = found(engine, one).await.ok().flatten()?;
        let mut session = Reach::new(engine.clone()).connect(there.id()).await.ok()?;
        session.clean(directory, &context.by).await.ok()
    };
    if removed.await.is_none() {
        let (name, directory) = (clean(&one.name, SHOWN), clean(directory, 500));
        context
            .output
            .detail(&format!("{name}: {directory} is still there"));
    }
}
