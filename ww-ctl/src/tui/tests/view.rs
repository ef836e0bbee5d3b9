//! What is seen, as snapshots.

use std::fmt::Write as _;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use whaleware::lifecycle::State;
use whaleware::protocol::{ServiceStatus, StopStage};

use super::fixture::{self, Life, at, becomes, empty, feed, fleet, listing, press};
use crate::fleet::{EngineState, Input};
use crate::tui::model::{Access, Model, Tab};
use crate::tui::msg::{Cmd, Event, Msg, Said};
use crate::tui::theme::{Look, Tint};
use crate::tui::update::update;
use crate::tui::view::view;

const SIZES: [(u16, u16); 7] = [
    (160, 45),
    (120, 30),
    (80, 24),
    (50, 15),
    (40, 12),
    (30, 8),
    (10, 3),
];

fn look(tint: Tint, locale: &str) -> Look {
    Look::from_environment(tint, |name| (name == "LANG").then(|| locale.to_owned()))
}

pub(super) fn colour() -> Look {
    look(Tint::Sixteen, "C.UTF-8")
}

pub(super) fn monochrome() -> Look {
    look(Tint::Monochrome, "C.UTF-8")
}

pub(super) fn ascii() -> Look {
    look(Tint::Sixteen, "C")
}

pub(super) fn draw(model: &Model, look: Look) -> Buffer {
    let (width, height) = model.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view(model, look, frame)).unwrap();
    terminal.backend().buffer().clone()
}

/// The screen as text.
pub(super) fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            if skip > 0 {
                skip -= 1;
                continue;
            }
            skip = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// The screen as text with runs of one look below each line: `x..y colour modifiers`.
pub(super) fn styled(buffer: &Buffer) -> String {
    let mut out = String::new();
    for (y, line) in text(buffer).lines().enumerate() {
        let _ = writeln!(out, "{line}");
        let y = u16::try_from(y).unwrap();
        let mut runs: Vec<(u16, u16, Color, Modifier)> = Vec::new();
        for x in 0..buffer.area.width {
            let cell = &buffer[(x, y)];
            match runs.last_mut() {
                Some((_, to, fg, modifier)) if *fg == cell.fg && *modifier == cell.modifier => {
                    *to = x;
                }
                _ => runs.push((x, x, cell.fg, cell.modifier)),
            }
        }
        let named: Vec<String> = runs
            .iter()
            .filter(|(_, _, fg, modifier)| *fg != Color::Reset || !modifier.is_empty())
            .map(|(from, to, fg, modifier)| {
                let colour = if *fg == Color::Reset {
                    String::new()
                } else {
                    format!(" {fg}")
                };
                let modifier = if modifier.is_empty() {
                    String::new()
                } else {
                    format!(" {modifier:?}")
                };
                format!("{from}..{to}{colour}{modifier}")
            })
            .collect();
        if !named.is_empty() {
            let _ = writeln!(out, "    {}", named.join(", "));
        }
    }
    out
}

pub(super) fn sized(mut model: Model, size: (u16, u16)) -> Model {
    update(
        &mut model,
        Msg {
            at: at(0),
            event: Event::Resize(size.0, size.1),
        },
    );
    model
}

pub(super) fn snapshot(name: &str, content: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => "snapshots" }, {
        insta::assert_snapshot!(name, content);
    });
}

#[test]
fn every_size() {
    for size in SIZES {
        let model = sized(fleet(), size);
        let name = format!("fleet-{}x{}", size.0, size.1);
        snapshot(&name, &text(&draw(&model, colour())));
    }
}

#[test]
fn colours_are_few() {
    let model = sized(fleet(), (80, 24));
    snapshot("fleet-80x24-colour", &styled(&draw(&model, colour())));
}

#[test]
fn without_colours_nothing_is_coloured_and_the_cursor_is_seen() {
    for size in SIZES {
        let mut model = sized(fleet(), size);
        press(&mut model, "jj ", 0);
        let buffer = draw(&model, look(Tint::Monochrome, "C.UTF-8"));
        for cell in buffer.content() {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
        }
        let reversed = buffer
            .content()
            .iter()
            .any(|cell| cell.modifier.contains(Modifier::REVERSED));
        assert!(reversed || size.0 < 20, "{size:?}");
        let name = format!("mono-{}x{}", size.0, size.1);
        snapshot(&name, &styled(&buffer));
    }
}

