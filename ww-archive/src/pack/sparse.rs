//! Where the data of a file lie.

use std::os::fd::BorrowedFd;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use crate::block::BLOCK_LENGTH;
use crate::entry::Segment;
use crate::status::Status;

/// A file in more pieces is taken as data from there on: the map would cost more than the holes save.
const MOST: usize = 64 * 1024;

/// Where the data lie, if there are holes.
pub(crate) fn segments(file: BorrowedFd<'_>, status: &Status) -> Option<Vec<Segment>> {
    if status.size == 0 || status.blocks.saturating_mul(BLOCK_LENGTH) >= status.size {
        return None;
    }
    let segments = find(file, status.size).ok()?;
    let whole = [Segment {
        offset: 0,
        length: status.size,
    }];
    (segments != whole).then_some(segments)
}

fn find(file: BorrowedFd<'_>, size: u64) -> Result<Vec<Segment>, Errno> {
    let mut segments = Vec::new();
    let mut at = 0;
    while at < size {
        let offset = match seek(file, SeekFrom::Data(at)) {
            Ok(offset) => offset,
            // Nothing but a hole up to the end.
            Err(Errno::NXIO) => break,
            Err(error) => return Err(error),
        };
        if offset >= size {
            break;
        }
        let end = if segments.len() + 1 == MOST {
            size
        } else {
            seek(file, SeekFrom::Hole(offset))?.min(size)
        };
        if end <= offset {
            // The file is being changed; it is read as it comes.
            return Err(Errno::AGAIN);
        }
        segments.push(Segment {
            offset,
            length: end - offset,
        });
        at = end;
    }
    Ok(segments)
}
