//! What processes say of themselves: the datagrams of `sd_notify`, and the socket they come to.
//!
//! Used for scripts (`ww-agent notify`) and for services that say when they are ready.

mod message;
mod socket;

pub(crate) use message::{Notice, Watchdog};
pub(crate) use socket::NotifySocket;
