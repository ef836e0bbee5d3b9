//! A directory of a vault, held open.
//!
//! Containers may write in their vault, at any time. So everything is done by a name in an open directory; no link is
//! followed, nobody is waited for, and what is not of the kind it should be is refused.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags, flock, fstat, fsync, mkdirat, openat,
    renameat_with, unlinkat,
};
use rustix::io::Errno;

use super::error::VaultError;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
const FILE: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);
/// What an archive is read into, for as long as it has a name.
const SPOOL: &str = "spool";
/// The most names of a directory that are looked at.
const NAMES: usize = 100_000;

/// An open directory, and how it is called in messages.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    open: Arc<OwnedFd>,
    path: PathBuf,
}

impl Place {
    /// The directory at this path, links in the path resolved: the operator named it.
    pub(super) fn at(path: &Path) -> Result<Self, VaultError> {
        let open = openat(
            rustix::fs::CWD,
            path,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(VaultError::system("open", path))?;
        Ok(Self {
            open: Arc::new(open),
            path: path.to_owned(),
        })
    }

    /// Where it was when it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The open directory.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.open.as_fd()
    }

    fn own(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A directory in it.
    pub(super) fn below(&self, name: &str) -> Result<Self, VaultError> {
        let open = openat(&self.open, one(name)?, DIRECTORY, Mode::empty())
            .map_err(VaultError::system("open", self.own(name)))?;
        Ok(Self {
            open: Arc::new(open),
            path: self.own(name),
        })
    }

    /// A directory in it, nobody else's, which is made where it is not there.
    pub(super) fn make(&self, name: &str) -> Result<Self, VaultError> {
        match mkdirat(&self.open, one(name)?, Mode::RWXU) {
            Ok(()) => self.sync()?,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(VaultError::system("make", self.own(name))(error)),
        }
        self.below(name)
    }

    /// A directory in it that is new.
    pub(super) fn make_new(&self, name: &str) -> Result<Self, VaultError> {
        mkdirat(&self.open, one(name)?, Mode::RWXU)
            .map_err(VaultError::system("make", self.own(name)))?;
        self.below(name)
    }

    /// The names in it, those that are text; in order.
    pub(super) fn names(&self) -> Result<Vec<(String, FileType)>, VaultError> {
        let failed = || VaultError::system::<Errno>("read", &self.path);
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.open).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if name == "." || name == ".." {
                continue;
            }
            if names.len() == NAMES {
                return Err(VaultError::Odd {
                    what: "read",
                    path: self.path.clone(),
                    reason: format!("there is more than {NAMES} of everything in it"),
                });
            }
            names.push((name.to_owned(), entry.file_type()));
        }
        names.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(names)
    }

    /// A regular file in it, to read; none where there is nothing of this name.
    pub(super) fn find(&self, name: &str) -> Result<Option<File>, VaultError> {
        match openat(&self.open, one(name)?, FILE | OFlags::RDONLY, Mode::empty()) {
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP) => Err(VaultError::Odd {
                what: "open",
                path: self.own(name),
                reason: "it is a link, and none is followed there".to_owned(),
            }),
            opened => {
                let opened = opened.map_err(VaultError::system("open", self.own(name)))?;
                self.regular(name, opened).map(Some)
            }
        }
    }

    /// A regular file in it, to read.
    pub(super) fn open(&self, name: &str) -> Result<File, VaultError> {
        self.find(name)?
            .ok_or_else(|| VaultError::system("open", self.own(name))(Errno::NOENT))
    }

    fn regular(&self, name: &str, opened: OwnedFd) -> Result<File, VaultError> {
        let found = fstat(&opened).map_err(VaultError::system("look at", self.own(name)))?;
        if FileType::from_raw_mode(found.st_mode) == FileType::RegularFile {
            return Ok(File::from(opened));
        }
        Err(VaultError::Odd {
            what: "open",
            path: self.own(name),
            reason: "it is no regular file".to_owned(),
        })
    }

    /// The text of a small file in it; none where there is nothing of this name.
    pub(super) fn read(&self, name: &str, most: u64) -> Result<Option<String>, VaultError> {
        let Some(file) = self.find(name)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let mut limited = file.take(most + 1);
        limited
            .read_to_end(&mut bytes)
            .map_err(VaultError::system("read", self.own(name)))?;
        let odd = |reason: String| VaultError::Odd {
            what: "read",
            path: self.own(name),
            reason,
        };
        if bytes.len() as u64 > most {
            return Err(odd(format!("it is longer than {most} bytes")));
        }
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| odd("it is no text".to_owned()))
    }

    /// A new file in it, to write.
    pub(super) fn create(&self, name: &str) -> Result<File, VaultError> {
        let flags = FILE | OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        let opened = openat(&self.open, one(name)?, flags, Mode::RUSR | Mode::WUSR)
            .map_err(VaultError::system("make", self.own(name)))?;
        Ok(File::from(opened))
    }

    /// A file in it, to lock.
    pub(super) fn lockable(&self, name: &str) -> Result<File, VaultError> {
        let flags = FILE | OFlags::RDWR | OFlags::CREATE;
        let opened = openat(&self.open, one(name)?, flags, Mode::RUSR | Mode::WUSR)
            .map_err(VaultError::system("open", self.own(name)))?;
        self.regular(name, opened)
    }

    /// A file in its file system that has no name.
    pub(super) fn unnamed(&self) -> Result<File, VaultError> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        if let Ok(opened) = openat(&self.open, c".", flags, Mode::RUSR | Mode::WUSR) {
            return Ok(File::from(opened));
        }
        // Not every file system can.
        let file = self.create(SPOOL)?;
        unlinkat(&self.open, SPOOL, rustix::fs::AtFlags::empty())
            .map_err(VaultError::system("remove", self.own(SPOOL)))?;
        Ok(file)
    }

    /// Writes a small file so that it is there whole or not at all, in place of one that is there.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), VaultError> {
        let new = format!(".new-{name}");
        let left = CString::new(new.as_str()).map_err(|_| no_name(&new))?;
        ww_archive::remove::remove(self.fd(), &left)
            .map_err(VaultError::system("remove", self.own(&new)))?;
        let mut file = self.create(&new)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(VaultError::system("write", self.own(&new)))?;
        rustix::fs::renameat(&self.open, new.as_str(), &self.open, one(name)?)
            .map_err(VaultError::system("write", self.own(name)))?;
        self.sync()
    }

    /// Gives something in it another name, which is free.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), VaultError> {
        renameat_with(
            &self.open,
            one(from)?,
            &self.open,
            one(to)?,
            RenameFlags::NOREPLACE,
        )
        .map_err(VaultError::system("rename", self.own(from)))?;
        self.sync()
    }

    /// Removes something in it, with all that is below.
    pub(super) fn remove(&self, name: &str) -> Result<(), VaultError> {
        let own = CString::new(one(name)?).map_err(|_| no_name(name))?;
        ww_archive::remove::remove(self.fd(), &own)
            .map_err(VaultError::system("remove", self.own(name)))
    }

    /// Keeps it from being removed as long as this, or a clone of it, lasts. Whether that is so: somebody may be
    /// removing it just now, or have removed it. On a file system that locks no directory nothing is kept.
    pub(super) fn share(&self) -> bool {
        let is_there = || fstat(&self.open).is_ok_and(|found| found.st_nlink > 0);
        flock(&self.open, FlockOperation::NonBlockingLockShared) != Err(Errno::WOULDBLOCK)
            && is_there()
    }

    /// Whether nobody shares it, nor will as long as this lasts.
    pub(super) fn claim(&self) -> bool {
        flock(&self.open, FlockOperation::NonBlockingLockExclusive) != Err(Errno::WOULDBLOCK)
    }

    /// Makes the names in it last.
    pub(super) fn sync(&self) -> Result<(), VaultError> {
        fsync(&self.open).map_err(VaultError::system("sync", &self.path))
    }

    /// Whether this is the same directory.
    pub(super) fn is(&self, other: &Self) -> Result<bool, VaultError> {
        let identity = |place: &Self| -> Result<_, VaultError> {
            let found = fstat(&place.open).map_err(VaultError::system("look at", &place.path))?;
            Ok((found.st_dev, found.st_ino))
        };
        Ok(identity(self)? == identity(other)?)
    }
}

/// A name, and no path.
fn one(name: &str) -> Result<&str, VaultError> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        return Err(no_name(name));
    }
    Ok(name)
}

fn no_name(name: &str) -> VaultError {
    VaultError::System {
        what: "use the name",
        path: PathBuf::from(name),
        source: io::ErrorKind::InvalidFilename.into(),
    }
}
