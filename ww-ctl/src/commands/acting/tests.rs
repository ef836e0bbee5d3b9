//! Turns, Engines that go away, and what happens meanwhile.

use std::sync::Arc;

use futures::FutureExt;
use whaleware::protocol::HealthStatus;

use super::*;
use crate::commands::act::Verdict;
use crate::commands::restart::restarted;
use crate::commands::turns::Turns;
use crate::fleet::scene::{HELLO, HOST, at, event, frame, key, listed, listing, snapshot, state};
use crate::fleet::{EngineEvent, EngineState, Input, Route};
use crate::output::Verbosity;

/// Three that are UP, and what is being done to them in turn.
struct Scene {
    fleet: Fleet,
    acting: Acting,
    now: u64,
    at_once: usize,
}

impl Scene {
    fn new(at_once: usize) -> Self {
        let mut fleet = Fleet::new([Arc::from(HOST)]);
        let ids = ["a", "b", "c"];
        let all = ids.map(|id| listed(id, EngineState::Running));
        fleet.apply(listing(all.to_vec()), at(0));
        for id in ids {
            let reached = Input::Reached {
                key: key(id),
                route: Route::Direct,
            };
            fleet.apply(reached, at(1));
            fleet.apply(frame(id, HELLO), at(2));
            fleet.apply(frame(id, &snapshot("UP", 8_000)), at(3));
        }
        let keys = ids.map(key);
        let output = Output::new(Verbosity::Quiet, true);
        let acting = with_plan(at_once, |plan| {
            Acting::on(&keys, &fleet, plan, at(4).moment, output)
        });
        Self {
            fleet,
            acting,
            now: 10,
            at_once,
        }
    }

    /// What is begun next, by their ids.
    fn turn(&mut self) -> Vec<String> {
        self.now += 10;
        let now = at(self.now).moment;
        let (fleet, acting) = (&self.fleet, &mut self.acting);
        let begun = with_plan(self.at_once, |plan| {
            acting.measure(fleet, plan, now);
            acting.begin(fleet, plan, now)
        });
        begun.iter().map(|key| key.id.to_string()).collect()
    }

    fn hear(&mut self, input: Input) -> Vec<Change> {
        self.now += 10;
        self.fleet.apply(input, at(self.now))
    }

