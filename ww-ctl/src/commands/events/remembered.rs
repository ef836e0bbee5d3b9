//! What an agent remembers, as lines.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use whaleware::lifecycle::State;
use whaleware::protocol::{HistoryEntry, HistoryEvent, TransitionReport};

use super::line::{Event, plain, transition};
use crate::fleet::{Container, clean};
use crate::output::Tone;

/// The most characters of a text.
const TEXT: usize = 256;
/// What an agent and its Engine tell of the same start or end is at most this far apart.
pub(super) const APART: SignedDuration = SignedDuration::from_secs(10);

/// An Engine's word that a container was started, or has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    pub at: Timestamp,
    pub is_start: bool,
}

/// Which entries are wanted.
pub(super) struct Wanted<'a> {
    pub container: &'a Container,
    /// By which host name its own boots are known.
    pub hostname: Option<&'a str>,
    pub since: Timestamp,
    /// Failures after this come by themselves.
    pub failures_until: Option<Timestamp>,
    /// What its Engine has told.
    pub turns: &'a [Turn],
}

impl Wanted<'_> {
    /// The lines of what is kept, oldest first. What an Engine has told too is left to it.
    pub(super) fn lines(&self, entries: &[HistoryEntry]) -> Vec<Event> {
        let mut boots: BTreeMap<&str, Boot> = BTreeMap::new();
        let begins = self.begins(entries);
        let mut lines = Vec::new();
        for entry in entries.iter().filter(|entry| self.is_own(entry)) {
            let boot = boots.entry(&entry.boot).or_default();
            // What came before says what a state followed on.
            let begin = begins.get(entry.boot.as_str()).copied();
            let line = self.line(entry, boot, begin.unwrap_or(entry.at));
            lines.extend(line.filter(|_| entry.at >= self.since));
        }
        lines
    }

    /// When its boots began.
    pub(super) fn begins<'a>(&self, entries: &'a [HistoryEntry]) -> BTreeMap<&'a str, Timestamp> {
        let mut begins: BTreeMap<&str, Timestamp> = BTreeMap::new();
        for entry in entries.iter().filter(|entry| self.is_own(entry)) {
            let begin = begins.entry(&entry.boot).or_insert(entry.at);
            *begin = entry.at.min(*begin);
        }
        begins
    }

    fn is_own(&self, entry: &HistoryEntry) -> bool {
        match (entry.hostname.as_deref(), self.hostname) {
            (Some(its), Some(own)) => its == own,
            (None, _) | (_, None) => true,
        }
    }

    fn line(&self, entry: &HistoryEntry, boot: &mut Boot, begin: Timestamp) -> Option<Event> {
        let cause = clean(entry.cause.as_deref().unwrap_or_default(), TEXT);
        match entry.event {
            HistoryEvent::State => {
                let state = entry.state?;
                boot.restarts += u32::from(state == State::Restarting);
                let report = TransitionReport {
                    number: 0,
                    at: entry.at,
                    from: boot.state.replace(state),
                    state,
                    cause,
                    lasted_ms: entry.lasted_ms.unwrap_or(0),
                    restarts: boot.restarts,
                };
                Some(transition(self.container, &report))
            }
            HistoryEvent::Boot if !self.was_told(entry.at, true) => {
                let text = format!("boot {} began", clean(&entry.boot, TEXT));
                Some(self.turn(State::Dockerup, text, begin))
            }
            HistoryEvent::Exit if !self.was_told(entry.at, false) => {
                let code = entry.exit.unwrap_or(-1);
                let state = boot
                    .state
                    .map_or(String::new(), |state| format!(" while {state}"));
                let text = match cause.as_str() {
                    "" => format!("exited {code}{state}"),
                    cause => format!("exited {code}{state}: {cause}"),
                };
                Some(self.turn(State::Dockerdown, text, entry.at))
            }
            HistoryEvent::Hook => self.failure("hook", "script", entry, cause),
            HistoryEvent::Service => self.failure("service", "service", entry, cause),
            HistoryEvent::Boot | HistoryEvent::Exit | HistoryEvent::Unknown => None,
        }
    }

    /// Whether the Engine has told of this start, or of this end.
    fn was_told(&self, at: Timestamp, is_start: bool) -> bool {
        let mut turns = self.turns.iter().filter(|turn| turn.is_start == is_start);
        turns.any(|turn| turn.at.duration_since(at).abs() <= APART)
    }

    fn turn(&self, state: State, text: String, at: Timestamp) -> Event {
        let mut event = plain(self.container, "state", state.name(), text, at);
        event.tone = Tone::Dim;
        event.more = Map::from_iter([
            ("state".to_owned(), json!(state)),
            ("cause".to_owned(), json!(event.text)),
            ("from".to_owned(), Value::Null),
            ("lasted_ms".to_owned(), Value::Null),
            ("restarts".to_owned(), Value::Null),
        ]);
        event
    }

    /// A script or a service has failed.
    fn failure(
        &self,
        kind: &'static str,
        what: &str,
        entry: &HistoryEntry,
        cause: String,
    ) -> Option<Event> {
        if self.failures_until.is_some_and(|until| entry.at > until) {
            return None;
        }
        let name = clean(entry.name.as_deref().unwrap_or_default(), TEXT);
        let cause = match (cause.is_empty(), entry.exit) {
            (true, Some(code)) => format!("exited {code}"),
            (true, None) | (false, _) => cause,
        };
        let text = format!("{what} {name}: {cause}");
        let mut event = plain(self.container, kind, "failed", text, entry.at);
        event.tone = Tone::Bad;
        event.more = Map::from_iter([
            (kind.to_owned(), json!(name)),
            ("status".to_owned(), json!("failed")),
            ("exit".to_owned(), json!(entry.exit)),
            ("detail".to_owned(), json!(cause)),
        ]);
        Some(event)
    }
}

