//! From a tree to a stream.
//!
//! The tree may change while it is read. Nothing that happens to it breaks the stream: what a header promised follows
//! it, filled up with zeros if need be, and each thing that is not as it was is told to the [`Watch`]. Only the output
//! can make it fail.

mod content;
mod encode;
mod output;
pub(crate) mod sparse;
mod writer;

use std::ffi::CStr;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, OFlags, readlinkat};
use rustix::io::Errno;

use crate::attribute::{Attributes, Owner};
use crate::entry::{Entry, Kind};
use crate::link::Links;
use crate::pattern::Patterns;
use crate::problem::{Problem, ProblemKind, Watch};
use crate::status::{self, Status};
use crate::walk::{Access, Found, Visit, Walk};

pub use writer::Writer;

use output::Output;

/// What is read, and what is not.
#[derive(Debug, Clone, Default)]
pub struct PackOptions {
    /// What matches is not read, nor is what is below it. The topmost of it is a [`ProblemKind::Excluded`].
    pub exclude: Patterns,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Packed {
    /// Entries, the root among them.
    pub entries: u64,
    /// Bytes of content.
    pub bytes: u64,
    /// Bytes of the whole stream.
    pub written: u64,
    /// How many problems were told.
    pub problems: u64,
}

/// Why there is no complete stream.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// What is to be read is no directory.
    #[error("cannot read a tree from what is no directory")]
    NoDirectory,
    /// The directory itself cannot be read.
    #[error("cannot read the directory: {0}")]
    Root(#[source] io::Error),
    /// Nobody takes the stream, or it has no place.
    #[error("cannot write the archive: {0}")]
    Output(#[source] io::Error),
    /// The watch said so.
    #[error("cannot finish the archive: it was stopped")]
    Stopped,
}

/// Writes a tree as a stream.
///
/// # Errors
/// When the root is no directory or cannot be read, when the output fails, when it is stopped. Nothing that happens to
/// what is in the tree is an error.
pub fn pack(
    root: BorrowedFd<'_>,
    options: &PackOptions,
    out: &mut dyn Write,
    watch: &mut dyn Watch,
) -> Result<Packed, PackError> {
    let walk = Walk::new(root, options)?;
    let mut packer = Packer {
        out: Output::new(out),
        watch,
        attributes: Attributes::new(),
        links: Links::default(),
        access: Access::default(),
        packed: Packed::default(),
    };
    walk.run(&mut packer)?;
    packer.out.zeros(encode::TRAILER)?;
    packer.out.flush()?;
    packer.packed.written = packer.out.written();
    Ok(packer.packed)
}

struct Packer<'a> {
    out: Output<'a>,
    watch: &'a mut dyn Watch,
    attributes: Attributes,
    links: Links,
    access: Access,
    packed: Packed,
}

/// How a file is opened: nothing is followed, and nobody waited for.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

impl Visit for Packer<'_> {
    fn file(&mut self, found: &Found<'_>) -> Result<(), PackError> {
        if found.kind == FileType::RegularFile {
            match self.access.open(found.directory, found.name, FILE) {
                Ok(file) => self.regular(found, &file),
                Err(error) => {
                    self.missed(found, error);
                    Ok(())
                }
            }
        } else {
            self.special(found)
        }
    }

    fn directory(
        &mut self,
        path: &[u8],
        status: &Status,
        open: Option<BorrowedFd<'_>>,
    ) -> Result<(), PackError> {
        let mut entry = entry(path, Kind::Directory, status);
        if let Some(open) = open {
            self.read_attributes(&mut entry, Owner::Open(open));
        }
        self.begin(&entry)
    }

    fn problem(&mut self, kind: ProblemKind, path: &[u8], text: String) {
        self.packed.problems += 1;
        self.watch.problem(Problem {
            kind,
            path: path.to_vec(),
            text,
        });
    }

    fn is_over(&self) -> bool {
        self.watch.is_over()
    }
}

