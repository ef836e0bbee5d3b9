//! Standing still for a backup, told as logs.

use std::time::Duration;

use super::world::World;
use crate::lifecycle::{Health, Hook, Outcome, Policy, State};

const SECOND: Duration = Duration::from_secs(1);
const OK: Outcome = Outcome::Exited(0);

/// One that was quiesced just now, for a minute at most; the log begins after that.
fn held(policy: Policy) -> World {
    let mut world = World::up(policy);
    world.quiesce("alice@ops1", 60 * SECOND);
    world.ends(OK);
    world.group_empties();
    world.take_log();
    world
}

#[test]
fn nothing_runs_until_it_is_given_back() {
    let mut world = World::up(Policy::default());
    world.quiesce("alice@ops1", 60 * SECOND);
    world.ends(OK);
    world.group_empties();
    assert_eq!(
        world.take_log(),
        [
            "Begun",
            "RESTARTING: quiesced for a backup by alice@ops1",
            "+svcdown",
            "-svcdown",
            "watch svcdown",
            "watch svcup",
            "held",
        ]
    );
    world.resume();
    world.ends(OK);
    assert_eq!(
        world.take_log(),
        [
            "Begun",
            "lease Resumed",
            "+svcup",
            "-svcup",
            "UP: restart finished"
        ]
    );
    // It was no fault of the services: it counts for nothing.
    assert_eq!(
        (world.machine.restarts(), world.machine.restarts_in_a_row()),
        (0, 0)
    );
}

#[test]
fn its_time_ends_it() {
    let mut world = held(Policy::default());
    world.deadline_within(60 * SECOND);
    world.ends(OK);
    assert_eq!(
        world.take_log(),
        ["lease Overdue", "+svcup", "-svcup", "UP: restart finished"]
    );
    world.resume();
    assert_eq!(world.take_log(), [r#"Refused("it is not quiesced")"#]);
}

#[test]
fn what_is_known_of_the_health_counts_no_more_and_nobody_looks() {
    let mut world = World::up(Policy::default());
    world.deadline_within(30 * SECOND);
    world.ends(OK);
    assert_eq!(world.machine.health(), Health::Passing);
    world.quiesce("x", 3600 * SECOND);
    world.ends(OK);
    world.group_empties();
    assert_eq!(world.machine.health(), Health::Unknown);
    world.take_log();
    // Nothing is due but its end.
    let due = world.machine.next_deadline().unwrap();
    assert_eq!(due, world.now + 3600 * SECOND);
}

#[test]
fn one_that_ends_while_svcdown_runs_lets_it_finish_and_starts_at_once() {
    let mut world = World::up(Policy::default());
    world.quiesce("x", 60 * SECOND);
    world.resume();
    world.take_log();
    world.ends(OK);
    world.group_empties();
    assert_eq!(
        world.take_log(),
        ["-svcdown", "watch svcdown", "watch svcup", "+svcup"]
    );
    // So does one whose time is over before anything was held.
    let mut world = World::up(Policy::default());
    world.quiesce("x", SECOND);
    world.deadline_within(SECOND);
    world.ends(OK);
    world.group_empties();
    assert!(!world.log.iter().any(|line| line == "held"));
    assert_eq!(world.log.last().map(String::as_str), Some("+svcup"));
}

#[test]
fn a_stop_ends_it_and_stops_nothing_twice() {
    let mut world = held(Policy::default());
    world.stop();
    world.event(crate::lifecycle::Event::AllGone);
    assert_eq!(
        world.take_log(),
        [
            "Begun",
            "STOPPED: SIGTERM",
            "lease Stopped",
            "TERM all",
            "exit 0"
        ]
    );
    // On the way there the svcdown that runs already is the stop's.
    let mut world = World::up(Policy::default());
    world.quiesce("x", 60 * SECOND);
    world.take_log();
    world.stop();
    world.ends(OK);
    assert_eq!(
        world.take_log(),
        [
            "Begun",
            "STOPPED: SIGTERM",
            "lease Stopped",
            "-svcdown",
            "TERM all"
        ]
    );
}

#[test]
fn a_restart_is_the_start_at_its_end() {
    let mut world = held(Policy::default());
    world.restart("bob");
    assert_eq!(world.take_log(), ["Joined"]);
    world.resume();
    world.ends(OK);
    assert_eq!(
        world.take_log(),
        [
            "Begun",
            "lease Resumed",
            "+svcup",
            "-svcup",
            "UP: restart finished"
        ]
    );
}

#[test]
fn only_one_that_is_up_and_only_by_one_at_a_time() {
    let mut world = held(Policy::default());
    world.quiesce("bob", SECOND);
    assert_eq!(world.take_log(), [r#"Refused("it is quiesced already")"#]);
    world.resume();
    world.take_log();
    world.quiesce("bob", SECOND);
    assert_eq!(
        world.take_log(),
        [r#"Refused("its services are being restarted; ask again when it is UP")"#]
    );
}

#[test]
fn a_failing_svcdown_is_told_and_a_failing_svcup_is_a_restart() {
    let mut world = World::up(Policy::default());
    world.quiesce("x", 60 * SECOND);
    world.ends(Outcome::Exited(3));
    world.group_empties();
    assert!(
        world
            .log
            .iter()
            .any(|line| line == "tolerated svcdown exited 3")
    );
    assert_eq!(world.log.last().map(String::as_str), Some("held"));
    world.resume();
    world.take_log();
    world.ends(Outcome::Exited(4));
    assert_eq!(
        world.take_log()[..2],
        ["-svcup", "RESTARTING: svcup exited 4"]
    );
    assert_eq!(
        (world.machine.restarts(), world.machine.restarts_in_a_row()),
        (1, 1)
    );
}

#[test]
fn it_drains_first_and_warms_up_after_as_a_restart_does() {
    let mut world = World::up(Policy {
        drain: 5 * SECOND,
        restart_warmup: true,
        ..Policy::default()
    });
    world.quiesce("x", 60 * SECOND);
    world.take_log();
    world.deadline_within(5 * SECOND);
    assert_eq!(world.take_log(), ["+svcdown"]);
    world.ends(OK);
    world.group_empties();
    world.resume();
    world.ends(OK);
    assert_eq!(world.running.last().map(|one| one.hook), Some(Hook::Warmup));
    world.ends(OK);
    assert_eq!(world.machine.state(), Some(State::Up));
}
