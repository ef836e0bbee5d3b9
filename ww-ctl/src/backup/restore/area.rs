//! The place beside a tree where its successor is put together, and where its predecessor is kept.
//!
//! Beside `DIR/NAME` it is `DIR/.ww-restore-NAME`, for its owner alone:
//!
//! ```text
//! lock                  held by who works in it
//! incoming/record.json  how far the one under way is
//! incoming/tree         what is put together; once it is exchanged, what was there before
//! undo/                 the same of the last one that came to its end
//! removing-…            on its way out
//! ```
//!
//! All is found by open directories. What a container may have put on the way is not followed.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RenameFlags, fstat, fsync, mkdirat, openat, renameat,
    renameat_with, statat, syncfs,
};
use rustix::io::Errno;

use super::moves::Trees;
use super::record::{Phase, Record};

/// How the place is called, before the name of what it is for.
const PREFIX: &str = ".ww-restore-";
const LOCK: &CStr = c"lock";
const INCOMING: &CStr = c"incoming";
const UNDO: &CStr = c"undo";
const TREE: &CStr = c"tree";
const RECORD: &CStr = c"record.json";
const NEW_RECORD: &CStr = c"record.new";
/// What is on its way out.
const REMOVING: &str = "removing-";
/// The longest name of a file.
const LONGEST_NAME: usize = 255;
/// The most bytes of a record.
const LARGEST: u64 = 16 << 20;
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);
const FILE: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

/// Why it cannot be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AreaError {
    /// The system said no.
    #[error("cannot {what} {}", .path.display())]
    System {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// It is not to be exchanged.
    #[error("cannot exchange {}: {reason}", .path.display())]
    Unfit { path: PathBuf, reason: String },
    /// Another run is at work on the same.
    #[error("another restore is at work on {}", .0.display())]
    Locked(PathBuf),
    /// There is nothing to go back to.
    #[error("nothing is kept that {} could go back to", .0.display())]
    NothingKept(PathBuf),
}

impl AreaError {
    /// Whether there is no room left.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::System { source, .. } if source.kind() == io::ErrorKind::StorageFull)
    }
}

/// What became of one that was left by a run that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovered {
    /// There was none.
    Nothing,
    /// What was there before is there again, or still.
    TakenBack,
    /// What was to be there is.
    Finished,
}

/// The place beside a tree. Nobody else works in it as long as this lasts.
pub(crate) struct Area {
    /// The directory both are in.
    above: OwnedFd,
    /// What the tree is called in it.
    name: Vec<u8>,
    path: PathBuf,
    own: OwnedFd,
    _held: Flock<File>,
}

impl Area {
    /// The place beside this tree. It is made if it is not there.
    ///
    /// # Errors
    /// When the tree is not one that can be exchanged, or somebody else is at work.
    pub(crate) fn beside(tree: &Path) -> Result<Self, AreaError> {
        let failed = |what| failed(what, tree);
        let unfit = |reason: &str| AreaError::Unfit {
            path: tree.to_owned(),
            reason: reason.to_owned(),
        };
        let name = tree.file_name().map(OsStr::as_bytes);
        let name = name.ok_or_else(|| unfit("it has nothing above it"))?;
        let open = openat(rustix::fs::CWD, tree, DIRECTORY, Mode::empty());
        let open = open.map_err(failed("open"))?;
        let above = openat(&open, c"..", DIRECTORY, Mode::empty());
        let above = above.map_err(failed("open what is above"))?;
        let found = fstat(&open).map_err(failed("look at"))?;
        let named = statat(&above, name, AtFlags::SYMLINK_NOFOLLOW);
        let is_same =
            |named: rustix::fs::Stat| (named.st_dev, named.st_ino) == (found.st_dev, found.st_ino);
        if !named.is_ok_and(is_same) {
            return Err(unfit("its path leads over a link, or it is mounted there"));
        }
        refuse_mounts(tree)?;
        let own = [PREFIX.as_bytes(), name].concat();
        if own.len() > LONGEST_NAME {
            return Err(unfit("its name is too long for a place beside it"));
        }
        let own = make(&above, &own, tree)?;
        let held = lock(&own, tree)?;
        Ok(Self {
            above,
            name: name.to_vec(),
            path: tree.to_owned(),
            own,
            _held: held,
        })
    }

