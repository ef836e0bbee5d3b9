//! Acting on containers: which ones, what is done, and when it is true.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::BoxFuture;
use whaleware::lifecycle::State;
use whaleware::protocol::HealthStatus;

use super::Context;
use super::before::Before;
use super::live::Live;
use crate::cli::Names;
use crate::engine::EngineError;
use crate::exit::Failure;
use crate::fleet::{Container, ContainerKey, stage_word};
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

/// The containers a command is to act on, after asking where it takes more than was named. What
/// `beforehand` has to say of each is said before that.
///
/// # Errors
/// When none or too many are meant, it is not confirmed, or nothing may be changed.
pub(super) async fn choose(
    context: &Context,
    names: &Names,
    verb: &str,
    live: &mut Live,
    beforehand: fn(&Container) -> Option<String>,
) -> Result<Chosen, Failure> {
    let selection = names.selection();
    let keys = context.pick(&selection, &live.fleet).await?;
    live.introduced(&keys).await?;
    let before = Before::all(&live.fleet, &keys);
    let asks = keys.len() > 1 || !selection.is_explicit();
    // Where it is going to be refused there is nothing to be told beforehand.
    for one in keys.iter().filter_map(|key| live.fleet.get(key)) {
        if let Some(words) = beforehand(one).filter(|_| !asks || context.can_confirm()) {
            context.output.say(&format!("{}: {words}", one.name));
        }
    }
    if asks {
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

/// `still RESTARTING (SIGHUP)`, `still STOPPED (SIGTERM, in svcdown)`, `still UP (warmup finished,
/// failing: service web exited 3)`.
pub(super) fn laggard(container: &Container) -> String {
    let state = container.state().map_or("unknown", State::name);
    let cause = Some(container.cause()).filter(|cause| !cause.is_empty());
    let failing = container.health() == HealthStatus::Failing;
    let failing = failing.then(|| match container.ailment() {
        Some(what) => format!("failing: {what}"),
        None => "failing".to_owned(),
    });
    let why = cause.into_iter().chain(in_stage(container));
    let why: Vec<String> = why.chain(failing).collect();
    match why.as_slice() {
        [] => format!("still {state}"),
        [..] => format!("still {state} ({})", why.join(", ")),
    }
}

/// `in svcdown`; none without a stop under way.
pub(super) fn in_stage(container: &Container) -> Option<String> {
    let stage = container.agent.as_ref()?.stage()?;
    Some(format!("in {}", stage_word(stage.name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::scene::{at, frame, one, up};

    #[test]
    fn a_laggard_that_fails_says_what_does() {
        let mut fleet = up();
        let failing = r#"{"type":"health","status":"failing","detail":"service web exited 9"}"#;
        fleet.apply(frame("a", failing), at(10));
        assert_eq!(
            laggard(one(&fleet)),
            "still UP (warmup finished, failing: service web exited 9)"
        );
    }
}
