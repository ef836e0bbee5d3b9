//! What a backup says of itself, in `manifest.json`.
//!
//! It is for people and programs alike, and it is what is believed last: whoever can write to a vault can write one.
//! So it is bounded, names of files in it are those this program gives, and the digest at its end tells of damage, not of
//! intent.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::digest::{self, hex};
use super::id::Id;

/// The version of what is written. Additions do not change it.
pub(crate) const SCHEMA: u32 = 1;
/// The most bytes one may have.
pub(super) const LARGEST: u64 = 16 << 20;
/// The most payloads of one backup.
const PARTS: usize = 64;
/// What stands for the digest while it is computed.
const NO_DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The version of this text.
    pub schema: u32,
    /// What the backup is called.
    pub id: Id,
    /// Whose it is: the directory it lies in.
    pub name: String,
    /// The version of `ww-ctl` that made it.
    pub version: String,
    /// When it was begun.
    pub begun: Timestamp,
    /// When all of it was written.
    pub ended: Timestamp,
    /// What was done so that the data are of one moment.
    pub consistency: Consistency,
    /// Why it is this and nothing better, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long services were not up for it, in milliseconds; none where they were not touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage_ms: Option<u64>,
    /// Whether nothing is missing that should be in it.
    pub complete: bool,
    /// The machine `ww-ctl` ran on.
    pub host: String,
    /// The Engine the containers were on.
    pub engine: EngineOf,
    /// The containers that have the data.
    pub containers: Vec<Member>,
    /// What was read.
    pub parts: Vec<Part>,
    /// Where the content is, if another program keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
    /// SHA-256 of this text with zeros in this place.
    #[serde(default)]
    digest: String,
}

/// What was done so that the data are of one moment, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Consistency {
    /// The image's own `backup` script wrote it.
    Hook,
    /// The services were stopped in order while it was read.
    Svcdown,
    /// Nothing ran that uses the data.
    Stopped,
    /// What uses the data was frozen while it was read: as after a loss of power.
    Paused,
    /// It was read while it was used.
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
pub(crate) struct EngineOf {
    /// Its own id; empty where it has none.
    pub id: String,
    /// Its version.
    pub version: String,
    /// How it was reached.
    pub endpoint: String,
}

/// A container that had the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Member {
    /// Its name.
    pub name: String,
    /// Its full id.
    pub id: String,
    /// What it is to the data.
    pub role: Role,
    /// How it was found, in the Engine's word, or the agent's state.
    pub state: String,
    /// Its image as it was named.
    pub image: String,
    /// The image's id.
    pub image_id: String,
    /// The names a registry knows it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_digests: Vec<String>,
    /// The version of its agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The version its image says it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_version: Option<String>,
    /// What the Engine needs to create it again; values of environment variables are left out.
    pub create: Value,
    /// The names of its environment variables.
    pub env_names: Vec<String>,
}

/// What a container is to the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// It only says where they are.
    Data,
    /// It uses them.
    User,
}

/// One place of data, or what a script wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Which of both.
    pub kind: PartKind,
    /// Where it is mounted in the containers.
    pub place: String,
    /// What it lies in.
    pub backing: BackingOf,
    /// How it was read: `host`, `agent`, `engine`.
    pub source: String,
    /// What of a tree is lost that way whatever happens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loses: Vec<String>,
    /// The patterns of what was not wanted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<String>,
    /// What else is mounted below it and is not in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub below: Vec<String>,
    /// The content.
    pub payload: Payload,
    /// The list of files.
    pub files: Payload,
    /// How many of what.
    pub counts: Counts,
    /// What is not in it, or not as it was.
    pub problems: ProblemsTold,
}

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PartKind {
    /// Data as they lay there.
    Data,
    /// What the `backup` script wrote.
    Hook,
}

/// What data lie in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BackingOf {
    /// Whether it is a directory or a volume.
    pub kind: BackingKind,
    /// Its path on the host, or its name.
    pub source: String,
}

