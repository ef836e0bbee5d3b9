//! The agent's own files in `/data/.ww`.
//!
//! Whoever may write to `/data` may plant things there. So nothing is followed, nothing is waited for,
//! nothing is read without a bound, and nothing is written into what others can reach under another
//! name. No descriptor stays open: `/data` can be unmounted as if the agent were not there.
//!
//! A `firstboot` may want to find `/data` empty. So the directory is not made before `/data` has its mark;
//! until then there is an extended attribute of `/data` itself, which no listing shows.

use std::ffi::CStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, Flock, FlockArg, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use whaleware::paths;

use crate::environment::Environment;
use crate::sys;

/// The directory's name below `/data`.
const NAME: &str = ".ww";
/// What every new file system has.
const LOST_AND_FOUND: &str = "lost+found";
/// The attribute of `/data`.
const NOTE: &CStr = c"user.ww.journal";
/// The most bytes of it: some file systems have room for little more.
const MOST_OF_NOTE: usize = 1024;
/// Nobody but the agent's user has business here: command lines may hold secrets.
const MODE: Mode = Mode::from_bits_truncate(0o600);

/// Whether a write has to last through a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// It is on the disk when the call returns.
    Synced,
    /// It is there for the next boot, unless the host goes down within seconds.
    Cached,
}

/// A log of bounded size: one file that grows and one that is full.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ring {
    /// What is appended to.
    pub(crate) current: &'static str,
    /// What it becomes when it is full.
    pub(crate) full: &'static str,
    /// The most bytes of either; agents that share `/data` may write a little more.
    pub(crate) most: u64,
}

/// Where the agent's own files are.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    data: PathBuf,
    /// The end of the names of files that are not complete yet; another one in each container, because
    /// several may share `/data`.
    fresh: String,
}

impl Shelf {
    /// One that is nowhere: nothing is found, and nothing can be put there.
    pub(crate) fn nowhere() -> Self {
        Self {
            data: PathBuf::from("/proc/nowhere"),
            fresh: String::new(),
        }
    }

    /// That of this container. Nothing is made or opened yet.
    pub(crate) fn of(environment: &Environment) -> Self {
        let name = nix::unistd::gethostname().unwrap_or_default();
        let name: String = name
            .to_string_lossy()
            .chars()
            .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-')
            .take(64)
            .collect();
        Self {
            data: environment.path(paths::DATA),
            fresh: format!(".{name}.new"),
        }
    }

