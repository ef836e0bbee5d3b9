//! Every view at every size, in colour, without, and in ASCII.

use std::fmt::Write as _;

use super::fixture::{self, at, fleet};
use super::replay::telling;
use super::view::{answered, ascii, colour, draw, monochrome, sized, snapshot, styled, text};
use crate::tui::model::{Keeping, Model};
use crate::tui::msg::{Event, Msg};
use crate::tui::tape::{End, Telling};
use crate::tui::update::update;

const SIZES: [(u16, u16); 6] = [(160, 45), (120, 30), (80, 24), (50, 15), (30, 8), (10, 3)];

/// The views, and the keys that lead to them.
const VIEWS: [(&str, &str); 21] = [
    ("fleet", "j "),
    ("lanes", "tj "),
    ("summary", "/api-1<enter><enter>1"),
    ("timeline", "/ledger<enter><enter>2"),
    ("logs", "/legacy<enter><enter>3"),
    ("logs-merged", "/api<enter>*3<tab>;t"),
    ("logs-paused", "/api<enter>*3<enter>;kkk"),
    ("logs-search", "/legacy<enter><enter>3;/line .?9\\b<enter>"),
    ("health", "/api-1<enter><enter>4j"),
    ("config", "/api-1<enter><enter>5"),
    ("why", "/billing<enter>w"),
    ("help", "?"),
    ("columns", "cjj "),
    ("palette", ":"),
    ("palette-typed", ":mark<down>"),
    ("palette-help", "?:columns-"),
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

/// How a view is seen at each size, in each look.
fn every(name: &str, seen: impl Fn((u16, u16)) -> Model) -> String {
    let mut told = String::new();
    for size in SIZES {
        let (columns, rows) = size;
        let model = seen(size);
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
    told
}

#[test]
fn every_view_at_every_size_in_every_look() {
    for (name, keys) in VIEWS {
        let told = every(name, |size| seen(size, keys));
        snapshot(&format!("every-{name}"), &told);
    }
}

#[test]
fn what_must_not_be_overlooked_is_seen_at_every_size() {
    let ends = |harm: Option<&str>, end| Telling {
        harm: harm.map(str::to_owned),
        end,
        ..telling()
    };
    let paused = Telling {
        paused: true,
        ..telling()
    };
    for (name, word, keeping) in [
        ("not-recorded", "NOT RECO", Keeping::Stopped),
        ("replay", "REPLAY", Keeping::Replayed(telling())),
        ("replay-paused", "REPLAY", Keeping::Replayed(paused)),
        (
            "replay-end",
            "REPLAY",
            Keeping::Replayed(ends(None, Some(End::Whole))),
        ),
        (
            "replay-harmed",
            "REPLAY",
            Keeping::Replayed(ends(
                Some("line 831 is damaged"),
                Some(End::Harmed(String::new())),
            )),
        ),
    ] {
        let seen = |size| {
            let mut model = seen(size, "j");
            model.keeping = keeping.clone();
            let event = Event::Frame;
            update(
                &mut model,
                Msg {
                    at: at(14_000),
                    event,
                },
            );
            assert!(text(&draw(&model, colour())).contains(word), "{size:?}");
            model
        };
        snapshot(&format!("every-{name}"), &every(name, seen));
    }
}
