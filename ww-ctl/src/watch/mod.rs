//! The feed: everything that tells the fleet's model what happens, live or once.

mod backups;
mod container;
mod feed;
mod host;
mod once;
mod remembered;

pub(crate) use backups::{Backups, Plan};
pub(crate) use feed::{Feed, FeedHandle, First};
pub(crate) use once::{Absent, LISTING, ask, first_answer, list, list_named, look};
pub(crate) use remembered::last as last_answer;