    fn data(&self) -> io::Result<OwnedFd> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(openat(AT_FDCWD, &self.data, flags, Mode::empty())?)
    }

    /// Whether the directory is there, or may be made.
    ///
    /// # Errors
    /// When `/data` cannot be looked at; `NotFound` when there is none.
    pub(crate) fn is_open(&self) -> io::Result<bool> {
        let data = self.data()?;
        Ok(has(&data, NAME)? || has(&data, &mark())?)
    }

    /// Makes the directory, mark or no mark. `/data` itself is not made.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn open_early(&self) -> io::Result<()> {
        make(&self.data()?).map(drop)
    }

    /// Whether there is nothing in `/data`, for those who want to find it empty.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn is_data_empty(&self) -> io::Result<bool> {
        for entry in fs::read_dir(&self.data)? {
            if entry?.file_name() != LOST_AND_FOUND {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What is noted on `/data` itself.
    ///
    /// # Errors
    /// `NotFound` when nothing is, also where nothing can be; others when it is too long, or cannot be
    /// read.
    pub(crate) fn note(&self) -> io::Result<Vec<u8>> {
        let data = self.data()?;
        let mut buffer = vec![0; MOST_OF_NOTE];
        match sys::attribute(data.as_fd(), NOTE, &mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                Ok(buffer)
            }
            Err(Errno::ENODATA) => Err(io::ErrorKind::NotFound.into()),
            Err(error) if is_unknown(error) => Err(io::ErrorKind::NotFound.into()),
            Err(Errno::ERANGE) => Err(io::Error::other("it is too long")),
            Err(error) => Err(error.into()),
        }
    }

    /// Notes something on `/data` itself, in the place of what was noted; it is on the disk when the
    /// call returns.
    ///
    /// # Errors
    /// `Unsupported` where that cannot be done at all, others where it could not be done now.
    pub(crate) fn put_note(&self, content: &[u8]) -> io::Result<()> {
        if content.len() > MOST_OF_NOTE {
            return Err(io::Error::other("it is too long"));
        }
        let data = self.data()?;
        match sys::set_attribute(data.as_fd(), NOTE, content) {
            Ok(()) => File::from(data).sync_all(),
            // In a directory with the sticky bit it is for the owner alone to do.
            Err(error) if is_unknown(error) || error == Errno::EPERM => {
                Err(io::ErrorKind::Unsupported.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes away what is noted on `/data` itself. A loss of power may bring it back.
    ///
    /// # Errors
    /// When it cannot be taken away, or nothing is noted.
    pub(crate) fn remove_note(&self) -> io::Result<()> {
        Ok(sys::remove_attribute(self.data()?.as_fd(), NOTE)?)
    }

    /// A file's content.
    ///
    /// # Errors
    /// `NotFound` when it, its directory or `/data` does not exist; others when it has more than `most`
    /// bytes, is no regular file, or cannot be read.
    pub(crate) fn read(&self, name: &str, most: usize) -> io::Result<Vec<u8>> {
        let directory = below(&self.data()?)?;
        let file = regular(&directory, name, OFlag::O_RDONLY)?;
        let mut content = Vec::new();
        let limit = u64::try_from(most).unwrap_or(u64::MAX);
        file.take(limit.saturating_add(1))
            .read_to_end(&mut content)?;
        if content.len() > most {
            return Err(io::Error::other("it is too long"));
        }
        Ok(content)
    }

    /// The last bytes of a file, at most `most`.
    ///
    /// # Errors
    /// As those of [`Self::read`], but for its length.
    pub(crate) fn read_end(&self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        let directory = below(&self.data()?)?;
        let mut file = regular(&directory, name, OFlag::O_RDONLY)?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(most)))?;
        let mut content = Vec::new();
        file.take(most).read_to_end(&mut content)?;
        Ok(content)
    }

    /// Whether there is such a file.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.data()
            .and_then(|data| below(&data))
            .and_then(|directory| regular(&directory, name, OFlag::O_RDONLY))
            .is_ok()
    }

    /// Puts content in a file's place, in one step.
    ///
    /// # Errors
    /// When it cannot; what was there before is then untouched. `NotFound` means that there is no
    /// `/data`, or that it has no mark yet.
    pub(crate) fn replace(&self, name: &str, content: &[u8], lasting: Lasting) -> io::Result<()> {
        let data = self.data()?;
        let directory = opened(&data)?;
        let fresh = format!("{name}{}", self.fresh);
        let forget = || unlinkat(&directory, fresh.as_str(), UnlinkatFlags::NoRemoveDir);
        // Left over from a boot that was cut.
        let _ = forget();
        let written = (|| {
            let flags = OFlag::O_WRONLY
                | OFlag::O_CREAT
                | OFlag::O_EXCL
                | OFlag::O_NOFOLLOW
                | OFlag::O_CLOEXEC;
            let mut file = File::from(openat(&directory, fresh.as_str(), flags, MODE)?);
            file.write_all(content)?;
            if lasting == Lasting::Synced {
                file.sync_all()?;
            }
            renameat(&directory, fresh.as_str(), &directory, name)?;
            Ok(())
        })();
        match (written, lasting) {
            // The directory's own name may be new as well.
            (Ok(()), Lasting::Synced) => {
                File::from(directory).sync_all()?;
                File::from(data).sync_all()
            }
            (Ok(()), Lasting::Cached) => Ok(()),
            (Err(error), _) => {
                let _ = forget();
                Err(error)
            }
        }
    }

    /// Gives what is called `name`, whatever it is, another name.
    ///
    /// # Errors
    /// When it cannot be done.
    pub(crate) fn rename(&self, name: &str, other: &str) -> io::Result<()> {
        let directory = below(&self.data()?)?;
        Ok(renameat(&directory, name, &directory, other)?)
    }

    /// Appends lines in one write, so that agents which share `/data` do not cut each other's.
    ///
    /// # Errors
    /// When not all of it could be written; `NotFound` when there is no `/data`, or no mark in it yet.
    pub(crate) fn append(&self, ring: Ring, lines: &[u8], lasting: Lasting) -> io::Result<()> {
        let directory = opened(&self.data()?)?;
        let flags = OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_CREAT;
        let open = || regular(&directory, ring.current, flags);
        let own = |file: &File| file.metadata().is_ok_and(|found| found.nlink() == 1);
        let mut file = match open() {
            Ok(file) if own(&file) => file,
            // A link, a pipe, or a file that somebody has under another name as well.
            Ok(_) | Err(_) => {
                let aside = format!("{}.bad", ring.current);
                let _ = renameat(&directory, ring.current, &directory, aside.as_str());
                open()?
            }
        };
        let more = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        let size = file.metadata()?.len();
        if size > 0 && size.saturating_add(more) > ring.most {
            turn(&directory, ring, &file)?;
            file = open()?;
        }
        let mut bytes = Vec::with_capacity(lines.len() + 1);
        if is_torn(&mut file)? {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(lines);
        if file.write(&bytes)? < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        match lasting {
            Lasting::Synced => file.sync_data(),
            Lasting::Cached => Ok(()),
        }
    }
}

/// The directory, made where it is missing and `/data` has its mark.
fn opened(data: &OwnedFd) -> io::Result<OwnedFd> {
    match below(data) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && has(data, &mark())? => make(data),
        found => found,
    }
}

/// The name of the mark in `/data`.
fn mark() -> String {
    let name = Path::new(paths::INITIALISED_MARK).file_name();
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether there is something of this name in `/data`, whatever it is.
fn has(data: &OwnedFd, name: &str) -> io::Result<bool> {
    match fstatat(data, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(true),
        Err(Errno::ENOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether the file system, or the kernel, knows nothing of such attributes.
const fn is_unknown(error: Errno) -> bool {
    matches!(error, Errno::ENOTSUP | Errno::ENOSYS)
}

/// The directory, made where it is missing. `/data` itself is not made.
fn make(data: &OwnedFd) -> io::Result<OwnedFd> {
    match mkdirat(data, NAME, Mode::from_bits_truncate(0o700)) {
        Ok(()) | Err(Errno::EEXIST) => below(data),
        Err(error) => Err(error.into()),
    }
}

/// The directory below `/data`, and not what a link of its name points to.
fn below(data: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    Ok(openat(data, NAME, flags, Mode::empty())?)
}

/// Opens a regular file, and nothing else.
fn regular(directory: impl AsFd, name: &str, flags: OFlag) -> io::Result<File> {
    // Opening a pipe would be waited for, and nobody would hear a SIGTERM meanwhile.
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let file = File::from(openat(directory, name, flags, MODE)?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file)
}

/// Whether the last line has no end: whoever wrote it was cut, or is still at it. In that case an empty
/// line comes after it, which is no entry.
fn is_torn(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [b'\n'];
    file.seek(SeekFrom::End(-1))?;
    let count = file.read(&mut last)?;
    Ok(count == 1 && last != [b'\n'])
}

/// Puts a full file out of the way, unless another agent does it or has done it.
fn turn(directory: &OwnedFd, ring: Ring, file: &File) -> io::Result<()> {
    let found = file.metadata()?;
    let lock = Flock::lock(file.try_clone()?, FlockArg::LockExclusiveNonblock);
    // Where there are no locks it must not grow for ever.
    if lock.is_err() && found.len() <= ring.most * 2 {
        return Ok(());
    }
    let now = match regular(directory, ring.current, OFlag::O_RDONLY) {
        Ok(now) => now.metadata()?,
        // Another agent has just done it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if now.ino() == found.ino() {
        renameat(directory, ring.current, directory, ring.full)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const RING: Ring = Ring {
        current: "log",
        full: "log.1",
        most: 1000,
    };

    fn shelf(root: &Path) -> Shelf {
        fs::write(root.join("whaleup"), "").unwrap();
        bare(root)
    }

    /// In a `/data` that has no mark.
    fn bare(root: &Path) -> Shelf {
        Shelf {
            data: root.to_path_buf(),
            fresh: ".here.new".into(),
        }
    }

    #[test]
    fn a_file_is_replaced_whole_and_is_nobody_elses() {
        let tree = tempfile::tempdir().unwrap();
        let shelf = shelf(tree.path());
        for lasting in [Lasting::Synced, Lasting::Cached] {
            shelf.replace("a", b"long old content", lasting).unwrap();
            shelf.replace("a", b"new", lasting).unwrap();
        }
        assert_eq!(shelf.read("a", 3).unwrap(), b"new");
        assert!(shelf.read("a", 2).is_err());
        let own = tree.path().join(".ww");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&own), mode(&own.join("a"))), (0o700, 0o600));
        assert_eq!(fs::read_dir(own).unwrap().count(), 1);
    }

    #[test]
    fn without_data_nothing_is_made() {
        let tree = tempfile::tempdir().unwrap();
        let data = tree.path().join("data");
        let shelf = bare(&data);
        for error in [
            shelf.is_open().unwrap_err(),
            shelf.put_note(b"a").unwrap_err(),
            shelf.note().unwrap_err(),
            shelf.replace("a", b"", Lasting::Synced).unwrap_err(),
            shelf.append(RING, b"", Lasting::Cached).unwrap_err(),
            shelf.read("a", 1).unwrap_err(),
        ] {
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
        assert!(!data.exists());
    }

    #[test]
    fn before_the_mark_nothing_can_be_seen() {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir(tree.path().join(LOST_AND_FOUND)).unwrap();
        let shelf = bare(tree.path());
        for error in [
            shelf.replace("a", b"", Lasting::Synced).unwrap_err(),
            shelf.append(RING, b"", Lasting::Cached).unwrap_err(),
            shelf.note().unwrap_err(),
        ] {
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
        shelf.put_note(b"long old note").unwrap();
        shelf.put_note(b"new").unwrap();
        assert_eq!(shelf.note().unwrap(), b"new");
        assert!(shelf.is_data_empty().unwrap() && !shelf.is_open().unwrap());
        assert!(shelf.put_note(&[b'x'; MOST_OF_NOTE + 1]).is_err());
        let long = [b'x'; MOST_OF_NOTE + 1];
        sys::set_attribute(shelf.data().unwrap().as_fd(), NOTE, &long).unwrap();
        assert_eq!(shelf.note().unwrap_err().to_string(), "it is too long");
        shelf.remove_note().unwrap();
        assert_eq!(shelf.note().unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::write(tree.path().join("whaleup"), "").unwrap();
        assert!(!shelf.is_data_empty().unwrap() && shelf.is_open().unwrap());
        shelf.replace("a", b"", Lasting::Synced).unwrap();
        // Once it is there, the mark matters no more.
        fs::remove_file(tree.path().join("whaleup")).unwrap();
        shelf.replace("a", b"more", Lasting::Synced).unwrap();
        assert_eq!(shelf.read("a", 9).unwrap(), b"more");
    }

    #[test]
    fn nothing_planted_is_followed_waited_for_or_written_into() {
        let tree = tempfile::tempdir().unwrap();
        let victim = tree.path().join("victim");
        fs::write(&victim, "theirs").unwrap();
        let own = tree.path().join(".ww");
        fs::create_dir(&own).unwrap();
        let shelf = shelf(tree.path());
        let plant = |what: &str, name: &str| {
            let place = own.join(name);
            let _ = fs::remove_file(&place);
            match what {
                "link" => symlink(&victim, place).unwrap(),
                "other name" => fs::hard_link(&victim, place).unwrap(),
                _ => nix::unistd::mkfifo(&place, MODE).unwrap(),
            }
        };
        for what in ["link", "other name", "pipe"] {
            plant(what, "log");
            shelf.append(RING, b"ours\n", Lasting::Synced).unwrap();
            assert_eq!(shelf.read("log", 99).unwrap(), b"ours\n", "{what}");
            plant(what, "a");
            plant(what, "a.here.new");
            if what != "other name" {
                assert!(shelf.read("a", 99).is_err(), "{what}");
            }
            shelf.replace("a", b"ours", Lasting::Synced).unwrap();
            assert_eq!(shelf.read("a", 99).unwrap(), b"ours", "{what}");
            assert_eq!(fs::read(&victim).unwrap(), b"theirs", "{what}");
        }
        fs::remove_dir_all(&own).unwrap();
        fs::create_dir(tree.path().join("elsewhere")).unwrap();
        symlink(tree.path().join("elsewhere"), &own).unwrap();
        assert!(shelf.replace("a", b"ours", Lasting::Synced).is_err());
        assert!(shelf.append(RING, b"ours\n", Lasting::Synced).is_err());
        let elsewhere = fs::read_dir(tree.path().join("elsewhere")).unwrap();
        assert_eq!(elsewhere.count(), 0);
    }

    #[test]
    fn a_log_stays_small_and_a_torn_line_harms_no_other() {
        let tree = tempfile::tempdir().unwrap();
        let shelf = shelf(tree.path());
        let line = [[b'x'; 99].as_slice(), b"\n"].concat();
        for _ in 0..100 {
            shelf.append(RING, &line, Lasting::Cached).unwrap();
        }
        assert!(shelf.read("log", 9999).unwrap().len() <= 1000);
        assert_eq!(shelf.read("log.1", 9999).unwrap().len(), 1000);
        fs::write(tree.path().join(".ww/log"), "{\"torn").unwrap();
        shelf.append(RING, b"whole\n", Lasting::Cached).unwrap();
        assert_eq!(shelf.read("log", 99).unwrap(), b"{\"torn\nwhole\n");
        assert_eq!(shelf.read_end("log", 6).unwrap(), b"whole\n");
    }

    #[test]
    fn agents_that_share_a_log_lose_no_line_of_each_other() {
        let tree = tempfile::tempdir().unwrap();
        let ring = Ring {
            most: 20_000,
            ..RING
        };
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let shelf = shelf(tree.path());
                std::thread::spawn(move || {
                    for number in 0..200 {
                        let line = format!("{writer} {number} {}\n", "x".repeat(40));
                        shelf
                            .append(ring, line.as_bytes(), Lasting::Cached)
                            .unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        let shelf = shelf(tree.path());
        let mut text = shelf.read("log.1", 1 << 20).unwrap();
        text.extend(shelf.read("log", 1 << 20).unwrap());
        let text = String::from_utf8(text).unwrap();
        let mut last = [None; 4];
        // One that was seen half written has an empty one after it.
        for line in text.lines().filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!((words.len(), words[2].len()), (3, 40), "{line}");
            let number: u32 = words[1].parse().unwrap();
            let writer: usize = words[0].parse().unwrap();
            assert!(last[writer] < Some(number), "{line}");
            last[writer] = Some(number);
        }
        // The newest are there, whoever turned the files.
        assert_eq!(last, [Some(199); 4]);
    }
}
