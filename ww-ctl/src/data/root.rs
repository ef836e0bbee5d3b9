//! The directory data containers have their data in, a directory each, on this machine.
//!
//! `ROOT/NAME` is what is mounted, `ROOT/.ww-data` has what is remembered of each and the lock. A
//! container sees what is in `ROOT/NAME` only, so nothing beside it can be planted by one; still no
//! link is followed here but the root's own path, once.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::libc::O_NOFOLLOW;

use super::record::{LARGEST, Record};
use crate::engine::directory;
use crate::syntax::is_name;

/// What is remembered of each is in here.
const STATE: &str = ".ww-data";
/// How a directory ends there that is not ready yet.
const STAGED: &str = ".staged";

/// Why something cannot be done in a root directory.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootError {
    /// It is no path data can be kept at.
    #[error("cannot keep data in {path}: {reason}")]
    Path {
        /// The path.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// Something is in the way.
    #[error("cannot {what} {path}: {reason}")]
    Odd {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The system said no.
    #[error("cannot {what} {path}")]
    System {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another run is at work here.
    #[error("another ww-ctl is at work on data containers in {path}")]
    Locked {
        /// The root.
        path: PathBuf,
    },
}

pub(super) fn system(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RootError {
    move |source| RootError::System {
        what,
        path: path.to_owned(),
        source,
    }
}

/// A root directory, by its real path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Root {
    path: PathBuf,
}

/// Held while something is changed in a root directory.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "it is only held")] Flock<File>);

impl Root {
    /// The one at this path; it is made where it is not there.
    ///
    /// # Errors
    /// When it cannot be one.
    pub(crate) fn make(path: &Path) -> Result<Self, RootError> {
        let made = DirBuilder::new().recursive(true).mode(0o755).create(path);
        made.map_err(system("make", path))?;
        Self::open(path)
    }

    /// The one that is at this path.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, RootError> {
        let real = fs::canonicalize(path).map_err(system("open", path))?;
        let odd = |reason| RootError::Path {
            path: real.clone(),
            reason,
        };
        if real == Path::new("/") {
            return Err(odd("it is the root of everything"));
        }
        let Some(text) = real.to_str() else {
            return Err(odd("its name is no text, and an Engine takes nothing else"));
        };
        if text.chars().any(char::is_control) {
            return Err(odd("its name has control characters"));
        }
        if !fs::metadata(&real).map_err(system("open", path))?.is_dir() {
            return Err(odd("it is no directory"));
        }
        Ok(Self { path: real })
    }

    /// Where it is, links resolved.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The same as text.
    pub(crate) fn text(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// Where the data of one are.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Keeps others from changing anything here until it is dropped.
    ///
    /// # Errors
    /// [`RootError::Locked`] when somebody else does.
    pub(crate) fn lock(&self) -> Result<Lock, RootError> {
        let path = self.state()?.join(".lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .custom_flags(O_NOFOLLOW)
            .open(&path)
            .map_err(system("open", &path))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Lock(lock)),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Err(RootError::Locked {
                path: self.path.clone(),
            }),
            Err((_, error)) => Err(system("lock", &path)(error.into())),
        }
    }

    /// Makes the directory of one, which must not be there or be empty. Whether it was made.
    ///
    /// # Errors
    /// When it cannot be made, or something is there.
    pub(crate) fn make_place(&self, name: &str) -> Result<bool, RootError> {
        let path = self.place(name);
        let odd = |reason: &str| RootError::Odd {
            what: "put data into",
            path: path.clone(),
            reason: reason.to_owned(),
        };
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = DirBuilder::new().mode(0o755).create(&path);
                made.map_err(system("make", &path))?;
                // Whatever the operator's umask takes away.
                let set = fs::set_permissions(&path, Permissions::from_mode(0o755));
                set.map_err(system("set the permissions of", &path))?;
                Ok(true)
            }
            Err(error) => Err(system("look at", &path)(error)),
            Ok(found) if found.is_symlink() => Err(odd("it is a link")),
            Ok(found) if !found.is_dir() => Err(odd("it is no directory")),
            Ok(_) => {
                let mut entries = fs::read_dir(&path).map_err(system("read", &path))?;
                match entries.next() {
                    None => Ok(false),
                    Some(_) => Err(odd("it is not empty")),
                }
            }
        }
    }

    /// Remembers one.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(crate) fn remember(&self, record: &Record) -> Result<(), RootError> {
        let state = self.state()?;
        write(
            &state,
            OsStr::new(&format!("{}.json", record.name)),
            &record.text(),
        )
    }

    /// Forgets one.
    ///
    /// # Errors
    /// When that cannot be done. One that is not known is no error.
    pub(crate) fn forget(&self, name: &str) -> Result<(), RootError> {
        let path = self.record_path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(system("remove", &path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Where one is remembered.
    pub(crate) fn record_path(&self, name: &str) -> PathBuf {
        self.path.join(STATE).join(format!("{name}.json"))
    }

    /// The names of those that are remembered, as far as they can be read.
    pub(crate) fn remembered(&self) -> BTreeSet<String> {
        let names = names(&self.path.join(STATE));
        names
            .iter()
            .filter_map(|name| name.strip_suffix(".json"))
            .filter(|name| is_name(name))
            .map(str::to_owned)
            .collect()
    }

    /// The names of the directories that are here, this program's own apart.
    pub(crate) fn places(&self) -> Vec<String> {
        let mut names = names(&self.path);
        names.retain(|name| {
            is_name(name)
                && fs::symlink_metadata(self.place(name)).is_ok_and(|found| found.is_dir())
        });
        names.sort();
        names
    }

    /// Makes an empty directory in which the data of one are made ready. What an earlier run left there goes.
    ///
    /// # Errors
    /// When that cannot be done.
    pub(crate) fn stage(&self, name: &str) -> Result<PathBuf, RootError> {
        let path = self.state()?.join(format!("{name}{STAGED}"));
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(system("remove", &path)(error));
            }
            _ => {}
        }
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(system("make", &path))?;
        Ok(path)
    }

    /// Gives what was made ready its place.
    ///
    /// # Errors
    /// When something is there.
    pub(crate) fn settle(&self, stage: &Path, name: &str) -> Result<PathBuf, RootError> {
        self.vacant(name)?;
        let place = self.place(name);
        fs::rename(stage, &place).map_err(system("make", &place))?;
        let synced = File::open(&self.path).and_then(|root| root.sync_all());
        synced.map_err(system("write", &self.path))?;
        Ok(place)
    }

    /// Makes sure that there are no data of that name: nothing, or an empty directory.
    ///
    /// # Errors
    /// When there are, or something else is.
    pub(crate) fn vacant(&self, name: &str) -> Result<(), RootError> {
        let path = self.place(name);
        let odd = |reason: &str| RootError::Odd {
            what: "put data into",
            path: path.clone(),
            reason: reason.to_owned(),
        };
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(system("look at", &path)(error)),
            Ok(found) if !found.is_dir() => Err(odd("it is no directory")),
            Ok(_) => {
                let mut entries = fs::read_dir(&path).map_err(system("read", &path))?;
                match entries.next() {
                    None => Ok(()),
                    Some(_) => Err(odd("it is not empty")),
                }
            }
        }
    }

    /// What is remembered of one whose data are here; none where nothing is.
    ///
    /// # Errors
    /// When what is there cannot be read or believed.
    pub(crate) fn recall(&self, name: &str) -> Result<Option<Record>, RootError> {
        let path = self.record_path(name);
        let Some(record) = read(&path)? else {
            return Ok(None);
        };
        if record.name != name {
            return Err(RootError::Odd {
                what: "believe",
                path,
                reason: "it tells of another one".into(),
            });
        }
        Ok(Some(record))
    }

    /// The directory with what is remembered, nobody else's.
    fn state(&self) -> Result<PathBuf, RootError> {
        own(&self.path.join(STATE))
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// A directory for this program alone.
pub(super) fn own(path: &Path) -> Result<PathBuf, RootError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(system("make", path)(error));
        }
        _ => {}
    }
    let found = fs::symlink_metadata(path).map_err(system("look at", path))?;
    let reason = if !found.is_dir() {
        "it is no directory"
    } else if is_open_to_others(&found) {
        "others may write to it"
    } else {
        return Ok(path.to_owned());
    };
    Err(RootError::Odd {
        what: "use",
        path: path.to_owned(),
        reason: reason.into(),
    })
}

