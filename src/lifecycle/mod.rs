//! The life cycle as a pure machine: events in, effects out, time passed in.
//!
//! [`Machine::handle`] takes an [`Event`] and answers with [`Effect`]s to perform; what they lead
//! to comes back as further events. [`Machine::next_deadline`] says when the machine wants to be
//! called even if nothing happens, [`Machine::handle_deadline`] is that call. The machine never
//! waits, never spawns and never asks for the time.

mod backoff;
mod effect;
mod event;
mod machine;
mod moment;
mod services;
mod state;
#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use effect::{Effect, Heard, Lease, LeaseEnd, NO_MONITOR, StopStage, Transition};
pub use event::{Ask, Cause, Event, Outcome, RunId, ServiceNotice};
pub use machine::{Machine, Policy};
pub use moment::Moment;
pub use services::{Failure, MAIN_SERVICE, ServiceRules, ServiceStand, ServiceView};
pub use state::{Health, Hook, State};
