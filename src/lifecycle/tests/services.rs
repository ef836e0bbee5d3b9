//! Foreground services, told as stories.

use std::time::Duration;

use super::world::World;
use crate::lifecycle::{
    Ask, Cause, Event, Health, Hook, Outcome, Policy, ServiceNotice, ServiceRules, ServiceStand,
    StopStage,
};

const READY: ServiceNotice = ServiceNotice {
    ready: true,
    stopping: false,
    alive: false,
    triggered: false,
    extend: None,
};

fn policy() -> Policy {
    Policy {
        restart_max: 2,
        ..Policy::default()
    }
}

/// Where `svcup` runs, with these services to come.
fn at_svcup(policy: Policy, services: &[&str]) -> World {
    let mut world = World::new(policy);
    world.services = services.iter().map(ToString::to_string).collect();
    world.event(Event::Start { initialised: true });
    for _ in [Hook::Boot, Hook::Upgrade] {
        world.ends(Outcome::Exited(0));
    }
    world.log.clear();
    world
}

/// Two services, `a` and `b`, and everything is up.
fn up(policy: Policy) -> World {
    let mut world = at_svcup(policy, &["a", "b"]);
    world.ends(Outcome::Exited(0));
    world.ends(Outcome::Exited(0));
    assert_eq!(
        world.take_log(),
        [
            "-svcup",
            "+a",
            "+b",
            "+warmup",
            "-warmup",
            "UP: warmup finished"
        ]
    );
    world
}

fn stand(world: &World, name: &str) -> ServiceStand {
    let view = world.machine.services().find(|view| view.name == name);
    view.expect("the service is known").stand
}

#[test]
fn they_start_after_svcup_and_before_warmup_in_their_order() {
    let world = up(policy());
    assert_eq!(stand(&world, "a"), ServiceStand::Up);
    assert_eq!(world.machine.health(), Health::Unknown);
}

#[test]
fn one_that_says_when_it_is_ready_is_waited_for() {
    let mut policy = policy();
    let rules = ServiceRules {
        notify: true,
        ..ServiceRules::default()
    };
    policy.services.insert("a".into(), rules);
    let mut world = at_svcup(policy, &["a", "b"]);
    world.ends(Outcome::Exited(0));
    assert_eq!(world.take_log(), ["-svcup", "+a"]);
    assert_eq!(stand(&world, "a"), ServiceStand::Starting);
    // It may ask for more time, and gets it.
    world.says(
        "a",
        ServiceNotice {
            extend: Some(Duration::from_secs(300)),
            ..ServiceNotice::default()
        },
    );
    world.says("a", READY);
    assert_eq!(world.take_log(), ["+b", "+warmup"]);
}

#[test]
fn one_that_is_never_ready_has_failed() {
    let mut policy = policy();
    policy.restart_max = 1;
    let rules = ServiceRules {
        notify: true,
        ready_timeout: Duration::from_secs(7),
        ..ServiceRules::default()
    };
    policy.services.insert("a".into(), rules);
    let mut world = at_svcup(policy, &["a"]);
    world.ends(Outcome::Exited(0));
    world.deadline_within(Duration::from_secs(7));
    assert_eq!(world.take_log(), ["-svcup", "+a", "TERM a"]);
    world.service_ends("a", Outcome::Exited(0));
    world.service_empties("a");
    world.deadline_within(Duration::from_secs(1));
    assert_eq!(
        world.take_log(),
        ["-a", "TERM a", "watch a", "failing(1)", "+a"]
    );
    world.deadline_within(Duration::from_secs(7));
    world.service_ends("a", Outcome::Exited(0));
    assert_eq!(
        world.take_log(),
        [
            "TERM a",
            "-a",
            "TERM a",
            "watch a",
            "ERROR: service a was not ready after 7s, after 1 restarts of it in a row",
        ]
    );
}

