//! Making the container, starting it, and watching what becomes of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::watch;
use tokio::time::Instant;
use whaleware::lifecycle::State;

use super::checked;
use crate::audit;
use crate::cli::Run;
use crate::commands::Context;
use crate::commands::act::{Act, Plan, Sent, Verdict};
use crate::commands::before::Before;
use crate::commands::drive::drive;
use crate::commands::interrupts::{Interrupts, interrupted};
use crate::commands::live::{KNOWN, Live};
use crate::commands::outcome::{Outcome, conclude};
use crate::engine::{Creation, Engine, EngineError, Scope, Target};
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, ContainerKey, EngineState};
use crate::watch::FeedHandle;

/// How long to tell that one runs it has started.
const RUNNING: Duration = Duration::from_secs(60);

/// How far the Engine has got with the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// It has not answered.
    Asked,
    /// It has started it, or nobody knows.
    Done,
    /// It has refused.
    Refused,
}

/// Makes and starts it, and watches as long as was asked.
pub(super) async fn make(
    context: &Context,
    target: &Target,
    arguments: &Run,
    engine: &Engine,
    creation: &Creation,
    mut interrupts: Interrupts,
) -> Result<Exit, Failure> {
    // Before it is made, so that nothing of its life is missed.
    let mut live = interrupts
        .or(context.live_on(target, Scope::Agents))
        .await??;
    let entry = context.audit.begin("run", vec![whom(target, creation)]);
    let made = interrupts.hold(engine.create(creation)).await?;
    let made = made.map_err(|error| not_made(error, creation))?;
    for warning in &made.warnings {
        context.output.warn(warning);
    }
    let key = ContainerKey {
        host: target.name.clone(),
        id: Arc::from(made.id.as_str()),
    };
    if let Some(number) = interrupts.came() {
        take_back(engine, &key, creation).await?;
        return Err(interrupted(number));
    }
    match interrupts.or(appears(&mut live, &key)).await {
        Ok(Ok(())) => {}
        Ok(Err(failure)) | Err(failure) => {
            take_back(engine, &key, creation).await?;
            return Err(failure);
        }
    }
    let driven = start(context, &mut live, arguments, &key, &mut interrupts).await;
    live.close().await;
    let (outcomes, progress) = driven?;
    let Some(outcomes) = outcomes else {
        return end_early(engine, &key, creation, progress, &interrupts).await;
    };
    let hint = what_next(engine, &key, creation, progress).await;
    let outcomes: Vec<Outcome> = outcomes
        .into_iter()
        .map(|one| {
            if one.exit == Exit::Done {
                one
            } else {
                one.hinting(Some(hint.clone()))
            }
        })
        .collect();
    conclude(context, "run", entry, &outcomes)
}

/// What is to be said to one that did not get there; removed where it never ran.
async fn what_next(
    engine: &Engine,
    key: &ContainerKey,
    creation: &Creation,
    progress: Start,
) -> String {
    let name = &creation.name;
    if progress == Start::Refused {
        match take_back(engine, key, creation).await {
            Ok(()) => "the container that was made for it is removed again".to_owned(),
            Err(failure) => format!(
                "and it cannot be removed again: {}; `docker rm {name}` does it",
                failure.message
            ),
        }
    } else {
        format!(
            "it stays as it is: `ww-ctl show {name}` and `ww-ctl logs {name}` say more, \
             `docker rm -f {name}` removes it"
        )
    }
}

fn not_made(error: EngineError, creation: &Creation) -> Failure {
    // Somebody else was faster.
    let is_taken = matches!(error, EngineError::Refused { status: 409, .. });
    let is_unknown = matches!(error, EngineError::Broken { .. });
    let mut failure = Failure::from(error);
    failure.message = format!("{}: {}", creation.name, failure.message);
    if is_taken {
        failure.exit = Exit::Refused;
    }
    if is_unknown {
        let name = &creation.name;
        failure = failure.hint(format!(
            "it may have been made all the same: `ww-ctl ls -a` shows it then, `docker rm {name}` removes it"
        ));
    }
    failure
}

