//! `restart`: the services by SIGHUP, or the whole container; watched until UP again.

use std::collections::BTreeMap;

use futures::FutureExt;
use whaleware::lifecycle::State;
use whaleware::protocol::{HealthStatus, RequestKind};

use super::Context;
use super::act::{Act, Before, Plan, Verdict, choose, drive, report, stop_limit};
use crate::cli::Restart;
use crate::engine::Scope;
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, ContainerKey};
use crate::watch::FeedHandle;

pub(super) async fn run(context: &Context, arguments: &Restart) -> Result<Exit, Failure> {
    context.may_change("restart")?;
    let mut live = context.live(Scope::Agents).await?;
    let keys = choose(context, &arguments.names, "restart", &mut live).await?;
    let before: BTreeMap<ContainerKey, Before> = keys
        .iter()
        .filter_map(|key| live.fleet.get(key))
        .map(|one| (one.key.clone(), Before::of(one)))
        .collect();
    let nothing = Before::default();
    let before = |one: &Container| before.get(&one.key).unwrap_or(&nothing);
    let judge = |one: &Container, acted: bool| match (arguments.no_wait, arguments.container) {
        (true, _) if acted => Verdict::Reached,
        (true, _) => Verdict::Pending,
        (false, true) => renewed(one, before(one), acted),
        (false, false) => restarted(one, before(one)),
    };
    let plan = Plan {
        act: if arguments.container {
            &renew
        } else {
            &hang_up
        },
        judge: &judge,
        limit: Some(arguments.timeout),
    };
    let outcomes = drive(context, &mut live, &keys, &plan).await?;
    live.close().await;
    report(context, "restart", &outcomes)
}

/// Tells the agent who asks, then sends the signal.
pub(super) fn hang_up(handle: &FeedHandle, container: &Container) -> Act {
    if !container.engine.is_running() {
        let reason = format!("it does not run ({}); start it", container.cause());
        return std::future::ready(Err(Failure::new(Exit::Failed, reason))).boxed();
    }
    let (handle, key) = (handle.clone(), container.key.clone());
    async move {
        announce(&handle, &key, "HUP").await;
        let engine = handle.engine(&key.host).await?;
        Ok(engine.kill(&key.id, "HUP").await?)
    }
    .boxed()
}

/// Tells the agent who is behind the signal that is about to come. It is a courtesy: an agent that
/// does not answer gets the signal all the same.
pub(super) async fn announce(handle: &FeedHandle, key: &ContainerKey, signal: &str) {
    let kind = RequestKind::Announce {
        signal: signal.to_owned(),
    };
    let _unheard = handle.ask(key, kind).await;
}

fn renew(handle: &FeedHandle, container: &Container) -> Act {
    let (handle, key) = (handle.clone(), container.key.clone());
    let limit = stop_limit(container);
    async move {
        announce(&handle, &key, "TERM").await;
        let engine = handle.engine(&key.host).await?;
        Ok(engine.restart(&key.id, limit).await?)
    }
    .boxed()
}

/// RESTARTING was seen and UP reached again.
fn restarted(one: &Container, before: &Before) -> Verdict {
    if !one.engine.is_running() {
        return Verdict::Failed(format!("it has ended: {}", one.cause()));
    }
    if before.is_over(one) {
        return Verdict::Failed("its container was restarted meanwhile".into());
    }
    match one.state() {
        Some(State::Error) => Verdict::Failed(format!("ERROR: {}", one.cause())),
        Some(State::Stopped) => Verdict::Failed(format!("it is stopping: {}", one.cause())),
        Some(State::Up) if before.has_restarted(one) && one.health() != HealthStatus::Failing => {
            Verdict::Reached
        }
        Some(_) | None => Verdict::Pending,
    }
}

/// Another life has begun and reached UP.
fn renewed(one: &Container, before: &Before, acted: bool) -> Verdict {
    let over = before.is_over(one);
    match one.state() {
        Some(State::Up) if over && one.is_healthy() => Verdict::Reached,
        Some(State::Error) if over => Verdict::Failed(format!("ERROR: {}", one.cause())),
        Some(State::Dockerdown) if acted && over => {
            Verdict::Failed(format!("it has ended: {}", one.cause()))
        }
        Some(_) | None => Verdict::Pending,
    }
}
