//! The model's answers to what engines and agents tell.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use whaleware::lifecycle::{Moment, State};
use whaleware::protocol::{FromAgent, HealthStatus};

use super::*;

const HOST: &str = "local";

fn wall() -> Timestamp {
    "2026-11-22T16:15:00Z".parse().unwrap()
}

/// So many milliseconds after the test began, which is a day after the clock's zero.
fn at(millis: u64) -> Stamp {
    Stamp {
        moment: Moment::at(Duration::from_secs(86_400) + Duration::from_millis(millis)),
        wall: wall() + SignedDuration::from_millis(i64::try_from(millis).unwrap()),
    }
}

fn key(id: &str) -> ContainerKey {
    ContainerKey {
        host: Arc::from(HOST),
        id: Arc::from(id),
    }
}

fn listed(id: &str, engine: EngineState) -> Listed {
    Listed {
        id: Arc::from(id),
        name: format!("name-{id}"),
        image: "image:1".into(),
        has_agent: true,
        labels: Vec::new(),
        engine,
        created: Some(wall() - SignedDuration::from_secs(600)),
        started: None,
        finished: None,
    }
}

const EXITED: EngineState = EngineState::Exited {
    code: Some(1),
    out_of_memory: false,
};

fn listing(containers: Vec<Listed>) -> Input {
    Input::Listing {
        host: Arc::from(HOST),
        clock: wall(),
        containers,
    }
}

fn event(id: &str, event: EngineEvent) -> Input {
    Input::Engine {
        key: key(id),
        event,
    }
}

fn frame(id: &str, line: &str) -> Input {
    let frame: FromAgent = serde_json::from_str(line).unwrap();
    Input::Frame {
        key: key(id),
        frame: Box::new(frame),
    }
}

const HELLO: &str = r#"{"type":"hello","protocol":1,"agent":"0.1.0","boot":"b1"}"#;

fn snapshot(state: &str, since_ms: u64) -> String {
    format!(
        r#"{{"type":"snapshot","at":"2026-11-22T16:15:00Z","booted":"2026-11-22T16:14:40Z",
        "state":"{state}","since":"2026-11-22T16:14:52Z","since_ms":{since_ms},"cause":"warmup finished",
        "health":{{"status":"passing"}},"restarts":{{"total":0,"in_a_row":0,"max":5}},
        "stop":{{"drain_ms":0,"grace_ms":5000}},
        "transitions":[{{"number":5,"at":"2026-11-22T16:14:52Z","state":"{state}","cause":"warmup finished","lasted_ms":1}}]}}"#
    )
}

fn state(number: u64, state: &str, cause: &str) -> String {
    format!(
        r#"{{"type":"state","number":{number},"at":"2026-11-22T16:15:30Z","from":"UP","state":"{state}","cause":"{cause}","lasted_ms":29900,"restarts":1}}"#
    )
}

/// A fleet with one container that is UP.
fn up() -> Fleet {
    let mut fleet = Fleet::new([Arc::from(HOST)]);
    fleet.apply(listing(vec![listed("a", EngineState::Running)]), at(0));
    fleet.apply(Input::Reaching(key("a")), at(1));
    let reached = Input::Reached {
        key: key("a"),
        route: Route::Direct,
    };
    fleet.apply(reached, at(2));
    fleet.apply(frame("a", HELLO), at(3));
    fleet.apply(frame("a", &snapshot("UP", 8_000)), at(4));
    fleet
}

fn one(fleet: &Fleet) -> &Container {
    fleet.get(&key("a")).unwrap()
}

#[test]
fn until_its_agent_speaks_a_running_container_is_dockerup() {
    let mut fleet = Fleet::new([Arc::from(HOST)]);
    assert!(!fleet.is_settled());
    let changes = fleet.apply(listing(vec![listed("a", EngineState::Running)]), at(0));
    assert_eq!(
        changes,
        [
            Change::HostLive(Arc::from(HOST)),
            Change::Appeared(key("a"))
        ]
    );
    assert!(fleet.is_settled());
    assert_eq!(one(&fleet).state(), Some(State::Dockerup));
    fleet.apply(frame("a", HELLO), at(1));
    assert!(!one(&fleet).is_introduced());
    assert_eq!(one(&fleet).state(), Some(State::Dockerup));
    fleet.apply(frame("a", &snapshot("BOOT", 10)), at(2));
    assert!(one(&fleet).is_introduced());
    assert_eq!(one(&fleet).state(), Some(State::Boot));
}

#[test]
fn a_state_is_as_old_as_the_agent_says() {
    let fleet = up();
    assert_eq!(one(&fleet).age(at(1_004).moment), Duration::from_secs(9));
    assert!(one(&fleet).is_healthy());
    assert_eq!(one(&fleet).severity(), Severity::Good);
}

