//! The vault: a directory with a directory a name, and in it a directory a set.
//!
//! Whoever can write there may be hostile: a container that has its vault at `/backup` plants what it likes. So
//! everything below is opened by descriptors, and no link is followed.

mod files;
mod id;
mod incoming;
mod manifest;
mod seal;

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::{Flock, FlockArg};
use rustix::fs::{AtFlags, Mode, OFlags};

pub(crate) use id::Id;
pub(crate) use incoming::Incoming;
pub(crate) use manifest::{
    BackingKind, Consistency, EngineInfo, Manifest, Member, Part, PartBacking, PartKind,
    ProblemTold, ProblemsTold, Role, SCHEMA,
};
pub(crate) use seal::{SealError, SealOptions, Sealed};

use crate::fleet::clean;
use crate::syntax::is_name;
use files::{directory, empty, file, names};

/// What the name of a set begins with that is not complete.
const INCOMING: &str = ".incoming-";
/// What the name of a set begins with that is on its way out.
const REMOVING: &str = ".removing-";
/// Held while sets of a name are made or removed.
const LOCK: &str = ".lock";
/// What a set says of itself.
const MANIFEST: &str = "manifest.json";
/// The most bytes of that.
const LARGEST: u64 = 16 << 20;
/// The most bytes read of who holds a lock.
const HOLDER: u64 = 200;

/// Why the vault does not do what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VaultError {
    /// Another run is at work on the same name.
    #[error("another run is at work on {name} in the vault: {by}")]
    Locked {
        /// The name.
        name: String,
        /// Who it is.
        by: String,
    },
    /// It is no name of a container.
    #[error("`{0}` cannot be a name in the vault")]
    Name(String),
    /// Something in it is not what it should be.
    #[error("cannot {what} {}", .path.display())]
    System {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl VaultError {
    fn at(what: &'static str, path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::System {
            what,
            path: path.clone(),
            source,
        }
    }
}

/// An open vault.
#[derive(Debug, Clone)]
pub(crate) struct Vault {
    path: PathBuf,
    root: Arc<OwnedFd>,
}

/// Held by one run at a time for a name.
#[derive(Debug)]
pub(crate) struct Lock {
    #[expect(dead_code, reason = "it is only held")]
    held: Flock<File>,
    directory: Arc<OwnedFd>,
    path: PathBuf,
}

/// What is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Space {
    /// Bytes.
    pub bytes: u64,
}

/// A set that is complete.
#[derive(Debug, Clone)]
pub(crate) struct Set {
    /// Its id.
    pub id: Id,
    /// What it says of itself.
    pub manifest: Manifest,
}

impl Set {
    /// The bytes of its payloads.
    pub(crate) fn bytes(&self) -> u64 {
        let parts = self.manifest.parts.iter();
        let bytes = parts.map(|part| part.payload.bytes.saturating_add(part.files.bytes));
        bytes.fold(0, u64::saturating_add)
    }
}

impl Vault {
    /// Opens one that is there.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, VaultError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty());
        let root = root.map_err(|error| VaultError::at("open the vault", path)(error.into()))?;
        Ok(Self {
            path: path.to_owned(),
            root: Arc::new(root),
        })
    }

    /// Opens it, and makes it where there is none.
    ///
    /// # Errors
    /// When that cannot be done.
    pub(crate) fn make(path: &Path) -> Result<Self, VaultError> {
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(path);
        made.map_err(VaultError::at("make the vault", path))?;
        Self::open(path)
    }

    /// Keeps others from the sets of a name, and makes the name's directory where there is none.
    ///
    /// # Errors
    /// [`VaultError::Locked`] at once when another run has it.
    pub(crate) fn lock(&self, name: &str) -> Result<Lock, VaultError> {
        if !is_name(name) {
            return Err(VaultError::Name(clean(name, 200)));
        }
        let path = self.path.join(name);
        match rustix::fs::mkdirat(&*self.root, name, Mode::RWXU) {
            Ok(()) => rustix::fs::fsync(&*self.root)
                .map_err(|error| VaultError::at("sync", &self.path)(error.into()))?,
            Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(VaultError::at("make", &path)(error.into())),
        }
        let directory = directory(&*self.root, name).map_err(VaultError::at("open", &path))?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK;
        let lock = path.join(LOCK);
        let open = file(&directory, LOCK, flags).map_err(VaultError::at("open", &lock))?;
        let mut held = match Flock::lock(open, FlockArg::LockExclusiveNonblock) {
            Ok(held) => held,
            Err((file, nix::errno::Errno::EWOULDBLOCK)) => {
                let mut by = Vec::new();
                let _unread = file.take(HOLDER).read_to_end(&mut by);
                return Err(VaultError::Locked {
                    name: name.to_owned(),
                    by: clean(String::from_utf8_lossy(&by).trim(), 200),
                });
            }
            Err((_, error)) => return Err(VaultError::at("lock", &lock)(error.into())),
        };
        // Who it is is a courtesy, and a disk that is full must not keep anybody from removing sets.
        let by = format!(
            "process {} of {}\n",
            std::process::id(),
            crate::environment::operator()
        );
        let _full = held.set_len(0).and_then(|()| held.write_all(by.as_bytes()));
        Ok(Lock {
            held,
            directory: Arc::new(directory),
            path,
        })
    }

    /// Removes what runs that were killed have left under a name; what that was.
    ///
    /// # Errors
    /// When something cannot be removed.
    #[expect(clippy::unused_self, reason = "the lock is of this vault")]
    pub(crate) fn sweep(&self, lock: &Lock) -> Result<Vec<String>, VaultError> {
        let failed = VaultError::at("tidy up", &lock.path);
        let mut swept = Vec::new();
        for name in names(&lock.directory).map_err(&failed)? {
            if name.starts_with(INCOMING) || name.starts_with(REMOVING) {
                remove(&lock.directory, &name).map_err(&failed)?;
                swept.push(name);
            }
        }
        Ok(swept)
    }

    /// Begins a set.
    ///
    /// # Errors
    /// When its directory cannot be made.
    #[expect(clippy::unused_self, reason = "the lock is of this vault")]
    pub(crate) fn incoming(&self, lock: &Lock, id: &Id) -> Result<Incoming, VaultError> {
        Incoming::new(&lock.path, lock.directory.clone(), id.clone())
    }

    /// What is free for whoever asks.
    ///
    /// # Errors
    /// When the file system does not tell.
    pub(crate) fn free(&self) -> Result<Space, VaultError> {
        let told = rustix::fs::fstatvfs(&*self.root);
        let told = told.map_err(|error| VaultError::at("look at", &self.path)(error.into()))?;
        Ok(Space {
            bytes: told.f_bavail.saturating_mul(told.f_frsize),
        })
    }

    /// The complete sets of a name, oldest first.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "what is to list sets is not there yet")
    )]
    ///
    /// # Errors
    /// When the name's directory cannot be read. Where there is none, there are no sets.
    pub(crate) fn complete(&self, name: &str) -> Result<Vec<Set>, VaultError> {
        let path = self.path.join(name);
        if !is_name(name) {
            return Err(VaultError::Name(clean(name, 200)));
        }
        let directory = match directory(&*self.root, name) {
            Ok(directory) => directory,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(VaultError::at("open", &path)(error)),
        };
        let mut ids: Vec<Id> = names(&directory)
            .map_err(VaultError::at("read", &path))?
            .iter()
            .filter_map(|name| name.parse().ok())
            .collect();
        ids.sort();
        Ok(ids
            .into_iter()
            .filter_map(|id| read(&directory, id))
            .collect())
    }
}

