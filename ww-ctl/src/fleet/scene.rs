//! A small fleet for tests, and what engines and agents tell of it.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use whaleware::lifecycle::Moment;
use whaleware::protocol::FromAgent;

use super::{
    Container, ContainerKey, EngineEvent, EngineState, Fleet, Input, Keeping, Listed, Route, Stamp,
};

pub(crate) const HOST: &str = "local";

pub(crate) fn wall() -> Timestamp {
    "2026-11-22T16:15:00Z".parse().unwrap()
}

/// So many milliseconds after the test began, which is a day after the clock's zero.
pub(crate) fn at(millis: u64) -> Stamp {
    Stamp {
        moment: Moment::at(Duration::from_secs(86_400) + Duration::from_millis(millis)),
        wall: wall() + SignedDuration::from_millis(i64::try_from(millis).unwrap()),
    }
}

pub(crate) fn key(id: &str) -> ContainerKey {
    ContainerKey {
        host: Arc::from(HOST),
        id: Arc::from(id),
    }
}

pub(crate) fn listed(id: &str, engine: EngineState) -> Listed {
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
        keeping: Keeping::default(),
    }
}

pub(crate) const EXITED: EngineState = EngineState::Exited {
    code: Some(1),
    out_of_memory: false,
};

pub(crate) fn listing(containers: Vec<Listed>) -> Input {
    Input::Listing {
        host: Arc::from(HOST),
        skew: SignedDuration::ZERO,
        containers,
    }
}

pub(crate) fn event(id: &str, event: EngineEvent) -> Input {
    Input::Engine {
        key: key(id),
        event,
    }
}

pub(crate) fn frame(id: &str, line: &str) -> Input {
    let frame: FromAgent = serde_json::from_str(line).unwrap();
    Input::Frame {
        key: key(id),
        frame: Box::new(frame),
    }
}

pub(crate) const HELLO: &str = r#"{"type":"hello","protocol":1,"agent":"0.1.0","boot":"b1"}"#;

pub(crate) fn snapshot(state: &str, since_ms: u64) -> String {
    format!(
        r#"{{"type":"snapshot","at":"2026-11-22T16:15:00Z","booted":"2026-11-22T16:14:40Z",
        "state":"{state}","since":"2026-11-22T16:14:52Z","since_ms":{since_ms},"cause":"warmup finished",
        "health":{{"status":"passing"}},"restarts":{{"total":0,"in_a_row":0,"max":5}},
        "stop":{{"drain_ms":0,"grace_ms":5000}},
        "transitions":[{{"number":5,"at":"2026-11-22T16:14:52Z","state":"{state}","cause":"warmup finished","lasted_ms":1}}]}}"#
    )
}

pub(crate) fn state(number: u64, state: &str, cause: &str) -> String {
    format!(
        r#"{{"type":"state","number":{number},"at":"2026-11-22T16:15:30Z","from":"UP","state":"{state}","cause":"{cause}","lasted_ms":29900,"restarts":1}}"#
    )
}

/// A fleet with one container that is UP.
pub(crate) fn up() -> Fleet {
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

/// A fleet with one container whose agent has not been heard.
pub(crate) fn unheard(engine: EngineState) -> Fleet {
    let mut fleet = Fleet::new([Arc::from(HOST)]);
    fleet.apply(listing(vec![listed("a", engine)]), at(0));
    fleet
}

pub(crate) fn one(fleet: &Fleet) -> &Container {
    fleet.get(&key("a")).unwrap()
}
