//! How a data container is described, and what is remembered of it beside its data.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use whaleware::paths::{DATA, LABEL_DATA};

use super::owner::{Mode, Owner};
use crate::engine::{Creation, Placed, directory};
use crate::syntax::{Mount, MountKind, Network, Pair, is_name};

/// The version of what is remembered. Additions do not change it.
const SCHEMA: u32 = 1;
/// The repository of the image of data containers. It is made on each Engine, and never pulled.
pub(crate) const REPOSITORY: &str = "whaleware/data";
/// Its tag.
pub(crate) const TAG: &str = "1";
/// What a data container would run if somebody started it: there is no such program.
const COMMAND: &str = "never-started:only-for---volumes-from";
/// How a container's name ends that was replaced by one whose data no prune destroys.
pub(crate) const BEFORE_ADOPT: &str = ".before-adopt";
/// The most bytes a record may have.
pub(super) const LARGEST: u64 = 64 * 1024;
/// The most mounts and labels of one.
const ENTRIES: usize = 64;
/// The most bytes of a word in it.
const TEXT: usize = 4096;

/// What the data lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A directory of the host.
    Directory,
    /// A volume with a name.
    Volume,
    /// A volume nobody has named.
    AnonymousVolume,
}

impl Kind {
    /// What this is.
    pub(crate) fn of(placed: &Placed) -> Self {
        match placed.backing {
            crate::engine::Backing::Directory(_) => Self::Directory,
            crate::engine::Backing::Volume(_) if placed.is_anonymous => Self::AnonymousVolume,
            crate::engine::Backing::Volume(_) => Self::Volume,
        }
    }

    /// In a word for other programs.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::Volume => "volume",
            Self::AnonymousVolume => "anonymous_volume",
        }
    }
}

/// Something that is mounted in a data container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    /// Where.
    pub place: String,
    /// What it is.
    pub kind: Kind,
    /// The directory, or the volume's name.
    pub source: String,
    /// Whether it cannot be written to.
    #[serde(default)]
    pub read_only: bool,
}

/// A data container as it is made, and made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    schema: u32,
    /// Its name.
    pub name: String,
    /// When it was made first.
    pub created: Timestamp,
    /// Who made it.
    pub by: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What is mounted in it.
    pub mounts: Vec<Recorded>,
    /// Who owned the root of the data when this was written.
    #[serde(default)]
    pub owner: Option<Owner>,
    /// And its permissions.
    #[serde(default)]
    pub mode: Option<Mode>,
}

/// Why a record is not believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    /// It is no record.
    #[error("it is not understood: {0}")]
    Syntax(#[from] serde_json::Error),
    /// It is one of a later version.
    #[error("it is of version {0}, and this ww-ctl knows {SCHEMA}")]
    Version(u32),
    /// It says what none would.
    #[error("{0}")]
    Odd(String),
}

impl Record {
    /// A new one, with nothing mounted in it yet.
    pub(crate) fn new(name: &str, created: Timestamp, by: &str) -> Self {
        let mut labels = BTreeMap::new();
        labels.insert(LABEL_DATA.to_owned(), SCHEMA.to_string());
        labels.insert(format!("{LABEL_DATA}.created"), created.to_string());
        labels.insert(format!("{LABEL_DATA}.by"), by.to_owned());
        Self {
            schema: SCHEMA,
            name: name.to_owned(),
            created,
            by: by.to_owned(),
            labels,
            mounts: Vec::new(),
            owner: None,
            mode: None,
        }
    }

    /// One whose data are in a volume of its name, told from the volume's labels.
    pub(crate) fn of_volume(name: &str, labels: &HashMap<String, String>) -> Option<Self> {
        let label = |what: &str| labels.get(&format!("{LABEL_DATA}.{what}"));
        let created = label("created")?.parse().ok()?;
        let mut record = Self::new(name, created, label("by")?);
        record.labels = labels.clone().into_iter().collect();
        record.mounts.push(Recorded {
            place: DATA.to_owned(),
            kind: Kind::Volume,
            source: name.to_owned(),
            read_only: false,
        });
        Some(record)
    }

    /// Adds a label of the container's own kind.
    pub(crate) fn note(&mut self, what: &str, value: String) {
        self.labels.insert(format!("{LABEL_DATA}.{what}"), value);
    }

    /// The mount where the data are.
    pub(crate) fn data(&self) -> Option<&Recorded> {
        self.mounts.iter().find(|mount| mount.place == DATA)
    }

