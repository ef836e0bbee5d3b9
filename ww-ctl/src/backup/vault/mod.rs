//! Where backups are kept: `VAULT/NAME/ID/`, a directory for each.
//!
//! A vault is a directory of this machine. Often it is mounted in the containers whose backups it has, so that their own
//! scripts can write to it: whatever is found in it may have been put there by one of them. See [`place`].

mod age;
mod ahead;
mod digest;
mod error;
mod id;
mod incoming;
mod last;
mod listed;
mod manifest;
mod place;
mod reader;
mod repository;
mod retention;
mod seal;
mod set;
mod settling;
#[cfg(test)]
mod tests;
mod verify;

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use jiff::Timestamp;
use nix::fcntl::{Flock, FlockArg};
use rustix::fs::fstatvfs;

pub(crate) use ahead::Ahead;
pub(crate) use digest::{Digesting, Sha256, hex, sha256};
pub(crate) use error::VaultError;
pub(crate) use id::Id;
pub(crate) use incoming::{HOOK, Incoming};
pub(crate) use last::{Search, Sought};
pub(crate) use listed::{Content, KindOf, Line, Octets, read as read_line};
pub(crate) use manifest::{
    BackingKind, BackingOf, Consistency, Counts, EngineOf, Manifest, Member, Part, PartKind,
    Payload, ProblemTold, ProblemsTold, Repository, Role,
};
pub(crate) use place::Place;
pub(crate) use reader::{files, reader};
pub(crate) use repository::Restic;
pub(crate) use retention::{Aged, Keep, Reason, plan};
pub(crate) use seal::{SealError, SealOptions, Sealed};
pub(crate) use set::{How, Set, Verifications, Verified};
pub(crate) use verify::{Depth, Verdict, verify};

use crate::fleet::clean;
use crate::syntax::is_name;
use incoming::INCOMING;

/// Held by who changes the backups of one name.
const LOCK: &str = ".lock";
/// What a backup is called while it is removed.
const REMOVING: &str = ".removing-";
/// The most bytes read of who holds a lock.
const HOLDER: u64 = 200;
/// The newest one, as one asks for it.
const LATEST: &str = "latest";

/// A directory with backups.
#[derive(Debug, Clone)]
pub(crate) struct Vault {
    place: Place,
}

/// Held while the backups of one name are changed.
#[derive(Debug)]
pub(crate) struct Lock {
    name: String,
    place: Place,
    _held: Flock<File>,
}

/// What is found where backups are.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "nearly all are of the large one")]
pub(crate) enum Listed {
    /// One that was complete when it was written.
    Set(Set),
    /// One that cannot be used any more.
    Broken {
        /// What it is called.
        id: Id,
        /// Why.
        reason: String,
    },
}

/// What is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Space {
    /// Bytes.
    pub bytes: u64,
    /// Files; none where the file system does not count them.
    pub files: Option<u64>,
}