/// What data can lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BackingKind {
    /// A directory of the host.
    Directory,
    /// A volume of the Engine.
    Volume,
}

/// A file of the backup, or the directory `hook`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Payload {
    /// Its name.
    pub file: String,
    /// Its bytes. Of a directory: those of its files.
    pub bytes: u64,
    /// Its SHA-256. Of a directory: that of its list of files, before that was compressed.
    pub sha256: String,
    /// The bytes before it was compressed.
    pub raw_bytes: u64,
    /// Whether it is encrypted.
    #[serde(default)]
    pub encrypted: bool,
    /// What it is called where another program keeps it; then nothing of it is in the vault, and the SHA-256 is that of
    /// the archive as it was given to that program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
}

/// How many of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// All, the root among them.
    pub entries: u64,
    /// Bytes of content.
    pub bytes: u64,
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Further names of what is there already.
    pub hard_links: u64,
    /// Named pipes.
    pub fifos: u64,
    /// Sockets.
    pub sockets: u64,
    /// Devices.
    pub devices: u64,
}

/// What is not in it, or not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct ProblemsTold {
    /// How many of each kind.
    pub counts: BTreeMap<String, u64>,
    /// Some of them.
    pub listed: Vec<ProblemTold>,
    /// How many are not listed.
    pub more: u64,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProblemTold {
    /// Its kind.
    pub kind: String,
    /// Whose, relative to the root.
    pub path: String,
    /// In words.
    pub text: String,
}

/// A deduplicating store that keeps the content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Repository {
    /// The program: `restic`.
    pub program: String,
    /// Where it is, without credentials.
    pub location: String,
    /// What the content is called there.
    pub snapshot: String,
}

/// Why a manifest is not believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManifestError {
    /// It is no manifest.
    #[error("its manifest is not understood: {0}")]
    Syntax(#[from] serde_json::Error),
    /// It is one of a later version.
    #[error("its manifest is of version {0}, and this ww-ctl knows {SCHEMA}")]
    Version(u32),
    /// It is not as it was written.
    #[error("its manifest is damaged: it is not what it says its SHA-256 is of")]
    Digest,
    /// It says what none would.
    #[error("its manifest says what none would: {0}")]
    Odd(String),
}

impl Manifest {
    /// One with nothing in it yet.
    pub(crate) fn new(id: Id, name: &str, begun: Timestamp, consistency: Consistency) -> Self {
        Self {
            schema: SCHEMA,
            id,
            name: name.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            begun,
            ended: begun,
            consistency,
            reason: None,
            outage_ms: None,
            complete: true,
            host: String::new(),
            engine: EngineOf {
                id: String::new(),
                version: String::new(),
                endpoint: String::new(),
            },
            containers: Vec::new(),
            parts: Vec::new(),
            repository: None,
            digest: String::new(),
        }
    }

    /// All its bytes as they lie in the vault, without those of the manifest.
    pub(crate) fn bytes(&self) -> u64 {
        let payloads = self
            .parts
            .iter()
            .flat_map(|part| [&part.payload, &part.files]);
        payloads.fold(0, |sum, payload| sum.saturating_add(payload.bytes))
    }

    /// As it is written.
    pub(super) fn text(&self) -> Result<String, serde_json::Error> {
        let mut own = self.clone();
        NO_DIGEST.clone_into(&mut own.digest);
        let mut text = serde_json::to_string_pretty(&own)?;
        text.push('\n');
        digest::seal(&mut text, NO_DIGEST);
        Ok(text)
    }

