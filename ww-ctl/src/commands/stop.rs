//! `stop`: in order, for as long as it takes, watched until it has ended.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::FutureExt;
use whaleware::lifecycle::State;

use super::Context;
use super::act::{Act, Chosen, Intent, Plan, Sent, Verdict, choose, in_stage};
use super::before::Before;
use super::drive::drive;
use super::live::Live;
use super::outcome::conclude;
use super::restart::announce;
use crate::cli::Stop;
use crate::engine::{EngineError, Scope};
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, ContainerKey, EngineState, Fleet, Link, stop_limit, stop_words};
use crate::output::Output;
use crate::units::duration;
use crate::watch::FeedHandle;

/// What a process has for exit code that was killed.
const KILLED: i64 = 137;

pub(super) async fn run(context: &Context, arguments: &Stop) -> Result<Exit, Failure> {
    context.may_change("stop")?;
    let mut live = context
        .live(Scope::Agents, &arguments.names.selection())
        .await?;
    let intent = Intent {
        verb: "stop",
        manner: "",
        beforehand,
    };
    let chosen = choose(context, &arguments.names, &intent, &mut live).await?;
    let Chosen {
        keys,
        changed,
        entry,
    } = chosen;
    thaw(context, &mut live, &keys, &changed).await?;
    for container in keys.iter().filter_map(|key| live.fleet.get(key)) {
        if container.engine.is_running() && matches!(container.link, Link::Silent { .. }) {
            context.output.warn(&format!(
                "{}: its agent does not answer, so Docker kills it after {}",
                container.name,
                duration(stop_limit(container))
            ));
        }
    }
    let judge = |one: &Container, _: &Before, acted: bool| {
        if arguments.no_wait && one.state() == Some(State::Stopped) {
            return Verdict::Asked("stop");
        }
        stopped(one, acted)
    };
    let plan = Plan {
        act: &stop,
        judge: &judge,
        changed: &changed,
        limit: arguments.timeout,
        turns: None,
        entry: Some(&entry),
    };
    let hint = Hint::of(
        &live.fleet,
        keys.iter().filter(|key| !changed.contains(key)),
    );
    let interrupted = Interrupted {
        output: context.output,
        hint,
    };
    let driven = drive(context, &mut live, &keys, &plan).await;
    interrupted.defuse();
    let outcomes = driven?;
    let late = outcomes.iter().filter(|one| one.exit == Exit::TimedOut);
    let hint = Hint::of(&live.fleet, late.map(|one| &one.key));
    live.close().await;
    let exit = conclude(context, "stop", entry, &outcomes)?;
    if exit == Exit::TimedOut {
        context.output.say(&hint.words());
    }
    Ok(exit)
}

/// What is to be known of one before it is stopped.
fn beforehand(container: &Container) -> Option<String> {
    if is_stopping(container) {
        let cause = container.cause();
        return Some(format!("is being stopped already ({cause}), watching"));
    }
    stop_words(container)
}

/// Whether its agent stops it already. Another signal would be taken for impatience and cut the time
/// that its services have.
fn is_stopping(container: &Container) -> bool {
    container.engine == EngineState::Running
        && matches!(container.link, Link::Live { .. })
        && container.state() == Some(State::Stopped)
}

/// How the end of a stop that goes on can be waited for.
struct Hint {
    names: Vec<String>,
    limit: Duration,
}

impl Hint {
    fn of<'a>(fleet: &Fleet, keys: impl Iterator<Item = &'a ContainerKey>) -> Self {
        let meant: Vec<&Container> = keys
            .filter_map(|key| fleet.get(key))
            .filter(|one| one.engine.is_running())
            .collect();
        Self {
            names: meant.iter().map(|one| one.name.clone()).collect(),
            limit: meant.into_iter().map(stop_limit).max().unwrap_or_default(),
        }
    }

    fn words(&self) -> String {
        let names = self.names.join(" ");
        let limit = self.limit.as_secs();
        format!(
            "the stop goes on; `ww-ctl wait {names} --for DOCKERDOWN --timeout {limit}s` waits for its end"
        )
    }
}

