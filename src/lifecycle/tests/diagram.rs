//! The state diagram in the documentation is what the machine really does.

use std::collections::{BTreeMap, BTreeSet};

use super::cells::places;
use crate::lifecycle::{Effect, Event, State};

/// Every change of state the machine can make, with the kinds of cause, found by trying everything
/// from everywhere.
fn edges() -> BTreeMap<(Option<State>, State), BTreeSet<&'static str>> {
    let mut edges: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for world in places().values() {
        let mut tries: Vec<Vec<Effect>> = super::cells::events(world)
            .into_iter()
            .map(|(_, event): (_, Event)| world.machine.clone().handle(event, world.now))
            .collect();
        if let Some(deadline) = world.machine.next_deadline() {
            tries.push(world.machine.clone().handle_deadline(deadline));
        }
        for effect in tries.into_iter().flatten() {
            if let Effect::Announce(transition) = effect {
                let kinds = edges
                    .entry((transition.from, transition.state))
                    .or_default();
                kinds.insert(transition.cause.kind());
            }
        }
    }
    edges
}

fn diagram() -> String {
    use std::fmt::Write;
    let mut text = String::from("```mermaid\nstateDiagram-v2\n");
    for ((from, to), kinds) in edges() {
        let from = from.map_or("[*]", State::name);
        let kinds: Vec<_> = kinds.into_iter().collect();
        writeln!(text, "    {from} --> {to}: {}", kinds.join(", ")).unwrap();
    }
    for end in [State::Stopped, State::Error] {
        writeln!(
            text,
            "    {end} --> [*]: exit {}",
            i32::from(end == State::Error)
        )
        .unwrap();
    }
    text.push_str("```\n");
    text
}

#[test]
fn the_documented_diagram_is_the_machines() {
    let document = include_str!("../../../docs/lifecycle.md");
    let begin = "<!-- diagram: generated from the machine, checked by its tests -->\n";
    let end = "<!-- end of diagram -->";
    let (_, rest) = document.split_once(begin).expect("the diagram's begin");
    let (shown, _) = rest.split_once(end).expect("the diagram's end");
    let real = diagram();
    assert!(
        shown == real,
        "docs/lifecycle.md must have this diagram:\n{real}"
    );
}
