//! How the program ends: one set of exit codes, and errors with what to do next.

use std::process::ExitCode;

use crate::engine::{EndpointError, EngineError, chain};

/// The exit codes of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// What was asked is done.
    Done,
    /// It failed, or failed for some.
    Failed,
    /// It was asked in a way that is not understood, or is ambiguous.
    Usage,
    /// No such container, or none matched.
    Absent,
    /// It took longer than allowed.
    TimedOut,
    /// An Engine cannot be reached.
    Engine,
    /// Refused: read-only, not confirmed, still in use.
    Refused,
    /// A backup was published, and something is missing in it.
    Incomplete,
    /// A backup is good, and a service is not back.
    Down,
    /// A backup is not what it was, or cannot be.
    Unverified,
    /// Another run is at work on the same.
    Locked,
    /// Ended by this signal.
    Signal(u8),
    /// The program that was run in a container ended with this code.
    Program(u8),
}

impl Exit {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Absent => 3,
            Self::TimedOut => 4,
            Self::Engine => 5,
            Self::Refused => 6,
            Self::Incomplete => 7,
            Self::Down => 8,
            Self::Unverified => 9,
            Self::Locked => 10,
            Self::Signal(number) => 128_u8.saturating_add(number),
            Self::Program(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What was tried, on what, and why it failed. Empty when there is nothing to say.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure with this code and message.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hint: None,
        }
    }

    /// The same with what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Nobody reads what is printed any more: an end, not an error.
    pub(crate) const fn unread() -> Self {
        Self {
            exit: Exit::Done,
            message: String::new(),
            hint: None,
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let exit = if error.is_engine_down() {
            Exit::Engine
        } else {
            Exit::Failed
        };
        Self {
            exit,
            message: chain(&error),
            hint: error.hint(),
        }
    }
}

impl From<EndpointError> for Failure {
    fn from(error: EndpointError) -> Self {
        let exit = match error {
            EndpointError::Malformed { .. }
            | EndpointError::Certificates { .. }
            | EndpointError::NoContext { .. } => Exit::Usage,
            EndpointError::Config { .. } => Exit::Failed,
        };
        Self {
            exit,
            message: chain(&error),
            hint: Some(error.hint()),
        }
    }
}
