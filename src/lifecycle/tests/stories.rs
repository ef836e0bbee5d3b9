//! What the contract says, told as logs.

use std::time::Duration;

use super::world::World;
use crate::lifecycle::{Ask, Event, Hook, Outcome, Policy, State};

const SECOND: Duration = Duration::from_secs(1);

fn failed(code: i32) -> Outcome {
    Outcome::Exited(code)
}

const OK: Outcome = Outcome::Exited(0);

#[test]
fn a_first_boot_goes_through_every_stage_in_order() {
    let mut world = World::new(Policy::default());
    world.event(Event::Start { initialised: false });
    world.ends(OK);
    world.ends(OK);
    world.event(Event::Marked(Ok(())));
    world.ends(OK);
    world.ends(OK);
    world.ends(OK);
    assert_eq!(
        world.take_log(),
        [
            "BOOT: container started",
            "+boot",
            "-boot",
            "FIRSTBOOT: boot finished",
            "+firstboot",
            "-firstboot",
            "mark",
            "UPGRADING: firstboot finished",
            "+upgrade",
            "-upgrade",
            "WARMUP: upgrade finished",
            "+svcup",
            "-svcup",
            "+warmup",
            "-warmup",
            "UP: warmup finished",
        ]
    );
    assert_eq!(world.machine.restarts(), 0);
}

#[test]
fn a_later_boot_leaves_firstboot_out() {
    let mut world = World::new(Policy::default());
    world.event(Event::Start { initialised: true });
    world.ends(Outcome::Missing);
    assert_eq!(
        world.take_log(),
        [
            "BOOT: container started",
            "+boot",
            "-boot",
            "UPGRADING: boot finished",
            "+upgrade"
        ]
    );
}

#[test]
fn a_failing_script_on_the_way_up_ends_in_error_and_is_never_marked() {
    let mut world = World::new(Policy::default());
    world.event(Event::Start { initialised: false });
    world.ends(OK);
    world.take_log();
    world.ends(failed(3));
    world.event(Event::AllGone);
    assert_eq!(
        world.take_log(),
        [
            "-firstboot",
            "ERROR: firstboot exited 3",
            "TERM all",
            "exit 1"
        ]
    );
}

#[test]
fn a_failing_warmup_stops_what_svcup_has_started() {
    let mut world = World::new(Policy::default());
    world.event(Event::Start { initialised: true });
    for _ in 0..3 {
        world.ends(OK);
    }
    world.take_log();
    world.ends(failed(1));
    world.ends(failed(7));
    world.event(Event::AllGone);
    assert_eq!(
        world.take_log(),
        [
            "-warmup",
            "ERROR: warmup exited 1",
            "+svcdown",
            "-svcdown",
            "tolerated svcdown exited 7",
            "TERM all",
            "exit 1",
        ]
    );
}

#[test]
fn a_mark_that_cannot_be_written_is_an_error() {
    let mut world = World::new(Policy::default());
    world.event(Event::Start { initialised: false });
    world.ends(OK);
    world.ends(OK);
    world.take_log();
    world.event(Event::Marked(Err("no space left on device".into())));
    assert_eq!(
        world.take_log(),
        [
            "ERROR: cannot mark /data: no space left on device",
            "TERM all"
        ]
    );
}

#[test]
fn a_tolerated_failure_is_told_and_taken_for_done() {
    let mut policy = Policy::default();
    policy.tolerated.insert(Hook::Firstboot);
    let mut world = World::new(policy);
    world.event(Event::Start { initialised: false });
    world.ends(OK);
    world.take_log();
    world.ends(failed(3));
    assert_eq!(
        world.take_log(),
        ["-firstboot", "tolerated firstboot exited 3", "mark"]
    );
}