/// What is known of a boot as its entries pass by.
#[derive(Debug, Default)]
struct Boot {
    state: Option<State>,
    restarts: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::record;
    use crate::commands::shape::Shapes;
    use crate::fleet::scene::{one, up};

    use super::super::line::fields;

    fn night() -> Vec<HistoryEntry> {
        [
            r#"{"at":"2026-11-22T03:00:00Z","boot":"a","hostname":"h","event":"boot"}"#,
            r#"{"at":"2026-11-22T03:00:00Z","boot":"a","hostname":"h","event":"state","state":"UP","cause":"warmup finished","lasted_ms":8400}"#,
            r#"{"at":"2026-11-22T03:00:30Z","boot":"x","hostname":"other","event":"boot"}"#,
            r#"{"at":"2026-11-22T03:01:00Z","boot":"a","hostname":"h","event":"state","state":"RESTARTING","cause":"monitor exited 1\u001b[2J","lasted_ms":60000}"#,
            r#"{"at":"2026-11-22T03:01:01Z","boot":"a","hostname":"h","event":"hook","name":"svcdown","state":"RESTARTING","exit":3}"#,
            r#"{"at":"2026-11-22T03:02:00Z","boot":"a","hostname":"h","event":"exit","exit":137}"#,
            r#"{"at":"2026-11-22T03:09:00Z","boot":"b","hostname":"h","event":"boot"}"#,
            r#"{"at":"2026-11-22T03:09:01Z","boot":"b","hostname":"h","event":"later"}"#,
            r#"{"at":"2026-11-22T03:09:05Z","boot":"b","hostname":"h","event":"service","name":"web","cause":"exited 9"}"#,
        ]
        .map(|line| serde_json::from_str(line).unwrap())
        .to_vec()
    }

    fn told(since: &str, until: Option<&str>, turns: &[Turn]) -> Vec<String> {
        let fleet = up();
        let wanted = Wanted {
            container: one(&fleet),
            hostname: Some("h"),
            since: since.parse().unwrap(),
            failures_until: until.map(|until| until.parse().unwrap()),
            turns,
        };
        let lines = wanted.lines(&night());
        let shapes = Shapes::new();
        for line in &lines {
            shapes.document("event", &record::line(fields(line)));
        }
        lines
            .iter()
            .map(|line| format!("{} {} {}", line.at.strftime("%M:%S"), line.word, line.text))
            .collect()
    }

    #[test]
    fn a_night_is_told_as_it_was_without_what_others_did() {
        assert_eq!(
            told("2026-11-22T03:00:30Z", None, &[]),
            [
                "01:00 RESTARTING monitor exited 1 (after UP for 1m)",
                "01:01 failed script svcdown: exited 3",
                "02:00 DOCKERDOWN exited 137 while RESTARTING",
                "09:00 DOCKERUP boot b began",
                "09:05 failed service web: exited 9",
            ]
        );
    }

    #[test]
    fn what_an_engine_tells_and_what_comes_by_itself_is_told_once() {
        let turn = |at: &str, is_start| Turn {
            at: at.parse().unwrap(),
            is_start,
        };
        let turns = [
            turn("2026-11-22T03:02:00.2Z", false),
            turn("2026-11-22T03:09:00.1Z", true),
        ];
        assert_eq!(
            told("2026-11-22T03:01:30Z", Some("2026-11-22T03:09:04Z"), &turns),
            [""; 0]
        );
        // Another start is not this one.
        let turns = [turn("2026-11-22T03:05:00Z", true)];
        assert_eq!(
            told("2026-11-22T03:08:00Z", Some("2026-11-22T03:09:04Z"), &turns).len(),
            1
        );
    }
}
