//! What goes wrong, and what the agent makes of it: every script misbehaving in every way in every
//! state (`docs/faults.md` is made from that), and clients of the socket that mean harm.
//!
//! The short form is always run; `WW_SOAK=1` runs all of it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of this is test code, which only a failure ends early"
)]

mod behaviour;
mod bound;
mod cell;
#[expect(
    dead_code,
    reason = "shared with the shell tests, which use what these do not"
)]
#[path = "../shell/harness.rs"]
mod harness;
mod hostile;
mod listener;
mod matrix;
mod row;
#[path = "../shell/soak.rs"]
mod soak;
mod table;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Each of these tests wants the machine for itself: they measure time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
