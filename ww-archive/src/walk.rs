//! The way through a tree, by descriptors: what is told of it is done by a [`Visit`].

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, openat};
use rustix::io::Errno;

use crate::ladder::{DIRECTORY, Ladder};
use crate::listing::{Listing, Names};
use crate::pack::{PackError, PackOptions};
use crate::problem::ProblemKind;
use crate::status::{self, Mount, Status};

/// Longer paths are in no archive.
pub(crate) const LONGEST_PATH: usize = 60 * 1024;

/// Who is shown what is found.
pub(crate) trait Visit {
    /// Something that is no directory, or that nobody knows yet what it is.
    fn file(&mut self, found: &Found<'_>) -> Result<(), PackError>;
    /// A directory, before what is in it. It is not open if it is not entered.
    fn directory(
        &mut self,
        path: &[u8],
        status: &Status,
        open: Option<BorrowedFd<'_>>,
    ) -> Result<(), PackError>;
    /// Something is not as it should be.
    fn problem(&mut self, kind: ProblemKind, path: &[u8], text: String);
    /// Whether to stop.
    fn is_over(&self) -> bool;
}

/// A name in a directory.
pub(crate) struct Found<'a> {
    pub(crate) directory: BorrowedFd<'a>,
    pub(crate) name: &'a CStr,
    pub(crate) path: &'a [u8],
    /// What the directory said it is.
    pub(crate) kind: FileType,
    /// The mount of the root.
    pub(crate) mount: Mount,
}

/// A directory on the way.
struct Frame {
    /// Directories in it that were not entered yet.
    pending: Names,
    /// How much of the path is its own.
    path: usize,
}

/// Walks a tree: each directory first, then what in it is no directory, then the directories.
pub(crate) struct Walk<'a> {
    root: BorrowedFd<'a>,
    options: &'a PackOptions,
    mount: Mount,
    ladder: Ladder,
    frames: Vec<Frame>,
    path: Vec<u8>,
    listing: Listing,
    access: Access,
}

/// Reading does not change when a file was read last, where that is allowed.
#[derive(Default)]
pub(crate) struct Access {
    refused: bool,
}

impl Access {
    /// Opens a name for reading.
    pub(crate) fn open(
        &mut self,
        directory: BorrowedFd<'_>,
        name: &CStr,
        flags: OFlags,
    ) -> Result<OwnedFd, Errno> {
        if !self.refused {
            match openat(directory, name, flags | OFlags::NOATIME, Mode::empty()) {
                Err(Errno::PERM) => self.refused = true,
                other => return other,
            }
        }
        openat(directory, name, flags, Mode::empty())
    }
}

impl<'a> Walk<'a> {
    pub(crate) fn new(root: BorrowedFd<'a>, options: &'a PackOptions) -> Result<Self, PackError> {
        let found = status::of(root).map_err(|error| PackError::Root(error.into()))?;
        if found.kind != FileType::Directory {
            return Err(PackError::NoDirectory);
        }
        Ok(Self {
            root,
            options,
            mount: found.mount,
            ladder: Ladder::new(),
            frames: Vec::new(),
            path: Vec::new(),
            listing: Listing::new(),
            access: Access::default(),
        })
    }

    /// Shows everything.
    pub(crate) fn run(mut self, visit: &mut dyn Visit) -> Result<(), PackError> {
        let fail = |error: Errno| PackError::Root(error.into());
        let root = self.access.open(self.root, c".", DIRECTORY).map_err(fail)?;
        let found = status::of(root.as_fd()).map_err(fail)?;
        visit.directory(&[], &found, Some(root.as_fd()))?;
        self.enter(root, &found, visit)?;
        while let Some(frame) = self.frames.last_mut() {
            self.path.truncate(frame.path);
            match frame.pending.take() {
                Some(name) => self.directory(&name, visit)?,
                None => self.leave(visit),
            }
        }
        Ok(())
    }

