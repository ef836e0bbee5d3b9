//! Files and what is in them.

use std::ffi::CString;
use std::io::Read;
use std::os::fd::AsFd;

use rustix::fs::{Mode, OFlags, ftruncate, openat};
use rustix::io::{Errno, pwrite, retry_on_intr};

use super::metadata::Owner;
use super::{UnpackError, Unpacker};
use crate::entry::{Entry, Segment};
use crate::read::Reader;

/// A file that is not there yet.
const NEW: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Unpacker<'_> {
    pub(super) fn file<R: Read>(
        &mut self,
        reader: &mut Reader<R>,
        name: &CString,
        entry: &Entry,
    ) -> Result<(), UnpackError> {
        let file = openat(
            self.lowest(&entry.path)?,
            &**name,
            NEW,
            Mode::RUSR | Mode::WUSR,
        )
        .map_err(|error| UnpackError::made(&entry.path, error))?;
        let whole = [Segment {
            offset: 0,
            length: entry.size,
        }];
        for segment in entry.segments.as_deref().unwrap_or(&whole) {
            let mut done = 0;
            while done < segment.length {
                let most = usize::try_from(segment.length - done).unwrap_or(usize::MAX);
                let most = most.min(self.buffer.len());
                let taken = reader.content(&mut self.buffer[..most])?;
                let mut bytes = &self.buffer[..taken];
                while !bytes.is_empty() {
                    let written = retry_on_intr(|| pwrite(&file, bytes, segment.offset + done))
                        .and_then(|written| {
                            if written == 0 {
                                Err(Errno::IO)
                            } else {
                                Ok(written)
                            }
                        })
                        .map_err(|error| UnpackError::new("write", &entry.path, error))?;
                    bytes = &bytes[written..];
                    done += written as u64;
                }
                self.unpacked.bytes += taken as u64;
                self.watch.bytes(taken as u64);
                if self.watch.is_over() {
                    return Err(UnpackError::Stopped);
                }
            }
        }
        if entry.segments.is_some() {
            ftruncate(&file, entry.size)
                .map_err(|error| UnpackError::new("write", &entry.path, error))?;
        }
        self.restore(Owner::Open(file.as_fd()), entry)
    }
}