#[test]
fn a_tolerated_script_that_a_stop_cuts_short_is_not_taken_for_done() {
    let mut policy = Policy::default();
    policy.tolerated.insert(Hook::Firstboot);
    let mut world = World::new(policy);
    world.event(Event::Start { initialised: false });
    world.ends(OK);
    world.take_log();
    world.stop();
    world.ends(Outcome::Signalled {
        name: "SIGTERM".into(),
        number: 15,
        out_of_memory: false,
    });
    world.event(Event::AllGone);
    assert_eq!(
        world.take_log(),
        [
            "Begun",
            "STOPPED: SIGTERM",
            "TERM firstboot",
            "-firstboot",
            "TERM all",
            "exit 0"
        ]
    );
}

#[test]
fn a_stop_while_up_is_in_order() {
    let mut world = World::up(Policy::default());
    world.stop();
    world.ends(OK);
    world.event(Event::AllGone);
    assert_eq!(
        world.take_log(),
        [
            "Begun",
            "STOPPED: SIGTERM",
            "+svcdown",
            "-svcdown",
            "TERM all",
            "exit 0"
        ]
    );
    assert!(world.machine.is_done());
}

#[test]
fn a_stop_kills_what_does_not_go_and_leaves_even_without_it() {
    let mut world = World::up(Policy::default());
    world.stop();
    world.ends(OK);
    world.take_log();
    world.deadline_within(5 * SECOND);
    world.deadline_within(3 * SECOND);
    assert_eq!(world.take_log(), ["KILL all", "exit 0"]);
}

#[test]
fn a_second_stop_shortens_the_grace_and_tells_nobody_twice() {
    let mut world = World::new(Policy::default());
    world.event(Event::Start { initialised: true });
    world.take_log();
    world.stop();
    world.stop();
    assert_eq!(
        world.take_log(),
        ["Begun", "STOPPED: SIGTERM", "TERM boot", "Joined"]
    );
    world.deadline_within(SECOND / 2);
    assert_eq!(world.take_log(), ["KILL boot"]);
    world.ends(failed(137));
    world.deadline_within(SECOND / 2);
    assert_eq!(world.take_log(), ["-boot", "TERM all", "KILL all"]);
}

#[test]
fn a_second_stop_does_not_cut_svcdown_but_ends_the_drain() {
    let mut world = World::up(Policy {
        drain: 30 * SECOND,
        ..Policy::default()
    });
    world.stop();
    assert_eq!(world.take_log(), ["Begun", "STOPPED: SIGTERM"]);
    world.stop();
    assert_eq!(world.take_log(), ["Joined", "+svcdown"]);
    world.stop();
    assert_eq!(world.take_log(), ["Joined"]);
    assert_eq!(
        world.machine.next_deadline(),
        None,
        "svcdown has the time it needs"
    );
}

#[test]
fn a_drain_comes_before_svcdown_only_where_it_was_up() {
    let policy = Policy {
        drain: 10 * SECOND,
        ..Policy::default()
    };
    let mut world = World::up(policy.clone());
    world.stop();
    world.take_log();
    world.deadline_within(10 * SECOND);
    assert_eq!(world.take_log(), ["+svcdown"]);

    let mut world = World::new(policy.clone());
    world.event(Event::Start { initialised: true });
    for _ in 0..3 {
        world.ends(OK);
    }
    world.take_log();
    world.stop();
    world.ends(failed(143));
    assert_eq!(
        world.take_log(),
        [
            "Begun",
            "STOPPED: SIGTERM",
            "TERM warmup",
            "-warmup",
            "+svcdown"
        ]
    );

    // A restart that was asked for drains, one that is needed does not.
    let mut world = World::up(policy.clone());
    world.restart("alice@ops1");
    assert_eq!(
        world.take_log(),
        ["Begun", "RESTARTING: operator alice@ops1"]
    );
    world.deadline_within(10 * SECOND);
    assert_eq!(world.take_log(), ["+svcdown"]);
    let mut world = World::up(policy);
    world.deadline_within(30 * SECOND);
    world.take_log();
    world.ends(failed(1));
    assert_eq!(
        world.take_log(),
        [
            "-monitor",
            "failing(1)",
            "RESTARTING: monitor exited 1",
            "+svcdown"
        ]
    );
}

