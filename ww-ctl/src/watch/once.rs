//! One look at the fleet: every host listed, every running agent's first two lines read.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt};
use tokio::net::UnixStream;
use whaleware::protocol::FromAgent;

use super::backups::{Backups, Plan};
use super::remembered;
use crate::agent::{Opened, Reach, ReachError, Session};
use crate::clock::Clock;
use crate::engine::{Endpoint, Engine, EngineError, Exits, Scope, Target, chain};
use crate::fleet::{ContainerKey, EngineState, Fleet, Input, Stamp};
use crate::selection::Selection;

/// So many agents are spoken to at a time.
const AT_ONCE: usize = 64;
/// The first two lines are there within this, or the agent is silent.
const INTRODUCTION: Duration = Duration::from_secs(2);

/// How long looking for backups may take.
const SEARCH: Duration = Duration::from_secs(1);

/// What was learned, and when: an agent that is waited for makes nothing else older.
type Learned = (Stamp, Input);

/// Where several hosts are asked, one that has not answered by then is done without.
const FIRST: Duration = Duration::from_secs(3);
/// The same over ssh, which logs in first.
const LOGGED_IN: Duration = Duration::from_secs(5);
/// And one that has answered, but does not list what it has.
pub(crate) const LISTING: Duration = Duration::from_secs(10);

/// A host that is done without.
#[derive(Debug)]
pub(crate) struct Absent {
    /// Which.
    pub target: Target,
    /// Why.
    pub error: EngineError,
}

/// How long a host is waited for when there are others.
pub(crate) const fn first_answer(target: &Target) -> Duration {
    match target.endpoint {
        Endpoint::Ssh(_) => LOGGED_IN,
        Endpoint::Unix(_) | Endpoint::Tcp(_) | Endpoint::Tls(_) => FIRST,
    }
}

/// Looks once; only the agents of those that may be meant are asked, and where `backups` is given their backups are
/// looked for. Hosts that do not answer are
/// in the model as lost, and their errors are returned beside it.
pub(crate) async fn look(
    targets: &[Target],
    scope: Scope,
    meant: &Selection,
    backups: Option<&Backups>,
    clock: Clock,
) -> (Fleet, Vec<Absent>) {
    let alone = targets.len() == 1;
    gather(targets, clock, |target| async move {
        let early = Early::begin(target, meant);
        let engine = reach(target, alone, clock).await?;
        let host = LookedAt {
            target,
            engine,
            alone,
            clock,
        };
        host.look(early, scope, meant, backups).await
    })
    .await
}

/// Agents that are reached already while their Engine is asked what it has, which takes it a while:
/// those of what seems to run.
struct Early {
    guessed: BTreeSet<ContainerKey>,
    opened: Pin<Box<dyn Stream<Item = Opened>>>,
}

impl Early {
    /// Begins. Who is meant by name is known only afterwards.
    fn begin(target: &Target, meant: &Selection) -> Self {
        let ids = if meant.is_explicit() {
            Vec::new()
        } else {
            Reach::guess(target)
        };
        let ids: Vec<Arc<str>> = ids.into_iter().map(Arc::from).collect();
        let key = |id: &Arc<str>| ContainerKey {
            host: target.name.clone(),
            id: id.clone(),
        };
        Self {
            guessed: ids.iter().map(key).collect(),
            opened: Box::pin(Reach::open_all(ids)),
        }
    }
}

/// Lists what there is and asks no agent.
pub(crate) async fn list(targets: &[Target], scope: Scope, clock: Clock) -> (Fleet, Vec<Absent>) {
    let alone = targets.len() == 1;
    gather(targets, clock, |target| async move {
        let engine = reach(target, alone, clock).await?;
        let all = Selection::default();
        let listed = listing(target, &engine, alone, scope, &all, clock).await?;
        Ok(vec![listed.0])
    })
    .await
}

/// Lists only what has exactly this name, which costs an Engine with many containers much less.
pub(crate) async fn list_named(
    target: &Target,
    scope: Scope,
    name: &str,
    clock: Clock,
) -> (Fleet, Vec<Absent>) {
    gather(std::slice::from_ref(target), clock, |target| async move {
        let engine = reach(target, true, clock).await?;
        let containers = engine.named(scope, name).await?;
        let at = clock.now();
        let listing = Input::Listing {
            host: target.name.clone(),
            skew: engine.skew(),
            containers,
        };
        Ok(vec![(at, listing)])
    })
    .await
}

