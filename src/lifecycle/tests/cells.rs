//! Every cell: each kind of place the machine can be in, against each event.

use std::collections::BTreeMap;
use std::time::Duration;

use super::world::World;
use crate::lifecycle::{
    Ask, Cause, Event, Hook, Outcome, Policy, RunId, ServiceNotice, ServiceRules,
};

/// What stays in the foreground.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Services {
    None,
    /// The second says when it is ready, and has to give signs of life.
    Two,
    /// The container is there for one command.
    Command,
}

fn world(services: Services, prompt: bool, drain: u64) -> World {
    let mut policy = Policy {
        drain: Duration::from_secs(drain),
        restart_max: 1,
        restart_warmup: true,
        ..Policy::default()
    };
    let rules = ServiceRules {
        notify: true,
        watchdog: Some(Duration::from_secs(30)),
        ..ServiceRules::default()
    };
    policy.services.insert("b".into(), rules);
    let mut world = World::new(policy);
    world.prompt = prompt;
    world.startable = false;
    match services {
        Services::None => {}
        Services::Two => world.services = vec!["a".into(), "b".into()],
        Services::Command => world.machine.wrap(),
    }
    world
}

/// How the services stand, as far as it decides about what comes.
fn stands(world: &World) -> String {
    let services = world.machine.services();
    let stands =
        services.map(|one| format!("{} {:?} {}", one.name, one.stand, one.restarts.min(1)));
    stands.collect::<Vec<_>>().join(", ")
}

/// Every place one can get to, by its shape, with a world that is there.
pub(super) fn places() -> BTreeMap<String, World> {
    let mut found: BTreeMap<String, World> = BTreeMap::new();
    let mut queue = Vec::new();
    for prompt in [true, false] {
        for (services, drain) in [
            (Services::None, 0),
            (Services::None, 5),
            (Services::Two, 5),
            (Services::Command, 0),
        ] {
            queue.push(world(services, prompt, drain));
        }
    }
    while let Some(world) = queue.pop() {
        let key = format!(
            "{} {} {} {}",
            world.machine.place(),
            world.machine.past(),
            world.prompt,
            stands(&world)
        );
        if found.contains_key(&key) {
            continue;
        }
        queue.extend(nexts(&world));
        found.insert(key, world);
    }
    found
}

/// The events that mean something to a world, each with its name.
pub(super) fn events(world: &World) -> Vec<(&'static str, Event)> {
    let mut events = vec![
        ("start", Event::Start { initialised: false }),
        ("start again", Event::Start { initialised: true }),
        (
            "ended, unknown",
            Event::Ended(RunId(9999), Outcome::Exited(0)),
        ),
        ("announced", Event::Announced(9999)),
        ("announced, old", Event::Announced(0)),
        ("marked", Event::Marked(Ok(()))),
        ("mark failed", Event::Marked(Err("full".into()))),
        ("group empty, unknown", Event::GroupEmpty(RunId(9999))),
        ("all gone", Event::AllGone),
        (
            "restart",
            Event::Asked(Ask::Restart(Cause::Signal("SIGHUP"))),
        ),
        ("stop", Event::Asked(Ask::Stop(Cause::Signal("SIGTERM")))),
        ("check", Event::Asked(Ask::Check)),
        (
            "quiesce",
            Event::Asked(Ask::Quiesce {
                by: "x".into(),
                most: Duration::from_secs(900),
            }),
        ),
        ("resume", Event::Asked(Ask::Resume)),
        ("began, unknown", Event::Began(RunId(9999))),
        (
            "noticed, unknown",
            Event::Noticed(RunId(9999), notices()[0].1),
        ),
    ];
    if let Some(running) = world.running.last() {
        events.push(("ended well", Event::Ended(running.id, Outcome::Exited(0))));
        events.push(("ended badly", Event::Ended(running.id, Outcome::Exited(3))));
        events.push(("was missing", Event::Ended(running.id, Outcome::Missing)));
    }
    for wanted in [Hook::Svcdown, Hook::Svcup] {
        let last = world.hooks.iter().rev().find(|(_, hook)| *hook == wanted);
        events.extend(last.map(|(id, _)| ("group empty", Event::GroupEmpty(*id))));
    }
    for view in world.machine.services() {
        let Some(run) = view.run else { continue };
        events.push(("service began", Event::Began(run)));
        events.push(("service empty", Event::GroupEmpty(run)));
        for (name, notice) in notices() {
            events.push((name, Event::Noticed(run, notice)));
        }
        if world.attended.iter().any(|(one, _)| *one == run) {
            let cannot = Outcome::CannotStart {
                code: 127,
                reason: "no interpreter".into(),
            };
            for outcome in [
                Outcome::Exited(0),
                Outcome::Exited(3),
                Outcome::Missing,
                cannot,
            ] {
                events.push(("service ended", Event::Ended(run, outcome)));
            }
        }
    }
    // A run that is over is heard no more.
    let runs = |run: &RunId| world.machine.services().any(|view| view.run == Some(*run));
    if let Some((old, _)) = world.begun.iter().find(|(run, _)| !runs(run)) {
        events.push(("old service began", Event::Began(*old)));
        events.push(("old service empty", Event::GroupEmpty(*old)));
        events.push(("old service said", Event::Noticed(*old, notices()[0].1)));
        events.push(("old service ended", Event::Ended(*old, Outcome::Exited(3))));
    }
    events
}

