//! Actions chosen by their names.

use super::fixture::{at, fleet, press};
use crate::tui::keymap::{Action, Keymap};
use crate::tui::model::{Access, Mode, Model};
use crate::tui::msg::{Cmd, Event, Msg};
use crate::tui::update::update;

fn names(model: &Model) -> Vec<&'static str> {
    let Mode::Calling(palette) = &model.mode else {
        panic!("nothing is chosen: {:?}", model.mode);
    };
    let choice = palette.choice(model);
    choice
        .iter()
        .map(|entry| entry.binding.action.name())
        .collect()
}

fn typed(keys: &str) -> Vec<&'static str> {
    let mut model = fleet();
    press(&mut model, keys, 0);
    names(&model)
}

fn notice(model: &Model) -> &str {
    model.notice.as_ref().map_or("", |notice| &notice.text)
}

#[test]
fn what_is_typed_filters_by_name_key_and_words() {
    let all = typed(":");
    assert_eq!(all.len(), Keymap::default().all().count());
    // What holds here comes first.
    let here = all.iter().position(|name| *name == "value-column").unwrap();
    assert!(all[..here].contains(&"quit") && all[here..].contains(&"columns-done"));
    assert_eq!(typed(":R")[0], "restart", "a key");
    assert_eq!(typed(":ctrl-z"), Vec::<&str>::new());
    assert_eq!(typed(":^Z"), ["suspend"]);
    assert_eq!(typed(":stop")[0], "stop", "a name");
    assert_eq!(typed(":mark")[..3], ["mark", "mark-range", "mark-all"]);
    assert_eq!(typed(":TROUBLE"), ["next-trouble", "previous-trouble"]);
    assert_eq!(typed(":trouble before"), ["previous-trouble"]);
    assert_eq!(typed(":fg"), ["suspend"], "words of the help");
    assert_eq!(typed(":no such thing"), Vec::<&str>::new());
    assert_eq!(typed(":no such thing<^u>fg"), ["suspend"]);
}

#[test]
fn enter_does_it_and_esc_leaves() {
    let mut model = fleet();
    press(&mut model, ":kill<esc>", 0);
    assert_eq!(model.mode, Mode::Normal);
    // What asks, asks.
    assert_eq!(press(&mut model, "/api-1<enter>:kill<enter>", 0), []);
    assert!(matches!(model.mode, Mode::Confirming(_)));
    // Who only looks is refused.
    let mut model = fleet();
    model.access = Access::ReadOnly;
    assert_eq!(press(&mut model, ":kill<enter>", 0), []);
    assert_eq!(model.mode, Mode::Normal);
    assert!(notice(&model).contains("read-only"));
    // The second one down.
    let mut model = fleet();
    let second = typed(":mark")[1];
    press(&mut model, ":mark<down><enter>", 0);
    assert_eq!(second, "mark-range");
    assert!(model.range.is_some());
    press(&mut model, ":mark<down><down><up><enter>", 0);
    assert!(model.range.is_none());
    // Nothing fits, so nothing is done.
    let mut model = fleet();
    assert_eq!(press(&mut model, ":no such thing<enter>", 0), []);
    assert!(matches!(model.mode, Mode::Calling(_)));
    assert_eq!(press(&mut model, "<^c>", 0), [Cmd::Quit]);
}

#[test]
fn it_comes_back_to_where_it_was_opened() {
    let mut model = fleet();
    press(&mut model, "?jj", 0);
    let help = model.mode.clone();
    press(&mut model, ":<esc>", 0);
    assert_eq!(model.mode, help);
    press(&mut model, ":down<enter>", 0);
    assert_ne!(model.mode, help);
    press(&mut model, ":up<enter>", 0);
    assert_eq!(model.mode, help);
    press(&mut model, ":back<enter>", 0);
    assert_eq!(model.mode, Mode::Normal);
    press(&mut model, "cj:columns-show<enter>", 0);
    assert!(matches!(model.mode, Mode::Choosing { .. }));
}

#[test]
fn what_does_nothing_here_says_where_it_does() {
    let mut model = fleet();
    assert_eq!(press(&mut model, ":columns-show<enter>", 0), []);
    assert!(matches!(model.mode, Mode::Calling(_)));
    assert_eq!(
        notice(&model),
        "columns-show does nothing here, but while choosing columns"
    );
}

#[test]
fn an_action_without_a_key_can_be_done() {
    let mut model = fleet();
    model.keymap = Keymap::with(&[("lanes".to_owned(), Vec::new())]).unwrap();
    let lanes = |model: &Model| model.keymap.all().any(|one| one.action == Action::Lanes);
    assert!(lanes(&model));
    let before = model.body;
    press(&mut model, ":lanes<enter>", 0);
    assert_ne!(model.body, before);
}

#[test]
fn text_is_pasted_into_it_and_a_screen_without_room_has_none() {
    let mut model = fleet();
    press(&mut model, ":", 0);
    let event = Event::Paste("sus\u{1b}[2Jpend\n".into());
    update(&mut model, Msg { at: at(0), event });
    assert_eq!(names(&model), ["suspend"]);
    let mut model = fleet();
    model.size = (10, 3);
    press(&mut model, ":", 0);
    assert_eq!(model.mode, Mode::Normal);
    assert!(notice(&model).contains("too small"));
}
