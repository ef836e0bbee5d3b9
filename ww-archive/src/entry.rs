//! What an archive says of one file.

/// One entry of an archive, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the root, without a leading `./`; the root itself is empty. Any bytes but NUL.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// The permissions with set-user-ID, set-group-ID and sticky: `0o7777` at most.
    pub mode: u32,
    /// The owner, by number.
    pub uid: u32,
    /// The group, by number.
    pub gid: u32,
    /// When the content was changed last.
    pub mtime: Time,
    /// How long the content is for who reads the file, holes counted; 0 for what is no file.
    pub size: u64,
    /// Extended attributes. A hard link has those of what it links to, and none here.
    pub xattrs: Vec<Xattr>,
    /// Where the data lie, if there are holes: in order, apart, none empty. Everything else reads as zeros.
    pub segments: Option<Vec<Segment>>,
}

impl Entry {
    /// How many bytes of content the archive holds.
    #[must_use]
    pub fn stored(&self) -> u64 {
        match &self.segments {
            Some(segments) => segments.iter().map(|segment| segment.length).sum(),
            None => self.size,
        }
    }
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Where it points, as it was written.
        target: Vec<u8>,
    },
    /// Another name of something that came before.
    HardLink {
        /// The path under which it came.
        target: Vec<u8>,
    },
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharacterDevice {
        /// Which driver.
        major: u32,
        /// Which of its devices.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Which driver.
        major: u32,
        /// Which of its devices.
        minor: u32,
    },
}

/// A time of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Seconds since 1970, before it negative.
    pub seconds: i64,
    /// Nanoseconds after them, below 1,000,000,000, never negative.
    pub nanos: u32,
}

/// An extended attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Xattr {
    /// Its whole name, such as `user.origin`.
    pub name: Vec<u8>,
    /// Its value, any bytes.
    pub value: Vec<u8>,
}

/// A part of a file that is no hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub length: u64,
}
