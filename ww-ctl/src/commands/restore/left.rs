//! What calls that were killed have left: settled before anything else is done.

use std::time::Duration;

use super::found::Found;
use super::{Context, apart, of_area, users};
use crate::backup::journal::{Entry, Journal, Touched, UnderWay};
use crate::backup::restore::{Area, AreaError};
use crate::engine::{Engine, Target, chain};
use crate::exit::{Exit, Failure};
use crate::fleet::clean;

/// How long services may take that were stopped by one that is over.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Where restores under way are written down.
///
/// # Errors
/// When there is no place for it.
pub(super) fn journal(context: &Context) -> Result<Journal, Failure> {
    let audit = context.audit.path().map(Journal::of_restores);
    audit.ok_or_else(|| {
        let message = "cannot write down what is about to be stopped: there is no place for it";
        Failure::new(Exit::Failed, message).hint("set HOME, or WW_AUDIT_FILE")
    })
}

/// Settles what was left on this Engine: data that were exchanged in part are what they were before, and what was
/// stopped runs again. Whether there was anything.
///
/// # Errors
/// When nobody can tell what was left.
pub(in crate::commands) async fn settle(
    context: &Context,
    target: &Target,
    engine: &Engine,
    identity: &str,
) -> Result<bool, Failure> {
    let journal = journal(context)?;
    let left = apart(move || journal.left()).await?.map_err(|error| {
        let words = clean(&chain(&error), 1000);
        Failure::new(
            Exit::Failed,
            format!("cannot tell what earlier restores have left: {words}"),
        )
    })?;
    for words in left.odd {
        let words = clean(&words, 1000);
        context
            .output
            .warn(&format!("not understood, and left alone: {words}"));
    }
    let own = left.entries.into_iter();
    let own: Vec<Entry> = own
        .filter(|entry| entry.under_way.engine == identity)
        .collect();
    let was_any = !own.is_empty();
    let mut failed = None;
    for entry in own {
        if let Err(failure) = one(context, target, engine, entry).await {
            failed.get_or_insert(failure);
        }
    }
    failed.map_or(Ok(was_any), Err)
}

async fn one(
    context: &Context,
    target: &Target,
    engine: &Engine,
    entry: Entry,
) -> Result<(), Failure> {
    let name = clean(&entry.under_way.name, 200);
    let touched = &entry.under_way.touched;
    let running = users::still_running(engine, touched, entry.under_way.at).await?;
    users::stop_all(context, target, engine, &running).await?;
    let exchange = entry.under_way.exchange.clone();
    let is_done = exchange.as_ref().is_some_and(|exchange| exchange.done);
    let settled = apart(move || {
        for tree in exchange.iter().flat_map(|exchange| &exchange.trees) {
            recover(tree, is_done)?;
        }
        Ok::<_, AreaError>(())
    });
    settled.await?.map_err(|error| {
        of_area(error).hint("its services stay down until its data are in order; look at it first")
    })?;
    let words = if is_done {
        "its data are those of the backup"
    } else {
        "its data are what they were before"
    };
    context.output.say(&format!(
        "{name}: a restore was cut short; {words}; starting what it had stopped"
    ));
    let missing = users::start_all(context, target, engine, touched, PATIENCE).await;
    for words in &missing {
        context.output.warn(&format!(
            "not back from a restore that was cut short: {words}"
        ));
    }
    if let Err(error) = entry.end() {
        context.output.warn(&chain(&error));
    }
    Ok(())
}

fn recover(tree: &std::path::Path, is_done: bool) -> Result<(), AreaError> {
    let area = Area::beside(tree)?;
    area.settle(Some(is_done))?;
    area.tidy()?;
    area.leave();
    Ok(())
}

/// A restore of another call.
pub(in crate::commands) struct Another {
    /// Whose data it exchanges.
    pub name: String,
    /// What it stops.
    pub touched: Vec<Touched>,
    /// That call is over, and could not be settled.
    pub is_over: bool,
}

/// Those there are on this Engine.
///
/// # Errors
/// When nobody can tell.
pub(in crate::commands) async fn others(
    context: &Context,
    identity: &str,
) -> Result<Vec<Another>, Failure> {
    let journal = journal(context)?;
    let left = apart(move || journal.left()).await?;
    let left = left.map_err(|error| Failure::new(Exit::Failed, clean(&chain(&error), 1000)))?;
    let over = left.entries.into_iter().map(|one| (one.under_way, true));
    let all = over.chain(left.busy.into_iter().map(|one| (one, false)));
    let own = all.filter(|(one, _)| one.engine == identity);
    let another = |(one, is_over): (UnderWay, bool)| Another {
        name: one.name,
        touched: one.touched,
        is_over,
    };
    Ok(own.map(another).collect())
}

/// What was left on the Engine of some data is settled.
pub(super) async fn settle_for(context: &Context, found: &Found) -> Result<(), Failure> {
    let target = context.target(&found.host)?;
    let _was_any = settle(context, target, &found.engine, &found.identity.id).await?;
    Ok(())
}
