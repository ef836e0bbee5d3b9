//! What could not be done as it should have been, and who is told.

use std::fmt;

use crate::entry::Entry;

/// Something that is not in the archive, or not as it was, or could not be put back as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which kind.
    pub kind: ProblemKind,
    /// Whose, relative to the root.
    pub path: Vec<u8>,
    /// In words, without the path.
    pub text: String,
}

/// The kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProblemKind {
    /// It was listed and was gone when its turn came.
    Vanished,
    /// A file was shorter than it had been; the rest is zeros.
    Shrank,
    /// A file was longer than it had been; what was added is not in the archive.
    Grew,
    /// Something else had taken its place; it is not in the archive.
    Replaced,
    /// A file was changed while it was read: the content may be of no one moment.
    Changed,
    /// It could not be read, or not to its end; what is missing of a file is zeros.
    Unreadable,
    /// It was not wanted.
    Excluded,
    /// Another file system is mounted there; it was not entered.
    MountPoint,
    /// No archive of this kind can hold it.
    Unsupported,
    /// A device was not made.
    DeviceSkipped,
    /// Its owner or group is another one than it was.
    OwnerNotSet,
    /// It has not all of its extended attributes.
    AttributeNotSet,
    /// The file system cannot hold its time.
    TimeNotSet,
    /// It was wanted, and is not in the archive, or what it is a link to was not extracted.
    Missing,
}

impl ProblemKind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Vanished,
        Self::Shrank,
        Self::Grew,
        Self::Replaced,
        Self::Changed,
        Self::Unreadable,
        Self::Excluded,
        Self::MountPoint,
        Self::Unsupported,
        Self::DeviceSkipped,
        Self::OwnerNotSet,
        Self::AttributeNotSet,
        Self::TimeNotSet,
        Self::Missing,
    ];

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// As it is written in manifests and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vanished => "vanished",
            Self::Shrank => "shrank",
            Self::Grew => "grew",
            Self::Replaced => "replaced",
            Self::Changed => "changed",
            Self::Unreadable => "unreadable",
            Self::Excluded => "excluded",
            Self::MountPoint => "mount-point",
            Self::Unsupported => "unsupported",
            Self::DeviceSkipped => "device-skipped",
            Self::OwnerNotSet => "owner-not-set",
            Self::AttributeNotSet => "attribute-not-set",
            Self::TimeNotSet => "time-not-set",
            Self::Missing => "missing",
        }
    }
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who is told how it goes, while it goes.
pub trait Watch {
    /// An entry begins: what is told of it is in the archive. Of a file the content comes next.
    fn entry(&mut self, entry: &Entry);

    /// So many bytes of content more were read.
    fn bytes(&mut self, count: u64);

    /// Something is not as it should be. There may be as many as there are files.
    fn problem(&mut self, problem: Problem);

    /// Whether to stop as soon as possible. Asked for each entry, and within long ones.
    fn is_over(&self) -> bool;
}