/// Says that a stop goes on when the watching of it is given up.
struct Interrupted {
    output: Output,
    hint: Hint,
}

impl Interrupted {
    /// The watching has come to its own end.
    fn defuse(mut self) {
        self.hint.names.clear();
    }
}

impl Drop for Interrupted {
    fn drop(&mut self) {
        if !self.hint.names.is_empty() {
            self.output.say(&self.hint.words());
        }
    }
}

/// A paused container can neither say how long it needs nor end in order.
async fn thaw(
    context: &Context,
    live: &mut Live,
    keys: &[ContainerKey],
    changed: &BTreeSet<ContainerKey>,
) -> Result<(), Failure> {
    let mut thawed = Vec::new();
    for key in keys.iter().filter(|key| !changed.contains(key)) {
        let Some(one) = live.fleet.get(key) else {
            continue;
        };
        if one.engine != EngineState::Paused {
            continue;
        }
        let name = one.name.clone();
        match unpause(live.handle(), key).await {
            Ok(()) => {
                context
                    .output
                    .say(&format!("{name}: unpaused, to stop it in order"));
                thawed.push(key.clone());
            }
            Err(error) => {
                let message = Failure::from(error).message;
                context.output.warn(&format!("{name}: {message}"));
            }
        }
    }
    live.heard(&thawed).await
}

async fn unpause(handle: &FeedHandle, key: &ContainerKey) -> Result<(), EngineError> {
    handle.engine(&key.host).await?.unpause(&key.id).await
}

/// Tells the agent who asks, then has Docker stop the container for as long as that takes. One that is
/// being stopped is left to it: the first call goes on.
pub(super) fn stop(handle: &FeedHandle, container: &Container) -> Act {
    let (handle, key) = (handle.clone(), container.key.clone());
    if is_stopping(container) {
        return std::future::ready(Ok(Sent::Answered)).boxed();
    }
    let running = container.engine.is_running();
    let limit = stop_limit(container);
    async move {
        if running {
            announce(&handle, &key, "TERM").await;
        }
        let engine = handle.engine(&key.host).await?;
        Sent::from(engine.stop(&key.id, limit).await)
    }
    .boxed()
}

/// Ends its processes without asking them.
pub(super) fn kill(handle: &FeedHandle, container: &Container) -> Act {
    let (handle, key) = (handle.clone(), container.key.clone());
    async move {
        let engine = handle.engine(&key.host).await?;
        Sent::from(engine.kill(&key.id, "KILL").await)
    }
    .boxed()
}

pub(super) fn stopped(one: &Container, acted: bool) -> Verdict {
    match one.engine {
        EngineState::Running | EngineState::Paused => Verdict::Pending,
        _ if !acted => Verdict::Pending,
        EngineState::Exited {
            code: Some(KILLED), ..
        } => {
            let place = in_stage(one).map_or_else(String::new, |place| format!(", {place}"));
            Verdict::Failed(format!(
                "it was killed before it had stopped in order{place} ({})",
                one.cause()
            ))
        }
        EngineState::Exited { .. }
        | EngineState::Created
        | EngineState::Restarting
        | EngineState::Dead => Verdict::Reached,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::scene::{at, frame, key, one, state, up};

    #[test]
    fn one_that_is_being_stopped_is_only_watched() {
        let mut fleet = up();
        assert!(!is_stopping(one(&fleet)));
        fleet.apply(frame("a", &state(6, "STOPPED", "SIGTERM")), at(10));
        assert!(is_stopping(one(&fleet)));
        assert_eq!(
            beforehand(one(&fleet)).unwrap(),
            "is being stopped already (SIGTERM), watching"
        );
    }

    #[test]
    fn how_to_wait_for_the_end_is_said_with_the_name_and_the_time_it_may_take() {
        let fleet = up();
        let words = Hint::of(&fleet, [key("a")].iter()).words();
        let wait = "`ww-ctl wait name-a --for DOCKERDOWN --timeout 86400s`";
        assert_eq!(words, format!("the stop goes on; {wait} waits for its end"));
    }
}
