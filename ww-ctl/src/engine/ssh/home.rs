//! A private directory for as long as a tunnel lasts.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::Uid;
use whaleware::env;

use crate::environment::variable;

/// Where it is when there is no better place.
const FALLBACK: &str = "/tmp";
/// What its name begins with.
const PREFIX: &str = "ww-ctl-ssh-";
/// The socket in it.
const ENTRANCE: &str = "engine.sock";
/// Held as long as it is in use.
const LOCK: &str = "lock";
/// The path of a socket has 107 bytes at most, and what ssh makes of it first has a few more.
const LONGEST: usize = 50;
/// So many names are tried.
const NAMES: u32 = 1000;

/// A directory nobody else may look into. It goes with this; one that somebody left behind who was
/// killed goes when the next is made.
pub(super) struct Home {
    path: PathBuf,
    _lock: Flock<File>,
}

impl Home {
    /// Makes one.
    ///
    /// # Errors
    /// When there is no place for it.
    pub(super) fn new() -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for place in [variable(env::XDG_RUNTIME_DIR), Some(FALLBACK.to_owned())] {
            let place = place.filter(|place| fits(place)).map(PathBuf::from);
            match place.map(|place| Self::below(&place)) {
                Some(Ok(home)) => return Ok(home),
                Some(Err(error)) => last = error,
                None => {}
            }
        }
        Err(last)
    }

    fn below(place: &Path) -> io::Result<Self> {
        sweep(place);
        let own = std::process::id();
        for number in 0..NAMES {
            let path = place.join(format!("{PREFIX}{own}-{number}"));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    let lock = lock(&path, true)?;
                    return Ok(Self { path, _lock: lock });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// The socket in it.
    pub(super) fn entrance(&self) -> PathBuf {
        self.path.join(ENTRANCE)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// It becomes a part of what ssh splits at colons and expands percent signs in.
fn fits(place: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    place.starts_with('/') && place.len() < LONGEST && place.bytes().all(plain)
}

fn lock(path: &Path, create: bool) -> io::Result<Flock<File>> {
    let file = OpenOptions::new()
        .write(true)
        .create(create)
        .truncate(false)
        .mode(0o600)
        .open(path.join(LOCK))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| error.into())
}

/// Removes what nobody uses any more, of our own.
fn sweep(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_one = name.to_str().is_some_and(|name| name.starts_with(PREFIX));
        let is_ours = || {
            // Not followed: a link is not a directory.
            let metadata = fs::symlink_metadata(entry.path());
            metadata.is_ok_and(|it| it.is_dir() && it.uid() == Uid::effective().as_raw())
        };
        // One without a lock is only being made.
        if is_one && is_ours() && lock(&entry.path(), false).is_ok() {
            remove(&entry.path());
        }
    }
}

/// Only what belongs in it; the rest would be somebody else's.
fn remove(path: &Path) {
    for name in [ENTRANCE, LOCK] {
        let _gone = fs::remove_file(path.join(name));
    }
    let _gone = fs::remove_dir(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_behind_goes_and_what_is_in_use_stays() {
        let place = tempfile::tempdir().unwrap();
        let used = Home::below(place.path()).unwrap();
        let left = place.path().join(format!("{PREFIX}1-0"));
        let young = place.path().join(format!("{PREFIX}1-1"));
        let other = place.path().join("other");
        for dir in [&left, &young, &other] {
            fs::create_dir(dir).unwrap();
        }
        for dir in [&left, &other] {
            fs::write(dir.join(LOCK), "").unwrap();
            fs::write(dir.join(ENTRANCE), "").unwrap();
        }
        let next = Home::below(place.path()).unwrap();
        assert_ne!(used.path, next.path);
        assert!(used.path.join(LOCK).exists());
        assert!(!left.exists() && young.exists() && other.join(LOCK).exists());
        let mode = fs::metadata(&next.path).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700);
        let path = next.path.clone();
        drop(next);
        assert!(!path.exists());
    }
}
