//! Backups.

pub(crate) mod feed;
pub(crate) mod groups;
pub(crate) mod journal;
pub(crate) mod restore;
pub(crate) mod source;
#[expect(
    dead_code,
    unused_imports,
    reason = "the commands that are to use it are not there yet"
)]
pub(crate) mod vault;
