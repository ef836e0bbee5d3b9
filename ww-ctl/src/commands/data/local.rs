//! Whether an Engine sees a directory of this machine, and what is to be seen of them here.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::data::{Mode, Owner};
use crate::engine::Engine;
use crate::exit::Failure;

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
    match fs::symlink_metadata(directory) {
        Ok(found) => Ok(engine.sees(id, place, &found).await?),
        Err(_) => Ok(false),
    }
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
