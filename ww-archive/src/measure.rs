//! How much there is to read.

use std::os::fd::BorrowedFd;

use rustix::fs::FileType;

use crate::block::BLOCK_LENGTH;
use crate::link::Links;
use crate::pack::{PackError, PackOptions};
use crate::problem::ProblemKind;
use crate::status::{self, Status};
use crate::walk::{Found, Visit, Walk};

/// What an archive would hold, about: nothing is opened but directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measured {
    /// Bytes of content, holes not counted, what has several names once.
    pub bytes: u64,
    /// Entries, the root among them.
    pub entries: u64,
}

/// Walks a tree as [`crate::pack::pack`] would, and counts.
///
/// # Errors
/// When the root is no directory or cannot be read.
pub fn measure(root: BorrowedFd<'_>, options: &PackOptions) -> Result<Measured, PackError> {
    let mut count = Count::default();
    Walk::new(root, options)?.run(&mut count)?;
    Ok(count.measured)
}

#[derive(Default)]
struct Count {
    measured: Measured,
    links: Links,
}

impl Visit for Count {
    fn file(&mut self, found: &Found<'_>) -> Result<(), PackError> {
        // What cannot be looked at is told when it is packed.
        let Ok(status) = status::at(found.directory, found.name) else {
            return Ok(());
        };
        if status.mount != found.mount {
            return Ok(());
        }
        self.measured.entries += 1;
        if status.kind == FileType::RegularFile && self.links.seen(&status).is_none() {
            self.links.add(&status, found.path);
            self.measured.bytes += status.size.min(status.blocks.saturating_mul(BLOCK_LENGTH));
        }
        Ok(())
    }

    fn directory(
        &mut self,
        _path: &[u8],
        _status: &Status,
        _open: Option<BorrowedFd<'_>>,
    ) -> Result<(), PackError> {
        self.measured.entries += 1;
        Ok(())
    }

    fn problem(&mut self, _kind: ProblemKind, _path: &[u8], _text: String) {}

    fn is_over(&self) -> bool {
        false
    }
}