    /// As it is written down.
    pub(super) fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// From what was written down, by whomever.
    ///
    /// # Errors
    /// When it is none, or cannot be true.
    pub(super) fn read(text: &str) -> Result<Self, RecordError> {
        let record: Self = serde_json::from_str(text)?;
        if record.schema > SCHEMA {
            return Err(RecordError::Version(record.schema));
        }
        let odd = |text: &str| Err(RecordError::Odd(text.to_owned()));
        if !is_name(&record.name) {
            return odd("its name is none");
        }
        if record.mounts.len() > ENTRIES || record.labels.len() > ENTRIES {
            return odd("it has too many entries");
        }
        let words = record.labels.iter().flat_map(|(key, value)| [key, value]);
        let paths = record
            .mounts
            .iter()
            .flat_map(|one| [&one.place, &one.source]);
        let is_plain = |word: &String| word.len() <= TEXT && !word.chars().any(char::is_control);
        if !words.chain(paths).chain([&record.by]).all(is_plain) {
            return odd("it has a word in it that is none");
        }
        for mount in &record.mounts {
            let source = match mount.kind {
                Kind::Directory => mount.source != "/" && directory(&mount.source) == mount.source,
                Kind::Volume | Kind::AnonymousVolume => is_name(&mount.source),
            };
            if !source || mount.place == "/" || directory(&mount.place) != mount.place {
                return odd("it mounts what cannot be mounted");
            }
        }
        if record.data().is_none() {
            return odd("it mounts nothing at /data");
        }
        Ok(record)
    }

    /// What the Engine is to make. A directory that is not there is an error where it `must_exist`, and
    /// made by the Engine where not.
    pub(crate) fn creation(&self, must_exist: bool) -> Creation {
        let mut creation = Creation {
            name: self.name.clone(),
            image: format!("{REPOSITORY}:{TAG}"),
            command: Some(vec![COMMAND.to_owned()]),
            labels: self
                .labels
                .iter()
                .map(|(key, value)| Pair {
                    key: key.clone(),
                    value: value.clone(),
                })
                .collect(),
            networks: vec![Network {
                name: "none".into(),
                ..Network::default()
            }],
            ..Creation::default()
        };
        for mount in &self.mounts {
            if mount.kind == Kind::Directory && !must_exist {
                let options = if mount.read_only { ":ro" } else { "" };
                let line = format!("{}:{}{options}", mount.source, mount.place);
                creation.binds.push(line);
            } else {
                creation.mounts.push(mount.mount());
            }
        }
        creation
    }
}

impl Recorded {
    /// From what is mounted.
    pub(crate) fn of(placed: &Placed) -> Self {
        Self {
            place: placed.place.clone(),
            kind: Kind::of(placed),
            source: match &placed.backing {
                crate::engine::Backing::Directory(name) | crate::engine::Backing::Volume(name) => {
                    name.clone()
                }
            },
            read_only: !placed.writable,
        }
    }

    fn mount(&self) -> Mount {
        let source = self.source.clone();
        let kind = match self.kind {
            Kind::Directory => MountKind::Bind {
                source,
                propagation: None,
            },
            Kind::Volume | Kind::AnonymousVolume => MountKind::Volume {
                source: Some(source),
                no_copy: true,
                labels: Vec::new(),
                driver: None,
                driver_options: Vec::new(),
            },
        };
        Mount {
            text: String::new(),
            kind,
            target: self.place.clone(),
            read_only: self.read_only,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let at = "2026-11-22T16:15:00Z".parse().unwrap();
        let mut record = Record::new("shop-data", at, "alice@ops1");
        record.note("root", "/srv/data".into());
        record.mounts.push(Recorded {
            place: "/data".into(),
            kind: Kind::Directory,
            source: "/srv/data/shop-data".into(),
            read_only: false,
        });
        record.mode = Some(Mode::of(0o2750));
        record
    }

    #[test]
    fn what_was_written_down_is_read_as_it_was() {
        let record = record();
        assert_eq!(Record::read(&record.text()).unwrap(), record);
        assert!(
            record.text().contains(r#""mode": "2750""#),
            "{}",
            record.text()
        );
    }

    #[test]
    fn what_cannot_be_true_is_not_believed() {
        let spoiled = |spoil: &dyn Fn(&mut Record)| {
            let mut record = record();
            spoil(&mut record);
            Record::read(&record.text()).is_err()
        };
        assert!(spoiled(&|one| one.schema = 2));
        assert!(spoiled(&|one| one.name = "../shop".into()));
        assert!(spoiled(&|one| one.by = "\u{1b}[2J".into()));
        assert!(spoiled(&|one| one.mounts.clear()));
        assert!(spoiled(&|one| one.mounts[0].source = "/".into()));
        assert!(spoiled(&|one| one.mounts[0].source = "/srv/../etc".into()));
        assert!(spoiled(&|one| one.mounts[0].source = "srv".into()));
        assert!(spoiled(&|one| one.mounts[0].place = "/data/../etc".into()));
        assert!(spoiled(&|one| one.mounts = vec![one.mounts[0].clone(); 65]));
        for text in ["", "{}", "[]", "null", "{\"schema\":1}"] {
            assert!(Record::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn it_is_made_so_that_nothing_is_lost_and_nothing_is_started() {
        let made = record().creation(true);
        assert_eq!(made.image, "whaleware/data:1");
        assert_eq!((made.mounts.len(), made.binds.len()), (1, 0));
        assert!(made.restart.is_none() && made.volumes.is_empty());
        let far = record().creation(false);
        assert_eq!(far.binds, ["/srv/data/shop-data:/data"]);
    }
}
