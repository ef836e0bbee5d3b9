//! Acting on containers and watching until it is true.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use whaleware::lifecycle::State;

use super::live::Live;
use super::timeline::Timeline;
use super::{Context, record};
use crate::cli::{Format, Names};
use crate::engine::EngineError;
use crate::exit::{Exit, Failure};
use crate::fleet::{AgentView, Change, Container, ContainerKey, Fleet, Link};
use crate::output::lines;
use crate::units::duration;
use crate::watch::FeedHandle;

/// So many names are listed in a question.
const NAMED: usize = 10;
/// How long Docker waits for a container whose agent cannot say how long it needs.
const UNKNOWN_BUDGET: Duration = Duration::from_secs(60);
/// How long Docker waits when nothing caps `svcdown`: cutting a database short loses data.
const NO_CAP: Duration = Duration::from_secs(24 * 3600);
/// What the agent needs besides its stages.
const MARGIN: Duration = Duration::from_secs(10);

/// How a container stands, measured by what is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not there yet.
    Pending,
    /// There.
    Reached,
    /// This was asked for, and no more is wanted.
    Asked(&'static str),
    /// It cannot get there; why, in words.
    Failed(String),
}

/// How it ended for one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    key: ContainerKey,
    name: String,
    state: Option<State>,
    /// What it counts for.
    pub exit: Exit,
    reason: String,
    /// What to do next, where it is not done.
    hint: Option<String>,
    took: Duration,
}

impl Outcome {
    pub(super) fn new(
        fleet: &Fleet,
        key: ContainerKey,
        exit: Exit,
        reason: String,
        took: Duration,
    ) -> Self {
        let container = fleet.get(&key);
        Self {
            name: container
                .map_or_else(|| key.id.chars().take(12).collect(), |one| one.name.clone()),
            state: container.and_then(Container::state),
            key,
            exit,
            reason,
            hint: None,
            took,
        }
    }
}

/// The containers a command is to act on.
#[derive(Debug)]
pub(super) struct Chosen {
    /// All of them.
    pub keys: Vec<ContainerKey>,
    /// Those that were started anew while it was being confirmed: another life than was meant.
    pub changed: BTreeSet<ContainerKey>,
}

/// The containers a command is to act on, after asking where it takes more than was named.
///
/// # Errors
/// When none or too many are meant, it is not confirmed, or nothing may be changed.
pub(super) async fn choose(
    context: &Context,
    names: &Names,
    verb: &str,
    live: &mut Live,
) -> Result<Chosen, Failure> {
    let selection = names.selection();
    let keys = context.pick(&selection, &live.fleet).await?;
    live.introduced(&keys).await?;
    let before = Before::all(&live.fleet, &keys);
    if keys.len() > 1 || !selection.is_explicit() {
        let mut shown: Vec<&str> = keys
            .iter()
            .take(NAMED)
            .filter_map(|key| live.fleet.get(key))
            .map(|one| one.name.as_str())
            .collect();
        if keys.len() > NAMED {
            shown.push("…");
        }
        let what = match keys.len() {
            1 => "1 container".to_owned(),
            several => format!("{several} containers"),
        };
        let question = format!("{verb} {what}: {}", shown.join(", "));
        live.during(context.confirm(&question)).await??;
    }
    let changed = keys
        .iter()
        .filter_map(|key| live.fleet.get(key))
        .filter(|one| {
            before
                .get(&one.key)
                .is_some_and(|before| before.is_over(one))
        })
        .map(|one| one.key.clone())
        .collect();
    Ok(Chosen { keys, changed })
}

/// What is done to one container.
pub(super) type Act = BoxFuture<'static, Result<Sent, Failure>>;

/// What became of a request that an Engine has been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// It has answered.
    Answered,
    /// The connection broke first: only watching tells whether it was done.
    Unanswered,
}

impl Sent {
    /// # Errors
    /// When the Engine has refused.
    pub(super) fn from(result: Result<(), EngineError>) -> Result<Self, Failure> {
        match result {
            Ok(()) => Ok(Self::Answered),
            Err(EngineError::Broken { .. }) => Ok(Self::Unanswered),
            Err(error) => Err(error.into()),
        }
    }
}

