//! One Engine, watched: its events, its listings, and the agents of its containers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval_at, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whaleware::lifecycle::Moment;

use super::backups::{Backups, Plan};
use super::feed::{Ask, AskError, First};
use super::{container, remembered};
use crate::agent::Reach;
use crate::clock::Clock;
use crate::engine::{Endpoint, Engine, EngineError, Exits, Scope, Target, Told, chain};
use crate::fleet::{ContainerKey, EngineEvent, EngineState, Input, Listed, Stamp};
use crate::selection::Selection;

/// The first pause before an Engine is tried again; doubled up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(250);
/// The longest such pause.
const LONGEST: Duration = Duration::from_secs(10);
/// The same where asking costs nothing: a socket of this machine. Whoever has just started an Engine
/// again looks at the dashboard.
const LONGEST_HERE: Duration = Duration::from_secs(1);
/// Events can stall in silence: an Engine is asked this often whether it is there.
const PING: Duration = Duration::from_secs(10);
/// And this often what it has, whatever its events said.
const RELIST: Duration = Duration::from_secs(30);
/// How long an Engine may take to say whether it starts a container again.
const DECISION: Duration = Duration::from_secs(2);
/// How long an Engine may take to list what it has, or what has happened.
const LISTING: Duration = Duration::from_secs(20);
/// That a host answers is remembered this often while it does.
const REMEMBER: Duration = Duration::from_secs(60);
/// Between two looks for backups of its containers: they are made by the hour at most.
const BACKUPS: Duration = Duration::from_secs(60);
/// How long such a look may take.
const SEARCH: Duration = Duration::from_secs(20);
/// So many containers are looked at closely at a time.
const AT_ONCE: usize = 8;

/// What watching one host takes.
#[derive(Clone)]
pub(super) struct Watch {
    pub target: Target,
    pub scope: Scope,
    /// Whose agents are to be reached, where not all are.
    pub meant: Option<Arc<Selection>>,
    /// What looks for backups of its containers, where they are wanted.
    pub backups: Option<Backups>,
    pub clock: Clock,
    pub inputs: mpsc::Sender<Input>,
    pub first: mpsc::Sender<First>,
    pub tracker: TaskTracker,
    pub cancel: CancellationToken,
}

/// The connection to one container's agent.
struct Link {
    asks: container::Asks,
    cancel: CancellationToken,
}

/// When a host answered last, by our clocks and by its own.
#[derive(Clone, Copy)]
struct Answered {
    ours: Stamp,
    its: Timestamp,
}

/// What is kept from one connection to the Engine to the next.
struct Memory {
    exits: Exits,
    /// The containers there are, and whether the agent of each is to be reached.
    agents: HashMap<Arc<str>, bool>,
    links: HashMap<Arc<str>, Link>,
    /// The lives that were told of: when each container was started last, by the Engine's clock.
    started: HashMap<Arc<str>, Timestamp>,
    /// What happened before is known, by the Engine's clock.
    known_until: Option<Timestamp>,
    answered: Option<Answered>,
    remembered: Option<Stamp>,
    /// When backups were looked for last.
    searched: Option<Moment>,
    /// Whether how it answered at first has been told.
    introduced: bool,
    /// Whether it answers now, for those who reach its agents.
    answers: watch::Sender<bool>,
}

impl Memory {
    fn new() -> Self {
        Self {
            exits: Exits::default(),
            agents: HashMap::new(),
            links: HashMap::new(),
            started: HashMap::new(),
            known_until: None,
            answered: None,
            remembered: None,
            searched: None,
            introduced: false,
            answers: watch::Sender::new(true),
        }
    }

    fn answered(&mut self, watch: &Watch, engine: &Engine) {
        let ours = watch.clock.now();
        let its = engine.time_at(ours);
        self.answered = Some(Answered { ours, its });
        let due = |last: Stamp| ours.moment - last.moment >= REMEMBER;
        if self.remembered.is_none_or(due) {
            self.remember(watch);
        }
    }

