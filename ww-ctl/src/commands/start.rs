//! `start`: watched until UP.

use std::collections::BTreeSet;

use futures::FutureExt;
use whaleware::lifecycle::State;

use super::Context;
use super::act::{Act, Chosen, Intent, Plan, Sent, Verdict, choose};
use super::before::Before;
use super::drive::drive;
use super::outcome::conclude;
use crate::cli::Start;
use crate::engine::Scope;
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, EngineState};
use crate::watch::FeedHandle;

pub(super) async fn run(context: &Context, arguments: &Start) -> Result<Exit, Failure> {
    context.may_change("start")?;
    let mut live = context
        .live(Scope::Agents, &arguments.names.selection())
        .await?;
    let intent = Intent {
        verb: "start",
        manner: "",
        beforehand: |_| None,
    };
    let Chosen { keys, entry, .. } = choose(context, &arguments.names, &intent, &mut live).await?;
    let judge = |one: &Container, before: &Before, acted: bool| {
        if arguments.no_wait {
            return if acted {
                Verdict::Asked("start")
            } else {
                Verdict::Pending
            };
        }
        started(one, before, acted)
    };
    let plan = Plan {
        act: &start,
        judge: &judge,
        // One that somebody else has started is what was wanted.
        changed: &BTreeSet::new(),
        limit: Some(arguments.timeout),
        turns: None,
        entry: Some(&entry),
    };
    let outcomes = drive(context, &mut live, &keys, &plan).await?;
    live.close().await;
    conclude(context, "start", entry, &outcomes)
}

pub(super) fn start(handle: &FeedHandle, container: &Container) -> Act {
    let (handle, key) = (handle.clone(), container.key.clone());
    async move {
        let engine = handle.engine(&key.host).await?;
        Sent::from(engine.start(&key.id).await)
    }
    .boxed()
}

/// It was started and is UP. The event of its start comes before the Engine's answer, but by
/// another connection: until it has come, a container that is down is not one that has ended.
pub(super) fn started(one: &Container, before: &Before, acted: bool) -> Verdict {
    match one.state() {
        Some(State::Up) => Verdict::Reached,
        Some(State::Error) => Verdict::Failed(format!("ERROR: {}", one.cause())),
        Some(State::Stopped) => Verdict::Failed(format!("it is stopping: {}", one.cause())),
        Some(State::Dockerdown)
            if acted && before.was_started(one) && one.engine != EngineState::Restarting =>
        {
            Verdict::Failed(format!("it has ended: {}", one.cause()))
        }
        Some(_) | None => Verdict::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::EngineEvent;
    use crate::fleet::scene::{EXITED, at, event, one, unheard};

    #[test]
    fn what_ends_before_its_agent_speaks_has_failed_once_its_start_was_seen() {
        let mut fleet = unheard(EXITED);
        let before = Before::of(one(&fleet));
        assert_eq!(started(one(&fleet), &before, true), Verdict::Pending);
        fleet.apply(event("a", EngineEvent::Started), at(10));
        assert_eq!(started(one(&fleet), &before, false), Verdict::Pending);
        let died = EngineEvent::Died {
            code: 78,
            out_of_memory: false,
        };
        fleet.apply(event("a", died), at(20));
        assert_eq!(
            started(one(&fleet), &before, true),
            Verdict::Failed("it has ended: exited 78, configuration refused".into())
        );
    }
}
