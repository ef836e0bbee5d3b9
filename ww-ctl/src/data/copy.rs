//! A directory of this machine copied whole into another one, as an archive that goes from one thread to
//! another: with all that a backup keeps, owners by number.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nix::libc::{O_DIRECTORY, O_NOFOLLOW};
use ww_archive::pack::{PackError, PackOptions, Packed, pack};
use ww_archive::pattern::Patterns;
use ww_archive::read::{Limits, Reader};
use ww_archive::unpack::{UnpackError, UnpackOptions, Unpacked, unpack};
use ww_archive::{Entry, Problem, ProblemKind, Watch};

/// So many problems are told.
const TOLD: usize = 5;

/// How far a copying is, and the way to stop it.
#[derive(Debug, Default)]
pub(crate) struct Copying {
    stop: AtomicBool,
    bytes: AtomicU64,
}

impl Copying {
    /// For one.
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Ends it as soon as possible.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Copied {
    /// Files, directories and all else, the root among them.
    pub entries: u64,
    /// Bytes of content.
    pub bytes: u64,
}

/// Why a directory was not copied whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    /// One of both cannot be opened.
    #[error("cannot open {path}")]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: PackError,
    },
    /// The other one cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: UnpackError,
    },
    /// Something is not in the copy, or not as it was.
    #[error("the copy of {path} is not whole: {text}")]
    Part {
        /// Which.
        path: PathBuf,
        /// What happened.
        text: String,
    },
    /// It was stopped on request.
    #[error("the copying was stopped")]
    Stopped,
}

/// Copies all of a directory into another one, which is empty, and syncs it. What changes meanwhile is passed
/// over where it `is_live`, and told; else it is an error, as all is that gets lost.
///
/// # Errors
/// When it is not whole. What was made by then is left.
pub(crate) fn copy(
    from: &Path,
    to: &Path,
    is_live: bool,
    copying: &Copying,
) -> Result<(Copied, Vec<String>), CopyError> {
    let (source, target) = (open(from)?, open(to)?);
    let (reader, mut writer) = io::pipe().map_err(|source| CopyError::Open {
        path: from.to_owned(),
        source,
    })?;
    let options = PackOptions {
        exclude: Patterns::default(),
    };
    let mut watch = Noting::new(copying, is_live);
    let mut made = Noting::new(copying, false);
    let (read, written) = std::thread::scope(|scope| {
        let read = scope.spawn(|| {
            let read = pack(source.as_fd(), &options, &mut writer, &mut watch);
            // Only then the other side sees the end.
            drop(writer);
            read
        });
        let written = unpack_all(reader, &target, &mut made);
        (read.join(), written)
    });
    let read = read.unwrap_or(Err(PackError::Stopped));
    let (read, written) = whole(read, written, from, to)?;
    if let Some(text) = watch.lost.first().or(made.lost.first()) {
        return Err(CopyError::Part {
            path: from.to_owned(),
            text: text.clone(),
        });
    }
    if !is_all(read, written, watch.has_shrunk) {
        let text = format!(
            "{} entries of {} bytes were read, {} of {} written",
            read.entries, read.bytes, written.entries, written.bytes
        );
        let path = from.to_owned();
        return Err(CopyError::Part { path, text });
    }
    let copied = Copied {
        entries: read.entries,
        bytes: read.bytes,
    };
    Ok((copied, watch.changed))
}

/// Whether as much was written as was read. What a file has lost meanwhile is zeros in its copy: then it is more.
const fn is_all(read: Packed, written: Unpacked, has_shrunk: bool) -> bool {
    read.entries == written.entries
        && (read.bytes == written.bytes || (has_shrunk && read.bytes < written.bytes))
}

fn open(path: &Path) -> Result<File, CopyError> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(O_DIRECTORY | O_NOFOLLOW)
        .open(path);
    opened.map_err(|source| CopyError::Open {
        path: path.to_owned(),
        source,
    })
}

/// The pipe's other end is gone when this returns: who writes into it ends, too.
fn unpack_all(
    reader: io::PipeReader,
    target: &File,
    watch: &mut Noting<'_>,
) -> Result<Unpacked, UnpackError> {
    let options = UnpackOptions {
        devices: true,
        only: None,
        owners: true,
    };
    unpack(
        Reader::new(reader, Limits::default()),
        target.as_fd(),
        &options,
        watch,
    )
}

