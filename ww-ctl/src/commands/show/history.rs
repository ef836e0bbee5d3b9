//! `show NAME --history`: what has happened, in this boot and those before it.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use whaleware::lifecycle::State;
use whaleware::protocol::{HistoryEntry, HistoryEvent};

use super::kept::{History, Keeper, Own};
use super::page::{Page, date};
use crate::cli::Format;
use crate::commands::record;
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, clean, is_stop_code};
use crate::output::{Output, Tone};
use crate::table::Cell;
use crate::table::Column;
use crate::units::duration;

/// The most characters of a text.
const TEXT: usize = 256;

pub(super) async fn run(keeper: &Keeper<'_>, most: usize) -> Result<Exit, Failure> {
    let history = keeper.history().await?;
    let entries = &history.entries;
    if entries.is_empty() {
        return Err(keeper
            .failed("history", "nothing is kept")
            .hint("an agent keeps it in /data/.ww, where /data can be written"));
    }
    let shown = &entries[entries.len().saturating_sub(most)..];
    let Keeper {
        context, container, ..
    } = keeper;
    let text = match context.format {
        Format::Name => super::name_line(context, container),
        Format::Jsonl => shown
            .iter()
            .map(|entry| record::line_of(json!(entry)))
            .collect(),
        Format::Json => record::document(document(container, &history, shown)),
        Format::Table | Format::Wide => {
            let left_out = entries.len() - shown.len();
            if left_out > 0 {
                let all = entries.len();
                context.output.say(&format!(
                    "{left_out} earlier entries are left out; -n {all} shows all"
                ));
            }
            page(entries, left_out, &history.own, context.output)
        }
    };
    context.output.data(&text)?;
    Ok(Exit::Done)
}

fn document(
    container: &Container,
    history: &History,
    shown: &[HistoryEntry],
) -> Map<String, Value> {
    Map::from_iter([
        ("host".to_owned(), json!(*container.key.host)),
        ("id".to_owned(), json!(*container.key.id)),
        ("name".to_owned(), json!(container.name)),
        ("from".to_owned(), json!(history.source.word())),
        ("boot".to_owned(), json!(history.own.boot)),
        ("hostname".to_owned(), json!(history.own.hostname)),
        ("kept".to_owned(), json!(history.entries.len())),
        ("entries".to_owned(), json!(shown)),
    ])
}

/// The boots one after the other, each with its entries, the first `left_out` entries apart.
fn page(entries: &[HistoryEntry], left_out: usize, own: &Own, output: Output) -> String {
    let mut page = Page::new(output);
    let boots = boots(entries);
    let goes_on = going_on(&boots, own);
    let names: BTreeSet<&str> = boots.iter().filter_map(Boot::hostname).collect();
    let is_shared = names.len() > 1;
    for boot in &boots {
        let shown: Vec<usize> = (0..boot.entries.len())
            .filter(|index| boot.entries[*index].0 >= left_out)
            .collect();
        if shown.is_empty() {
            continue;
        }
        let whose = if is_shared {
            boot.whose(own)
        } else {
            String::new()
        };
        page.heading(&boot.title(&whose));
        let rows: Vec<Vec<Cell>> = shown.into_iter().map(|index| boot.row(index)).collect();
        page.table(&COLUMNS, &rows);
        if boot.has_said_its_end() {
            continue;
        }
        if goes_on == Some(boot.id) {
            page.item(&page.output.paint("goes on", Tone::Good));
            continue;
        }
        let (end, tone) = if boot.is_of_another(own) {
            ("no end of it is known".to_owned(), Tone::Dim)
        } else {
            (boot.unexplained_end(), Tone::Bad)
        };
        page.item(&page.output.paint(&end, tone));
    }
    page.into_text()
}

