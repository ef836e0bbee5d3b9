//! `wait`: until all are there, or one can no longer get there.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use whaleware::lifecycle::State;

use super::Context;
use super::act::{Verdict, laggard};
use super::hosts::Hosts;
use super::live::Live;
use super::outcome::{Outcome, report};
use crate::cli::{Goal, Wait};
use crate::engine::Scope;
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, ContainerKey, EngineState, Fleet};
use crate::units::duration;

pub(super) async fn run(context: &Context, arguments: &Wait) -> Result<Exit, Failure> {
    // All have the same time, and finding them takes its share.
    let deadline = Instant::now() + arguments.timeout;
    let begun = context.clock.now().moment;
    let found = timeout_at(deadline, find(context, arguments)).await;
    let (mut live, keys) = found.map_err(|_| {
        let after = duration(arguments.timeout);
        let message = format!("nobody has told within {after} which containers there are");
        Failure::new(Exit::TimedOut, message).hint("give it more time with --timeout")
    })??;
    let mut hosts = Hosts::from_now(&live.fleet);
    let waiting = format!("waiting for {}; end with Ctrl-C", arguments.goal);
    context.output.detail(&waiting);
    // An agent that is only being reached is no laggard yet.
    if let Ok(introduced) = timeout_at(deadline, live.introduced(&keys)).await {
        introduced?;
    }
    let mut verdicts: BTreeMap<ContainerKey, (Verdict, Duration)> = BTreeMap::new();
    let exit = loop {
        let took = context.clock.now().moment - begun;
        for key in &keys {
            let verdict = match live.fleet.get(key) {
                Some(container) => judge(container, arguments.goal),
                None if arguments.goal == Goal::State(State::Dockerdown) => Verdict::Reached,
                None => Verdict::Failed("it was removed".into()),
            };
            // What was reached once counts, even if it did not stay.
            let known = verdicts.entry(key.clone());
            let known = known.or_insert((Verdict::Pending, took));
            if known.0 == Verdict::Pending {
                *known = (verdict, took);
            }
        }
        let mut all = verdicts.values().map(|(verdict, _)| verdict);
        if all.any(|verdict| matches!(verdict, Verdict::Failed(_))) {
            break Exit::Failed;
        }
        let mut all = verdicts.values().map(|(verdict, _)| verdict);
        if all.all(|verdict| *verdict == Verdict::Reached) {
            break Exit::Done;
        }
        match timeout_at(deadline, live.next()).await {
            Ok(changes) => {
                let now = context.clock.now();
                for change in changes? {
                    if let Some(line) = hosts.line(&live.fleet, &change, now) {
                        context.output.say(&line);
                    }
                }
            }
            Err(_) => break Exit::TimedOut,
        }
    };
    let now = context.clock.now().moment - begun;
    let outcome = |key: &ContainerKey| {
        let (verdict, took) = verdicts.remove(key)?;
        let took = if verdict == Verdict::Pending {
            now
        } else {
            took
        };
        let goal = arguments.goal;
        Some(outcome(&live.fleet, key.clone(), verdict, goal, took))
    };
    let outcomes: Vec<Outcome> = keys.iter().filter_map(outcome).collect();
    live.close().await;
    report(context, "wait", &outcomes)?;
    Ok(exit)
}

async fn find(context: &Context, arguments: &Wait) -> Result<(Live, Vec<ContainerKey>), Failure> {
    let selection = arguments.names.selection();
    let mut live = context.live(Scope::Agents, &selection).await?;
    let keys = context.pick_live(&selection, &mut live).await?;
    Ok((live, keys))
}

fn outcome(
    fleet: &Fleet,
    key: ContainerKey,
    verdict: Verdict,
    goal: Goal,
    took: Duration,
) -> Outcome {
    let (exit, reason) = match verdict {
        Verdict::Reached | Verdict::Unproven | Verdict::Asked(_) => (Exit::Done, String::new()),
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