#[test]
fn a_transition_is_told_with_its_cause() {
    let mut fleet = up();
    let line = state(6, "RESTARTING", "monitor exited 1");
    let changes = fleet.apply(frame("a", &line), at(100));
    let [Change::State(whose, report)] = changes.as_slice() else {
        panic!("{changes:?}");
    };
    assert_eq!((whose, report.number), (&key("a"), 6));
    assert_eq!(one(&fleet).cause(), "monitor exited 1");
    assert_eq!(one(&fleet).severity(), Severity::Restarting);
    assert_eq!(one(&fleet).age(at(600).moment), Duration::from_millis(500));
}

#[test]
fn how_a_life_ended_stays_known_and_the_next_one_begins_anew() {
    let mut fleet = up();
    fleet.apply(frame("a", &state(6, "ERROR", "svcup exited 7")), at(10));
    let died = EngineEvent::Died {
        code: 1,
        out_of_memory: false,
    };
    let changes = fleet.apply(event("a", died), at(20));
    assert_eq!(changes, [Change::Docker(key("a"), State::Dockerdown)]);
    assert_eq!(one(&fleet).state(), Some(State::Dockerdown));
    assert_eq!(one(&fleet).cause(), "exited 1, ERROR: svcup exited 7");
    assert_eq!(one(&fleet).severity(), Severity::Failed);
    // A listing without an exit code does not unlearn it.
    let unknown = EngineState::Exited {
        code: None,
        out_of_memory: false,
    };
    fleet.apply(listing(vec![listed("a", unknown)]), at(30));
    assert_eq!(one(&fleet).engine, EXITED);
    let changes = fleet.apply(event("a", EngineEvent::Started), at(40));
    assert_eq!(changes, [Change::Docker(key("a"), State::Dockerup)]);
    assert_eq!(one(&fleet).agent, None);
    assert_eq!(one(&fleet).state(), Some(State::Dockerup));
}

#[test]
fn a_restart_that_nobody_told_of_is_seen_by_the_next_listing() {
    let mut fleet = Fleet::new([Arc::from(HOST)]);
    let mut first = listed("a", EngineState::Running);
    first.started = Some(wall() - SignedDuration::from_secs(60));
    fleet.apply(listing(vec![first.clone()]), at(0));
    fleet.apply(frame("a", HELLO), at(1));
    fleet.apply(frame("a", &snapshot("UP", 10)), at(2));
    let mut second = first;
    second.started = Some(wall());
    let changes = fleet.apply(listing(vec![second]), at(10));
    assert_eq!(changes, [Change::Docker(key("a"), State::Dockerup)]);
    assert_eq!(one(&fleet).agent, None);
}

#[test]
fn a_lost_host_keeps_its_rows_and_says_how_old_they_are() {
    let mut fleet = up();
    let lost = |reason: &str| Input::HostLost {
        host: Arc::from(HOST),
        reason: reason.into(),
    };
    let changes = fleet.apply(lost("connection refused"), at(50));
    assert_eq!(changes, [Change::HostLost(Arc::from(HOST))]);
    assert_eq!(fleet.apply(lost("still refused"), at(60)), []);
    assert_eq!(one(&fleet).state(), Some(State::Up));
    assert_eq!(fleet.stale_since(one(&fleet)), Some(at(50).moment));
    let changes = fleet.apply(listing(vec![listed("a", EngineState::Running)]), at(70));
    assert_eq!(changes, [Change::HostLive(Arc::from(HOST))]);
    assert_eq!(fleet.stale_since(one(&fleet)), None);
    assert_eq!(
        one(&fleet).state(),
        Some(State::Up),
        "the agent's word stays"
    );
}

#[test]
fn what_a_listing_does_not_have_is_gone_on_that_host_only() {
    let mut fleet = up();
    let other = ContainerKey {
        host: Arc::from("ops2"),
        id: Arc::from("z"),
    };
    let far = Input::Listing {
        host: Arc::from("ops2"),
        clock: wall(),
        containers: vec![listed("z", EngineState::Running)],
    };
    fleet.apply(far, at(5));
    let changes = fleet.apply(listing(Vec::new()), at(10));
    assert!(
        matches!(changes.as_slice(), [Change::Gone(gone)] if gone.key == key("a")),
        "{changes:?}"
    );
    assert!(fleet.get(&key("a")).is_none() && fleet.get(&other).is_some());
    // What comes late of one that is gone brings it not back.
    assert_eq!(fleet.apply(frame("a", &state(9, "UP", "late")), at(11)), []);
    assert_eq!(fleet.apply(event("a", EngineEvent::Started), at(12)), []);
    assert!(fleet.get(&key("a")).is_none());
}