/// The boot that goes on now: the one its agent names, or else the last of its own.
fn going_on<'a>(boots: &[Boot<'a>], own: &'a Own) -> Option<&'a str> {
    if !own.runs {
        return None;
    }
    own.boot.as_deref().or_else(|| {
        let mut boots = boots.iter().rev();
        boots
            .find(|boot| !boot.is_of_another(own))
            .map(|boot| boot.id)
    })
}

const COLUMNS: [Column; 5] = [
    Column::fixed("WHEN (UTC)"),
    Column::fixed("WHAT"),
    Column::elastic("NAME", 6),
    Column::number("LASTED"),
    Column::elastic("WHY", 12),
];

/// One boot: what happened in it, each entry with its place in the whole.
struct Boot<'a> {
    id: &'a str,
    entries: Vec<(usize, &'a HistoryEntry)>,
}

/// The boots in the order in which they began. Containers that share `/data` are told apart.
fn boots(entries: &[HistoryEntry]) -> Vec<Boot<'_>> {
    let mut boots: Vec<Boot<'_>> = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        match boots.iter_mut().rev().find(|boot| boot.id == entry.boot) {
            Some(boot) => boot.entries.push((place, entry)),
            None => boots.push(Boot {
                id: &entry.boot,
                entries: vec![(place, entry)],
            }),
        }
    }
    boots
}

impl<'a> Boot<'a> {
    fn hostname(&self) -> Option<&'a str> {
        self.entries
            .iter()
            .find_map(|(_, entry)| entry.hostname.as_deref())
    }

    /// Whether another container with the same `/data` was booted.
    fn is_of_another(&self, own: &Own) -> bool {
        if own.boot.as_deref() == Some(self.id) {
            return false;
        }
        match (self.hostname(), own.hostname.as_deref()) {
            (Some(its), Some(own)) => its != own,
            (None, _) | (_, None) => false,
        }
    }

    /// ` of web-2, another container`.
    fn whose(&self, own: &Own) -> String {
        let Some(name) = self.hostname() else {
            return String::new();
        };
        let another = if self.is_of_another(own) {
            ", another container"
        } else {
            ""
        };
        format!(" of {}{another}", clean(name, TEXT))
    }

    fn title(&self, whose: &str) -> String {
        let first = self.entries.first().map(|(_, entry)| *entry);
        let version = self
            .entries
            .iter()
            .find_map(|(_, entry)| entry.version.as_deref())
            .map_or_else(String::new, |version| {
                format!(", version {}", clean(version, TEXT))
            });
        let began = match first {
            Some(entry) if entry.event == HistoryEvent::Boot => {
                format!(", began {}", date(entry.at))
            }
            // What it began with is not kept any more.
            Some(_) | None => String::new(),
        };
        format!("boot {}{whose}{began}{version}", clean(self.id, TEXT))
    }

    fn row(&self, index: usize) -> Vec<Cell> {
        let (_, entry) = self.entries[index];
        let (what, tone) = if self.is_stop(index) {
            (what(entry).0, Tone::Plain)
        } else {
            what(entry)
        };
        let lasted = self.lasted(index).map_or_else(String::new, duration);
        vec![
            Cell::new(date(entry.at), Tone::Dim),
            Cell::new(what, tone),
            Cell::plain(clean(entry.name.as_deref().unwrap_or_default(), TEXT)),
            Cell::plain(lasted),
            Cell::plain(why(entry)),
        ]
    }

    /// Whether an entry is the end that a stop leads to.
    fn is_stop(&self, index: usize) -> bool {
        let (_, entry) = self.entries[index];
        let mut before = self.entries[..=index].iter().rev();
        entry.event == HistoryEvent::Exit
            && entry.exit.is_some_and(|code| is_stop_code(code.into()))
            && before.find_map(|(_, entry)| entry.state) == Some(State::Stopped)
    }

    /// How long the state lasted that an entry tells of: the one after it says, or its time.
    fn lasted(&self, index: usize) -> Option<Duration> {
        let (_, entry) = self.entries[index];
        if entry.event != HistoryEvent::State {
            return None;
        }
        let next = self.entries[index + 1..]
            .iter()
            .find(|(_, next)| matches!(next.event, HistoryEvent::State | HistoryEvent::Exit));
        let (_, next) = next?;
        Some(match next.lasted_ms {
            Some(millis) => Duration::from_millis(millis),
            None => between(entry.at, next.at),
        })
    }

    fn has_said_its_end(&self) -> bool {
        let said = |(_, entry): &(usize, &HistoryEntry)| entry.event == HistoryEvent::Exit;
        self.entries.iter().any(said)
    }

    /// How it ended, where it does not say so itself.
    fn unexplained_end(&self) -> String {
        let state = self.entries.iter().rev().find_map(|(_, entry)| entry.state);
        let state = state.map_or_else(String::new, |state| format!(" in {state}"));
        format!("ended without a word{state} (killed, or the host went down)")
    }
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

