//! Random lives: whatever happens, the promises hold, and a stop always ends.

use std::time::Duration;

use super::life::{Life, Move, SERVICES, outcome};
use super::promises;
use super::rounds::Reach;
use super::world::World;
use crate::lifecycle::{
    Ask, Cause, Event, Health, Hook, MAIN_SERVICE, Moment, Outcome, Policy, RunId, ServiceNotice,
    ServiceStand, State,
};

/// So many lives are lived, a few seconds' worth.
const LIVES: u64 = 100_000;

/// A script ends; the log says whether well, for the promises. One that is waited for leads on.
fn end(world: &mut World, index: usize, outcome: Outcome) {
    let running = world.running.remove(index);
    let place = world.machine.place();
    let (_, step) = place.split_once(' ').unwrap_or(("", ""));
    let waits = [
        "running", "checking", "svcdown", "svcup", "warmup", "cutting",
    ]
    .contains(&step);
    let last = world.hooks.last().is_some_and(|(id, _)| *id == running.id);
    let how = if outcome.is_success() { "ok" } else { "failed" };
    world.log.push(format!("-{} {how}", running.hook));
    let heard = world.log.len();
    world.event(Event::Ended(running.id, outcome));
    if waits && last && world.log.len() == heard && world.machine.place() == place {
        world.log.push("unheard".into());
    }
}

/// A service ends, if it runs; the log says with which code.
fn service_ends(world: &mut World, index: usize, how: Outcome) {
    let (id, name) = world.attended.remove(index);
    let view = world.machine.services().find(|view| view.run == Some(id));
    // There is no way back from a process to none.
    let exists = view.is_none_or(|view| view.stand != ServiceStand::Starting);
    let none = matches!(how, Outcome::Missing | Outcome::CannotStart { .. });
    let wrong =
        none && (exists || world.startable) || how == Outcome::Missing && name == MAIN_SERVICE;
    let outcome = if wrong { Outcome::Exited(5) } else { how };
    let how = match &outcome {
        Outcome::Missing => "missing".to_owned(),
        Outcome::CannotStart { .. } => "cannot".to_owned(),
        Outcome::Exited(_) | Outcome::Signalled { .. } | Outcome::TimedOut(_) => {
            outcome.exit_code().unwrap_or(0).to_string()
        }
    };
    if world.is_last(id) {
        world.log.push(format!("-{name} {how}"));
    }
    world.event(Event::Ended(id, outcome));
}

/// A run of a service whose process has ended, and so have all others of its group.
fn service_empties(world: &mut World, which: u8) {
    let over = |id: &RunId| world.attended.iter().all(|(one, _)| one != id);
    let ended: Vec<_> = world.begun.iter().filter(|(id, _)| over(id)).collect();
    // The last ones are those that something waits for.
    let ended = &ended[ended.len().saturating_sub(3)..];
    if ended.is_empty() {
        return;
    }
    let (id, name) = ended[usize::from(which) % ended.len()].clone();
    if world.is_last(id) {
        world.log.push(format!("empty {name}"));
    }
    world.event(Event::GroupEmpty(id));
}

fn says(world: &mut World, which: u8, what: u8) {
    let last = &world.begun[world.begun.len().saturating_sub(4)..];
    if last.is_empty() {
        return;
    }
    let (id, name) = last[usize::from(which) % last.len()].clone();
    let notice = ServiceNotice {
        ready: what.is_multiple_of(4),
        alive: what.is_multiple_of(3),
        stopping: what % 16 == 5,
        triggered: what % 8 == 6,
        extend: (what % 8 == 7).then_some(Duration::from_secs(u64::from(what % 30))),
    };
    let runs = world.attended.iter().any(|(one, _)| *one == id);
    if notice.ready && runs && world.is_last(id) {
        world.log.push(format!("ready {name}"));
    }
    if (notice.triggered || notice.stopping) && world.is_last(id) {
        world.log.push(format!("triggered {name}"));
    }
    world.event(Event::Noticed(id, notice));
}

fn deadline(world: &mut World, now: Moment) {
    world.now = world.now.max(now);
    let millis = (world.now - Moment::default()).as_millis();
    world.detail(|| format!("t {millis}"));
    let effects = world.machine.handle_deadline(world.now);
    world.perform(effects);
}

