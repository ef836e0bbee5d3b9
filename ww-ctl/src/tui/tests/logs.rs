//! What containers print: followed, merged, held still, searched.

use super::fixture::{at, feed, fleet, key, listed, listing, press, printed, wall};
use super::view::{draw, monochrome, text};
use crate::fleet::EngineState;
use crate::tui::logs::{BYTES, LINES};
use crate::tui::model::{Focus, Mode, Model, Tab};
use crate::tui::msg::{Cmd, Event, Msg, Printed, Said};
use crate::tui::update::update;

fn take(model: &mut Model, event: Event) -> Vec<Cmd> {
    update(model, Msg { at: at(0), event })
}

fn follow(names: &[&str]) -> [Cmd; 1] {
    [Cmd::Follow(names.iter().map(|name| key(name)).collect())]
}

/// A container prints lines, each so many milliseconds after the beginning.
fn prints(model: &mut Model, name: &str, lines: &[(i64, &str)]) -> Vec<Cmd> {
    let lines = lines
        .iter()
        .map(|(at, text)| (*at, Said::Line((*text).to_owned())));
    let event = printed(&key(name), lines);
    take(model, event)
}

/// It prints `line 5` and so on, one a millisecond.
fn counts(model: &mut Model, name: &str, numbers: std::ops::Range<i64>) -> Vec<Cmd> {
    let lines = numbers.map(|number| (number, Said::Line(format!("line {number}"))));
    let event = printed(&key(name), lines);
    take(model, event)
}

/// The lines of the details, as they are seen on the whole screen.
fn seen(model: &Model) -> Vec<String> {
    let screen = text(&draw(model, super::UNICODE));
    let lines = screen
        .lines()
        .skip(2)
        .take(usize::from(model.size.1).saturating_sub(3));
    lines
        .map(|line| line.trim_end_matches(['↑', '↓']).trim_end().to_owned())
        .collect()
}

fn first_and_last(model: &Model) -> (String, String) {
    let seen = seen(model);
    let trimmed = |line: Option<&String>| line.map_or("", |line| line.trim()).to_owned();
    (trimmed(seen.first()), trimmed(seen.last()))
}

fn title(model: &Model) -> String {
    let screen = text(&draw(model, super::UNICODE));
    screen.lines().nth(1).unwrap_or_default().to_owned()
}

fn notice(model: &Model) -> &str {
    model.notice.as_ref().map_or("", |notice| &notice.text)
}

/// A dashboard that shows the output of one container on 20 lines of the whole screen.
fn looking(name: &str) -> Model {
    let mut model = fleet();
    take(&mut model, Event::Resize(120, 23));
    press(&mut model, &format!("/{name}<enter>3<enter>"), 0);
    model
}

#[test]
fn output_is_followed_while_it_is_looked_at() {
    let mut model = fleet();
    let frame = |model: &mut Model| {
        let mut commands = take(model, Event::Frame);
        commands.retain(|command| *command != Cmd::Draw);
        commands
    };
    assert_eq!(press(&mut model, "3", 0), follow(&["legacy-erp"]));
    assert_eq!(frame(&mut model), [], "it is already");
    assert_eq!(press(&mut model, "j", 0), follow(&["billing"]));
    assert_eq!(counts(&mut model, "legacy-erp", 0..3), [], "it was late");
    assert_eq!(model.logs.store().len(), 0);
    assert!(!model.logs.are_known());
    assert_eq!(
        prints(
            &mut model,
            "billing",
            &[(1, "one"), (2, "\u{1b}[31mtwo\u{7}")]
        ),
        [Cmd::Draw]
    );
    let texts = |model: &Model| -> Vec<String> {
        let lines = model.logs.store().lines();
        lines
            .filter_map(|line| line.text().map(str::to_owned))
            .collect()
    };
    assert_eq!(texts(&model), ["one", "two"]);
    // Why shows its end as well, and it goes on.
    assert_eq!(press(&mut model, "6", 0), []);
    assert_eq!(press(&mut model, "1", 0), follow(&[]));
    assert_eq!(frame(&mut model), [], "nobody looks any more");
    // What was known is seen until it is known anew.
    assert_eq!(press(&mut model, "3", 0), follow(&["billing"]));
    assert_eq!(texts(&model), ["one", "two"]);
    let again = Printed {
        key: key("billing"),
        is_anew: true,
        lines: vec![(Some(wall(2)), Said::Line("two".into()))],
    };
    take(&mut model, Event::Printed(again));
    assert_eq!(texts(&model), ["two"]);
    // On a screen without a place for it nobody looks.
    take(&mut model, Event::Resize(80, 8));
    assert_eq!(frame(&mut model), follow(&[]));
    // What could not be told to the runtime's other end is told again.
    take(&mut model, Event::Resize(80, 24));
    assert_eq!(frame(&mut model), follow(&["billing"]));
    model.logs.ask_again();
    assert_eq!(frame(&mut model), follow(&["billing"]));
}