    fn remember(&mut self, watch: &Watch) {
        if let Some(Answered { ours, .. }) = self.answered {
            remembered::answered(&watch.target, ours.wall);
            self.remembered = Some(ours);
        }
    }
}

/// Why watching an Engine came to an end.
enum End {
    Cancelled,
    /// It does not answer; why, in words.
    Failed(String),
}

impl From<EngineError> for End {
    fn from(error: EngineError) -> Self {
        Self::Failed(chain(&error))
    }
}

/// Watches until cancelled.
pub(super) async fn run(watch: Watch, mut requests: mpsc::Receiver<Ask>) {
    let mut memory = Memory::new();
    let mut pause = FIRST;
    let longest = match watch.target.endpoint {
        Endpoint::Unix(_) => LONGEST_HERE,
        Endpoint::Tcp(_) | Endpoint::Tls(_) | Endpoint::Ssh(_) => LONGEST,
    };
    loop {
        let before = memory.answered.map(|last| last.ours);
        let ended = tokio::select! {
            () = watch.cancel.cancelled() => End::Cancelled,
            ended = connection(&watch, &mut memory, &mut requests, &mut pause) => ended,
        };
        let End::Failed(reason) = ended else {
            memory.remember(&watch);
            return;
        };
        memory.answers.send_replace(false);
        memory.remember(&watch);
        let lost = Input::HostLost {
            host: watch.target.name.clone(),
            since: memory.answered.map(|last| last.ours.moment),
            reason,
        };
        if watch.inputs.send(lost).await.is_err() {
            return;
        }
        tokio::select! {
            () = watch.cancel.cancelled() => return,
            () = tokio::time::sleep(jittered(pause, watch.clock)) => {}
        }
        // One that answers and breaks off costs it a listing each time, wherever it is.
        let broke_off = memory.answered.map(|last| last.ours) != before;
        pause = (pause * 2).min(if broke_off { LONGEST } else { longest });
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
    let engine = reach(watch, memory).await?;
    let reach = Reach::new(engine.clone());
    let before = memory.answered;
    // From before the listing on: what happens between the two is told, at worst twice.
    let mut since = memory.known_until.unwrap_or_else(|| engine.time());
    memory.known_until = Some(since);
    if before.is_some() {
        let past = in_time(engine.past(watch.scope, since).try_collect::<Vec<_>>()).await?;
        for told in past {
            happened(watch, memory, &engine, &reach, told).await?;
        }
        since = memory.known_until.unwrap_or(since);
    }
    let mut events = Box::pin(engine.events(watch.scope, since));
    relist(watch, memory, &engine, &reach, before).await?;
    memory.answered(watch, &engine);
    memory.answers.send_replace(true);
    let mut pings = interval_at(Instant::now() + PING, PING);
    let mut lists = interval_at(Instant::now() + RELIST, RELIST);
    loop {
        tokio::select! {
            told = next(&mut events) => {
                let told = told.ok_or_else(|| broken(&watch.target))??;
                happened(watch, memory, &engine, &reach, told).await?;
            }
            request = requests.recv() => {
                match request {
                    Some(ask) => forward(memory, ask),
                    None => return Err(End::Cancelled),
                }
                continue;
            }
            _ = pings.tick() => {
                engine.ping().await?;
                // Not before: one that answers and breaks off at once is asked ever more rarely, too.
                *pause = FIRST;
            }
            _ = lists.tick() => relist(watch, memory, &engine, &reach, None).await?,
        }
        memory.answered(watch, &engine);
    }
}

async fn reach(watch: &Watch, memory: &mut Memory) -> Result<Engine, End> {
    let connected = Engine::connect(&watch.target, watch.clock).await;
    let (outcome, engine) = match connected {
        Ok(engine) => {
            let since = *memory.known_until.get_or_insert_with(|| engine.time());
            (Ok(since), Ok(engine))
        }
        Err(error) => {
            let end = End::Failed(chain(&error));
            (Err(error), Err(end))
        }
    };
    if !memory.introduced {
        memory.introduced = true;
        let host = watch.target.name.clone();
        // There is room for one of each host; whoever does not want to know has left.
        let _left = watch.first.try_send(First { host, outcome });
    }
    engine
}

async fn in_time<T>(asked: impl Future<Output = Result<T, EngineError>>) -> Result<T, End> {
    if let Ok(answer) = timeout(LISTING, asked).await {
        return Ok(answer?);
    }
    let seconds = LISTING.as_secs();
    let reason = format!("it did not say within {seconds} s what containers it has");
    Err(End::Failed(reason))
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
    let Some(link) = memory.links.get_mut(&ask.id) else {
        // Whoever asked may have left; that is no concern of ours.
        let _left = ask.reply.send(Err(AskError::NotReached));
        return;
    };
    if let Err(error) = link.asks.try_send(ask) {
        let _left = error.into_inner().reply.send(Err(AskError::NotReached));
    }
}

async fn relist(
    watch: &Watch,
    memory: &mut Memory,
    engine: &Engine,
    reach: &Reach,
    lost: Option<Answered>,
) -> Result<(), End> {
    let mut listed = in_time(engine.list(watch.scope, &mut memory.exits)).await?;
    if let Some(before) = lost {
        tell_missed_lives(watch, memory, engine, before, &mut listed).await?;
    }
    memory.agents = listed
        .iter()
        .map(|one| (one.id.clone(), is_reached(watch, memory, one)))
        .collect();
    let agents = &memory.agents;
    memory.started.retain(|id, _| agents.contains_key(id));
    let wanted: Vec<Arc<str>> = listed
        .iter()
        .filter(|one| one.engine.is_running() && memory.agents.get(&one.id) == Some(&true))
        .map(|one| one.id.clone())
        .collect();
    let search = searching(watch, memory, &listed);
    let listing = Input::Listing {
        host: watch.target.name.clone(),
        skew: engine.skew(),
        containers: listed,
    };
    send(watch, listing).await?;
    if let Some((backups, plan)) = search {
        search_for(watch, engine, backups, plan);
    }
    memory.links.retain(|id, link| {
        let keep = wanted.contains(id);
        if !keep {
            link.cancel.cancel();
        }
        keep
    });
    for id in wanted {
        if !memory.links.contains_key(&id) {
            let link = link(watch, memory, reach, &id);
            memory.links.insert(id, link);
        }
    }
    Ok(())
}

/// Whose backups are to be looked for now, where they are.
fn searching(watch: &Watch, memory: &mut Memory, listed: &[Listed]) -> Option<(Backups, Plan)> {
    let backups = watch.backups.as_ref()?;
    let now = watch.clock.now().moment;
    if memory.searched.is_some_and(|last| now - last < BACKUPS) {
        return None;
    }
    memory.searched = Some(now);
    Some((backups.clone(), Plan::new(listed, |_| true)))
}

/// Beside all else: a vault may be slow.
fn search_for(watch: &Watch, engine: &Engine, backups: Backups, plan: Plan) {
    let (watch, engine) = (watch.clone(), engine.clone());
    watch.tracker.clone().spawn(async move {
        let searched = async {
            let input = Input::Backups {
                host: watch.target.name.clone(),
                found: backups.find(&engine, plan, SEARCH).await,
            };
            // Whoever wanted to know has left.
            let _left = send(&watch, input).await;
        };
        tokio::select! {
            () = watch.cancel.cancelled() => {}
            () = searched => {}
        }
    });
}

/// An Engine that was itself started anew has forgotten what happened before. A container that ran
/// when it was heard last and runs now may have ended and been started meanwhile: when it was started
/// says so.
async fn tell_missed_lives(
    watch: &Watch,
    memory: &mut Memory,
    engine: &Engine,
    before: Answered,
    listed: &mut [Listed],
) -> Result<(), End> {
    let running = listed
        .iter()
        .enumerate()
        .filter(|(_, one)| one.engine.is_running() && memory.agents.contains_key(&one.id))
        .map(|(place, one)| (place, one.id.clone()));
    let asked: Vec<_> = running.collect();
    let mut answers = futures::stream::iter(asked)
        .map(|(place, id)| async move { (place, engine.started(&id).await) })
        .buffer_unordered(AT_ONCE);
    let mut begun = Vec::new();
    while let Some((place, answer)) = answers.next().await {
        match answer {
            Ok(Some(started)) => begun.push((place, started)),
            Err(error) if error.is_engine_down() => return Err(error.into()),
            // It has gone meanwhile, which will be told.
            Ok(None) | Err(_) => {}
        }
    }
    drop(answers);
    begun.sort_unstable();
    for (place, started) in begun {
        let one = &mut listed[place];
        let told = memory.started.get(&one.id).copied().unwrap_or(before.its);
        if started <= told {
            continue;
        }
        unlink(memory, &one.id);
        memory.started.insert(one.id.clone(), started);
        let mut ended = one.clone();
        ended.engine = EngineState::Exited {
            code: None,
            out_of_memory: false,
        };
        ended.finished = Some(started);
        one.started = Some(started);
        for state in [ended, one.clone()] {
            let input = Input::Engine {
                key: key(watch, &one.id),
                event: EngineEvent::Known(Box::new(state)),
            };
            send(watch, input).await?;
        }
    }
    Ok(())
}

/// Whether a container's agent is to be reached. Who was meant once stays so under another name.
fn is_reached(watch: &Watch, memory: &Memory, listed: &Listed) -> bool {
    let is_meant = |meant: &Arc<Selection>| meant.may_mean(&watch.target.name, listed);
    listed.has_agent
        && (memory.agents.get(&listed.id) == Some(&true)
            || watch.meant.as_ref().is_none_or(is_meant))
}

async fn happened(
    watch: &Watch,
    memory: &mut Memory,
    engine: &Engine,
    reach: &Reach,
    told: Told,
) -> Result<(), End> {
    let Told { id, event, at } = told;
    let after = at + jiff::SignedDuration::from_nanos(1);
    memory.known_until = memory.known_until.max(Some(after));
    let mut started = false;
    match &event {
        EngineEvent::Known(listed) => {
            let reached = is_reached(watch, memory, listed);
            memory.agents.insert(id.clone(), reached);
        }
        EngineEvent::Started => {
            started = true;
            memory.exits.forget(&id);
            memory.started.insert(id.clone(), at);
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
        return relist(watch, memory, engine, reach, None).await;
    }
    let event = if matches!(event, EngineEvent::Died { .. }) {
        about_to_restart(engine, &id).await?.unwrap_or(event)
    } else {
        event
    };
    let renamed = matches!(event, EngineEvent::Renamed(_));
    let input = Input::Engine {
        key: key(watch, &id),
        event,
    };
    send(watch, input).await?;
    if renamed && watch.meant.is_some() && memory.agents.get(&id) == Some(&false) {
        // By its new name it may be meant.
        return relist(watch, memory, engine, reach, None).await;
    }
    if started && memory.agents.get(&id) == Some(&true) {
        let link = link(watch, memory, reach, &id);
        memory.links.insert(id, link);
    }
    Ok(())
}

/// A container that Docker starts again by its own policy has not ended for good, which its death
/// alone does not say.
async fn about_to_restart(engine: &Engine, id: &str) -> Result<Option<EngineEvent>, EngineError> {
    // Whatever keeps the Engine from answering must not keep other events from being told.
    let restarting = tokio::time::timeout(DECISION, engine.restarting(id)).await;
    let listed = restarting.unwrap_or(Ok(None))?;
    Ok(listed.map(|listed| EngineEvent::Known(Box::new(listed))))
}

fn unlink(memory: &mut Memory, id: &str) {
    if let Some(link) = memory.links.remove(id) {
        link.cancel.cancel();
    }
}

fn link(watch: &Watch, memory: &Memory, reach: &Reach, id: &Arc<str>) -> Link {
    let (asks, requests) = container::requests();
    let cancel = watch.cancel.child_token();
    let task = container::Watch {
        key: key(watch, id),
        reach: reach.clone(),
        inputs: watch.inputs.clone(),
        answers: memory.answers.subscribe(),
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