/// Asks one agent what it does.
pub(crate) async fn ask(engine: &Engine, key: &ContainerKey, fleet: &mut Fleet, clock: Clock) {
    for (at, input) in visit(&Reach::new(engine.clone()), key.clone(), clock).await {
        fleet.apply(input, at);
    }
}

async fn gather<'a, Seen>(
    targets: &'a [Target],
    clock: Clock,
    seen: impl Fn(&'a Target) -> Seen,
) -> (Fleet, Vec<Absent>)
where
    Seen: Future<Output = Result<Vec<Learned>, EngineError>>,
{
    let mut fleet = Fleet::new(targets.iter().map(|target| target.name.clone()));
    let mut absent = Vec::new();
    let mut looks: FuturesUnordered<_> = targets
        .iter()
        .map(|target| {
            let seen = seen(target);
            async move { (target, seen.await) }
        })
        .collect();
    while let Some((target, seen)) = looks.next().await {
        match seen {
            Ok(inputs) => {
                for (at, input) in inputs {
                    fleet.apply(input, at);
                }
            }
            Err(error) => {
                let lost = Input::HostLost {
                    host: target.name.clone(),
                    since: None,
                    reason: chain(&error),
                };
                fleet.apply(lost, clock.now());
                let target = target.clone();
                absent.push(Absent { target, error });
            }
        }
    }
    absent.sort_by(|one, other| one.target.name.cmp(&other.target.name));
    (fleet, absent)
}

/// Reaches a host, and waits longer for it where there is none besides.
async fn reach(target: &Target, alone: bool, clock: Clock) -> Result<Engine, EngineError> {
    let connecting = Engine::connect(target, clock);
    let engine = if alone {
        connecting.await?
    } else {
        in_time(first_answer(target), target, connecting).await?
    };
    remembered::answered(target, clock.now().wall);
    Ok(engine)
}

async fn in_time<T>(
    limit: Duration,
    target: &Target,
    asked: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, EngineError> {
    let answered = tokio::time::timeout(limit, asked).await;
    answered.unwrap_or_else(|_| Err(EngineError::silent(target, limit)))
}

/// The listing of a host, and the containers whose agents can be asked: a frozen one cannot answer.
async fn listing(
    target: &Target,
    engine: &Engine,
    alone: bool,
    scope: Scope,
    meant: &Selection,
    clock: Clock,
) -> Result<(Learned, Vec<ContainerKey>), EngineError> {
    let mut exits = Exits::default();
    let asked = engine.list(scope, &mut exits);
    let containers = if alone {
        asked.await?
    } else {
        in_time(LISTING, target, asked).await?
    };
    let at = clock.now();
    let keys = containers
        .iter()
        .filter(|one| one.has_agent && one.engine == EngineState::Running)
        .filter(|one| meant.may_mean(&target.name, one))
        .map(|one| ContainerKey {
            host: target.name.clone(),
            id: one.id.clone(),
        })
        .collect();
    let listing = Input::Listing {
        host: target.name.clone(),
        skew: engine.skew(),
        containers,
    };
    Ok(((at, listing), keys))
}

/// A host that is looked at.
struct LookedAt<'a> {
    target: &'a Target,
    engine: Engine,
    alone: bool,
    clock: Clock,
}