    /// Lists a directory and shows what is no directory.
    fn enter(
        &mut self,
        open: OwnedFd,
        found: &Status,
        visit: &mut dyn Visit,
    ) -> Result<(), PackError> {
        self.ladder.push(open, found.identity);
        let mut frame = Frame {
            pending: Names::default(),
            path: self.path.len(),
        };
        let Some(directory) = self.ladder.lowest() else {
            return Ok(());
        };
        loop {
            match self.listing.fill(directory) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    let text = format!("cannot list it to its end: {}", io::Error::from(error));
                    visit.problem(ProblemKind::Unreadable, &self.path, text);
                    break;
                }
            }
            for at in 0..self.listing.len() {
                if visit.is_over() {
                    return Err(PackError::Stopped);
                }
                let Some((name, kind)) = self.listing.get(at) else {
                    continue;
                };
                self.path.truncate(frame.path);
                append(&mut self.path, name);
                if self.options.exclude.matches(&self.path) {
                    visit.problem(
                        ProblemKind::Excluded,
                        &self.path,
                        "matches a pattern".to_owned(),
                    );
                    continue;
                }
                if self.path.len() > LONGEST_PATH {
                    let text = format!("its path is longer than {LONGEST_PATH} bytes");
                    visit.problem(ProblemKind::Unsupported, &self.path, text);
                    continue;
                }
                let kind = if kind == FileType::Unknown {
                    status::at(directory, name).map_or(kind, |found| found.kind)
                } else {
                    kind
                };
                if kind == FileType::Directory {
                    frame.pending.push(name);
                } else {
                    let (path, mount) = (&self.path[..], self.mount);
                    visit.file(&Found {
                        directory,
                        name,
                        path,
                        kind,
                        mount,
                    })?;
                }
            }
        }
        self.frames.push(frame);
        Ok(())
    }

    /// A directory that was listed.
    fn directory(&mut self, name: &CString, visit: &mut dyn Visit) -> Result<(), PackError> {
        if visit.is_over() {
            return Err(PackError::Stopped);
        }
        append(&mut self.path, name);
        let Some(above) = self.ladder.lowest() else {
            let text = "the directory it was in was moved while it was read".to_owned();
            visit.problem(ProblemKind::Vanished, &self.path, text);
            return Ok(());
        };
        let opened = self.access.open(above, name, DIRECTORY).and_then(|open| {
            let found = status::of(open.as_fd())?;
            Ok((open, found))
        });
        match opened {
            Ok((open, found)) if found.mount == self.mount => {
                visit.directory(&self.path, &found, Some(open.as_fd()))?;
                self.enter(open, &found, visit)
            }
            Ok((_, found)) => {
                visit.directory(&self.path, &found, None)?;
                let text =
                    "another file system is mounted there, its files are not in here".to_owned();
                visit.problem(ProblemKind::MountPoint, &self.path, text);
                Ok(())
            }
            Err(error) => self.closed(name, error, visit),
        }
    }

    /// A directory that cannot be opened.
    fn closed(
        &mut self,
        name: &CStr,
        error: Errno,
        visit: &mut dyn Visit,
    ) -> Result<(), PackError> {
        let found = self
            .ladder
            .lowest()
            .ok_or(Errno::NOENT)
            .and_then(|above| status::at(above, name));
        match found {
            Ok(found) if found.kind == FileType::Directory => {
                visit.directory(&self.path, &found, None)?;
                let text = format!("cannot open it: {}", io::Error::from(error));
                visit.problem(ProblemKind::Unreadable, &self.path, text);
            }
            Ok(_) => {
                let text = "it is no directory any more".to_owned();
                visit.problem(ProblemKind::Replaced, &self.path, text);
            }
            Err(Errno::NOENT) => {
                visit.problem(ProblemKind::Vanished, &self.path, "it is gone".to_owned());
            }
            Err(error) => {
                let text = format!("cannot look at it: {}", io::Error::from(error));
                visit.problem(ProblemKind::Unreadable, &self.path, text);
            }
        }
        Ok(())
    }

    /// Back to the directory above.
    fn leave(&mut self, visit: &mut dyn Visit) {
        self.frames.pop();
        let Some(above) = self.frames.last() else {
            return;
        };
        self.path.truncate(above.path);
        if self.ladder.pop().is_err() && self.ladder.restore(self.root, &self.path).is_err() {
            let text =
                "it was moved while it was read; what it has below it may be missing".to_owned();
            visit.problem(ProblemKind::Vanished, &self.path, text);
        }
    }
}

fn append(path: &mut Vec<u8>, name: &CStr) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name.to_bytes());
}
