//! Going through a recording.

use std::time::Duration;

use super::fixture::{at, fleet, press, selected};
use crate::tui::model::{Access, FeedStatus, Keeping, Model};
use crate::tui::msg::{Cmd, Event, Msg};
use crate::tui::tape::{End, Speed, Telling, Wind};
use crate::tui::update::update;
use crate::tui::view;

/// How a recording of five minutes is told that began two minutes ago.
pub(super) fn telling() -> Telling {
    Telling {
        speed: "10".parse().unwrap(),
        paused: false,
        first: at(-120_000).moment,
        length: Some(Duration::from_secs(340)),
        harm: None,
        end: None,
    }
}

fn tell(model: &mut Model, event: Event) {
    update(model, Msg { at: at(0), event });
}

pub(super) fn replayed(telling: Telling) -> Model {
    let mut model = fleet();
    model.access = Access::ReadOnly;
    tell(&mut model, Event::Telling(telling));
    model
}

fn notice(model: &Model) -> &str {
    model.notice.as_ref().map_or("", |notice| &notice.text)
}

const KEYS: [(&str, Wind); 6] = [
    ("p", Wind::Pause),
    (".", Wind::Step),
    ("]", Wind::Forward),
    ("[", Wind::Back),
    ("}", Wind::Faster),
    ("{", Wind::Slower),
];

#[test]
fn keys_go_through_a_recording_and_do_nothing_to_what_happens_now() {
    for (key, wind) in KEYS {
        let mut model = replayed(telling());
        assert_eq!(press(&mut model, key, 0), [Cmd::Wind(wind)]);
        assert_eq!(notice(&model), "");
        press(&mut model, "<enter>", 0);
        assert_eq!(press(&mut model, key, 0), [Cmd::Wind(wind)], "in details");
        for keeping in [Keeping::Not, Keeping::Recorded] {
            let mut model = fleet();
            model.keeping = keeping;
            assert_eq!(press(&mut model, key, 0), []);
            assert!(notice(&model).contains("no recording"), "{key}");
        }
    }
}

#[test]
fn how_it_ends_is_told_and_it_can_be_gone_back_from_there() {
    for (end, told) in [
        (End::Whole, ""),
        (End::Cut, "the last line is incomplete: left out"),
        (
            End::Harmed("line 8: it cannot be understood".into()),
            "the recording ends here: line 8: it cannot be understood",
        ),
    ] {
        let mut model = replayed(telling());
        press(&mut model, "/api<enter>j ", 0);
        let row = selected(&model).to_owned();
        assert_eq!(model.feed, FeedStatus::Open);
        let ended = Telling {
            end: Some(end),
            ..telling()
        };
        tell(&mut model, Event::Telling(ended.clone()));
        assert_eq!(model.feed, FeedStatus::Told);
        assert_eq!(notice(&model), told);
        // Said once: another speed is nothing new about its end.
        press(&mut model, "<esc><esc>/api<enter>", 0);
        model.notice = None;
        tell(&mut model, Event::Telling(ended));
        assert_eq!(notice(&model), "");
        tell(&mut model, Event::Rewound);
        tell(&mut model, Event::Telling(telling()));
        assert_eq!(model.feed, FeedStatus::Open);
        assert_eq!(model.fleet.containers().count(), 0);
        assert_eq!(model.fleet.hosts().count(), 1);
        // What was looked at is looked at again as soon as it is told of.
        model.fleet = fleet().fleet;
        tell(&mut model, Event::Frame);
        assert_eq!(selected(&model), row);
        assert_eq!(model.filter.text(), "api");
    }
}

#[test]
fn a_message_stays_as_long_however_fast_the_time_goes() {
    for speed in ["1", "60", "0.5"] {
        let speed: Speed = speed.parse().unwrap();
        let mut model = replayed(Telling { speed, ..telling() });
        press(&mut model, "K", 0);
        let until = model.notice.as_ref().unwrap().until - at(0).moment;
        assert_eq!(speed.shortened(until), Duration::from_secs(10));
    }
}

#[test]
fn paused_nothing_is_drawn_because_time_goes_by() {
    let mut model = replayed(telling());
    // Of a fleet of which nothing is known nothing else is seen that has an age.
    tell(&mut model, Event::Rewound);
    assert_eq!(view::next_change(&model), Some(Duration::from_secs(1)));
    let paused = Telling {
        paused: true,
        ..telling()
    };
    tell(&mut model, Event::Telling(paused));
    assert_eq!(view::next_change(&model), None);
}
