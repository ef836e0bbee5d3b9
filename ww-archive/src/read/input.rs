//! The bytes of an archive, counted.

use std::io::{self, BufRead, BufReader, Read};

use super::ReadError;
use crate::block::BLOCK;

/// Headers are read through this much; content in larger pieces goes by it.
const BUFFER: usize = 64 * 1024;

pub(super) struct Input<R> {
    reader: BufReader<R>,
    at: u64,
}

/// Says within what an archive ends, if it does.
type Within<'a> = &'a dyn Fn() -> String;

impl<R: Read> Input<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader: BufReader::with_capacity(BUFFER, reader),
            at: 0,
        }
    }

    pub(super) fn position(&self) -> u64 {
        self.at
    }

    pub(super) fn malformed(&self, reason: impl Into<String>) -> ReadError {
        ReadError::Malformed {
            at: self.at,
            reason: reason.into(),
        }
    }

    /// At least one byte, unless none is asked for.
    pub(super) fn some(
        &mut self,
        bytes: &mut [u8],
        within: Within<'_>,
    ) -> Result<usize, ReadError> {
        loop {
            match self.reader.read(bytes) {
                Ok(0) if !bytes.is_empty() => {
                    return Err(ReadError::Truncated {
                        at: self.at,
                        within: within(),
                    });
                }
                Ok(taken) => {
                    self.at += taken as u64;
                    return Ok(taken);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(ReadError::Input {
                        at: self.at,
                        source,
                    });
                }
            }
        }
    }

    pub(super) fn exact(
        &mut self,
        mut bytes: &mut [u8],
        within: Within<'_>,
    ) -> Result<(), ReadError> {
        while !bytes.is_empty() {
            let taken = self.some(bytes, within)?;
            bytes = &mut bytes[taken..];
        }
        Ok(())
    }

    pub(super) fn block(&mut self, within: Within<'_>) -> Result<[u8; BLOCK], ReadError> {
        let mut block = [0; BLOCK];
        self.exact(&mut block, within)?;
        Ok(block)
    }

    pub(super) fn skip(&mut self, mut count: u64, within: Within<'_>) -> Result<(), ReadError> {
        while count > 0 {
            let found = self.fill()?.len();
            if found == 0 {
                return Err(ReadError::Truncated {
                    at: self.at,
                    within: within(),
                });
            }
            let taken = usize::try_from(count).unwrap_or(usize::MAX).min(found);
            self.consume(taken);
            count -= taken as u64;
        }
        Ok(())
    }

    pub(super) fn zeros_to_the_end(&mut self) -> Result<(), ReadError> {
        loop {
            let found = self.fill()?;
            if found.is_empty() {
                return Ok(());
            }
            let zeros = found.iter().take_while(|byte| **byte == 0).count();
            let all = zeros == found.len();
            self.consume(zeros);
            if !all {
                return Err(self.malformed("something follows its end"));
            }
        }
    }

    fn fill(&mut self) -> Result<&[u8], ReadError> {
        while let Err(source) = self.reader.fill_buf() {
            if source.kind() != io::ErrorKind::Interrupted {
                return Err(ReadError::Input {
                    at: self.at,
                    source,
                });
            }
        }
        Ok(self.reader.buffer())
    }

    fn consume(&mut self, count: usize) {
        self.reader.consume(count);
        self.at += count as u64;
    }
}
