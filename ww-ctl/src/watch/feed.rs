//! The live feed as its reader sees it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whaleware::protocol::{Answer, RequestKind};

use super::backups::Backups;
use super::host;
use crate::clock::Clock;
use crate::engine::{Engine, EngineError, Scope, Target};
use crate::fleet::{ContainerKey, HostName, Input};
use crate::selection::Selection;

/// So many inputs may wait. Then whoever feeds waits too: an agent's lines stay in its socket, and
/// the agent drops a listener that falls behind, which is then reached again.
const INPUTS: usize = 1024;
/// So many requests may wait for one host.
const REQUESTS: usize = 64;
/// How long an agent may take to answer, a check apart.
const ANSWER: Duration = Duration::from_secs(5);
/// How long a check may take: the cap on a monitor is the container's own affair.
const CHECK: Duration = Duration::from_secs(120);

/// Why an agent did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// It is not reached at present.
    #[error("its agent is not reached at present")]
    NotReached,
    /// It was reached, and the connection broke before it answered.
    #[error("the connection to its agent broke before it answered")]
    Lost,
    /// It took too long.
    #[error("its agent did not answer within {} s", .0.as_secs())]
    Silent(Duration),
}

/// A request on its way to an agent.
pub(super) struct Ask {
    pub id: Arc<str>,
    pub kind: RequestKind,
    pub by: Arc<str>,
    pub reply: oneshot::Sender<Result<Answer, AskError>>,
}

/// Everything that happens, to be applied to a [`crate::fleet::Fleet`] one by one.
///
/// Keep reading while waiting for an answer: answers come by the same connections.
pub(crate) struct Feed {
    /// What happens.
    pub inputs: mpsc::Receiver<Input>,
    /// How each host answered at first, once each.
    pub firsts: mpsc::Receiver<First>,
    /// What one can do about it.
    pub handle: FeedHandle,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

/// How a host answered when it was asked for the first time.
#[derive(Debug)]
pub(crate) struct First {
    /// The host.
    pub host: HostName,
    /// From when on its events are told, by its clock. Or what went wrong; the model has less to say
    /// of it.
    pub outcome: Result<Timestamp, EngineError>,
}

/// Acts on what a feed shows. Cheap to clone.
#[derive(Clone)]
pub(crate) struct FeedHandle {
    hosts: Arc<BTreeMap<HostName, Host>>,
    by: Arc<str>,
    clock: Clock,
}

struct Host {
    target: Target,
    asks: mpsc::Sender<Ask>,
}

impl Feed {
    /// Begins to watch these hosts; their containers and agents come as inputs. `by` is who acts,
    /// for the agents' records. A host that does not answer is told as lost and tried again.
    /// Their backups are looked for, too.
    pub(crate) fn open(
        targets: Vec<Target>,
        scope: Scope,
        backups: &Backups,
        by: &str,
        clock: Clock,
    ) -> Self {
        Self::begin(targets, scope, None, Some(backups), by, clock)
    }

    /// The same, where only the agents of those are reached that may be `meant`: to reach one may
    /// cost its Engine a tenth of a second.
    pub(crate) fn open_for(
        targets: Vec<Target>,
        scope: Scope,
        meant: Option<Selection>,
        by: &str,
        clock: Clock,
    ) -> Self {
        Self::begin(targets, scope, meant, None, by, clock)
    }

    fn begin(
        targets: Vec<Target>,
        scope: Scope,
        meant: Option<Selection>,
        backups: Option<&Backups>,
        by: &str,
        clock: Clock,
    ) -> Self {
        let meant = meant.map(Arc::new);
        let (sender, inputs) = mpsc::channel(INPUTS);
        let tracker = TaskTracker::new();
        let cancel = CancellationToken::new();
        let mut hosts = BTreeMap::new();
        let (told, firsts) = mpsc::channel(targets.len().max(1));
        for target in targets {
            let (asks, requests) = mpsc::channel(REQUESTS);
            let watch = host::Watch {
                target: target.clone(),
                scope,
                meant: meant.clone(),
                backups: backups.cloned(),
                clock,
                inputs: sender.clone(),
                first: told.clone(),
                tracker: tracker.clone(),
                cancel: cancel.clone(),
            };
            tracker.spawn(host::run(watch, requests));
            hosts.insert(target.name.clone(), Host { target, asks });
        }
        Self {
            inputs,
            firsts,
            handle: FeedHandle {
                hosts: Arc::new(hosts),
                by: Arc::from(by),
                clock,
            },
            tracker,
            cancel,
        }
    }

    /// Ends every connection and waits until all is closed.
    pub(crate) async fn close(mut self) {
        self.cancel.cancel();
        self.inputs.close();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl FeedHandle {
    /// Asks an agent; its own answer, a refusal included. Bounded in time.
    ///
    /// # Errors
    /// When no agent could be asked or none answered.
    pub(crate) async fn ask(
        &self,
        key: &ContainerKey,
        kind: RequestKind,
    ) -> Result<Answer, AskError> {
        let limit = if kind == RequestKind::Check {
            CHECK
        } else {
            ANSWER
        };
        let host = self.hosts.get(&key.host).ok_or(AskError::NotReached)?;
        let (reply, answer) = oneshot::channel();
        let ask = Ask {
            id: key.id.clone(),
            kind,
            by: self.by.clone(),
            reply,
        };
        let asked = async {
            host.asks
                .send(ask)
                .await
                .map_err(|_| AskError::NotReached)?;
            answer.await.map_err(|_| AskError::Lost)?
        };
        tokio::time::timeout(limit, asked)
            .await
            .unwrap_or(Err(AskError::Silent(limit)))
    }

    /// How the Engine of a host is reached; none of one that is not watched.
    pub(crate) fn target(&self, host: &HostName) -> Option<&Target> {
        self.hosts.get(host).map(|host| &host.target)
    }

    /// The clock of what is watched.
    pub(crate) const fn clock(&self) -> Clock {
        self.clock
    }

    /// The Engine a container is on, reached anew.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn engine(&self, host: &HostName) -> Result<Engine, EngineError> {
        match self.hosts.get(host) {
            Some(host) => Engine::connect(&host.target, self.clock).await,
            None => Err(EngineError::Foreign {
                at: host.to_string(),
                reason: "it is not one of the hosts that are watched".into(),
            }),
        }
    }
}