#[test]
fn where_there_is_only_ascii_nothing_else_is_printed() {
    for size in SIZES {
        let model = sized(fleet(), size);
        let seen = text(&draw(&model, look(Tint::Sixteen, "C")));
        assert!(seen.is_ascii(), "{seen}");
        snapshot(&format!("ascii-{}x{}", size.0, size.1), &seen);
    }
    let locale = |name: &str| match name {
        "LC_ALL" => Some(String::new()),
        "LC_CTYPE" => Some("de_DE.utf8".to_owned()),
        "LANG" => Some("C".to_owned()),
        _ => None,
    };
    assert!(!Look::from_environment(Tint::Sixteen, locale).is_ascii());
    assert!(Look::from_environment(Tint::Sixteen, |_| None).is_ascii());
}

/// Presses keys, and answers what is asked for thereby. What comes after `;` is pressed then.
pub(super) fn answered(model: &mut Model, keys: &str) {
    for keys in keys.split(';') {
        answer(model, keys);
    }
}

fn answer(model: &mut Model, keys: &str) {
    for command in press(model, keys, 0) {
        let event = match command {
            Cmd::Follow(keys) => {
                for (index, key) in (0_i64..).zip(keys) {
                    let line = |number: i64| {
                        let text = format!("line {number} of what it printed");
                        (60_000 + number * 1000 + index, Said::Line(text))
                    };
                    let event = fixture::printed(&key, (1..=40).map(line));
                    update(model, Msg { at: at(0), event });
                }
                continue;
            }
            Cmd::ReadConfiguration(key) => Event::Configuration(key, Ok(fixture::settings())),
            Cmd::Draw
            | Cmd::Refresh
            | Cmd::Act(_)
            | Cmd::Roll(_)
            | Cmd::Shell(_)
            | Cmd::Copy(_)
            | Cmd::Measure(_)
            | Cmd::Mouse(_)
            | Cmd::Wind(_)
            | Cmd::Suspend
            | Cmd::Quit => {
                continue;
            }
        };
        update(model, Msg { at: at(0), event });
    }
}

#[test]
fn tabs() {
    for (name, keys) in [
        ("timeline-restarted", "/billing<enter>2"),
        ("timeline-running", "/catalogue<enter>2"),
        ("timeline-full", "/ledger<enter><enter>2"),
        ("health", "/billing<enter>4"),
        ("health-full", "/api-1<enter><enter>4"),
        ("summary-full", "/billing<enter><enter>"),
        ("logs", "/legacy<enter>3"),
        ("config", "/api-1<enter><enter>5"),
        ("why-failed", "/legacy<enter>w"),
        ("why-failing", "/billing<enter>w"),
        ("why-starting", "/catalogue<enter>w"),
        ("why-silent", "/sessions<enter>w"),
        ("why-up", "/mailer<enter>w"),
        ("why-plain", "a/redis<enter>w"),
    ] {
        for size in [(160, 45), (80, 24), (40, 12)] {
            let mut model = sized(fleet(), size);
            answered(&mut model, keys);
            update(
                &mut model,
                Msg {
                    at: at(10_500),
                    event: Event::Frame,
                },
            );
            let name = format!("{name}-{}x{}", size.0, size.1);
            snapshot(&name, &text(&draw(&model, colour())));
        }
    }
}

#[test]
fn details_say_whose_they_are_however_narrow_the_screen_is() {
    for columns in 20..=90 {
        for tab in Tab::ALL {
            let mut model = sized(fleet(), (columns, 12));
            let keys = format!("/api-1<enter><enter>{}", tab.number());
            press(&mut model, &keys, 0);
            let seen = text(&draw(&model, colour()));
            let line = seen.lines().find(|line| line.contains("api-1"));
            let line = line.unwrap_or_else(|| panic!("{columns} {tab:?}:\n{seen}"));
            let open = format!(" {} ", tab.number());
            assert!(line.contains(&open), "{columns} {tab:?}:\n{seen}");
        }
    }
}

