//! `events --since`: what has been, up to where what happens now goes on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout, timeout_at};
use whaleware::protocol::{FromAgent, HistoryAnswer, HistoryEntry, RequestKind};

use super::Teller;
use super::line::Event;
use super::recalled::Recall;
use super::remembered::{APART, Turn, Wanted};
use crate::commands::Context;
use crate::commands::live::Live;
use crate::commands::show::Keeper;
use crate::engine::Scope;
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, ContainerKey, Fleet, HostName, Input, Stamp, clean};
use crate::selection::Selection;
use crate::watch::FeedHandle;

/// How long agents may take to introduce themselves.
const INTRODUCED: Duration = Duration::from_secs(4);
/// How long an Engine may take to tell what it remembers, or a container's files to be read.
const RECALL: Duration = Duration::from_secs(10);
/// The most that is told of what one Engine remembers.
const RECALLED: usize = 10_000;

/// What has been, and how it goes on.
pub(super) struct Past {
    /// By time.
    pub events: Vec<Event>,
    pub teller: Teller,
    pub live: Live,
    pub told: Told,
    /// How it ends when all else goes well.
    pub exit: Exit,
}

/// The changes of state that were told already.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeSet<(HostName, String, Timestamp, String)>);

impl Told {
    fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        Self(events.into_iter().filter_map(Self::name).collect())
    }

    /// Whether this is one of them.
    pub(super) fn has(&self, event: &Event) -> bool {
        Self::name(event).is_some_and(|name| self.0.contains(&name))
    }

    /// An agent gives each its own time; what an Engine tells has none.
    fn name(event: &Event) -> Option<(HostName, String, Timestamp, String)> {
        let (id, _) = event.container.as_ref()?;
        event.more.contains_key("lasted_ms").then(|| {
            let (host, id) = (event.host.clone(), id.clone());
            (host, id, event.at, event.word.clone())
        })
    }
}

/// All that is known of what has happened since then.
///
/// What an Engine remembers ends exactly where its events begin to be watched. Of what an agent
/// remembers the transitions are told by their numbers, as those that follow; what has no number is
/// known by its time.
pub(super) async fn past(
    context: &Context,
    selection: Selection,
    since: Timestamp,
) -> Result<Past, Failure> {
    let mut present = Present {
        teller: Teller::since(selection.clone(), since),
        events: Vec::new(),
        listed: BTreeSet::new(),
        introduced: BTreeMap::new(),
    };
    let settled = context.live_and(Scope::Agents, &selection, |fleet, input, now| {
        present.take(fleet, input, now);
    });
    let (live, mut exit) = settled.await?;
    let mut meanwhile = Meanwhile {
        context,
        live,
        present,
    };
    let mut events = Vec::new();
    let mut is_known = false;
    for (host, seam) in meanwhile.live.began.clone() {
        let begin = meanwhile.at(&host, since);
        let mut recall = Recall::new(&host, &selection, begin);
        match recalled(context, &host, &mut recall, begin, seam).await {
            Ok(told) => events.extend(told),
            Err(failure) => {
                context.output.warn(&failure.message);
                exit = Exit::Engine;
            }
        }
        is_known |= recall.has_known;
    }
    if !selection.names.is_empty() && selection.is_explicit() && !is_known {
        context.pick(&selection, &meanwhile.live.fleet).await?;
    }
    meanwhile.introduce().await?;
    let histories = meanwhile.histories(&selection, since).await?;
    let recalled = events.len();
    events.append(&mut meanwhile.present.events);
    let turns = turns(&events);
    let known = Told::of(&events);
    let mut remembered = Vec::new();
    for (key, kept) in &histories {
        let Some(container) = meanwhile.live.fleet.get(key) else {
            continue;
        };
        let wanted = Wanted {
            container,
            hostname: kept.hostname.as_deref(),
            since: meanwhile.at(&key.host, since),
            failures_until: meanwhile.present.introduced.get(key).copied(),
            turns: turns.get(key).map_or(&[], Vec::as_slice),
        };
        let lines = wanted.lines(&kept.entries);
        let begins: Vec<Timestamp> = wanted.begins(&kept.entries).into_values().collect();
        bring_forward(&mut events, key, &begins);
        remembered.extend(lines.into_iter().filter(|line| !known.has(line)));
    }
    // What was told meanwhile came after what an agent remembers besides, in the same millisecond too.
    events.splice(recalled..recalled, remembered);
    events.sort_by_key(|event| (event.at, event.word != "DOCKERUP"));
    let Meanwhile { live, present, .. } = meanwhile;
    Ok(Past {
        told: Told::of(&events),
        events,
        teller: present.teller,
        live,
        exit,
    })
}

