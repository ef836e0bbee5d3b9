//! Acting on containers: which ones, what is done, and when it is true.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::BoxFuture;
use whaleware::lifecycle::State;
use whaleware::protocol::HealthStatus;

use super::Context;
use super::before::Before;
use super::live::Live;
use super::turns::Turns;
use crate::audit::{Entry, Target};
use crate::cli::Names;
use crate::engine::EngineError;
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, ContainerKey, Fleet, kept_for, stage_word};
use crate::watch::FeedHandle;

/// So many names are listed in a question.
const NAMED: usize = 10;
/// How a container stands, measured by what is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not there yet.
    Pending,
    /// There; whether it is well has to be asked.
    Unproven,
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
    /// That it is going to be acted on is written down.
    pub entry: Entry,
}

/// What a command is going to do.
pub(super) struct Intent<'a> {
    /// Its name.
    pub verb: &'static str,
    /// How it does it to several, with a space before.
    pub manner: &'a str,
    /// What is to be said of one before it is acted on.
    pub beforehand: fn(&Container) -> Option<String>,
}

/// The containers a command is to act on, after asking where it takes more than was named.
///
/// # Errors
/// When none or too many are meant, it is not confirmed, or nothing may be changed.
pub(super) async fn choose(
    context: &Context,
    names: &Names,
    intent: &Intent<'_>,
    live: &mut Live,
) -> Result<Chosen, Failure> {
    let selection = names.selection();
    let keys = context.pick_live(&selection, live).await?;
    // To stop one of these is never wrong.
    if intent.verb != "stop" {
        for one in keys.iter().filter_map(|key| live.fleet.get(key)) {
            spare_kept(intent.verb, &one.name)?;
        }
    }
    live.introduced(&keys).await?;
    let before = Before::all(&live.fleet, &keys);
    let asks = keys.len() > 1 || !selection.is_explicit();
    // Where it is going to be refused there is nothing to be told beforehand.
    for one in keys.iter().filter_map(|key| live.fleet.get(key)) {
        if let Some(words) = (intent.beforehand)(one).filter(|_| !asks || context.can_confirm()) {
            context.output.say(&format!("{}: {words}", one.name));
        }
    }
    if asks {
        let Intent { verb, manner, .. } = intent;
        let meant = keys.iter().filter_map(|key| live.fleet.get(key));
        let names: Vec<&str> = meant.map(|one| one.name.as_str()).collect();
        let question = format!("{verb}{manner} {}", counted(&names));
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
    let entry = context
        .audit
        .begin(intent.verb, targets(&live.fleet, &keys));
    Ok(Chosen {
        keys,
        changed,
        entry,
    })
}

/// These containers, for the audit journal.
fn targets(fleet: &Fleet, keys: &[ContainerKey]) -> Vec<Target> {
    let containers = keys.iter().filter_map(|key| fleet.get(key));
    containers.map(Target::of).collect()
}

/// One that an upgrade keeps must not run beside the one in use: the two have the same data.
fn spare_kept(verb: &str, name: &str) -> Result<(), Failure> {
    let Some(base) = kept_for(name) else {
        return Ok(());
    };
    let message = format!(
        "refused to {verb} {name}: it is kept by an upgrade of {base}, and has the same data"
    );
    Err(Failure::new(Exit::Refused, message).hint(format!(
        "`ww-ctl upgrade {base} --undo` goes back to what was before"
    )))
}

/// `3 containers: a, b, c`.
pub(super) fn counted(names: &[&str]) -> String {
    let mut shown: Vec<&str> = names.iter().take(NAMED).copied().collect();
    if names.len() > NAMED {
        shown.push("…");
    }
    let what = match names.len() {
        1 => "1 container".to_owned(),
        several => format!("{several} containers"),
    };
    format!("{what}: {}", shown.join(", "))
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
    /// Measures a container by what it was like before; `acted` says whether the act itself has
    /// ended.
    pub judge: &'a dyn Fn(&Container, &Before, bool) -> Verdict,
    /// Those to which nothing is to be done, because they are not what was meant any more.
    pub changed: &'a BTreeSet<ContainerKey>,
    /// How long each is watched.
    pub limit: Option<Duration>,
    /// How they are taken in turn; none: all at once.
    pub turns: Option<Turns<'a>>,
    /// Where each end is written down as it comes.
    pub entry: Option<&'a Entry>,
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
    fn what_an_upgrade_keeps_is_not_started_beside_the_one_in_use() {
        assert_eq!(spare_kept("start", "shop"), Ok(()));
        let refused = spare_kept("start", "shop.ww-old").unwrap_err();
        assert_eq!(refused.exit, Exit::Refused);
        assert!(refused.hint.unwrap().contains("upgrade shop --undo"));
    }

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
