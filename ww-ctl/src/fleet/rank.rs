//! Which containers need a look first.

use whaleware::lifecycle::State;
use whaleware::protocol::HealthStatus;

use super::container::{Container, EngineState, Link};

/// How much a container needs a look; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Severity {
    /// It has failed: ERROR, or ended with another exit code than 0.
    Failed,
    /// It is UP but its checks fail, or its agent does not answer.
    Sick,
    /// It is being restarted.
    Restarting,
    /// It is on its way up.
    Starting,
    /// It is on its way down.
    Stopping,
    /// It serves.
    Good,
    /// It is down, and was meant to be.
    Down,
    /// It has no life cycle.
    Plain,
}

/// What a command has for exit code that a stop has ended by its signal (INT, QUIT, TERM), and with
/// it the container it was wrapped in: an orderly end. 137 is none: who is killed had no time for it.
pub(crate) const fn is_stop_code(code: i64) -> bool {
    matches!(code, 130 | 131 | 143)
}

impl Container {
    /// Whether an end with this code is that of a stop, as far as can be told.
    fn was_stopped(&self, code: i64) -> bool {
        is_stop_code(code)
            && match &self.agent {
                Some(agent) => agent.state == State::Stopped,
                // Who comes later knows the code alone, which a failure has hardly ever.
                None => true,
            }
    }

    /// How much it needs a look.
    pub(crate) fn severity(&self) -> Severity {
        let Some(state) = self.state() else {
            return Severity::Plain;
        };
        match state {
            State::Error => Severity::Failed,
            State::Dockerdown => match self.engine {
                EngineState::Exited {
                    code: Some(0) | None,
                    out_of_memory: false,
                }
                | EngineState::Created => Severity::Down,
                EngineState::Exited {
                    code: Some(code),
                    out_of_memory: false,
                } if self.was_stopped(code) => Severity::Down,
                EngineState::Restarting => Severity::Restarting,
                EngineState::Exited { .. } | EngineState::Dead => Severity::Failed,
                EngineState::Running | EngineState::Paused => Severity::Sick,
            },
            _ if matches!(self.link, Link::Silent { .. }) => Severity::Sick,
            _ if self.engine == EngineState::Paused => Severity::Sick,
            State::Up if self.health() == HealthStatus::Failing => Severity::Sick,
            State::Up => Severity::Good,
            State::Restarting => Severity::Restarting,
            State::Dockerup | State::Boot | State::Firstboot | State::Upgrading | State::Warmup => {
                Severity::Starting
            }
            State::Stopped => Severity::Stopping,
        }
    }
}
