//! Every cell: each kind of place the machine can be in, against each event.

use std::collections::BTreeMap;

use super::world::World;
use crate::lifecycle::{Ask, Cause, Event, Hook, Outcome, Policy, RunId};

/// Every place one can get to, by its shape, with a world that is there.
pub(super) fn places() -> BTreeMap<String, World> {
    let mut found: BTreeMap<String, World> = BTreeMap::new();
    let mut queue = Vec::new();
    for prompt in [true, false] {
        for drain in [0, 5] {
            let mut world = World::new(Policy {
                drain: std::time::Duration::from_secs(drain),
                restart_max: 1,
                restart_warmup: true,
                ..Policy::default()
            });
            world.prompt = prompt;
            queue.push(world);
        }
    }
    while let Some(world) = queue.pop() {
        let key = format!(
            "{} {} {}",
            world.machine.place(),
            world.machine.past(),
            world.prompt
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
    events
}

pub(super) fn nexts(world: &World) -> Vec<World> {
    let mut nexts = Vec::new();
    for (name, event) in events(world) {
        let mut next = world.clone();
        if name.starts_with("ended ") && !name.contains("unknown") || name == "was missing" {
            next.running.pop();
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
        "warmup running",
        "up due",
        "up checking",
        "up absent",
        "restarting announcing",
        "restarting draining",
        "restarting svcdown",
        "restarting emptying svcdown's",
        "restarting emptying the last",
        "restarting pausing",
        "restarting svcup",
        "restarting warmup",
        "stopping cutting",
        "stopping announcing",
        "stopping draining",
        "stopping svcdown",
        "stopping terminating",
        "stopping killing",
        "done",
    ] {
        assert!(shapes.contains(expected), "{expected} is never reached");
    }
    assert_eq!(shapes.len(), 29, "{shapes:?}");

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
            if matches!(name, "restart" | "stop" | "check") {
                let first = after.log.first().map_or("", String::as_str);
                let told = ["Begun", "Joined", "Queued", "Refused"];
                assert!(
                    told.iter().any(|word| first.starts_with(word)),
                    "{place}, {name}: {log}"
                );
            }
            // Events nobody waits for change nothing.
            if name.contains("unknown") || name.contains("old") {
                assert!(log.is_empty(), "{place}, {name}: {log}");
                assert_eq!(after.machine.place(), place, "{name}");
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
    assert!(cells > 28 * 12, "{cells}");
}
