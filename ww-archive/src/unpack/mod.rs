//! From a stream to a tree.
//!
//! The tree is made in a fresh directory. Nothing an archive says reaches out of it: every name is made in the open
//! directory it belongs to, must not be there yet, and no link is ever followed. Until all below it is done a directory
//! is its owner's alone; its own mode, attributes and times come last.
//!
//! So what is in a directory must be together in the archive, behind the directory, as [`crate::pack`], GNU tar and the
//! Engines write it. An archive that comes back to a directory, or has something twice, is refused.

mod error;
mod file;
mod metadata;
mod selection;

use std::ffi::CString;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, fchmod, linkat, makedev, mkdirat, mknodat, openat, symlinkat,
    syncfs,
};
use rustix::io::Errno;

use crate::entry::{Entry, Kind};
use crate::ladder::{DIRECTORY, Ladder};
use crate::listing::Listing;
use crate::problem::{Problem, ProblemKind, Watch};
use crate::read::Reader;
use crate::shown::Shown;
use crate::status;

pub use error::UnpackError;

use metadata::Owner;
use selection::Selection;

/// What is put back, and what is not.
#[derive(Debug, Clone, Default)]
pub struct UnpackOptions {
    /// Devices are made. Who can write one can do anything to its host, so else each is a
    /// [`ProblemKind::DeviceSkipped`].
    pub devices: bool,
    /// Only these paths, with what is below them and the directories above them. What is not in the archive is a
    /// [`ProblemKind::Missing`], and so is a hard link to something that is not among them.
    pub only: Option<Vec<Vec<u8>>>,
    /// Owners and groups are set. What cannot be set is a [`ProblemKind::OwnerNotSet`]; set-user-ID and set-group-ID
    /// are never set for another owner than the archive's.
    pub owners: bool,
}

/// What was put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unpacked {
    /// Entries, the root among them.
    pub entries: u64,
    /// Bytes of content.
    pub bytes: u64,
    /// How many problems were told.
    pub problems: u64,
}

/// Makes the tree of an archive in an empty directory, which becomes its root, and syncs its file system.
///
/// # Errors
/// When the directory is not empty, the archive cannot be read to its end or is not in order, something cannot be
/// written, or it is stopped. What was made by then is left: it is in a directory of its own.
pub fn unpack<R: Read>(
    mut reader: Reader<R>,
    target: BorrowedFd<'_>,
    options: &UnpackOptions,
    watch: &mut dyn Watch,
) -> Result<Unpacked, UnpackError> {
    let mut unpacker = Unpacker::new(target, options, watch)?;
    while let Some(entry) = reader.next()? {
        if unpacker.watch.is_over() {
            return Err(UnpackError::Stopped);
        }
        if unpacker.selection.has(&entry) {
            unpacker.entry(&mut reader, entry)?;
        }
    }
    unpacker.finish()?;
    reader.finish()?;
    syncfs(target).map_err(|error| UnpackError::new("sync what was made below", b"", error))?;
    Ok(unpacker.unpacked)
}

struct Unpacker<'a> {
    target: BorrowedFd<'a>,
    options: &'a UnpackOptions,
    watch: &'a mut dyn Watch,
    selection: Selection,
    ladder: Ladder,
    /// What the root had.
    mode: u32,
    /// The directories one is in, from the root on: each is finished when it is left.
    open: Vec<Open>,
    path: Vec<u8>,
    buffer: Vec<u8>,
    unpacked: Unpacked,
}

/// A directory that things are being made in.
struct Open {
    /// How much of the path is its own.
    path: usize,
    /// What the archive says of it. Of the root it may say nothing.
    entry: Option<Entry>,
}

/// What content goes through.
const BUFFER: usize = 256 * 1024;

