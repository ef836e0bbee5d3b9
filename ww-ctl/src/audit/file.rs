//! The journal's files: appended to, bounded, and shared by all who act at the same time.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

/// A file is put aside before it grows over this.
const LARGEST: u64 = 8 * 1024 * 1024;
/// So many are kept besides the current one.
const KEPT: u32 = 4;
/// The most that is read of a file, whoever wrote to it.
const READ: u64 = 64 * 1024 * 1024;
/// So often a lock is asked for that nobody holds longer than a write takes.
const ATTEMPTS: u32 = 100;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(10);

/// Why a line was not written, or what there is cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// There is no home directory.
    #[error("there is no place for it: neither HOME nor XDG_STATE_HOME is set, nor WW_AUDIT_FILE")]
    NoPlace,
    /// A file does not do what it should.
    #[error("cannot {what} {}", .path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// The current file. Where somebody holds its lock for too long, or the file system has none, it is
/// written to all the same: a line is one write, and only putting the file aside needs the lock.
enum Held {
    Locked(Flock<File>),
    Free(File),
}

impl Held {
    fn file(&self) -> &File {
        match self {
            Self::Locked(lock) => lock,
            Self::Free(file) => file,
        }
    }
}

/// Appends a line, its end included. A file that is full is put aside first.
///
/// # Errors
/// When it was not written, or written to a file that should have been put aside.
pub(super) fn append(path: &Path, mode: u32, line: &str) -> Result<(), FileError> {
    append_below(path, mode, line, LARGEST)
}

fn append_below(path: &Path, mode: u32, line: &str, largest: u64) -> Result<(), FileError> {
    let failed = |what| {
        move |source| FileError::File {
            what,
            path: path.to_owned(),
            source,
        }
    };
    if let Some(directory) = path.parent() {
        let mut builder = DirBuilder::new();
        // Who may read the file may come to it.
        builder.recursive(true).mode(mode | ((mode & 0o444) >> 2));
        let there = builder.create(directory);
        there.map_err(failed("make the directory of"))?;
    }
    let open = || {
        hold(
            path,
            &|| open_to_append(path, mode),
            FlockArg::LockExclusiveNonblock,
        )
    };
    let mut held = open().map_err(failed("open"))?;
    let mut turned = Ok(());
    let length = held.file().metadata().map_err(failed("look at"))?.len();
    let is_full = length > 0 && length.saturating_add(line.len() as u64) > largest;
    if is_full && matches!(held, Held::Locked(_)) {
        turned = put_aside(path).map_err(failed("put aside"));
        held = open().map_err(failed("open"))?;
    }
    write(held.file(), line).map_err(failed("write to"))?;
    turned
}

/// Opens a file and locks it; again, if it was put aside meanwhile.
fn hold(path: &Path, open: &dyn Fn() -> io::Result<File>, kind: FlockArg) -> io::Result<Held> {
    for _ in 0..ATTEMPTS {
        match Flock::lock(open()?, kind) {
            Ok(lock) if is_at(&lock, path) => return Ok(Held::Locked(lock)),
            Ok(_) => {}
            Err((_, Errno::EWOULDBLOCK)) => std::thread::sleep(PAUSE),
            Err((file, _)) => return Ok(Held::Free(file)),
        }
    }
    open().map(Held::Free)
}

/// Whether this is still the file of that name.
fn is_at(file: &File, path: &Path) -> bool {
    let Ok(own) = file.metadata() else {
        return false;
    };
    path.symlink_metadata()
        .is_ok_and(|there| (there.dev(), there.ino()) == (own.dev(), own.ino()))
}

fn open_to_append(path: &Path, mode: u32) -> io::Result<File> {
    // To be read as well: how it ends tells whether the last line is whole.
    regular(
        OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(mode),
        path,
    )
}

/// Nothing is waited for and no link is followed: who may write to the directory is not to choose
/// what is written to.
fn regular(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = options.custom_flags(flags.bits()).open(path);
    let file = file.map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ELOOP) => io::Error::other("it is a symbolic link, which is not followed"),
        Some(_) | None => error,
    })?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is not a regular file"))
    }
}