fn whole(
    read: Result<Packed, PackError>,
    written: Result<Unpacked, UnpackError>,
    from: &Path,
    to: &Path,
) -> Result<(Packed, Unpacked), CopyError> {
    match (read, written) {
        (Ok(read), Ok(written)) => Ok((read, written)),
        (Err(PackError::Stopped), _) | (_, Err(UnpackError::Stopped)) => Err(CopyError::Stopped),
        // Where nobody takes the stream, the other side knows why.
        (Ok(_) | Err(PackError::Output(_)), Err(source)) => Err(CopyError::Write {
            path: to.to_owned(),
            source,
        }),
        (Err(source), _) => Err(CopyError::Read {
            path: from.to_owned(),
            source,
        }),
    }
}

/// What happens meanwhile.
struct Noting<'a> {
    copying: &'a Copying,
    is_live: bool,
    /// Whether a file was shorter when it was read than when it was found.
    has_shrunk: bool,
    lost: Vec<String>,
    changed: Vec<String>,
}

impl<'a> Noting<'a> {
    const fn new(copying: &'a Copying, is_live: bool) -> Self {
        Self {
            copying,
            is_live,
            has_shrunk: false,
            lost: Vec::new(),
            changed: Vec::new(),
        }
    }
}

impl Watch for Noting<'_> {
    fn entry(&mut self, _entry: &Entry) {}

    fn bytes(&mut self, count: u64) {
        self.copying.bytes.fetch_add(count, Ordering::Relaxed);
    }

    fn problem(&mut self, problem: Problem) {
        self.has_shrunk |= problem.kind == ProblemKind::Shrank;
        let has_changed = match problem.kind {
            ProblemKind::Vanished
            | ProblemKind::Shrank
            | ProblemKind::Grew
            | ProblemKind::Replaced
            | ProblemKind::Changed => self.is_live,
            ProblemKind::Unreadable
            | ProblemKind::Excluded
            | ProblemKind::MountPoint
            | ProblemKind::Unsupported
            | ProblemKind::DeviceSkipped
            | ProblemKind::OwnerNotSet
            | ProblemKind::AttributeNotSet
            | ProblemKind::TimeNotSet
            | ProblemKind::Missing => false,
        };
        let list = if has_changed {
            &mut self.changed
        } else {
            &mut self.lost
        };
        if list.len() < TOLD {
            let path = String::from_utf8_lossy(&problem.path);
            list.push(format!("{path}: {}, {}", problem.kind, problem.text));
        }
    }

    fn is_over(&self) -> bool {
        self.copying.stop.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn what_a_file_has_lost_while_it_was_read_is_zeros_in_its_copy() {
        let packed = |bytes| Packed {
            entries: 2,
            bytes,
            ..Packed::default()
        };
        let unpacked = |entries, bytes| Unpacked {
            entries,
            bytes,
            ..Unpacked::default()
        };
        assert!(is_all(packed(10), unpacked(2, 10), false));
        assert!(!is_all(packed(10), unpacked(2, 12), false));
        assert!(is_all(packed(10), unpacked(2, 12), true));
        for has_shrunk in [false, true] {
            assert!(!is_all(packed(10), unpacked(2, 9), has_shrunk));
            assert!(!is_all(packed(10), unpacked(1, 10), has_shrunk));
        }
    }

    #[test]
    fn a_copy_has_all_of_it_or_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::create_dir(&from).unwrap();
        fs::create_dir(&to).unwrap();
        fs::write(from.join("a"), "word").unwrap();
        fs::hard_link(from.join("a"), from.join("same")).unwrap();
        symlink("/etc/passwd", from.join("link")).unwrap();
        fs::set_permissions(&from, fs::Permissions::from_mode(0o2711)).unwrap();
        let (copied, changed) = copy(&from, &to, false, &Copying::new()).unwrap();
        assert_eq!(copied.entries, 4);
        assert!(changed.is_empty());
        assert_eq!(fs::read_to_string(to.join("same")).unwrap(), "word");
        assert_eq!(fs::metadata(to.join("a")).unwrap().nlink(), 2);
        assert!(to.join("link").is_symlink());
        assert_eq!(fs::metadata(&to).unwrap().mode() & 0o7777, 0o2711);
        // Into what has something in it nothing is copied.
        let again = copy(&from, &to, false, &Copying::new());
        assert!(matches!(again, Err(CopyError::Write { .. })), "{again:?}");
        let none = copy(&directory.path().join("none"), &to, false, &Copying::new());
        assert!(matches!(none, Err(CopyError::Open { .. })));
    }

    #[test]
    fn one_that_is_stopped_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::create_dir(&from).unwrap();
        fs::create_dir(&to).unwrap();
        fs::write(from.join("a"), "word").unwrap();
        let copying = Copying::new();
        copying.stop();
        let stopped = copy(&from, &to, false, &copying);
        assert!(matches!(stopped, Err(CopyError::Stopped)), "{stopped:?}");
    }
}
