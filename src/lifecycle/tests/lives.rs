//! Random lives: whatever happens, the promises hold, and a stop always ends.

use std::time::Duration;

use super::promises;
use super::world::World;
use crate::lifecycle::{Ask, Cause, Event, Hook, Moment, Outcome, Policy, RunId};

/// So many lives are lived, a few seconds' worth.
const LIVES: u64 = 100_000;

/// What can happen next; numbers choose among what is there.
#[derive(Debug, Clone, Copy)]
enum Move {
    Start(bool),
    End(u8, u8),
    EndUnknown(u64),
    Told,
    Marked(bool),
    GroupEmpty(bool),
    AllGone,
    Restart,
    Stop,
    Check,
    Fault,
    Deadline,
    Wait(u32),
}

/// Everything that decides a life; the same number is the same life for ever.
#[derive(Debug, Clone)]
struct Life {
    policy: Policy,
    prompt: bool,
    /// Whether the end is asked for a second time when it is under way already.
    insist: bool,
    moves: Vec<Move>,
}

/// Numbers that look like chance (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn toss(&mut self) -> bool {
        self.below(2) == 0
    }
}

impl Life {
    fn of(number: u64) -> Self {
        let mut chance = Chance(number);
        let policy = policy(&mut chance);
        // With little luck few lives get to UP, with nothing but luck none fails.
        let luck = [50, 90, 99][usize::from(chance.byte()) % 3];
        // Without a stop among the moves a life can get long.
        let stops = chance.toss();
        // Most lives start first; the machine must bear the others too.
        let start = (chance.below(16) > 0).then_some(Move::Start(chance.toss()));
        let length = chance.below(200);
        let later = (0..length).map(|_| one_move(&mut chance, luck, stops));
        let moves = start.into_iter().chain(later).collect();
        Self {
            policy,
            prompt: chance.toss(),
            insist: chance.toss(),
            moves,
        }
    }
}

fn one_move(chance: &mut Chance, luck: u64, stops: bool) -> Move {
    let lucky = chance.below(100) < luck;
    match chance.below(34) {
        0 => Move::Start(chance.toss()),
        1..=8 => Move::End(chance.byte(), if lucky { 0 } else { chance.byte() }),
        9 => Move::EndUnknown(chance.below(40)),
        10..=13 => Move::Told,
        14..=16 => Move::Marked(lucky || chance.toss()),
        17..=20 => Move::GroupEmpty(chance.toss()),
        21..=22 => Move::AllGone,
        23..=24 => Move::Restart,
        25 if stops && chance.toss() => Move::Stop,
        26 if stops && chance.below(8) == 0 => Move::Fault,
        25..=27 => Move::Check,
        28..=31 => Move::Deadline,
        _ => Move::Wait(u32::try_from(chance.below(100_000)).unwrap()),
    }
}

