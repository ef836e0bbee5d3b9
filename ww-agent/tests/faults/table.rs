//! `docs/faults.md` is what the cells are held to.

use std::fmt::Write;

use crate::behaviour::{Behaviour, RUNNING};
use crate::row::{Row, Turn, rows};

const BEGIN: &str = "<!-- tables: generated from the tests' own cells, checked by them -->\n";
const END: &str = "<!-- end of tables -->";
const ENDED: [Behaviour; 4] = [
    Behaviour::Exits(0),
    Behaviour::Daemonises,
    Behaviour::Exits(1),
    Behaviour::Signalled(9),
];

/// Whether the page is to be written anew.
#[expect(clippy::disallowed_methods, reason = "the one place for it here")]
fn is_update() -> bool {
    std::env::var_os("WW_UPDATE_DOCS").is_some()
}

fn line(text: &mut String, cells: &[String]) {
    writeln!(text, "| {} |", cells.join(" | ")).unwrap();
}

fn heading(text: &mut String, fixed: [&str; 3], behaviours: &[Behaviour], last: &[&str]) {
    let names = behaviours.iter().map(|behaviour| behaviour.name());
    let names: Vec<String> = fixed
        .into_iter()
        .chain(names)
        .chain(last.iter().copied())
        .map(str::to_owned)
        .collect();
    line(text, &names);
    line(text, &vec!["---".to_owned(); names.len()]);
}

fn first_cells(row: &Row) -> Vec<String> {
    let when = match row.turn {
        Turn::Start | Turn::Later | Turn::OneStop => "stop",
        Turn::Restart => "restart, stop",
        Turn::Stop => "stop, second stop",
        Turn::Failure => "`warmup` fails, stop",
    };
    vec![row.state.into(), format!("`{}`", row.script), when.into()]
}

/// Scripts for people.
fn list(short: &str) -> String {
    if short == "*" {
        return "as far as it came, `svcdown` if `svcup` was begun".into();
    }
    let (whole, rest) = short
        .strip_prefix('+')
        .map_or((None, short), |rest| (Some("…"), rest));
    let named = rest.split_whitespace().map(|one| format!("`{one}`"));
    let all: Vec<String> = whole.map(str::to_owned).into_iter().chain(named).collect();
    all.join(" ")
}

/// The stop finds a script that does not end.
fn running() -> String {
    let mut text = String::new();
    let last = ["scripts, in order", "last state, exit code"];
    heading(
        &mut text,
        ["state", "script", "what comes"],
        &RUNNING,
        &last,
    );
    for row in rows() {
        let mut cells = first_cells(&row);
        cells.extend(
            RUNNING
                .iter()
                .map(|&behaviour| row.bound(behaviour).to_string()),
        );
        let (state, code) = row.last(Behaviour::Hangs);
        cells.extend([list(row.cut), format!("{state}, {code}")]);
        line(&mut text, &cells);
    }
    text
}

/// A script has ended by itself; then comes the stop.
fn ended() -> String {
    let mut text = String::new();
    let last = ["well: scripts", "exit code", "failed: scripts", "exit code"];
    heading(&mut text, ["state", "script", "what comes"], &ENDED, &last);
    for row in rows() {
        let mut cells = first_cells(&row);
        cells.extend(
            ENDED
                .iter()
                .map(|&behaviour| row.end(behaviour).state.to_owned()),
        );
        for behaviour in [Behaviour::Exits(0), Behaviour::Exits(1)] {
            let (_, code) = row.last(behaviour);
            cells.extend([list(row.end(behaviour).scripts), code.to_string()]);
        }
        line(&mut text, &cells);
    }
    text
}

#[test]
fn the_documented_tables_are_the_tests_own() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/faults.md");
    let document = std::fs::read_to_string(path).expect("docs/faults.md");
    let (head, rest) = document.split_once(BEGIN).expect("the tables' begin");
    let (shown, tail) = rest.split_once(END).expect("the tables' end");
    let real = format!(
        "## Stopped while a script runs\n\n{}\n## Stopped after a script has ended\n\n{}",
        running(),
        ended()
    );
    if is_update() {
        std::fs::write(path, format!("{head}{BEGIN}{real}{END}{tail}")).unwrap();
        return;
    }
    assert!(
        shown == real,
        "docs/faults.md is out of date: WW_UPDATE_DOCS=1 writes it anew, with these tables:\n{real}"
    );
}