#[test]
fn a_restart_waits_until_the_old_services_are_gone() {
    let mut world = World::up(Policy::default());
    world.restart("alice@ops1");
    world.ends(OK);
    assert_eq!(
        world.take_log(),
        [
            "Begun",
            "RESTARTING: operator alice@ops1",
            "+svcdown",
            "-svcdown",
            "watch svcdown"
        ]
    );
    world.group_empties();
    world.ends(OK);
    assert_eq!(
        world.take_log(),
        ["watch svcup", "+svcup", "-svcup", "UP: restart finished"]
    );
    assert_eq!(
        (world.machine.restarts(), world.machine.restarts_in_a_row()),
        (1, 0)
    );
}

#[test]
fn old_services_that_do_not_go_are_told_then_killed() {
    let mut world = World::up(Policy::default());
    world.restart("alice");
    world.ends(failed(1));
    world.take_log();
    world.deadline_within(5 * SECOND);
    world.deadline_within(5 * SECOND);
    world.deadline_within(3 * SECOND);
    // First what svcdown left, then what it was to stop.
    assert_eq!(
        world.take_log(),
        ["TERM svcdown", "KILL svcdown", "watch svcup"]
    );
    world.deadline_within(5 * SECOND);
    world.deadline_within(5 * SECOND);
    world.deadline_within(3 * SECOND);
    assert_eq!(world.take_log(), ["TERM svcup", "KILL svcup", "+svcup"]);
}

#[test]
fn warmup_runs_again_after_a_restart_only_if_wanted() {
    let mut world = World::up(Policy {
        restart_warmup: true,
        ..Policy::default()
    });
    world.restart("alice");
    world.ends(OK);
    world.group_empties();
    world.take_log();
    world.ends(OK);
    world.ends(OK);
    assert_eq!(
        world.take_log(),
        ["-svcup", "+warmup", "-warmup", "UP: restart finished"]
    );
}

#[test]
fn ten_requests_at_once_are_two_restarts_at_most() {
    let mut world = World::up(Policy::default());
    for _ in 0..10 {
        world.restart("alice");
    }
    assert_eq!(world.machine.restarts(), 1);
    world.ends(OK);
    world.group_empties();
    for _ in 0..10 {
        world.restart("bob");
    }
    world.take_log();
    world.ends(OK);
    assert_eq!(
        world.take_log(),
        [
            "-svcup",
            "UP: restart finished",
            "RESTARTING: operator bob",
            "+svcdown"
        ]
    );
    world.ends(OK);
    world.group_empties();
    world.ends(OK);
    assert_eq!(
        (world.machine.restarts(), world.machine.state()),
        (2, Some(State::Up))
    );
}

#[test]
fn a_request_on_the_way_up_is_kept_only_once_the_services_are_being_started() {
    let mut world = World::new(Policy::default());
    world.event(Event::Start { initialised: true });
    world.restart("alice");
    world.ends(OK);
    world.ends(OK);
    world.restart("bob");
    world.ends(OK);
    world.take_log();
    world.ends(OK);
    assert_eq!(
        world.take_log(),
        [
            "-warmup",
            "UP: warmup finished",
            "RESTARTING: operator bob",
            "+svcdown"
        ]
    );
}

#[test]
fn the_watchdog_counts_pauses_and_gives_up() {
    let mut world = World::up(Policy {
        monitor_failures: 2,
        restart_max: 2,
        ..Policy::default()
    });
    let mut pauses = Vec::new();
    for restart in 0..2 {
        world.deadline_within(30 * SECOND);
        world.ends(failed(1));
        world.deadline_within(30 * SECOND);
        world.ends(failed(4));
        let cause = "RESTARTING: monitor exited 4, 2 checks in a row failed";
        assert!(
            world.take_log().iter().any(|line| line == cause),
            "restart {restart}"
        );
        world.ends(OK);
        let before = world.now;
        world.group_empties();
        assert!(world.running.is_empty(), "no pause before svcup");
        world.deadline_within(2 * SECOND);
        pauses.push(world.now - before);
        world.ends(OK);
        assert_eq!(world.machine.state(), Some(State::Up));
    }
    assert!(
        pauses[0] <= SECOND && pauses[0] >= SECOND * 3 / 4,
        "{pauses:?}"
    );
    assert!(
        pauses[1] <= 2 * SECOND && pauses[1] >= SECOND * 3 / 2,
        "{pauses:?}"
    );
    world.deadline_within(30 * SECOND);
    world.ends(failed(1));
    world.deadline_within(30 * SECOND);
    world.take_log();
    world.ends(failed(1));
    assert_eq!(
        world.take_log(),
        [
            "-monitor",
            "failing(2)",
            "ERROR: gave up after 2 restarts in a row: monitor exited 1, 2 checks in a row failed",
            "+svcdown",
        ]
    );
}

