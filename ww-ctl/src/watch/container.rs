//! One running container's agent, held on to until the container ends.

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc as small;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use whaleware::protocol::{Answer, FromAgent, RequestId};

use super::feed::{Ask, AskError};
use crate::agent::{Reach, ReachError, Session};
use crate::fleet::{ContainerKey, Input};

/// An agent listens a few milliseconds after its container was started.
const FIRST: Duration = Duration::from_millis(20);
/// The longest pause between two attempts.
const LONGEST: Duration = Duration::from_secs(5);
/// So long nobody need be listening; after it that is told as a silence, and the other way is
/// tried as well.
const EARLY: Duration = Duration::from_secs(2);
/// A conversation that lasted so long was a good one: the next attempt is made at once.
const GOOD: Duration = Duration::from_secs(5);
/// So long one that has begun anew is not heard while its Engine has not told of it. An Engine's word
/// may be late: the end of the life before would be taken for that of this one.
const WORD: Duration = Duration::from_secs(10);
/// So many requests may wait for one agent.
const REQUESTS: usize = 16;
/// So many requests may be unanswered at a time.
const UNANSWERED: usize = 64;

/// Requests for one agent. Thousands wait for some and hardly any has one: the usual channel would
/// hold room for 32 of them.
pub(super) type Requests = small::Receiver<Ask>;
/// Where they come from.
pub(super) type Asks = small::Sender<Ask>;

/// What watching one agent takes.
pub(super) struct Watch {
    pub key: ContainerKey,
    pub reach: Reach,
    pub inputs: mpsc::Sender<Input>,
    /// Whether its host answers.
    pub answers: watch::Receiver<bool>,
    pub cancel: CancellationToken,
}

/// A way for requests to one agent.
pub(super) fn requests() -> (Asks, Requests) {
    small::channel(REQUESTS)
}

/// Nobody reads the inputs any more.
struct Unheard;

/// Watches until cancelled, which happens when the container ends.
pub(super) async fn run(watch: Watch, mut requests: Requests) {
    let cancel = watch.cancel.clone();
    tokio::select! {
        () = cancel.cancelled() => {}
        _unheard = keep(&watch, &mut requests) => {}
    }
}

async fn keep(watch: &Watch, requests: &mut Requests) -> Unheard {
    let mut pause = FIRST;
    let mut quiet_until = Instant::now() + EARLY;
    let mut told_silent = false;
    let mut life = Life::default();
    if watch
        .inputs
        .send(Input::Reaching(watch.key.clone()))
        .await
        .is_err()
    {
        return Unheard;
    }
    loop {
        // Who is started anew while the Engine is away is told of by the Engine first.
        refuse_until(answering(&watch.answers), requests).await;
        let reason = match attempt(watch, Instant::now() < quiet_until).await {
            Ok(session) if life.is_untold(session.boot()) => {
                drop(session);
                pause_refusing(pause, requests).await;
                pause = (pause * 2).min(LONGEST);
                continue;
            }
            Ok(session) => {
                told_silent = false;
                let begun = Instant::now();
                let Ok(reason) = converse(watch, session, requests).await else {
                    return Unheard;
                };
                if begun.elapsed() > GOOD {
                    pause = FIRST;
                    quiet_until = Instant::now() + EARLY;
                }
                reason
            }
            Err(ReachError::NotListening) if Instant::now() < quiet_until => {
                pause_refusing(pause, requests).await;
                pause = (pause * 2).min(LONGEST);
                continue;
            }
            Err(error) => error.to_string(),
        };
        if !told_silent {
            told_silent = true;
            // The Engine's word that the container has ended comes a little after the agent's
            // connection broke; it is no silence then. Cancelled meanwhile if so.
            pause_refusing(FIRST * 5, requests).await;
            let key = watch.key.clone();
            if watch
                .inputs
                .send(Input::AgentLost { key, reason })
                .await
                .is_err()
            {
                return Unheard;
            }
        }
        pause_refusing(pause, requests).await;
        pause = (pause * 2).min(LONGEST);
    }
}

/// The life of the container that is heard. The Engine's word of another one ends this task.
#[derive(Default)]
struct Life {
    /// What the agent calls it.
    boot: Option<Box<str>>,
    /// When another was met first.
    other: Option<Instant>,
}

impl Life {
    /// Whether this is another life, and its Engine may still be about to tell of it.
    fn is_untold(&mut self, boot: Option<&str>) -> bool {
        let known = self.boot.as_deref();
        if known.is_some() && known != boot {
            let first = *self.other.get_or_insert_with(Instant::now);
            if first.elapsed() < WORD {
                return true;
            }
        }
        if known != boot {
            self.boot = boot.map(Box::from);
        }
        self.other = None;
        false
    }
}

/// Early on only the short way is taken: starting a program in a container that is itself just
/// starting would be wasted.
async fn attempt(watch: &Watch, early: bool) -> Result<Session, ReachError> {
    if early {
        match watch.reach.connect_directly(&watch.key.id).await {
            Err(ReachError::NoWay(_)) => watch.reach.connect_through_exec(&watch.key.id).await,
            other => other,
        }
    } else {
        watch.reach.connect(&watch.key.id).await
    }
}

async fn pause_refusing(pause: Duration, requests: &mut Requests) {
    refuse_until(tokio::time::sleep(pause), requests).await;
}

async fn answering(answers: &watch::Receiver<bool>) {
    let mut answers = answers.clone();
    // When nobody tells any more this task is about to be cancelled as well.
    let _closed = answers.wait_for(|answers| *answers).await;
}

async fn refuse_until(over: impl Future<Output = ()>, requests: &mut Requests) {
    let refuse = async {
        while let Some(ask) = requests.next().await {
            refuse(ask.reply);
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = over => {}
        // Waiting for requests never ends it.
        () = refuse => {}
    }
}

fn refuse(reply: oneshot::Sender<Result<Answer, AskError>>) {
    // Whoever asked may have left.
    let _left = reply.send(Err(AskError::NotReached));
}

type Pending = HashMap<RequestId, oneshot::Sender<Result<Answer, AskError>>>;

/// Passes the agent's lines on and requests to it, until the conversation ends; why, in words.
async fn converse(
    watch: &Watch,
    mut session: Session,
    requests: &mut Requests,
) -> Result<String, Unheard> {
    let key = watch.key.clone();
    let route = session.route();
    tell(watch, Input::Reached { key, route }).await?;
    let mut pending = Pending::new();
    loop {
        tokio::select! {
            frame = session.next() => match frame {
                Ok(FromAgent::Answer(answer)) => {
                    if let Some(reply) = pending.remove(&answer.id) {
                        let _left = reply.send(Ok(answer));
                    }
                }
                Ok(frame) => {
                    let key = watch.key.clone();
                    tell(watch, Input::Frame { key, frame: Box::new(frame) }).await?;
                }
                Err(error) => return Ok(error.to_string()),
            },
            Some(ask) = requests.next() => {
                pending.retain(|_, reply| !reply.is_closed());
                if pending.len() >= UNANSWERED {
                    refuse(ask.reply);
                    continue;
                }
                match session.ask(ask.kind, &ask.by).await {
                    Ok(id) => {
                        pending.insert(id, ask.reply);
                    }
                    Err(error) => {
                        refuse(ask.reply);
                        return Ok(error.to_string());
                    }
                }
            }
        }
    }
}

async fn tell(watch: &Watch, input: Input) -> Result<(), Unheard> {
    watch.inputs.send(input).await.map_err(|_| Unheard)
}
