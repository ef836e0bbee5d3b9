//! A stream made of entries that come from elsewhere.

use std::io::Write;

use super::encode;
use super::output::Output;
use super::{PackError, Packed};
use crate::block::padding;
use crate::entry::{Entry, Kind};

/// Writes entries as [`super::pack`] does: what another program made of a tree becomes one of these archives.
///
/// What an entry promised follows it: what is not given is filled up with zeros, what is too much is left out.
pub struct Writer<'a> {
    out: Output<'a>,
    left: u64,
    padding: u64,
    packed: Packed,
}

impl<'a> Writer<'a> {
    /// Begins a stream. The first entry is to be the root.
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self {
            out: Output::new(out),
            left: 0,
            padding: 0,
            packed: Packed::default(),
        }
    }

    /// Begins the next entry.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn entry(&mut self, entry: &Entry) -> Result<(), PackError> {
        self.fill()?;
        self.out.put(&encode::header(entry))?;
        self.packed.entries += 1;
        if entry.kind == Kind::File {
            self.left = entry.stored();
            self.padding = padding(self.left);
        }
        Ok(())
    }

    /// Some of the stored content of the entry.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn content(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let bytes = &bytes[..bytes.len().min(most)];
        self.out.put(bytes)?;
        self.left -= bytes.len() as u64;
        self.packed.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(mut self) -> Result<Packed, PackError> {
        self.fill()?;
        self.out.zeros(encode::TRAILER)?;
        self.out.flush()?;
        self.packed.written = self.out.written();
        Ok(self.packed)
    }

    fn fill(&mut self) -> Result<(), PackError> {
        self.out.zeros(self.left + self.padding)?;
        (self.left, self.padding) = (0, 0);
        Ok(())
    }
}
