//! Whether a repository can keep what is read: found out before anything is stopped.

use super::apart;
use crate::backup::vault::Restic;
use crate::cli::Backup;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;

/// Opens the repository that is named.
///
/// # Errors
/// When `restic` is not there, or cannot open it.
pub(super) async fn check(arguments: &Backup) -> Result<(), Failure> {
    let Some(location) = &arguments.repo else {
        return Ok(());
    };
    let restic = Restic::at(location);
    let shown = clean(&restic.shown(), 500);
    let checked = apart(move || restic.check()).await?;
    checked.map_err(|error| {
        let message = format!(
            "cannot use the repository {shown}: {}",
            clean(&error.to_string(), 1000)
        );
        Failure::new(Exit::Failed, message).hint(
            "nothing was stopped; `restic init` makes one, RESTIC_PASSWORD_FILE names a file with its password",
        )
    })
}