impl<'a> Unpacker<'a> {
    fn new(
        target: BorrowedFd<'a>,
        options: &'a UnpackOptions,
        watch: &'a mut dyn Watch,
    ) -> Result<Self, UnpackError> {
        let fail = |error: Errno| UnpackError::Target(error.into());
        let root = openat(target, c".", DIRECTORY, Mode::empty()).map_err(fail)?;
        if Listing::new().fill(root.as_fd()).map_err(fail)? {
            return Err(UnpackError::NotEmpty);
        }
        // What is made in it must not inherit anything, and must be nobody else's.
        metadata::clear(root.as_fd()).map_err(fail)?;
        let found = status::of(root.as_fd()).map_err(fail)?;
        fchmod(&root, Mode::RWXU).map_err(fail)?;
        let mut ladder = Ladder::new();
        ladder.push(root, found.identity);
        Ok(Self {
            target,
            options,
            watch,
            selection: Selection::new(options.only.as_deref()),
            ladder,
            mode: found.mode,
            open: vec![Open {
                path: 0,
                entry: None,
            }],
            path: Vec::new(),
            buffer: vec![0; BUFFER],
            unpacked: Unpacked::default(),
        })
    }

    fn entry<R: Read>(&mut self, reader: &mut Reader<R>, entry: Entry) -> Result<(), UnpackError> {
        self.unpacked.entries += 1;
        self.watch.entry(&entry);
        if entry.path.is_empty() {
            return self.root(entry);
        }
        let cut = entry.path.iter().rposition(|byte| *byte == b'/');
        let (above, name) = match cut {
            Some(at) => (&entry.path[..at], &entry.path[at + 1..]),
            None => (&b""[..], &entry.path[..]),
        };
        self.leave_to(above, &entry.path)?;
        let name =
            CString::new(name).map_err(|_| UnpackError::order(&entry.path, "has a NUL in it"))?;
        match &entry.kind {
            Kind::Directory => return self.directory(&name, entry),
            Kind::File => self.file(reader, &name, &entry)?,
            Kind::HardLink { target } => return self.hard_link(&name, &entry, target),
            Kind::Symlink { target } => {
                let made = symlinkat(&target[..], self.lowest(&entry.path)?, &*name);
                made.map_err(|error| UnpackError::made(&entry.path, error))?;
                self.restore(Owner::Link(&name), &entry)?;
            }
            Kind::Fifo => self.node(&name, &entry, FileType::Fifo, (0, 0))?,
            Kind::Socket => self.node(&name, &entry, FileType::Socket, (0, 0))?,
            Kind::CharacterDevice { major, minor } => {
                self.node(&name, &entry, FileType::CharacterDevice, (*major, *minor))?;
            }
            Kind::BlockDevice { major, minor } => {
                self.node(&name, &entry, FileType::BlockDevice, (*major, *minor))?;
            }
        }
        Ok(())
    }

    fn root(&mut self, entry: Entry) -> Result<(), UnpackError> {
        match self.open.first_mut() {
            Some(root) if root.entry.is_none() => {
                root.entry = Some(entry);
                Ok(())
            }
            _ => Err(UnpackError::order(b"", "is in the archive twice")),
        }
    }

    fn directory(&mut self, name: &CString, entry: Entry) -> Result<(), UnpackError> {
        let above = self.lowest(&entry.path)?;
        mkdirat(above, &**name, Mode::RWXU)
            .map_err(|error| UnpackError::made(&entry.path, error))?;
        let opened = openat(above, &**name, DIRECTORY, Mode::empty()).and_then(|open| {
            let identity = status::of(open.as_fd())?.identity;
            Ok((open, identity))
        });
        let (open, identity) =
            opened.map_err(|error| UnpackError::new("open", &entry.path, error))?;
        self.ladder.push(open, identity);
        self.path.clone_from(&entry.path);
        self.open.push(Open {
            path: entry.path.len(),
            entry: Some(entry),
        });
        Ok(())
    }

    /// Finishes directories until one is in that one.
    fn leave_to(&mut self, directory: &[u8], path: &[u8]) -> Result<(), UnpackError> {
        while self.path != directory {
            if self.open.len() == 1 {
                let reason =
                    "is in a directory that the archive does not have before it, or had left";
                return Err(UnpackError::order(path, reason));
            }
            self.leave()?;
        }
        Ok(())
    }