fn policy(chance: &mut Chance) -> Policy {
    let mut policy = Policy {
        restart_max: u32::from(chance.byte() % 3),
        monitor_failures: u32::from(chance.byte() % 2) + 1,
        restart_warmup: chance.toss(),
        drain: Duration::from_secs(if chance.toss() { 7 } else { 0 }),
        stop_timeout: chance.toss().then_some(Duration::from_secs(9)),
        ..Policy::default()
    };
    let tolerated = chance.byte();
    for (bit, hook) in Hook::ALL.into_iter().take(5).enumerate() {
        if tolerated & (1 << bit) != 0 {
            policy.tolerated.insert(hook);
        }
        if chance.toss() {
            policy.timeouts.insert(hook, Duration::from_secs(20));
        }
    }
    policy
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

/// A script ends; the log says whether well, for the promises.
fn end(world: &mut World, index: usize, outcome: Outcome) {
    let running = world.running.remove(index);
    let how = if outcome.is_success() { "ok" } else { "failed" };
    world.log.push(format!("-{} {how}", running.hook));
    world.event(Event::Ended(running.id, outcome));
}

fn deadline(world: &mut World, now: Moment) {
    world.now = world.now.max(now);
    let effects = world.machine.handle_deadline(world.now);
    world.perform(effects);
}

fn step(world: &mut World, chosen: Move) {
    match chosen {
        Move::Start(initialised) => world.event(Event::Start { initialised }),
        Move::End(which, how) => {
            if !world.running.is_empty() {
                let index = usize::from(which) % world.running.len();
                end(world, index, outcome(how));
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
        Move::GroupEmpty(up) => {
            let wanted = if up { Hook::Svcup } else { Hook::Svcdown };
            let last = world.hooks.iter().rev().find(|(_, hook)| *hook == wanted);
            // A group with a script in it is not empty.
            let empty = |id| world.running.iter().all(|running| running.id != id);
            if let Some((id, _)) = last.copied().filter(|(id, _)| empty(*id)) {
                world.log.push(format!("empty {wanted}"));
                world.event(Event::GroupEmpty(id));
            }
        }
        Move::AllGone => world.event(Event::AllGone),
        Move::Restart => world.restart("x"),
        Move::Stop => world.stop(),
        Move::Check => world.event(Event::Asked(Ask::Check)),
        Move::Fault => {
            let effects = world.machine.fault("a fault".into(), world.now);
            world.perform(effects);
        }
        Move::Deadline => {
            if let Some(due) = world.machine.next_deadline() {
                deadline(world, due);
            }
        }
        Move::Wait(millis) => deadline(world, world.now + Duration::from_millis(millis.into())),
    }
}

/// However it stands: a stop ends it, in bounded time, though no process ever goes by itself.
fn stop(world: &mut World, insist: bool) -> Result<(), String> {
    world.event(Event::Start { initialised: true });
    let ending = ["STOPPED:", "ERROR:"];
    let begun = |line: &String| ending.iter().any(|state| line.starts_with(state));
    if insist || !world.log.iter().any(begun) {
        world.stop();
    }
    let stopped_at = world.now;
    let most = 50 + world.running.len();
    for _ in 0..most {
        if world.exit.is_some() {
            let took = world.now - stopped_at;
            return if took < Duration::from_secs(60) {
                Ok(())
            } else {
                Err(format!("a stop of {took:?}"))
            };
        }
        if let Some(due) = world.machine.next_deadline() {
            deadline(world, due);
        } else if let Some(last) = world.running.len().checked_sub(1) {
            // Only a script without a cap may keep it waiting.
            end(world, last, Outcome::Exited(0));
        } else {
            return Err(format!("nothing is due: {:?}", world.machine));
        }
    }
    Err(format!("it never ends: {:?}", world.machine))
}

/// Lives it to its end and holds it against the promises.
fn live(life: &Life) -> Result<World, String> {
    let mut world = World::new(life.policy.clone());
    world.prompt = life.prompt;
    // What comes after the end is heard too, and leads to nothing.
    for chosen in &life.moves {
        step(&mut world, *chosen);
    }
    if world.exit.is_none() {
        stop(&mut world, life.insist)?;
    }
    promises::hold(&world.log, &life.policy)?;
    Ok(world)
}

/// The same fault with as few moves as can be.
fn shortest(mut life: Life, mut broken: String) -> (Life, String) {
    let mut at = life.moves.len();
    while let Some(index) = at.checked_sub(1) {
        at = index;
        let mut shorter = life.clone();
        shorter.moves.remove(index);
        if let Err(still) = live(&shorter) {
            (life, broken) = (shorter, still);
            at = life.moves.len();
        }
    }
    (life, broken)
}

#[test]
fn every_life_keeps_the_promises() {
    let (mut up, mut restarted, mut thrice, mut failed) = (0, 0, 0, 0);
    for number in 0..LIVES {
        let life = Life::of(number);
        let world = match live(&life) {
            Ok(world) => world,
            Err(broken) => {
                let (life, broken) = shortest(life, broken);
                panic!("life {number}: {broken}\n{life:#?}");
            }
        };
        let told = |state: &str| {
            world
                .log
                .iter()
                .filter(|line| line.starts_with(state))
                .count()
        };
        up += u64::from(told("UP:") > 0);
        restarted += u64::from(told("UP:") > 1);
        thrice += u64::from(told("RESTARTING:") > 2);
        failed += u64::from(told("ERROR:") > 0);
    }
    println!(
        "{LIVES} lives: {up} came up, {restarted} came up again, {thrice} restarted three times or more, {failed} failed"
    );
    // Lives that end before anything happens prove nothing.
    assert!(up > LIVES / 4 && restarted > LIVES / 10, "{up} {restarted}");
    assert!(
        thrice > LIVES / 50 && failed > LIVES / 10,
        "{thrice} {failed}"
    );
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
