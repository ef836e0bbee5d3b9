//! One Engine, watched: its events, its listings, and the agents of its containers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::container;
use super::feed::{Ask, AskError};
use crate::agent::Reach;
use crate::clock::Clock;
use crate::engine::{Engine, EngineError, Exits, Scope, Target, Told};
use crate::fleet::{ContainerKey, EngineEvent, EngineState, Input};

/// The first pause before an Engine is tried again; doubled up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(250);
/// The longest such pause.
const LONGEST: Duration = Duration::from_secs(10);
/// Events can stall in silence: an Engine is asked this often whether it is there.
const PING: Duration = Duration::from_secs(10);
/// And this often what it has, whatever its events said.
const RELIST: Duration = Duration::from_secs(30);
/// So many requests may wait for one agent.
const REQUESTS: usize = 16;

/// What watching one host takes.
#[derive(Clone)]
pub(super) struct Watch {
    pub target: Target,
    pub scope: Scope,
    pub clock: Clock,
    pub inputs: mpsc::Sender<Input>,
    pub tracker: TaskTracker,
    pub cancel: CancellationToken,
}

/// The connection to one container's agent.
struct Link {
    asks: mpsc::Sender<Ask>,
    cancel: CancellationToken,
}

/// What is kept from one connection to the Engine to the next.
#[derive(Default)]
struct Memory {
    exits: Exits,
    agents: HashMap<Arc<str>, bool>,
    links: HashMap<Arc<str>, Link>,
    last_event: Option<Timestamp>,
}

/// Why watching an Engine came to an end.
enum End {
    Cancelled,
    Failed(EngineError),
}

impl From<EngineError> for End {
    fn from(error: EngineError) -> Self {
        Self::Failed(error)
    }
}

/// Watches until cancelled.
pub(super) async fn run(watch: Watch, mut requests: mpsc::Receiver<Ask>) {
    let mut memory = Memory::default();
    let mut pause = FIRST;
    loop {
        let ended = tokio::select! {
            () = watch.cancel.cancelled() => End::Cancelled,
            ended = connection(&watch, &mut memory, &mut requests, &mut pause) => ended,
        };
        let End::Failed(error) = ended else { return };
        let lost = Input::HostLost {
            host: watch.target.name.clone(),
            reason: error.to_string(),
        };
        if watch.inputs.send(lost).await.is_err() {
            return;
        }
        tokio::select! {
            () = watch.cancel.cancelled() => return,
            () = tokio::time::sleep(jittered(pause, watch.clock)) => {}
        }
        pause = (pause * 2).min(LONGEST);
    }
}

/// Between three quarters of the pause and all of it, so that many do not knock at once.
fn jittered(pause: Duration, clock: Clock) -> Duration {
    let chance = clock.now().wall.subsec_nanosecond().unsigned_abs() % 256;
    pause.saturating_sub(pause * chance / 1024)
}

async fn connection(
    watch: &Watch,
    memory: &mut Memory,
    requests: &mut mpsc::Receiver<Ask>,
    pause: &mut Duration,
) -> End {
    match connected(watch, memory, requests, pause).await {
        Ok(never) => match never {},
        Err(end) => end,
    }
}

async fn connected(
    watch: &Watch,
    memory: &mut Memory,
    requests: &mut mpsc::Receiver<Ask>,
    pause: &mut Duration,
) -> Result<std::convert::Infallible, End> {
    let engine = Engine::connect(&watch.target, watch.clock).await?;
    let reach = Reach::new(engine.clone());
    // From before the listing on: what happens between the two is told, at worst twice.
    let since = memory.last_event.unwrap_or_else(|| engine.time());
    let mut events = Box::pin(engine.events(watch.scope, since));
    relist(watch, memory, &engine, &reach).await?;
    *pause = FIRST;
    let mut pings = interval_at(Instant::now() + PING, PING);
    let mut lists = interval_at(Instant::now() + RELIST, RELIST);
    loop {
        tokio::select! {
            told = next(&mut events) => {
                let told = told.ok_or_else(|| broken(&watch.target))??;
                happened(watch, memory, &engine, &reach, told).await?;
            }
            request = requests.recv() => match request {
                Some(ask) => forward(memory, ask),
                None => return Err(End::Cancelled),
            },
            _ = pings.tick() => engine.ping().await?,
            _ = lists.tick() => relist(watch, memory, &engine, &reach).await?,
        }
    }
}

async fn next(
    events: &mut (impl Stream<Item = Result<Told, EngineError>> + Unpin),
) -> Option<Result<Told, EngineError>> {
    events.next().await
}

