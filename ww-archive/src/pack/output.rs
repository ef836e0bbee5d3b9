//! The stream, in pieces that are worth a call.

use std::io::Write;
use std::os::fd::BorrowedFd;

use rustix::io::{Errno, pread, retry_on_intr};

use super::PackError;

/// What is written at once. Content is read straight into it.
const BUFFER: usize = 256 * 1024;

pub(super) struct Output<'a> {
    out: &'a mut dyn Write,
    buffer: Vec<u8>,
    filled: usize,
    written: u64,
}

impl<'a> Output<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self {
            out,
            buffer: vec![0; BUFFER],
            filled: 0,
            written: 0,
        }
    }

    /// How much went out.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn put(&mut self, mut bytes: &[u8]) -> Result<(), PackError> {
        while !bytes.is_empty() {
            let space = self.space(bytes.len())?;
            space.copy_from_slice(&bytes[..space.len()]);
            let taken = space.len();
            self.filled += taken;
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    pub(super) fn zeros(&mut self, mut count: u64) -> Result<(), PackError> {
        while count > 0 {
            let space = self.space(usize::try_from(count).unwrap_or(usize::MAX))?;
            space.fill(0);
            let taken = space.len();
            self.filled += taken;
            count -= taken as u64;
        }
        Ok(())
    }

    /// Takes what the file gives at once, at most so much: how much, or why nothing.
    pub(super) fn read(
        &mut self,
        file: BorrowedFd<'_>,
        offset: u64,
        most: u64,
    ) -> Result<Result<usize, Errno>, PackError> {
        let space = self.space(usize::try_from(most).unwrap_or(usize::MAX))?;
        let taken = retry_on_intr(|| pread(file, &mut *space, offset));
        if let Ok(taken) = taken {
            self.filled += taken;
        }
        Ok(taken)
    }

    pub(super) fn flush(&mut self) -> Result<(), PackError> {
        self.out
            .write_all(&self.buffer[..self.filled])
            .map_err(PackError::Output)?;
        self.written += self.filled as u64;
        self.filled = 0;
        self.out.flush().map_err(PackError::Output)
    }

    /// Some room, at most so much and at least one byte of it.
    fn space(&mut self, most: usize) -> Result<&mut [u8], PackError> {
        if self.filled == self.buffer.len() {
            self.flush()?;
        }
        let end = self.filled.saturating_add(most).min(self.buffer.len());
        Ok(&mut self.buffer[self.filled..end])
    }
}