#[test]
fn lanes() {
    for size in SIZES {
        let mut model = sized(fleet(), size);
        press(&mut model, "tj ", 0);
        let name = format!("lanes-{}x{}", size.0, size.1);
        snapshot(&name, &text(&draw(&model, colour())));
        assert!(text(&draw(&model, look(Tint::Sixteen, "C"))).is_ascii());
    }
}

#[test]
fn the_past_of_values_and_of_what_is_used() {
    for (name, keys) in [
        ("health-past", "/api-1<enter><enter>4j"),
        ("health-column", "/api<enter><enter>4jjcs<esc>"),
        ("summary-past", "/api-1<enter><enter>1"),
    ] {
        for size in [(160, 45), (80, 24), (40, 12)] {
            let mut model = sized(fleet(), size);
            fixture::lived(&mut model, "api-1");
            press(&mut model, keys, 240_000);
            let name = format!("{name}-{}x{}", size.0, size.1);
            snapshot(&name, &text(&draw(&model, colour())));
            assert!(text(&draw(&model, look(Tint::Sixteen, "C"))).is_ascii());
        }
    }
}

/// A fleet in which services, stages and scripts have something to say.
fn telling() -> Model {
    let mut model = fleet();
    for (name, life) in [
        (
            "api-1",
            fixture::up(-7_200_000)
                .passing(serde_json::json!({"status": "ok"}))
                .after("2.4.1", 25_200_000, None)
                .serves("queue", ServiceStatus::Up, 7_190_000)
                .serves("web", ServiceStatus::Waiting, 2_500)
                .fell("was ended by SIGSEGV", 2, "serving on port 8080"),
        ),
        (
            "catalogue",
            Life::new(-9000)
                .state(State::Boot, "container started")
                .ran("boot", 380)
                .state(State::Firstboot, "no /data/whaleup")
                .runs("firstboot", 8620)
                .says("importing customers", 40)
                .after("2.4.1", 25_200_000, Some(1)),
        ),
        (
            "search",
            fixture::up(-5_000_000)
                .later(4_900_000)
                .state(State::Stopped, "SIGTERM")
                .serves("index", ServiceStatus::Stopping, 9_000)
                .in_stage(StopStage::Services, 9_000, Some(60_000)),
        ),
    ] {
        fixture::reach(&mut model, name, life);
    }
    update(
        &mut model,
        Msg {
            at: at(0),
            event: Event::Frame,
        },
    );
    model
}

#[test]
fn services_stages_and_progress() {
    for (name, keys) in [
        ("telling", ""),
        ("telling-services", "/api-1<enter><enter>"),
        ("telling-progress", "/catalogue<enter><enter>"),
        ("telling-stage", "/search<enter><enter>"),
    ] {
        for size in [(160, 45), (80, 24), (40, 12)] {
            let mut model = sized(telling(), size);
            press(&mut model, keys, 0);
            let name = format!("{name}-{}x{}", size.0, size.1);
            snapshot(&name, &text(&draw(&model, colour())));
            assert!(text(&draw(&model, look(Tint::Sixteen, "C"))).is_ascii());
        }
    }
}

#[test]
fn what_goes_on_is_drawn_every_second() {
    let mut model = empty((80, 24));
    let running = EngineState::Running;
    feed(
        &mut model,
        listing(vec![fixture::listed("search", running, -90_000_000)]),
        0,
    );
    // Nothing else is younger than an hour, where minutes are shown.
    let life = fixture::up(-90_000_000).in_stage(StopStage::Services, 9_000, None);
    fixture::reach(&mut model, "search", life);
    update(
        &mut model,
        Msg {
            at: at(0),
            event: Event::Frame,
        },
    );
    assert_eq!(
        crate::tui::view::next_change(&model),
        Some(std::time::Duration::from_secs(1))
    );
}