#[test]
fn being_healthy_for_long_starts_the_count_again() {
    let policy = Policy {
        restart_reset: 60 * SECOND,
        restart_max: 1,
        ..Policy::default()
    };
    let mut world = World::up(policy);
    for _ in 0..4 {
        world.deadline_within(30 * SECOND);
        world.ends(failed(1));
        world.ends(OK);
        world.group_empties();
        world.deadline_within(SECOND);
        world.ends(OK);
        assert_eq!(world.machine.restarts_in_a_row(), 1);
        for _ in 0..2 {
            world.deadline_within(30 * SECOND);
            world.ends(OK);
        }
        assert_eq!(world.machine.restarts_in_a_row(), 0);
    }
    assert_eq!(
        (world.machine.restarts(), world.machine.state()),
        (4, Some(State::Up))
    );
}

#[test]
fn a_restart_that_fails_is_tried_again_and_counted() {
    let mut world = World::up(Policy {
        restart_max: 1,
        ..Policy::default()
    });
    world.restart("alice");
    world.ends(OK);
    world.group_empties();
    world.take_log();
    world.ends(failed(5));
    assert_eq!(
        world.take_log(),
        ["-svcup", "RESTARTING: svcup exited 5", "+svcdown"]
    );
    world.ends(OK);
    world.group_empties();
    world.deadline_within(SECOND);
    world.take_log();
    world.ends(failed(5));
    assert_eq!(
        world.take_log(),
        [
            "-svcup",
            "ERROR: gave up after 1 restarts in a row: svcup exited 5",
            "+svcdown"
        ]
    );
}

#[test]
fn a_request_ends_the_pause_of_a_needed_restart() {
    let mut world = World::up(Policy::default());
    world.deadline_within(30 * SECOND);
    world.ends(failed(1));
    world.ends(OK);
    world.group_empties();
    world.take_log();
    world.restart("alice");
    assert_eq!(world.take_log(), ["Joined", "unknown", "+svcup"]);
}

#[test]
fn a_check_is_killed_when_its_time_is_over_and_has_failed() {
    let mut world = World::up(Policy::default());
    world.deadline_within(30 * SECOND);
    world.take_log();
    world.deadline_within(25 * SECOND);
    assert_eq!(world.take_log(), ["KILL monitor"]);
    world.ends(Outcome::Signalled {
        name: "SIGKILL".into(),
        number: 9,
        out_of_memory: false,
    });
    assert_eq!(
        world.take_log()[..3],
        [
            "-monitor",
            "failing(1)",
            "RESTARTING: monitor was cut after 25s"
        ]
    );
}

#[test]
fn there_is_never_a_second_check_at_once() {
    let mut world = World::up(Policy::default());
    world.event(Event::Asked(Ask::Check));
    world.event(Event::Asked(Ask::Check));
    assert_eq!(world.take_log(), ["Begun", "+monitor", "Joined"]);
    world.ends(OK);
    assert_eq!(world.take_log(), ["-monitor", "passing"]);
}

#[test]
fn without_a_monitor_nothing_wakes_the_machine() {
    let mut world = World::up(Policy::default());
    world.deadline_within(30 * SECOND);
    world.ends(Outcome::Missing);
    assert_eq!(world.machine.next_deadline(), None);
}

