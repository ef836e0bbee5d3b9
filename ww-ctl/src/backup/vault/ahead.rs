//! A reader whose work is done ahead, on a thread of its own: what takes from it has its own work meanwhile.

use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;

/// How much is read at once.
const PIECE: usize = 256 * 1024;
/// So many of these are read ahead.
const PIECES: usize = 8;

/// What is read ahead, in its order, errors too. Dropped, the thread ends as soon as what it reads from lets it.
#[derive(Debug)]
pub(crate) struct Ahead {
    pieces: Receiver<io::Result<Vec<u8>>>,
    /// Memory that is used again.
    spare: SyncSender<Vec<u8>>,
    piece: Vec<u8>,
    /// How much of it has been taken.
    at: usize,
    /// It has come to its end, good or bad.
    ended: bool,
}

impl Ahead {
    /// Begins to read.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(crate) fn of(mut from: impl Read + Send + 'static) -> io::Result<Self> {
        let (sender, pieces) = sync_channel(PIECES);
        let (spare, emptied) = sync_channel::<Vec<u8>>(PIECES);
        Builder::new().name("ahead".into()).spawn(move || {
            loop {
                let mut piece = emptied.try_recv().unwrap_or_default();
                let filled = fill(&mut from, &mut piece);
                let goes_on = matches!(filled, Ok(true));
                // What came before an error is taken before it.
                if !piece.is_empty() && sender.send(Ok(piece)).is_err() {
                    return;
                }
                if !goes_on {
                    let _untaken = sender.send(filled.map(|_| Vec::new()));
                    return;
                }
            }
        })?;
        Ok(Self {
            pieces,
            spare,
            piece: Vec::new(),
            at: 0,
            ended: false,
        })
    }
}

/// Fills a piece; whether more may come.
fn fill(from: &mut impl Read, piece: &mut Vec<u8>) -> io::Result<bool> {
    piece.resize(PIECE, 0);
    let mut length = 0;
    let filled = loop {
        if length == PIECE {
            break Ok(true);
        }
        match from.read(&mut piece[length..]) {
            Ok(0) => break Ok(false),
            Ok(taken) => length += taken,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    piece.truncate(length);
    filled
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.at == self.piece.len() {
            if self.ended {
                return Ok(0);
            }
            let taken = std::mem::take(&mut self.piece);
            self.at = 0;
            if taken.capacity() > 0 {
                let _full = self.spare.try_send(taken);
            }
            let next = self.pieces.recv();
            let next =
                next.map_err(|_| io::Error::other("what reads ahead has ended before its time"));
            match next.and_then(|next| next) {
                Ok(piece) => {
                    self.ended = piece.is_empty();
                    self.piece = piece;
                }
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
        }
        let left = &self.piece[self.at..];
        let taken = left.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&left[..taken]);
        self.at += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives so much in small pieces, and then an end or an error.
    struct Source {
        left: usize,
        fails: bool,
    }

    impl Read for Source {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let taken = self.left.min(buffer.len()).min(10_007);
            if taken == 0 && self.fails {
                return Err(io::Error::new(ErrorKind::InvalidData, "it is damaged"));
            }
            for (at, byte) in buffer[..taken].iter_mut().enumerate() {
                *byte = ((self.left - at) / 251).to_le_bytes()[0];
            }
            self.left -= taken;
            Ok(taken)
        }
    }

    #[test]
    fn all_comes_in_its_order_and_an_error_in_its_place() {
        for length in [0, 1, PIECE, PIECE * (PIECES + 3) + 7] {
            for fails in [false, true] {
                let left = length;
                let mut expected = Vec::new();
                let good = Source { left, fails: false };
                { good }.read_to_end(&mut expected).unwrap();
                let mut ahead = Ahead::of(Source { left, fails }).unwrap();
                let mut got = Vec::new();
                let ended = ahead.read_to_end(&mut got);
                assert!(got == expected, "{length} {fails}");
                assert_eq!(ended.is_err(), fails, "{length}");
                if let Err(error) = ended {
                    assert_eq!(error.kind(), ErrorKind::InvalidData);
                    assert_eq!(error.to_string(), "it is damaged");
                }
                assert_eq!(ahead.read(&mut [0]).unwrap(), 0);
            }
        }
    }

    #[test]
    fn who_takes_no_more_waits_for_nobody() {
        // More than is read ahead: the thread is in the middle of it.
        let endless = io::repeat(7);
        let mut ahead = Ahead::of(endless).unwrap();
        ahead.read_exact(&mut [0; 10]).unwrap();
        drop(ahead);
    }
}