impl Vault {
    /// The one at this path.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, VaultError> {
        Ok(Self {
            place: Place::at(path)?,
        })
    }

    /// The one at this path; it is made where it is not there, for nobody else to look into.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn make(path: &Path) -> Result<Self, VaultError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(VaultError::system("make", path))?;
        Self::open(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.place.path()
    }

    /// Whose backups are in it, in order.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn names(&self) -> Result<Vec<String>, VaultError> {
        let names = self.place.names()?.into_iter();
        let names = names.filter(|(name, kind)| {
            is_name(name)
                && matches!(
                    kind,
                    rustix::fs::FileType::Directory | rustix::fs::FileType::Unknown
                )
        });
        Ok(names.map(|(name, _)| name).collect())
    }

    /// The backups of one name, oldest first; none where there never was one.
    ///
    /// # Errors
    /// When they cannot be read. One of them that cannot is told as broken.
    pub(crate) fn listed(&self, name: &str) -> Result<Vec<Listed>, VaultError> {
        let above = match self.place.below(name) {
            Err(VaultError::System { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(Vec::new());
            }
            above => above?,
        };
        let names = above.names()?.into_iter();
        let ids = names.filter_map(|(name, _)| Id::parse(&name));
        let listed = ids.map(|id| match Set::open_at(&above, name, &id) {
            Ok(set) => Listed::Set(set),
            Err(VaultError::Broken { reason, .. }) => Listed::Broken { id, reason },
            Err(error) => Listed::Broken {
                id,
                reason: crate::engine::chain(&error),
            },
        });
        Ok(listed.collect())
    }

    /// Those of one name that can be used, oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn sets(&self, name: &str) -> Result<Vec<Set>, VaultError> {
        let listed = self.listed(name)?.into_iter();
        let sets = listed.filter_map(|one| match one {
            Listed::Set(set) => Some(set),
            Listed::Broken { .. } => None,
        });
        Ok(sets.collect())
    }

    /// The one that goes by `NAME/ID`, an id, the end of one, or `NAME` or `NAME/latest` for the newest of a name.
    ///
    /// # Errors
    /// When there is none, more than one, or it cannot be used any more.
    pub(crate) fn find(&self, reference: &str) -> Result<Set, VaultError> {
        let names = self.names()?;
        let (names, wanted) = match reference.split_once('/') {
            Some((name, wanted)) => {
                let names = names.into_iter().filter(|known| known == name);
                (names.collect(), wanted)
            }
            None if names.iter().any(|name| name == reference) => {
                (vec![reference.to_owned()], LATEST)
            }
            None => (names, reference),
        };
        let mut found = Vec::new();
        let mut known = 0;
        for name in &names {
            let listed = self.listed(name)?;
            known += listed.len();
            if wanted == LATEST {
                let newest = listed.into_iter().rev();
                let mut sets = newest.filter(|one| matches!(one, Listed::Set(_)));
                found.extend(sets.next().map(|one| (name.clone(), one)));
            } else if !wanted.is_empty() {
                let own = listed.into_iter();
                let own = own.filter(|one| one.id().as_str().ends_with(wanted));
                found.extend(own.map(|one| (name.clone(), one)));
            }
        }
        let vault = self.path().to_owned();
        let reference = reference.to_owned();
        if found.len() > 1 {
            let found = found
                .iter()
                .map(|(name, one)| format!("{name}/{}", one.id()));
            return Err(VaultError::Ambiguous {
                reference,
                vault,
                found: found.collect(),
            });
        }
        match found.pop() {
            Some((_, Listed::Set(set))) => Ok(set),
            Some((name, Listed::Broken { id, reason })) => Err(VaultError::Broken {
                reference: format!("{name}/{id}"),
                vault,
                reason,
            }),
            None => Err(VaultError::Absent {
                reference,
                vault,
                known: match known {
                    0 => String::new(),
                    1 => ": there is one other".to_owned(),
                    more => format!(": there are {more} others"),
                },
            }),
        }
    }

    /// Keeps others from changing the backups of one name until it is dropped.
    ///
    /// # Errors
    /// [`VaultError::Locked`] at once when somebody else does.
    pub(crate) fn lock(&self, name: &str) -> Result<Lock, VaultError> {
        if !is_name(name) {
            return Err(VaultError::Odd {
                what: "keep backups of",
                path: clean(name, 200).into(),
                reason: "it cannot be the name of a container".to_owned(),
            });
        }
        let place = self.place.make(name)?;
        let path = place.path().join(LOCK);
        let mut held = match Flock::lock(place.lockable(LOCK)?, FlockArg::LockExclusiveNonblock) {
            Ok(held) => held,
            Err((file, nix::errno::Errno::EWOULDBLOCK)) => {
                let mut by = Vec::new();
                let _unread = file.take(HOLDER).read_to_end(&mut by);
                return Err(VaultError::Locked {
                    name: name.to_owned(),
                    vault: self.path().to_owned(),
                    by: clean(String::from_utf8_lossy(&by).trim(), 200),
                });
            }
            Err((_, error)) => {
                return Err(VaultError::system("lock", path)(io::Error::from(error)));
            }
        };
        // Who it is is a courtesy, and a disk that is full must not keep anybody from removing backups.
        let by = format!(
            "process {} of {}\n",
            std::process::id(),
            crate::environment::operator()
        );
        let _full = held.set_len(0).and_then(|()| held.write_all(by.as_bytes()));
        Ok(Lock {
            name: name.to_owned(),
            place,
            _held: held,
        })
    }

    /// What is free in its file system.
    ///
    /// # Errors
    /// When the system does not say.
    pub(crate) fn free(&self) -> Result<Space, VaultError> {
        let found =
            fstatvfs(self.place.fd()).map_err(VaultError::system("look at", self.path()))?;
        Ok(Space {
            bytes: found.f_bavail.saturating_mul(found.f_frsize),
            files: (found.f_files > 0).then_some(found.f_favail),
        })
    }
}

impl Lock {
    /// Whose backups.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Removes what a run that was killed has left, and tells what it was.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(crate) fn sweep(&self) -> Result<Vec<String>, VaultError> {
        let mut swept = Vec::new();
        for (name, _) in self.place.names()? {
            if name.starts_with(INCOMING) || name.starts_with(REMOVING) {
                self.place.remove(&name)?;
                swept.push(name);
            }
        }
        Ok(swept)
    }

    /// A name for a backup that is begun now. It comes after those there are: the newest is the last by name.
    ///
    /// # Errors
    /// When those there are cannot be listed, or the system has no random bytes.
    pub(crate) fn id(&self, now: Timestamp) -> Result<Id, VaultError> {
        let names = self.place.names()?;
        let ids = names.iter().filter_map(|(name, _)| Id::parse(name));
        // Those of an hour that is yet to come have nothing to do with this one.
        let last = ids.filter(|id| id.time() <= now).max();
        Id::new(now, last.as_ref())
            .map_err(VaultError::system("name a backup in", self.place.path()))
    }

    /// Begins a backup.
    ///
    /// # Errors
    /// When it cannot be begun.
    pub(crate) fn incoming(&self, id: &Id) -> Result<Incoming, VaultError> {
        Incoming::new(&self.place, &self.name, id)
    }

    /// Removes a backup, broken or not, unless somebody reads it; whether it did. Interrupted, it is none any more and
    /// goes with the next [`Self::sweep`].
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(crate) fn remove(&self, id: &Id) -> Result<bool, VaultError> {
        self.remove_after(id, || Ok(()))
    }

    /// The same, where something else is to be done before, once nobody reads it.
    ///
    /// # Errors
    /// When that cannot be done, or it cannot be removed.
    pub(crate) fn remove_after(
        &self,
        id: &Id,
        first: impl FnOnce() -> Result<(), VaultError>,
    ) -> Result<bool, VaultError> {
        // What is no directory nobody reads.
        let own = self.place.below(id.as_str()).ok();
        if own.as_ref().is_some_and(|own| !own.claim()) {
            return Ok(false);
        }
        first()?;
        let hidden = format!("{REMOVING}{id}");
        self.place.remove(&hidden)?;
        self.place.rename(id.as_str(), &hidden)?;
        self.place.remove(&hidden)?;
        Ok(true)
    }
}

impl Listed {
    /// What it is called.
    pub(crate) const fn id(&self) -> &Id {
        match self {
            Self::Set(set) => &set.id,
            Self::Broken { id, .. } => id,
        }
    }
}