fn write(mut file: &File, line: &str) -> io::Result<()> {
    let mut text = String::with_capacity(line.len() + 1);
    let length = file.metadata()?.len();
    let mut last = [b'\n'];
    if length > 0 {
        file.read_exact_at(&mut last, length - 1)?;
    }
    if last != *b"\n" {
        // A line that was cut short, by a disk that was full, is not to take this one with it.
        text.push('\n');
    }
    text.push_str(line);
    // Once, not until all is written: the rest would come between the lines of others.
    if file.write(text.as_bytes())? == text.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::WriteZero.into())
    }
}

/// The name a file has after it was put aside so many times.
fn aside(path: &Path, times: u32) -> PathBuf {
    if times == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{times}"));
    PathBuf::from(name)
}

fn put_aside(path: &Path) -> io::Result<()> {
    for times in (0..KEPT).rev() {
        match std::fs::rename(aside(path, times), aside(path, times + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// What there is to be read, oldest first. Nothing is put aside between the first that is opened
/// and the last.
///
/// # Errors
/// When there is something that cannot be opened.
pub(super) fn open_all(path: &Path) -> Result<Vec<File>, FileError> {
    let open = |path: &Path| match open_to_read(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError::File {
            what: "read",
            path: path.to_owned(),
            source,
        }),
    };
    let held = hold(path, &|| open_to_read(path), FlockArg::LockSharedNonblock);
    let mut files = Vec::new();
    for times in (0..=KEPT).rev() {
        files.extend(open(&aside(path, times))?);
    }
    drop(held);
    Ok(files)
}

fn open_to_read(path: &Path) -> io::Result<File> {
    let mut file = regular(OpenOptions::new().read(true), path)?;
    let length = file.metadata()?.len();
    if length > READ {
        file.seek(SeekFrom::Start(length - READ))?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn text(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn full_files_are_put_aside_and_the_oldest_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("below/audit.jsonl");
        for number in 0..14 {
            append_below(&path, 0o600, &format!("line {number:02}\n"), 16).unwrap();
        }
        // Two lines a file: the first two files are gone.
        let kept: Vec<String> = (0..=KEPT).map(|times| text(&aside(&path, times))).collect();
        assert_eq!(kept[0], "line 12\nline 13\n");
        assert_eq!(kept[4], "line 04\nline 05\n");
        assert!(!aside(&path, KEPT + 1).exists());
        let mut all = String::new();
        for mut file in open_all(&path).unwrap() {
            file.read_to_string(&mut all).unwrap();
        }
        assert!(
            all.starts_with("line 04\n") && all.ends_with("line 13\n"),
            "{all}"
        );
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }

    #[test]
    fn many_at_once_lose_no_line_while_files_are_put_aside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    for number in 0..50 {
                        let line = format!("{writer} {number:04}\n");
                        append_below(path, 0o600, &line, 1000).unwrap();
                    }
                });
            }
        });
        let mut lines = Vec::new();
        for mut file in open_all(&path).unwrap() {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            assert!(text.len() <= 1000, "{}", text.len());
            lines.extend(text.lines().map(str::to_owned));
        }
        lines.sort();
        let expected = (0..8).flat_map(|writer| (0..50).map(move |n| format!("{writer} {n:04}")));
        assert_eq!(lines, expected.collect::<Vec<_>>());
    }

    #[test]
    fn what_was_cut_short_takes_no_other_line_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        std::fs::write(&path, "{\"torn").unwrap();
        append(&path, 0o600, "whole\n").unwrap();
        append(&path, 0o600, "again\n").unwrap();
        assert_eq!(text(&path), "{\"torn\nwhole\nagain\n");
    }

    #[test]
    fn a_link_or_a_pipe_is_neither_written_to_nor_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let (link, other) = (
            directory.path().join("link"),
            directory.path().join("other"),
        );
        std::os::unix::fs::symlink(&other, &link).unwrap();
        let FileError::File { source, .. } = append(&link, 0o600, "line\n").unwrap_err() else {
            panic!("it has a place");
        };
        assert!(source.to_string().contains("symbolic link"), "{source}");
        assert!(!other.exists());
        let pipe = directory.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        append(&pipe, 0o600, "line\n").unwrap_err();
        open_all(&pipe).unwrap_err();
    }
}
