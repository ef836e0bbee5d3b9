//! `events`: what happens, as it happens, one line each.

mod line;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use whaleware::lifecycle::State;
use whaleware::protocol::{HealthStatus, ServiceReport};

use self::line::{Event, about_host, fields, health, plain, service, stopping, transition};
use super::timeline::Timeline;
use super::{Context, record};
use crate::cli::{Events, Format};
use crate::engine::Scope;
use crate::exit::{Exit, Failure};
use crate::fleet::{Change, Container, ContainerKey, Fleet, HostStatus, Link};
use crate::output::Tone;
use crate::selection::Selection;

pub(super) async fn run(context: &Context, arguments: &Events) -> Result<Exit, Failure> {
    let mut live = context.live(Scope::Agents).await?;
    let selection = Selection {
        names: arguments.names.clone(),
        all: false,
        filters: arguments.filters.filters.clone(),
    };
    if !selection.names.is_empty() && selection.is_explicit() {
        // A name that is not there is a mistake; a pattern may match later.
        context.pick(&selection, &live.fleet).await?;
    }
    let mut teller = Teller::new(&live.fleet, selection, context.clock.now().wall);
    context.output.detail("watching; end with Ctrl-C");
    loop {
        let changes = live.next().await?;
        let now = context.clock.now().wall;
        for change in changes {
            for event in teller.tell(&live.fleet, change, now) {
                print(context, &event)?;
            }
        }
    }
}

/// Turns changes into lines, each thing told once.
struct Teller {
    selection: Selection,
    /// The containers that were named once and by which name they were told of last: who is
    /// renamed is the same.
    known: BTreeMap<ContainerKey, String>,
    /// When telling began; what was before is no news.
    began: Timestamp,
    timeline: Timeline,
    health: BTreeMap<ContainerKey, HealthStatus>,
    silent: BTreeSet<ContainerKey>,
    /// What was told last of each service.
    services: BTreeMap<ContainerKey, BTreeMap<String, ServiceReport>>,
}

impl Teller {
    fn new(fleet: &Fleet, selection: Selection, began: Timestamp) -> Self {
        let known = fleet
            .containers()
            .filter(|one| selection.names_it(one))
            .map(|one| (one.key.clone(), one.name.clone()))
            .collect();
        Self {
            selection,
            known,
            began,
            timeline: Timeline::from_now(fleet),
            health: BTreeMap::new(),
            silent: BTreeSet::new(),
            services: BTreeMap::new(),
        }
    }

    fn tell(&mut self, fleet: &Fleet, change: Change, now: Timestamp) -> Vec<Event> {
        let (key, change) = match change {
            Change::HostLive(host) => {
                return vec![about_host(
                    host,
                    "host",
                    "ANSWERS",
                    String::new(),
                    Tone::Good,
                    now,
                )];
            }
            Change::HostLost(host) => {
                let reason = match fleet.host(&host).map(|host| &host.status) {
                    Some(HostStatus::Lost { reason, .. }) => reason.clone(),
                    Some(HostStatus::Live | HostStatus::Reaching) | None => String::new(),
                };
                return vec![about_host(host, "host", "LOST", reason, Tone::Bad, now)];
            }
            Change::Gone(container) => {
                let accepted = self.accepts(&container);
                self.timeline.gone(&container.key);
                self.known.remove(&container.key);
                self.services.remove(&container.key);
                if !accepted {
                    return Vec::new();
                }
                return vec![plain(&container, "removed", "REMOVED", String::new(), now)];
            }
            Change::Appeared(ref key)
            | Change::State(ref key, _)
            | Change::Docker(ref key, _)
            | Change::Health(ref key, _)
            | Change::Service(ref key, _)
            | Change::Stopping(ref key, _)
            | Change::Note(ref key, _)
            | Change::Link(ref key)
            | Change::Details(ref key) => (key.clone(), change),
        };
        match fleet.get(&key) {
            Some(container) if self.accepts(container) => {
                let ahead = fleet
                    .host(&key.host)
                    .map_or(SignedDuration::ZERO, |host| host.skew);
                let renamed = self.renamed(container, now);
                let told = self.about(container, change, ahead, now);
                renamed.into_iter().chain(told).collect()
            }
            Some(_) | None => Vec::new(),
        }
    }

    fn accepts(&self, container: &Container) -> bool {
        (self.known.contains_key(&container.key) || self.selection.names_it(container))
            && self.selection.filters_accept(container)
    }

    fn renamed(&mut self, container: &Container, now: Timestamp) -> Option<Event> {
        let name = container.name.clone();
        let before = self.known.insert(container.key.clone(), name)?;
        (before != container.name).then(|| {
            plain(
                container,
                "renamed",
                "RENAMED",
                format!("was {before}"),
                now,
            )
        })
    }

