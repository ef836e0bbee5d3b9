//! One Engine, and what can be asked of it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bollard::query_parameters::{
    KillContainerOptions, RestartContainerOptions, StopContainerOptions,
};
use bollard::{API_DEFAULT_VERSION, ClientVersion, Docker};
use jiff::{SignedDuration, Timestamp};

use super::endpoint::{Endpoint, Target};
use super::error::EngineError;
use super::ping;
use super::ssh;
use super::transport::{self, Obstacle};
use crate::clock::Clock;
use crate::fleet::Stamp;

/// How long an Engine may take to answer a ping.
const PING: Duration = Duration::from_secs(5);
/// How long a quick request may take, in seconds.
const QUICK: u64 = 60;
/// How long a request may take that lasts by its nature (logs, a stop), in seconds.
const PATIENT: u64 = 7 * 24 * 3600;
/// The Date header tells whole seconds.
const RESOLUTION: SignedDuration = SignedDuration::from_secs(1);
/// The oldest API that is understood: Docker 18.09.
const OLDEST: (usize, usize) = (1, 39);

/// One Engine. Cheap to clone; every request opens a connection of its own.
#[derive(Clone)]
pub(crate) struct Engine {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    endpoint: Endpoint,
    pub(super) at: String,
    pub(super) quick: Docker,
    pub(super) patient: Docker,
    pub(super) clock: Clock,
    skew: SignedDuration,
    is_podman: bool,
}

impl Engine {
    /// Reaches an Engine and agrees on a version: one ping.
    ///
    /// # Errors
    /// When it cannot be reached, may not be used, or is no Engine or too old a one.
    pub(crate) async fn connect(target: &Target, clock: Clock) -> Result<Self, EngineError> {
        let at = target.endpoint.at();
        let asked = clock.now().wall;
        let pong = ask(&target.endpoint, &at).await?;
        let answered = clock.now().wall;
        if pong.api < OLDEST {
            return Err(EngineError::Foreign {
                at,
                reason: format!("it speaks API {}.{} at most", pong.api.0, pong.api.1),
            });
        }
        let newest = (
            API_DEFAULT_VERSION.major_version,
            API_DEFAULT_VERSION.minor_version,
        );
        let (major_version, minor_version) = pong.api.min(newest);
        let version = ClientVersion {
            major_version,
            minor_version,
        };
        let quick = transport::client(&target.endpoint, QUICK, &version)
            .map_err(|error| EngineError::new(&at, "connect", &error))?;
        let patient = quick.clone().with_timeout(Duration::from_secs(PATIENT));
        let skew = pong
            .date
            .map(|date| skew(date, asked, answered))
            .unwrap_or_default();
        Ok(Self {
            inner: Arc::new(Inner {
                endpoint: target.endpoint.clone(),
                at,
                quick,
                patient,
                clock,
                skew,
                is_podman: pong.is_podman,
            }),
        })
    }

    /// Whether its containers may be processes of this machine. A socket may still lead elsewhere.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.inner.endpoint, Endpoint::Unix(_))
    }

    /// Whether it is the one this machine usually has.
    pub(crate) fn is_the_hosts(&self) -> bool {
        self.inner.endpoint.is_the_hosts()
    }

    /// Its clock.
    pub(crate) fn time(&self) -> Timestamp {
        self.time_at(self.inner.clock.now())
    }

    /// How far its clock is ahead of ours, as it was when this was connected.
    pub(crate) fn skew(&self) -> SignedDuration {
        self.inner.skew
    }

    /// What its clock showed at this time of ours, as far as can be told.
    pub(crate) fn time_at(&self, at: Stamp) -> Timestamp {
        at.wall.checked_add(self.inner.skew).unwrap_or(at.wall)
    }

    /// Asks whether it is there.
    ///
    /// # Errors
    /// When it is not.
    pub(crate) async fn ping(&self) -> Result<(), EngineError> {
        ask(&self.inner.endpoint, &self.inner.at).await.map(drop)
    }

    /// Sends a signal, by its name without `SIG`.
    ///
    /// # Errors
    /// When the container does not run or is gone, or the Engine is.
    pub(crate) async fn kill(&self, id: &str, signal: &str) -> Result<(), EngineError> {
        let options = KillContainerOptions {
            signal: format!("SIG{signal}"),
        };
        self.inner
            .quick
            .kill_container(id, Some(options))
            .await
            .map_err(|error| self.error("send a signal to the container", &error))
    }

    /// Starts a container; nothing happens when it runs.
    ///
    /// # Errors
    /// When it cannot be started, with the Engine's reason.
    pub(crate) async fn start(&self, id: &str) -> Result<(), EngineError> {
        accept_unchanged(self.inner.patient.start_container(id, None).await)
            .map_err(|error| self.error("start the container", &error))
    }

    /// Stops a container in order; it is killed when it takes longer than `limit`. Returns when it
    /// has ended.
    ///
    /// # Errors
    /// When it cannot be stopped, with the Engine's reason.
    pub(crate) async fn stop(&self, id: &str, limit: Duration) -> Result<(), EngineError> {
        let options = StopContainerOptions {
            t: Some(seconds(limit)),
            signal: None,
        };
        accept_unchanged(self.inner.patient.stop_container(id, Some(options)).await)
            .map_err(|error| self.error("stop the container", &error))
    }

    /// Thaws a container that is paused.
    ///
    /// # Errors
    /// When it is not paused, is gone, or the Engine is.
    pub(crate) async fn unpause(&self, id: &str) -> Result<(), EngineError> {
        let thawed = self.inner.quick.unpause_container(id).await;
        thawed.map_err(|error| self.error("unpause the container", &error))
    }

    /// Stops a container in order and starts it again.
    ///
    /// # Errors
    /// When it cannot be restarted, with the Engine's reason.
    pub(crate) async fn restart(&self, id: &str, limit: Duration) -> Result<(), EngineError> {
        let options = RestartContainerOptions {
            t: Some(seconds(limit)),
            signal: None,
        };
        self.inner
            .patient
            .restart_container(id, Some(options))
            .await
            .map_err(|error| self.error("restart the container", &error))
    }

    /// Whether it is Podman behind Docker's API, which differs here and there.
    pub(super) fn is_podman(&self) -> bool {
        self.inner.is_podman
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.inner.endpoint
    }

    pub(super) fn at(&self) -> &str {
        &self.inner.at
    }

    pub(super) fn broken(&self, what: &'static str, error: &io::Error) -> EngineError {
        EngineError::Broken {
            at: self.inner.at.clone(),
            what,
            reason: error.to_string(),
        }
    }

    pub(super) fn error(&self, what: &'static str, error: &bollard::errors::Error) -> EngineError {
        EngineError::new(&self.inner.at, what, error)
    }
}