fn is_open_to_others(found: &fs::Metadata) -> bool {
    let mine = nix::unistd::Uid::effective().as_raw();
    found.mode() & 0o022 != 0 || !(found.uid() == 0 || found.uid() == mine)
}

/// Writes a file so that it is there whole or not at all.
pub(super) fn write(directory: &Path, name: &OsStr, text: &str) -> Result<(), RootError> {
    let mut hidden = b".new-".to_vec();
    hidden.extend_from_slice(name.as_bytes());
    let (new, path) = (
        directory.join(OsStr::from_bytes(&hidden)),
        directory.join(name),
    );
    let written = || -> io::Result<()> {
        let _left = fs::remove_file(&new);
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(directory)?.sync_all()
    };
    written().map_err(system("write", &path))
}

/// Reads a record, which is nobody else's.
pub(super) fn read(path: &Path) -> Result<Option<Record>, RootError> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(O_NOFOLLOW)
        .open(path);
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(system("open", path))?,
    };
    let odd = |reason: String| RootError::Odd {
        what: "believe",
        path: path.to_owned(),
        reason,
    };
    let found = file.metadata().map_err(system("look at", path))?;
    if !found.is_file() || found.len() > LARGEST || is_open_to_others(&found) {
        return Err(odd("it is no file of this program's own".into()));
    }
    let mut text = String::new();
    let read = file.take(LARGEST).read_to_string(&mut text);
    read.map_err(system("read", path))?;
    let record = Record::read(&text);
    record
        .map(Some)
        .map_err(|error| odd(crate::engine::chain(&error)))
}