#[test]
fn an_end_is_a_failed_check_of_that_service_alone() {
    let mut world = up(policy());
    world.service_ends("a", Outcome::Exited(0));
    // What it left behind has to go before it is started again.
    assert_eq!(world.take_log(), ["-a", "TERM a", "watch a", "failing(1)"]);
    world.deadline_within(Duration::from_secs(5));
    assert_eq!(world.take_log(), ["KILL a"]);
    world.service_empties("a");
    assert_eq!(stand(&world, "a"), ServiceStand::Waiting);
    world.deadline_within(Duration::from_secs(1));
    assert_eq!(world.take_log(), ["+a"]);
    assert_eq!(stand(&world, "a"), ServiceStand::Up);
    assert_eq!(stand(&world, "b"), ServiceStand::Up);
    assert_eq!(ailing(&world), ["a exited 0"]);
    // It is well again when it has been up for a while.
    world.deadline_within(Duration::from_secs(1));
    assert_eq!(world.take_log(), ["unknown"]);
    assert_eq!(ailing(&world), [""; 0]);
}

fn ailing(world: &World) -> Vec<String> {
    let ailing = world.machine.ailing();
    ailing
        .map(|(name, failure)| format!("{name} {failure}"))
        .collect()
}

/// `b` fails so often, and its process exists again; then how long it takes until it is well.
fn until_well(policy: Policy, failures: u32) -> Duration {
    let mut world = up(policy);
    world.event(Event::Asked(Ask::Check));
    world.ends(Outcome::Missing);
    for failure in 1..=failures {
        world.service_ends("b", Outcome::Exited(9));
        world.service_empties("b");
        world.deadline_within(Duration::from_secs(3600));
        assert_eq!(stand(&world, "b"), ServiceStand::Up);
        assert_eq!(world.machine.health(), Health::Failing(failure));
    }
    let began = world.now;
    world.deadline_within(Duration::from_secs(3600));
    assert_eq!(world.machine.health(), Health::Passing);
    world.now - began
}

#[test]
fn one_that_failed_is_well_after_the_length_of_its_last_pause_or_of_one_between_checks() {
    let policy = || Policy {
        restart_max: 0,
        ..policy()
    };
    assert_eq!(until_well(policy(), 1), Duration::from_secs(1));
    // Sixteen seconds, a quarter less at most.
    let fifth = until_well(policy(), 5);
    assert!(fifth > Duration::from_secs(10), "{fifth:?}");
    assert!(fifth <= Duration::from_secs(16), "{fifth:?}");
    assert_eq!(until_well(policy(), 9), Duration::from_secs(30));
}

#[test]
fn one_that_failed_is_well_when_it_says_so() {
    let mut policy = policy();
    let notify = ServiceRules {
        notify: true,
        ..ServiceRules::default()
    };
    let watchdog = ServiceRules {
        watchdog: Some(Duration::from_secs(3600)),
        ..ServiceRules::default()
    };
    policy.services.insert("a".into(), notify);
    policy.services.insert("b".into(), watchdog);
    let mut world = at_svcup(policy, &["a", "b"]);
    world.ends(Outcome::Exited(0));
    world.says("a", READY);
    world.ends(Outcome::Exited(0));
    let alive = ServiceNotice {
        alive: true,
        ..ServiceNotice::default()
    };
    for (name, word) in [("a", READY), ("b", alive)] {
        world.service_ends(name, Outcome::Exited(9));
        world.service_empties(name);
        world.deadline_within(Duration::from_secs(1));
        assert_eq!(ailing(&world), [format!("{name} exited 9")]);
        world.take_log();
        world.says(name, word);
        assert_eq!(ailing(&world), [""; 0]);
        assert_eq!(world.take_log(), ["unknown"]);
    }
}

fn fails_twice(world: &mut World) {
    for _ in 0..2 {
        world.service_ends("b", Outcome::Exited(9));
        world.service_empties("b");
        world.deadline_within(Duration::from_secs(2));
    }
    world.take_log();
}

#[test]
fn one_that_fails_too_often_is_everybodys_matter() {
    let mut world = up(policy());
    fails_twice(&mut world);
    world.service_ends("b", Outcome::Exited(9));
    assert_eq!(
        world.take_log(),
        [
            "-b",
            "TERM b",
            "watch b",
            "RESTARTING: service b exited 9, after 2 restarts of it in a row",
        ]
    );
    world.service_empties("b");
    // The rest in reverse, then svcdown.
    assert_eq!(world.take_log(), ["TERM a"]);
    world.service_ends("a", Outcome::Exited(0));
    assert_eq!(world.take_log(), ["-a", "TERM a", "watch a"]);
    world.service_empties("a");
    assert_eq!(world.take_log(), ["+svcdown"]);
    world.ends(Outcome::Exited(0));
    world.group_empties();
    world.deadline_within(Duration::from_secs(1));
    world.ends(Outcome::Exited(0));
    let log = world.take_log();
    assert_eq!(
        log[log.len() - 4..],
        ["+a", "unknown", "+b", "UP: restart finished"]
    );
}

