//! Where data go that are removed: aside first, and back from there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::record::Record;
use super::root::{Root, RootError, own, read, system, write};
use crate::syntax::is_name;

/// What is removed from a root is in here.
const TRASH: &str = ".trash";
/// So many seconds a removal may be later than it was, for a name of its own.
const LATEST: i64 = 24 * 60 * 60;
/// How the time of a removal is written in a name.
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// A directory in the trash of a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trash {
    root: Root,
    entry: String,
}

impl Trash {
    /// The directory at this path, if it is in the trash of a root.
    pub(crate) fn of(place: &Path) -> Option<Self> {
        let entry = place.file_name()?.to_str()?;
        let trash = place.parent()?;
        if trash.file_name()? != TRASH || split(entry).is_none() {
            return None;
        }
        Some(Self {
            root: Root::open(trash.parent()?).ok()?,
            entry: entry.to_owned(),
        })
    }

    /// All that is in the trash of a root, oldest first.
    pub(crate) fn all(root: &Root) -> Vec<Self> {
        let entries = fs::read_dir(root.path().join(TRASH)).into_iter();
        let mut all: Vec<Self> = entries
            .flatten()
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|entry| split(entry).is_some())
            .map(|entry| Self {
                root: root.clone(),
                entry,
            })
            .collect();
        all.sort_by_key(|one| (one.removed(), one.entry.clone()));
        all
    }

    /// Puts a directory there, with what is remembered of it.
    ///
    /// # Errors
    /// When it cannot be moved; nothing has changed then.
    pub(crate) fn put(
        root: &Root,
        record: &Record,
        place: &Path,
        now: Timestamp,
    ) -> Result<Self, RootError> {
        let trash = own(&root.path().join(TRASH))?;
        // One name is there once, however fast one is removed after the other.
        let entry = (0..LATEST)
            .filter_map(|later: i64| now.checked_add(SignedDuration::from_secs(later)).ok())
            .map(|at| format!("{}-{}", record.name, at.strftime(TIME)))
            .find(|entry| fs::symlink_metadata(trash.join(entry)).is_err())
            .unwrap_or_default();
        let put = Self {
            root: root.clone(),
            entry,
        };
        // What it was is known before it is there.
        write(&trash, put.record_name().as_ref(), &record.text())?;
        let to = put.path();
        if let Err(error) = fs::rename(place, &to) {
            put.forget();
            return Err(system("move to the trash", place)(error));
        }
        sync(&trash).map_err(system("write", &trash))?;
        Ok(put)
    }

    /// Moves it back, under this name.
    ///
    /// # Errors
    /// When something is there.
    pub(crate) fn bring_back(&self, name: &str) -> Result<PathBuf, RootError> {
        self.root.vacant(name)?;
        let (from, to) = (self.path(), self.root.place(name));
        fs::rename(&from, &to).map_err(system("bring back", &from))?;
        sync(self.root.path()).map_err(system("write", self.root.path()))?;
        Ok(to)
    }

    /// What was remembered of it, if that can be believed.
    pub(crate) fn recall(&self) -> Option<Record> {
        let path = self.root.path().join(TRASH).join(self.record_name());
        read(&path).ok().flatten()
    }

    /// Forgets what was remembered of it.
    pub(crate) fn forget(&self) {
        let path = self.root.path().join(TRASH).join(self.record_name());
        let _gone = fs::remove_file(path);
    }

    /// Removes it for good.
    ///
    /// # Errors
    /// When that cannot be done whole.
    pub(crate) fn destroy(&self) -> Result<(), RootError> {
        let path = self.path();
        fs::remove_dir_all(&path).map_err(system("remove", &path))?;
        self.forget();
        Ok(())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        self.root.path().join(TRASH).join(&self.entry)
    }

    /// The root it was in.
    pub(crate) const fn root(&self) -> &Root {
        &self.root
    }

    /// The data container it belonged to.
    pub(crate) fn name(&self) -> &str {
        split(&self.entry).map_or(&self.entry, |(name, _)| name)
    }

    /// When it was removed.
    pub(crate) fn removed(&self) -> Option<Timestamp> {
        split(&self.entry).map(|(_, at)| at)
    }

    fn record_name(&self) -> String {
        format!("{}.json", self.entry)
    }
}

/// The name and the time in what something is called in the trash.
fn split(entry: &str) -> Option<(&str, Timestamp)> {
    let (name, time) = entry.rsplit_once('-')?;
    let time = jiff::civil::DateTime::strptime(TIME, time).ok()?;
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    is_name(name).then_some((name, time))
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_aside_comes_back_with_what_was_known_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::make(&directory.path().join("data")).unwrap();
        let at = "2026-11-22T16:15:00Z".parse().unwrap();
        let mut record = Record::new("shop-data", at, "alice@ops1");
        record.mounts.push(crate::data::Recorded {
            place: "/data".into(),
            kind: crate::data::Kind::Directory,
            source: root.place("shop-data").to_string_lossy().into_owned(),
            read_only: false,
        });
        let put = || {
            root.make_place("shop-data").unwrap();
            fs::write(root.place("shop-data").join("word"), "in").unwrap();
            Trash::put(&root, &record, &root.place("shop-data"), at).unwrap()
        };
        let (one, other) = (put(), put());
        assert_ne!(one.path(), other.path());
        assert_eq!(one.name(), "shop-data");
        assert_eq!(one.removed(), Some(at));
        assert!(!root.place("shop-data").exists());
        assert_eq!(Trash::all(&root).len(), 2);
        assert_eq!(Trash::of(&one.path()), Some(one.clone()));
        assert_eq!(Trash::of(&root.place("shop-data")), None);
        assert_eq!(one.recall(), Some(record.clone()));

        let home = one.bring_back("shop-data").unwrap();
        assert_eq!(fs::read_to_string(home.join("word")).unwrap(), "in");
        // Never over what is there.
        assert!(other.bring_back("shop-data").is_err());
        other.destroy().unwrap();
        one.forget();
        assert_eq!(Trash::all(&root), []);
        assert_eq!(one.recall(), None);
    }
}
