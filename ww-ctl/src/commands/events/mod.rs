//! `events`: what happens, as it happens, one line each.

mod line;
mod past;
mod recalled;
mod remembered;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use whaleware::lifecycle::State;
use whaleware::protocol::{HealthStatus, ServiceReport};

use self::line::{Event, about_host, fields, health, plain, service, stopping, transition};
use self::past::{Past, Told, past};
use super::hosts::Hosts;
use super::live::Live;
use super::timeline::Timeline;
use super::{Context, record};
use crate::cli::{Events, Format};
use crate::engine::Scope;
use crate::exit::{Exit, Failure};
use crate::fleet::{Change, Container, ContainerKey, Fleet, Link};
use crate::output::Tone;
use crate::selection::Selection;

pub(super) async fn run(context: &Context, arguments: &Events) -> Result<Exit, Failure> {
    let selection = Selection {
        names: arguments.names.clone(),
        all: false,
        filters: arguments.filters.filters.clone(),
    };
    let Some(since) = arguments.since else {
        return from_now(context, selection).await;
    };
    let now = context.clock.now().wall;
    let since = since.time(now);
    let until = arguments.until.map(|until| until.time(now));
    if until.is_some_and(|until| until < since) {
        let message = format!("nothing is between {since} and a time before it");
        return Err(Failure::new(Exit::Usage, message).hint("is --until before --since?"));
    }
    let Past {
        events,
        teller,
        live,
        told,
        exit,
    } = past(context, selection, since).await?;
    let in_time = |event: &&Event| until.is_none_or(|until| event.at <= until);
    for event in events.iter().filter(in_time) {
        print(context, event)?;
    }
    let goes_on = go_on(context, teller, live, &told);
    match until.map(|until| until.duration_since(context.clock.now().wall)) {
        None => goes_on.await,
        Some(left) => {
            let left = std::time::Duration::try_from(left).unwrap_or_default();
            tokio::time::timeout(left, goes_on)
                .await
                .unwrap_or(Ok(exit))
        }
    }
}

/// What happens from now on.
async fn from_now(context: &Context, selection: Selection) -> Result<Exit, Failure> {
    let live = context.live(Scope::Agents, &selection).await?;
    if !selection.names.is_empty() && selection.is_explicit() {
        // A name that is not there is a mistake; a pattern may match later.
        context.pick(&selection, &live.fleet).await?;
    }
    let teller = Teller::new(&live.fleet, selection, context.clock.now().wall);
    go_on(context, teller, live, &Told::default()).await
}