    /// What there is to say; `ahead` is by how much the host's clock is ahead of ours.
    fn about(
        &mut self,
        container: &Container,
        change: Change,
        ahead: SignedDuration,
        now: Timestamp,
    ) -> Vec<Event> {
        match change {
            Change::Appeared(_) => {
                let word = container.state().map_or("APPEARED", State::name);
                vec![plain(
                    container,
                    "appeared",
                    word,
                    container.image.clone(),
                    now,
                )]
            }
            Change::Docker(key, state) => {
                if state == State::Dockerup {
                    self.timeline.started(&key);
                }
                self.health.remove(&key);
                self.silent.remove(&key);
                self.services.remove(&key);
                let mut event = plain(container, "state", state.name(), container.cause(), now);
                event.more.insert("state".into(), json!(state));
                event.more.insert("cause".into(), json!(event.text));
                event.tone = super::ls::tone(container.severity());
                vec![event]
            }
            Change::State(ref key, _) | Change::Details(ref key) => {
                let is_live = matches!(change, Change::State(..));
                let key = key.clone();
                // What the checks said when an agent was first heard is no news.
                if container.is_introduced() {
                    self.health.entry(key).or_insert_with(|| container.health());
                }
                let fresh = self.timeline.fresh(container);
                // A host may be reached for the first time long after telling began.
                let began = self.began.checked_add(ahead).unwrap_or(self.began);
                fresh
                    .iter()
                    .filter(|report| is_live || report.at >= began)
                    .map(|report| transition(container, report))
                    .collect()
            }
            Change::Health(key, report) => {
                let before = self.health.insert(key, report.status);
                // A check that says the same again is no news.
                if before == Some(report.status) {
                    return Vec::new();
                }
                vec![health(container, &report, now)]
            }
            Change::Service(key, report) => {
                let told = self.services.entry(key).or_default();
                // How far it is comes many times a second; how it stands and what it says is news.
                let before = told.insert(report.service.clone(), report.clone());
                let is_news = before.is_none_or(|mut before| {
                    before.progress = report.progress;
                    before != report
                });
                if is_news {
                    vec![service(container, &report, now)]
                } else {
                    Vec::new()
                }
            }
            Change::Stopping(_, report) => vec![stopping(container, &report)],
            Change::Note(_, note) => vec![plain(container, "note", "NOTE", note.text, note.at)],
            Change::Link(key) => self.link(container, key, now),
            Change::Gone(_) | Change::HostLive(_) | Change::HostLost(_) => Vec::new(),
        }
    }

    fn link(&mut self, container: &Container, key: ContainerKey, now: Timestamp) -> Vec<Event> {
        match &container.link {
            Link::Silent { reason, .. } => {
                self.silent.insert(key);
                let mut event = plain(container, "agent", "SILENT", reason.clone(), now);
                event.tone = Tone::Bad;
                vec![event]
            }
            Link::Live { .. } if self.silent.remove(&key) => {
                vec![plain(container, "agent", "ANSWERS", String::new(), now)]
            }
            Link::Live { .. } | Link::None | Link::Reaching { .. } => Vec::new(),
        }
    }
}

fn print(context: &Context, event: &Event) -> Result<(), Failure> {
    let output = context.output;
    let name = match &event.container {
        Some((_, name)) if context.has_several_hosts() => format!("{}/{name}", event.host),
        Some((_, name)) => name.clone(),
        None => event.host.to_string(),
    };
    match context.format {
        Format::Json | Format::Jsonl => output.data(&record::line(fields(event))),
        Format::Name => output.data(&format!("{name}\n")),
        Format::Table | Format::Wide => {
            let word = output.paint(&format!("{:<11}", event.word), event.tone);
            let at = output.paint(&format!("{:.3}", event.at), Tone::Dim);
            let line = format!("{at}  {name:<20}  {word}  {}", event.text);
            output.data(&format!("{}\n", line.trim_end()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::EngineEvent;
    use crate::fleet::scene::{at, event, up, wall};

    fn words(teller: &mut Teller, fleet: &Fleet, changes: Vec<Change>) -> Vec<String> {
        let tell = |change| teller.tell(fleet, change, wall());
        let told: Vec<_> = changes.into_iter().flat_map(tell).collect();
        told.iter()
            .map(|event| format!("{} {}", event.word, event.text).trim().to_owned())
            .collect()
    }

    #[test]
    fn who_is_renamed_is_still_told_of() {
        let mut fleet = up();
        let mut teller = Teller::new(&fleet, Selection::one("name-a"), wall());
        let changes = fleet.apply(event("a", EngineEvent::Renamed("b".into())), at(10));
        assert_eq!(words(&mut teller, &fleet, changes), ["RENAMED was name-a"]);
        let died = EngineEvent::Died {
            code: 0,
            out_of_memory: false,
        };
        let changes = fleet.apply(event("a", died), at(20));
        assert_eq!(words(&mut teller, &fleet, changes).len(), 1);
        let changes = fleet.apply(event("a", EngineEvent::Removed), at(30));
        assert_eq!(words(&mut teller, &fleet, changes), ["REMOVED"]);
    }
    #[test]
    fn services_and_the_stages_of_a_stop_are_told_and_progress_is_not() {
        use crate::fleet::scene::frame;

        let mut fleet = up();
        let mut teller = Teller::new(&fleet, Selection::one("name-a"), wall());
        let service = |more: &str| {
            format!(r#"{{"type":"service","service":"web","since":"2026-11-22T16:15:00Z"{more}}}"#)
        };
        let mut told = Vec::new();
        for line in [
            service(r#","status":"starting","pid":31"#),
            service(r#","status":"starting","pid":31,"progress":10"#),
            service(r#","status":"starting","pid":31,"progress":20"#),
            service(r#","status":"up","pid":31,"text":"serving""#),
            service(r#","status":"waiting","exit":3,"restarts":1"#),
            r#"{"type":"stopping","stage":"services","at":"2026-11-22T16:15:00Z","limit_ms":60000}"#.into(),
            r#"{"type":"stopping","stage":"svcdown","at":"2026-11-22T16:15:01Z"}"#.into(),
        ] {
            let changes = fleet.apply(frame("a", &line), at(10));
            told.extend(words(&mut teller, &fleet, changes));
        }
        assert_eq!(
            told,
            [
                "starting service web, pid 31",
                "up service web, pid 31, serving",
                "waiting service web, started again once, last exited 3",
                "services stopping, 1m at most",
                "svcdown stopping, no cap",
            ]
        );
    }
}