#[test]
fn who_goes_up_reads_on_undisturbed() {
    let mut model = looking("legacy");
    counts(&mut model, "legacy-erp", 0..500);
    let pair = |first: &str, last: &str| (first.to_owned(), last.to_owned());
    assert_eq!(first_and_last(&model), pair("line 480", "line 499"));
    assert_eq!(counts(&mut model, "legacy-erp", 500..501), [Cmd::Draw]);
    assert_eq!(first_and_last(&model), pair("line 481", "line 500"));
    press(&mut model, "kk", 0);
    let still = pair("line 479", "line 498");
    assert_eq!(first_and_last(&model), still);
    assert!(title(&model).contains(" 3 Logs +0 "), "{}", title(&model));
    // Only a number changes then, which is no reason for a frame of its own.
    assert_eq!(counts(&mut model, "legacy-erp", 501..513), [Cmd::Refresh]);
    assert_eq!(first_and_last(&model), still);
    assert!(title(&model).contains(" 3 Logs +12 "), "{}", title(&model));
    // It stays so while one looks at the table, and in another size of the screen.
    press(&mut model, "<esc>", 0);
    assert_eq!(model.focus, Focus::Table);
    press(&mut model, "<enter>", 0);
    take(&mut model, Event::Resize(120, 13));
    assert_eq!(first_and_last(&model), pair("line 479", "line 488"));
    take(&mut model, Event::Resize(120, 23));
    assert_eq!(first_and_last(&model), still);
    press(&mut model, "f", 0);
    assert_eq!(first_and_last(&model), pair("line 493", "line 512"));
    assert!(title(&model).contains(" 3 Logs  4 "), "{}", title(&model));
    // The end is followed again by whoever goes there.
    for keys in ["kG", "k<pgdn>", "kkkkkjjjjj", "gG"] {
        press(&mut model, keys, 0);
        assert_eq!(model.logs.news(), None, "{keys}");
    }
    press(&mut model, "g", 0);
    assert_eq!(first_and_last(&model), pair("line 0", "line 19"));
    // Whoever goes up stays, also where nothing is above yet.
    let mut few = looking("legacy");
    counts(&mut few, "legacy-erp", 0..3);
    press(&mut few, "k", 0);
    counts(&mut few, "legacy-erp", 3..100);
    assert_eq!(first_and_last(&few), pair("line 0", "line 19"));
    // Another tab, another container: from the end again.
    press(&mut model, "23", 0);
    assert_eq!(model.logs.news(), None);
}

