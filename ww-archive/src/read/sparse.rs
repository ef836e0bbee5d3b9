//! The map of a file with holes, which is in front of its data.

use std::io::Read;

use super::ReadError;
use super::input::Input;
use crate::block::{BLOCK, BLOCK_LENGTH};
use crate::entry::Segment;
use crate::record::decimal;

/// Reads the map; what is left of the stored content is the data.
pub(super) fn read<R: Read>(
    input: &mut Input<R>,
    stored: u64,
    size: u64,
    most: usize,
) -> Result<Vec<Segment>, ReadError> {
    let mut lines = Lines {
        input,
        block: [0; BLOCK],
        next: BLOCK,
        left: stored,
    };
    let count = lines.number()?;
    if count > most as u64 {
        return Err(lines
            .input
            .malformed(format!("a file is in more than {most} pieces")));
    }
    let mut segments: Vec<Segment> = Vec::new();
    let (mut end, mut total) = (0_u64, 0_u64);
    for _ in 0..count {
        let (offset, length) = (lines.number()?, lines.number()?);
        let after = offset.checked_add(length).filter(|after| *after <= size);
        let (true, Some(after)) = (offset >= end, after) else {
            return Err(lines
                .input
                .malformed("the pieces of a file are not in order, or beyond its end"));
        };
        end = after;
        total += length;
        match segments.last_mut() {
            _ if length == 0 => {}
            Some(last) if last.offset + last.length == offset => last.length += length,
            _ => segments.push(Segment { offset, length }),
        }
    }
    if total != lines.left {
        return Err(lines
            .input
            .malformed("the pieces of a file are not as long as its content"));
    }
    Ok(segments)
}

struct Lines<'a, R> {
    input: &'a mut Input<R>,
    block: [u8; BLOCK],
    next: usize,
    left: u64,
}

impl<R: Read> Lines<'_, R> {
    fn number(&mut self) -> Result<u64, ReadError> {
        let mut digits = Vec::with_capacity(20);
        loop {
            let byte = self.byte()?;
            if byte == b'\n' {
                break;
            }
            digits.push(byte);
            if digits.len() > 20 {
                break;
            }
        }
        decimal(&digits).ok_or_else(|| {
            self.input
                .malformed("the map of a file's holes makes no sense")
        })
    }

    fn byte(&mut self) -> Result<u8, ReadError> {
        if self.next == BLOCK {
            self.left = self.left.checked_sub(BLOCK_LENGTH).ok_or_else(|| {
                self.input
                    .malformed("the map of a file's holes is longer than its content")
            })?;
            self.block = self
                .input
                .block(&|| "within the map of a file's holes".to_owned())?;
            self.next = 0;
        }
        self.next += 1;
        Ok(self.block[self.next - 1])
    }
}
