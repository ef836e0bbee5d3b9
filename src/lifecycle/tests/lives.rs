//! Random lives: whatever happens, the promises hold, and a stop always ends.

use std::time::Duration;

use proptest::prelude::*;

use super::world::World;
use crate::lifecycle::{Ask, Cause, Event, Hook, Moment, Outcome, Policy, RunId};

/// What can happen next; numbers choose among what is there.
#[derive(Debug, Clone, Copy)]
enum Move {
    Start(bool),
    End(u8, u8),
    EndUnknown(u64),
    Told,
    Marked(bool),
    GroupEmpty,
    AllGone,
    Restart,
    Stop,
    Check,
    Deadline,
    Wait(u32),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        1 => any::<bool>().prop_map(Move::Start),
        8 => (any::<u8>(), any::<u8>()).prop_map(|(which, how)| Move::End(which, how)),
        1 => (0..40_u64).prop_map(Move::EndUnknown),
        4 => Just(Move::Told),
        3 => any::<bool>().prop_map(Move::Marked),
        3 => Just(Move::GroupEmpty),
        2 => Just(Move::AllGone),
        2 => Just(Move::Restart),
        1 => Just(Move::Stop),
        2 => Just(Move::Check),
        4 => Just(Move::Deadline),
        2 => (0..100_000_u32).prop_map(Move::Wait),
    ];
    prop::collection::vec(one, 0..120)
}

fn policies() -> impl Strategy<Value = Policy> {
    (
        0..3_u32,
        1..3_u32,
        any::<bool>(),
        prop_oneof![Just(0), Just(7)],
        any::<bool>(),
        any::<u8>(),
    )
        .prop_map(|(max, failures, warmup, drain, capped, tolerated)| {
            let mut policy = Policy {
                restart_max: max,
                monitor_failures: failures,
                restart_warmup: warmup,
                drain: Duration::from_secs(drain),
                stop_timeout: capped.then_some(Duration::from_secs(9)),
                ..Policy::default()
            };
            for (bit, hook) in Hook::ALL.into_iter().take(5).enumerate() {
                if tolerated & (1 << bit) != 0 {
                    policy.tolerated.insert(hook);
                    policy.timeouts.insert(hook, Duration::from_secs(20));
                }
            }
            policy
        })
}

fn outcome(how: u8) -> Outcome {
    match how % 8 {
        0..=3 => Outcome::Exited(0),
        4 => Outcome::Exited(i32::from(how)),
        5 => Outcome::Missing,
        6 => Outcome::Signalled {
            name: "SIGKILL".into(),
            number: 9,
            out_of_memory: how > 100,
        },
        _ => Outcome::CannotStart {
            code: 127,
            reason: "no interpreter".into(),
        },
    }
}

fn step(world: &mut World, chosen: Move) {
    match chosen {
        Move::Start(initialised) => world.event(Event::Start { initialised }),
        Move::End(which, how) => {
            if !world.running.is_empty() {
                let index = usize::from(which) % world.running.len();
                let running = world.running.remove(index);
                world.log.push(format!("-{}", running.hook));
                world.event(Event::Ended(running.id, outcome(how)));
            }
        }
        Move::EndUnknown(id) => {
            let known = world.running.iter().any(|running| running.id == RunId(id));
            if !known {
                world.event(Event::Ended(RunId(id), Outcome::Exited(0)));
            }
        }
        Move::Told => world.told(),
        Move::Marked(ok) => {
            world.event(Event::Marked(if ok { Ok(()) } else { Err("full".into()) }));
        }
        Move::GroupEmpty => {
            let ran = |wanted| world.hooks.iter().any(|(_, hook)| *hook == wanted);
            if ran(Hook::Svcup) && ran(Hook::Svcdown) {
                world.group_empties();
            }
        }
        Move::AllGone => world.event(Event::AllGone),
        Move::Restart => world.restart("x"),
        Move::Stop => world.stop(),
        Move::Check => world.event(Event::Asked(Ask::Check)),
        Move::Deadline => {
            if let Some(deadline) = world.machine.next_deadline() {
                world.now = world.now.max(deadline);
                let effects = world.machine.handle_deadline(world.now);
                world.perform(effects);
            }
        }
        Move::Wait(millis) => {
            world.now = world.now + Duration::from_millis(millis.into());
            let effects = world.machine.handle_deadline(world.now);
            world.perform(effects);
        }
    }
}