#[test]
fn what_is_kept_is_bounded_and_what_is_read_stays() {
    let mut model = looking("legacy");
    counts(&mut model, "legacy-erp", 0..5000);
    assert_eq!(model.logs.store().len(), LINES);
    press(&mut model, "<pgup>", 0);
    let still = first_and_last(&model);
    assert_eq!(still.0, "line 4961");
    for round in 5..50 {
        counts(&mut model, "legacy-erp", round * 1000..(round + 1) * 1000);
        assert_eq!(first_and_last(&model), still);
    }
    let news = 45_000;
    assert_eq!(model.logs.news(), Some(news));
    assert_eq!(model.logs.store().len(), 2 * LINES + 1);
    let left_out: Vec<_> = model
        .logs
        .store()
        .lines()
        .filter(|line| line.text().is_none())
        .map(|line| line.said.clone())
        .collect();
    assert_eq!(left_out, [Said::LeftOut(news - LINES as u64)]);
    // Further down is what came first of what is new, after what is left out.
    press(&mut model, "<pgdn>jj", 0);
    let lines = seen(&model);
    assert!(lines[17].ends_with("line 4999"), "{lines:?}");
    assert!(lines[18].contains("43000 lines left out"), "{lines:?}");
    assert!(lines[19].ends_with("line 48000"), "{lines:?}");
    assert_eq!(model.logs.news(), Some(LINES as u64 - 1));
    press(&mut model, "f", 0);
    assert_eq!(first_and_last(&model).1, "line 49999");
    assert_eq!(model.logs.store().len(), LINES);
    // Long lines are cut, and there are fewer of them.
    let long = "漢".repeat(2000);
    for held in [false, true] {
        let lines = (0..400).map(|_| (60_000, Said::Line(long.clone())));
        let event = printed(&key("legacy-erp"), lines);
        for _ in 0..4 {
            take(&mut model, event.clone());
        }
        assert!(model.logs.store().bytes() <= if held { 2 * BYTES } else { BYTES });
        press(&mut model, "k", 0);
    }
    let longest = model.logs.store().lines().filter_map(|line| line.text());
    assert_eq!(longest.map(|text| text.chars().count()).max(), Some(1000));
}

#[test]
fn the_marked_are_one_by_time() {
    let mut model = fleet();
    take(&mut model, Event::Resize(120, 23));
    press(&mut model, "/api<enter>*", 0);
    assert_eq!(
        press(&mut model, "3<enter>", 0),
        follow(&["api-1", "api-2"])
    );
    prints(&mut model, "api-2", &[(2, "b"), (4, "d")]);
    assert!(!model.logs.are_known());
    prints(&mut model, "api-1", &[(1, "a"), (3, "c"), (5, "e")]);
    prints(&mut model, "api-2", &[(6, "f"), (7, "g")]);
    prints(&mut model, "api-1", &[(6, "late"), (8, "h")]);
    let wanted = [
        " api-1 | a",
        " api-2 | b",
        " api-1 | c",
        " api-2 | d",
        " api-1 | e",
        " api-2 | f",
        " api-1 | late",
        " api-2 | g",
        " api-1 | h",
    ];
    assert_eq!(seen(&model)[..wanted.len()], wanted);
    assert!(title(&model).contains("2 containers"), "{}", title(&model));
    // Who is not marked any more is gone from it, the other goes on.
    press(&mut model, "<esc>g", 0);
    assert_eq!(press(&mut model, " ", 0), follow(&["api-2"]));
    press(&mut model, "<enter>", 0);
    assert_eq!(seen(&model)[..4], [" b", " d", " f", " g"]);
    // A filter hides marks, and what is hidden is not followed: then it is the one with the cursor.
    let hidden = press(&mut model, "<esc>/<^u>mailer<enter>", 0);
    assert_eq!(hidden.last(), follow(&["mailer"]).last());
    // Why is about one.
    press(&mut model, "/<^u>api<enter>*", 0);
    assert_eq!(press(&mut model, "6", 0).len(), 1);
    assert_eq!(model.logs.keys().len(), 1);
}

#[test]
fn so_many_are_followed_and_no_more() {
    let mut model = fleet();
    let names = (0..20).map(|number| format!("web-{number}"));
    let listed = names.map(|name| listed(&name, EngineState::Running, 0));
    feed(&mut model, listing(listed.collect()), 0);
    take(&mut model, Event::Resize(120, 23));
    let commands = press(&mut model, "/web<enter>*3<enter>", 0);
    let rows = model.rows().len();
    assert_eq!(rows, 20);
    let Some(Cmd::Follow(keys)) = commands.last() else {
        panic!("{commands:?}");
    };
    assert_eq!(keys.len(), 16);
    let told = format!("16 of {rows} marked");
    assert!(title(&model).contains(&told), "{}", title(&model));
}

