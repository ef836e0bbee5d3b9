//! What calls that were killed have left: brought back before anything else is done.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use whaleware::paths::HOOK_DIRECTORY;

use super::Context;
use super::back::{bring_back, found};
use super::chosen::Chosen;
use super::hold::journal;
use super::plan::at_backup;
use crate::agent::Reach;
use crate::backup::journal::{Entry, How, Touched};
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
    let left = left.map_err(|error| {
        let words = clean(&chain(&error), 1000);
        Failure::new(
            Exit::Failed,
            format!("cannot tell what earlier backups have left: {words}"),
        )
    })?;
    for words in left.odd {
        let words = clean(&words, 1000);
        context
            .output
            .warn(&format!("not understood, and left alone: {words}"));
    }
    for entry in left.entries {
        let engine = all
            .iter()
            .find(|one| one.identity.id == entry.under_way.engine);
        match engine {
            Some(one) => settle(context, &one.engine, entry, left.under_way == 0).await,
            None => context.output.detail(&format!(
                "a backup of {} on {} was cut short; the next one there brings back what it stopped",
                clean(&entry.under_way.name, SHOWN),
                clean(&entry.under_way.host, SHOWN)
            )),
        }
    }
    Ok(())
}

async fn settle(context: &Context, engine: &Engine, entry: Entry, alone: bool) {
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
        if one.how == How::Hook && alone {
            remove_written(context, engine, one).await;
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

/// What scripts have written whose container was killed: nobody knows its name then. Only where no other backup is
/// under way from this machine, or it may be one of theirs.
pub(super) async fn remove_written(context: &Context, engine: &Engine, one: &Touched) {
    let place = async {
        let there = found(engine, one).await.ok().flatten()?;
        let is_here = engine.is_here().await.ok()?;
        if !is_here {
            return None;
        }
        at_backup(engine, &there).await.ok().flatten()
    };
    let Some(place) = place.await else { return };
    let removed = super::apart(move || remove_all(&place)).await;
    if let Ok(Err(error)) = removed {
        let name = clean(&one.name, SHOWN);
        let words = format!("{name}: what its script has written is still there: {error}");
        context.output.detail(&words);
    }
}

fn remove_all(place: &Path) -> io::Result<()> {
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_one = name.to_string_lossy().starts_with(HOOK_DIRECTORY);
        // A link that somebody has planted is not followed.
        if is_one && entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