#[test]
fn a_running_check_is_no_obstacle_to_a_stop_or_a_restart() {
    for stop in [true, false] {
        let mut world = World::up(Policy::default());
        world.deadline_within(30 * SECOND);
        world.take_log();
        if stop {
            world.stop();
        } else {
            world.restart("alice");
        }
        let log = world.take_log();
        assert_eq!(log.last().map(String::as_str), Some("+svcdown"), "{log:?}");
        assert!(log.contains(&"KILL monitor".into()), "{log:?}");
        // Its end is no longer of interest, and does not end svcdown.
        let monitor = world.running.remove(0);
        world.event(Event::Ended(monitor.id, failed(1)));
        assert!(world.take_log().is_empty());
    }
}

#[test]
fn a_stop_in_a_restart_runs_svcdown_once() {
    // While svcdown runs.
    let mut world = World::up(Policy::default());
    world.restart("alice");
    world.take_log();
    world.stop();
    assert_eq!(world.take_log(), ["Begun", "STOPPED: SIGTERM"]);
    world.ends(OK);
    assert_eq!(world.take_log(), ["-svcdown", "TERM all"]);

    // In the pause after it.
    let mut world = World::up(Policy::default());
    world.deadline_within(30 * SECOND);
    world.ends(failed(1));
    world.ends(OK);
    world.group_empties();
    world.take_log();
    world.stop();
    assert_eq!(world.take_log(), ["Begun", "STOPPED: SIGTERM", "TERM all"]);

    // While svcup runs again: it was begun, so it is undone.
    let mut world = World::up(Policy::default());
    world.restart("alice");
    world.ends(OK);
    world.group_empties();
    world.take_log();
    world.stop();
    world.ends(failed(143));
    assert_eq!(
        world.take_log(),
        [
            "Begun",
            "STOPPED: SIGTERM",
            "TERM svcup",
            "-svcup",
            "+svcdown"
        ]
    );
}

#[test]
fn svcdown_has_a_cap_only_if_one_was_set() {
    let mut world = World::up(Policy::default());
    world.stop();
    assert_eq!(world.machine.next_deadline(), None);

    let mut world = World::up(Policy {
        stop_timeout: Some(60 * SECOND),
        ..Policy::default()
    });
    world.stop();
    world.take_log();
    world.deadline_within(60 * SECOND);
    world.deadline_within(5 * SECOND);
    world.ends(Outcome::Signalled {
        name: "SIGKILL".into(),
        number: 9,
        out_of_memory: false,
    });
    assert_eq!(
        world.take_log(),
        [
            "TERM svcdown",
            "KILL svcdown",
            "-svcdown",
            "tolerated svcdown was cut after 60s",
            "TERM all",
        ]
    );
}

#[test]
fn the_world_is_waited_for_a_second_in_all_and_no_longer() {
    let mut world = World::new(Policy::default());
    world.prompt = false;
    let started = world.now;
    world.event(Event::Start { initialised: false });
    assert_eq!(
        world.take_log(),
        ["BOOT: container started"],
        "boot does not run before"
    );
    world.now = world.now + SECOND / 4;
    world.told();
    assert_eq!(world.take_log(), ["+boot"]);
    world.ends(OK);
    // From here on nobody answers any more.
    world.deadline_within(SECOND);
    world.ends(OK);
    world.event(Event::Marked(Ok(())));
    for _ in 0..2 {
        world.deadline_within(Duration::ZERO);
        world.ends(OK);
    }
    world.ends(OK);
    assert_eq!(world.machine.state(), Some(State::Up));
    assert_eq!(world.now - started, SECOND);
}

#[test]
fn a_fault_of_the_agent_ends_in_order() {
    let mut world = World::up(Policy::default());
    let effects = world.machine.fault("no memory".into(), world.now);
    world.perform(effects);
    world.ends(OK);
    world.event(Event::AllGone);
    assert_eq!(
        world.take_log(),
        [
            "ERROR: agent fault: no memory",
            "+svcdown",
            "-svcdown",
            "TERM all",
            "exit 1"
        ]
    );
}
