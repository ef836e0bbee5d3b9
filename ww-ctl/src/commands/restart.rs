//! `restart`: the services by SIGHUP, or the whole container; watched until UP again.

use futures::FutureExt;
use whaleware::lifecycle::State;
use whaleware::protocol::{HealthStatus, RequestKind};

use super::act::{Act, Chosen, Intent, Plan, Sent, Verdict, choose};
use super::before::Before;
use super::drive::drive;
use super::outcome::conclude;
use super::{Context, rolling};
use crate::cli::Restart;
use crate::engine::Scope;
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, ContainerKey, EngineState, stop_limit, stop_words};
use crate::watch::FeedHandle;

pub(super) async fn run(context: &Context, arguments: &Restart) -> Result<Exit, Failure> {
    context.may_change("restart")?;
    if arguments.rolling {
        return rolling::run(context, arguments).await;
    }
    let mut live = context
        .live(Scope::Agents, &arguments.names.selection())
        .await?;
    let intent = Intent {
        verb: "restart",
        manner: "",
        beforehand: if arguments.container {
            stop_words
        } else {
            |_: &Container| None
        },
    };
    let chosen = choose(context, &arguments.names, &intent, &mut live).await?;
    let Chosen {
        keys,
        changed,
        entry,
    } = chosen;
    let judge = |one: &Container, before: &Before, acted: bool| match arguments {
        Restart { no_wait: true, .. } if acted => Verdict::Asked("restart"),
        Restart { no_wait: true, .. } => Verdict::Pending,
        Restart {
            container: true, ..
        } => renewed(one, before, acted),
        Restart { .. } => restarted(one, before, acted),
    };
    let plan = Plan {
        act: if arguments.container {
            &renew
        } else {
            &hang_up
        },
        judge: &judge,
        changed: &changed,
        limit: Some(arguments.timeout),
        turns: None,
        entry: Some(&entry),
    };
    let outcomes = drive(context, &mut live, &keys, &plan).await?;
    live.close().await;
    conclude(context, "restart", entry, &outcomes)
}

/// Tells the agent who asks, then sends the signal.
pub(super) fn hang_up(handle: &FeedHandle, container: &Container) -> Act {
    if !container.engine.is_running() {
        let failure = Failure::new(Exit::Failed, is_down(container));
        return std::future::ready(Err(failure)).boxed();
    }
    let (handle, key) = (handle.clone(), container.key.clone());
    async move {
        announce(&handle, &key, "HUP").await;
        let engine = handle.engine(&key.host).await?;
        Sent::from(engine.kill(&key.id, "HUP").await)
    }
    .boxed()
}

fn is_down(container: &Container) -> String {
    format!(
        "it does not run ({}); start it with `ww-ctl start {}`",
        container.cause(),
        container.name
    )
}

/// Tells the agent who is behind the signal that is about to come. It is a courtesy: an agent that
/// does not answer gets the signal all the same.
pub(super) async fn announce(handle: &FeedHandle, key: &ContainerKey, signal: &str) {
    let kind = RequestKind::Announce {
        signal: signal.to_owned(),
    };
    let _unheard = handle.ask(key, kind).await;
}

pub(super) fn renew(handle: &FeedHandle, container: &Container) -> Act {
    let (handle, key) = (handle.clone(), container.key.clone());
    let limit = stop_limit(container);
    async move {
        announce(&handle, &key, "TERM").await;
        let engine = handle.engine(&key.host).await?;
        Sent::from(engine.restart(&key.id, limit).await)
    }
    .boxed()
}

/// RESTARTING was seen and UP reached again.
pub(super) fn restarted(one: &Container, before: &Before, acted: bool) -> Verdict {
    if !one.engine.is_running() && !before.was_running() {
        return Verdict::Failed(is_down(one));
    }
    if !one.engine.is_running() {
        return Verdict::Failed(format!("it has ended: {}", one.cause()));
    }
    if before.is_over(one) {
        return Verdict::Failed("its container was restarted meanwhile".into());
    }
    match one.state() {
        Some(State::Error) => Verdict::Failed(format!("ERROR: {}", one.cause())),
        Some(State::Stopped) => Verdict::Failed(format!("it is stopping: {}", one.cause())),
        Some(State::Up)
            if before.has_restarted(one, acted) && one.health() != HealthStatus::Failing =>
        {
            Verdict::Reached
        }
        Some(_) | None => Verdict::Pending,
    }
}