/// What is to be done and when it is true.
pub(super) struct Plan<'a> {
    /// Begins it.
    pub act: &'a dyn Fn(&FeedHandle, &Container) -> Act,
    /// Measures a container; `acted` says whether the act itself has ended.
    pub judge: &'a dyn Fn(&Container, bool) -> Verdict,
    /// Those to which nothing is to be done, because they are not what was meant any more.
    pub changed: &'a BTreeSet<ContainerKey>,
    /// How long it is watched.
    pub limit: Option<Duration>,
}

/// One container that is acted on.
enum Progress {
    Acting,
    Acted,
    /// It was sent, and nobody knows whether it was done; whether the host has answered again.
    Unanswered {
        answers: bool,
    },
    Over(Failure, Duration),
}

/// Acts on all at once and watches until each is there, cannot get there, or the time is over.
///
/// # Errors
/// When nothing can be watched any more.
pub(super) async fn drive(
    context: &Context,
    live: &mut Live,
    keys: &[ContainerKey],
    plan: &Plan<'_>,
) -> Result<Vec<Outcome>, Failure> {
    let begun = context.clock.now().moment;
    let deadline = plan.limit.map(|limit| Instant::now() + limit);
    let mut timeline = Timeline::from_now(&live.fleet);
    let mut acts = FuturesUnordered::new();
    let mut progress: BTreeMap<ContainerKey, Progress> = BTreeMap::new();
    for key in keys {
        if plan.changed.contains(key) {
            let reason = "it was restarted meanwhile; nothing was done to it".to_owned();
            progress.insert(
                key.clone(),
                Progress::Over(Failure::new(Exit::Failed, reason), Duration::ZERO),
            );
            continue;
        }
        if let Some(container) = live.fleet.get(key) {
            let act = (plan.act)(live.handle(), container);
            let key = key.clone();
            acts.push(async move { (key, act.await) });
        }
        progress.insert(key.clone(), Progress::Acting);
    }
    loop {
        let now = context.clock.now().moment;
        measure(live, &mut progress, plan, now - begun);
        if progress
            .values()
            .all(|one| matches!(one, Progress::Over(..)))
        {
            break;
        }
        tokio::select! {
            changes = live.next() => {
                let changes = changes?;
                answers_again(&mut progress, &changes);
                tell(context, &live.fleet, &mut timeline, &progress, &changes);
            }
            Some((key, result)) = acts.next() => {
                let took = context.clock.now().moment - begun;
                let ended = match result {
                    Ok(Sent::Answered) => Progress::Acted,
                    Ok(Sent::Unanswered) => {
                        say_unanswered(context, &live.fleet, &key);
                        Progress::Unanswered { answers: false }
                    }
                    Err(failure) => Progress::Over(failure, took),
                };
                // What was seen already counts, whatever the answer.
                if let Some(one) = progress.get_mut(&key)
                    && !matches!(one, Progress::Over(..))
                {
                    *one = ended;
                }
            }
            () = until(deadline) => {
                give_up(live, &mut progress, context.clock.now().moment - begun);
                break;
            }
        }
    }
    Ok(progress
        .into_iter()
        .map(|(key, one)| match one {
            Progress::Over(
                Failure {
                    exit,
                    message,
                    hint,
                },
                took,
            ) => Outcome {
                hint,
                ..Outcome::new(&live.fleet, key, exit, message, took)
            },
            Progress::Acting | Progress::Acted | Progress::Unanswered { .. } => Outcome::new(
                &live.fleet,
                key,
                Exit::TimedOut,
                String::new(),
                Duration::ZERO,
            ),
        })
        .collect())
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn say_unanswered(context: &Context, fleet: &Fleet, key: &ContainerKey) {
    let name = fleet.get(key).map_or("", |one| one.name.as_str());
    context.output.warn(&format!(
        "{name}: the connection to the Docker Engine broke before it answered; watching on"
    ));
}

fn answers_again(progress: &mut BTreeMap<ContainerKey, Progress>, changes: &[Change]) {
    for change in changes {
        let Change::HostLive(host) = change else {
            continue;
        };
        for (key, one) in progress.iter_mut() {
            if let Progress::Unanswered { answers } = one
                && key.host == *host
            {
                *answers = true;
            }
        }
    }
}

/// Whether a container goes on as if nothing had been asked of it.
fn is_untouched(container: &Container) -> bool {
    matches!(container.link, Link::Live { .. }) && container.state() == Some(State::Up)
}

fn measure(
    live: &Live,
    progress: &mut BTreeMap<ContainerKey, Progress>,
    plan: &Plan<'_>,
    took: Duration,
) {
    for (key, one) in progress {
        let acted = match one {
            Progress::Acting => false,
            Progress::Acted | Progress::Unanswered { .. } => true,
            Progress::Over(..) => continue,
        };
        let verdict = match live.fleet.get(key) {
            Some(container) => (plan.judge)(container, acted),
            None => Verdict::Failed("it was removed".into()),
        };
        match verdict {
            Verdict::Pending => {
                if matches!(one, Progress::Unanswered { answers: true })
                    && live.fleet.get(key).is_some_and(is_untouched)
                {
                    let reason = "the connection to the Docker Engine broke before it had done it, \
                                  and the container is UP as before; try again";
                    *one = Progress::Over(Failure::new(Exit::Failed, reason), took);
                }
            }
            Verdict::Asked(what) => {
                let told = format!("{what} was asked for");
                *one = Progress::Over(Failure::new(Exit::Done, told), took);
            }
            Verdict::Reached => *one = Progress::Over(Failure::new(Exit::Done, ""), took),
            Verdict::Failed(reason) => {
                *one = Progress::Over(Failure::new(Exit::Failed, reason), took);
            }
        }
    }
}

fn give_up(live: &Live, progress: &mut BTreeMap<ContainerKey, Progress>, took: Duration) {
    for (key, one) in progress {
        if !matches!(one, Progress::Over(..)) {
            let reason = live.fleet.get(key).map_or_else(String::new, laggard);
            let reason = format!("{reason} after {}", duration(took));
            *one = Progress::Over(Failure::new(Exit::TimedOut, reason), took);
        }
    }
}

/// `still RESTARTING (SIGHUP)`.
pub(super) fn laggard(container: &Container) -> String {
    let state = container.state().map_or("unknown", State::name);
    match container.cause() {
        cause if cause.is_empty() => format!("still {state}"),
        cause => format!("still {state} ({cause})"),
    }
}

fn tell(
    context: &Context,
    fleet: &Fleet,
    timeline: &mut Timeline,
    watched: &BTreeMap<ContainerKey, Progress>,
    changes: &[Change],
) {
    for change in changes {
        let (Change::State(key, _) | Change::Details(key) | Change::Docker(key, _)) = change else {
            continue;
        };
        let Some(container) = fleet.get(key).filter(|_| watched.contains_key(key)) else {
            continue;
        };
        if let Change::Docker(_, state) = change {
            if *state == State::Dockerup {
                timeline.started(key);
            }
            let cause = container.cause();
            context
                .output
                .say(&progress_line(&container.name, *state, &cause));
        }
        for report in timeline.fresh(container) {
            let text = progress_line(&container.name, report.state, &report.cause);
            context.output.say(&text);
        }
    }
}

fn progress_line(name: &str, state: State, cause: &str) -> String {
    if cause.is_empty() {
        format!("{name}: {state}")
    } else {
        format!("{name}: {state} ({cause})")
    }
}

/// Prints how it ended: what was reached on stdout, what was not on stderr. The exit code of all.
///
/// # Errors
/// When it cannot be printed.
pub(super) fn report(
    context: &Context,
    action: &str,
    outcomes: &[Outcome],
) -> Result<Exit, Failure> {
    for one in outcomes.iter().filter(|one| one.exit != Exit::Done) {
        context.output.failure(&Failure {
            exit: one.exit,
            message: format!("{}: {}", one.name, one.reason),
            hint: one.hint.clone(),
        });
    }
    let good = || outcomes.iter().filter(|one| one.exit == Exit::Done);
    let text: String = match context.format {
        Format::Table | Format::Wide => lines(good().map(|one| {
            if !one.reason.is_empty() {
                return format!("{}: {}", one.name, one.reason);
            }
            let state = one.state.map_or("done", State::name);
            format!("{} is {state} after {}", one.name, duration(one.took))
        })),
        Format::Name => lines(good().map(|one| one.name.clone())),
        Format::Jsonl => outcomes
            .iter()
            .map(|one| record::line(json(action, one)))
            .collect(),
        Format::Json => {
            let results = outcomes
                .iter()
                .map(|one| Value::Object(json(action, one)))
                .collect();
            record::document(Map::from_iter([(
                "results".to_owned(),
                Value::Array(results),
            )]))
        }
    };
    context.output.data(&text)?;
    Ok(weigh(outcomes))
}

fn json(action: &str, one: &Outcome) -> Map<String, Value> {
    Map::from_iter([
        ("action".to_owned(), json!(action)),
        ("host".to_owned(), json!(*one.key.host)),
        ("id".to_owned(), json!(*one.key.id)),
        ("name".to_owned(), json!(one.name)),
        ("ok".to_owned(), json!(one.exit == Exit::Done)),
        ("state".to_owned(), json!(one.state)),
        ("reason".to_owned(), json!(one.reason)),
        ("took_ms".to_owned(), record::millis(one.took)),
    ])
}

/// One that failed counts more than one that took too long.
fn weigh(outcomes: &[Outcome]) -> Exit {
    if outcomes.iter().any(|one| one.exit == Exit::Failed) {
        return Exit::Failed;
    }
    outcomes
        .iter()
        .map(|one| one.exit)
        .max()
        .unwrap_or(Exit::Done)
}

/// What a container's life was like before it was acted on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Before {
    boot: Option<String>,
    number: u64,
    starts: u64,
    running: bool,
}