impl Packer<'_> {
    fn regular(&mut self, found: &Found<'_>, file: &OwnedFd) -> Result<(), PackError> {
        let status = match status::of(file.as_fd()) {
            Ok(status) => status,
            Err(error) => {
                self.missed(found, error);
                return Ok(());
            }
        };
        if !self.is_same(found, &status) || self.is_linked(found, &status)? {
            return Ok(());
        }
        let mut entry = entry(found.path, Kind::File, &status);
        entry.size = status.size;
        entry.segments = sparse::segments(file.as_fd(), &status);
        self.read_attributes(&mut entry, Owner::Open(file.as_fd()));
        self.begin(&entry)?;
        self.links.add(&status, found.path);
        self.content(file.as_fd(), &entry, &status)
    }

    /// What has no content: it is not opened.
    fn special(&mut self, found: &Found<'_>) -> Result<(), PackError> {
        let status = match status::at(found.directory, found.name) {
            Ok(status) => status,
            Err(error) => {
                self.missed(found, error);
                return Ok(());
            }
        };
        if !self.is_same(found, &status) || self.is_linked(found, &status)? {
            return Ok(());
        }
        let (major, minor) = status.device;
        let kind = match status.kind {
            FileType::Symlink => match readlinkat(found.directory, found.name, Vec::new()) {
                Ok(target) => Kind::Symlink {
                    target: target.into_bytes(),
                },
                Err(error) => {
                    self.missed(found, error);
                    return Ok(());
                }
            },
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            FileType::CharacterDevice => Kind::CharacterDevice { major, minor },
            FileType::BlockDevice => Kind::BlockDevice { major, minor },
            FileType::RegularFile | FileType::Directory | FileType::Unknown => {
                let text = "nobody knows what it is".to_owned();
                self.problem(ProblemKind::Unsupported, found.path, text);
                return Ok(());
            }
        };
        let mut entry = entry(found.path, kind, &status);
        self.read_attributes(&mut entry, Owner::Named(found.directory, found.name));
        self.begin(&entry)?;
        self.links.add(&status, found.path);
        Ok(())
    }

    /// Whether it is what was listed, and in the same file system.
    fn is_same(&mut self, found: &Found<'_>, status: &Status) -> bool {
        if status.kind != found.kind {
            let text = "something else had taken its place when its turn came".to_owned();
            self.problem(ProblemKind::Replaced, found.path, text);
            false
        } else if status.mount == found.mount {
            true
        } else {
            let text = "something else is mounted there, it is not in here".to_owned();
            self.problem(ProblemKind::MountPoint, found.path, text);
            false
        }
    }

    /// Writes the entry of a further name of something that is in the archive.
    fn is_linked(&mut self, found: &Found<'_>, status: &Status) -> Result<bool, PackError> {
        let Some(target) = self.links.seen(status) else {
            return Ok(false);
        };
        self.begin(&entry(found.path, Kind::HardLink { target }, status))?;
        Ok(true)
    }

    fn begin(&mut self, entry: &Entry) -> Result<(), PackError> {
        self.out.put(&encode::header(entry))?;
        self.packed.entries += 1;
        self.watch.entry(entry);
        Ok(())
    }

    fn read_attributes(&mut self, entry: &mut Entry, owner: Owner<'_>) {
        let (watch, problems) = (&mut *self.watch, &mut self.packed.problems);
        let path = &entry.path;
        entry.xattrs = self.attributes.read(owner, &mut |kind, text| {
            *problems += 1;
            watch.problem(Problem {
                kind,
                path: path.clone(),
                text,
            });
        });
    }

    /// Something that was listed and cannot be read.
    fn missed(&mut self, found: &Found<'_>, error: Errno) {
        let (kind, text) = match error {
            Errno::NOENT => (
                ProblemKind::Vanished,
                "it was gone when its turn came".to_owned(),
            ),
            // A link where there was a file, no link where there was one, a socket.
            Errno::LOOP | Errno::INVAL | Errno::NXIO
                if !is_kind(found.directory, found.name, found.kind) =>
            {
                (
                    ProblemKind::Replaced,
                    "something else had taken its place when its turn came".to_owned(),
                )
            }
            other => (
                ProblemKind::Unreadable,
                format!("cannot open it: {}", io::Error::from(other)),
            ),
        };
        self.problem(kind, found.path, text);
    }
}

fn is_kind(directory: BorrowedFd<'_>, name: &CStr, kind: FileType) -> bool {
    status::at(directory, name).is_ok_and(|status| status.kind == kind)
}

fn entry(path: &[u8], kind: Kind, status: &Status) -> Entry {
    Entry {
        path: path.to_vec(),
        kind,
        mode: status.mode,
        uid: status.uid,
        gid: status.gid,
        mtime: status.mtime,
        size: 0,
        xattrs: Vec::new(),
        segments: None,
    }
}