/// A set, if it is one.
fn read(directory: &OwnedFd, id: Id) -> Option<Set> {
    let set = files::directory(directory, &id.to_string()).ok()?;
    let open = file(&set, MANIFEST, OFlags::RDONLY | OFlags::NONBLOCK).ok()?;
    let mut text = Vec::new();
    open.take(LARGEST).read_to_end(&mut text).ok()?;
    let manifest: Manifest = serde_json::from_slice(&text).ok()?;
    (manifest.id == id && manifest.schema <= SCHEMA).then_some(Set { id, manifest })
}

/// Removes something, whatever it is.
fn remove(directory: &OwnedFd, name: &str) -> io::Result<()> {
    match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => return Ok(()),
        Err(rustix::io::Errno::ISDIR | rustix::io::Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    empty(directory, name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn vault() -> (tempfile::TempDir, Vault) {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::make(&directory.path().join("a/vault")).unwrap();
        (directory, vault)
    }

    #[test]
    fn one_run_at_a_time_has_a_name() {
        let (_directory, vault) = vault();
        let lock = vault.lock("shop").unwrap();
        let refused = vault.lock("shop").unwrap_err();
        assert!(refused.to_string().contains("process "), "{refused}");
        assert!(vault.lock("db").is_ok());
        drop(lock);
        assert!(vault.lock("shop").is_ok());
        for name in ["", ".", "..", "a/b", ".lock"] {
            assert!(
                matches!(vault.lock(name), Err(VaultError::Name(_))),
                "{name}"
            );
        }
    }

    #[test]
    fn links_that_somebody_has_planted_are_not_followed() {
        let (directory, vault) = vault();
        let other = directory.path().join("other");
        std::fs::create_dir(&other).unwrap();
        std::fs::write(other.join("precious"), "x").unwrap();
        symlink(&other, vault.path.join("shop")).unwrap();
        assert!(vault.lock("shop").is_err());
        assert!(vault.complete("shop").is_err());

        std::fs::create_dir(vault.path.join("db")).unwrap();
        symlink(other.join("precious"), vault.path.join("db/.lock")).unwrap();
        assert!(vault.lock("db").is_err());
        std::fs::remove_file(vault.path.join("db/.lock")).unwrap();
        let lock = vault.lock("db").unwrap();
        symlink(&other, vault.path.join("db/.incoming-x")).unwrap();
        std::fs::create_dir(vault.path.join("db/.removing-y")).unwrap();
        symlink(&other, vault.path.join("db/.removing-y/link")).unwrap();
        assert_eq!(vault.sweep(&lock).unwrap().len(), 2);
        assert_eq!(std::fs::read(other.join("precious")).unwrap(), b"x");
        assert_eq!(vault.path.join("db").read_dir().unwrap().count(), 1);
    }

    #[test]
    fn what_does_not_say_what_it_is_is_no_set() {
        let (_directory, vault) = vault();
        assert!(vault.complete("shop").unwrap().is_empty());
        drop(vault.lock("shop").unwrap());
        let set = vault.path.join("shop/20261122T161500Z-7f3a");
        std::fs::create_dir(&set).unwrap();
        assert!(vault.complete("shop").unwrap().is_empty());
        std::fs::write(set.join(MANIFEST), "{}").unwrap();
        assert!(vault.complete("shop").unwrap().is_empty());
        assert!(vault.free().unwrap().bytes > 0);
    }
}