/// The same for what is about services.
fn service_step(world: &mut World, chosen: Move) {
    match chosen {
        Move::Begin(which) => {
            if !world.attended.is_empty() {
                let (id, _) = world.attended[usize::from(which) % world.attended.len()];
                world.begins(id);
            }
        }
        Move::ServiceEnd(which, how) => {
            if !world.attended.is_empty() {
                let index = usize::from(which) % world.attended.len();
                service_ends(world, index, outcome(how));
            }
        }
        Move::ServiceEmpty(which) => service_empties(world, which),
        Move::Say(which, what) => says(world, which, what),
        Move::Change(which) => {
            let name = SERVICES[usize::from(which) % SERVICES.len()].to_owned();
            match world.services.iter().position(|one| *one == name) {
                Some(at) => drop(world.services.remove(at)),
                None => world.services.push(name),
            }
            world.services.sort();
        }
        Move::Start(_)
        | Move::End(..)
        | Move::EndUnknown(_)
        | Move::Told
        | Move::Marked(_)
        | Move::GroupEmpty(_)
        | Move::AllGone
        | Move::Restart
        | Move::Stop
        | Move::Check
        | Move::Quiesce(_)
        | Move::Resume
        | Move::Fault
        | Move::Deadline
        | Move::Wait(_) => {}
    }
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
            let known = world.running.iter().any(|running| running.id == RunId(id))
                || world.attended.iter().any(|(run, _)| *run == RunId(id));
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
        Move::Quiesce(seconds) => world.quiesce("x", Duration::from_secs(seconds.into())),
        Move::Resume => world.resume(),
        Move::Fault => {
            let effects = world.machine.fault("a fault".into(), world.now);
            world.perform(effects);
        }
        Move::Deadline => {
            if let Some(due) = world.machine.next_deadline() {
                deadline(world, due);
            }
        }
        Move::Begin(_)
        | Move::ServiceEnd(..)
        | Move::ServiceEmpty(_)
        | Move::Say(..)
        | Move::Change(_) => service_step(world, chosen),
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
    let services = u32::try_from(world.machine.services().count()).unwrap();
    // Each has its time, or a minute, and may have asked for more.
    let limit = Duration::from_secs(60) + services * Duration::from_secs(60 + 30 + 3 + 5 + 3);
    let most = 50 + world.running.len() + 20 * world.attended.len();
    for _ in 0..most {
        if world.exit.is_some() {
            let took = world.now - stopped_at;
            return if took < limit {
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
        } else if let Some(last) = world.attended.len().checked_sub(1) {
            // So may the one command.
            service_ends(world, last, Outcome::Exited(0));
        } else {
            return Err(format!("nothing is due: {:?}", world.machine));
        }
    }
    Err(format!("it never ends: {:?}", world.machine))
}

/// Lives it to its end and holds it against the promises.
fn live(life: &Life) -> Result<(World, Reach), String> {
    let mut world = World::new(life.policy.clone());
    world.prompt = life.prompt;
    world.services.clone_from(&life.services);
    world.startable = life.begins;
    world.detailed = true;
    if life.wraps {
        world.machine.wrap();
    }
    // What comes after the end is heard too, and leads to nothing.
    for chosen in &life.moves {
        step(&mut world, *chosen);
        must_be_told(&world)?;
    }
    if world.exit.is_none() {
        stop(&mut world, life.insist)?;
    }
    let reach = promises::hold(&world.log, &life.policy, life.wraps)?;
    Ok((world, reach))
}

/// A container is not well while one of its services has failed.
fn must_be_told(world: &World) -> Result<(), String> {
    let machine = &world.machine;
    let waits = machine
        .services()
        .any(|view| view.stand == ServiceStand::Waiting);
    let failing = matches!(machine.health(), Health::Failing(_));
    if machine.state() == Some(State::Up) && waits && !failing {
        return Err(format!("healthy without a service: {:#?}", world.log));
    }
    Ok(())
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
    let (mut up, mut restarted, mut thrice, mut failed, mut held) = (0, 0, 0, 0, 0);
    let mut services = [0; Reach::LEAST.len()];
    for number in 0..LIVES {
        let life = Life::of(number);
        let (world, reach) = match live(&life) {
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
        held += u64::from(told("held") > 0);
        for (count, reached) in services.iter_mut().zip(reach.all()) {
            *count += u64::from(reached);
        }
    }
    println!("services: {}", Reach::list(services));
    println!(
        "{LIVES} lives: {up} came up, {restarted} came up again, {thrice} restarted three times or more, {failed} failed, {held} were held"
    );
    // Lives that end before anything happens prove nothing.
    assert!(up > LIVES / 4 && restarted > LIVES / 10, "{up} {restarted}");
    assert!(
        thrice > LIVES / 50 && failed > LIVES / 10,
        "{thrice} {failed}"
    );
    assert!(held > LIVES / 1000, "{held}");
    for ((name, least), count) in Reach::LEAST.into_iter().zip(services) {
        assert!(count > LIVES / least, "{name}: {count}");
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
