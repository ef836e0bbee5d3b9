//! What a file has besides its content. The order matters: a change of the owner takes capabilities and set-user-ID
//! away, and everything changes times.

use std::ffi::CStr;
use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{
    AtFlags, Gid, Mode, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags, chmodat, chownat,
    fchmod, fchown, fremovexattr, fsetxattr, futimens, lsetxattr, utimensat,
};
use rustix::io::Errno;

use super::{UnpackError, Unpacker};
use crate::attribute::through;
use crate::entry::{Entry, Time, Xattr};
use crate::problem::ProblemKind;
use crate::shown::Shown;
use crate::status;

/// Whose it is.
#[derive(Clone, Copy)]
pub(super) enum Owner<'a> {
    /// Of an open file.
    Open(BorrowedFd<'a>),
    /// Of the directory one is in.
    Lowest,
    /// Of a symbolic link in that directory. It has no mode.
    Link(&'a CStr),
    /// Of what else was made there: nobody else can go in there yet, so it still is what was made.
    Node(&'a CStr),
}

/// Set-user-ID and set-group-ID.
const SET_ID: u32 = 0o6000;

/// Every file system takes times from 1970 to 2038; others become the nearest that it has.
const COMMON_TIMES: std::ops::Range<i64> = 0..1 << 31;

/// Takes away what files in a directory would inherit.
pub(super) fn clear(directory: BorrowedFd<'_>) -> Result<(), Errno> {
    for name in [c"system.posix_acl_default", c"system.posix_acl_access"] {
        match fremovexattr(directory, name) {
            Ok(()) | Err(Errno::NODATA | Errno::NOTSUP | Errno::NOSYS) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Unpacker<'_> {
    /// Sets owner, attributes, mode and times.
    pub(super) fn restore(&mut self, owner: Owner<'_>, entry: &Entry) -> Result<(), UnpackError> {
        let is_own = self.set_owner(owner, entry)?;
        for xattr in &entry.xattrs {
            if let Err(error) = self.handle(owner, entry)?.set_xattr(xattr) {
                self.not_set(entry, xattr, error)?;
            }
        }
        let mode = if is_own {
            entry.mode
        } else {
            entry.mode & !SET_ID
        };
        let handle = self.handle(owner, entry)?;
        handle
            .set_mode(mode)
            .map_err(|error| UnpackError::new("set the mode of", &entry.path, error))?;
        handle
            .set_time(entry.mtime)
            .map_err(|error| UnpackError::new("set the time of", &entry.path, error))?;
        if !COMMON_TIMES.contains(&entry.mtime.seconds) && handle.time() != Ok(entry.mtime) {
            let text = "the file system does not have its time".to_owned();
            self.problem(ProblemKind::TimeNotSet, &entry.path, text);
        }
        Ok(())
    }

    /// Whether the owner is the one in the archive.
    fn set_owner(&mut self, owner: Owner<'_>, entry: &Entry) -> Result<bool, UnpackError> {
        if !self.options.owners {
            return Ok(false);
        }
        let text = match self.handle(owner, entry)?.set_owner(entry.uid, entry.gid) {
            Ok(()) => return Ok(true),
            Err(error @ (Errno::PERM | Errno::INVAL)) => {
                format!(
                    "cannot give it to {}:{}: {}",
                    entry.uid,
                    entry.gid,
                    io::Error::from(error)
                )
            }
            Err(error) => return Err(UnpackError::new("set the owner of", &entry.path, error)),
        };
        self.problem(ProblemKind::OwnerNotSet, &entry.path, text);
        Ok(false)
    }

    fn not_set(&mut self, entry: &Entry, xattr: &Xattr, error: Errno) -> Result<(), UnpackError> {
        match error {
            // Where there are none, for whom may not, of more than there is room for beside a file.
            Errno::NOTSUP
            | Errno::PERM
            | Errno::ACCESS
            | Errno::INVAL
            | Errno::TOOBIG
            | Errno::RANGE
            | Errno::NOSPC => {
                let name = Shown(&xattr.name);
                let text = format!(
                    "cannot set its attribute {name}: {}",
                    io::Error::from(error)
                );
                self.problem(ProblemKind::AttributeNotSet, &entry.path, text);
                Ok(())
            }
            other => Err(UnpackError::new("set an attribute of", &entry.path, other)),
        }
    }

    fn handle<'a>(&'a self, owner: Owner<'a>, entry: &Entry) -> Result<Handle<'a>, UnpackError> {
        Ok(match owner {
            Owner::Open(file) => Handle::Open(file),
            Owner::Lowest => Handle::Open(self.lowest(&entry.path)?),
            Owner::Link(name) => Handle::Link(self.lowest(&entry.path)?, name),
            Owner::Node(name) => Handle::Node(self.lowest(&entry.path)?, name),
        })
    }
}

#[derive(Clone, Copy)]
enum Handle<'a> {
    Open(BorrowedFd<'a>),
    Link(BorrowedFd<'a>, &'a CStr),
    Node(BorrowedFd<'a>, &'a CStr),
}

impl Handle<'_> {
    fn set_owner(self, uid: u32, gid: u32) -> Result<(), Errno> {
        // The highest number means that nothing is to be changed.
        if uid == u32::MAX || gid == u32::MAX {
            return Err(Errno::INVAL);
        }
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        match self {
            Self::Open(file) => fchown(file, uid, gid),
            Self::Link(directory, name) | Self::Node(directory, name) => {
                chownat(directory, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
            }
        }
    }

    fn set_xattr(self, xattr: &Xattr) -> Result<(), Errno> {
        let (name, value, flags) = (&xattr.name[..], &xattr.value[..], XattrFlags::empty());
        match self {
            Self::Open(file) => fsetxattr(file, name, value, flags),
            Self::Link(directory, file) | Self::Node(directory, file) => {
                lsetxattr(&*through(directory, file), name, value, flags)
            }
        }
    }

    fn set_mode(self, mode: u32) -> Result<(), Errno> {
        let mode = Mode::from_raw_mode(mode);
        match self {
            Self::Open(file) => fchmod(file, mode),
            Self::Link(..) => Ok(()),
            Self::Node(directory, name) => chmodat(directory, name, mode, AtFlags::empty()),
        }
    }

    fn set_time(self, time: Time) -> Result<(), Errno> {
        let times = Timestamps {
            last_access: Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_OMIT,
            },
            last_modification: Timespec {
                tv_sec: time.seconds,
                tv_nsec: time.nanos.into(),
            },
        };
        match self {
            Self::Open(file) => futimens(file, &times),
            Self::Link(directory, name) | Self::Node(directory, name) => {
                utimensat(directory, name, &times, AtFlags::SYMLINK_NOFOLLOW)
            }
        }
    }

    fn time(self) -> Result<Time, Errno> {
        let found = match self {
            Self::Open(file) => status::of(file),
            Self::Link(directory, name) | Self::Node(directory, name) => {
                status::at(directory, name)
            }
        };
        found.map(|found| found.mtime)
    }
}
