//! Reaching an agent, best way first: its socket below `/proc/PID/root` where that is possible and
//! allowed, a program run in its container otherwise.

mod cgroup;
mod direct;
mod exec;
mod holding;
mod process;
mod session;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::Stream;
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, mpsc};

pub(crate) use holding::{Lease, Quiet, StepError};
pub(crate) use session::{Session, SessionError};

use crate::engine::{Engine, Target};
use crate::fleet::Route;

/// So many programs are started in containers at a time: each costs the Engine about 100 ms.
const EXECS_AT_ONCE: usize = 8;
/// So many sockets are opened at a time, each on a thread. It takes a tenth of a millisecond, so
/// more threads would only cost their own making; with one alone a path that hangs would hold all
/// others up.
const OPENED_AT_ONCE: usize = 4;
/// So many threads open the sockets of many. One may hang, the others go on.
const OPENERS: usize = 2;
/// So many open sockets may wait to be listened to.
const OPENED: usize = 64;
/// How long opening a socket may take; its path may lead through a file system that hangs.
const OPEN: Duration = Duration::from_secs(2);
/// How long starting a program in a container may take.
const EXEC: Duration = Duration::from_secs(10);
/// An agent that is there says hello within this.
const HELLO: Duration = Duration::from_secs(2);

/// Why an agent was not reached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReachError {
    /// The container runs, nobody listens in it; it may be too early.
    #[error("nobody listens on its socket")]
    NotListening,
    /// This program may not look into the container from the host, or the container is not on
    /// this machine.
    #[error("cannot look into the container from the host: {0}")]
    NoWay(String),
    /// What listens is not of this container. Nothing was sent to it.
    #[error("its socket is not its own: {0}")]
    Foreign(String),
    /// No program could be run in the container.
    #[error("cannot run the agent's attach in it: {0}")]
    Exec(String),
    /// Somebody answers, but does not speak as an agent does.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// A container's id, and the connection to its agent.
pub(crate) type Opened = (Arc<str>, Result<UnixStream, ReachError>);

/// Reaches the agents of one Engine.
#[derive(Clone)]
pub(crate) struct Reach {
    engine: Engine,
    opening: Arc<Semaphore>,
    starting: Arc<Semaphore>,
}

impl Reach {
    /// For the containers of this Engine.
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            engine,
            opening: Arc::new(Semaphore::new(OPENED_AT_ONCE)),
            starting: Arc::new(Semaphore::new(EXECS_AT_ONCE)),
        }
    }

    /// Reaches the agent of a running container and waits for its hello.
    ///
    /// # Errors
    /// When neither way leads to an agent, with the reason of the better one.
    pub(crate) async fn connect(&self, id: &str) -> Result<Session, ReachError> {
        match self.connect_directly(id).await {
            Err(ReachError::NoWay(_) | ReachError::NotListening) => {
                self.connect_through_exec(id).await
            }
            other => other,
        }
    }

    /// Reaches the agent without asking the Engine to run anything.
    ///
    /// # Errors
    /// [`ReachError::NoWay`] when that is not possible here.
    pub(crate) async fn connect_directly(&self, id: &str) -> Result<Session, ReachError> {
        if !self.engine.is_local() {
            return Err(ReachError::NoWay("it is on another host".into()));
        }
        let stream = match self.open(id, None).await {
            Err(ReachError::NoWay(_)) if process::may_look_into_others() => {
                // The host keeps its records somewhere unusual; the Engine knows the process.
                let asked = Box::pin(self.engine.details(id));
                let details = tokio::time::timeout(OPEN, asked).await;
                let details = details.map_err(|_| {
                    ReachError::NoWay("the Engine does not say which process it is".into())
                })?;
                let pid = details.ok().and_then(|details| details.pid);
                self.open(id, Some(pid.ok_or(ReachError::NotListening)?))
                    .await?
            }
            other => other?,
        };
        Self::greet(stream).await
    }

    /// Waits for the hello of an agent whose socket is open.
    ///
    /// # Errors
    /// When what is there does not speak as an agent does.
    pub(crate) async fn greet(stream: UnixStream) -> Result<Session, ReachError> {
        let session = Session::over_socket(stream, Route::Direct);
        Ok(hello(session).await?)
    }

    /// Opens the sockets of many, each told as soon as it is open; for a hundred of them a thread
    /// each would cost more than the opening. Those after which nothing is opened for a while are
    /// not told.
    pub(crate) fn open_all(ids: Vec<Arc<str>>) -> impl Stream<Item = Opened> + use<> {
        let (opened, all) = mpsc::channel(OPENED);
        let ids: Arc<[Arc<str>]> = ids.into();
        let next = Arc::new(AtomicUsize::new(0));
        for _ in 0..OPENERS.min(ids.len()) {
            let (ids, next, opened) = (ids.clone(), next.clone(), opened.clone());
            tokio::task::spawn_blocking(move || {
                while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let stream = direct::open(id, None);
                    // Nobody waits any more.
                    if opened.blocking_send((id.clone(), stream)).is_err() {
                        return;
                    }
                }
            });
        }
        futures::stream::unfold(all, |mut all| async {
            let (id, stream) = tokio::time::timeout(OPEN, all.recv()).await.ok()??;
            let stream = stream.and_then(listened);
            Some(((id, stream), all))
        })
    }

    /// The ids of the containers that seem to run behind this Engine, told by the host faster than
    /// the Engine can; empty where the host may not be asked. Some may be of no interest.
    pub(crate) fn guess(target: &Target) -> Vec<String> {
        if target.endpoint.is_the_hosts() {
            process::running()
        } else {
            Vec::new()
        }
    }

    async fn open(&self, id: &str, pid: Option<i32>) -> Result<UnixStream, ReachError> {
        let _turn = self.opening.acquire().await;
        let id = id.to_owned();
        // Resolving a path can hang on a file system of the container's choosing; a thread of its
        // own can be left behind.
        let opened = tokio::task::spawn_blocking(move || direct::open(&id, pid));
        let stream = match tokio::time::timeout(OPEN, opened).await {
            Ok(Ok(stream)) => stream?,
            Ok(Err(_)) => return Err(ReachError::NoWay("the attempt was cut short".into())),
            Err(_) => {
                return Err(ReachError::NoWay(
                    "opening its socket takes too long".into(),
                ));
            }
        };
        listened(stream)
    }

    /// Reaches the agent by a program run in its container.
    ///
    /// # Errors
    /// When no program can be run there or it finds no agent.
    pub(crate) async fn connect_through_exec(&self, id: &str) -> Result<Session, ReachError> {
        let turn = self.starting.acquire().await;
        // What this takes is several kB, which whoever waits for a turn, or listens, does not hold.
        let attached = Box::pin(exec::attach(&self.engine, id));
        let attached = tokio::time::timeout(EXEC, attached).await;
        let session = match attached {
            Ok(session) => session?,
            Err(_) => return Err(ReachError::Exec("the Engine takes too long".into())),
        };
        let session = hello(session).await;
        drop(turn);
        Ok(session?)
    }
}

fn listened(stream: std::os::unix::net::UnixStream) -> Result<UnixStream, ReachError> {
    UnixStream::from_std(stream).map_err(|error| ReachError::NoWay(error.to_string()))
}

async fn hello(mut session: Session) -> Result<Session, SessionError> {
    match tokio::time::timeout(HELLO, session.greet()).await {
        Ok(Ok(())) => Ok(session),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(SessionError::Silent(HELLO)),
    }
}
