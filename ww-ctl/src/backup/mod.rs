//! Backups.

pub(crate) mod groups;
pub(crate) mod journal;
pub(crate) mod source;
pub(crate) mod vault;
