//! What a backup is about to stop, written down before it does: whatever ends it, the next call knows what to bring
//! back.
//!
//! Each backup of a group has a file, which it holds locked as long as it lives. One that nobody holds was left by
//! a call that was killed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use serde::{Deserialize, Serialize};

/// The version of what is written. Additions do not change it.
const SCHEMA: u32 = 1;
/// How files end that are whole.
const ENDING: &str = ".json";
/// The most bytes one may have.
const LARGEST: u64 = 1 << 20;
/// Held while files are made or looked for.
const LOCK: &str = "lock";

/// Why it cannot be written down, or read.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}", .path.display())]
pub(crate) struct JournalError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// A backup under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnderWay {
    schema: u32,
    /// Since when.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: String,
    /// The Engine's own id, however it is reached.
    pub engine: String,
    /// What the host was called.
    pub host: String,
    /// The group's name.
    pub name: String,
    /// The containers that run, and what is done to each.
    pub touched: Vec<Touched>,
    /// What is exchanged meanwhile, where it is a restore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Exchange>,
}

/// Trees that are exchanged, all or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exchange {
    /// The ones in use.
    pub trees: Vec<PathBuf>,
    /// All were exchanged: it is not to be taken back any more.
    pub done: bool,
}

/// A container that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Touched {
    /// Its full id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What is done to it.
    pub how: How,
    /// The directory its `backup` script has filled, as it sees it.
    #[serde(default)]
    pub directory: Option<String>,
}

/// What is done to a container that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum How {
    /// Its agent holds the services down.
    Quiesced,
    /// Docker has frozen it.
    Paused,
    /// Its script runs.
    Hook,
    /// It is stopped.
    Stopped,
}

impl UnderWay {
    /// One that begins.
    pub(crate) fn new(at: Timestamp, by: &str, engine: &str, host: &str, name: &str) -> Self {
        Self {
            schema: SCHEMA,
            at,
            by: by.to_owned(),
            engine: engine.to_owned(),
            host: host.to_owned(),
            name: name.to_owned(),
            touched: Vec::new(),
            exchange: None,
        }
    }
}

/// Where backups under way are written down.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    directory: PathBuf,
}

/// What is found of others.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// What calls that have ended have left, oldest first; from now on they are this call's.
    pub entries: Vec<Entry>,
    /// What there is to say of files that make no sense.
    pub odd: Vec<String>,
    /// How many are under way just now.
    pub under_way: usize,
    /// What those are, as far as it can be read.
    pub busy: Vec<UnderWay>,
}

/// What is written down of one. It stays until [`Self::end`].
#[derive(Debug)]
pub(crate) struct Entry {
    journal: Journal,
    path: PathBuf,
    held: Flock<File>,
    /// What it is.
    pub under_way: UnderWay,
}

impl Journal {
    /// Beside the audit journal.
    pub(crate) fn beside(audit: &Path) -> Self {
        Self {
            directory: audit.with_file_name("backups-under-way"),
        }
    }

    /// The same for restores.
    pub(crate) fn of_restores(audit: &Path) -> Self {
        Self {
            directory: audit.with_file_name("restores-under-way"),
        }
    }

    /// Writes one down; it is on the disk when this returns.
    ///
    /// # Errors
    /// When it is not: nothing may be stopped then.
    pub(crate) fn begin(&self, under_way: UnderWay) -> Result<Entry, JournalError> {
        let _alone = self.alone(true)?;
        let pid = std::process::id();
        let nanos = under_way.at.as_nanosecond();
        let path = (0..).map(|number| format!("{nanos:x}-{pid:x}-{number}{ENDING}"));
        let mut path = path.map(|name| self.directory.join(name));
        let path = path.find(|path| !path.exists()).unwrap_or_default();
        let held = self.write(&path, &under_way)?;
        Ok(Entry {
            journal: self.clone(),
            path,
            held,
            under_way,
        })
    }

    /// What there is of others.
    ///
    /// # Errors
    /// When it cannot be looked for.
    pub(crate) fn left(&self) -> Result<Left, JournalError> {
        let mut left = Left::default();
        if !self.directory.exists() {
            return Ok(left);
        }
        let _alone = self.alone(false)?;
        let read = fs::read_dir(&self.directory).map_err(self.failed("read"))?;
        let mut paths = Vec::new();
        for entry in read {
            let path = entry.map_err(self.failed("read"))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(ENDING) {
                paths.push(path);
            } else if name != LOCK {
                // Begun and never finished: nothing was done yet.
                fs::remove_file(&path).map_err(failed("remove", &path))?;
            }
        }
        paths.sort();
        for path in paths {
            let Some(held) = hold(&path).map_err(failed("open", &path))? else {
                left.under_way += 1;
                let file = open(&path).map_err(failed("open", &path))?;
                left.busy.extend(read_from(&file));
                continue;
            };
            match read_from(&held) {
                Ok(under_way) => left.entries.push(Entry {
                    journal: self.clone(),
                    path,
                    held,
                    under_way,
                }),
                Err(why) => left.odd.push(format!("{}: {why}", path.display())),
            }
        }
        Ok(left)
    }

