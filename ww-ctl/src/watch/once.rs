//! One look at the fleet: every host listed, every running agent's first two lines read.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use whaleware::protocol::FromAgent;

use crate::agent::{Reach, ReachError, Session};
use crate::clock::Clock;
use crate::engine::{Engine, EngineError, Exits, Scope, Target};
use crate::fleet::{ContainerKey, EngineState, Fleet, Input, Stamp};

/// So many agents are spoken to at a time.
const AT_ONCE: usize = 64;
/// The first two lines are there within this, or the agent is silent.
const INTRODUCTION: Duration = Duration::from_secs(2);

/// What was learned, and when: an agent that is waited for makes nothing else older.
type Learned = (Stamp, Input);

/// Looks once. Hosts that do not answer are in the model as lost, and their errors are returned
/// beside it.
pub(crate) async fn look(
    targets: &[Target],
    scope: Scope,
    clock: Clock,
) -> (Fleet, Vec<EngineError>) {
    gather(targets, clock, |target| look_at(target, scope, clock)).await
}

/// Lists what there is and asks no agent.
pub(crate) async fn list(
    targets: &[Target],
    scope: Scope,
    clock: Clock,
) -> (Fleet, Vec<EngineError>) {
    let inputs = |target| async move {
        let engine = Engine::connect(target, clock).await?;
        Ok(vec![listing(target, &engine, scope, clock).await?.0])
    };
    gather(targets, clock, inputs).await
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
) -> (Fleet, Vec<EngineError>)
where
    Seen: Future<Output = Result<Vec<Learned>, EngineError>>,
{
    let mut fleet = Fleet::new(targets.iter().map(|target| target.name.clone()));
    let mut errors = Vec::new();
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
                    reason: error.to_string(),
                };
                fleet.apply(lost, clock.now());
                errors.push(error);
            }
        }
    }
    (fleet, errors)
}

/// The listing of a host, and the containers whose agents can be asked: a frozen one cannot answer.
async fn listing(
    target: &Target,
    engine: &Engine,
    scope: Scope,
    clock: Clock,
) -> Result<(Learned, Vec<ContainerKey>), EngineError> {
    let containers = engine.list(scope, &mut Exits::default()).await?;
    let at = clock.now();
    let keys = containers
        .iter()
        .filter(|one| one.has_agent && one.engine == EngineState::Running)
        .map(|one| ContainerKey {
            host: target.name.clone(),
            id: one.id.clone(),
        })
        .collect();
    let listing = Input::Listing {
        host: target.name.clone(),
        clock: engine.time_at(at),
        containers,
    };
    Ok(((at, listing), keys))
}

async fn look_at(target: &Target, scope: Scope, clock: Clock) -> Result<Vec<Learned>, EngineError> {
    let engine = Engine::connect(target, clock).await?;
    let reach = Reach::new(engine.clone());
    let key = |id: &str| ContainerKey {
        host: target.name.clone(),
        id: Arc::from(id),
    };
    // The Engine takes a while to list; meanwhile those that seem to run are asked already.
    let guessed: BTreeSet<ContainerKey> = reach.guess().iter().map(|id| key(id)).collect();
    let mut early = futures::stream::iter(guessed.clone())
        .map(|key| visit_early(&reach, key, clock))
        .buffer_unordered(AT_ONCE);
    let mut heard = BTreeMap::new();
    let listed = {
        let mut listing = pin!(listing(target, &engine, scope, clock));
        loop {
            tokio::select! {
                listed = &mut listing => break listed?,
                Some((key, told)) = early.next() => {
                    heard.insert(key, told);
                }
            }
        }
    };
    let (listing, wanted) = listed;
    let mut inputs = vec![listing];
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
    let mut missed = Vec::new();
    for key in wanted {
        match heard.remove(&key).flatten() {
            Some(told) => inputs.extend(told),
            None => missed.push(key),
        }
    }
    let mut visits = futures::stream::iter(missed)
        .map(|key| visit(&reach, key, clock))
        .buffer_unordered(AT_ONCE);
    while let Some(heard) = visits.next().await {
        inputs.extend(heard);
    }
    Ok(inputs)
}

/// What an agent says of itself, if it can be reached without the Engine's help.
async fn visit_early(
    reach: &Reach,
    key: ContainerKey,
    clock: Clock,
) -> (ContainerKey, Option<Vec<Learned>>) {
    let told = match reach.connect_directly(&key.id).await {
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