impl Before {
    /// Each of these containers as it is now.
    pub(super) fn all(fleet: &Fleet, keys: &[ContainerKey]) -> BTreeMap<ContainerKey, Self> {
        keys.iter()
            .filter_map(|key| fleet.get(key))
            .map(|one| (one.key.clone(), Self::of(one)))
            .collect()
    }

    pub(super) fn of(container: &Container) -> Self {
        let agent = container.agent.as_ref();
        Self {
            boot: boot(agent),
            number: agent
                .and_then(|agent| agent.transitions.last())
                .map_or(0, |report| report.number),
            starts: container.starts,
            running: container.engine.is_running(),
        }
    }

    /// Whether it ran.
    pub(super) const fn was_running(&self) -> bool {
        self.running
    }

    /// Whether it was started since.
    pub(super) const fn was_started(&self, container: &Container) -> bool {
        container.starts > self.starts
    }

    /// Whether this is another life than the one before.
    pub(super) fn is_over(&self, container: &Container) -> bool {
        let now = boot(container.agent.as_ref());
        match (&self.boot, now) {
            (Some(before), Some(now)) => *before != now,
            (Some(_), None) | (None, _) => self.was_started(container),
        }
    }

    /// Whether its services have begun to be restarted since.
    pub(super) fn has_restarted(&self, container: &Container) -> bool {
        container.agent.as_ref().is_some_and(|agent| {
            agent
                .transitions
                .iter()
                .any(|report| report.number > self.number && report.state == State::Restarting)
        })
    }
}

fn boot(agent: Option<&AgentView>) -> Option<String> {
    agent
        .and_then(|agent| agent.hello.as_ref())
        .map(|hello| hello.boot.clone())
}

/// How long Docker is to wait before it kills the container: as long as its agent may need.
pub(super) fn stop_limit(container: &Container) -> Duration {
    let Some(agent) = container
        .agent
        .as_ref()
        .filter(|_| container.is_introduced())
    else {
        return UNKNOWN_BUDGET;
    };
    let millis = Duration::from_millis;
    match agent.stop.svcdown_ms {
        // A script that is running is ended first, then what is left in the end: two graces.
        Some(cap) => {
            let stages = millis(agent.stop.drain_ms)
                .saturating_add(millis(cap))
                .saturating_add(millis(agent.stop.grace_ms).saturating_mul(2))
                .saturating_add(MARGIN);
            stages.min(NO_CAP)
        }
        None => NO_CAP,
    }
}
