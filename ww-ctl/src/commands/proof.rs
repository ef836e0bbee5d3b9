//! Whether a container that is started is well: UP, and its check has passed.

use std::cell::RefCell;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::{Instant, timeout_at};
use whaleware::lifecycle::State;
use whaleware::protocol::{Answer, HealthStatus, RequestKind};

use crate::commands::Context;
use crate::commands::act::{Act, Plan, Sent, Verdict, laggard};
use crate::commands::before::Before;
use crate::commands::drive::drive;
use crate::commands::live::Live;
use crate::commands::start::start;
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, ContainerKey, EngineState};
use crate::units::duration;
use crate::watch::FeedHandle;

/// What an agent says that has nothing to check with.
const NO_MONITOR: &str = "no monitor";
/// How long to wait for news of an agent that could not be asked.
const NEWS: Duration = Duration::from_secs(1);

/// What an agent's own check says.
#[derive(Debug, PartialEq, Eq)]
enum Checked {
    /// All is well, or there is nothing to check with.
    Well,
    /// Not well, or it could not be told yet.
    Not,
    /// It does not let itself be asked.
    Unasked(String),
}

/// Starts a container and watches until it is UP and its check has passed. The first check may be half a
/// minute away by its own settings, so it is asked for.
///
/// # Errors
/// Why it is not well, or that the time is over.
pub(super) async fn prove(
    context: &Context,
    live: &mut Live,
    key: &ContainerKey,
    limit: Duration,
) -> Result<(), Failure> {
    let begun = Instant::now();
    let deadline = begun + limit;
    let before = live.fleet.get(key).map_or_else(Before::default, Before::of);
    let on_its_way = RefCell::new(None);
    let send = |handle: &FeedHandle, container: &Container| {
        let start = start(handle, container).shared();
        on_its_way.replace(Some(start.clone()));
        start.boxed()
    };
    let mut act: &dyn Fn(&FeedHandle, &Container) -> Act = &send;
    // The number of the last transition when a check failed.
    let mut failed: Option<u64> = None;
    loop {
        let judge = |one: &Container, _: &Before, acted: bool| well(one, &before, failed, acted);
        let plan = Plan {
            act,
            judge: &judge,
            changed: &std::collections::BTreeSet::new(),
            limit: Some(deadline.saturating_duration_since(Instant::now())),
            turns: None,
            entry: None,
        };
        let outcomes = drive(context, live, std::slice::from_ref(key), &plan).await?;
        let exit = outcomes.first().map_or(Exit::Failed, |one| one.exit);
        // A start that is on its way could still come true when the old one is back: whatever the
        // time, nothing else is done before it is answered.
        if let Some(start) = on_its_way.take() {
            drop(live.during(start).await?);
        }
        if exit != Exit::Done {
            let reason = outcomes
                .first()
                .map_or("it was removed", |one| one.reason());
            let reason = match (ended(live, key).await, live.fleet.get(key)) {
                (Some(words), _) => words,
                // Of the whole time, not of what was left of it.
                (None, Some(one)) if exit == Exit::TimedOut => {
                    format!("{} after {}", laggard(one), duration(limit))
                }
                (None, _) => reason.to_owned(),
            };
            return Err(Failure::new(exit, reason));
        }
        act = &nothing;
        let handle = live.handle().clone();
        let asked = handle.ask(key, RequestKind::Check);
        let Ok(answer) = timeout_at(deadline, live.during(asked)).await else {
            let after = duration(limit);
            let reason = format!("its check had not ended after {after}");
            return Err(Failure::new(Exit::TimedOut, reason));
        };
        match answer? {
            Ok(answer) => match checked(&answer) {
                Checked::Well => return Ok(()),
                Checked::Not => {}
                Checked::Unasked(reason) => {
                    let name = live.fleet.get(key).map_or("", |one| one.name.as_str());
                    let text = format!(
                        "{name}: its agent cannot be asked for a check ({reason}); UP it is"
                    );
                    context.output.warn(&text);
                    return Ok(());
                }
            },
            // The connection comes back, or the container has something to say.
            Err(_) => drop(tokio::time::timeout(NEWS, live.next()).await),
        }
        failed = live.fleet.get(key).map(last);
    }
}

/// How one has ended that Docker is about to start again, which its state alone does not tell.
async fn ended(live: &Live, key: &ContainerKey) -> Option<String> {
    let restarting = |one: &&Container| one.engine == EngineState::Restarting;
    let mut one = live.fleet.get(key).filter(restarting)?.clone();
    let engine = live.handle().engine(&key.host).await.ok()?;
    let code = engine.inspected(&key.id).await.ok()??.exit_code();
    one.engine = EngineState::Exited {
        code,
        out_of_memory: false,
    };
    Some(format!("it has ended: {}", one.cause()))
}

fn nothing(_: &FeedHandle, _: &Container) -> Act {
    std::future::ready(Ok(Sent::Answered)).boxed()
}

fn last(one: &Container) -> u64 {
    let agent = one.agent.as_ref();
    let report = agent.and_then(|agent| agent.transitions.last());
    report.map_or(0, |report| report.number)
}