    /// Finishes the directory one is in, and goes to the one above.
    fn leave(&mut self) -> Result<(), UnpackError> {
        let Some(left) = self.open.pop() else {
            return Ok(());
        };
        match &left.entry {
            Some(entry) => self.restore(Owner::Lowest, entry)?,
            None => fchmod(self.lowest(b"")?, Mode::from_raw_mode(self.mode))
                .map_err(|error| UnpackError::new("set the mode of", b"", error))?,
        }
        self.path
            .truncate(self.open.last().map_or(0, |above| above.path));
        self.ladder
            .pop()
            .or_else(|_| self.ladder.restore(self.target, &self.path))
            .map_err(|error| UnpackError::new("go back to", &self.path, error))
    }

    fn finish(&mut self) -> Result<(), UnpackError> {
        while !self.open.is_empty() {
            self.leave()?;
        }
        for path in self.selection.missing() {
            let text = "it is not in the archive".to_owned();
            self.problem(ProblemKind::Missing, &path, text);
        }
        Ok(())
    }

    /// A further name of something that was made before.
    fn hard_link(
        &mut self,
        name: &CString,
        entry: &Entry,
        target: &[u8],
    ) -> Result<(), UnpackError> {
        let fail = |error| UnpackError::new("look for what is linked to by", &entry.path, error);
        let found = match self.made_before(target) {
            Ok(found) => found,
            // It was left out, and so is this.
            Err(Errno::NOENT) if self.options.only.is_some() || !self.options.devices => {
                let text = format!(
                    "it is another name of {}, which was not extracted",
                    Shown(target)
                );
                self.problem(ProblemKind::Missing, &entry.path, text);
                return Ok(());
            }
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                let reason = "is another name of something that is not before it in the archive";
                return Err(UnpackError::order(&entry.path, reason));
            }
            Err(error) => return Err(fail(error)),
        };
        let (directory, first) = found;
        let kind = status::at(directory.as_fd(), &first).map_err(fail)?.kind;
        if kind == FileType::Directory {
            return Err(UnpackError::order(
                &entry.path,
                "is another name of a directory",
            ));
        }
        let made = linkat(
            &directory,
            &*first,
            self.lowest(&entry.path)?,
            &**name,
            AtFlags::empty(),
        );
        made.map_err(|error| UnpackError::made(&entry.path, error))
    }

    /// The directory of a path below the target, and the name in it. Nothing on the way is followed.
    fn made_before(&self, path: &[u8]) -> Result<(OwnedFd, CString), Errno> {
        let mut names: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
        let name = names
            .pop()
            .and_then(|name| CString::new(name).ok())
            .ok_or(Errno::INVAL)?;
        let mut directory = openat(self.target, c".", DIRECTORY, Mode::empty())?;
        for name in names {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            directory = openat(&directory, name, flags, Mode::empty())?;
        }
        status::at(directory.as_fd(), &name)?;
        Ok((directory, name))
    }

    /// What has no content: a fifo, a socket, a device.
    fn node(
        &mut self,
        name: &CString,
        entry: &Entry,
        kind: FileType,
        (major, minor): (u32, u32),
    ) -> Result<(), UnpackError> {
        let device = matches!(kind, FileType::CharacterDevice | FileType::BlockDevice);
        if device && !self.options.devices {
            let text = "devices are not made unless they are asked for".to_owned();
            self.problem(ProblemKind::DeviceSkipped, &entry.path, text);
            return Ok(());
        }
        let mode = Mode::RUSR | Mode::WUSR;
        match mknodat(
            self.lowest(&entry.path)?,
            &**name,
            kind,
            mode,
            makedev(major, minor),
        ) {
            Ok(()) => self.restore(Owner::Node(name), entry),
            Err(Errno::PERM) if device => {
                let text = format!("cannot make it: {}", io::Error::from(Errno::PERM));
                self.problem(ProblemKind::DeviceSkipped, &entry.path, text);
                Ok(())
            }
            Err(error) => Err(UnpackError::made(&entry.path, error)),
        }
    }

    /// The directory one is in.
    fn lowest(&self, path: &[u8]) -> Result<BorrowedFd<'_>, UnpackError> {
        let lowest = self.ladder.lowest();
        lowest.ok_or_else(|| UnpackError::order(path, "is in a directory that was moved away"))
    }

    fn problem(&mut self, kind: ProblemKind, path: &[u8], text: String) {
        self.unpacked.problems += 1;
        self.watch.problem(Problem {
            kind,
            path: path.to_vec(),
            text,
        });
    }
}
