//! The directory of a `backup` or `restore` script, below the container's `/backup`.
//!
//! Not for people: the agent has it done by a process of its own. What is mounted at `/backup` is the host's, or a
//! network's: it may hang, and removing much takes its time; PID 1 must do neither. And it may be hostile: whoever can
//! write there can plant links. Nothing here follows one.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};
use whaleware::paths;

use super::usage::Usage;
use super::{FAILED, USAGE, terminal};
use crate::environment::Environment;

/// So deep what a script has written may be.
const DEPTH: usize = 128;
/// So many entries are looked at for one that says something. Where there are so many, there is.
const LOOKED_AT: usize = 10_000;

/// `make NAME`, `written NAME`, `clean NAME` and `check PATH`. What `written` found it prints; why something cannot be
/// done goes to stderr.
pub(super) fn main(usage: Usage, arguments: &[OsString]) -> u8 {
    let [word, operand] = arguments else {
        return usage.wrong("it takes a word and a directory");
    };
    let backup = Environment::read().path(paths::BACKUP);
    let done = match word.to_str() {
        Some("make") => name(operand).and_then(|name| make(&backup, &name)),
        Some("written") => name(operand).and_then(|name| {
            let found = written(&backup, &name)?;
            terminal::print(if found { "written\n" } else { "nothing\n" });
            Ok(())
        }),
        Some("clean") => name(operand).and_then(|name| clean(&backup, &name)),
        Some("check") => check(&backup, Path::new(operand)),
        Some(_) | None => return USAGE,
    };
    match done {
        Ok(()) => 0,
        Err(why) => {
            terminal::complain(&format!("{why}\n"));
            FAILED
        }
    }
}

type Outcome<T> = Result<T, String>;

/// The name of a directory that was made here, and nothing else.
fn name(operand: &OsStr) -> Outcome<CString> {
    let bytes = operand.as_bytes();
    let rest = bytes.strip_prefix(paths::HOOK_DIRECTORY.as_bytes());
    let known = rest.is_some_and(|rest| {
        (1..=64).contains(&rest.len()) && rest.iter().all(u8::is_ascii_hexdigit)
    });
    CString::new(bytes)
        .ok()
        .filter(|_| known)
        .ok_or_else(|| "it is not the directory of a `backup` script".to_owned())
}

fn directory(at: impl AsFd, name: &CStr) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    openat(at, name, flags, Mode::empty())
}

