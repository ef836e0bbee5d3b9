//! Bytes to lines and back, with a cap.

use serde::Serialize;

use super::MAX_LINE;

/// Why a line cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The peer sent more than [`MAX_LINE`] bytes without a newline.
    #[error("a line is longer than {MAX_LINE} bytes")]
    TooLong,
    /// What is to be sent does not fit into a line.
    #[error("a message of {0} bytes does not fit into a line of {MAX_LINE}")]
    DoesNotFit(usize),
    /// What is to be sent cannot be written as JSON.
    #[error("cannot write the message as JSON")]
    Json(#[from] serde_json::Error),
}

/// One message as a line with its newline.
///
/// # Errors
/// When it is longer than [`MAX_LINE`] or cannot be written as JSON.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    if line.len() > MAX_LINE {
        Err(FrameError::DoesNotFit(line.len()))
    } else {
        Ok(line)
    }
}

/// Cuts a stream of bytes into lines, holding at most one line in memory.
///
/// A line that is too long is reported once and skipped up to its newline, so that what follows can
/// be read. Empty lines are passed over.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    skipping: bool,
}

impl Decoder {
    /// An empty decoder.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            buffer: Vec::new(),
            skipping: false,
        }
    }

    /// Takes bytes in and calls `line` with every line that is complete, without its newline.
    pub fn feed(&mut self, mut bytes: &[u8], mut line: impl FnMut(Result<&[u8], FrameError>)) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (head, rest) = (&bytes[..end], &bytes[end + 1..]);
            bytes = rest;
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            if self.buffer.len() + head.len() >= MAX_LINE {
                line(Err(FrameError::TooLong));
            } else if self.buffer.is_empty() {
                if !trim(head).is_empty() {
                    line(Ok(trim(head)));
                }
            } else {
                self.buffer.extend_from_slice(head);
                if !trim(&self.buffer).is_empty() {
                    line(Ok(trim(&self.buffer)));
                }
            }
            // A long line must not leave a large buffer behind for ever.
            self.buffer.clear();
            self.buffer.shrink_to(4096);
        }
        if self.skipping {
            return;
        }
        if self.buffer.len() + bytes.len() >= MAX_LINE {
            self.skipping = true;
            self.buffer = Vec::new();
            line(Err(FrameError::TooLong));
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// How many bytes of an unfinished line are held.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }
}

const fn trim(line: &[u8]) -> &[u8] {
    line.trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(decoder: &mut Decoder, bytes: &[u8]) -> Vec<Result<Vec<u8>, ()>> {
        let mut seen = Vec::new();
        decoder.feed(bytes, |line| {
            seen.push(line.map(<[u8]>::to_vec).map_err(|_| ()));
        });
        seen
    }

    #[test]
    fn a_line_that_is_too_long_is_told_once_and_the_next_one_is_read() {
        let mut decoder = Decoder::new();
        let mut seen = Vec::new();
        for _ in 0..40 {
            seen.extend(lines(&mut decoder, &[b'x'; 8000]));
            assert!(decoder.pending() < MAX_LINE);
        }
        seen.extend(lines(&mut decoder, b"tail\n{}\n"));
        assert_eq!(seen, vec![Err(()), Ok(b"{}".to_vec())]);
    }

    #[test]
    fn a_line_just_within_the_cap_passes_and_one_byte_more_does_not() {
        let mut fits = vec![b'x'; MAX_LINE - 1];
        fits.push(b'\n');
        assert_eq!(lines(&mut Decoder::new(), &fits).len(), 1);
        assert!(lines(&mut Decoder::new(), &fits)[0].is_ok());
        let mut over = vec![b'x'; MAX_LINE];
        over.push(b'\n');
        assert_eq!(lines(&mut Decoder::new(), &over), vec![Err(())]);
        assert!(encode(&"x".repeat(MAX_LINE - 3)).is_ok());
        assert!(matches!(
            encode(&"x".repeat(MAX_LINE - 2)),
            Err(FrameError::DoesNotFit(_))
        ));
    }

    proptest! {
        #[test]
        fn chunking_does_not_matter(
            bytes in proptest::collection::vec(prop_oneof![3 => any::<u8>(), 1 => Just(b'\n')], 0..600),
            cuts in proptest::collection::vec(0_usize..600, 0..12),
        ) {
            let whole = lines(&mut Decoder::new(), &bytes);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut decoder = Decoder::new();
            let mut seen = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                seen.extend(lines(&mut decoder, &bytes[from..cut]));
                from = cut;
            }
            prop_assert_eq!(whole, seen);
        }
    }
}
