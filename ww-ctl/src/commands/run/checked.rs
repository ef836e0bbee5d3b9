//! A container that is UP and has not been checked yet: its first check is due only after the
//! interval, and whoever waits wants to know now.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::watch;
use whaleware::lifecycle::{NO_MONITOR, State};
use whaleware::protocol::{HealthStatus, RequestKind};

use crate::commands::Context;
use crate::commands::act::{Act, Plan, Sent, Verdict};
use crate::commands::before::Before;
use crate::commands::drive::drive;
use crate::commands::live::Live;
use crate::commands::outcome::Outcome;
use crate::exit::Failure;
use crate::fleet::{Container, ContainerKey, EngineState};
use crate::watch::FeedHandle;

/// What has become of the check that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// It runs, or has ended: the health says how.
    Checks,
    /// There is nothing to check with.
    Nothing,
}

/// Whether it is UP, and nobody knows whether it works.
pub(super) fn is_due(live: &Live, key: &ContainerKey) -> bool {
    live.fleet
        .get(key)
        .is_some_and(|one| one.state() == Some(State::Up) && one.health() == HealthStatus::Unknown)
}

/// Has it checked, and watches until it passes, cannot any more, or the time is over.
///
/// # Errors
/// When nothing can be watched any more.
pub(super) async fn check(
    context: &Context,
    live: &mut Live,
    key: &ContainerKey,
    limit: Duration,
) -> Result<Vec<Outcome>, Failure> {
    let (sender, asked) = watch::channel(Asked::Checks);
    let act = |handle: &FeedHandle, container: &Container| ask(handle, container, sender.clone());
    let judge = |one: &Container, _: &Before, acted: bool| {
        let nothing = acted && *asked.borrow() == Asked::Nothing;
        passing(one, nothing)
    };
    let plan = Plan {
        act: &act,
        judge: &judge,
        changed: &BTreeSet::new(),
        limit: Some(limit),
        turns: None,
        entry: None,
    };
    drive(context, live, std::slice::from_ref(key), &plan).await
}

/// Where it cannot be asked, its own checks tell in time.
fn ask(handle: &FeedHandle, container: &Container, asked: watch::Sender<Asked>) -> Act {
    let (handle, key) = (handle.clone(), container.key.clone());
    async move {
        if let Ok(answer) = handle.ask(&key, RequestKind::Check).await
            && answer
                .error
                .is_some_and(|error| error.message == NO_MONITOR)
        {
            asked.send_replace(Asked::Nothing);
        }
        Ok(Sent::Answered)
    }
    .boxed()
}

fn passing(one: &Container, nothing: bool) -> Verdict {
    match one.state() {
        Some(State::Error) => Verdict::Failed(format!("ERROR: {}", one.cause())),
        Some(State::Stopped) => Verdict::Failed(format!("it is stopping: {}", one.cause())),
        Some(State::Dockerdown) if one.engine != EngineState::Restarting => {
            Verdict::Failed(format!("it has ended: {}", one.cause()))
        }
        Some(State::Up) => match one.health() {
            HealthStatus::Passing => Verdict::Reached,
            HealthStatus::Unknown if nothing => Verdict::Reached,
            HealthStatus::Unknown | HealthStatus::Failing => Verdict::Pending,
        },
        Some(_) | None => Verdict::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::EngineEvent;
    use crate::fleet::scene::{at, event, frame, one, state, up};

    #[test]
    fn it_is_there_when_a_check_has_passed_or_there_is_none() {
        let mut fleet = up();
        fleet.apply(frame("a", r#"{"type":"health","status":"unknown"}"#), at(1));
        assert_eq!(passing(one(&fleet), false), Verdict::Pending);
        assert_eq!(passing(one(&fleet), true), Verdict::Reached);
        let failing = r#"{"type":"health","status":"failing","failures":1}"#;
        fleet.apply(frame("a", failing), at(2));
        assert_eq!(passing(one(&fleet), true), Verdict::Pending);
        fleet.apply(frame("a", r#"{"type":"health","status":"passing"}"#), at(3));
        assert_eq!(passing(one(&fleet), false), Verdict::Reached);
        fleet.apply(frame("a", &state(6, "ERROR", "monitor exited 3")), at(4));
        assert_eq!(
            passing(one(&fleet), false),
            Verdict::Failed("ERROR: monitor exited 3".into())
        );
        let died = EngineEvent::Died {
            code: 1,
            out_of_memory: false,
        };
        fleet.apply(event("a", died), at(5));
        assert!(matches!(passing(one(&fleet), false), Verdict::Failed(_)));
    }
}