fn open_backup(backup: &Path) -> Outcome<OwnedFd> {
    let path = CString::new(backup.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
    directory(nix::fcntl::AT_FDCWD, &path).map_err(|error| {
        let place = backup.display();
        if error == Errno::ENOENT {
            format!("{place} does not exist: nothing that is written there would reach the host")
        } else if matches!(error, Errno::ELOOP | Errno::ENOTDIR) {
            format!("{place} is not a directory")
        } else {
            format!("cannot open {place}: {}", error.desc())
        }
    })
}

fn make(backup: &Path, name: &CStr) -> Outcome<()> {
    let parent = open_backup(backup)?;
    let shown = name.to_string_lossy();
    let cannot = |error: Errno| {
        let place = backup.join(shown.as_ref());
        format!("cannot make {}: {}", place.display(), error.desc())
    };
    // What is there already, be it a link, is never taken for it.
    mkdirat(&parent, name, Mode::S_IRWXU).map_err(cannot)?;
    let made = directory(&parent, name).map_err(cannot)?;
    let found = fstat(&made).map_err(cannot)?;
    if found.st_uid != geteuid().as_raw() || found.st_mode & 0o7777 & !Mode::S_IRWXU.bits() != 0 {
        return Err(format!("{shown} in /backup was replaced by somebody else"));
    }
    Ok(())
}

/// Whether there is a file in it that holds something.
fn written(backup: &Path, name: &CStr) -> Outcome<bool> {
    let parent = open_backup(backup)?;
    let root = directory(&parent, name)
        .map_err(|error| format!("cannot look into it: {}", error.desc()))?;
    let mut left = LOOKED_AT;
    holds_something(root, DEPTH, &mut left)
        .map_err(|error| format!("cannot look into it: {}", error.desc()))
}

fn holds_something(at: OwnedFd, depth: usize, left: &mut usize) -> nix::Result<bool> {
    let mut listing = Dir::from_fd(at)?;
    let names: Vec<CString> = entries(&mut listing, *left + 1)?;
    for name in names {
        *left = left.saturating_sub(1);
        if *left == 0 || depth == 0 {
            return Ok(true);
        }
        let found = fstatat(&listing, name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW)?;
        let holds = if is(&found, SFlag::S_IFDIR) {
            holds_something(directory(&listing, &name)?, depth - 1, left)?
        } else {
            is(&found, SFlag::S_IFREG) && found.st_size > 0
        };
        if holds {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is(found: &FileStat, kind: SFlag) -> bool {
    found.st_mode & SFlag::S_IFMT.bits() == kind.bits()
}

/// The names in a directory, so many at most.
fn entries(listing: &mut Dir, most: usize) -> nix::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in listing.iter() {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_owned());
        }
        if names.len() >= most {
            break;
        }
    }
    Ok(names)
}

fn clean(backup: &Path, name: &CStr) -> Outcome<()> {
    let parent = open_backup(backup)?;
    let cannot = |error: Errno| {
        let place = backup.join(name.to_string_lossy().as_ref());
        format!("cannot remove {}: {}", place.display(), error.desc())
    };
    let root = match directory(&parent, name) {
        Ok(root) => root,
        // It is gone already.
        Err(Errno::ENOENT) => return Ok(()),
        Err(error) => return Err(cannot(error)),
    };
    let device = fstat(&root).map_err(cannot)?.st_dev;
    empty(root, device, DEPTH).map_err(cannot)?;
    match unlinkat(&parent, name, UnlinkatFlags::RemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(error) => Err(cannot(error)),
    }
}

/// Removes everything in a directory; what is mounted there is not entered.
fn empty(at: OwnedFd, device: nix::libc::dev_t, depth: usize) -> nix::Result<()> {
    let mut listing = Dir::from_fd(at)?;
    // A piece at a time: what can be in there has no bound.
    loop {
        let names = entries(&mut listing, 1024)?;
        if names.is_empty() {
            return Ok(());
        }
        for name in names {
            match unlinkat(&listing, name.as_c_str(), UnlinkatFlags::NoRemoveDir) {
                Ok(()) | Err(Errno::ENOENT) => continue,
                Err(Errno::EISDIR | Errno::EPERM) => {}
                Err(error) => return Err(error),
            }
            let child = directory(&listing, &name)?;
            if depth == 0 || fstat(&child)?.st_dev != device {
                return Err(Errno::EBUSY);
            }
            empty(child, device, depth - 1)?;
            unlinkat(&listing, name.as_c_str(), UnlinkatFlags::RemoveDir)?;
        }
    }
}

/// Whether a path names a directory below `/backup` that is reached without a link.
fn check(backup: &Path, path: &Path) -> Outcome<()> {
    let refused = |why: &str| Err(format!("{} {why}", path.display()));
    let Ok(below) = path.strip_prefix(backup) else {
        return refused(&format!("is not below {}", backup.display()));
    };
    let mut at = open_backup(backup)?;
    let mut some = false;
    for part in below.components() {
        let std::path::Component::Normal(part) = part else {
            return refused("has `..` in it");
        };
        let Ok(part) = CString::new(part.as_bytes()) else {
            return refused("has a NUL in it");
        };
        at = match directory(&at, &part) {
            Ok(next) => next,
            Err(Errno::ENOENT) => return refused("does not exist"),
            Err(Errno::ELOOP | Errno::ENOTDIR) => {
                return refused("is not a directory, or is reached through a link");
            }
            Err(error) => return refused(&format!("cannot be opened: {}", error.desc())),
        };
        some = true;
    }
    if some {
        Ok(())
    } else {
        refused("is no directory below it")
    }
}