#[test]
fn a_service_that_was_up_for_long_starts_counting_again() {
    let mut world = up(policy());
    fails_twice(&mut world);
    world.now = world.now + Duration::from_secs(601);
    world.service_ends("b", Outcome::Exited(9));
    assert_eq!(world.take_log(), ["-b", "TERM b", "watch b", "failing(1)"]);
}

#[test]
fn one_that_cannot_be_started_is_not_tried_again() {
    let mut world = at_svcup(policy(), &["a"]);
    world.startable = false;
    world.ends(Outcome::Exited(0));
    world.service_ends(
        "a",
        Outcome::CannotStart {
            code: 127,
            reason: "no interpreter".into(),
        },
    );
    let log = world.take_log();
    assert_eq!(
        log.last().map(String::as_str),
        Some("ERROR: service a cannot be started: no interpreter")
    );
}

#[test]
fn what_cannot_be_known_is_their_failure() {
    let mut world = at_svcup(policy(), &[]);
    world.machine.cannot_know_services("no such name".into());
    world.ends(Outcome::Exited(0));
    assert_eq!(
        world.take_log(),
        ["-svcup", "ERROR: no such name", "+svcdown"]
    );
    world.ends(Outcome::Exited(0));
    world.event(Event::AllGone);
    assert_eq!(world.exit, Some(1));
    // In a restart it is a failure of that restart: the next one may find it mended.
    let mut world = World::up(policy());
    world.restart("x");
    world.ends(Outcome::Exited(0));
    world.group_empties();
    world.machine.cannot_know_services("no such name".into());
    world.ends(Outcome::Exited(0));
    let log = world.take_log();
    assert!(log.contains(&"RESTARTING: no such name".into()), "{log:?}");
    world.ends(Outcome::Exited(0));
    world.group_empties();
    world.deadline_within(Duration::from_secs(1));
    world.ends(Outcome::Exited(0));
    let log = world.take_log();
    assert_eq!(log.last().map(String::as_str), Some("UP: restart finished"));
}

#[test]
fn one_that_is_empty_is_nothing_to_do() {
    let mut world = at_svcup(policy(), &["a", "b"]);
    world.startable = false;
    world.ends(Outcome::Exited(0));
    world.service_ends("a", Outcome::Missing);
    assert_eq!(world.take_log(), ["-svcup", "+a", "-a", "+b"]);
}

#[test]
fn silence_is_failure_where_a_sign_of_life_is_asked_for() {
    let mut policy = policy();
    let rules = ServiceRules {
        watchdog: Some(Duration::from_secs(3)),
        ..ServiceRules::default()
    };
    policy.services.insert("b".into(), rules);
    let mut world = up(policy);
    world.now = world.now + Duration::from_secs(2);
    world.says(
        "b",
        ServiceNotice {
            alive: true,
            ..ServiceNotice::default()
        },
    );
    world.now = world.now + Duration::from_secs(2);
    world.deadline_within(Duration::from_secs(1));
    assert_eq!(world.take_log(), ["TERM b"]);
    world.deadline_within(Duration::from_secs(5));
    assert_eq!(world.take_log(), ["KILL b"]);
    world.service_ends("b", Outcome::Exited(0));
    let view = world.machine.services().find(|view| view.name == "b");
    let last = view.and_then(|view| view.last).expect("it failed");
    assert_eq!(last.to_string(), "gave no sign of life for 3s");
}

#[test]
fn silence_from_the_first_moment_is_silence_too() {
    let mut policy = policy();
    policy.monitor_interval = Duration::from_secs(3600);
    let rules = ServiceRules {
        watchdog: Some(Duration::from_secs(3)),
        ..ServiceRules::default()
    };
    policy.services.insert("b".into(), rules);
    let mut world = up(policy);
    world.deadline_within(Duration::from_secs(3));
    assert_eq!(world.take_log(), ["TERM b"]);
}