/// Tells what happens, but what was told already.
async fn go_on(
    context: &Context,
    mut teller: Teller,
    mut live: Live,
    told: &Told,
) -> Result<Exit, Failure> {
    let mut hosts = Hosts::from_now(&live.fleet);
    context.output.detail("watching; end with Ctrl-C");
    loop {
        let changes = live.next().await?;
        let now = context.clock.now();
        for change in changes {
            if let Some((host, news)) = hosts.news(&live.fleet, &change, now) {
                if !context.output.is_terminal() {
                    // Whoever reads the other stream only is told, too.
                    let words = news.words(now.wall);
                    context.output.say(&format!("host {host}: {words}"));
                }
                print(context, &about_host(host, &news, now.wall))?;
            }
            for event in teller.tell(&live.fleet, change, now.wall) {
                if !told.has(&event) {
                    print(context, &event)?;
                }
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
            timeline: Timeline::of_heard(fleet),
            health: BTreeMap::new(),
            silent: BTreeSet::new(),
            services: BTreeMap::new(),
        }
    }

    /// One that tells what has happened since a time, too, as far as it comes to be known.
    fn since(selection: Selection, began: Timestamp) -> Self {
        Self::new(&Fleet::default(), selection, began)
    }

    /// A container has had this name before anything is told of it.
    fn knows(&mut self, container: &Container) {
        if self.selection.names_it(container) {
            let name = container.name.clone();
            self.known.entry(container.key.clone()).or_insert(name);
        }
    }

    fn tell(&mut self, fleet: &Fleet, change: Change, now: Timestamp) -> Vec<Event> {
        let (key, change) = match change {
            Change::HostLive(_) | Change::HostLost(_) => return Vec::new(),
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
            let text = format!("was {before}");
            let mut event = plain(container, "renamed", "RENAMED", text, now);
            event.more.insert("was".into(), json!(before));
            event
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
                let image = container.image.clone();
                let mut event = plain(container, "appeared", word, image, now);
                event.more.insert("state".into(), json!(container.state()));
                event.more.insert("image".into(), json!(container.image));
                vec![event]
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
                // Docker does not tell what was before.
                for unknown in ["from", "lasted_ms", "restarts"] {
                    event.more.insert(unknown.into(), Value::Null);
                }
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
        Some((_, name)) => context.name_of(&event.host, name),
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

    #[test]
    fn an_engine_that_comes_back_brings_what_was_missed_once_and_nothing_else() {
        use crate::fleet::scene::{HOST, frame, listed, listing, snapshot, state};
        use crate::fleet::{EngineState, Input};

        let mut fleet = up();
        let mut teller = Teller::new(&fleet, Selection::default(), wall());
        let died = || EngineEvent::Died {
            code: 0,
            out_of_memory: false,
        };
        let exited = EngineState::Exited {
            code: Some(0),
            out_of_memory: false,
        };
        let again = || {
            let then = r#""number":5,"at":"2026-11-22T16:14:52Z""#;
            let now = r#""number":7,"at":"2026-11-22T16:15:31Z""#;
            frame("a", &snapshot("UP", 0).replace(then, now))
        };
        let lost = Input::HostLost {
            host: HOST.into(),
            since: None,
            reason: "it closed the connection".into(),
        };
        let mut told = Vec::new();
        for (millis, input) in [
            (10, lost.clone()),
            // Its agent is heard all the while, and after a break tells what it has told before.
            (20, frame("a", &state(6, "RESTARTING", "SIGHUP"))),
            (30, again()),
            (40, again()),
            // The Engine is back, and nothing has changed.
            (50, listing(vec![listed("a", EngineState::Running)])),
            (60, again()),
            // Lost again; it has ended meanwhile, which its events tell first, and the listing too.
            (70, lost.clone()),
            (80, event("a", died())),
            (90, listing(vec![listed("a", exited)])),
            // Or the other way round.
            (100, event("a", EngineEvent::Started)),
            (110, lost),
            (120, listing(vec![listed("a", exited)])),
            (130, event("a", died())),
        ] {
            let changes = fleet.apply(input, at(millis));
            told.extend(words(&mut teller, &fleet, changes));
        }
        assert_eq!(
            told,
            [
                "RESTARTING SIGHUP (after UP for 29s)",
                "UP warmup finished",
                "DOCKERDOWN exited 0 while UP",
                "DOCKERUP",
                "DOCKERDOWN exited 0",
            ]
        );
    }

    #[test]
    fn what_a_test_seldom_sees_is_as_the_schema_says() {
        use super::super::hosts::News;
        use crate::commands::shape::Shapes;
        use crate::fleet::Input;
        use crate::fleet::scene::{HOST, frame, key};

        let shapes = Shapes::new();
        let mut fleet = up();
        let mut teller = Teller::new(&fleet, Selection::one("name-a"), wall());
        let note = r#"{"type":"note","at":"2026-11-22T16:15:00Z","text":"no room"}"#;
        let state = r#"{"type":"state","number":6,"at":"2026-11-22T16:15:00Z","from":"UP","state":"RESTARTING","cause":"SIGHUP","lasted_ms":1}"#;
        let lost = Input::AgentLost {
            key: key("a"),
            reason: "it said nothing".into(),
        };
        let mut told = Vec::new();
        for input in [frame("a", note), frame("a", state), lost] {
            for change in fleet.apply(input, at(10)) {
                told.extend(teller.tell(&fleet, change, wall()));
            }
        }
        for news in [
            News::Lost {
                since: wall(),
                reason: "gone".into(),
            },
            News::Answers {
                after: Some(std::time::Duration::from_secs(1)),
            },
            News::Answers { after: None },
        ] {
            told.push(about_host(HOST.into(), &news, wall()));
        }
        for event in &told {
            shapes.document("event", &record::line(fields(event)));
        }
        let kinds: Vec<&str> = told.iter().map(|event| event.kind).collect();
        assert_eq!(kinds, ["note", "state", "agent", "host", "host", "host"]);
    }
}
