//! What happens to the machine.

use std::fmt;
use std::time::Duration;

use super::services::Failure;
#[cfg(test)]
use super::services::MAIN_SERVICE;
use super::state::Hook;

/// Names one run of a script; never used twice in a boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// How a run of a script ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There is no such script, or it is empty: nothing to do, and that is fine.
    Missing,
    /// It exited with this status.
    Exited(i32),
    /// It was ended by this signal, with a guess at who sent it where there is one.
    Signalled {
        /// The signal's name, such as `SIGKILL`.
        name: String,
        /// The signal's number; the shell's exit status is 128 more.
        number: i32,
        /// Whether the kernel's count of processes killed for want of memory rose meanwhile.
        out_of_memory: bool,
    },
    /// It could not be started, and why, in words for the image's author.
    CannotStart {
        /// 126 (not executable) or 127 (not found), as a shell would have it.
        code: i32,
        /// The real cause, such as a missing interpreter.
        reason: String,
    },
    /// It was cut after its time was over.
    TimedOut(Duration),
}

impl Outcome {
    /// Whether the life cycle can go on as if all was well.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Missing | Self::Exited(0))
    }

    /// The exit status as a shell would report it; none for a script that is missing.
    #[must_use]
    pub const fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Missing => None,
            Self::Exited(code) | Self::CannotStart { code, .. } => Some(*code),
            Self::Signalled { number, .. } => Some(128 + *number),
            // What `timeout` of the coreutils answers.
            Self::TimedOut(_) => Some(124),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(formatter, "is missing"),
            Self::Exited(code) => write!(formatter, "exited {code}"),
            Self::Signalled {
                name,
                out_of_memory,
                ..
            } => {
                write!(formatter, "was ended by {name}")?;
                if *out_of_memory {
                    write!(formatter, ", possibly out of memory")?;
                }
                Ok(())
            }
            Self::CannotStart { reason, .. } => write!(formatter, "cannot be started: {reason}"),
            Self::TimedOut(limit) => write!(formatter, "was cut after {limit:?}"),
        }
    }
}

/// Why the state changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The agent was started.
    Started,
    /// The stage before is finished.
    Finished(Hook),
    /// A script failed.
    Failed(Hook, Outcome),
    /// `/data/whaleup` could not be written.
    MarkFailed(String),
    /// The check failed often enough.
    Watchdog {
        /// How many checks in a row failed.
        failures: u32,
        /// How the last of them ended.
        last: Outcome,
    },
    /// A service failed, though it was started again as often as may be.
    Service {
        /// Its name.
        name: String,
        /// How it failed last.
        failure: Failure,
        /// How often in a row it had been started again.
        restarts: u32,
    },
    /// What services there are cannot be told: one cannot be called as it is, or they cannot be listed.
    Services(String),
    /// Restarting did not help often enough.
    GaveUp {
        /// How many restarts in a row were made.
        restarts: u32,
        /// What asked for one more.
        last: Box<Cause>,
    },
    /// A signal from outside, by its name.
    Signal(&'static str),
    /// A person or a tool, by the name they gave.
    Operator(String),
    /// A backup wants to read while nothing runs; the name of who asked for it.
    Quiesced(String),
    /// The services are up again after a restart.
    Restarted,
    /// The agent itself met a fault it cannot go on after.
    Fault(String),
}

impl Cause {
    /// The kind of cause, for the state diagram.
    #[cfg(test)]
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Started => "container started",
            Self::Finished(_) => "script finished",
            Self::Failed(..) => "script failed",
            Self::MarkFailed(_) => "cannot mark /data",
            Self::Watchdog { .. } => "watchdog",
            Self::Service {
                name,
                failure: Failure::Ended(_),
                ..
            } if name == MAIN_SERVICE => "command ended",
            Self::Service { .. } => "service failed",
            Self::Services(_) => "services unknown",
            Self::GaveUp { .. } => "gave up",
            Self::Signal(_) | Self::Operator(_) => "asked",
            Self::Quiesced(_) => "quiesced",
            Self::Restarted => "restart finished",
            Self::Fault(_) => "agent fault",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => write!(formatter, "container started"),
            Self::Finished(hook) => write!(formatter, "{hook} finished"),
            Self::Failed(hook, outcome) => write!(formatter, "{hook} {outcome}"),
            Self::MarkFailed(reason) => write!(formatter, "cannot mark /data: {reason}"),
            Self::Watchdog { failures: 1, last } => write!(formatter, "monitor {last}"),
            Self::Watchdog { failures, last } => {
                write!(
                    formatter,
                    "monitor {last}, {failures} checks in a row failed"
                )
            }
            Self::Service {
                name,
                failure,
                restarts: 0,
            } => write!(formatter, "service {name} {failure}"),
            Self::Service {
                name,
                failure,
                restarts,
            } => write!(
                formatter,
                "service {name} {failure}, after {restarts} restarts of it in a row"
            ),
            Self::Services(reason) => write!(formatter, "{reason}"),
            Self::GaveUp { restarts, last } => {
                write!(
                    formatter,
                    "gave up after {restarts} restarts in a row: {last}"
                )
            }
            Self::Signal(name) => write!(formatter, "{name}"),
            Self::Operator(by) => write!(formatter, "operator {by}"),
            Self::Quiesced(by) => write!(formatter, "quiesced for a backup by {by}"),
            Self::Restarted => write!(formatter, "restart finished"),
            Self::Fault(reason) => write!(formatter, "agent fault: {reason}"),
        }
    }
}

/// Something asked of the agent from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Stop and start the services.
    Restart(Cause),
    /// Stop in order and leave. A second one shortens what is still to be waited for.
    Stop(Cause),
    /// Run the monitor now.
    Check,
    /// Stop the services and keep them down for a backup.
    Quiesce {
        /// Who asks, by the name they gave.
        by: String,
        /// For so long at most, from now on.
        most: Duration,
    },
    /// Start the services that a backup keeps down.
    Resume,
}

/// What a service says of itself, as far as it matters for its life.
#[expect(
    clippy::struct_excessive_bools,
    reason = "one datagram may say any of these"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServiceNotice {
    /// `READY=1`.
    pub ready: bool,
    /// `STOPPING=1`.
    pub stopping: bool,
    /// `WATCHDOG=1`.
    pub alive: bool,
    /// `WATCHDOG=trigger`.
    pub triggered: bool,
    /// `EXTEND_TIMEOUT_USEC=`.
    pub extend: Option<Duration>,
}

/// What happens to the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The agent is ready; says whether `/data` was initialised before.
    Start {
        /// Whether `/data/whaleup` exists.
        initialised: bool,
    },
    /// A script that [`super::Effect::Run`] asked for has ended.
    Ended(RunId, Outcome),
    /// The process of a service exists.
    Began(RunId),
    /// A service has said something.
    Noticed(RunId, ServiceNotice),
    /// The world has been told the transition with this number.
    Announced(u64),
    /// `/data/whaleup` was written, or why it was not.
    Marked(Result<(), String>),
    /// No process of the group of this run is left.
    GroupEmpty(RunId),
    /// No process but the agent itself is left.
    AllGone,
    /// Somebody asks for something.
    Asked(Ask),
}