#[test]
fn one_that_says_that_it_has_failed_is_ended_and_started_again() {
    let mut world = up(policy());
    world.says(
        "a",
        ServiceNotice {
            triggered: true,
            ..ServiceNotice::default()
        },
    );
    assert_eq!(world.take_log(), ["TERM a"]);
    world.service_ends("a", Outcome::Exited(0));
    world.service_empties("a");
    world.deadline_within(Duration::from_secs(1));
    assert_eq!(
        world.take_log(),
        ["-a", "TERM a", "watch a", "failing(1)", "+a"]
    );
}

#[test]
fn a_stop_ends_them_one_after_the_other_before_svcdown() {
    let mut world = up(policy());
    world.stop();
    assert_eq!(world.take_log(), ["Begun", "STOPPED: SIGTERM", "TERM b"]);
    world.service_ends("b", Outcome::Exited(0));
    world.service_empties("b");
    assert_eq!(world.take_log(), ["-b", "TERM b", "watch b", "TERM a"]);
    world.service_ends("a", Outcome::Exited(0));
    world.service_empties("a");
    assert_eq!(world.take_log(), ["-a", "TERM a", "watch a", "+svcdown"]);
    world.ends(Outcome::Exited(0));
    world.event(Event::AllGone);
    assert_eq!(world.take_log(), ["-svcdown", "TERM all", "exit 0"]);
    assert_eq!(
        world.stages,
        [
            StopStage::Services,
            StopStage::Svcdown,
            StopStage::Terminating
        ]
    );
}

/// A stop in which nothing ever ends: each stage takes as long as was said, to the nanosecond.
fn takes_as_long_as_told(mut world: World, expected: &[(StopStage, u64)]) {
    world.stop();
    while world.exit.is_none() {
        world.deadline_within(Duration::from_secs(3600));
    }
    let ends = world.limits.iter().skip(1).map(|(began, _)| *began);
    let ends: Vec<_> = ends.chain([world.now]).collect();
    let took = world.limits.iter().zip(ends).map(|((began, limit), end)| {
        assert_eq!(*limit, Some(end - *began), "{:?}", world.limits);
        (end - *began).as_secs()
    });
    let took: Vec<_> = world.stages.iter().copied().zip(took).collect();
    assert_eq!(took, expected);
}

#[test]
fn a_stage_of_a_stop_takes_as_long_as_was_said_at_most() {
    let policy = || {
        let mut policy = policy();
        policy.stop_timeout = Some(Duration::from_secs(20));
        policy.drain = Duration::from_secs(7);
        let rules = ServiceRules {
            stop_timeout: Some(Duration::from_secs(30)),
            ..ServiceRules::default()
        };
        policy.services.insert("b".into(), rules);
        policy
    };
    // After its time: KILL, 3 s; what is left of its group: 5 s, KILL, 3 s. The first, which is the slower, has its turn when
    // the last has had the grace.
    let services = 5 + 60 + 3 + 5 + 3;
    let down = [
        (StopStage::Svcdown, 20 + 5 + 3),
        (StopStage::Terminating, 5),
        (StopStage::Killing, 3),
    ];
    let mut expected = vec![(StopStage::Draining, 7), (StopStage::Services, services)];
    expected.extend(down);
    takes_as_long_as_told(up(policy()), &expected);
    // `svcup` is in the way, and the world hears nothing; the services were not begun.
    let mut world = at_svcup(policy(), &[]);
    world.prompt = false;
    let mut expected = vec![(StopStage::Cutting, 5 + 3 + 1)];
    expected.extend(down);
    takes_as_long_as_told(world, &expected);
    // In the middle of the `svcdown` of a restart it is what that has left.
    let mut world = World::up(policy());
    world.restart("x");
    world.deadline_within(Duration::from_secs(7));
    world.now = world.now + Duration::from_secs(15);
    takes_as_long_as_told(
        world,
        &[
            (StopStage::Svcdown, 5 + 5 + 3),
            (StopStage::Terminating, 5),
            (StopStage::Killing, 3),
        ],
    );
}

#[test]
fn one_that_does_not_hear_costs_the_others_a_grace_and_not_their_orderly_end() {
    let mut world = up(policy());
    world.stop();
    assert_eq!(world.take_log(), ["Begun", "STOPPED: SIGTERM", "TERM b"]);
    world.deadline_within(Duration::from_secs(5));
    assert_eq!(world.take_log(), ["TERM a"]);
    world.service_ends("a", Outcome::Exited(0));
    world.service_empties("a");
    // `svcdown` comes when all are gone.
    assert_eq!(world.take_log(), ["-a", "TERM a", "watch a"]);
    world.deadline_within(Duration::from_secs(55));
    assert_eq!(world.take_log(), ["KILL b"]);
    world.service_ends("b", Outcome::Exited(0));
    world.service_empties("b");
    assert_eq!(world.take_log(), ["-b", "TERM b", "watch b", "+svcdown"]);
}