#[test]
fn modes() {
    for (name, keys) in [
        ("confirm-restart", "/api<enter>R"),
        ("confirm-stop-marked", "/api<enter>*S"),
        ("confirm-hidden-mark", "/api-1<enter> /<^u>api-2<enter>S"),
        ("confirm-count", "a*S1"),
        ("confirm-kill", "/api-1<enter>Kapi"),
        ("confirm-rolling", "/api<enter>*Ro"),
        ("confirm-start", "a/import<enter>U"),
        ("confirm-backup", "/api<enter>B"),
        ("help", "?"),
        ("filtering", "/state=up !heal"),
        ("filter-unknown-key", "/colour=red"),
        ("filter-none", "/nosuch<enter>"),
        ("columns", "cjjj "),
        ("columns-moved", "c>>jj "),
        ("sort-name-reversed", "asr"),
        ("frozen", "z"),
    ] {
        for size in [(120, 30), (80, 24), (40, 12)] {
            let mut model = sized(fleet(), size);
            press(&mut model, keys, 0);
            let name = format!("{name}-{}x{}", size.0, size.1);
            snapshot(&name, &text(&draw(&model, colour())));
        }
    }
}

#[test]
fn progress_of_a_restart_is_in_its_row_until_it_is_true() {
    let mut model = sized(fleet(), (120, 30));
    press(&mut model, "/api-1<enter>Ry<esc>", 0);
    let row = |model: &mut Model, millis| {
        update(
            model,
            Msg {
                at: at(millis),
                event: Event::Frame,
            },
        );
        let seen = text(&draw(model, colour()));
        seen.lines()
            .find(|line| line.contains("api-1  "))
            .unwrap()
            .to_owned()
    };
    assert!(row(&mut model, 10).contains("restart: sending"));
    let reply = crate::tui::msg::Reply {
        key: fixture::key("api-1"),
        verb: crate::tui::msg::Verb::Restart,
        result: Ok(String::new()),
    };
    update(
        &mut model,
        Msg {
            at: at(20),
            event: Event::Reply(reply),
        },
    );
    assert!(row(&mut model, 1030).contains("restart: sent 1s ago"));
    becomes(
        &mut model,
        "api-1",
        State::Restarting,
        "operator alice@ops1",
        1100,
    );
    assert!(row(&mut model, 4200).contains("restart: RESTARTING 3s"));
    becomes(&mut model, "api-1", State::Up, "restarted", 5000);
    assert!(row(&mut model, 5100).contains("restart → UP after 5s"));
    assert!(!row(&mut model, 20_000).contains("restart →"));
}

#[test]
fn what_is_not_known_is_said() {
    let reaching = empty((80, 24));
    snapshot("reaching-80x24", &text(&draw(&reaching, colour())));
    let mut lost = empty((80, 24));
    let reason = "cannot connect to unix:///var/run/docker.sock: permission denied";
    feed(
        &mut lost,
        Input::HostLost {
            host: "local".into(),
            since: None,
            reason: reason.into(),
        },
        0,
    );
    snapshot("unreachable-80x24", &text(&draw(&lost, colour())));
    let mut none = empty((80, 24));
    feed(&mut none, listing(Vec::new()), 0);
    snapshot("empty-80x24", &text(&draw(&none, colour())));
}

#[test]
fn a_lost_host_keeps_its_rows_and_says_since_when() {
    for size in [(160, 45), (80, 24), (40, 12)] {
        let mut model = sized(fleet(), size);
        model.access = Access::ReadOnly;
        let reason = "connection refused";
        feed(
            &mut model,
            Input::HostLost {
                host: "local".into(),
                since: None,
                reason: reason.into(),
            },
            0,
        );
        update(
            &mut model,
            Msg {
                at: at(34_000),
                event: Event::Frame,
            },
        );
        let name = format!("lost-{}x{}", size.0, size.1);
        snapshot(&name, &text(&draw(&model, colour())));
    }
}

#[test]
fn what_a_container_says_cannot_move_the_screen() {
    let mut model = fleet();
    let hostile = serde_json::json!({
        "a\u{1b}]0;title\u{7}b": "x\u{1b}[2Jy\u{202e}z\u{9b}31m",
        "long": "w".repeat(100_000),
        "lines": "one\r\ntwo\nthree",
    });
    fixture::reach(
        &mut model,
        "api-1",
        fixture::up(-7_200_000).passing(hostile),
    );
    press(&mut model, "/api-1<enter><enter>4", 0);
    let seen = text(&draw(&model, colour()));
    assert!(
        !seen.chars().any(|c| c.is_control() && c != '\n'),
        "{seen:?}"
    );
    assert!(!seen.contains('\u{202e}'));
    assert!(seen.contains("one two three"));
    assert_eq!(seen.lines().count(), 45);
}
