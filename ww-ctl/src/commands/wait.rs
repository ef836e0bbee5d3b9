//! `wait`: until all are there, or one can no longer get there.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use whaleware::lifecycle::State;

use super::Context;
use super::act::{Verdict, laggard};
use super::outcome::{Outcome, report};
use crate::cli::{Goal, Wait};
use crate::engine::Scope;
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, ContainerKey, EngineState, Fleet};
use crate::units::duration;

pub(super) async fn run(context: &Context, arguments: &Wait) -> Result<Exit, Failure> {
    let mut live = context.live(Scope::Agents).await?;
    let keys = context
        .pick(&arguments.names.selection(), &live.fleet)
        .await?;
    let begun = context.clock.now().moment;
    let deadline = Instant::now() + arguments.timeout;
    // An agent that is only being reached is no laggard yet.
    if let Ok(introduced) = timeout_at(deadline, live.introduced(&keys)).await {
        introduced?;
    }
    let mut verdicts: BTreeMap<ContainerKey, Verdict> = BTreeMap::new();
    let exit = loop {
        for key in &keys {
            let verdict = match live.fleet.get(key) {
                Some(container) => judge(container, arguments.goal),
                None if arguments.goal == Goal::State(State::Dockerdown) => Verdict::Reached,
                None => Verdict::Failed("it was removed".into()),
            };
            // What was reached once counts, even if it did not stay.
            let known = verdicts.entry(key.clone()).or_insert(Verdict::Pending);
            if *known == Verdict::Pending {
                *known = verdict;
            }
        }
        if verdicts
            .values()
            .any(|verdict| matches!(verdict, Verdict::Failed(_)))
        {
            break Exit::Failed;
        }
        if verdicts
            .values()
            .all(|verdict| *verdict == Verdict::Reached)
        {
            break Exit::Done;
        }
        match timeout_at(deadline, live.next()).await {
            Ok(changes) => drop(changes?),
            Err(_) => break Exit::TimedOut,
        }
    };
    let now = context.clock.now().moment;
    let outcomes = verdicts
        .into_iter()
        .map(|(key, verdict)| outcome(&live.fleet, key, verdict, arguments.goal, now - begun))
        .collect::<Vec<_>>();
    live.close().await;
    report(context, "wait", &outcomes)?;
    Ok(exit)
}

fn outcome(
    fleet: &Fleet,
    key: ContainerKey,
    verdict: Verdict,
    goal: Goal,
    took: Duration,
) -> Outcome {
    let (exit, reason) = match verdict {
        Verdict::Reached | Verdict::Asked(_) => (Exit::Done, String::new()),
        Verdict::Failed(reason) => (Exit::Failed, reason),
        Verdict::Pending => {
            let state = fleet.get(&key).map_or_else(String::new, laggard);
            let after = duration(took);
            (Exit::TimedOut, format!("not {goal} after {after}, {state}"))
        }
    };
    Outcome::new(fleet, key, exit, reason, took)
}

/// Whether a container is where it is waited for, or can no longer get there.
fn judge(container: &Container, goal: Goal) -> Verdict {
    if !container.has_agent {
        return Verdict::Failed("it has no agent".into());
    }
    let Some(state) = container.state() else {
        return Verdict::Pending;
    };
    let reached = match goal {
        Goal::State(goal) => state == goal,
        Goal::Healthy => container.is_healthy(),
    };
    if reached {
        return Verdict::Reached;
    }
    let goal = match goal {
        Goal::State(goal) => goal,
        Goal::Healthy => State::Up,
    };
    let ends = matches!(goal, State::Dockerdown);
    match (state, container.engine) {
        // Docker starts it again by its own policy.
        (State::Dockerdown, EngineState::Restarting) => Verdict::Pending,
        (State::Dockerdown, _) => Verdict::Failed(format!("it is down: {}", container.cause())),
        _ if ends => Verdict::Pending,
        (State::Error, _) => Verdict::Failed(format!("ERROR: {}", container.cause())),
        (State::Stopped, _) if goal != State::Error => {
            Verdict::Failed(format!("it is stopping: {}", container.cause()))
        }
        _ if is_past(state, goal) => Verdict::Failed(format!("it is {state} already")),
        _ => Verdict::Pending,
    }
}

/// A life goes through these once, in this order.
fn is_past(state: State, goal: State) -> bool {
    let once = |state| {
        matches!(
            state,
            State::Dockerup | State::Boot | State::Firstboot | State::Upgrading | State::Warmup
        )
    };
    once(goal) && goal < state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_is_told_from_what_is_ahead() {
        for (state, goal, expected) in [
            (State::Boot, State::Up, false),
            (State::Up, State::Boot, true),
            (State::Up, State::Warmup, true),
            (State::Warmup, State::Firstboot, true),
            (State::Up, State::Restarting, false),
            (State::Restarting, State::Up, false),
            (State::Restarting, State::Warmup, true),
            (State::Up, State::Stopped, false),
        ] {
            assert_eq!(is_past(state, goal), expected, "{state} {goal}");
        }
    }
}
