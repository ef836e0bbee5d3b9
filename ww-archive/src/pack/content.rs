//! What is in a file: as much as its header says, whatever becomes of the file.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use super::{PackError, Packer, encode};
use crate::block::padding;
use crate::entry::{Entry, Segment};
use crate::problem::ProblemKind;
use crate::status::{self, Status};
use crate::walk::Visit;

/// How reading a part ended before its end.
enum Cut {
    /// The file is no longer than this.
    Short(u64),
    /// The file cannot be read from here on.
    Failed(u64, Errno),
}

impl Packer<'_> {
    pub(super) fn content(
        &mut self,
        file: BorrowedFd<'_>,
        entry: &Entry,
        before: &Status,
    ) -> Result<(), PackError> {
        let whole = [Segment {
            offset: 0,
            length: entry.size,
        }];
        let segments = entry.segments.as_deref().unwrap_or(&whole);
        let mut cut = None;
        for segment in segments {
            if cut.is_some() {
                self.out.zeros(segment.length)?;
            } else {
                cut = self.segment(file, *segment)?;
            }
        }
        self.out.zeros(padding(encode::length(entry)))?;
        self.after(file, entry, before, cut);
        Ok(())
    }

    fn segment(
        &mut self,
        file: BorrowedFd<'_>,
        segment: Segment,
    ) -> Result<Option<Cut>, PackError> {
        let mut done = 0;
        while done < segment.length {
            let at = segment.offset + done;
            let cut = match self.out.read(file, at, segment.length - done)? {
                Ok(0) => Cut::Short(at),
                Err(error) => Cut::Failed(at, error),
                Ok(taken) => {
                    done += taken as u64;
                    self.packed.bytes += taken as u64;
                    self.watch.bytes(taken as u64);
                    if self.watch.is_over() {
                        return Err(PackError::Stopped);
                    }
                    continue;
                }
            };
            self.out.zeros(segment.length - done)?;
            return Ok(Some(cut));
        }
        Ok(None)
    }

    /// Tells what was not as it should have been.
    fn after(&mut self, file: BorrowedFd<'_>, entry: &Entry, before: &Status, cut: Option<Cut>) {
        let size = entry.size;
        let (kind, text) = match (cut, status::of(file)) {
            (Some(Cut::Failed(at, error)), _) => (
                ProblemKind::Unreadable,
                format!(
                    "cannot read it from byte {at} on, the rest of its {size} is zeros: {}",
                    io::Error::from(error)
                ),
            ),
            (Some(Cut::Short(at)), _) => (
                ProblemKind::Shrank,
                format!("it had {size} bytes, and {at} when it was read; the rest is zeros"),
            ),
            (None, Err(error)) => (
                ProblemKind::Changed,
                format!(
                    "nobody knows whether it was changed: {}",
                    io::Error::from(error)
                ),
            ),
            (None, Ok(now)) if now.size > size => (
                ProblemKind::Grew,
                format!(
                    "it had {size} bytes, and {} after it was read; the first {size} are here",
                    now.size
                ),
            ),
            (None, Ok(now)) if now.size < size => (
                ProblemKind::Shrank,
                format!("it had {size} bytes, and {} after it was read", now.size),
            ),
            (None, Ok(now)) if (now.mtime, now.ctime) != (before.mtime, before.ctime) => (
                ProblemKind::Changed,
                "it was changed while it was read".to_owned(),
            ),
            (None, Ok(_)) => return,
        };
        self.problem(kind, &entry.path, text);
    }
}
