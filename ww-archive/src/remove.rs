//! A tree that is not wanted any more.
//!
//! It may be deeper than a program's stack or its open files reach, and whoever wrote it may have meant it to be. So a
//! directory that is not empty is moved up to the top before it is entered: there are never more than two levels open.
//! No link is followed, and nothing outside is touched.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{
    AtFlags, FileType, Mode, RenameFlags, fchmod, openat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;

use crate::ladder::DIRECTORY;
use crate::listing::Listing;

/// Removes what has this name in a directory, with all that is below it. What is not there is removed.
///
/// # Errors
/// When something of it cannot be removed: what is left stays where it is, or at the top of the tree.
pub fn remove(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    let found = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        found => found?,
    };
    if FileType::from_raw_mode(found.st_mode) != FileType::Directory {
        return gone(unlinkat(parent, name, AtFlags::empty()));
    }
    let top = openat(parent, name, DIRECTORY, Mode::empty())?;
    // What cannot be written to cannot be emptied. Where this is refused, so will be what follows.
    let _refused = fchmod(&top, Mode::RWXU);
    let mut moved = 0_u64;
    loop {
        let mut listing = Listing::new();
        if !listing.fill(top.as_fd())? {
            break;
        }
        for at in 0..listing.len() {
            let Some((child, kind)) = listing.get(at) else {
                break;
            };
            one(top.as_fd(), child, kind, &mut moved)?;
        }
        // The next batch is read from the beginning: names came and went.
        rustix::fs::seek(&top, rustix::fs::SeekFrom::Start(0))?;
    }
    gone(unlinkat(parent, name, AtFlags::REMOVEDIR))
}

/// Removes a file of the top, or empties a directory of it.
fn one(top: BorrowedFd<'_>, name: &CStr, kind: FileType, moved: &mut u64) -> io::Result<()> {
    if kind != FileType::Directory {
        match unlinkat(top, name, AtFlags::empty()) {
            // The directory did not say what it is.
            Err(Errno::ISDIR | Errno::PERM) if is_directory(top, name) => {}
            done => return gone(done),
        }
    }
    match unlinkat(top, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOTEMPTY | Errno::EXIST) => {}
        done => return gone(done),
    }
    let directory = openat(top, name, DIRECTORY, Mode::empty())?;
    let _refused = fchmod(&directory, Mode::RWXU);
    let mut listing = Listing::new();
    while listing.fill(directory.as_fd())? {
        for at in 0..listing.len() {
            let Some((child, kind)) = listing.get(at) else {
                break;
            };
            if kind != FileType::Directory {
                match unlinkat(&directory, child, AtFlags::empty()) {
                    Err(Errno::ISDIR | Errno::PERM) if is_directory(directory.as_fd(), child) => {}
                    done => {
                        gone(done)?;
                        continue;
                    }
                }
            }
            match unlinkat(&directory, child, AtFlags::REMOVEDIR) {
                Err(Errno::NOTEMPTY | Errno::EXIST) => {}
                done => {
                    gone(done)?;
                    continue;
                }
            }
            lift(directory.as_fd(), child, top, moved)?;
        }
        rustix::fs::seek(&directory, rustix::fs::SeekFrom::Start(0))?;
    }
    gone(unlinkat(top, name, AtFlags::REMOVEDIR))
}

/// Moves a directory to the top, under a name that is free there.
fn lift(from: BorrowedFd<'_>, name: &CStr, top: BorrowedFd<'_>, moved: &mut u64) -> io::Result<()> {
    let mut opened = false;
    loop {
        *moved += 1;
        let free = CString::new(format!(".removed-{moved}")).map_err(io::Error::other)?;
        match renameat_with(from, name, top, &free, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => {}
            // A directory's own entry `..` is written anew: it has to be writable.
            Err(Errno::ACCESS) if !opened => {
                opened = true;
                let own = openat(from, name, DIRECTORY, Mode::empty())?;
                fchmod(&own, Mode::RWXU)?;
            }
            done => return gone(done),
        }
    }
}

fn is_directory(parent: BorrowedFd<'_>, name: &CStr) -> bool {
    statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Directory)
}

/// Whoever removed it, it is gone.
fn gone(done: Result<(), Errno>) -> io::Result<()> {
    match done {
        Err(Errno::NOENT) => Ok(()),
        done => Ok(done?),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    use super::*;

    fn remove_in(directory: &Path, name: &CStr) {
        let parent = File::open(directory).unwrap();
        remove(parent.as_fd(), name).unwrap();
    }

    #[test]
    fn all_below_is_gone_and_nothing_beside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fs::create_dir_all(path.join("tree/a/b/c")).unwrap();
        fs::create_dir_all(path.join("tree/a/d/e")).unwrap();
        fs::write(path.join("tree/a/b/c/file"), "x").unwrap();
        fs::write(path.join("beside"), "kept").unwrap();
        symlink("../../beside", path.join("tree/a/link")).unwrap();
        symlink(path, path.join("tree/out")).unwrap();
        fs::set_permissions(path.join("tree/a/b"), fs::Permissions::from_mode(0o0)).unwrap();
        remove_in(path, c"tree");
        assert!(!path.join("tree").exists());
        assert_eq!(fs::read_to_string(path.join("beside")).unwrap(), "kept");
        remove_in(path, c"tree");
        remove_in(path, c"beside");
        assert_eq!(fs::read_dir(path).unwrap().count(), 0);
    }

    #[test]
    fn deeper_than_a_stack_and_wider_than_a_batch() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("tree")).unwrap();
        let mut at = openat(
            rustix::fs::CWD,
            directory.path().join("tree"),
            DIRECTORY,
            Mode::empty(),
        )
        .unwrap();
        for _ in 0..5000 {
            rustix::fs::mkdirat(&at, c"deeper", Mode::RWXU).unwrap();
            at = openat(&at, c"deeper", DIRECTORY, Mode::empty()).unwrap();
        }
        for number in 0..9000 {
            fs::write(directory.path().join(format!("tree/{number}")), "").unwrap();
        }
        remove_in(directory.path(), c"tree");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
