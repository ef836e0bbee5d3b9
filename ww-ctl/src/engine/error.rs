//! What can go wrong with an Engine, sorted by what one can do about it.

use std::path::PathBuf;
use std::time::Duration;

use bollard::errors::Error as Bollard;

use super::endpoint::Target;
use crate::fleet::clean;

/// What is said of a connection that ended in the middle.
const CUT_SHORT: &str = "it was closed before the answer was complete";
/// The most characters kept of what an Engine says.
const TEXT: usize = 500;

/// Why an Engine did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// Nobody listens.
    #[error("cannot reach the Docker Engine at {at}")]
    Unreachable {
        /// Its socket or address.
        at: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is no way to it, and it is known what to do about that.
    #[error("cannot reach the Docker Engine at {at}: {reason}")]
    NoWay {
        /// Its address.
        at: String,
        /// Why.
        reason: String,
        /// What to do next.
        hint: String,
    },
    /// Its socket may not be opened.
    #[error("cannot open the Docker Engine's socket {}: permission denied", .socket.display())]
    Denied {
        /// The socket.
        socket: PathBuf,
    },
    /// It took too long.
    #[error("the Docker Engine at {at} did not answer within {} s", .after.as_secs())]
    Silent {
        /// Its socket or address.
        at: String,
        /// How long was waited.
        after: Duration,
    },
    /// What answers is not an Engine, or one of another age.
    #[error("cannot talk to {at}: {reason}")]
    Foreign {
        /// Its socket or address.
        at: String,
        /// Why.
        reason: String,
    },
    /// The connection broke, or the answer was no answer.
    #[error("the connection to the Docker Engine at {at} broke while trying to {what}: {reason}")]
    Broken {
        /// Its socket or address.
        at: String,
        /// What was attempted.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// It was there and is not any more, in the words in which that was told.
    #[error("{reason}")]
    Lost {
        /// Those words.
        reason: String,
    },
    /// There is no such container any more.
    #[error("cannot {what}: {message}")]
    Absent {
        /// What was attempted.
        what: &'static str,
        /// The Engine's words.
        message: String,
    },
    /// The Engine said no.
    #[error("cannot {what}: {message}")]
    Refused {
        /// What was attempted.
        what: &'static str,
        /// The Engine's words.
        message: String,
        /// The HTTP status.
        status: u16,
    },
}

impl EngineError {
    pub(super) fn new(at: &str, what: &'static str, error: &Bollard) -> Self {
        if let Bollard::DockerResponseServerError {
            status_code,
            message,
        } = error
        {
            return Self::answered(at, what, *status_code, message);
        }
        let reason = if matches!(error, Bollard::RequestTimeoutError) {
            "no answer in time".into()
        } else {
            clean(&reason(error), TEXT)
        };
        Self::Broken {
            at: at.to_owned(),
            what,
            reason,
        }
    }

    /// It did not answer in time.
    pub(crate) fn silent(target: &Target, after: Duration) -> Self {
        Self::Silent {
            at: target.endpoint.at(),
            after,
        }
    }

    /// It did answer, and does not list its containers.
    pub(crate) fn unlisted(target: &Target) -> Self {
        Self::Broken {
            at: target.endpoint.at(),
            what: "list its containers",
            reason: "no answer in time".into(),
        }
    }

    pub(super) fn answered(at: &str, what: &'static str, status: u16, message: &str) -> Self {
        let message = clean(message.trim(), TEXT);
        match status {
            404 => Self::Absent { what, message },
            400 if message.contains("client version") => Self::Foreign {
                at: at.to_owned(),
                reason: message,
            },
            _ => Self::Refused {
                what,
                message,
                status,
            },
        }
    }

    /// Whether the Engine itself is the trouble, and not what it was asked.
    pub(crate) const fn is_engine_down(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::NoWay { .. }
            | Self::Denied { .. }
            | Self::Silent { .. }
            | Self::Foreign { .. }
            | Self::Broken { .. }
            | Self::Lost { .. } => true,
            Self::Absent { .. } | Self::Refused { .. } => false,
        }
    }

    /// What to do next, where that can be said.
    pub(crate) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { .. } => "is Docker running? start it (systemctl start docker), or \
                                         name another Engine with -H or DOCKER_HOST"
                .into(),
            Self::NoWay { hint, .. } => hint.clone(),
            Self::Denied { socket } => format!(
                "be in the `docker` group (sudo usermod -aG docker $USER, then log in again) or run as \
                 root: one of them may open {}",
                socket.display()
            ),
            Self::Silent { .. } => {
                "the Engine may be overloaded or hanging; look at its log (journalctl -u docker)"
                    .into()
            }
            Self::Foreign { .. } => "Docker 20.10 or newer is needed".into(),
            Self::Broken { .. } | Self::Lost { .. } => {
                "look at the Engine's log (journalctl -u docker)".into()
            }
            Self::Absent { .. } => {
                "it was removed meanwhile; `ww-ctl ls -a` shows what there is".into()
            }
            Self::Refused { .. } => return None,
        })
    }
}

/// Why a conversation with an Engine ended early, in words that need no knowledge of libraries.
fn reason(error: &Bollard) -> String {
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(cause) = next {
        if let Some(error) = cause.downcast_ref::<std::io::Error>() {
            return from_io(error);
        }
        next = cause.source();
    }
    if let Bollard::IOError { err } = error {
        return from_io(err);
    }
    if let Bollard::DockerStreamError { error } = error {
        return error.clone();
    }
    if matches!(
        error,
        Bollard::JsonDataError { .. } | Bollard::JsonSerdeError { .. }
    ) {
        return "its answer is not understood".into();
    }
    CUT_SHORT.into()
}

/// A connection that ended in the middle is wrapped twice, and nobody wants to know in what.
fn from_io(error: &std::io::Error) -> String {
    let inner = error.get_ref();
    if matches!(inner, Some(inner) if inner.is::<hyper::Error>()) {
        CUT_SHORT.into()
    } else {
        error.to_string()
    }
}

/// An error and its causes in one line, no cause said twice.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}