fn broken(target: &Target) -> EngineError {
    EngineError::Broken {
        at: target.name.to_string(),
        what: "follow its events",
        reason: "it closed the connection".into(),
    }
}

fn forward(memory: &mut Memory, ask: Ask) {
    let Some(link) = memory.links.get(&ask.id) else {
        // Whoever asked may have left; that is no concern of ours.
        let _left = ask.reply.send(Err(AskError::NotReached));
        return;
    };
    if let Err(error) = link.asks.try_send(ask) {
        let (mpsc::error::TrySendError::Full(ask) | mpsc::error::TrySendError::Closed(ask)) = error;
        let _left = ask.reply.send(Err(AskError::NotReached));
    }
}

async fn relist(
    watch: &Watch,
    memory: &mut Memory,
    engine: &Engine,
    reach: &Reach,
) -> Result<(), End> {
    let listed = engine.list(watch.scope, &mut memory.exits).await?;
    memory.agents = listed
        .iter()
        .map(|one| (one.id.clone(), one.has_agent))
        .collect();
    let wanted: Vec<Arc<str>> = listed
        .iter()
        .filter(|one| one.has_agent && one.engine.is_running())
        .map(|one| one.id.clone())
        .collect();
    let listing = Input::Listing {
        host: watch.target.name.clone(),
        clock: engine.time(),
        containers: listed,
    };
    send(watch, listing).await?;
    memory.links.retain(|id, link| {
        let keep = wanted.contains(id);
        if !keep {
            link.cancel.cancel();
        }
        keep
    });
    for id in wanted {
        let entry = memory.links.entry(id.clone());
        entry.or_insert_with(|| link(watch, reach, &id));
    }
    Ok(())
}

async fn happened(
    watch: &Watch,
    memory: &mut Memory,
    engine: &Engine,
    reach: &Reach,
    told: Told,
) -> Result<(), End> {
    let Told { id, event, at } = told;
    memory.last_event = Some(at + jiff::SignedDuration::from_nanos(1));
    let mut started = false;
    match &event {
        EngineEvent::Known(listed) => {
            memory.agents.insert(id.clone(), listed.has_agent);
        }
        EngineEvent::Started => {
            started = true;
            memory.exits.forget(&id);
            unlink(memory, &id);
        }
        EngineEvent::Died { .. } => unlink(memory, &id),
        EngineEvent::Removed => {
            unlink(memory, &id);
            memory.agents.remove(&id);
        }
        EngineEvent::Paused | EngineEvent::Unpaused | EngineEvent::Renamed(_) => {}
    }
    if started && !memory.agents.contains_key(&id) {
        // It was made before we looked and is not in the listing: look again.
        return relist(watch, memory, engine, reach).await;
    }
    let event = if matches!(event, EngineEvent::Died { .. }) {
        about_to_restart(engine, &id).await?.unwrap_or(event)
    } else {
        event
    };
    let input = Input::Engine {
        key: key(watch, &id),
        event,
    };
    send(watch, input).await?;
    if started && memory.agents.get(&id) == Some(&true) {
        let link = link(watch, reach, &id);
        memory.links.insert(id, link);
    }
    Ok(())
}

/// A container that Docker starts again by its own policy has not ended for good, which its death
/// alone does not say.
async fn about_to_restart(engine: &Engine, id: &str) -> Result<Option<EngineEvent>, EngineError> {
    let listed = engine.list_one(id).await?;
    Ok(listed
        .filter(|listed| listed.engine == EngineState::Restarting)
        .map(|listed| EngineEvent::Known(Box::new(listed))))
}

fn unlink(memory: &mut Memory, id: &str) {
    if let Some(link) = memory.links.remove(id) {
        link.cancel.cancel();
    }
}

fn link(watch: &Watch, reach: &Reach, id: &Arc<str>) -> Link {
    let (asks, requests) = mpsc::channel(REQUESTS);
    let cancel = watch.cancel.child_token();
    let task = container::Watch {
        key: key(watch, id),
        reach: reach.clone(),
        inputs: watch.inputs.clone(),
        cancel: cancel.clone(),
    };
    watch.tracker.spawn(container::run(task, requests));
    Link { asks, cancel }
}

fn key(watch: &Watch, id: &Arc<str>) -> ContainerKey {
    ContainerKey {
        host: watch.target.name.clone(),
        id: id.clone(),
    }
}

async fn send(watch: &Watch, input: Input) -> Result<(), End> {
    watch.inputs.send(input).await.map_err(|_| End::Cancelled)
}
