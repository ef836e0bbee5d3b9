//! `audit`: who did what, when, and how it ended.

use serde_json::{Map, Value, json};

use super::{Context, record};
use crate::audit::{Ending, Kept, Recorded, read};
use crate::cli::{Audit, AuditFilter, Format};
use crate::engine::chain;
use crate::environment;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::output::{Tone, lines};
use crate::selection::matches_glob;
use crate::table::{self, Cell, Column};
use crate::units::duration;

/// So many targets are named in a cell.
const NAMED: usize = 3;
/// The most characters of a text that are shown.
const TEXT: usize = 512;

pub(super) fn run(context: &Context, arguments: &Audit) -> Result<Exit, Failure> {
    let now = context.clock.now().wall;
    let since = arguments.since.map(|since| since.time(now));
    let Some(path) = context.audit.path() else {
        let message = "cannot find the audit journal: neither HOME nor XDG_STATE_HOME is set";
        return Err(Failure::new(Exit::Failed, message).hint("name it with WW_AUDIT_FILE"));
    };
    let kept = read(path, &environment::hostname()).map_err(|error| {
        Failure::new(Exit::Failed, chain(&error))
            .hint("is it yours? each user has one; WW_AUDIT_FILE names another")
    })?;
    let Kept {
        actions,
        unreadable,
    } = kept;
    let accepted: Vec<Recorded> = actions
        .into_iter()
        .filter(|one| since.is_none_or(|since| one.at >= since))
        .filter(|one| arguments.filters.iter().all(|filter| accepts(filter, one)))
        .collect();
    let shown = &accepted[accepted.len().saturating_sub(arguments.lines)..];
    if unreadable > 0 {
        let lines = if unreadable == 1 {
            "1 line".to_owned()
        } else {
            format!("{unreadable} lines")
        };
        let text = format!("{lines} of {} cannot be read", path.display());
        context.output.warn(&text);
    }
    if shown.is_empty() {
        let path = path.display();
        context.output.say(&format!("no such action is in {path}"));
    }
    print(context, shown, unreadable)?;
    Ok(Exit::Done)
}

fn accepts(filter: &AuditFilter, action: &Recorded) -> bool {
    let any = |pattern: &str, of: fn(&crate::audit::Target) -> &str| {
        let mut targets = action.targets.iter();
        targets.any(|target| matches_glob(pattern, of(target)))
    };
    match filter {
        AuditFilter::Name(pattern) => any(pattern, |target| &target.name),
        AuditFilter::Host(pattern) => any(pattern, |target| &target.host),
        AuditFilter::Action(pattern) => matches_glob(pattern, &action.action),
        AuditFilter::By(pattern) => matches_glob(pattern, &action.by),
    }
}

fn print(context: &Context, actions: &[Recorded], unreadable: usize) -> Result<(), Failure> {
    let output = context.output;
    let text = match context.format {
        Format::Json => record::document(Map::from_iter([
            (
                "actions".to_owned(),
                actions.iter().map(fields).map(Value::Object).collect(),
            ),
            ("unreadable".to_owned(), json!(unreadable)),
        ])),
        Format::Jsonl => actions.iter().map(fields).map(record::line).collect(),
        Format::Name => {
            let targets = actions.iter().flat_map(|one| &one.targets);
            lines(targets.map(|target| clean(&target.name, TEXT)))
        }
        Format::Table | Format::Wide if actions.is_empty() => String::new(),
        Format::Table | Format::Wide => {
            let is_wide = context.format == Format::Wide;
            let rows: Vec<_> = actions.iter().map(|one| row(one, is_wide)).collect();
            let width = output.width().filter(|_| !is_wide);
            let mut columns = vec![
                Column::fixed("TIME"),
                Column::elastic("BY", 8),
                Column::fixed("ACTION"),
                Column::elastic("TARGETS", 12),
                Column::elastic("RESULT", 12),
                Column::number("TOOK"),
            ];
            if is_wide {
                columns.push(Column::fixed("COMMAND"));
            }
            table::lines(&columns, &rows, width, output)
        }
    };
    output.data(&text)
}

fn row(action: &Recorded, is_wide: bool) -> Vec<Cell> {
    let (result, tone) = result(action);
    let took = match &action.ending {
        Ending::Ended { took_ms, .. } => duration(std::time::Duration::from_millis(*took_ms)),
        Ending::UnderWay | Ending::Unknown => "–".to_owned(),
    };
    let mut row = vec![
        Cell::new(format!("{:.0}", action.at), Tone::Dim),
        Cell::plain(clean(&action.by, TEXT)),
        Cell::plain(clean(&action.action, TEXT)),
        Cell::plain(targets(action, is_wide)),
        Cell::new(result, tone),
        Cell::plain(took),
    ];
    if is_wide {
        row.push(Cell::plain(clean(&action.command.join(" "), 4 * TEXT)));
    }
    row
}

fn targets(action: &Recorded, all: bool) -> String {
    let shown = if all { action.targets.len() } else { NAMED };
    let names = action.targets.iter().take(shown);
    let mut text = names.map(|one| clean(&one.name, TEXT)).collect::<Vec<_>>();
    match action.targets.len().saturating_sub(shown) {
        0 => {}
        more => text.push(format!("and {more} more")),
    }
    text.join(", ")
}

/// How it ended, in words.
fn result(action: &Recorded) -> (String, Tone) {
    let (exit, words, results) = match &action.ending {
        Ending::UnderWay => return ("under way".to_owned(), Tone::Busy),
        Ending::Unknown => return ("not ended (killed?)".to_owned(), Tone::Bad),
        Ending::Ended {
            exit,
            words,
            results,
            ..
        } => (*exit, words, results),
    };
    let word = word(exit);
    let failed: Vec<_> = results.iter().filter(|one| !one.ok).collect();
    let why = match failed.as_slice() {
        [] => clean(words, TEXT),
        [first, ..] => {
            let count = match (failed.len(), results.len()) {
                (1, 1) => String::new(),
                (some, all) => format!("{some} of {all}: {}: ", clean(&first.target.name, TEXT)),
            };
            format!("{count}{}", clean(&first.words, TEXT))
        }
    };
    let tone = if exit == 0 { Tone::Good } else { Tone::Bad };
    match why.as_str() {
        "" => (word, tone),
        why => (format!("{word}: {why}"), tone),
    }
}

/// The exit codes in words.
fn word(exit: u8) -> String {
    match exit {
        0 => "done".into(),
        1 => "failed".into(),
        2 => "wrong usage".into(),
        3 => "no such container".into(),
        4 => "timed out".into(),
        5 => "Engine not reachable".into(),
        6 => "refused".into(),
        9 => "verify failed".into(),
        130 => "interrupted".into(),
        129.. => format!("ended by signal {}", exit - 128),
        _ => format!("exit code {exit}"),
    }
}

fn fields(action: &Recorded) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    put("at", json!(action.at));
    put("by", json!(action.by));
    put("uid", json!(action.uid));
    put("from", json!(action.from));
    put("action", json!(action.action));
    put("command", json!(action.command));
    put("targets", json!(action.targets));
    let (state, exit, words, took_ms, results) = match &action.ending {
        Ending::UnderWay => ("under_way", None, None, None, None),
        Ending::Unknown => ("unknown", None, None, None, None),
        Ending::Ended {
            exit,
            words,
            took_ms,
            results,
        } => (
            "ended",
            Some(exit),
            Some(words),
            Some(took_ms),
            Some(results),
        ),
    };
    put("ended", json!(state));
    put("exit", json!(exit));
    put("words", json!(words));
    put("took_ms", json!(took_ms));
    put("results", json!(results));
    fields
}