/// How far a clock is ahead that showed `date` at some time between the two; zero where it may
/// well show the same as ours.
fn skew(date: Timestamp, asked: Timestamp, answered: Timestamp) -> SignedDuration {
    let ahead = date.duration_since(answered);
    let behind = asked.duration_since(date) - RESOLUTION;
    if ahead.is_positive() {
        ahead
    } else if behind.is_positive() {
        -behind
    } else {
        SignedDuration::ZERO
    }
}

async fn ask(endpoint: &Endpoint, at: &str) -> Result<ping::Pong, EngineError> {
    let limit = match endpoint {
        // A new one logs in first, which has a limit of its own.
        Endpoint::Ssh(_) => ssh::LOGIN + PING,
        Endpoint::Unix(_) | Endpoint::Tcp(_) | Endpoint::Tls(_) => PING,
    };
    let error = match tokio::time::timeout(limit, ping::ping(endpoint)).await {
        Ok(Ok(pong)) => return Ok(pong),
        Ok(Err(error)) => Some(error),
        Err(_) => None,
    };
    let at = at.to_owned();
    if let Some(Obstacle { reason, hint }) = obstacle(endpoint, error.as_ref()).await {
        return Err(EngineError::NoWay { at, reason, hint });
    }
    let Some(error) = error else {
        return Err(EngineError::Silent { at, after: limit });
    };
    Err(match (error.kind(), endpoint) {
        (io::ErrorKind::PermissionDenied, Endpoint::Unix(socket)) => EngineError::Denied {
            socket: socket.clone(),
        },
        (io::ErrorKind::InvalidData, _) => EngineError::Foreign {
            at,
            reason: error.to_string(),
        },
        _ => EngineError::Unreachable { at, source: error },
    })
}

/// What stands in the way, where more is known of it than that there was no answer.
async fn obstacle(endpoint: &Endpoint, error: Option<&io::Error>) -> Option<Obstacle> {
    let inner = error.and_then(io::Error::get_ref);
    if let Some(known) = inner.and_then(|inner| inner.downcast_ref::<Obstacle>()) {
        return Some(known.clone());
    }
    match endpoint {
        Endpoint::Tls(tls) => tls.obstacle(error?),
        Endpoint::Ssh(ssh) => ssh.obstacle().await,
        Endpoint::Unix(_) | Endpoint::Tcp(_) => None,
    }
}

/// "Not modified" (it runs already, it has stopped already) is what was wanted.
fn accept_unchanged(
    result: Result<(), bollard::errors::Error>,
) -> Result<(), bollard::errors::Error> {
    match result {
        Err(bollard::errors::Error::DockerResponseServerError {
            status_code: 304, ..
        }) => Ok(()),
        other => other,
    }
}

fn seconds(limit: Duration) -> i32 {
    let whole = limit
        .as_secs()
        .saturating_add(u64::from(limit.subsec_nanos() > 0));
    i32::try_from(whole).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_differs_only_where_no_delay_explains_it() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let date = time("2026-11-22T16:15:10Z");
        for (asked, answered, millis) in [
            ("2026-11-22T16:15:10.900Z", "2026-11-22T16:15:10.901Z", 0),
            ("2026-11-22T16:15:09.900Z", "2026-11-22T16:15:14Z", 0),
            ("2026-11-22T16:15:05Z", "2026-11-22T16:15:06Z", 4_000),
            ("2026-11-22T16:15:15Z", "2026-11-22T16:15:16Z", -4_000),
        ] {
            assert_eq!(
                skew(date, time(asked), time(answered)),
                SignedDuration::from_millis(millis),
                "{asked} {answered}"
            );
        }
    }

    #[test]
    fn a_limit_is_rounded_up_to_seconds() {
        assert_eq!(seconds(Duration::from_millis(1)), 1);
        assert_eq!(seconds(Duration::from_secs(7)), 7);
        assert_eq!(seconds(Duration::MAX), i32::MAX);
    }
}
