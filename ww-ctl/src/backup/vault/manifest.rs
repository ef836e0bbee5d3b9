//! What is said of a set: what it holds, how still everything was, and what it takes to make its containers again.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Id;

/// The version. Additions do not change it; what is not known is passed over.
pub(crate) const SCHEMA: u32 = 1;

/// All that is said of a set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The version of this form.
    pub schema: u32,
    /// The set's id.
    pub id: Id,
    /// The name it is kept under.
    pub name: String,
    /// The version of the program that made it.
    pub version: String,
    /// When it was begun.
    pub begun: Timestamp,
    /// When all of it was there.
    pub ended: Timestamp,
    /// How still everything was.
    pub consistency: Consistency,
    /// Why no stiller.
    pub reason: Option<String>,
    /// How long services were not UP; none where none went down.
    pub outage_ms: Option<u64>,
    /// Whether nothing is missing.
    pub complete: bool,
    /// The machine it was made on.
    pub host: String,
    /// The Engine its containers were on.
    pub engine: EngineInfo,
    /// The containers that had the data.
    pub containers: Vec<Member>,
    /// What it holds.
    pub parts: Vec<Part>,
    /// Where the content is, if it is not here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
}

/// How still everything was, the stillest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Consistency {
    /// The image's own script wrote it.
    Hook,
    /// The services were down.
    Svcdown,
    /// Some did not run, who knows how they ended.
    Stopped,
    /// Some were frozen in their tracks.
    Paused,
    /// Services were up.
    Live,
}

impl Consistency {
    /// In a word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Hook => "hook",
            Self::Svcdown => "svcdown",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
            Self::Live => "live",
        }
    }
}

/// An Engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EngineInfo {
    /// Its own id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Where it was reached.
    pub endpoint: String,
}

/// A container that had the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Member {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// What it has to do with the data.
    pub role: Role,
    /// How it stood, in Docker's word.
    pub state: String,
    /// Its image as it was named.
    pub image: String,
    /// The image's id.
    pub image_id: String,
    /// By which registries know it.
    pub image_digests: Vec<String>,
    /// Its agent's version.
    pub agent: Option<String>,
    /// Its image's version.
    pub image_version: Option<String>,
    /// What it takes to make it again, as the Engine tells it, without its environment.
    pub create: Value,
    /// The names of its environment variables; their values may be secrets.
    pub env_names: Vec<String>,
}

/// What a container has to do with data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// It only keeps them.
    Data,
    /// It uses them.
    User,
}

/// Something a set holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// What it is.
    pub kind: PartKind,
    /// Where it was in the containers.
    pub place: String,
    /// What was there.
    pub backing: PartBacking,
    /// How it was read: `host`, `agent`, `engine`.
    pub source: String,
    /// What gets lost on that way.
    pub loses: Vec<String>,
    /// Patterns of what was left out.
    pub excluded: Vec<String>,
    /// Places below that are no part of it.
    pub below: Vec<String>,
    /// The archive, or the directory.
    pub payload: Payload,
    /// The list of what is in it.
    pub files: Payload,
    /// How much of what is in it.
    pub counts: Counts,
    /// What happened to files while they were read.
    pub problems: ProblemsTold,
}

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PartKind {
    /// Data as they lie.
    Data,
    /// What a `backup` script has written.
    Hook,
}

/// What was mounted at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartBacking {
    /// Which kind.
    pub kind: BackingKind,
    /// The directory, or the volume's name.
    pub source: String,
}

/// What can be mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BackingKind {
    /// A directory.
    Directory,
    /// A volume.
    Volume,
}

/// A file of a set, or a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Payload {
    /// Its name in the set.
    pub file: String,
    /// Its bytes; of a directory those of the files in it.
    pub bytes: u64,
    /// Of these bytes, in hexadecimal digits; of a directory empty.
    pub sha256: String,
    /// Bytes before they were compressed.
    pub raw_bytes: u64,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

/// How much of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// All of it.
    pub entries: u64,
    /// Bytes of content, holes apart.
    pub bytes: u64,
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Further names of something.
    pub hard_links: u64,
    /// Named pipes.
    pub fifos: u64,
    /// Sockets.
    pub sockets: u64,
    /// Devices.
    pub devices: u64,
}

/// What happened to files while they were read: all counted, the first ones listed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct ProblemsTold {
    /// How many of each kind.
    pub counts: BTreeMap<String, u64>,
    /// The first ones.
    pub listed: Vec<ProblemTold>,
    /// How many more there were.
    pub more: u64,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProblemTold {
    /// Which kind.
    pub kind: String,
    /// Whose, below the place.
    pub path: String,
    /// In words.
    pub text: String,
}

/// Where the content of a set is, if it is not in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Repository {
    /// Which program keeps it.
    pub program: String,
    /// The repository as that program knows it.
    pub location: String,
    /// What it is called there.
    pub snapshot: String,
}