#[test]
fn a_stop_while_one_waits_to_be_started_again_starts_nothing() {
    let mut world = up(policy());
    world.service_ends("a", Outcome::Exited(1));
    world.service_empties("a");
    world.take_log();
    world.stop();
    assert_eq!(stand(&world, "a"), ServiceStand::Down);
    world.service_ends("b", Outcome::Exited(0));
    world.service_empties("b");
    let log = world.take_log();
    assert!(!log.contains(&"+a".into()), "{log:?}");
    assert_eq!(log.last().map(String::as_str), Some("+svcdown"));
}

#[test]
fn a_failure_while_draining_is_no_reason_to_start_it_again() {
    let mut world = up(Policy {
        drain: Duration::from_secs(30),
        ..policy()
    });
    world.stop();
    world.service_ends("a", Outcome::Exited(1));
    world.service_empties("a");
    assert_eq!(stand(&world, "a"), ServiceStand::Down);
    world.deadline_within(Duration::from_secs(30));
    assert_eq!(world.take_log().last().map(String::as_str), Some("TERM b"));
}

/// A container that is there for one command, which runs.
fn wrapped(policy: Policy) -> World {
    let mut world = World::new(policy);
    world.machine.wrap();
    world.event(Event::Start { initialised: true });
    for _ in [Hook::Boot, Hook::Upgrade, Hook::Svcup] {
        world.ends(Outcome::Missing);
    }
    world.ends(Outcome::Missing);
    assert_eq!(
        world.take_log().last().map(String::as_str),
        Some("UP: warmup finished")
    );
    world
}

fn ends_with(mut world: World, outcome: Outcome) -> World {
    world.service_ends("main", outcome);
    world.service_empties("main");
    world.ends(Outcome::Missing);
    world.event(Event::AllGone);
    world
}

#[test]
fn the_end_of_the_one_command_is_the_containers() {
    for (outcome, state, code) in [
        (Outcome::Exited(0), "STOPPED", 0),
        (Outcome::Exited(7), "ERROR", 7),
        (
            Outcome::Signalled {
                name: "SIGSEGV".into(),
                number: 11,
                out_of_memory: false,
            },
            "ERROR",
            139,
        ),
    ] {
        let mut world = ends_with(wrapped(policy()), outcome);
        let log = world.take_log();
        assert_eq!(world.exit, Some(code), "{log:?}");
        let told = log.iter().any(|line| line.starts_with(state));
        assert!(told, "{log:?}");
    }
}

#[test]
fn a_stop_of_the_one_command_ends_with_its_exit_code_and_has_no_cap() {
    let mut world = wrapped(policy());
    world.stop();
    assert_eq!(world.take_log(), ["Begun", "STOPPED: SIGTERM", "TERM main"]);
    assert_eq!(world.machine.next_deadline(), None);
    let outcome = Outcome::Signalled {
        name: "SIGTERM".into(),
        number: 15,
        out_of_memory: false,
    };
    let world = ends_with(world, outcome);
    assert_eq!(world.exit, Some(143));
}

#[test]
fn a_watchdog_that_gives_up_on_the_one_command_says_so() {
    let mut world = wrapped(Policy {
        restart_max: 1,
        ..policy()
    });
    world.restart("x");
    world.service_ends("main", Outcome::Exited(0));
    world.service_empties("main");
    world.ends(Outcome::Missing);
    world.group_empties();
    world.ends(Outcome::Missing);
    assert_eq!(
        world.take_log().last().map(String::as_str),
        Some("UP: restart finished")
    );
    for _ in 0..2 {
        world.event(Event::Asked(Ask::Check));
        world.ends(Outcome::Exited(3));
        world.service_ends("main", Outcome::Exited(0));
        world.service_empties("main");
        if world.machine.state() == Some(crate::lifecycle::State::Error) {
            break;
        }
        world.ends(Outcome::Missing);
        world.group_empties();
        world.deadline_within(Duration::from_secs(1));
        world.ends(Outcome::Missing);
    }
    world.ends(Outcome::Missing);
    world.event(Event::AllGone);
    // Not the command's own 0: it was ended because it was not well.
    assert_eq!(world.exit, Some(1), "{:?}", world.log);
}