/// What an Engine remembers of the time before the seam.
async fn recalled(
    context: &Context,
    host: &HostName,
    recall: &mut Recall,
    since: Timestamp,
    seam: Timestamp,
) -> Result<VecDeque<Event>, Failure> {
    let last = seam.checked_sub(SignedDuration::from_nanos(1));
    let until = last.unwrap_or(seam);
    let mut told = VecDeque::new();
    if until < since {
        return Ok(told);
    }
    let reading = async {
        let engine = context.engine(host).await?;
        let mut all = pin!(engine.recall(Scope::Agents, since, until));
        while let Some(recalled) = all.next().await {
            told.extend(recall.take(recalled?, context.clock.now()));
            let surplus = told.len().saturating_sub(RECALLED);
            told.drain(..surplus);
        }
        Ok::<(), Failure>(())
    };
    match timeout(RECALL, reading).await {
        Ok(read) => read.map(|()| told),
        Err(_) => Err(Failure::new(
            Exit::Engine,
            format!(
                "the Engine did not tell what has happened within {} s",
                RECALL.as_secs()
            ),
        )),
    }
}

/// An Engine tells of a start when it is done, and by then the agent may be on its way. A start comes
/// before what it led to.
fn bring_forward(events: &mut [Event], key: &ContainerKey, begins: &[Timestamp]) {
    for event in events.iter_mut().filter(|event| event.host == key.host) {
        let is_its = event
            .container
            .as_ref()
            .is_some_and(|(id, _)| **id == *key.id);
        if event.word != "DOCKERUP" || !is_its {
            continue;
        }
        let late = |begin: &Timestamp| event.at.duration_since(*begin);
        let nearest = begins.iter().min_by_key(|begin| late(begin).abs());
        if let Some(begin) =
            nearest.filter(|begin| late(begin).is_positive() && late(begin) <= APART)
        {
            event.at = *begin;
        }
    }
}

/// When which containers were started and ended, by their Engines' word.
fn turns(events: &[Event]) -> BTreeMap<ContainerKey, Vec<Turn>> {
    let mut turns: BTreeMap<ContainerKey, Vec<Turn>> = BTreeMap::new();
    for event in events {
        let is_start = match event.word.as_str() {
            "DOCKERUP" => true,
            "DOCKERDOWN" => false,
            _ => continue,
        };
        if let Some((id, _)) = &event.container {
            let key = ContainerKey {
                host: event.host.clone(),
                id: id.as_str().into(),
            };
            let turn = Turn {
                at: event.at,
                is_start,
            };
            turns.entry(key).or_default().push(turn);
        }
    }
    turns
}

/// What is kept of a container.
struct Kept {
    entries: Vec<HistoryEntry>,
    hostname: Option<String>,
}

/// What happens already while the past is looked at.
struct Present {
    teller: Teller,
    events: Vec<Event>,
    /// Hosts that have listed what they have.
    listed: BTreeSet<HostName>,
    /// When agents have said how they stand, by their clocks.
    introduced: BTreeMap<ContainerKey, Timestamp>,
}

impl Present {
    fn take(&mut self, fleet: &mut Fleet, input: Input, now: Stamp) {
        let is_first = match &input {
            Input::Listing { host, .. } => self.listed.insert(host.clone()),
            Input::Frame { key, frame } => {
                if let FromAgent::Snapshot(snapshot) = &**frame {
                    self.introduced.entry(key.clone()).or_insert(snapshot.at);
                }
                false
            }
            Input::Engine { .. }
            | Input::HostLost { .. }
            | Input::Backups { .. }
            | Input::Used { .. }
            | Input::Reaching(_)
            | Input::Reached { .. }
            | Input::AgentLost { .. } => false,
        };
        for change in fleet.apply(input, now) {
            // What there was is no news.
            if !is_first {
                let told = self.teller.tell(fleet, change, now.wall);
                self.events.extend(told);
            }
        }
    }
}

/// Looks at the past while the present goes on.
struct Meanwhile<'a> {
    context: &'a Context,
    live: Live,
    present: Present,
}

