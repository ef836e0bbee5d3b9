//! Files and directories by descriptors; no link is followed.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

/// Nothing leads out of a directory.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS);

/// Opens a directory in another one.
pub(super) fn directory(at: impl AsFd, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat2(at, name, flags, Mode::empty(), BENEATH)?)
}

/// Opens a regular file in a directory, its owner's alone where it is made.
pub(super) fn file(at: impl AsFd, name: &str, flags: OFlags) -> io::Result<File> {
    let mode = if flags.contains(OFlags::CREATE) {
        Mode::RUSR | Mode::WUSR
    } else {
        Mode::empty()
    };
    let opened = openat2(at, name, flags | OFlags::CLOEXEC, mode, BENEATH)?;
    let opened = File::from(opened);
    if opened.metadata()?.is_file() {
        Ok(opened)
    } else {
        Err(io::Error::other("it is not a regular file"))
    }
}

/// The names in a directory that are text.
pub(super) fn names(directory: &OwnedFd) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(own(directory, "."))? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

/// Removes a directory in another one, with all that is in it.
pub(super) fn empty(at: &OwnedFd, name: &str) -> io::Result<()> {
    match fs::remove_dir_all(own(at, name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A path to what is in an open directory, wherever that is by now.
fn own(directory: &OwnedFd, name: &str) -> String {
    format!("/proc/self/fd/{}/{name}", directory.as_raw_fd())
}
