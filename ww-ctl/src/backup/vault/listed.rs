//! The list of files of a backup: a line of JSON for each entry, in the order of the archive.
//!
//! With it one can tell what is in a backup without unpacking it, find a file, and compare: the SHA-256 is that of the
//! file as `sha256sum` has it. A file with holes may be longer than anybody wants to read, so it has another digest, of
//! its blocks that are not all zeros, which does not depend on where a file system keeps holes.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};
use ww_archive::{Entry, Kind, Segment};

use super::digest::{Sha256, hex, sha256};

/// The longest line.
const LINE: u64 = 1 << 20;
/// What a file with holes is digested by.
const BLOCK: usize = 4096;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Relative to the root, which is empty itself.
    pub path: Octets,
    /// What it is.
    pub kind: KindOf,
    /// Permissions, octal.
    pub mode: String,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// When its content was changed last: seconds since 1970 and nine digits.
    pub mtime: String,
    /// Bytes of a file, holes counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// SHA-256 of a file without holes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Digest of one with holes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks_sha256: Option<String>,
    /// Where a link points, or what a hard link is another name of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Octets>,
    /// Major and minor number of a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<(u32, u32)>,
    /// Digest of the extended attributes, where there are some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xattrs_sha256: Option<String>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KindOf {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A further name.
    HardLink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
}

/// Bytes that are text nearly always.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub(crate) struct Octets(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Hex { hex: String },
}

impl From<Written> for Octets {
    fn from(written: Written) -> Self {
        match written {
            Written::Text(text) => Self(text.into_bytes()),
            // What is no number is nothing that any tree has.
            Written::Hex { hex } => Self(hex::bytes(&hex).unwrap_or_else(|| vec![0])),
        }
    }
}

impl From<Octets> for Written {
    fn from(octets: Octets) -> Self {
        match String::from_utf8(octets.0) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Hex {
                hex: hex::text(error.as_bytes()),
            },
        }
    }
}

impl Line {
    /// What an archive says of one, before the content is known.
    pub(crate) fn of(entry: &Entry) -> Self {
        let octets = |target: &[u8]| Some(Octets(target.to_vec()));
        let (kind, target, device) = match &entry.kind {
            Kind::File => (KindOf::File, None, None),
            Kind::Directory => (KindOf::Directory, None, None),
            Kind::Symlink { target } => (KindOf::Symlink, octets(target), None),
            Kind::HardLink { target } => (KindOf::HardLink, octets(target), None),
            Kind::Fifo => (KindOf::Fifo, None, None),
            Kind::Socket => (KindOf::Socket, None, None),
            Kind::CharacterDevice { major, minor } => {
                (KindOf::CharacterDevice, None, Some((*major, *minor)))
            }
            Kind::BlockDevice { major, minor } => {
                (KindOf::BlockDevice, None, Some((*major, *minor)))
            }
        };
        Self {
            path: Octets(entry.path.clone()),
            kind,
            mode: format!("{:04o}", entry.mode),
            uid: entry.uid,
            gid: entry.gid,
            mtime: format!("{}.{:09}", entry.mtime.seconds, entry.mtime.nanos),
            size: (kind == KindOf::File).then_some(entry.size),
            sha256: None,
            blocks_sha256: None,
            target,
            device,
            xattrs_sha256: (!entry.xattrs.is_empty()).then(|| attributes(entry)),
        }
    }

    /// Writes it as a line.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.write_all(b"\n")
    }
}

/// Digest of all attributes, whatever their order.
fn attributes(entry: &Entry) -> String {
    let mut all: Vec<_> = entry.xattrs.iter().collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    let mut text = Vec::new();
    for xattr in all {
        for bytes in [&xattr.name, &xattr.value] {
            text.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            text.extend_from_slice(bytes);
        }
    }
    sha256(&text)
}

