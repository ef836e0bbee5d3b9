//! The feed: everything that tells the fleet's model what happens, live or once.

mod container;
mod feed;
mod host;
mod once;

pub(crate) use feed::{Feed, FeedHandle};
pub(crate) use once::{ask, list, look};
