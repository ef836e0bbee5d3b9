//! Why a tree is not complete.

use std::io;

use rustix::io::Errno;

use crate::read::ReadError;
use crate::shown::Shown;

/// Why an archive was not extracted to its end.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The archive is not good.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is something in the directory.
    #[error("cannot extract into a directory that is not empty")]
    NotEmpty,
    /// The directory itself is no use.
    #[error("cannot extract into the directory: {0}")]
    Target(#[source] io::Error),
    /// The file system does not take it.
    #[error("cannot {what} {path}: {source}")]
    Write {
        /// What was tried.
        what: &'static str,
        /// On what, fit for a terminal.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The archive is good, and what is in it does not go together.
    #[error("cannot extract {path}: it {reason}")]
    Order {
        /// What, fit for a terminal.
        path: String,
        /// Why not.
        reason: &'static str,
    },
    /// The watch said so.
    #[error("cannot finish the tree: it was stopped")]
    Stopped,
}

impl UnpackError {
    pub(super) fn new(what: &'static str, path: &[u8], error: Errno) -> Self {
        Self::Write {
            what,
            path: Shown(path).to_string(),
            source: error.into(),
        }
    }

    pub(super) fn order(path: &[u8], reason: &'static str) -> Self {
        Self::Order {
            path: Shown(path).to_string(),
            reason,
        }
    }

    /// Something could not be made.
    pub(super) fn made(path: &[u8], error: Errno) -> Self {
        if error == Errno::EXIST {
            Self::order(path, "is in the archive twice")
        } else {
            Self::new("make", path, error)
        }
    }
}