impl Meanwhile<'_> {
    /// Takes in what happens next.
    async fn step(&mut self) -> Result<(), Failure> {
        let present = &mut self.present;
        self.live
            .next_to(|fleet, input, now| present.take(fleet, input, now))
            .await
    }

    /// A time of ours on a host's clock.
    fn at(&self, host: &HostName, time: Timestamp) -> Timestamp {
        let host = self.live.fleet.host(host);
        let ahead = host.map_or(SignedDuration::ZERO, |host| host.skew);
        time.checked_add(ahead).unwrap_or(time)
    }

    /// Waits until the agents of those that run have introduced themselves.
    async fn introduce(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + INTRODUCED;
        let expected = |live: &Live| {
            let mut running = live
                .fleet
                .containers()
                .filter(|one| one.engine.is_running());
            running.any(|one| live.is_expected(&one.key))
        };
        while expected(&self.live) {
            match timeout_at(deadline, self.step()).await {
                Ok(stepped) => stepped?,
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// What the agents keep, and what there is of those that have ended since then.
    async fn histories(
        &mut self,
        selection: &Selection,
        since: Timestamp,
    ) -> Result<BTreeMap<ContainerKey, Kept>, Failure> {
        let meant = |one: &&Container| one.has_agent && selection.accepts(one);
        let containers = self.live.fleet.containers().filter(meant);
        let (running, ended): (Vec<&Container>, Vec<&Container>) =
            containers.partition(|one| one.engine.is_running());
        let ended: Vec<Container> = ended
            .into_iter()
            .filter(|one| one.finished.is_some_and(|finished| finished >= since))
            .cloned()
            .collect();
        let asks = running.into_iter().map(|one| {
            let agent = one.agent.as_ref();
            let hello = agent.and_then(|agent| agent.hello.as_ref());
            let hostname = hello.map(|hello| hello.hostname.clone());
            let hostname = hostname.filter(|name| !name.is_empty());
            ask(
                self.live.handle().clone(),
                one.key.clone(),
                one.name.clone(),
                hostname,
            )
        });
        let mut asked = pin!(join_all(asks.collect::<Vec<_>>()));
        let answers = loop {
            tokio::select! {
                biased;
                answers = &mut asked => break answers,
                stepped = self.step() => stepped?,
            }
        };
        // An agent's answer came after all that it tells of; so what has come is taken in first.
        while self.live.has_more() {
            self.step().await?;
        }
        let mut kept = BTreeMap::new();
        for answer in answers {
            match answer {
                Ok((key, history)) => drop(kept.insert(key, history)),
                Err(words) => self.context.output.warn(&words),
            }
        }
        let reads = ended.iter().map(|one| self.read(one));
        for (key, history) in join_all(reads).await.into_iter().flatten() {
            kept.insert(key, history);
        }
        Ok(kept)
    }

    /// What is kept in the files of a container that does not run.
    async fn read(&self, container: &Container) -> Option<(ContainerKey, Kept)> {
        let key = container.key.clone();
        let reading = async {
            let engine = self.context.engine(&key.host).await?;
            let keeper = Keeper {
                context: self.context,
                engine: &engine,
                container,
            };
            keeper.history().await
        };
        match timeout(RECALL, reading).await {
            Ok(Ok(history)) => {
                let kept = Kept {
                    entries: history.entries,
                    hostname: history.own.hostname,
                };
                Some((key, kept))
            }
            // Many keep none.
            Ok(Err(failure)) => {
                self.context.output.detail(&failure.message);
                None
            }
            Err(_) => {
                let name = &container.name;
                let text = format!("{name}: what it keeps could not be read in time");
                self.context.output.warn(&text);
                None
            }
        }
    }
}

/// What an agent keeps, or why it does not tell.
async fn ask(
    handle: FeedHandle,
    key: ContainerKey,
    name: String,
    hostname: Option<String>,
) -> Result<(ContainerKey, Kept), String> {
    let failed = |reason: &str| format!("{name}: what its agent keeps is not told: {reason}");
    let answer = handle.ask(&key, RequestKind::History).await;
    let answer = answer.map_err(|error| failed(&error.to_string()))?;
    if let Some(error) = answer.error {
        return Err(failed(&clean(&error.message, 256)));
    }
    let history: HistoryAnswer = serde_json::from_value(answer.result.unwrap_or_default())
        .map_err(|error| failed(&format!("its answer makes no sense: {error}")))?;
    let kept = Kept {
        entries: history.entries,
        hostname,
    };
    Ok((key, kept))
}