/// A path as it is meant, whatever the directory this program was called in.
pub(crate) fn absolute(path: &Path) -> io::Result<PathBuf> {
    let whole = crate::environment::here()?.join(path);
    Ok(PathBuf::from(directory(&whole.to_string_lossy())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Kind, Recorded};

    fn root() -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::make(&directory.path().join("data")).unwrap();
        (directory, root)
    }

    fn record(root: &Root, name: &str) -> Record {
        let at = "2026-11-22T16:15:00Z".parse().unwrap();
        let mut record = Record::new(name, at, "alice@ops1");
        record.mounts.push(Recorded {
            place: "/data".into(),
            kind: Kind::Directory,
            source: root.place(name).to_string_lossy().into_owned(),
            read_only: false,
        });
        record
    }

    #[test]
    fn a_place_is_made_once_and_never_through_a_link() {
        let (directory, root) = root();
        assert!(root.make_place("shop").unwrap());
        assert!(!root.make_place("shop").unwrap(), "it is empty");
        fs::write(root.place("shop").join("x"), "").unwrap();
        assert!(root.make_place("shop").is_err());
        std::os::unix::fs::symlink(directory.path(), root.place("link")).unwrap();
        assert!(root.make_place("link").is_err());
        fs::write(root.place("file"), "").unwrap();
        assert!(root.make_place("file").is_err());
    }

    #[test]
    fn a_root_is_known_by_its_real_path() {
        let (directory, root) = root();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(root.path(), &link).unwrap();
        assert_eq!(Root::open(&link).unwrap(), root);
        assert!(Root::open(Path::new("/")).is_err());
        assert!(Root::open(&directory.path().join("none")).is_err());
    }

    #[test]
    fn what_is_remembered_is_believed_only_where_nobody_else_wrote_it() {
        let (_directory, root) = root();
        assert_eq!(root.recall("shop").unwrap(), None);
        let record = record(&root, "shop");
        root.remember(&record).unwrap();
        assert_eq!(root.recall("shop").unwrap(), Some(record.clone()));
        let path = root.record_path("shop");
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        assert!(root.recall("shop").is_err());
        root.remember(&record).unwrap();
        fs::rename(&path, root.record_path("other")).unwrap();
        assert!(root.recall("other").is_err(), "it tells of shop");
        root.forget("other").unwrap();
        root.forget("other").unwrap();
        assert_eq!(root.recall("other").unwrap(), None);
    }

    #[test]
    fn one_at_a_time_changes_something() {
        let (_directory, root) = root();
        let lock = root.lock().unwrap();
        assert!(matches!(root.lock(), Err(RootError::Locked { .. })));
        drop(lock);
        assert!(root.lock().is_ok());
    }
}
