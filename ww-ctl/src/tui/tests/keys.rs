//! Every key of the table does what it says, everywhere it says so.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use whaleware::lifecycle::State;

use super::fixture::{at, becomes, fleet, key, names, press, reach, selected, started_anew, up};
use super::view::answered;
use crate::fleet::Container;
use crate::tui::keymap::{Action, Context, Key, Keymap};
use crate::tui::model::{Access, Focus, Mode, Model, Tab};
use crate::tui::msg::{Cmd, Event, Msg, Reply, Request, Verb};
use crate::tui::operation::Progress;
use crate::tui::update::update;

const CONTEXTS: [Context; 6] = [
    Context::Table,
    Context::Details,
    Context::Health,
    Context::Logs,
    Context::Columns,
    Context::Help,
];

/// A dashboard in a context, in the middle of everything, so that each key has something to do.
fn amid(context: Context, action: Action) -> Model {
    let mut model = fleet();
    model.size = (100, 24);
    if action == Action::Start {
        press(&mut model, "a/import<enter>", 0);
    } else {
        press(&mut model, "gjjjjjj ", 0);
    }
    model.tab = if action == Action::Tab(1) {
        Tab::Summary
    } else {
        Tab::Timeline
    };
    match context {
        Context::Table => {}
        Context::Details => {
            press(&mut model, "<enter>", 0);
        }
        Context::Health => {
            press(&mut model, "/<^u>api<enter>4<enter>jj", 0);
        }
        Context::Logs => {
            answered(
                &mut model,
                "<esc><esc>/<^u>legacy<enter>3<enter>;/LINE<enter>;NN>",
            );
        }
        Context::Columns => {
            press(&mut model, "cjj >", 0);
            model.mode = Mode::Choosing { place: 3 };
        }
        Context::Help => {
            press(&mut model, "?jjj", 0);
        }
    }
    assert_eq!(Context::of(&model), Some(context), "{action:?}");
    model
}

fn event(key: Key) -> KeyEvent {
    match key {
        Key::Char(c) => KeyEvent::from(KeyCode::Char(c)),
        Key::Ctrl(c) => KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL),
        Key::Code(code) => KeyEvent::from(code),
    }
}

#[test]
fn every_key_does_something_everywhere_it_holds() {
    let keymap = Keymap::default();
    let mut pressed = 0;
    for context in CONTEXTS {
        for binding in keymap.bindings(context) {
            for key in &*binding.keys {
                let action = binding.action;
                let what = format!("{} in {context:?}, which is {action:?}", key.label());
                let found = keymap.action(event(*key), context);
                assert_eq!(found, Some(action), "{what}");
                pressed += 1;
                let mut model = amid(context, action);
                let before = format!("{model:?}");
                let event = Event::Key(event(*key));
                let mut commands = update(&mut model, Msg { at: at(0), event });
                commands.retain(|command| *command != Cmd::Draw);
                // The tab that is open already; there is no tree, nor anything to scroll to.
                let idle = match (context, action) {
                    (Context::Health, Action::Tab(3))
                    | (Context::Logs, Action::Tab(2))
                    | (Context::Details | Context::Health | Context::Logs, Action::Open) => true,
                    (
                        Context::Details,
                        Action::Up
                        | Action::Down
                        | Action::PageUp
                        | Action::PageDown
                        | Action::First
                        | Action::Last,
                    ) => model.focus == Focus::Full { scroll: 0 },
                    _ => false,
                };
                let does = !commands.is_empty() || format!("{model:?}") != before;
                assert!(does || idle, "{what}, does nothing");
            }
        }
    }
    assert!(pressed > 150, "{pressed}");
}

#[test]
fn every_action_is_done_by_its_name_as_by_its_key() {
    let keymap = Keymap::default();
    for context in CONTEXTS {
        for binding in keymap.bindings(context) {
            let action = binding.action;
            let mut by_key = amid(context, action);
            // What was said before is not said while one chooses.
            by_key.notice = None;
            let mut by_name = by_key.clone();
            press(&mut by_name, &format!(":{}", action.name()), 0);
            let done = [
                (&mut by_key, binding.keys[0]),
                (&mut by_name, Key::Code(KeyCode::Enter)),
            ]
            .map(|(model, key)| {
                let event = Event::Key(event(key));
                let commands = update(model, Msg { at: at(0), event });
                (commands, format!("{model:?}"))
            });
            assert_eq!(done[0], done[1], "{action:?} in {context:?}");
        }
    }
}

fn container(model: &Model, name: &str) -> Container {
    model.fleet.get(&key(name)).unwrap().clone()
}

fn act(model: &Model, verb: Verb, name: &str) -> Cmd {
    let container = Box::new(container(model, name));
    Cmd::Act(Request { verb, container })
}

fn notice(model: &Model) -> &str {
    model.notice.as_ref().map_or("", |notice| &notice.text)
}

#[test]
fn what_is_killed_is_named_first() {
    let mut model = fleet();
    press(&mut model, "/api-1<enter>K", 0);
    assert_eq!(press(&mut model, "y<enter>", 0), [], "y is no name");
    assert_eq!(press(&mut model, "api-2<enter>", 0), []);
    assert!(matches!(model.mode, Mode::Confirming(_)), "it asks on");
    let commands = press(&mut model, "api-1<enter>", 0);
    assert_eq!(commands, [act(&model, Verb::Kill, "api-1")]);
    assert_eq!(notice(&model), "$ docker kill api-1");
    // Of several their number.
    let mut model = fleet();
    press(&mut model, "/state=up health=passing<enter>*K", 0);
    let rows = names(&model).len();
    assert_eq!(press(&mut model, "y", 0), []);
    assert_eq!(model.mode, Mode::Normal, "y is no number");
    let number = format!("K{rows}<enter>");
    assert_eq!(press(&mut model, &number, 0).len(), rows);
}