    /// Settles what a run that is over has left: what had come to be used stays so where `decided`, or where it was
    /// all; else it is taken back.
    ///
    /// # Errors
    /// When it cannot be: it is left as it is.
    pub(crate) fn settle(&self, decided: Option<bool>) -> Result<Recovered, AreaError> {
        if !self.has(INCOMING)? {
            return Ok(Recovered::Nothing);
        }
        let Some(record) = self.record(INCOMING)? else {
            self.discard(INCOMING)?;
            return Ok(Recovered::TakenBack);
        };
        let forward = decided.unwrap_or(record.phase == Phase::Moved);
        if record.phase != Phase::Staged && forward {
            self.exchange_with(&record)?;
            self.keep()?;
            return Ok(Recovered::Finished);
        }
        self.take_back(&record)?;
        Ok(Recovered::TakenBack)
    }

    /// Takes back what was exchanged, and puts away what was put together.
    ///
    /// # Errors
    /// When it cannot be.
    pub(crate) fn take_back(&self, record: &Record) -> Result<(), AreaError> {
        if record.phase != Phase::Staged {
            let (incoming, above) = (self.open(INCOMING)?, &self.above);
            let trees = self.trees(&incoming, above);
            for one in record.moves.iter().rev() {
                trees.take_back(one).map_err(self.failed("put back"))?;
            }
        }
        if record.from_kept {
            return self.keep();
        }
        self.discard(INCOMING)
    }

