//! Stopping those that use data, and bringing them back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Context;
use crate::backup::journal::Touched;
use crate::commands::act::{Plan, Verdict};
use crate::commands::backup::back;
use crate::commands::before::Before;
use crate::commands::drive::drive;
use crate::commands::live::Live;
use crate::commands::start::{start, started};
use crate::commands::stop::{stop, stopped};
use crate::engine::{Engine, Inspected, Scope, Target};
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, ContainerKey, clean};

/// Stops these in order, for as long as each says that it takes.
///
/// # Errors
/// When one of them still runs.
pub(super) async fn stop_all(
    context: &Context,
    target: &Target,
    engine: &Engine,
    touched: &[Touched],
) -> Result<(), Failure> {
    if touched.is_empty() {
        return Ok(());
    }
    let mut live = context.live_on(target, Scope::Everything).await?;
    let keys = keys(target, touched.iter().map(|one| one.id.as_str()));
    live.introduced(&keys).await?;
    let plan = Plan {
        act: &stop,
        judge: &|one, _, acted| stopped(one, acted),
        changed: &BTreeSet::new(),
        limit: None,
        turns: None,
        entry: None,
    };
    let outcomes = drive(context, &mut live, &keys, &plan).await;
    live.close().await;
    for (one, outcome) in touched.iter().zip(outcomes?) {
        if outcome.exit == Exit::Done {
            continue;
        }
        let name = clean(&one.name, 200);
        let runs = engine.inspected(&one.id).await?;
        if runs.is_some_and(|one| one.is_running()) {
            let message = format!("cannot stop {name}: {}", outcome.reason());
            return Err(Failure::new(outcome.exit, message));
        }
        // It has ended, if not in order.
        context
            .output
            .warn(&format!("{name}: {}", outcome.reason()));
    }
    Ok(())
}

/// Those of a restore that is over which have run since before it: they are just being stopped, or were about to be. A
/// start would come to nothing.
///
/// # Errors
/// When the Engine does not tell.
pub(super) async fn still_running(
    engine: &Engine,
    touched: &[Touched],
    since: Timestamp,
) -> Result<Vec<Touched>, Failure> {
    let mut all = Vec::new();
    for one in touched {
        let found = back::found(engine, one).await?;
        let found = found.filter(Inspected::is_running);
        if found.is_some_and(|found| found.started().is_none_or(|started| started < since)) {
            all.push(one.clone());
        }
    }
    Ok(all)
}

/// Starts these again, and watches until they are UP. Those that are not, with the reason.
pub(super) async fn start_all(
    context: &Context,
    target: &Target,
    engine: &Engine,
    touched: &[Touched],
    limit: Duration,
) -> Vec<String> {
    if touched.is_empty() {
        return Vec::new();
    }
    let mut ids = Vec::new();
    let mut missing = Vec::new();
    for one in touched {
        let name = clean(&one.name, 200);
        match back::found(engine, one).await {
            Ok(Some(found)) => ids.push((found.id().to_owned(), name)),
            Ok(None) => missing.push(format!("{name}: it was removed")),
            Err(error) => missing.push(format!("{name}: {}", Failure::from(error).message)),
        }
    }
    if ids.is_empty() {
        return missing;
    }
    match watch(context, target, &ids, limit).await {
        Ok(more) => missing.extend(more),
        Err(failure) => {
            missing.extend(
                ids.iter()
                    .map(|(_, name)| format!("{name}: {}", failure.message)),
            );
        }
    }
    missing
}

async fn watch(
    context: &Context,
    target: &Target,
    ids: &[(String, String)],
    limit: Duration,
) -> Result<Vec<String>, Failure> {
    let mut live = context.live_on(target, Scope::Everything).await?;
    let keys = keys(target, ids.iter().map(|(id, _)| id.as_str()));
    let outcomes = start_and_watch(context, &mut live, &keys, limit).await;
    live.close().await;
    let failed = ids.iter().zip(outcomes?);
    let failed = failed.filter(|(_, outcome)| outcome.exit != Exit::Done);
    Ok(failed
        .map(|((_, name), outcome)| format!("{name}: {}", outcome.reason()))
        .collect())
}

async fn start_and_watch(
    context: &Context,
    live: &mut Live,
    keys: &[ContainerKey],
    limit: Duration,
) -> Result<Vec<crate::commands::outcome::Outcome>, Failure> {
    let judge = |one: &Container, before: &Before, acted: bool| {
        if one.has_agent {
            return started(one, before, acted);
        }
        if acted && one.engine.is_running() {
            Verdict::Reached
        } else {
            Verdict::Pending
        }
    };
    let plan = Plan {
        act: &start,
        judge: &judge,
        changed: &BTreeSet::new(),
        limit: Some(limit),
        turns: None,
        entry: None,
    };
    drive(context, live, keys, &plan).await
}

fn keys<'a>(target: &Target, ids: impl Iterator<Item = &'a str>) -> Vec<ContainerKey> {
    let key = |id: &str| ContainerKey {
        host: target.name.clone(),
        id: Arc::from(id),
    };
    ids.map(key).collect()
}
