//! Asking before something is done, and doing it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::confirm::{Challenge, Confirmation};
use super::model::{Access, Mode, Model, Tone};
use super::msg::{Cmd, Request, Verb};
use super::operation::{Manner, Operation, equivalent};
use super::view;
use crate::fleet::ContainerKey;

/// The most characters that can be typed as an answer.
const TYPED: usize = 256;

/// Asks whether something is to be done to the containers a key acts on.
pub(super) fn ask(model: &mut Model, verb: Verb) {
    if model.access == Access::ReadOnly {
        let text = format!(
            "cannot {}: the dashboard is read-only (--read-only)",
            verb.name()
        );
        model.say(Tone::Wrong, text);
        return;
    }
    if !view::can_ask(model) {
        model.say(Tone::Wrong, "the terminal is too small to ask");
        return;
    }
    model.pin();
    let busy = |key: &ContainerKey| model.operations.get(key).is_some_and(Operation::is_open);
    let targets = model.targets();
    if targets.is_empty() {
        return;
    }
    match Confirmation::new(verb, &model.fleet, targets, busy) {
        Ok(confirmation) => model.mode = Mode::Confirming(confirmation),
        Err(left_out) => {
            let text = match left_out.as_slice() {
                [(name, reason)] => format!("cannot {} {name}: {reason}", verb.name()),
                several => {
                    let reason = several.first().map_or("", |(_, reason)| reason);
                    format!("cannot {} any of {}: {reason}", verb.name(), several.len())
                }
            };
            model.say(Tone::Wrong, text);
        }
    }
}

/// Takes a key as the answer, or a part of it.
pub(super) fn answer(model: &mut Model, key: KeyEvent) -> Vec<Cmd> {
    let Mode::Confirming(confirmation) = &mut model.mode else {
        return Vec::new();
    };
    let plain = (key.modifiers - KeyModifiers::SHIFT).is_empty();
    if confirmation.can_be_in_turn() && plain && key.code == KeyCode::Char('o') {
        confirmation.manner = match confirmation.manner {
            Manner::AtOnce => Manner::InTurn,
            Manner::InTurn => Manner::AtOnce,
        };
        return Vec::new();
    }
    match (&mut confirmation.challenge, key.code) {
        (Challenge::Yes, KeyCode::Char('y')) if plain => return go_ahead(model),
        // What can be no part of a number is no answer, and is not taken for one.
        (Challenge::Type { wanted, typed }, KeyCode::Char(character))
            if plain && (character.is_ascii_digit() || !is_number(wanted)) =>
        {
            if typed.chars().count() < TYPED && !character.is_control() {
                typed.push(character);
            }
        }
        (Challenge::Type { typed, .. }, KeyCode::Backspace) => {
            typed.pop();
        }
        (Challenge::Type { wanted, typed }, KeyCode::Enter) if wanted == typed => {
            return go_ahead(model);
        }
        (Challenge::Type { typed, .. }, KeyCode::Enter) => typed.clear(),
        _ => {
            let verb = confirmation.verb.name();
            model.mode = Mode::Normal;
            model.say(Tone::Calm, format!("{verb} cancelled, nothing was done"));
        }
    }
    Vec::new()
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Gives the terminal to a shell in the container under the cursor.
pub(super) fn shell(model: &mut Model) -> Vec<Cmd> {
    if model.access == Access::ReadOnly {
        let text = "cannot run a shell: the dashboard is read-only (--read-only)";
        model.say(Tone::Wrong, text);
        return Vec::new();
    }
    model.pin();
    let place = model.place().and_then(|place| model.rows().get(place));
    let Some(container) = place.and_then(|key| model.fleet.get(key)) else {
        return Vec::new();
    };
    if !container.engine.is_running() {
        let text = format!("cannot run a shell in {}: it does not run", container.name);
        model.say(Tone::Wrong, text);
        return Vec::new();
    }
    vec![Cmd::Shell(Box::new(container.clone()))]
}

fn go_ahead(model: &mut Model) -> Vec<Cmd> {
    let Mode::Confirming(confirmation) = std::mem::replace(&mut model.mode, Mode::Normal) else {
        return Vec::new();
    };
    let containers: Vec<_> = confirmation
        .targets
        .iter()
        .filter_map(|target| model.fleet.get(&target.key))
        .collect();
    let manner = confirmation.manner;
    let line = equivalent(
        confirmation.verb,
        manner,
        containers.iter().copied(),
        &model.urls,
    );
    let now = model.now.moment;
    let verb = confirmation.verb;
    let commands = match manner {
        Manner::AtOnce => containers
            .iter()
            .map(|&container| {
                let container = Box::new(container.clone());
                Cmd::Act(Request { verb, container })
            })
            .collect(),
        Manner::InTurn => {
            vec![Cmd::Roll(
                containers.iter().map(|&one| one.clone()).collect(),
            )]
        }
    };
    let operations: Vec<_> = containers
        .into_iter()
        .map(|container| (container.key.clone(), Operation::new(verb, container, now)))
        .collect();
    model.operations.extend(operations);
    // Marks that were hidden were not asked about.
    for target in &confirmation.targets {
        model.marks.remove(&target.key);
    }
    model.say(Tone::Calm, format!("$ {line}"));
    commands
}

/// A question that is about a life that is over is not to be answered.
pub(super) fn drop_outdated(model: &mut Model) {
    let Mode::Confirming(confirmation) = &model.mode else {
        return;
    };
    let outdated = confirmation.outdated(&model.fleet);
    if outdated.is_empty() {
        return;
    }
    let text = format!(
        "nothing was done: {} is not what it was when asked (started anew, stopped or removed)",
        outdated.join(", ")
    );
    model.mode = Mode::Normal;
    model.say(Tone::Wrong, text);
}