fn checked(answer: &Answer) -> Checked {
    if answer.ok {
        let exit = answer.result.as_ref().map(|report| &report["exit"]);
        return if exit.and_then(serde_json::Value::as_i64) == Some(0) {
            Checked::Well
        } else {
            Checked::Not
        };
    }
    match &answer.error {
        Some(error) if error.message.contains(NO_MONITOR) => Checked::Well,
        // Not in this state; it will come to another.
        Some(error) if error.code == "refused" => Checked::Not,
        Some(error) => Checked::Unasked(crate::fleet::clean(&error.message, 200)),
        None => Checked::Unasked("no reason was given".into()),
    }
}

/// Whether it is where a check is worth while, or cannot get there. A container that ends has failed,
/// whether or not Docker starts it again: each of its lives may change the data.
fn well(one: &Container, before: &Before, failed: Option<u64>, acted: bool) -> Verdict {
    match one.state() {
        Some(State::Up) => {
            let passes = match (failed, one.health()) {
                (_, HealthStatus::Passing) | (None, HealthStatus::Unknown) => true,
                (_, HealthStatus::Failing) => false,
                // Its services were started again since.
                (Some(number), HealthStatus::Unknown) => last(one) > number,
            };
            if passes {
                Verdict::Reached
            } else {
                Verdict::Pending
            }
        }
        Some(State::Error) => Verdict::Failed(format!("ERROR: {}", one.cause())),
        Some(State::Stopped) => Verdict::Failed(format!("it is stopping: {}", one.cause())),
        Some(State::Dockerdown) if acted && (before.was_running() || before.was_started(one)) => {
            Verdict::Failed(format!("it has ended: {}", one.cause()))
        }
        Some(_) | None => Verdict::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::EngineEvent;
    use crate::fleet::scene::{EXITED, HELLO, at, event, frame, one, snapshot, state, unheard, up};

    fn answer(text: &str) -> Checked {
        checked(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn a_check_has_passed_or_there_is_none() {
        assert_eq!(
            answer(r#"{"id":1,"ok":true,"result":{"exit":0,"duration_ms":1}}"#),
            Checked::Well
        );
        let none = r#"{"id":1,"ok":false,"error":{"code":"refused","message":"it has no monitor script"}}"#;
        assert_eq!(answer(none), Checked::Well);
        for not in [
            r#"{"id":1,"ok":true,"result":{"exit":1,"duration_ms":1}}"#,
            r#"{"id":1,"ok":true}"#,
            r#"{"id":1,"ok":false,"error":{"code":"refused","message":"it is not UP"}}"#,
        ] {
            assert_eq!(answer(not), Checked::Not, "{not}");
        }
        let forbidden = r#"{"id":1,"ok":false,"error":{"code":"forbidden","message":"no"}}"#;
        assert_eq!(answer(forbidden), Checked::Unasked("no".into()));
    }

    #[test]
    fn after_a_check_that_failed_up_alone_is_not_enough() {
        let mut fleet = up();
        let before = Before::default();
        let number = last(one(&fleet));
        let verdict = |fleet: &_, failed| well(one(fleet), &before, failed, true);
        assert_eq!(verdict(&fleet, None), Verdict::Reached);
        let health =
            |status: &str| frame("a", &format!(r#"{{"type":"health","status":"{status}"}}"#));
        for (status, none, some) in [
            ("failing", Verdict::Pending, Verdict::Pending),
            ("unknown", Verdict::Reached, Verdict::Pending),
            ("passing", Verdict::Reached, Verdict::Reached),
        ] {
            fleet.apply(health(status), at(10));
            assert_eq!(verdict(&fleet, None), none, "{status}");
            assert_eq!(verdict(&fleet, Some(number)), some, "{status}");
        }
        fleet.apply(
            frame("a", &state(6, "RESTARTING", "monitor exited 1")),
            at(20),
        );
        assert_eq!(verdict(&fleet, Some(number)), Verdict::Pending);
        fleet.apply(frame("a", &state(7, "UP", "restart finished")), at(30));
        fleet.apply(health("unknown"), at(30));
        assert_eq!(verdict(&fleet, Some(number)), Verdict::Reached);
    }

    #[test]
    fn one_that_ends_has_failed_even_if_docker_starts_it_again() {
        let mut fleet = unheard(EXITED);
        let before = Before::of(one(&fleet));
        assert_eq!(well(one(&fleet), &before, None, true), Verdict::Pending);
        fleet.apply(event("a", EngineEvent::Started), at(10));
        fleet.apply(frame("a", HELLO), at(11));
        fleet.apply(frame("a", &snapshot("BOOT", 0)), at(12));
        assert_eq!(well(one(&fleet), &before, None, true), Verdict::Pending);
        let mut again = crate::fleet::scene::listed("a", EngineState::Restarting);
        again.has_agent = true;
        fleet.apply(event("a", EngineEvent::Known(Box::new(again))), at(20));
        assert!(matches!(
            well(one(&fleet), &before, None, true),
            Verdict::Failed(_)
        ));
    }
}
