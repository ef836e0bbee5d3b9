//! `stop`: in order, for as long as it takes, watched until it has ended.

use std::collections::BTreeSet;

use futures::FutureExt;
use whaleware::lifecycle::State;

use super::Context;
use super::act::{Act, Chosen, Plan, Sent, Verdict, choose, in_stage};
use super::budget::{stop_limit, stop_words};
use super::drive::drive;
use super::live::Live;
use super::outcome::report;
use super::restart::announce;
use crate::cli::Stop;
use crate::engine::{EngineError, Scope};
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, ContainerKey, EngineState, Link};
use crate::units::duration;
use crate::watch::FeedHandle;

/// What a process has for exit code that was killed.
const KILLED: i64 = 137;

pub(super) async fn run(context: &Context, arguments: &Stop) -> Result<Exit, Failure> {
    context.may_change("stop")?;
    let mut live = context.live(Scope::Agents).await?;
    let names = &arguments.names;
    let Chosen { keys, changed } = choose(context, names, "stop", &mut live, stop_words).await?;
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
    let judge = |one: &Container, acted: bool| {
        if arguments.no_wait && one.state() == Some(State::Stopped) {
            return Verdict::Reached;
        }
        stopped(one, acted)
    };
    let plan = Plan {
        act: &stop,
        judge: &judge,
        changed: &changed,
        limit: arguments.timeout,
    };
    let outcomes = drive(context, &mut live, &keys, &plan).await?;
    live.close().await;
    let exit = report(context, "stop", &outcomes)?;
    if exit == Exit::TimedOut {
        context
            .output
            .say("the stop goes on; `ww-ctl wait NAME --for DOCKERDOWN` waits for its end");
    }
    Ok(exit)
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

/// Tells the agent who asks, then has Docker stop the container for as long as that takes.
pub(super) fn stop(handle: &FeedHandle, container: &Container) -> Act {
    let (handle, key) = (handle.clone(), container.key.clone());
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

fn stopped(one: &Container, acted: bool) -> Verdict {
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
