//! The model's answers to what engines and agents tell.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use whaleware::lifecycle::State;
use whaleware::protocol::HealthStatus;

use super::scene::*;
use super::*;

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
        since: None,
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
        skew: SignedDuration::ZERO,
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
        skew: ahead,
        containers: vec![stopped],
    };
    fleet.apply(told, at(0));
    assert_eq!(one(&fleet).age(at(0).moment), Duration::from_secs(30));
    assert_eq!(fleet.host(HOST).unwrap().skew, ahead);
}

#[test]
fn a_listing_that_waited_to_be_taken_in_tells_the_same_clock() {
    let ahead = SignedDuration::from_millis(2500);
    for waited in [0, 7, 90_000] {
        let mut fleet = Fleet::new([Arc::from(HOST)]);
        let mut running = listed("a", EngineState::Running);
        running.started = Some(wall() + ahead - SignedDuration::from_secs(30));
        let told = Input::Listing {
            host: Arc::from(HOST),
            skew: ahead,
            containers: vec![running],
        };
        fleet.apply(told, at(waited));
        assert_eq!(fleet.host(HOST).unwrap().skew, ahead, "{waited} ms");
        let age = one(&fleet).age(at(waited).moment);
        let waited = Duration::from_millis(waited);
        assert_eq!(age, Duration::from_secs(30) + waited);
    }
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
fn what_is_known_of_backups_stays_until_it_is_known_better() {
    let mut fleet = up();
    let told = |id: &str, backed| Input::Backups {
        host: Arc::from(HOST),
        found: vec![(Arc::from(id), backed)],
    };
    let never = Backed::Never {
        vault: "/srv/backup".into(),
    };
    let changes = fleet.apply(told("a", never.clone()), at(1));
    assert!(matches!(changes.as_slice(), [Change::Details(_)]));
    assert_eq!(fleet.apply(told("a", never.clone()), at(2)), []);
    assert_eq!(fleet.apply(told("gone", never.clone()), at(3)), []);
    // Neither a listing nor another life says anything of them.
    fleet.apply(listing(vec![listed("a", EngineState::Running)]), at(4));
    fleet.apply(event("a", EngineEvent::Started), at(5));
    assert_eq!(one(&fleet).backed, never);
    fleet.apply(told("a", Backed::default()), at(6));
    assert_eq!(one(&fleet).backed, Backed::default());
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
        (exited(143), Severity::Down),
        (exited(130), Severity::Down),
        (exited(131), Severity::Down),
        (exited(137), Severity::Failed),
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

fn agent(fleet: &Fleet) -> &AgentView {
    one(fleet).agent.as_ref().unwrap()
}

const SERVICE: &str =
    r#"{"type":"service","service":"web","status":"up","since":"2026-11-22T16:14:59Z","pid":31}"#;

#[test]
fn a_snapshot_of_an_old_agent_has_none_of_what_came_later() {
    let fleet = up();
    let agent = agent(&fleet);
    assert!(agent.services.is_empty() && agent.stages.is_empty());
    assert_eq!((&agent.version, &agent.previous), (&None, &None));
    assert_eq!(agent.stop.services_ms, Some(0));
}

#[test]
fn a_snapshot_tells_services_stage_version_and_the_boot_before() {
    let mut fleet = up();
    let told = snapshot("STOPPED", 10).replace(
        "\"transitions\":[",
        r#""version":"2.4.1","previous":{"boot":"b0","at":"2026-11-22T03:00:00Z","state":"UP","cause":"x"},
        "services":[{"service":"web","status":"up","since":"2026-11-22T16:14:30Z"}],
        "stopping":{"stage":"services","at":"2026-11-22T16:14:58Z","limit_ms":60000},"transitions":["#,
    );
    fleet.apply(frame("a", &told), at(10));
    let agent = agent(&fleet);
    assert_eq!(agent.version.as_deref(), Some("2.4.1"));
    assert_eq!(agent.previous.as_ref().unwrap().exit, None);
    let now = at(10).moment;
    assert_eq!((now - agent.services[0].since).as_secs(), 30);
    assert_eq!((now - agent.stage().unwrap().since).as_secs(), 2);
}

#[test]
fn what_a_service_says_changes_nothing_of_since_when_it_is_up() {
    let mut fleet = up();
    let changes = fleet.apply(frame("a", SERVICE), at(1_000));
    assert!(
        matches!(changes.as_slice(), [Change::Service(whose, report)] if *whose == key("a") && report.pid == Some(31))
    );
    let saying = SERVICE.replace("\"pid\":31", "\"pid\":31,\"text\":\"a\u{1b}[2Jb\"");
    let saying = saying.replace('\u{1b}', "\\u001b");
    fleet.apply(frame("a", &saying), at(5_000));
    let [service] = agent(&fleet).services.as_slice() else {
        panic!("one service");
    };
    assert_eq!(service.since, at(1_000).moment);
    assert_eq!(service.report.text.as_deref(), Some("ab"));
    fleet.apply(
        frame("a", &SERVICE.replace("\"up\"", "\"stopping\"")),
        at(9_000),
    );
    assert_eq!(agent(&fleet).services[0].since, at(9_000).moment);
}

#[test]
fn no_container_can_have_any_number_of_services_or_stages() {
    let mut fleet = up();
    for number in 0..1_000 {
        let service = SERVICE.replace("web", &format!("web-{number}"));
        fleet.apply(frame("a", &service), at(1_000));
        let second = number % 60;
        let minute = number / 60;
        let stage = format!(
            r#"{{"type":"stopping","stage":"services","at":"2026-11-22T16:{minute:02}:{second:02}Z"}}"#
        );
        fleet.apply(frame("a", &stage), at(1_000));
    }
    assert!(agent(&fleet).services.len() <= 64);
    assert!(agent(&fleet).stages.len() <= 16);
}

#[test]
fn the_stages_of_a_stop_have_their_times_to_the_very_end() {
    let mut fleet = up();
    fleet.apply(frame("a", &state(6, "STOPPED", "SIGTERM")), at(1_000));
    for (stage, second, millis) in [
        ("draining", 1, 1_000),
        ("services", 6, 6_000),
        ("svcdown", 8, 8_500),
    ] {
        let line = format!(
            r#"{{"type":"stopping","stage":"{stage}","at":"2026-11-22T16:15:{second:02}Z","limit_ms":60000}}"#
        );
        let changes = fleet.apply(frame("a", &line), at(millis));
        assert!(matches!(changes.as_slice(), [Change::Stopping(..)]));
    }
    let took = |fleet: &Fleet| -> Vec<Option<u128>> {
        let stages = one(fleet).stages();
        let took = stages
            .iter()
            .map(|(_, took)| took.map(|took| took.as_millis()));
        took.collect()
    };
    assert_eq!(took(&fleet), [Some(5_000), Some(2_500), None]);
    // What a snapshot tells once more is not another stage.
    let again = snapshot("STOPPED", 10).replace(
        "\"transitions\":[",
        r#""stopping":{"stage":"svcdown","at":"2026-11-22T16:15:08Z","limit_ms":60000},"transitions":["#,
    );
    fleet.apply(frame("a", &again), at(9_000));
    let died = EngineEvent::Died {
        code: 0,
        out_of_memory: false,
    };
    fleet.apply(event("a", died), at(9_500));
    assert_eq!(took(&fleet), [Some(5_000), Some(2_500), Some(1_000)]);
}

#[test]
fn a_stop_that_was_of_another_time_is_forgotten() {
    let mut fleet = up();
    let stage = r#"{"type":"stopping","stage":"svcdown","at":"2026-11-22T16:15:08Z"}"#;
    fleet.apply(frame("a", stage), at(1_000));
    fleet.apply(frame("a", &state(6, "UP", "restart finished")), at(2_000));
    assert!(agent(&fleet).stages.is_empty());
}

#[test]
fn how_far_a_script_is_stays_within_what_can_be() {
    let mut fleet = up();
    let run = r#"{"type":"hook","run":9,"hook":"firstboot","state":"FIRSTBOOT","at":"2026-11-22T16:14:41Z","result":"running","duration_ms":5000,"status":"a\u001b]0;t\u0007b","progress":255}"#;
    fleet.apply(frame("a", run), at(10_000));
    let (run, since) = agent(&fleet).running.clone().unwrap();
    assert_eq!(
        (run.progress, run.status.as_deref()),
        (Some(100), Some("ab"))
    );
    assert_eq!((at(10_000).moment - since).as_millis(), 5_000);
}

const fn exited(code: i64) -> EngineState {
    EngineState::Exited {
        code: Some(code),
        out_of_memory: false,
    }
}

#[test]
fn the_signal_of_a_stop_is_an_orderly_end_and_the_same_while_up_is_none() {
    for (stopped, code, expected) in [
        (true, 143, Severity::Down),
        (true, 131, Severity::Down),
        (true, 137, Severity::Failed),
        (true, 1, Severity::Failed),
        (false, 143, Severity::Failed),
    ] {
        let mut fleet = up();
        if stopped {
            fleet.apply(frame("a", &state(6, "STOPPED", "SIGTERM")), at(10));
        }
        let died = EngineEvent::Died {
            code,
            out_of_memory: false,
        };
        fleet.apply(event("a", died), at(20));
        assert_eq!(one(&fleet).severity(), expected, "{stopped} {code}");
    }
}

#[test]
fn what_fails_is_named_by_its_agent_or_by_the_service_that_is_not_up() {
    let mut fleet = up();
    let web = r#"{"type":"service","service":"web","status":"waiting","since":"2026-11-22T16:15:00Z","exit":9}"#;
    fleet.apply(frame("a", web), at(10));
    assert_eq!(one(&fleet).ailment(), None);
    fleet.apply(
        frame("a", r#"{"type":"health","status":"failing"}"#),
        at(11),
    );
    assert_eq!(one(&fleet).ailment().unwrap(), "service web exited 9");
    let told = r#"{"type":"health","status":"failing","failures":2,"detail":"monitor exited 1"}"#;
    fleet.apply(frame("a", told), at(12));
    assert_eq!(one(&fleet).ailment().unwrap(), "monitor exited 1");
}
