//! No size and no keys make it panic or lose its place.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;
use whaleware::lifecycle::State;

use super::UNICODE;
use super::fixture::{at, becomes, feed, fleet, key, listed, listing, printed};
use super::view::draw;
use crate::fleet::{EngineEvent, EngineState, Input};
use crate::tui::model::{Focus, Model};
use crate::tui::msg::{Event, Msg, Said};
use crate::tui::update::update;
use crate::tui::view;

#[derive(Debug, Clone)]
enum Step {
    Key(KeyCode, KeyModifiers),
    Paste(String),
    Mouse(MouseEventKind, u16, u16),
    Resize(u16, u16),
    Become(usize, State),
    Started(usize),
    Died(usize, i64),
    Removed(usize),
    Lost,
    Printed(usize, usize, i64),
    Listed(usize),
    Wait(i64),
}

const NAMES: [&str; 6] = [
    "api-1",
    "billing",
    "ledger-db",
    "reports",
    "sessions",
    "search",
];

fn step() -> impl Strategy<Value = Step> {
    let letters: Vec<char> = "jkgGhl123456/srz*a ?RSyqn=!u0cwt+-m<>KUBXvnNyop.[]{}:fl3"
        .chars()
        .collect();
    let codes = vec![
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::Backspace,
        KeyCode::PageDown,
        KeyCode::PageUp,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::F(1),
    ];
    let control: Vec<char> = "uwzc".chars().collect();
    prop_oneof![
        12 => prop::sample::select(letters).prop_map(|c| Step::Key(KeyCode::Char(c), KeyModifiers::NONE)),
        6 => prop::sample::select(codes).prop_map(|code| Step::Key(code, KeyModifiers::NONE)),
        1 => prop::sample::select(control).prop_map(|c| Step::Key(KeyCode::Char(c), KeyModifiers::CONTROL)),
        1 => any::<char>().prop_map(|c| Step::Key(KeyCode::Char(c), KeyModifiers::NONE)),
        1 => "\\PC{0,40}".prop_map(Step::Paste),
        2 => (prop::sample::select(vec![MouseEventKind::Down(MouseButton::Left), MouseEventKind::ScrollDown, MouseEventKind::ScrollUp]), 0_u16..=200, 0_u16..=60)
            .prop_map(|(kind, x, y)| Step::Mouse(kind, x, y)),
        3 => (0_u16..=200, 0_u16..=60).prop_map(|(width, height)| Step::Resize(width, height)),
        2 => (0..NAMES.len(), prop::sample::select(State::ALL.to_vec())).prop_map(|(i, state)| Step::Become(i, state)),
        1 => (0..NAMES.len()).prop_map(Step::Started),
        1 => (0..NAMES.len(), prop::sample::select(vec![0_i64, 1, 78, 137])).prop_map(|(i, code)| Step::Died(i, code)),
        1 => (0..NAMES.len()).prop_map(Step::Removed),
        1 => Just(Step::Lost),
        3 => (0..NAMES.len(), 0_usize..200, 0_i64..1000).prop_map(|(i, lines, at)| Step::Printed(i, lines, at)),
        1 => (0..NAMES.len()).prop_map(Step::Listed),
        1 => (0_i64..100_000).prop_map(Step::Wait),
    ]
}

fn mouse(kind: MouseEventKind, column: u16, row: u16) -> Event {
    let modifiers = KeyModifiers::NONE;
    Event::Mouse(MouseEvent {
        kind,
        column,
        row,
        modifiers,
    })
}

