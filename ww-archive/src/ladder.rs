//! The directories from the root to where one is, of which only the lowest are open.
//!
//! A tree may be deeper than there may be open files, and its paths longer than the kernel takes. So one goes down and
//! up a step at a time. A directory that was closed on the way down is opened again from the one below it by `..`; it
//! is the same one or it is not entered.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use crate::status::{self, Identity};

/// More than these are not open at once.
const MOST_OPEN: usize = 48;

/// How a directory is opened.
pub(crate) const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

/// The way down from the root.
pub(crate) struct Ladder {
    /// Every directory on the way.
    steps: Vec<Identity>,
    /// The lowest of them, open.
    open: VecDeque<OwnedFd>,
}

impl Ladder {
    /// No directory at all.
    pub(crate) fn new() -> Self {
        Self {
            steps: Vec::new(),
            open: VecDeque::new(),
        }
    }

    /// One step down.
    pub(crate) fn push(&mut self, directory: OwnedFd, identity: Identity) {
        if self.open.len() == MOST_OPEN {
            self.open.pop_front();
        }
        self.steps.push(identity);
        self.open.push_back(directory);
    }

    /// The directory one is in; none where the way back was lost, or there is no step left.
    pub(crate) fn lowest(&self) -> Option<BorrowedFd<'_>> {
        self.open.back().map(AsFd::as_fd)
    }

    /// One step up. An error means that the directory above is not where it was: [`Self::lowest`] has none, and
    /// [`Self::restore`] can be tried.
    pub(crate) fn pop(&mut self) -> Result<(), Errno> {
        self.steps.pop();
        let Some(left) = self.open.pop_back() else {
            return if self.steps.is_empty() {
                Ok(())
            } else {
                Err(Errno::NOENT)
            };
        };
        let Some(above) = self.steps.last() else {
            return Ok(());
        };
        if self.open.is_empty() {
            let found = openat(&left, c"..", DIRECTORY, Mode::empty())?;
            if status::of(found.as_fd())?.identity != *above {
                return Err(Errno::NOENT);
            }
            self.open.push_back(found);
        }
        Ok(())
    }

    /// Opens the lowest directory again from the root by the names on the way, if each is still the same.
    pub(crate) fn restore(&mut self, root: BorrowedFd<'_>, path: &[u8]) -> Result<(), Errno> {
        let mut found = openat(root, c".", DIRECTORY, Mode::empty())?;
        let names = path
            .split(|byte| *byte == b'/')
            .filter(|name| !name.is_empty());
        for (name, identity) in names.zip(self.steps.iter().skip(1)) {
            found = openat(&found, name, DIRECTORY, Mode::empty())?;
            if status::of(found.as_fd())?.identity != *identity {
                return Err(Errno::NOENT);
            }
        }
        self.open.push_back(found);
        Ok(())
    }
}
