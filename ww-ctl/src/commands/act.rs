//! Acting on containers: which ones, what is done, and when it is true.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::BoxFuture;
use whaleware::lifecycle::State;

use super::Context;
use super::before::Before;
use super::live::Live;
use crate::cli::Names;
use crate::engine::EngineError;
use crate::exit::Failure;
use crate::fleet::{Container, ContainerKey};
use crate::watch::FeedHandle;

/// So many names are listed in a question.
const NAMED: usize = 10;
/// How a container stands, measured by what is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not there yet.
    Pending,
    /// There.
    Reached,
    /// This was asked for, and no more is wanted.
    Asked(&'static str),
    /// It cannot get there; why, in words.
    Failed(String),
}

/// The containers a command is to act on.
#[derive(Debug)]
pub(super) struct Chosen {
    /// All of them.
    pub keys: Vec<ContainerKey>,
    /// Those that were started anew while it was being confirmed: another life than was meant.
    pub changed: BTreeSet<ContainerKey>,
}

/// The containers a command is to act on, after asking where it takes more than was named.
///
/// # Errors
/// When none or too many are meant, it is not confirmed, or nothing may be changed.
pub(super) async fn choose(
    context: &Context,
    names: &Names,
    verb: &str,
    live: &mut Live,
) -> Result<Chosen, Failure> {
    let selection = names.selection();
    let keys = context.pick(&selection, &live.fleet).await?;
    live.introduced(&keys).await?;
    let before = Before::all(&live.fleet, &keys);
    if keys.len() > 1 || !selection.is_explicit() {
        let mut shown: Vec<&str> = keys
            .iter()
            .take(NAMED)
            .filter_map(|key| live.fleet.get(key))
            .map(|one| one.name.as_str())
            .collect();
        if keys.len() > NAMED {
            shown.push("…");
        }
        let what = match keys.len() {
            1 => "1 container".to_owned(),
            several => format!("{several} containers"),
        };
        let question = format!("{verb} {what}: {}", shown.join(", "));
        live.during(context.confirm(&question)).await??;
    }
    let changed = keys
        .iter()
        .filter_map(|key| live.fleet.get(key))
        .filter(|one| {
            before
                .get(&one.key)
                .is_some_and(|before| before.is_over(one))
        })
        .map(|one| one.key.clone())
        .collect();
    Ok(Chosen { keys, changed })
}

/// What is done to one container.
pub(super) type Act = BoxFuture<'static, Result<Sent, Failure>>;

/// What became of a request that an Engine has been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// It has answered.
    Answered,
    /// The connection broke first: only watching tells whether it was done.
    Unanswered,
}

impl Sent {
    /// # Errors
    /// When the Engine has refused.
    pub(super) fn from(result: Result<(), EngineError>) -> Result<Self, Failure> {
        match result {
            Ok(()) => Ok(Self::Answered),
            Err(EngineError::Broken { .. }) => Ok(Self::Unanswered),
            Err(error) => Err(error.into()),
        }
    }
}

/// What is to be done and when it is true.
pub(super) struct Plan<'a> {
    /// Begins it.
    pub act: &'a dyn Fn(&FeedHandle, &Container) -> Act,
    /// Measures a container; `acted` says whether the act itself has ended.
    pub judge: &'a dyn Fn(&Container, bool) -> Verdict,
    /// Those to which nothing is to be done, because they are not what was meant any more.
    pub changed: &'a BTreeSet<ContainerKey>,
    /// How long it is watched.
    pub limit: Option<Duration>,
}

/// `still RESTARTING (SIGHUP)`.
pub(super) fn laggard(container: &Container) -> String {
    let state = container.state().map_or("unknown", State::name);
    match container.cause() {
        cause if cause.is_empty() => format!("still {state}"),
        cause => format!("still {state} ({cause})"),
    }
}