/// Whom it is about, before there is an id.
fn whom(target: &Target, creation: &Creation) -> audit::Target {
    audit::Target {
        host: target.name.to_string(),
        id: None,
        name: creation.name.clone(),
    }
}

/// Waits until the feed knows it.
async fn appears(live: &mut Live, key: &ContainerKey) -> Result<(), Failure> {
    if !live.knows(key).await? {
        return Err(Failure::new(
            Exit::Engine,
            format!(
                "the Engine did not tell of the container it has made within {} s; it is removed again",
                KNOWN.as_secs()
            ),
        )
        .hint("look at the Engine's log (journalctl -u docker)"));
    }
    Ok(())
}

/// Starts it and watches. No outcomes where a signal came first and the Engine has answered.
async fn start(
    context: &Context,
    live: &mut Live,
    arguments: &Run,
    key: &ContainerKey,
    interrupts: &mut Interrupts,
) -> Result<(Option<Vec<Outcome>>, Start), Failure> {
    let keys = [key.clone()];
    let wait = arguments.wait;
    let judge = |one: &Container, before: &Before, acted: bool| {
        if wait {
            up(one, before, acted)
        } else {
            running(one, before, acted)
        }
    };
    let (sender, mut progress) = watch::channel(Start::Asked);
    let act = |handle: &FeedHandle, container: &Container| begin(handle, container, sender.clone());
    let plan = Plan {
        act: &act,
        judge: &judge,
        changed: &BTreeSet::new(),
        limit: Some(if wait { arguments.timeout } else { RUNNING }),
        turns: None,
        entry: None,
    };
    let mut driving = Box::pin(async {
        let begun = Instant::now();
        let outcomes = drive(context, live, &keys, &plan).await?;
        if !wait || !checked::is_due(live, key) {
            return Ok::<_, Failure>(outcomes);
        }
        let left = arguments.timeout.saturating_sub(begun.elapsed());
        let outcomes = checked::check(context, live, key, left).await?;
        let lasting = |one: Outcome| one.lasting(begun.elapsed());
        Ok(outcomes.into_iter().map(lasting).collect())
    });
    let outcomes = tokio::select! {
        biased;
        outcomes = &mut driving => Some(outcomes?),
        _ = interrupts.next() => None,
    };
    if outcomes.is_none() && *progress.borrow() == Start::Asked {
        // It may be started at any moment: until it is known, there is nothing else to be said.
        interrupts.say_held();
        let answered = async {
            tokio::select! {
                outcomes = &mut driving => drop(outcomes?),
                _ = progress.changed() => {}
            }
            Ok::<(), Failure>(())
        };
        interrupts.hold(answered).await??;
    }
    drop(driving);
    let progress = *progress.borrow();
    Ok((outcomes, progress))
}

fn begin(handle: &FeedHandle, container: &Container, progress: watch::Sender<Start>) -> Act {
    let (handle, key) = (handle.clone(), container.key.clone());
    async move {
        let engine = handle.engine(&key.host).await;
        let sent = match engine {
            Ok(engine) => Sent::from(engine.start(&key.id).await),
            Err(error) => Err(error.into()),
        };
        progress.send_replace(match sent {
            Ok(Sent::Answered | Sent::Unanswered) => Start::Done,
            Err(_) => Start::Refused,
        });
        sent
    }
    .boxed()
}

/// A signal came while it was being started or watched.
async fn end_early(
    engine: &Engine,
    key: &ContainerKey,
    creation: &Creation,
    progress: Start,
    interrupts: &Interrupts,
) -> Result<Exit, Failure> {
    let number = interrupts.came().unwrap_or(0);
    if progress == Start::Refused {
        take_back(engine, key, creation).await?;
        return Err(interrupted(number));
    }
    let name = &creation.name;
    Err(Failure::new(
        Exit::Signal(number),
        format!("interrupted: {name} was started and goes on"),
    )
    .hint(format!(
        "`ww-ctl wait {name} --for healthy` watches on, `ww-ctl stop {name}` stops it"
    )))
}

