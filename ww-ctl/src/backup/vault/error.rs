//! Why something cannot be done in a vault.

use std::io;
use std::path::PathBuf;

/// Why something cannot be done in a vault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VaultError {
    /// The system said no.
    #[error("cannot {what} {path}")]
    System {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is there is not what should be there.
    #[error("cannot {what} {path}: {reason}")]
    Odd {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Another run is at work on the same.
    #[error("another run is at work on the backups of {name} in {vault}: {by}")]
    Locked {
        /// Whose backups.
        name: String,
        /// In which vault.
        vault: PathBuf,
        /// Who it is.
        by: String,
    },
    /// No backup goes by this.
    #[error("there is no backup {reference} in {vault}{known}")]
    Absent {
        /// What was asked for.
        reference: String,
        /// In which vault.
        vault: PathBuf,
        /// What there is instead, as the end of a sentence.
        known: String,
    },
    /// More than one backup goes by this.
    #[error("more than one backup in {vault} goes by {reference}: {}", .found.join(", "))]
    Ambiguous {
        /// What was asked for.
        reference: String,
        /// In which vault.
        vault: PathBuf,
        /// Which they are.
        found: Vec<String>,
    },
    /// It is there and is no backup any more.
    #[error("the backup {reference} in {vault} cannot be used: {reason}")]
    Broken {
        /// Which one.
        reference: String,
        /// In which vault.
        vault: PathBuf,
        /// Why.
        reason: String,
    },
}

impl VaultError {
    /// Turns what the system said into one of these.
    pub(super) fn system<E: Into<io::Error>>(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(E) -> Self {
        let path = path.into();
        move |source| Self::System {
            what,
            path,
            source: source.into(),
        }
    }

    /// Whether there is no room left.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::System { source, .. } if is_full(source))
    }
}

/// Whether there is no room left.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}