fn what(entry: &HistoryEntry) -> (String, Tone) {
    match (entry.event, entry.state) {
        (HistoryEvent::State, Some(state)) => (state.to_string(), state_tone(state)),
        (HistoryEvent::State, None) => ("state".into(), Tone::Plain),
        (HistoryEvent::Boot, _) => ("began".into(), Tone::Plain),
        (HistoryEvent::Hook, _) => ("script".into(), Tone::Bad),
        (HistoryEvent::Service, _) => ("service".into(), Tone::Bad),
        (HistoryEvent::Exit, _) => {
            let code = entry
                .exit
                .map_or_else(String::new, |code| format!(" {code}"));
            let tone = if entry.exit == Some(0) {
                Tone::Plain
            } else {
                Tone::Bad
            };
            (format!("exited{code}"), tone)
        }
        (HistoryEvent::Unknown, _) => ("?".into(), Tone::Dim),
    }
}

const fn state_tone(state: State) -> Tone {
    match state {
        State::Up => Tone::Good,
        State::Error => Tone::Bad,
        State::Restarting => Tone::Busy,
        State::Dockerup
        | State::Boot
        | State::Firstboot
        | State::Upgrading
        | State::Warmup
        | State::Stopped
        | State::Dockerdown => Tone::Plain,
    }
}