fn take(model: &mut Model, step: Step, clock: &mut i64) {
    *clock += 10;
    let millis = *clock;
    let mut send = |event| {
        update(
            model,
            Msg {
                at: at(millis),
                event,
            },
        );
    };
    let known = |model: &Model, i: usize| {
        model
            .fleet
            .get(&key(NAMES[i]))
            .is_some_and(|container| container.agent.is_some())
    };
    match step {
        Step::Key(code, modifiers) => send(Event::Key(KeyEvent::new(code, modifiers))),
        Step::Paste(text) => send(Event::Paste(text)),
        Step::Mouse(kind, column, row) => send(mouse(kind, column, row)),
        Step::Resize(width, height) => send(Event::Resize(width, height)),
        Step::Become(i, state) if known(model, i) => {
            becomes(model, NAMES[i], state, "because", millis);
        }
        Step::Become(..) => {}
        Step::Started(i) => {
            feed(
                model,
                Input::Engine {
                    key: key(NAMES[i]),
                    event: EngineEvent::Started,
                },
                millis,
            );
        }
        Step::Died(i, code) => {
            let event = EngineEvent::Died {
                code,
                out_of_memory: false,
            };
            feed(
                model,
                Input::Engine {
                    key: key(NAMES[i]),
                    event,
                },
                millis,
            );
        }
        Step::Removed(i) => {
            feed(
                model,
                Input::Engine {
                    key: key(NAMES[i]),
                    event: EngineEvent::Removed,
                },
                millis,
            );
        }
        Step::Lost => {
            feed(
                model,
                Input::HostLost {
                    host: "local".into(),
                    since: None,
                    reason: "gone".into(),
                },
                millis,
            );
        }
        Step::Listed(number) => {
            let containers = NAMES[..number]
                .iter()
                .map(|name| listed(name, EngineState::Running, 0));
            feed(model, listing(containers.collect()), millis);
        }
        Step::Printed(i, lines, late) => {
            let line = Said::Line("a line, 漢字 and all".to_owned());
            let lines = std::iter::repeat_n((millis - late, line), lines);
            let event = printed(&key(NAMES[i]), lines);
            let at = at(millis);
            update(model, Msg { at, event });
        }
        Step::Wait(more) => {
            *clock += more;
            update(
                model,
                Msg {
                    at: at(*clock),
                    event: Event::Frame,
                },
            );
        }
    }
}

fn holds(model: &Model) -> Result<(), TestCaseError> {
    let height = usize::from(view::table_rows(model));
    match model.place() {
        None => prop_assert!(model.rows().is_empty()),
        Some(place) => {
            prop_assert!(place < model.rows().len());
            prop_assert!(model.selected().is_some());
            if height > 0 {
                prop_assert!(place >= model.offset(), "the cursor is above the screen");
                prop_assert!(
                    place < model.offset() + height,
                    "the cursor is below the screen"
                );
            }
        }
    }
    if let Focus::Pane { scroll } | Focus::Full { scroll } = model.focus {
        prop_assert!(scroll <= view::details_overflow(model));
    }
    // Rows that are kept up to date are those that all containers looked at anew would make.
    let mut anew = model.clone();
    anew.look_anew();
    prop_assert_eq!(anew.rows(), model.rows());
    prop_assert_eq!(anew.tally(), model.tally());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(steps in prop::collection::vec(step(), 0..60)) {
        let mut model = fleet();
        let mut clock = 0;
        for step in steps {
            take(&mut model, step, &mut clock);
            update(&mut model, Msg { at: at(clock), event: Event::Frame });
            holds(&model)?;
            draw(&model, UNICODE);
            let _ = view::next_change(&model);
        }
    }
}

/// On a small screen the line that says why a question is gone is taken from the rows.
#[test]
fn the_cursor_is_seen_though_a_message_takes_its_line() {
    let mut model = fleet();
    let mut clock = 0;
    for step in [
        Step::Become(1, State::Dockerup),
        Step::Key(KeyCode::Down, KeyModifiers::NONE),
        Step::Resize(20, 5),
        Step::Key(KeyCode::Char('R'), KeyModifiers::NONE),
        Step::Listed(5),
    ] {
        take(&mut model, step, &mut clock);
        update(
            &mut model,
            Msg {
                at: at(clock),
                event: Event::Frame,
            },
        );
        holds(&model).expect("the cursor is on the screen");
    }
}

#[test]
fn every_size_can_be_drawn() {
    for keys in ["", "?", "<enter>2", "*S", "/x"] {
        let mut model = fleet();
        super::fixture::press(&mut model, keys, 0);
        for width in (0..=200).step_by(20).chain([1, 19, 20, 49, 50]) {
            for height in 0..=60 {
                update(
                    &mut model,
                    Msg {
                        at: at(0),
                        event: Event::Resize(width, height),
                    },
                );
                draw(&model, UNICODE);
            }
        }
    }
}