    /// A fresh directory, in which a tree is to be put together.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn begin(&self, record: &Record) -> Result<OwnedFd, AreaError> {
        self.tidy()?;
        mkdirat(&self.own, INCOMING, Mode::RWXU).map_err(self.failed("make a place beside"))?;
        self.write(record)?;
        let incoming = self.open(INCOMING)?;
        mkdirat(&incoming, TREE, Mode::RWXU).map_err(self.failed("make a place beside"))?;
        openat(&incoming, TREE, DIRECTORY, Mode::empty()).map_err(self.failed("open"))
    }

    /// What the last one was, if what was there before it is kept.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn kept(&self) -> Result<Option<Record>, AreaError> {
        if self.has(UNDO)? {
            self.record(UNDO)
        } else {
            Ok(None)
        }
    }

    /// Takes out what is kept, to exchange it again.
    ///
    /// # Errors
    /// When nothing is kept.
    pub(crate) fn begin_undo(&self, record: &Record) -> Result<(), AreaError> {
        if !self.has(UNDO)? {
            return Err(AreaError::NothingKept(self.path.clone()));
        }
        let undo = self.open(UNDO)?;
        self.write_in(&undo, record)?;
        self.rename(UNDO, INCOMING)
    }

    /// Exchanges what was put together with what is in use. Whatever ends this run, [`Self::settle`] knows what is to
    /// be done.
    ///
    /// # Errors
    /// When it cannot be: what was done of it is to be taken back.
    pub(crate) fn exchange(&self, record: &mut Record) -> Result<(), AreaError> {
        let incoming = self.open(INCOMING)?;
        let trees = self.trees(&incoming, &self.above);
        let planned = if record.moves.is_empty() {
            trees.plan(&record.only)
        } else {
            trees.plan_back(&record.moves)
        };
        record.moves = planned.map_err(self.failed("find what is to be exchanged in"))?;
        record.phase = Phase::Moving;
        self.write(record)?;
        self.exchange_with(record)?;
        syncfs(&self.above).map_err(self.failed("sync"))?;
        record.phase = Phase::Moved;
        self.write(record)
    }

    fn exchange_with(&self, record: &Record) -> Result<(), AreaError> {
        let incoming = self.open(INCOMING)?;
        let trees = self.trees(&incoming, &self.above);
        for one in &record.moves {
            trees.apply(one).map_err(self.failed("exchange"))?;
        }
        for one in &record.moves {
            if !trees.is_done(one).map_err(self.failed("look at"))? {
                return Err(AreaError::Unfit {
                    path: self.path.clone(),
                    reason: "somebody has changed it meanwhile".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Keeps what was there before, instead of what was kept so far.
    ///
    /// # Errors
    /// When it cannot be.
    pub(crate) fn keep(&self) -> Result<(), AreaError> {
        if self.has(UNDO)? {
            self.put_out(UNDO)?;
        }
        self.rename(INCOMING, UNDO)
    }

    /// Puts away what was put together and is not used.
    ///
    /// # Errors
    /// When it cannot be: it goes with the next one.
    pub(crate) fn discard(&self, what: &CStr) -> Result<(), AreaError> {
        self.put_out(what)?;
        self.tidy()
    }

    /// Removes what is on its way out.
    ///
    /// # Errors
    /// When it cannot be.
    pub(crate) fn tidy(&self) -> Result<(), AreaError> {
        let names = self.names()?;
        for name in names
            .iter()
            .filter(|name| name.to_bytes().starts_with(REMOVING.as_bytes()))
        {
            let removed = ww_archive::remove::remove(self.own.as_fd(), name);
            removed.map_err(self.failed("remove what was beside"))?;
        }
        Ok(())
    }

    /// Whether nothing is in it but its lock.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn is_empty(&self) -> Result<bool, AreaError> {
        Ok(self.names()?.iter().all(|name| **name == *LOCK))
    }

    /// Removes the place itself if nothing is in it.
    pub(crate) fn leave(self) {
        if !self.is_empty().unwrap_or(false) {
            return;
        }
        let own = [PREFIX.as_bytes(), &self.name].concat();
        let gone = rustix::fs::unlinkat(&self.own, LOCK, AtFlags::empty());
        if gone.is_ok() {
            // Where somebody has put something into it meanwhile it stays.
            let _stays = rustix::fs::unlinkat(&self.above, &own[..], AtFlags::REMOVEDIR);
        }
    }

    fn names(&self) -> Result<Vec<CString>, AreaError> {
        let failed = || self.failed("list what is beside");
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.own).map_err(failed())? {
            let name = entry.map_err(failed())?.file_name().to_owned();
            if !matches!(name.to_bytes(), b"." | b"..") {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn put_out(&self, what: &CStr) -> Result<(), AreaError> {
        for number in 0_u32.. {
            let name = CString::new(format!("{REMOVING}{number}"));
            let name = name.map_err(self.failed("name what is beside"))?;
            let flags = RenameFlags::NOREPLACE;
            match renameat_with(&self.own, what, &self.own, &name, flags) {
                Err(Errno::EXIST) => {}
                done => {
                    done.map_err(self.failed("put away what is beside"))?;
                    return self.sync();
                }
            }
        }
        Ok(())
    }

    fn rename(&self, from: &CStr, to: &CStr) -> Result<(), AreaError> {
        let done = renameat_with(&self.own, from, &self.own, to, RenameFlags::NOREPLACE);
        done.map_err(self.failed("keep what was beside"))?;
        self.sync()
    }

    fn sync(&self) -> Result<(), AreaError> {
        fsync(&self.own).map_err(self.failed("sync what is beside"))
    }

    fn has(&self, what: &CStr) -> Result<bool, AreaError> {
        match statat(&self.own, what, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(self.failed("look beside")(error)),
        }
    }

    fn open(&self, what: &CStr) -> Result<OwnedFd, AreaError> {
        openat(&self.own, what, DIRECTORY, Mode::empty())
            .map_err(self.failed("open what is beside"))
    }

    fn trees<'a>(&'a self, incoming: &'a OwnedFd, above: &'a OwnedFd) -> Trees<'a> {
        Trees {
            staged: (incoming.as_fd(), TREE.to_bytes()),
            used: (above.as_fd(), &self.name),
        }
    }

    fn write(&self, record: &Record) -> Result<(), AreaError> {
        let incoming = self.open(INCOMING)?;
        self.write_in(&incoming, record)
    }

    fn write_in(&self, directory: &OwnedFd, record: &Record) -> Result<(), AreaError> {
        let write = || -> io::Result<()> {
            let flags = FILE | OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
            let file = openat(directory, NEW_RECORD, flags, Mode::RUSR | Mode::WUSR)?;
            let mut file = File::from(file);
            file.write_all(&serde_json::to_vec(record)?)?;
            file.sync_all()?;
            renameat(directory, NEW_RECORD, directory, RECORD)?;
            fsync(directory)?;
            Ok(())
        };
        write().map_err(self.failed("write down what is done to"))
    }

    fn record(&self, what: &CStr) -> Result<Option<Record>, AreaError> {
        let read = || -> io::Result<Option<String>> {
            let directory = self.open(what).map_err(io::Error::other)?;
            let file = match openat(&directory, RECORD, FILE | OFlags::RDONLY, Mode::empty()) {
                Err(Errno::NOENT) => return Ok(None),
                file => File::from(file?),
            };
            let mut text = String::new();
            file.take(LARGEST).read_to_string(&mut text)?;
            Ok(Some(text))
        };
        let failed = || self.failed("read what was done to");
        let Some(text) = read().map_err(failed())? else {
            return Ok(None);
        };
        let record = Record::read(&text);
        record
            .map(Some)
            .map_err(|why| failed()(io::Error::other(why)))
    }

    fn failed<E: Into<io::Error>>(&self, what: &'static str) -> impl FnOnce(E) -> AreaError {
        failed(what, &self.path)
    }

    /// Leaves an exchange as one does that is killed before the last thing has changed its place.
    #[cfg(test)]
    pub(super) fn cut_short(&self, record: &mut Record, last: &super::record::Move) {
        let incoming = self.open(INCOMING).unwrap();
        let trees = self.trees(&incoming, &self.above);
        trees.take_back(last).unwrap();
        record.moves.push(last.clone());
        record.phase = Phase::Moving;
        self.write(record).unwrap();
    }
}

fn failed<E: Into<io::Error>>(what: &'static str, path: &Path) -> impl FnOnce(E) -> AreaError {
    let path = path.to_owned();
    move |source| AreaError::System {
        what,
        path,
        source: source.into(),
    }
}

/// What is mounted there, or below it, stays where it is when directories are exchanged.
fn refuse_mounts(tree: &Path) -> Result<(), AreaError> {
    let real = std::fs::canonicalize(tree).map_err(failed("look at", tree))?;
    let table =
        std::fs::read("/proc/self/mountinfo").map_err(failed("read the mounts of", tree))?;
    for line in table.split(|byte| *byte == b'\n') {
        let Some(place) = line.split(|byte| *byte == b' ').nth(4) else {
            continue;
        };
        let place = unescaped(place);
        let place = Path::new(OsStr::from_bytes(&place));
        let reason = if place == real {
            "it is a mount point, which cannot be exchanged with a directory beside it".to_owned()
        } else if place.starts_with(&real) {
            format!(
                "{} is mounted in it, and would not come along",
                place.display()
            )
        } else {
            continue;
        };
        return Err(AreaError::Unfit {
            path: tree.to_owned(),
            reason,
        });
    }
    Ok(())
}

/// As the kernel writes paths there: what is odd in octal digits.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        let digits = after.get(..3).filter(|_| *byte == b'\\');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let odd = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        plain.push(odd.unwrap_or(*byte));
        rest = if odd.is_some() { &after[3..] } else { after };
    }
    plain
}

/// The directory beside; nobody else can have got at what is in it.
fn make(above: &OwnedFd, name: &[u8], tree: &Path) -> Result<OwnedFd, AreaError> {
    match mkdirat(above, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(failed("make a place beside", tree)(error)),
    }
    let own = openat(above, name, DIRECTORY, Mode::empty());
    let own = own.map_err(failed("open what is beside", tree))?;
    let found = fstat(&own).map_err(failed("look beside", tree))?;
    let is_ours = found.st_uid == rustix::process::geteuid().as_raw()
        && found.st_mode & 0o777 == 0o700
        && FileType::from_raw_mode(found.st_mode) == FileType::Directory;
    if is_ours {
        return Ok(own);
    }
    Err(AreaError::Unfit {
        path: tree.to_owned(),
        reason: format!(
            "{} beside it is not one that this program has made",
            String::from_utf8_lossy(name)
        ),
    })
}

fn lock(own: &OwnedFd, tree: &Path) -> Result<Flock<File>, AreaError> {
    let flags = FILE | OFlags::RDWR | OFlags::CREATE;
    let file = openat(own, LOCK, flags, Mode::RUSR | Mode::WUSR);
    let file = File::from(file.map_err(failed("lock", tree))?);
    let held = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(held) => held,
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
            return Err(AreaError::Locked(tree.to_owned()));
        }
        Err((_, error)) => return Err(failed("lock", tree)(io::Error::from(error))),
    };
    // Whoever has left meanwhile has taken it along.
    let named = statat(own, LOCK, AtFlags::SYMLINK_NOFOLLOW).map_err(failed("lock", tree))?;
    let own = fstat(&*held).map_err(failed("lock", tree))?;
    if named.st_ino != own.st_ino {
        return Err(AreaError::Locked(tree.to_owned()));
    }
    Ok(held)
}