/// What a service can say of itself.
fn notices() -> [(&'static str, ServiceNotice); 5] {
    let nothing = ServiceNotice::default();
    let ready = ServiceNotice {
        ready: true,
        ..nothing
    };
    let alive = ServiceNotice {
        alive: true,
        ..nothing
    };
    let stopping = ServiceNotice {
        stopping: true,
        ..nothing
    };
    let triggered = ServiceNotice {
        triggered: true,
        ..nothing
    };
    let extend = ServiceNotice {
        extend: Some(Duration::from_secs(100)),
        ..nothing
    };
    [
        ("says it is ready", ready),
        ("says it is alive", alive),
        ("says it is stopping", stopping),
        ("says it has failed", triggered),
        ("asks for time", extend),
    ]
}

pub(super) fn nexts(world: &World) -> Vec<World> {
    let mut nexts = Vec::new();
    for (name, event) in events(world) {
        let mut next = world.clone();
        if name.starts_with("ended ") && !name.contains("unknown") || name == "was missing" {
            next.running.pop();
        }
        if let ("service ended", Event::Ended(run, _)) = (name, &event) {
            next.attended.retain(|(one, _)| one != run);
        }
        next.event(event);
        nexts.push(next);
    }
    if let Some(deadline) = world.machine.next_deadline() {
        let mut next = world.clone();
        next.now = next.now.max(deadline);
        let effects = next.machine.handle_deadline(next.now);
        next.perform(effects);
        nexts.push(next);
    }
    nexts
}

#[test]
fn every_place_is_reached_and_every_cell_decided() {
    let places = places();
    let shapes: std::collections::BTreeSet<_> =
        places.values().map(|world| world.machine.place()).collect();
    // A place that no event leads to is dead code; a new one belongs into this list.
    for expected in [
        "created",
        "boot announcing",
        "boot running",
        "firstboot announcing",
        "firstboot running",
        "firstboot marking",
        "upgrade announcing",
        "upgrade running",
        "svcup announcing",
        "svcup running",
        "svcup settling",
        "warmup running",
        "up due",
        "up checking",
        "up absent",
        "restarting announcing",
        "restarting draining",
        "restarting halting",
        "restarting svcdown",
        "restarting emptying svcdown's",
        "restarting emptying the last",
        "restarting pausing",
        "restarting held",
        "restarting svcup",
        "restarting settling",
        "restarting warmup",
        "stopping cutting",
        "stopping announcing",
        "stopping draining",
        "stopping halting",
        "stopping svcdown",
        "stopping terminating",
        "stopping killing",
        "done",
    ] {
        assert!(shapes.contains(expected), "{expected} is never reached");
    }
    assert_eq!(shapes.len(), 34, "{shapes:?}");

    let mut cells = 0;
    for world in places.values() {
        for (name, event) in events(world) {
            cells += 1;
            let mut after = world.clone();
            after.log.clear();
            after.event(event);
            let place = world.machine.place();
            let log = after.log.join(", ");
            // Somebody who asks is always told what became of it, and first of all.
            if matches!(name, "restart" | "stop" | "check" | "quiesce" | "resume") {
                let first = after.log.first().map_or("", String::as_str);
                let told = ["Begun", "Joined", "Queued", "Refused"];
                assert!(
                    told.iter().any(|word| first.starts_with(word)),
                    "{place}, {name}: {log}"
                );
            }
            // Events nobody waits for change nothing.
            if name.contains("unknown") || name.contains("old") {
                assert_eq!(stands(&after), stands(world), "{place}, {name}");
                assert!(log.is_empty(), "{place}, {name}: {log}");
                assert_eq!(after.machine.place(), place, "{name}");
            }
            // Nothing is quiesced but what is UP, and by one at a time.
            if name == "quiesce" {
                let begun = log.starts_with("Begun");
                assert_eq!(begun, place.starts_with("up "), "{place}: {log}");
            }
            // A lease that is given back, or that a stop overrules, is over; and nothing else is.
            let leased = world.machine.lease_deadline().is_some();
            if matches!(name, "resume" | "stop") {
                assert_eq!(leased, log.contains("lease "), "{place}, {name}: {log}");
                assert!(after.machine.lease_deadline().is_none(), "{place}, {name}");
            } else if leased {
                let ends = after.machine.lease_deadline().is_none();
                assert_eq!(ends, log.contains("lease "), "{place}, {name}: {log}");
                assert!(!log.contains("lease Resumed"), "{place}, {name}: {log}");
            }
            // A stop is under way from everywhere, or the end is there.
            if name == "stop" && place != "done" {
                assert!(
                    after.machine.place().starts_with("stopping"),
                    "{place}: {log}"
                );
            }
        }
    }
    println!("{} places, {cells} cells", places.len());
    assert!(cells > 34 * 16, "{cells}");
}
