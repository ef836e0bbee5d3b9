//! Whether an Engine sees the directories of this machine, and what is to be seen of them here.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::Timestamp;

use crate::data::{Mode, Owner};
use crate::engine::{Engine, EngineError};
use crate::environment;
use crate::exit::Failure;

/// Whether what an Engine says of directories is about this machine, as far as can be told without
/// touching anything: a socket may lead to a virtual machine, or by ssh to another one.
///
/// # Errors
/// When it cannot be asked.
pub(super) async fn is_here(engine: &Engine) -> Result<bool, EngineError> {
    if !engine.is_local() {
        return Ok(false);
    }
    Ok(engine.machine().await? == environment::hostname())
}

/// Proves that an Engine sees a directory of this machine at a place of a container: both must see
/// the same time of its last change, to the nanosecond.
///
/// # Errors
/// When the Engine cannot be asked.
pub(super) async fn is_proven(
    engine: &Engine,
    id: &str,
    place: &str,
    directory: &Path,
) -> Result<bool, Failure> {
    let sight = engine.sight(id, place).await?;
    let told = sight
        .filter(|sight| sight.is_directory)
        .and_then(|sight| sight.changed);
    Ok(told.is_some() && told == changed(directory))
}

fn changed(directory: &Path) -> Option<Timestamp> {
    let found = fs::symlink_metadata(directory).ok()?;
    let nanos = i32::try_from(found.mtime_nsec()).ok()?;
    Timestamp::new(found.mtime(), nanos).ok()
}

/// The owner and the permissions of a directory that is no link; none where there is none.
pub(super) fn rights(directory: &Path) -> Option<(Owner, Mode)> {
    let found = fs::symlink_metadata(directory).ok()?;
    let owner = Owner {
        uid: found.uid(),
        gid: found.gid(),
    };
    found.is_dir().then(|| (owner, Mode::of(found.mode())))
}