#[test]
fn names_are_told_apart() {
    let long = "a-name-that-is-not-told-apart-by-its-beginning";
    let mut model = fleet();
    let names = ["1", "2"].map(|number| format!("{long}-{number}"));
    let both = names
        .iter()
        .map(|name| listed(name, EngineState::Running, 0));
    feed(&mut model, listing(both.collect()), 0);
    take(&mut model, Event::Resize(60, 23));
    press(&mut model, "*3<enter>", 0);
    prints(&mut model, &names[0], &[(1, "one")]);
    prints(&mut model, &names[1], &[(2, "two")]);
    let wanted = [" …-by-its-beginning-1 | one", " …-by-its-beginning-2 | two"];
    assert_eq!(seen(&model)[..2], wanted);
}

#[test]
fn lines_are_searched_and_the_fleet_is_not() {
    let mut model = looking("legacy");
    let rows = model.rows().to_vec();
    counts(&mut model, "legacy-erp", 0..100);
    press(&mut model, "/LINE 1?[35]7", 0);
    assert!(matches!(model.mode, Mode::Searching { .. }));
    // The last one that has it is gone to while it is typed.
    let current = |model: &Model| -> String {
        let lines = seen(model);
        let line = lines.iter().find(|line| line.starts_with('▸'));
        line.map_or(String::new(), |line| line[3..].to_owned())
    };
    assert_eq!(current(&model), "line 57");
    assert!(
        title(&model).contains("/LINE 1?[35]7 2 lines"),
        "{}",
        title(&model)
    );
    press(&mut model, "<enter>", 0);
    assert_eq!(model.mode, Mode::Normal);
    assert_eq!((model.rows(), model.tab), (&rows[..], Tab::Logs));
    let gone = |model: &mut Model, keys: &str| {
        press(model, keys, 0);
        (current(model), notice(model).to_owned())
    };
    assert_eq!(gone(&mut model, "N"), ("line 37".into(), String::new()));
    let (line, told) = gone(&mut model, "N");
    assert_eq!(
        (line.as_str(), told.as_str()),
        ("line 57", "past the first one: the last")
    );
    let (line, told) = gone(&mut model, "n");
    assert_eq!(
        (line.as_str(), told.as_str()),
        ("line 37", "past the last one: the first")
    );
    // What it is, is seen without colours.
    let buffer = draw(&model, monochrome());
    let reversed = buffer.content().iter().filter(|cell| {
        let is_reversed = cell.modifier.contains(ratatui::style::Modifier::REVERSED);
        is_reversed && "line 37".contains(cell.symbol())
    });
    assert!(reversed.count() >= "line 37".len() - 1);
    // Lines that come have it too; where one has gone elsewhere it goes on from what is seen.
    counts(&mut model, "legacy-erp", 130..140);
    press(&mut model, "f", 0);
    assert!(title(&model).contains("3 lines"), "{}", title(&model));
    assert_eq!(gone(&mut model, "N").0, "line 137");
    // What is no pattern finds nothing, says why, and is no end of it.
    press(&mut model, "/<^u>(", 0);
    let screen = text(&draw(&model, super::UNICODE));
    assert!(screen.contains("no regular expression `(`"), "{screen}");
    press(&mut model, "<enter>n", 0);
    assert!(notice(&model).contains("no regular expression"));
    press(&mut model, "/<^u>nowhere<enter>n", 0);
    assert_eq!(notice(&model), "no line has nowhere");
    press(&mut model, "<esc>", 0);
    assert!(model.logs.search().is_none());
    press(&mut model, "n", 0);
    assert_eq!(notice(&model), "nothing is searched for: / does");
    assert!(
        matches!(model.focus, Focus::Full { .. }),
        "one step at a time"
    );
    press(&mut model, "<esc>", 0);
    assert_eq!(model.focus, Focus::Table);
    press(&mut model, "/", 0);
    assert!(matches!(model.mode, Mode::Filtering { .. }));
}