#[test]
fn a_silent_agent_is_shown_as_such_and_its_last_word_stays() {
    let mut fleet = up();
    let lost = Input::AgentLost {
        key: key("a"),
        reason: "it said nothing\u{1b}[2J for 2 s".into(),
    };
    assert_eq!(fleet.apply(lost.clone(), at(20)), [Change::Link(key("a"))]);
    assert_eq!(fleet.apply(lost, at(30)), [], "told once");
    assert_eq!(one(&fleet).cause(), "agent silent: it said nothing for 2 s");
    assert_eq!(one(&fleet).severity(), Severity::Sick);
    assert_eq!(one(&fleet).state(), Some(State::Up));
    assert_eq!(fleet.stale_since(one(&fleet)), Some(at(20).moment));
}

#[test]
fn an_agent_that_leaves_with_its_container_is_no_silence() {
    let mut fleet = up();
    let died = EngineEvent::Died {
        code: 0,
        out_of_memory: false,
    };
    fleet.apply(event("a", died), at(10));
    let lost = Input::AgentLost {
        key: key("a"),
        reason: "it closed the connection".into(),
    };
    fleet.apply(lost, at(11));
    assert_eq!(one(&fleet).link, Link::None);
    assert_eq!(one(&fleet).severity(), Severity::Down);
}

#[test]
fn a_host_whose_clock_is_ahead_does_not_make_things_younger() {
    let mut fleet = Fleet::new([Arc::from(HOST)]);
    let ahead = SignedDuration::from_secs(100);
    let mut stopped = listed("a", EXITED);
    // Ended 30 s ago, by the host's own clock.
    stopped.finished = Some(wall() + ahead - SignedDuration::from_secs(30));
    let told = Input::Listing {
        host: Arc::from(HOST),
        clock: wall() + ahead,
        containers: vec![stopped],
    };
    fleet.apply(told, at(0));
    assert_eq!(one(&fleet).age(at(0).moment), Duration::from_secs(30));
    assert_eq!(fleet.host(HOST).unwrap().skew, ahead);
}

#[test]
fn failing_checks_make_it_unhealthy_but_not_less_up() {
    let mut fleet = up();
    let line = r#"{"type":"health","status":"failing","failures":2,"detail":"exited 4"}"#;
    let changes = fleet.apply(frame("a", line), at(10));
    assert!(matches!(changes.as_slice(), [Change::Health(_, report)] if report.failures == 2));
    assert_eq!(one(&fleet).state(), Some(State::Up));
    assert_eq!(one(&fleet).health(), HealthStatus::Failing);
    assert!(!one(&fleet).is_healthy());
    assert_eq!(one(&fleet).severity(), Severity::Sick);
}

#[test]
fn a_chatty_agent_fills_no_memory() {
    let mut fleet = up();
    for number in 6..2_000 {
        fleet.apply(
            frame("a", &state(number, "RESTARTING", "again")),
            at(number),
        );
        let hook = format!(
            r#"{{"type":"hook","run":{number},"hook":"svcup","state":"RESTARTING","at":"2026-11-22T16:15:30Z","result":"ok","duration_ms":1}}"#
        );
        fleet.apply(frame("a", &hook), at(number));
    }
    let agent = one(&fleet).agent.as_ref().unwrap();
    assert!(agent.transitions.len() <= 128 && agent.hooks.len() <= 128);
    assert_eq!(agent.transitions[0].number, 5, "the way up is kept");
    assert_eq!(agent.transitions.last().unwrap().number, 1_999);
    let long = format!(
        r#"{{"type":"note","at":"2026-11-22T16:15:30Z","text":"{}"}}"#,
        "x".repeat(60_000)
    );
    let changes = fleet.apply(frame("a", &long), at(3_000));
    assert!(matches!(changes.as_slice(), [Change::Note(_, note)] if note.text.len() < 600));
}

#[test]
fn the_worst_comes_first() {
    let order = [
        Severity::Failed,
        Severity::Sick,
        Severity::Restarting,
        Severity::Starting,
        Severity::Stopping,
        Severity::Good,
        Severity::Down,
        Severity::Plain,
    ];
    assert!(order.is_sorted());
    let mut fleet = Fleet::new([Arc::from(HOST)]);
    for (engine, expected) in [
        (EXITED, Severity::Failed),
        (EngineState::Created, Severity::Down),
        (EngineState::Paused, Severity::Sick),
        (EngineState::Restarting, Severity::Restarting),
        (EngineState::Dead, Severity::Failed),
        (EngineState::Running, Severity::Starting),
    ] {
        fleet.apply(listing(Vec::new()), at(0));
        fleet.apply(listing(vec![listed("a", engine)]), at(1));
        assert_eq!(one(&fleet).severity(), expected, "{engine:?}");
    }
    let mut plain = listed("a", EngineState::Running);
    plain.has_agent = false;
    fleet.apply(listing(vec![plain]), at(2));
    assert_eq!(one(&fleet).severity(), Severity::Plain);
    assert_eq!(one(&fleet).state(), None);
}
