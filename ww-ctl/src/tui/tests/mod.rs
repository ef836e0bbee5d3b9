//! A fabricated fleet, keys pressed at it, and what is then seen.

mod every;
pub(super) mod fixture;
mod keys;
mod logs;
mod palette;
mod property;
mod replay;
mod update;
mod view;

use super::theme::Look;

/// What most tests look through.
pub(super) const UNICODE: Look = Look::PLAIN;
