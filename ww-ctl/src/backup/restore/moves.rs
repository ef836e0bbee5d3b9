//! What changes its place, found out and done.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RenameFlags, fsync, openat, renameat_with, statat,
};
use rustix::io::Errno;

use super::record::{Identity, Move, Place};

/// How a directory on the way is opened.
const WAY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

/// A name in an open directory.
pub(super) struct Spot {
    directory: OwnedFd,
    name: CString,
}

impl Spot {
    /// A name in a directory.
    pub(super) fn new(directory: BorrowedFd<'_>, name: &[u8]) -> io::Result<Self> {
        Ok(Self {
            directory: openat(directory, c".", WAY, Mode::empty())?,
            name: CString::new(name)?,
        })
    }

    /// What has this path below a name of a directory; the path may be empty. Nothing is followed.
    pub(super) fn below(top: BorrowedFd<'_>, name: &[u8], path: &[u8]) -> io::Result<Self> {
        let mut spot = Self::new(top, name)?;
        for next in path
            .split(|byte| *byte == b'/')
            .filter(|next| !next.is_empty())
        {
            spot = Self {
                directory: openat(&spot.directory, &spot.name, WAY, Mode::empty())?,
                name: CString::new(next)?,
            };
        }
        Ok(spot)
    }

    /// What is there; none where nothing is.
    pub(super) fn identity(&self) -> io::Result<Option<Identity>> {
        match statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
            Ok(found) => Ok(Some(Identity {
                device: found.st_dev,
                inode: found.st_ino,
            })),
        }
    }

    fn is_directory(&self) -> io::Result<bool> {
        let found = statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileType::from_raw_mode(found.st_mode) == FileType::Directory)
    }

    fn rename(&self, to: &Self, flags: RenameFlags) -> io::Result<()> {
        renameat_with(&self.directory, &self.name, &to.directory, &to.name, flags)?;
        fsync(&self.directory)?;
        fsync(&to.directory)?;
        Ok(())
    }
}

/// The two trees.
pub(super) struct Trees<'a> {
    /// The directory with the one that is put together or was kept, and its name in it.
    pub staged: (BorrowedFd<'a>, &'a [u8]),
    /// The directory with the one in use, and its name in it.
    pub used: (BorrowedFd<'a>, &'a [u8]),
}

impl Trees<'_> {
    fn staged(&self, path: &[u8]) -> io::Result<Spot> {
        Spot::below(self.staged.0, self.staged.1, path)
    }

    fn used(&self, path: &[u8]) -> io::Result<Spot> {
        Spot::below(self.used.0, self.used.1, path)
    }

    /// What has to change its place so that what is put together is used: all of it, or these paths with what is
    /// below them.
    pub(super) fn plan(&self, only: &[Place]) -> io::Result<Vec<Move>> {
        if only.is_empty() {
            return Ok(vec![self.plan_one(b"")?]);
        }
        let mut tops = BTreeSet::new();
        for Place(path) in only {
            tops.insert(self.top(path)?);
        }
        let mut moves: Vec<Move> = Vec::new();
        for path in tops {
            let is_in = |known: &Move| {
                known.path.0.is_empty()
                    || path
                        .strip_prefix(&known.path.0[..])
                        .is_some_and(|rest| rest.starts_with(b"/"))
            };
            if !moves.iter().any(is_in) {
                moves.push(self.plan_one(&path)?);
            }
        }
        Ok(moves)
    }

    /// The same again for what has changed its place before.
    pub(super) fn plan_back(&self, moves: &[Move]) -> io::Result<Vec<Move>> {
        moves.iter().map(|one| self.plan_one(&one.path.0)).collect()
    }

    /// The path itself, or the highest directory above it that is not in use.
    fn top(&self, path: &[u8]) -> io::Result<Vec<u8>> {
        for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            let spot = self.used(&path[..at])?;
            if spot.identity()?.is_none() {
                return Ok(path[..at].to_vec());
            }
            if !spot.is_directory()? {
                let shown = String::from_utf8_lossy(&path[..at]).into_owned();
                let words = format!("{shown} is no directory there; restore that path instead");
                return Err(io::Error::other(words));
            }
        }
        Ok(path.to_vec())
    }

    fn plan_one(&self, path: &[u8]) -> io::Result<Move> {
        Ok(Move {
            path: Place(path.to_vec()),
            staged: missing(self.staged(path))?,
            there: missing(self.used(path))?,
        })
    }

    /// Does it, as far as it is not done.
    pub(super) fn apply(&self, one: &Move) -> io::Result<()> {
        let (staged, used) = (self.staged(&one.path.0)?, self.used(&one.path.0)?);
        if used.identity()? == one.staged {
            return Ok(());
        }
        match (one.staged, one.there) {
            (Some(_), Some(_)) => staged.rename(&used, RenameFlags::EXCHANGE),
            (Some(_), None) => staged.rename(&used, RenameFlags::NOREPLACE),
            (None, Some(_)) => used.rename(&staged, RenameFlags::NOREPLACE),
            (None, None) => Ok(()),
        }
    }

    /// Takes it back, as far as it is done.
    pub(super) fn take_back(&self, one: &Move) -> io::Result<()> {
        self.apply(&Move {
            path: one.path.clone(),
            staged: one.there,
            there: one.staged,
        })
    }

    /// Whether it is done.
    pub(super) fn is_done(&self, one: &Move) -> io::Result<bool> {
        Ok(self.used(&one.path.0)?.identity()? == one.staged)
    }
}

/// What is at a spot; none where nothing is, not even the directory.
fn missing(spot: io::Result<Spot>) -> io::Result<Option<Identity>> {
    match spot {
        Ok(spot) => spot.identity(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