    /// Keeps others from making files and looking for them.
    fn alone(&self, makes: bool) -> Result<Flock<File>, JournalError> {
        if makes {
            let mut builder = DirBuilder::new();
            let made = builder.recursive(true).mode(0o700).create(&self.directory);
            made.map_err(self.failed("make"))?;
        }
        let path = self.directory.join(LOCK);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(&path);
        let file = file.map_err(failed("open", &path))?;
        Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, error)| failed("lock", &path)(error.into()))
    }

    /// Writes a file anew, and holds it.
    fn write(&self, path: &Path, under_way: &UnderWay) -> Result<Flock<File>, JournalError> {
        let fresh = path.with_extension("new");
        let write = || -> io::Result<Flock<File>> {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .custom_flags(OFlag::O_NOFOLLOW.bits())
                .open(&fresh)?;
            file.write_all(&serde_json::to_vec(under_way)?)?;
            file.sync_all()?;
            let held = Flock::lock(file, FlockArg::LockExclusiveNonblock)
                .map_err(|(_, error)| io::Error::from(error))?;
            fs::rename(&fresh, path)?;
            File::open(&self.directory)?.sync_all()?;
            Ok(held)
        };
        write().map_err(failed("write", path))
    }

    fn failed(&self, what: &'static str) -> impl Fn(io::Error) -> JournalError {
        let path = self.directory.clone();
        move |source| failed(what, &path)(source)
    }
}

impl Entry {
    /// Writes down more of it.
    ///
    /// # Errors
    /// When that is not on the disk; what was there before is.
    pub(crate) fn rewrite(&mut self) -> Result<(), JournalError> {
        let _alone = self.journal.alone(true)?;
        self.held = self.journal.write(&self.path, &self.under_way)?;
        Ok(())
    }

    /// All is as it was before.
    ///
    /// # Errors
    /// When the file cannot be removed: the next call finds nothing to do.
    pub(crate) fn end(self) -> Result<(), JournalError> {
        let _alone = self.journal.alone(true)?;
        fs::remove_file(&self.path).map_err(failed("remove", &self.path))
    }
}

fn failed(what: &'static str, path: &Path) -> impl Fn(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError {
        what,
        path: path.clone(),
        source,
    }
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
}

/// Takes a file over, unless somebody has it.
fn hold(path: &Path) -> io::Result<Option<Flock<File>>> {
    match Flock::lock(open(path)?, FlockArg::LockExclusiveNonblock) {
        Ok(held) => Ok(Some(held)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, error)) => Err(error.into()),
    }
}

fn read_from(file: &File) -> Result<UnderWay, String> {
    let mut text = String::new();
    let mut bounded = Read::take(file, LARGEST);
    let read = bounded.read_to_string(&mut text);
    read.map_err(|error| error.to_string())?;
    let read: UnderWay = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    if read.schema > SCHEMA {
        return Err(format!("a later ww-ctl wrote it (version {})", read.schema));
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn under_way(name: &str) -> UnderWay {
        let at = "2026-11-22T16:15:00Z".parse().unwrap();
        let mut under_way = UnderWay::new(at, "alice@ops1", "ABCD", "local", name);
        under_way.touched.push(Touched {
            id: "0123".into(),
            name: name.into(),
            how: How::Quiesced,
            directory: None,
        });
        under_way
    }

    fn journal() -> (tempfile::TempDir, Journal) {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::beside(&directory.path().join("log/audit.jsonl"));
        (directory, journal)
    }

    fn files(journal: &Journal) -> Vec<String> {
        let all = fs::read_dir(&journal.directory).unwrap();
        let all = all.map(|one| one.unwrap().file_name().into_string().unwrap());
        all.filter(|name| name != LOCK).collect()
    }

    #[test]
    fn only_what_nobody_holds_was_left_and_it_is_taken_once() {
        let (_directory, journal) = journal();
        assert!(journal.left().unwrap().entries.is_empty());
        let shop = journal.begin(under_way("shop")).unwrap();
        let db = journal.begin(under_way("db")).unwrap();
        assert!(journal.left().unwrap().entries.is_empty());
        // As the kernel does for a process that is killed.
        drop(shop);
        let Left {
            entries: left,
            odd,
            under_way: others,
            busy,
        } = journal.left().unwrap();
        assert_eq!(busy.len(), others);
        assert_eq!((left.len(), odd.len(), others), (1, 0, 1));
        assert_eq!(left[0].under_way, under_way("shop"));
        assert!(
            journal.left().unwrap().entries.is_empty(),
            "somebody is at it"
        );
        for entry in left {
            entry.end().unwrap();
        }
        assert_eq!(files(&journal).len(), 1);
        db.end().unwrap();
        assert!(files(&journal).is_empty());
    }

    #[test]
    fn what_becomes_known_later_is_kept_and_it_stays_held() {
        let (_directory, journal) = journal();
        let mut entry = journal.begin(under_way("shop")).unwrap();
        entry.under_way.touched[0].directory = Some("/backup/.ww-hook-1".into());
        entry.rewrite().unwrap();
        assert!(journal.left().unwrap().entries.is_empty());
        let known = entry.under_way.clone();
        drop(entry);
        let left = journal.left().unwrap().entries;
        assert_eq!(left[0].under_way, known);
    }

    #[test]
    fn what_makes_no_sense_is_told_and_left_and_what_was_never_finished_goes() {
        let (_directory, journal) = journal();
        journal.begin(under_way("shop")).unwrap().end().unwrap();
        for (name, text) in [("a.json", "{"), ("b.json", ""), ("c.new", "{}")] {
            fs::write(journal.directory.join(name), text).unwrap();
        }
        let mut later = under_way("shop");
        later.schema = 2;
        fs::write(
            journal.directory.join("d.json"),
            serde_json::to_vec(&later).unwrap(),
        )
        .unwrap();
        let Left {
            entries: left, odd, ..
        } = journal.left().unwrap();
        assert_eq!((left.len(), odd.len()), (0, 3), "{odd:?}");
        assert!(odd[2].contains("version 2"));
        let mut names = files(&journal);
        names.sort();
        assert_eq!(names, ["a.json", "b.json", "d.json"]);
    }
}