/// The next line; none at the end.
pub(crate) fn read(from: &mut dyn BufRead) -> io::Result<Option<Line>> {
    let mut text = Vec::new();
    let mut limited = io::Read::take(&mut *from, LINE);
    limited.read_until(b'\n', &mut text)?;
    if text.is_empty() {
        return Ok(None);
    }
    if text.last() != Some(&b'\n') {
        let reason = "a line of the list of files has no end";
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    Ok(Some(serde_json::from_slice(&text)?))
}

/// Digests the content of one file as it comes.
pub(crate) enum Content {
    /// As it is.
    Whole(Sha256),
    /// By its blocks.
    Blocks(Blocks),
}

impl Content {
    /// For a file of an archive.
    pub(crate) fn of(entry: &Entry) -> Self {
        match &entry.segments {
            None => Self::Whole(Sha256::new()),
            Some(segments) => Self::Blocks(Blocks::new(segments.clone())),
        }
    }

    /// Takes in more of what is stored.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        match self {
            Self::Whole(sha256) => sha256.add(bytes),
            Self::Blocks(blocks) => blocks.add(bytes),
        }
    }

    /// Writes down what it was.
    pub(crate) fn end(self, line: &mut Line) {
        match self {
            Self::Whole(sha256) => line.sha256 = Some(sha256.end()),
            Self::Blocks(blocks) => line.blocks_sha256 = Some(blocks.end()),
        }
    }
}

/// Digests blocks that are not all zeros, each behind its number.
pub(crate) struct Blocks {
    segments: std::vec::IntoIter<Segment>,
    /// What is left of the current one.
    left: u64,
    /// Where the next byte lies in the file.
    at: u64,
    number: u64,
    block: Vec<u8>,
    sha256: Sha256,
}

impl Blocks {
    fn new(segments: Vec<Segment>) -> Self {
        Self {
            segments: segments.into_iter(),
            left: 0,
            at: 0,
            number: 0,
            block: vec![0; BLOCK],
            sha256: Sha256::new(),
        }
    }

    fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            while self.left == 0 {
                let Some(next) = self.segments.next() else {
                    return;
                };
                (self.at, self.left) = (next.offset, next.length);
            }
            let (number, within) = (self.at / BLOCK as u64, self.at % BLOCK as u64);
            if number != self.number {
                self.flush();
                self.number = number;
            }
            let within = usize::try_from(within).unwrap_or(0);
            let most = usize::try_from(self.left).unwrap_or(usize::MAX);
            let taken = bytes.len().min(most).min(BLOCK - within);
            let (now, rest) = bytes.split_at(taken);
            self.block[within..within + taken].copy_from_slice(now);
            self.at += taken as u64;
            self.left -= taken as u64;
            bytes = rest;
        }
    }

    fn flush(&mut self) {
        if self.block.iter().any(|byte| *byte != 0) {
            self.sha256.add(&self.number.to_le_bytes());
            self.sha256.add(&self.block);
            self.block.fill(0);
        }
    }

    fn end(mut self) -> String {
        self.flush();
        self.sha256.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &[u8]) -> Entry {
        Entry {
            path: path.to_vec(),
            kind: Kind::File,
            mode: 0o640,
            uid: 1,
            gid: 2,
            mtime: ww_archive::Time {
                seconds: -1,
                nanos: 5,
            },
            size: 3,
            xattrs: Vec::new(),
            segments: None,
        }
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        for path in [&b"a b\n\"c"[..], b"\xff/x", "ü".as_bytes()] {
            let mut line = Line::of(&entry(path));
            line.sha256 = Some(sha256(b"abc"));
            let mut text = Vec::new();
            line.write(&mut text).unwrap();
            let mut from = &text[..];
            assert_eq!(read(&mut from).unwrap(), Some(line));
            assert_eq!(read(&mut from).unwrap(), None);
            let mut cut = &text[..text.len() - 1];
            assert!(read(&mut cut).is_err());
        }
    }

    #[test]
    fn where_holes_are_kept_makes_no_difference() {
        let mut content = vec![0; 3 * BLOCK];
        content[5000] = 1;
        content.extend_from_slice(b"the end");
        let digest = |segments: &[(u64, u64)]| {
            let mut holey = entry(b"x");
            holey.size = content.len() as u64;
            holey.segments = Some(
                segments
                    .iter()
                    .map(|(offset, length)| Segment {
                        offset: *offset,
                        length: *length,
                    })
                    .collect(),
            );
            let mut of = Content::of(&holey);
            for (offset, length) in segments {
                let from = usize::try_from(*offset).unwrap();
                let piece = &content[from..from + usize::try_from(*length).unwrap()];
                piece.chunks(100).for_each(|piece| of.add(piece));
            }
            let mut line = Line::of(&holey);
            of.end(&mut line);
            line.blocks_sha256.unwrap()
        };
        let size = content.len() as u64;
        let whole = digest(&[(0, size)]);
        assert_eq!(whole, digest(&[(4096, 4096), (3 * 4096, 7)]));
        assert_eq!(whole, digest(&[(5000, 1), (3 * 4096, 7)]));
        assert_ne!(whole, digest(&[(4096, 4096)]));
    }
}
