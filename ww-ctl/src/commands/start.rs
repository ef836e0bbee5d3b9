//! `start`: watched until UP.

use futures::FutureExt;
use whaleware::lifecycle::State;

use super::Context;
use super::act::{Act, Plan, Verdict, choose, drive, report};
use crate::cli::Start;
use crate::engine::Scope;
use crate::exit::{Exit, Failure};
use crate::fleet::Container;
use crate::watch::FeedHandle;

pub(super) async fn run(context: &Context, arguments: &Start) -> Result<Exit, Failure> {
    context.may_change("start")?;
    let mut live = context.live(Scope::Agents).await?;
    let keys = choose(context, &arguments.names, "start", &mut live).await?;
    let judge = |one: &Container, acted: bool| {
        if arguments.no_wait {
            return if acted {
                Verdict::Reached
            } else {
                Verdict::Pending
            };
        }
        started(one, acted)
    };
    let plan = Plan {
        act: &start,
        judge: &judge,
        limit: Some(arguments.timeout),
    };
    let outcomes = drive(context, &mut live, &keys, &plan).await?;
    live.close().await;
    report(context, "start", &outcomes)
}

fn start(handle: &FeedHandle, container: &Container) -> Act {
    let (handle, key) = (handle.clone(), container.key.clone());
    async move {
        let engine = handle.engine(&key.host).await?;
        Ok(engine.start(&key.id).await?)
    }
    .boxed()
}

/// It was started and is UP. The event of its start comes before the Engine's answer, but by
/// another connection: until it has come, a container that is down is not one that has ended.
fn started(one: &Container, acted: bool) -> Verdict {
    match one.state() {
        Some(State::Up) => Verdict::Reached,
        Some(State::Error) => Verdict::Failed(format!("ERROR: {}", one.cause())),
        Some(State::Stopped) => Verdict::Failed(format!("it is stopping: {}", one.cause())),
        Some(State::Dockerdown) if acted && one.agent.is_some() => {
            Verdict::Failed(format!("it has ended: {}", one.cause()))
        }
        Some(_) | None => Verdict::Pending,
    }
}