/// Removes what was made and never started.
async fn take_back(
    engine: &Engine,
    key: &ContainerKey,
    creation: &Creation,
) -> Result<(), Failure> {
    engine.remove_container(&key.id).await.map_err(|error| {
        Failure::from(error).hint(format!(
            "`docker rm {}` removes what was made and never started",
            creation.name
        ))
    })
}

/// It runs; what its agent says of it is another matter.
fn running(one: &Container, before: &Before, acted: bool) -> Verdict {
    if before.was_started(one) && one.engine.is_running() {
        return Verdict::Reached;
    }
    ended(one, before, acted).unwrap_or(Verdict::Pending)
}

/// It is UP and not failing.
fn up(one: &Container, before: &Before, acted: bool) -> Verdict {
    match one.state() {
        Some(State::Up) if one.is_healthy() => Verdict::Reached,
        Some(State::Error) => Verdict::Failed(format!("ERROR: {}", one.cause())),
        Some(State::Stopped) => Verdict::Failed(format!("it is stopping: {}", one.cause())),
        Some(_) | None => ended(one, before, acted).unwrap_or(Verdict::Pending),
    }
}

/// The event of its start comes before the Engine's answer, but by another connection: until it
/// has come, a container that is down is not one that has ended.
fn ended(one: &Container, before: &Before, acted: bool) -> Option<Verdict> {
    let is_down = one.state() == Some(State::Dockerdown) && one.engine != EngineState::Restarting;
    (acted && is_down && before.was_started(one))
        .then(|| Verdict::Failed(format!("it has ended: {}", one.cause())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::scene::{HELLO, at, event, frame, one, snapshot, unheard};
    use crate::fleet::{EngineEvent, Input};

    fn verdicts(
        inputs: Vec<Input>,
        judge: fn(&Container, &Before, bool) -> Verdict,
    ) -> Vec<Verdict> {
        let mut fleet = unheard(EngineState::Created);
        let before = Before::of(one(&fleet));
        let mut verdicts = vec![judge(one(&fleet), &before, true)];
        for (after, input) in (10..).zip(inputs) {
            fleet.apply(input, at(after));
            verdicts.push(judge(one(&fleet), &before, true));
        }
        verdicts
    }

    fn died() -> Input {
        event(
            "a",
            EngineEvent::Died {
                code: 78,
                out_of_memory: false,
            },
        )
    }

    #[test]
    fn to_run_is_enough_where_nobody_waits() {
        let seen = verdicts(vec![event("a", EngineEvent::Started)], running);
        assert_eq!(seen, [Verdict::Pending, Verdict::Reached]);
    }

    #[test]
    fn up_is_not_enough_while_it_fails() {
        let seen = verdicts(
            vec![
                event("a", EngineEvent::Started),
                frame("a", HELLO),
                frame("a", &snapshot("WARMUP", 0)),
                frame("a", &snapshot("UP", 0)),
            ],
            up,
        );
        assert_eq!(seen[..4], [const { Verdict::Pending }; 4]);
        assert_eq!(seen[4], Verdict::Reached);
        let failing = r#"{"type":"health","status":"failing","failures":1}"#;
        let seen = verdicts(
            vec![
                event("a", EngineEvent::Started),
                frame("a", HELLO),
                frame("a", &snapshot("WARMUP", 0)),
                frame("a", failing),
                frame("a", &crate::fleet::scene::state(9, "UP", "warmup finished")),
                frame("a", r#"{"type":"health","status":"passing"}"#),
            ],
            up,
        );
        assert_eq!(seen[5..], [Verdict::Pending, Verdict::Reached]);
    }

    #[test]
    fn what_ends_at_once_has_failed() {
        for judge in [running, up] {
            let seen = verdicts(vec![event("a", EngineEvent::Started), died()], judge);
            let reason = "it has ended: exited 78, configuration refused";
            assert_eq!(seen.last(), Some(&Verdict::Failed(reason.into())));
        }
    }
}
