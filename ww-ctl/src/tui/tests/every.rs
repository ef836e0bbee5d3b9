//! Every view at every size, in colour, without, and in ASCII.

use std::fmt::Write as _;

use super::fixture::{self, at, fleet};
use super::view::{answered, ascii, colour, draw, monochrome, sized, snapshot, styled, text};
use crate::tui::model::Model;
use crate::tui::msg::{Event, Msg};
use crate::tui::update::update;

const SIZES: [(u16, u16); 6] = [(160, 45), (120, 30), (80, 24), (50, 15), (30, 8), (10, 3)];

/// The views, and the keys that lead to them.
const VIEWS: [(&str, &str); 15] = [
    ("fleet", "j "),
    ("lanes", "tj "),
    ("summary", "/api-1<enter><enter>1"),
    ("timeline", "/ledger<enter><enter>2"),
    ("logs", "/legacy<enter><enter>3"),
    ("health", "/api-1<enter><enter>4j"),
    ("config", "/api-1<enter><enter>5"),
    ("why", "/billing<enter>w"),
    ("help", "?"),
    ("columns", "cjj "),
    ("filtering", "/state=up !heal"),
    ("confirm-restart", "/api-1<enter>R"),
    ("confirm-rolling", "/api<enter>*Ro"),
    ("confirm-kill", "/api-1<enter>Kapi"),
    ("frozen", "z"),
];

fn seen(size: (u16, u16), keys: &str) -> Model {
    let mut model = sized(fleet(), size);
    fixture::lived(&mut model, "api-1");
    answered(&mut model, keys);
    let event = Event::Frame;
    update(
        &mut model,
        Msg {
            at: at(240_500),
            event,
        },
    );
    model
}

#[test]
fn every_view_at_every_size_in_every_look() {
    for (name, keys) in VIEWS {
        let mut told = String::new();
        for size in SIZES {
            let (columns, rows) = size;
            let model = seen(size, keys);
            let coloured = draw(&model, colour());
            let plain = draw(&model, monochrome());
            assert_eq!(
                text(&coloured),
                text(&plain),
                "{name} {size:?}: colours are no information of their own"
            );
            let narrow = text(&draw(&model, ascii()));
            assert!(narrow.is_ascii(), "{name} {size:?}:\n{narrow}");
            let _ = writeln!(
                told,
                "== {columns}x{rows}, 16 colours\n{}",
                styled(&coloured)
            );
            let _ = writeln!(told, "== {columns}x{rows}, NO_COLOR\n{}", styled(&plain));
            let _ = writeln!(told, "== {columns}x{rows}, ASCII\n{narrow}");
        }
        snapshot(&format!("every-{name}"), &told);
    }
}
