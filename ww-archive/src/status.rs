//! What the kernel knows of a file, by the newest call there is.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use rustix::fs::{
    AtFlags, FileType, RawMode, StatxFlags, fstat, major, makedev, minor, statat, statx,
};
use rustix::io::Errno;

use crate::entry::Time;

/// What of a file is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Status {
    /// Which file it is, as long as it is there.
    pub(crate) identity: Identity,
    pub(crate) kind: FileType,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) links: u32,
    pub(crate) device: (u32, u32),
    pub(crate) size: u64,
    /// In units of 512 bytes.
    pub(crate) blocks: u64,
    pub(crate) mtime: Time,
    pub(crate) ctime: Time,
    /// When it was made, in nanoseconds; 0 where that is not known. A number of a file that is gone is used again.
    pub(crate) birth: u64,
    /// Which mount it is in: its number where the kernel tells it, the device otherwise.
    pub(crate) mount: Mount,
}

/// Tells one file from every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// Tells one mount from every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mount {
    Numbered(u64),
    Device(u64),
}

/// Of what is open.
pub(crate) fn of(file: BorrowedFd<'_>) -> Result<Status, Errno> {
    match statx(file, c"", AtFlags::EMPTY_PATH, wanted()) {
        Ok(found) => Ok(from_statx(&found)),
        // An old kernel, or a filter of calls that is older than the call.
        Err(Errno::NOSYS) => fstat(file).map(|found| from_stat(&found)),
        Err(other) => Err(other),
    }
}

/// Of what has that name in a directory; a link is not followed.
pub(crate) fn at(directory: BorrowedFd<'_>, name: &CStr) -> Result<Status, Errno> {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    match statx(directory, name, flags | AtFlags::NO_AUTOMOUNT, wanted()) {
        Ok(found) => Ok(from_statx(&found)),
        Err(Errno::NOSYS) => statat(directory, name, flags).map(|found| from_stat(&found)),
        Err(other) => Err(other),
    }
}

fn wanted() -> StatxFlags {
    StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID
}

fn from_statx(found: &rustix::fs::Statx) -> Status {
    let device = makedev(found.stx_dev_major, found.stx_dev_minor);
    let numbered = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::MNT_ID);
    Status {
        identity: Identity {
            device,
            inode: found.stx_ino,
        },
        kind: FileType::from_raw_mode(RawMode::from(found.stx_mode)),
        mode: u32::from(found.stx_mode) & 0o7777,
        uid: found.stx_uid,
        gid: found.stx_gid,
        links: found.stx_nlink,
        device: (found.stx_rdev_major, found.stx_rdev_minor),
        size: found.stx_size,
        blocks: found.stx_blocks,
        mtime: Time {
            seconds: found.stx_mtime.tv_sec,
            nanos: found.stx_mtime.tv_nsec,
        },
        ctime: Time {
            seconds: found.stx_ctime.tv_sec,
            nanos: found.stx_ctime.tv_nsec,
        },
        birth: found
            .stx_btime
            .tv_sec
            .cast_unsigned()
            .wrapping_mul(1_000_000_000)
            ^ u64::from(found.stx_btime.tv_nsec),
        mount: if numbered {
            Mount::Numbered(found.stx_mnt_id)
        } else {
            Mount::Device(device)
        },
    }
}

fn from_stat(found: &rustix::fs::Stat) -> Status {
    let nanos = |value| u32::try_from(value).unwrap_or_default();
    Status {
        identity: Identity {
            device: found.st_dev,
            inode: found.st_ino,
        },
        kind: FileType::from_raw_mode(found.st_mode),
        mode: found.st_mode & 0o7777,
        uid: found.st_uid,
        gid: found.st_gid,
        links: u32::try_from(found.st_nlink).unwrap_or(u32::MAX),
        device: (major(found.st_rdev), minor(found.st_rdev)),
        size: u64::try_from(found.st_size).unwrap_or_default(),
        blocks: u64::try_from(found.st_blocks).unwrap_or_default(),
        mtime: Time {
            seconds: found.st_mtime,
            nanos: nanos(found.st_mtime_nsec),
        },
        ctime: Time {
            seconds: found.st_ctime,
            nanos: nanos(found.st_ctime_nsec),
        },
        birth: 0,
        mount: Mount::Device(found.st_dev),
    }
}