    /// What is written.
    pub(super) fn read(text: &str) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Head {
            schema: u32,
        }
        let head: Head = serde_json::from_str(text)?;
        if head.schema != SCHEMA {
            return Err(ManifestError::Version(head.schema));
        }
        let manifest: Self = serde_json::from_str(text)?;
        if !digest::holds(text, &manifest.digest) {
            return Err(ManifestError::Digest);
        }
        manifest.check().map_err(ManifestError::Odd)?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        if self.parts.len() > PARTS {
            return Err(format!("it has {} parts", self.parts.len()));
        }
        let mut seen = Vec::new();
        for payload in self
            .parts
            .iter()
            .flat_map(|part| [&part.payload, &part.files])
        {
            let is_kept = payload.snapshot.is_some();
            if is_kept && self.repository.is_none() {
                return Err("a file of it is kept elsewhere, and it does not say where".to_owned());
            }
            // It is given to a program.
            if !payload.snapshot.as_deref().is_none_or(hex::is_sha256) {
                return Err("a snapshot in it is none".to_owned());
            }
            if !is_payload(&payload.file, is_kept) || seen.contains(&&payload.file) {
                return Err("a file of it has a name that none has".to_owned());
            }
            if !hex::is_sha256(&payload.sha256) {
                return Err("a SHA-256 in it is none".to_owned());
            }
            seen.push(&payload.file);
        }
        Ok(())
    }
}

/// Whether a file of a backup may have this name.
pub(super) fn is_payload(name: &str, is_kept: bool) -> bool {
    let ending = if is_kept { ".tar" } else { ".tar.zst" };
    let name = name.strip_suffix(".age").unwrap_or(name);
    if name == "hook" {
        return true;
    }
    let (stem, number) = match name.strip_suffix(ending) {
        Some(stem) => (stem, ["data", "hook"]),
        None => match name.strip_suffix(".jsonl.zst") {
            Some(stem) => (stem, ["files", "files"]),
            None => return false,
        },
    };
    number.iter().any(|base| {
        stem.strip_prefix(base).is_some_and(|rest| {
            rest.is_empty()
                || rest
                    .strip_prefix('-')
                    .is_some_and(|digits| digits.len() <= 2 && digits.parse::<u8>().is_ok())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let id = Id::parse("20261122T161500Z-7f3a").unwrap();
        let mut manifest = Manifest::new(id.clone(), "shop", id.time(), Consistency::Svcdown);
        let payload = |file: &str| Payload {
            file: file.to_owned(),
            bytes: 10,
            sha256: NO_DIGEST.to_owned(),
            raw_bytes: 20,
            encrypted: false,
            snapshot: None,
        };
        manifest.parts.push(Part {
            kind: PartKind::Data,
            place: "/data".into(),
            backing: BackingOf {
                kind: BackingKind::Directory,
                source: "/srv/whaleware/data/shop".into(),
            },
            source: "host".into(),
            loses: Vec::new(),
            excluded: Vec::new(),
            below: Vec::new(),
            payload: payload("data.tar.zst"),
            files: payload("files.jsonl.zst"),
            counts: Counts::default(),
            problems: ProblemsTold::default(),
        });
        manifest
    }

    #[test]
    fn what_was_written_is_read_and_any_byte_that_changed_is_noticed() {
        let text = manifest().text().unwrap();
        let read = Manifest::read(&text).unwrap();
        assert_eq!(read.text().unwrap(), text);
        assert_eq!(read.bytes(), 20);
        for at in 0..text.len() {
            for flip in [1, 0x20] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= flip;
                if let Ok(changed) = String::from_utf8(bytes) {
                    assert!(Manifest::read(&changed).is_err(), "byte {at}");
                }
            }
        }
    }

    #[test]
    fn names_of_files_are_those_this_program_gives() {
        for name in [
            "data.tar.zst",
            "data-2.tar.zst.age",
            "hook",
            "hook.tar.zst.age",
            "files-12.jsonl.zst",
        ] {
            assert!(is_payload(name, false), "{name}");
        }
        for name in [
            "",
            "..",
            "../data.tar.zst",
            "data-.tar.zst",
            "data-x.tar.zst",
            "files.tar.zst",
            "manifest.json",
            "hook/x",
        ] {
            assert!(!is_payload(name, false), "{name}");
        }
        let mut odd = manifest();
        odd.parts[0].payload.file = "../../other".into();
        assert!(matches!(
            Manifest::read(&odd.text().unwrap()),
            Err(ManifestError::Odd(_))
        ));
    }
}