/// What must hold of any log of any life.
fn promises(log: &[String]) -> Result<(), TestCaseError> {
    let mut running: Vec<&str> = Vec::new();
    let (mut stopping, mut warm, mut svcup, mut svcdown_in_stop) = (false, false, false, 0);
    for (index, line) in log.iter().enumerate() {
        if let Some(hook) = line.strip_prefix('+') {
            let others = running.iter().filter(|hook| **hook != "monitor").count();
            prop_assert!(
                others == 0 || hook == "monitor",
                "two scripts at once: {:?}",
                &log[..=index]
            );
            prop_assert!(hook != "monitor" || others == 0, "a check beside a script");
            if stopping {
                prop_assert_eq!(hook, "svcdown", "a start after a stop");
                svcdown_in_stop += 1;
                prop_assert!(svcdown_in_stop == 1 && svcup, "a svcdown too many");
            }
            if hook == "svcup" {
                svcup = true;
            }
            running.push(hook);
        } else if let Some(hook) = line.strip_prefix('-') {
            if let Some(at) = running.iter().position(|running| *running == hook) {
                running.remove(at);
            }
            if hook == "warmup" {
                warm = true;
            }
        } else if line.starts_with("tolerated warmup") {
            warm = true;
        } else if line.starts_with("STOPPED") || line.starts_with("ERROR") {
            prop_assert!(!stopping, "a second end");
            stopping = true;
        } else if line.starts_with("UP:") {
            prop_assert!(warm && !stopping, "UP without a finished warm-up");
        } else if line.starts_with("exit") {
            prop_assert_eq!(index + 1, log.len(), "something after the end");
        } else if line.starts_with("KILL") || line.starts_with("TERM") || line == "mark" {
            // A script that was told to go is not waited for by the next check of this list.
            if let Some(hook) = line.strip_prefix("KILL ") {
                running.retain(|running| *running != hook);
            }
        }
    }
    Ok(())
}

fn life(policy: Policy, prompt: bool, moves: Vec<Move>) -> Result<(), TestCaseError> {
    let mut world = World::new(policy);
    world.prompt = prompt;
    for chosen in moves {
        let heard = world
            .log
            .iter()
            .filter(|line| line.starts_with("exit"))
            .count();
        if heard > 0 {
            break;
        }
        step(&mut world, chosen);
    }
    // However it stands: a stop ends it, in bounded time, though no process ever goes by itself.
    if world.exit.is_none() {
        world.event(Event::Start { initialised: true });
        world.stop();
        let stopped_at = world.now;
        let mut turns = 0;
        while world.exit.is_none() {
            turns += 1;
            prop_assert!(turns < 50, "it never ends: {:?}", world.machine);
            if let Some(deadline) = world.machine.next_deadline() {
                world.now = world.now.max(deadline);
                let effects = world.machine.handle_deadline(world.now);
                world.perform(effects);
            } else {
                // Only a script without a cap may keep it waiting.
                prop_assert!(
                    !world.running.is_empty(),
                    "nothing is due: {:?}",
                    world.machine
                );
                world.ends(Outcome::Exited(0));
            }
        }
        let took: Duration = world.now - stopped_at;
        prop_assert!(took < Duration::from_secs(60), "a stop of {took:?}");
    }
    let log: Vec<String> = world
        .log
        .iter()
        .filter(|line| *line != "Joined" && !line.starts_with("Refused"))
        .cloned()
        .collect();
    promises(&log)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]
    #[test]
    fn every_life_keeps_the_promises(policy in policies(), prompt: bool, moves in moves()) {
        life(policy, prompt, moves)?;
    }
}

#[test]
fn nothing_is_done_before_the_start_or_after_the_end() {
    let mut world = World::new(Policy::default());
    assert!(world.machine.next_deadline().is_none());
    world.restart("x");
    world.event(Event::Asked(Ask::Check));
    world.event(Event::AllGone);
    assert_eq!(
        world.take_log(),
        [
            r#"Refused("it has not started yet")"#,
            r#"Refused("it is not UP")"#
        ]
    );
    world.event(Event::Asked(Ask::Stop(Cause::Signal("SIGINT"))));
    world.event(Event::AllGone);
    assert_eq!(world.exit, Some(0));
    world.take_log();
    world.now = Moment::at(Duration::from_secs(1 << 30));
    world.event(Event::Start { initialised: true });
    world.restart("x");
    world.stop();
    let effects = world.machine.handle_deadline(world.now);
    world.perform(effects);
    assert_eq!(
        world.take_log(),
        [
            r#"Refused("it is stopping")"#,
            r#"Refused("it is stopping")"#
        ]
    );
}
