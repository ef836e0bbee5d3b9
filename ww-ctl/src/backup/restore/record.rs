//! What is written down of an exchange, beside the tree it is about.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The version of what is written. Additions do not change it.
const SCHEMA: u32 = 1;

/// What is written down of an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    schema: u32,
    /// The backup, as one asks for it.
    pub backup: String,
    /// When it was begun.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: String,
    /// Forward to what is in a backup, or back from it.
    pub direction: Direction,
    /// The paths that were asked for, relative to the root; none means all.
    pub only: Vec<Place>,
    /// What is put in place was kept by another one, and is not to be lost.
    pub(super) from_kept: bool,
    /// How far it is.
    pub(super) phase: Phase,
    /// What changes its place.
    pub(super) moves: Vec<Move>,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    /// What is in a backup takes the place of what is there.
    Restore,
    /// What was kept takes it back.
    Undo,
}

/// How far one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// Nothing has changed its place.
    Staged,
    /// Some of it may have.
    Moving,
    /// All of it has.
    Moved,
}

/// Something that changes its place: what is put together with what is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Move {
    /// Relative to the root; the root itself is empty.
    pub path: Place,
    /// What is put together; none where something is only taken away.
    pub staged: Option<Identity>,
    /// What is there; none where nothing is.
    pub there: Option<Identity>,
}

/// Tells one file from every other of this machine, as long as both are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub device: u64,
    pub inode: u64,
}

/// A path of any bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place(pub Vec<u8>);

impl Record {
    /// One that begins.
    pub(crate) fn new(backup: &str, at: Timestamp, by: &str, only: &[Vec<u8>]) -> Self {
        Self {
            schema: SCHEMA,
            backup: backup.to_owned(),
            at,
            by: by.to_owned(),
            direction: Direction::Restore,
            only: only.iter().cloned().map(Place).collect(),
            from_kept: false,
            phase: Phase::Staged,
            moves: Vec::new(),
        }
    }

    /// The way back from it.
    pub(crate) fn undo(&self, at: Timestamp, by: &str) -> Self {
        let direction = match self.direction {
            Direction::Restore => Direction::Undo,
            Direction::Undo => Direction::Restore,
        };
        Self {
            at,
            by: by.to_owned(),
            direction,
            from_kept: true,
            phase: Phase::Staged,
            ..self.clone()
        }
    }

    pub(super) fn read(text: &str) -> Result<Self, String> {
        let read: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if read.schema > SCHEMA {
            return Err(format!("a later ww-ctl wrote it (version {})", read.schema));
        }
        Ok(read)
    }
}