/// Another life has begun and reached UP.
pub(super) fn renewed(one: &Container, before: &Before, acted: bool) -> Verdict {
    let over = before.is_over(one);
    match one.state() {
        Some(State::Up) if over && one.is_healthy() => Verdict::Reached,
        Some(State::Error) if over => Verdict::Failed(format!("ERROR: {}", one.cause())),
        // Its death alone is what was asked for; that of its next life is not.
        Some(State::Dockerdown) if acted && over && one.engine != EngineState::Restarting => {
            Verdict::Failed(format!("it has ended: {}", one.cause()))
        }
        Some(_) | None => Verdict::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::scene::{EXITED, HELLO, at, event, frame, one, snapshot, state, unheard, up};
    use crate::fleet::{EngineEvent, Fleet, Input};

    /// How each input is judged, one after the other.
    fn verdicts(inputs: Vec<Input>, renewing: bool) -> Vec<Verdict> {
        verdicts_from(up(), inputs, renewing)
    }

    fn verdicts_from(mut fleet: Fleet, inputs: Vec<Input>, renewing: bool) -> Vec<Verdict> {
        let before = Before::of(one(&fleet));
        let judge = |one: &Container| {
            if renewing {
                renewed(one, &before, true)
            } else {
                restarted(one, &before, true)
            }
        };
        let mut verdicts = vec![judge(one(&fleet))];
        for (after, input) in (10..).zip(inputs) {
            fleet.apply(input, at(after));
            verdicts.push(judge(one(&fleet)));
        }
        verdicts
    }

    fn died() -> Input {
        let died = EngineEvent::Died {
            code: 1,
            out_of_memory: false,
        };
        event("a", died)
    }

    fn failed(reason: &str) -> Verdict {
        Verdict::Failed(reason.into())
    }

    #[test]
    fn one_that_is_down_is_to_be_started() {
        let seen = verdicts_from(unheard(EXITED), Vec::new(), false);
        let reason = "it does not run (exited 1, ended in ERROR); \
                      start it with `ww-ctl start name-a`";
        assert_eq!(seen, [failed(reason)]);
    }

    #[test]
    fn up_alone_is_not_enough() {
        let inputs = vec![
            frame("a", &state(6, "RESTARTING", "operator alice@ops1")),
            frame("a", &state(7, "UP", "restart finished")),
        ];
        assert_eq!(
            verdicts(inputs, false),
            [Verdict::Pending, Verdict::Pending, Verdict::Reached]
        );
    }

    #[test]
    fn one_whose_services_are_yet_to_be_started_has_answered_when_they_are() {
        let from = |inputs: Vec<Input>| {
            let mut fleet = up();
            for input in inputs {
                fleet.apply(input, at(5));
            }
            let up = frame("a", &state(9, "UP", "restart finished"));
            let seen = verdicts_from(fleet, vec![up], false);
            assert_eq!(seen[0], Verdict::Pending);
            seen[1].clone()
        };
        let under_way = || frame("a", &state(6, "RESTARTING", "monitor exited 1"));
        assert_eq!(from(vec![under_way()]), Verdict::Reached);
        let upgrading = frame("a", &snapshot("UPGRADING", 0));
        assert_eq!(from(vec![upgrading]), Verdict::Reached);
        // The agent does it once more after that.
        let svcup = r#"{"type":"hook","run":9,"hook":"svcup","state":"RESTARTING","at":"2026-11-22T16:15:30Z","result":"running","duration_ms":0}"#;
        let svcup = frame("a", svcup);
        assert_eq!(from(vec![under_way(), svcup]), Verdict::Pending);
        let warmup = frame("a", &snapshot("WARMUP", 0));
        assert_eq!(from(vec![warmup]), Verdict::Pending);
    }

    #[test]
    fn a_restart_that_was_missed_is_found_in_the_next_snapshot() {
        let missed = snapshot("UP", 10).replace(
            "\"transitions\":[",
            r#""transitions":[{"number":6,"at":"2026-11-22T16:14:52Z","state":"RESTARTING","cause":"SIGHUP","lasted_ms":1},"#,
        );
        let seen = verdicts(vec![frame("a", &missed)], false);
        assert_eq!(seen.last(), Some(&Verdict::Reached));
    }

    #[test]
    fn what_cannot_come_back_is_told_with_its_reason() {
        for (inputs, reason) in [
            (
                vec![frame("a", &state(6, "ERROR", "svcup exited 7"))],
                "ERROR: svcup exited 7",
            ),
            (
                vec![frame("a", &state(6, "STOPPED", "SIGTERM"))],
                "it is stopping: SIGTERM",
            ),
            (vec![died()], "it has ended: exited 1 while UP"),
            (
                vec![
                    event("a", EngineEvent::Started),
                    frame("a", &HELLO.replace("b1", "b2")),
                ],
                "its container was restarted meanwhile",
            ),
        ] {
            let seen = verdicts(inputs, false);
            assert_eq!(seen.last(), Some(&failed(reason)));
        }
    }

    #[test]
    fn a_failing_check_is_no_success() {
        let inputs = vec![
            frame("a", &state(6, "RESTARTING", "SIGHUP")),
            frame("a", r#"{"type":"health","status":"failing","failures":1}"#),
            frame("a", &state(7, "UP", "restart finished")),
            frame("a", r#"{"type":"health","status":"passing"}"#),
        ];
        let seen = verdicts(inputs, false);
        assert_eq!(seen[3..], [Verdict::Pending, Verdict::Reached]);
    }

    #[test]
    fn the_death_that_was_asked_for_is_no_end_of_a_silent_container() {
        let inputs = vec![died(), event("a", EngineEvent::Started), died()];
        let seen = verdicts_from(unheard(EngineState::Running), inputs, true);
        assert_eq!(
            seen[..3],
            [Verdict::Pending, Verdict::Pending, Verdict::Pending]
        );
        assert_eq!(seen[3], failed("it has ended: exited 1, ended in ERROR"));
    }

    #[test]
    fn a_whole_container_is_back_when_its_next_life_is_up() {
        let inputs = vec![
            frame("a", &state(6, "STOPPED", "operator alice@ops1")),
            died(),
            event("a", EngineEvent::Started),
            frame("a", &HELLO.replace("b1", "b2")),
            frame("a", &snapshot("BOOT", 0)),
            frame("a", &state(7, "UP", "warmup finished")),
        ];
        let seen = verdicts(inputs, true);
        assert_eq!(seen.last(), Some(&Verdict::Reached));
        assert!(
            seen[4..6].iter().all(|one| *one == Verdict::Pending),
            "{seen:?}"
        );
    }
}