impl LookedAt<'_> {
    async fn look(
        self,
        early: Early,
        scope: Scope,
        meant: &Selection,
        backups: Option<&Backups>,
    ) -> Result<Vec<Learned>, EngineError> {
        let clock = self.clock;
        let Early { guessed, opened } = early;
        let early = opened.map(|(id, opened)| {
            let host = self.target.name.clone();
            visit_early(opened, ContainerKey { host, id }, clock)
        });
        let mut early = pin!(early.buffer_unordered(AT_ONCE));
        let mut heard = BTreeMap::new();
        let (listing, wanted) = {
            let (target, engine) = (self.target, &self.engine);
            let mut listing = pin!(listing(target, engine, self.alone, scope, meant, clock));
            loop {
                tokio::select! {
                    listed = &mut listing => break listed?,
                    Some((key, told)) = early.next() => {
                        heard.insert(key, told);
                    }
                }
            }
        };
        let searched = self.search(&listing.1, meant, backups);
        let told = async {
            // Of those that are of no interest none is waited for.
            while wanted
                .iter()
                .any(|key| guessed.contains(key) && !heard.contains_key(key))
            {
                match early.next().await {
                    Some((key, told)) => heard.insert(key, told),
                    None => break,
                };
            }
            self.hear(wanted, heard).await
        };
        let (searched, told) = tokio::join!(searched, told);
        let inputs = std::iter::once(listing).chain(told).chain(searched);
        Ok(inputs.collect())
    }

    /// What the agents say that are wanted: those that were heard already, and the others.
    async fn hear(
        &self,
        wanted: Vec<ContainerKey>,
        mut heard: BTreeMap<ContainerKey, Option<Vec<Learned>>>,
    ) -> Vec<Learned> {
        let reach = Reach::new(self.engine.clone());
        let mut inputs = Vec::new();
        let mut missed = Vec::new();
        for key in wanted {
            match heard.remove(&key).flatten() {
                Some(told) => inputs.extend(told),
                None => missed.push(key),
            }
        }
        let mut visits = futures::stream::iter(missed)
            .map(|key| visit(&reach, key, self.clock))
            .buffer_unordered(AT_ONCE);
        while let Some(heard) = visits.next().await {
            inputs.extend(heard);
        }
        inputs
    }

    /// The backups of those that may be meant.
    async fn search(
        &self,
        listing: &Input,
        meant: &Selection,
        backups: Option<&Backups>,
    ) -> Option<Learned> {
        let (Some(backups), Input::Listing { containers, .. }) = (backups, listing) else {
            return None;
        };
        let host = &self.target.name;
        let plan = Plan::new(containers, |one| meant.may_mean(host, one));
        let found = backups.find(&self.engine, plan, SEARCH).await;
        let host = host.clone();
        Some((self.clock.now(), Input::Backups { host, found }))
    }
}

/// What an agent says of itself, if it was reached without the Engine's help.
async fn visit_early(
    opened: Result<UnixStream, ReachError>,
    key: ContainerKey,
    clock: Clock,
) -> (ContainerKey, Option<Vec<Learned>>) {
    let session = match opened {
        Ok(stream) => Reach::greet(stream).await,
        Err(error) => Err(error),
    };
    let told = match session {
        Ok(session) => Some(introduce(session, key.clone(), clock).await),
        Err(ReachError::NoWay(_) | ReachError::NotListening) => None,
        Err(error) => Some(lost(key.clone(), error.to_string(), clock)),
    };
    (key, told)
}

async fn visit(reach: &Reach, key: ContainerKey, clock: Clock) -> Vec<Learned> {
    match reach.connect(&key.id).await {
        Ok(session) => introduce(session, key, clock).await,
        Err(error) => lost(key, error.to_string(), clock),
    }
}

fn lost(key: ContainerKey, reason: String, clock: Clock) -> Vec<Learned> {
    vec![(clock.now(), Input::AgentLost { key, reason })]
}

async fn introduce(mut session: Session, key: ContainerKey, clock: Clock) -> Vec<Learned> {
    let route = session.route();
    let introduced = tokio::time::timeout(INTRODUCTION, session.introduction()).await;
    let now = clock.now();
    let told = match introduced {
        Ok(Ok((hello, snapshot))) => vec![
            Input::Reached {
                key: key.clone(),
                route,
            },
            Input::Frame {
                key: key.clone(),
                frame: Box::new(FromAgent::Hello(hello)),
            },
            Input::Frame {
                key,
                frame: Box::new(FromAgent::Snapshot(snapshot)),
            },
        ],
        Ok(Err(error)) => return lost(key, error.to_string(), clock),
        Err(_) => {
            let reason = format!("it said nothing for {} s", INTRODUCTION.as_secs());
            return lost(key, reason, clock);
        }
    };
    told.into_iter().map(|input| (now, input)).collect()
}