    /// Sent, restarted, UP; `health` is what its check says.
    fn restart(&mut self, id: &str, number: u64, health: &str) {
        let now = at(self.now).moment;
        self.acting.sent(&key(id), Ok(Sent::Answered), now);
        self.hear(frame(id, &state(number, "RESTARTING", "SIGHUP")));
        self.hear(frame(id, &state(number + 1, "UP", "restart finished")));
        let health = format!(r#"{{"type":"health","status":"{health}"}}"#);
        self.hear(frame(id, &health));
    }

    fn outcomes(mut self) -> Vec<(Exit, String)> {
        self.turn();
        let outcomes = self.acting.outcomes(&self.fleet);
        let outcome = |one: &Outcome| (one.exit, one.result());
        outcomes.iter().map(outcome).collect()
    }
}

fn with_plan<T>(at_once: usize, then: impl FnOnce(&Plan<'_>) -> T) -> T {
    let judge = |one: &Container, before: &Before, acted: bool| match restarted(one, before, acted)
    {
        Verdict::Reached if one.health() == HealthStatus::Unknown => Verdict::Unproven,
        verdict @ (Verdict::Pending
        | Verdict::Unproven
        | Verdict::Reached
        | Verdict::Asked(_)
        | Verdict::Failed(_)) => verdict,
    };
    then(&Plan {
        act: &|_, _| std::future::ready(Ok(Sent::Answered)).boxed(),
        judge: &judge,
        changed: &BTreeSet::new(),
        limit: Some(Duration::from_secs(60)),
        turns: Some(Turns {
            at_once,
            prove: &|_, _, _| std::future::ready(Proof::Awaited).boxed(),
        }),
        entry: None,
    })
}

#[test]
fn the_next_is_begun_when_the_last_is_up_and_passing() {
    let mut scene = Scene::new(1);
    assert_eq!(scene.turn(), ["a"]);
    assert!(scene.turn().is_empty());
    scene.restart("a", 6, "unknown");
    assert!(scene.turn().is_empty(), "it may not be well");
    assert_eq!(scene.acting.ask(&scene.fleet).count(), 1);
    assert_eq!(scene.acting.ask(&scene.fleet).count(), 0, "asked once");
    scene.acting.proved(&key("a"), Proof::Awaited);
    assert!(scene.turn().is_empty(), "its agent is going to tell");
    scene.hear(frame("a", r#"{"type":"health","status":"passing"}"#));
    assert_eq!(scene.turn(), ["b"]);
    scene.restart("b", 6, "unknown");
    assert!(scene.turn().is_empty());
    assert_eq!(scene.acting.ask(&scene.fleet).count(), 1);
    scene.acting.proved(&key("b"), Proof::Enough);
    assert_eq!(scene.turn(), ["c"]);
    assert_eq!(scene.acting.done(), (2, 3));
}

#[test]
fn what_happened_before_its_turn_is_no_restart_of_ours() {
    let mut scene = Scene::new(1);
    assert_eq!(scene.turn(), ["a"]);
    // The watchdog's, while it waits.
    scene.hear(frame("b", &state(6, "RESTARTING", "monitor exited 1")));
    scene.hear(frame("b", &state(7, "UP", "restart finished")));
    scene.restart("a", 6, "passing");
    assert_eq!(scene.turn(), ["b"]);
    assert!(scene.turn().is_empty(), "it was not restarted yet");
    assert_eq!(scene.acting.still(&scene.fleet).count(), 1);
}

#[test]
fn one_that_does_not_stay_up_is_the_end_of_it() {
    let mut scene = Scene::new(1);
    scene.turn();
    scene.restart("a", 6, "passing");
    assert_eq!(scene.turn(), ["b"]);
    scene.hear(frame("a", &state(8, "ERROR", "svcup exited 7")));
    scene.restart("b", 6, "passing");
    assert!(scene.turn().is_empty());
    let rest = "not touched: name-a failed".to_owned();
    assert_eq!(
        scene.outcomes(),
        [
            (
                Exit::Failed,
                "it did not stay UP: ERROR: svcup exited 7".to_owned()
            ),
            (Exit::Done, "UP".to_owned()),
            (Exit::Failed, rest),
        ]
    );
}

#[test]
fn one_that_came_back_and_fails_is_waited_for() {
    let mut scene = Scene::new(1);
    scene.turn();
    scene.restart("a", 6, "passing");
    assert_eq!(scene.turn(), ["b"]);
    scene.hear(frame("a", r#"{"type":"health","status":"failing"}"#));
    scene.restart("b", 6, "passing");
    assert!(scene.turn().is_empty());
    let waits: Vec<String> = scene.acting.in_the_way(&scene.fleet).into_iter().collect();
    assert_eq!(waits, ["name-a: still UP (restart finished, failing)"]);
    assert!(scene.acting.deadline().is_some(), "not for ever");
    scene.hear(frame("a", r#"{"type":"health","status":"passing"}"#));
    assert_eq!(scene.turn(), ["c"]);
    assert!(scene.acting.in_the_way(&scene.fleet).is_empty());
}

#[test]
fn nothing_is_begun_while_an_engine_is_away_and_what_it_swallowed_is_sent_again() {
    let mut scene = Scene::new(1);
    assert_eq!(scene.turn(), ["a"]);
    let now = at(scene.now).moment;
    scene.acting.sent(&key("a"), Ok(Sent::Unanswered), now);
    let lost = Input::HostLost {
        host: Arc::from(HOST),
        since: None,
        reason: "connection refused".into(),
    };
    scene.hear(lost);
    assert!(scene.turn().is_empty());
    let all = ["a", "b", "c"].map(|id| listed(id, EngineState::Running));
    let changes = scene.hear(listing(all.to_vec()));
    scene.acting.answers_again(&changes);
    // It goes on as if nothing had been asked of it.
    assert_eq!(scene.turn(), ["a"]);
    scene.restart("a", 6, "passing");
    // The next is not even reached.
    assert_eq!(scene.turn(), ["b"]);
    let failure = Failure::new(Exit::Engine, "cannot reach the Docker Engine");
    scene.acting.sent(&key("b"), Err(failure), now);
    assert!(scene.turn().is_empty());
    let waits: Vec<String> = scene.acting.in_the_way(&scene.fleet).into_iter().collect();
    assert_eq!(waits, ["the Docker Engine of local does not answer"]);
    assert!(scene.acting.deadline().is_some(), "it is tried again");
    assert_eq!(scene.acting.done(), (1, 3));
}

#[test]
fn one_that_was_removed_while_it_waited_is_the_end_of_it() {
    let mut scene = Scene::new(2);
    assert_eq!(scene.turn(), ["a", "b"]);
    scene.hear(event("c", EngineEvent::Removed));
    scene.restart("a", 6, "passing");
    scene.restart("b", 6, "passing");
    let outcomes = scene.outcomes();
    assert_eq!(outcomes[2], (Exit::Failed, "it was removed".to_owned()));
}