#[test]
fn an_error_stays_one_though_the_one_command_ends_well_before_it_is_asked() {
    let mut world = World::new(policy());
    world.machine.wrap();
    world.prompt = false;
    world.event(Event::Start { initialised: true });
    for _ in [Hook::Boot, Hook::Upgrade, Hook::Svcup] {
        world.told();
        world.ends(Outcome::Missing);
    }
    world.ends(Outcome::Exited(3));
    let world = ends_with_told(world);
    assert_eq!(world.exit, Some(1), "{:?}", world.log);
}

/// The command ends before the world has been told of the error.
fn ends_with_told(mut world: World) -> World {
    world.service_ends("main", Outcome::Exited(0));
    world.service_empties("main");
    world.told();
    world.ends(Outcome::Missing);
    world.event(Event::AllGone);
    world
}

#[test]
fn having_been_up_for_long_counts_also_where_nothing_checks() {
    let mut world = up(policy());
    let mut restarted = 0;
    // Far apart, more often than may be in a row.
    for _ in 0..4 {
        world.event(Event::Asked(Ask::Check));
        world.ends(Outcome::Missing);
        world.now = world.now + Duration::from_secs(3600);
        fails_twice(&mut world);
        world.service_ends("b", Outcome::Exited(9));
        let log = world.take_log();
        let line = log
            .iter()
            .any(|line| line.starts_with("RESTARTING: service b"));
        assert!(line, "{log:?}");
        restarted += 1;
        assert_eq!(world.machine.restarts_in_a_row(), 1);
        world.service_empties("b");
        world.service_ends("a", Outcome::Exited(0));
        world.service_empties("a");
        world.ends(Outcome::Exited(0));
        world.group_empties();
        world.deadline_within(Duration::from_secs(60));
        world.ends(Outcome::Exited(0));
        world.take_log();
    }
    assert_eq!(world.machine.restarts(), restarted);
}

#[test]
fn one_that_is_taken_away_is_missed_no_more() {
    let mut world = up(policy());
    world.service_ends("b", Outcome::Exited(1));
    world.service_empties("b");
    world.startable = false;
    world.deadline_within(Duration::from_secs(1));
    world.take_log();
    world.service_ends("b", Outcome::Missing);
    assert_eq!(world.take_log(), ["-b", "unknown"]);
}

#[test]
fn one_that_says_that_it_ends_has_its_time_to() {
    let mut world = up(policy());
    let leaves = ServiceNotice {
        stopping: true,
        ..ServiceNotice::default()
    };
    world.says("b", leaves);
    assert_eq!(stand(&world, "b"), ServiceStand::Stopping);
    // Saying it again gains nothing, asking for more does.
    world.says("b", leaves);
    world.says(
        "b",
        ServiceNotice {
            extend: Some(Duration::from_secs(70)),
            ..ServiceNotice::default()
        },
    );
    let due = world.machine.next_deadline().expect("a deadline") - world.now;
    assert_eq!(due, Duration::from_secs(30), "the check comes first");
    world.event(Event::Asked(Ask::Check));
    world.ends(Outcome::Missing);
    world.take_log();
    world.deadline_within(Duration::from_secs(70));
    assert_eq!(world.take_log(), ["TERM b"]);
    world.service_ends("b", Outcome::Exited(0));
    assert_eq!(world.take_log(), ["-b", "TERM b", "watch b", "failing(1)"]);
    let view = world.machine.services().find(|view| view.name == "b");
    let last = view.and_then(|view| view.last).expect("it failed");
    assert_eq!(
        last.to_string(),
        "had not ended 60s after saying that it would"
    );
}

#[test]
fn a_stop_before_any_was_started_has_no_stage_for_them() {
    let mut world = at_svcup(policy(), &["a"]);
    world.stop();
    world.ends(Outcome::Exited(0));
    assert_eq!(world.stages, [StopStage::Cutting, StopStage::Svcdown]);
}

#[test]
fn the_causes_read_well() {
    let cause = Cause::Service {
        name: "web".into(),
        failure: crate::lifecycle::Failure::Triggered,
        restarts: 0,
    };
    assert_eq!(cause.to_string(), "service web said that it has failed");
}
