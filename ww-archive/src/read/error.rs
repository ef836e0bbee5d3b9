//! Why an archive is not read to its end.

use std::io;

/// What is wrong with an archive, and where in it.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// What it comes from fails.
    #[error("cannot read the archive at byte {at}: {source}")]
    Input {
        /// Where in the archive.
        at: u64,
        /// Why.
        source: io::Error,
    },
    /// It ends too soon.
    #[error("the archive is cut: it ends at byte {at}, {within}")]
    Truncated {
        /// How long it is.
        at: u64,
        /// Of what something is missing.
        within: String,
    },
    /// It is no archive, or was changed.
    #[error("the archive is damaged before byte {at}: {reason}")]
    Malformed {
        /// Where in the archive.
        at: u64,
        /// What is wrong.
        reason: String,
    },
    /// A path in it does not stay below the root.
    #[error("the archive has a path at byte {at} that is refused: {path} {reason}")]
    Path {
        /// Where in the archive.
        at: u64,
        /// The path, fit for a terminal.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is something in it that is not understood.
    #[error("cannot read the entry {path} at byte {at} of the archive: {reason}")]
    Unsupported {
        /// Where in the archive.
        at: u64,
        /// The entry's path, fit for a terminal.
        path: String,
        /// What is not understood.
        reason: String,
    },
    /// Its end was asked for before it was reached.
    #[error("the archive was not read to its end")]
    Unfinished,
}

/// The same, when it is not known yet where.
pub(super) enum Fault {
    Malformed(String),
    Path { path: String, reason: &'static str },
    Unsupported { path: String, reason: String },
}

impl Fault {
    pub(super) fn at(self, at: u64) -> ReadError {
        match self {
            Self::Malformed(reason) => ReadError::Malformed { at, reason },
            Self::Path { path, reason } => ReadError::Path { at, path, reason },
            Self::Unsupported { path, reason } => ReadError::Unsupported { at, path, reason },
        }
    }
}