/// The cause, or at least the exit status.
fn why(entry: &HistoryEntry) -> String {
    match (&entry.cause, entry.exit) {
        (Some(cause), _) => clean(cause, TEXT),
        (None, Some(code)) if entry.event != HistoryEvent::Exit => format!("exited {code}"),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Verbosity;

    fn night() -> Vec<HistoryEntry> {
        [
            r#"{"at":"2026-11-21T22:00:09Z","boot":"a1","event":"state","state":"UP","cause":"warmup finished","lasted_ms":8400}"#,
            r#"{"at":"2026-11-22T03:02:11Z","boot":"a1","event":"service","name":"web","cause":"was ended by SIGKILL","exit":137}"#,
            r#"{"at":"2026-11-22T03:02:12Z","boot":"a1","event":"state","state":"RESTARTING","cause":"monitor exited 1\u001b[2J","lasted_ms":18123000}"#,
            r#"{"at":"2026-11-22T03:05:00Z","boot":"b2","event":"boot","version":"2.4.1"}"#,
            r#"{"at":"2026-11-22T03:05:00Z","boot":"b2","event":"state","state":"BOOT","cause":"container started","lasted_ms":0}"#,
            r#"{"at":"2026-11-22T03:05:01Z","boot":"b2","event":"hook","name":"boot","state":"BOOT","exit":3}"#,
            r#"{"at":"2026-11-22T03:05:01Z","boot":"b2","event":"state","state":"ERROR","cause":"boot exited 3","lasted_ms":1210}"#,
            r#"{"at":"2026-11-22T03:05:02Z","boot":"b2","event":"exit","state":"ERROR","cause":"boot exited 3","exit":1,"lasted_ms":700}"#,
        ]
        .map(|line| serde_json::from_str(line).unwrap())
        .to_vec()
    }

    fn seen(left_out: usize) -> String {
        let output = Output::new(Verbosity::Normal, true);
        page(&night(), left_out, &Own::default(), output)
    }

    fn own(runs: bool, boot: Option<&str>, hostname: Option<&str>) -> Own {
        Own {
            runs,
            boot: boot.map(str::to_owned),
            hostname: hostname.map(str::to_owned),
        }
    }

    #[test]
    fn boots_stand_apart_and_each_says_how_it_ended() {
        insta::assert_snapshot!(seen(0), @r"
        boot a1
          WHEN (UTC)           WHAT        NAME  LASTED  WHY
          2026-11-21 22:00:09  UP                 5h 2m  warmup finished
          2026-11-22 03:02:11  service     web           was ended by SIGKILL
          2026-11-22 03:02:12  RESTARTING                monitor exited 1
          ended without a word in RESTARTING (killed, or the host went down)

        boot b2, began 2026-11-22 03:05:00, version 2.4.1
          WHEN (UTC)           WHAT      NAME  LASTED  WHY
          2026-11-22 03:05:00  began
          2026-11-22 03:05:00  BOOT              1.2s  container started
          2026-11-22 03:05:01  script    boot          exited 3
          2026-11-22 03:05:01  ERROR            700ms  boot exited 3
          2026-11-22 03:05:02  exited 1                boot exited 3
        ");
    }

    #[test]
    fn what_is_left_out_leaves_durations_as_they_are() {
        insta::assert_snapshot!(seen(6), @r"
        boot b2, began 2026-11-22 03:05:00, version 2.4.1
          WHEN (UTC)           WHAT      NAME  LASTED  WHY
          2026-11-22 03:05:01  ERROR            700ms  boot exited 3
          2026-11-22 03:05:02  exited 1                boot exited 3
        ");
    }

    #[test]
    fn the_boot_that_goes_on_has_not_ended() {
        let entries = &night()[..3];
        let output = Output::new(Verbosity::Normal, true);
        let told = |runs| page(entries, 0, &own(runs, None, None), output);
        assert!(told(false).contains("ended without a word in RESTARTING"));
        assert!(!told(true).contains("without a word"));
    }

    #[test]
    fn containers_with_the_same_data_are_told_apart() {
        let entries = [
            r#"{"at":"2026-11-22T03:00:00Z","boot":"a0","hostname":"web-1","event":"boot"}"#,
            r#"{"at":"2026-11-22T04:00:00Z","boot":"a1","hostname":"web-1","event":"boot"}"#,
            r#"{"at":"2026-11-22T05:00:00Z","boot":"b1","hostname":"web-2","event":"boot"}"#,
        ]
        .map(|line| serde_json::from_str(line).unwrap());
        let output = Output::new(Verbosity::Normal, true);
        let told = |own: &Own| page(&entries, 0, own, output);
        let named = told(&own(true, Some("a1"), Some("web-1")));
        insta::assert_snapshot!(named, @r"
        boot a0 of web-1, began 2026-11-22 03:00:00
          WHEN (UTC)           WHAT   NAME  LASTED  WHY
          2026-11-22 03:00:00  began
          ended without a word (killed, or the host went down)

        boot a1 of web-1, began 2026-11-22 04:00:00
          WHEN (UTC)           WHAT   NAME  LASTED  WHY
          2026-11-22 04:00:00  began
          goes on

        boot b1 of web-2, another container, began 2026-11-22 05:00:00
          WHEN (UTC)           WHAT   NAME  LASTED  WHY
          2026-11-22 05:00:00  began
          no end of it is known
        ");
        // Its agent was not heard: the last of its own is the one.
        assert_eq!(told(&own(true, None, Some("web-1"))), named);
        let other = told(&own(true, Some("b1"), Some("web-2")));
        assert_eq!(other.matches("no end of it is known").count(), 2);
        let down = told(&own(false, None, Some("web-1")));
        assert_eq!(down.matches("ended without a word").count(), 2);
    }
}