#[test]
fn what_is_down_is_started_and_nothing_else() {
    let mut model = fleet();
    press(&mut model, "a/importer<enter>R", 0);
    assert!(notice(&model).contains("it does not run"));
    press(&mut model, "U", 0);
    let commands = press(&mut model, "y", 0);
    assert_eq!(commands, [act(&model, Verb::Start, "importer")]);
    assert_eq!(notice(&model), "$ ww-ctl start importer");
    started_anew(&mut model, "importer", 100);
    let progress = |model: &Model| model.operations[&key("importer")].progress.clone();
    let seen = progress(&model);
    assert!(matches!(seen, Progress::Seen { .. }), "{seen:?}");
    reach(&mut model, "importer", up(-60_000));
    let done = progress(&model);
    assert!(matches!(done, Progress::Done { .. }), "{done:?}");
    press(&mut model, "<esc>/<^u>api-1<enter>U", 200);
    assert!(notice(&model).contains("it runs already"));
}

#[test]
fn a_backup_is_told_when_it_is_made() {
    let mut model = fleet();
    press(&mut model, "/api-1<enter>B", 0);
    let commands = press(&mut model, "y", 0);
    assert_eq!(commands, [act(&model, Verb::Backup, "api-1")]);
    // That it restarts for it is no end of it.
    becomes(&mut model, "api-1", State::Restarting, "backup", 100);
    becomes(&mut model, "api-1", State::Up, "backup", 200);
    assert!(model.operations[&key("api-1")].is_open());
    let reply = Reply {
        key: key("api-1"),
        verb: Verb::Backup,
        result: Ok("backed up api-1: api-1/20261122T140000Z-1a2b".into()),
    };
    let event = Event::Reply(reply);
    update(&mut model, Msg { at: at(300), event });
    let progress = &model.operations[&key("api-1")].progress;
    assert!(matches!(progress, Progress::Done { .. }), "{progress:?}");
    assert!(notice(&model).contains("20261122T140000Z-1a2b"));
}

#[test]
fn several_are_restarted_one_after_the_other_by_one_command() {
    let mut model = fleet();
    press(&mut model, "/api<enter>*R", 0);
    let commands = press(&mut model, "oy", 0);
    let both = vec![container(&model, "api-1"), container(&model, "api-2")];
    assert_eq!(commands, [Cmd::Roll(both)]);
    assert_eq!(notice(&model), "$ ww-ctl restart --rolling api-1 api-2");
    assert!(model.operations[&key("api-2")].is_open());
    // A second o takes it back; for one there is no order.
    let mut model = fleet();
    press(&mut model, "/api<enter>*R", 0);
    assert_eq!(press(&mut model, "ooy", 0).len(), 2);
    press(&mut model, "<esc>/<^u>mailer<enter>R", 0);
    assert_eq!(press(&mut model, "o", 0), []);
    assert_eq!(model.mode, Mode::Normal, "any other key cancels");
}

#[test]
fn a_shell_is_for_what_runs_and_not_for_who_only_looks() {
    let mut model = fleet();
    press(&mut model, "/api-1<enter>", 0);
    let shell = Cmd::Shell(Box::new(container(&model, "api-1")));
    assert_eq!(press(&mut model, "X", 0), [shell]);
    press(&mut model, "<esc>a/<^u>importer<enter>", 0);
    assert_eq!(press(&mut model, "X", 0), []);
    assert!(notice(&model).contains("does not run"));
    model.access = Access::ReadOnly;
    press(&mut model, "<esc>/<^u>api-1<enter>", 0);
    for key in ["X", "K", "B", "U", "R", "S"] {
        assert_eq!(press(&mut model, key, 0), [], "{key}");
        assert!(notice(&model).contains("read-only"), "{key}");
        assert_eq!(model.mode, Mode::Normal);
    }
}

#[test]
fn ranges_copies_and_rows_in_trouble() {
    let mut model = fleet();
    press(&mut model, "gjvjjv", 0);
    assert_eq!(model.marks.len(), 3);
    let copied = Cmd::Copy("billing ledger-db sessions".into());
    assert_eq!(press(&mut model, "y", 0), [copied]);
    press(&mut model, "<esc>", 0);
    // From below upwards; Esc forgets where it was begun, and then the marks.
    press(&mut model, "Gvkkv", 0);
    assert_eq!(model.marks.len(), 3);
    press(&mut model, "v<esc>", 0);
    assert_eq!(model.range, None);
    press(&mut model, "<esc>", 0);
    assert!(model.marks.is_empty());
    let mut found = Vec::new();
    press(&mut model, "g", 0);
    for _ in 0..4 {
        press(&mut model, "n", 0);
        found.push(selected(&model).to_owned());
    }
    assert_eq!(found, ["billing", "sessions", "legacy-erp", "billing"]);
    press(&mut model, "N", 0);
    assert_eq!(selected(&model), "legacy-erp");
    press(&mut model, "/mailer<enter>", 0);
    assert_eq!(press(&mut model, "y", 0), [Cmd::Copy("mailer".into())]);
    assert!(matches!(model.focus, Focus::Table));
}