#[test]
fn a_search_that_is_given_up_goes_back_to_where_it_was_begun() {
    let mut model = looking("legacy");
    counts(&mut model, "legacy-erp", 0..100);
    press(&mut model, "/line 5", 0);
    assert_eq!(model.logs.news(), Some(0), "it stands still to be read");
    press(&mut model, "<esc>", 0);
    assert_eq!(first_and_last(&model).1, "line 99");
    assert_eq!(model.logs.news(), None, "it goes on");
    press(&mut model, "<pgup>/line 5<esc>", 0);
    assert_eq!(first_and_last(&model), ("line 61".into(), "line 80".into()));
}

#[test]
fn times_and_the_ends_of_long_lines() {
    let mut model = looking("legacy");
    let long = format!("begins {} ends", "漢".repeat(100));
    prints(
        &mut model,
        "legacy-erp",
        &[(61_042, &long), (61_043, "short")],
    );
    let cut = seen(&model);
    assert!(cut[0].ends_with('…') && !cut[0].contains("ends"), "{cut:?}");
    press(&mut model, "t", 0);
    let timed = seen(&model);
    assert!(
        timed[0].starts_with(" 2026-11-22T14:01:01.042Z begins 漢"),
        "{timed:?}"
    );
    assert_eq!(timed[1], " 2026-11-22T14:01:01.043Z short");
    press(&mut model, "t>", 0);
    // Half of a wide character is a space.
    let aside = seen(&model);
    assert!(aside[0].starts_with("  漢漢"), "{aside:?}");
    assert_eq!(aside[1], "");
    press(&mut model, ">>>>>>>>>>>>>>>>>>>>", 0);
    let aside = seen(&model);
    assert!(aside[0].ends_with('s') && aside[0].len() < 40, "{aside:?}");
    press(&mut model, "<<<<<<<<<<<<<<<<<<<<", 0);
    assert_eq!(seen(&model), cut);
}

#[test]
fn a_picture_that_stands_still_has_lines_that_do() {
    let mut model = looking("legacy");
    counts(&mut model, "legacy-erp", 0..100);
    press(&mut model, "z", 0);
    counts(&mut model, "legacy-erp", 100..200);
    assert_eq!(first_and_last(&model).1, "line 99");
    press(&mut model, "6", 0);
    assert_eq!(model.tab, Tab::Why);
    press(&mut model, "3z", 0);
    assert_eq!(first_and_last(&model).1, "line 199");
}

#[test]
fn what_there_is_to_say_of_the_reading_is_said() {
    let mut model = looking("legacy");
    assert!(seen(&model)[0].contains("reading its output"));
    prints(&mut model, "legacy-erp", &[]);
    assert_eq!(seen(&model)[0], " it has printed nothing");
    let lines = vec![
        (Some(wall(1)), Said::Line("one".into())),
        (None, Said::Word("has ended\u{1b}[2J".into())),
        (None, Said::LeftOut(1)),
        (None, Said::Failed("no \u{9b}2Jway".into())),
    ];
    let key = key("legacy-erp");
    let is_anew = false;
    take(
        &mut model,
        Event::Printed(Printed {
            key: key.clone(),
            is_anew,
            lines,
        }),
    );
    let told = [
        " one",
        " · has ended",
        " … 1 line left out",
        " cannot read its output: no 2Jway",
    ];
    assert_eq!(seen(&model)[..4], told);
    // Long ones go sideways, too.
    let long = Said::Word(format!("begins {} ends", "x".repeat(200)));
    let is_long = Printed {
        key,
        is_anew,
        lines: vec![(None, long)],
    };
    take(&mut model, Event::Printed(is_long));
    press(&mut model, ">>>>>", 0);
    assert!(seen(&model)[4].ends_with(" ends"));
    // None of it is output.
    press(&mut model, "/ended<enter>n", 0);
    assert_eq!(notice(&model), "no line has ended");
}
