//! The lines of the journal: what is written is what programs may read.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fleet::Container;

/// The version of the lines. Additions do not change it.
pub(super) const SCHEMA: u32 = 1;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Line {
    Begun(Begun),
    Ended(Ended),
    /// One of a later version.
    #[serde(other)]
    Unknown,
}

/// An action begins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Begun {
    pub schema: u32,
    /// What both lines of an action have in common.
    pub entry: String,
    pub at: Timestamp,
    pub by: String,
    pub uid: u32,
    /// The machine it was called on.
    pub from: String,
    pub pid: u32,
    /// When that process was started, in ticks since that machine was; tells it from a later one
    /// of the same number.
    pub process: u64,
    pub action: String,
    /// Without anything that may be a secret.
    pub command: Vec<String>,
    pub targets: Vec<Target>,
}

/// An action has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Ended {
    pub schema: u32,
    pub entry: String,
    pub at: Timestamp,
    pub by: String,
    pub action: String,
    /// The exit code.
    pub exit: u8,
    /// How it ended as a whole, where there is something to say.
    pub words: String,
    pub took_ms: u64,
    pub results: Vec<Result>,
}

/// What is acted on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Target {
    /// The host it is on.
    pub host: String,
    /// Its full id; none for what has none yet, or is no container.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
}

impl Target {
    /// A container.
    pub(crate) fn of(container: &Container) -> Self {
        Self {
            host: container.key.host.to_string(),
            id: Some(container.key.id.to_string()),
            name: container.name.clone(),
        }
    }

    /// What is known by its name only.
    pub(crate) fn named(host: &str, name: &str) -> Self {
        Self {
            host: host.to_owned(),
            id: None,
            name: name.to_owned(),
        }
    }
}

/// How an action ended for one target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Result {
    /// Which one.
    #[serde(flatten)]
    pub target: Target,
    /// Whether it is as it was wanted.
    pub ok: bool,
    /// In words.
    pub words: String,
    /// How long it took.
    pub took_ms: u64,
}

impl Line {
    /// With its end.
    pub(super) fn text(&self) -> String {
        // What has no map with keys of another type always becomes JSON.
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.push('\n');
        text
    }
}
