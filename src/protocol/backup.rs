//! What a backup asks of the agent, and what it is told.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How long a container is quiesced at most where nobody says otherwise, in seconds.
pub const LEASE_DEFAULT_S: u32 = 15 * 60;

/// The longest a container may be quiesced, in seconds.
pub const LEASE_MOST_S: u32 = 24 * 60 * 60;

const fn lease_default() -> u32 {
    LEASE_DEFAULT_S
}

/// One step of a backup, or of bringing one back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "lowercase")]
pub enum BackupStep {
    /// How this container wants to be backed up. Answered with a [`BackupPlan`].
    Plan,
    /// Stop the services and keep them down. Answered with a [`Quiesced`] when nothing runs any more.
    ///
    /// It is a lease: it ends with [`Self::Resume`], with the connection it was asked for on (also with
    /// its half that asks), or when its time is over, whichever comes first. Then the services are
    /// started again.
    Quiesce {
        /// For so many seconds at most, from now on, the stopping included; 1 to [`LEASE_MOST_S`].
        #[serde(default = "lease_default")]
        most_s: u32,
    },
    /// Give the lease back: the services are started. Answered at once, and only with `ok` when the lease
    /// has lasted until now.
    Resume,
    /// Run the `backup` script, the services being up. Answered with a [`HookAnswer`] when it has ended.
    Hook,
    /// Run the `restore` script on what a `backup` script has written, in a directory below `/backup`.
    /// Answered with a [`HookAnswer`] when it has ended.
    Restore {
        /// That directory, as the container sees it.
        directory: String,
    },
    /// Remove a directory that was made for a `backup` script. Answered when it is gone.
    Clean {
        /// That directory, as [`HookAnswer::directory`] named it.
        directory: String,
    },
    /// A step this version does not know; answered with the error `unknown`.
    #[serde(other)]
    Unknown,
}

/// Whether services go down for a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackupMode {
    /// They do, as long as the data are read.
    #[default]
    Quiesce,
    /// They do not.
    Live,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// How a container wants to be backed up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BackupPlan {
    /// `ww.backup.mode`.
    pub mode: BackupMode,
    /// `ww.backup.exclude`: what is left out, as patterns below `/data`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// The `backup` script.
    pub backup: ScriptPlan,
    /// The `restore` script.
    pub restore: ScriptPlan,
}

/// Whether there is a script.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ScriptPlan {
    /// There is, and it is not empty.
    pub present: bool,
    /// Why it cannot be started all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// How far a quiescing has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QuiesceStage {
    /// The services are being stopped.
    Stopping,
    /// Nothing runs.
    Held,
    /// It is over.
    Ended,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// Services are kept down for a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiesced {
    /// How far it has come.
    pub stage: QuiesceStage,
    /// Who asked for it.
    pub by: String,
    /// When.
    pub since: Timestamp,
    /// When it ends at the latest.
    pub until: Timestamp,
    /// Why it has ended, in words; none before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// How a `backup` or `restore` script ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookAnswer {
    /// Its exit status as a shell would report it; none where there is no such script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// What went wrong, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The directory it was given, as the container sees it; none where there is no such script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// Whether it has written something into that directory.
    #[serde(default)]
    pub written: bool,
}

impl HookAnswer {
    /// The exit status by which a `backup` script says that there is nothing to do.
    pub const NOTHING_TO_DO: i32 = 75;

    /// There is no such script.
    #[must_use]
    pub const fn missing() -> Self {
        Self {
            exit: None,
            detail: None,
            directory: None,
            written: false,
        }
    }
}

/// A line of the program `ww-agent backup`, which writes an archive to its stdout and these to its stderr.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum PackLine {
    /// How much there is; the only line of `--measure`, and on stdout.
    Measured {
        /// Entries, the directory itself among them.
        entries: u64,
        /// Bytes of content.
        bytes: u64,
    },
    /// How far it is.
    Progress {
        /// Entries so far.
        entries: u64,
        /// Bytes of content so far.
        bytes: u64,
    },
    /// Something is not in the archive, or not as it was.
    Problem {
        /// Which kind, in one word.
        kind: String,
        /// Whose, below the directory, as text.
        path: String,
        /// In words.
        text: String,
    },
    /// It is done: only now the archive is one.
    Packed {
        /// Entries, the directory itself among them.
        entries: u64,
        /// Bytes of content.
        bytes: u64,
        /// Bytes of the archive.
        written: u64,
        /// How many problems of each kind there were.
        #[serde(default)]
        problems: BTreeMap<String, u64>,
    },
    /// There is no archive.
    Failed {
        /// Why.
        message: String,
    },
    /// A line of a later version.
    #[serde(other)]
    Unknown,
}
