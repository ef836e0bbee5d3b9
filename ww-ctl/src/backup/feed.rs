//! What is read, on its way to who compresses it.
//!
//! Reading is faster than compressing, and services may be down meanwhile. So who writes may go ahead: what does not
//! fit into memory lies in a file without a name until its turn comes, and is given back to the disk behind it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::fs::{FallocateFlags, fallocate};

/// What is handed over at once.
const PIECE: usize = 512 * 1024;
/// So many pieces may be in memory.
const PIECES: usize = 16;
/// What of the file is given back at once.
const GIVEN_BACK: u64 = 8 << 20;

/// What happens when who takes is slower than who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Who writes goes on, into the file: somebody waits for its end.
    Ahead,
    /// Who writes waits: nobody is in a hurry.
    Even,
}

/// A feed, for who writes and who takes. The file must be empty.
pub(crate) fn feed(spool: File, pace: Pace) -> (Feed, Fed) {
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        moved: Condvar::new(),
        spool,
    });
    let feed = Feed {
        shared: shared.clone(),
        pace,
        piece: Vec::new(),
        spooled: 0,
    };
    let taker = Fed {
        shared,
        piece: Piece::Held(Vec::new()),
        at: 0,
        kept: 0,
    };
    (feed, taker)
}

/// The end that is written into. Dropped before its end, who takes gets an error.
#[derive(Debug)]
pub(crate) struct Feed {
    shared: Arc<Shared>,
    pace: Pace,
    /// What is not handed over yet.
    piece: Vec<u8>,
    /// How long the file is.
    spooled: u64,
}

/// The end that is taken from. Dropped, who writes gets an error.
#[derive(Debug)]
pub(crate) struct Fed {
    shared: Arc<Shared>,
    /// What is being taken.
    piece: Piece,
    /// How much of it has been taken.
    at: u64,
    /// From where on the file has been kept.
    kept: u64,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Something was handed over, or taken.
    moved: Condvar,
    spool: File,
}

#[derive(Debug, Default)]
struct State {
    pieces: VecDeque<Piece>,
    /// How many of them are in memory.
    held: usize,
    /// Memory of pieces that were taken.
    spare: Vec<Vec<u8>>,
    /// Somebody has begun to take.
    begun: bool,
    writing: Writing,
    /// Nobody takes any more.
    untaken: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Writing {
    #[default]
    GoesOn,
    /// All has been written.
    Ended,
    /// It was given up.
    Cut,
}

/// Some of what was written, in its order.
#[derive(Debug)]
enum Piece {
    Held(Vec<u8>),
    Spooled { offset: u64, length: u64 },
}

impl Piece {
    fn length(&self) -> u64 {
        match self {
            Self::Held(bytes) => bytes.len() as u64,
            Self::Spooled { length, .. } => *length,
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds it can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.moved.wait(state);
        waited.unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether one more fits into memory. Who has to wait for others to be taken first is to keep as little as can be.
    fn has_room(&self) -> bool {
        self.held < if self.begun { PIECES } else { 1 }
    }

    fn push(&mut self, piece: Piece) {
        match (self.pieces.back_mut(), &piece) {
            (
                Some(Piece::Spooled { offset, length }),
                Piece::Spooled {
                    offset: next,
                    length: more,
                },
            ) if *offset + *length == *next => *length += more,
            (_, Piece::Held(_)) => {
                self.held += 1;
                self.pieces.push_back(piece);
            }
            (_, Piece::Spooled { .. }) => self.pieces.push_back(piece),
        }
    }

    /// The next one; of what lies in the file only so much that the rest can be given back soon.
    fn pop(&mut self) -> Option<Piece> {
        if let Some(Piece::Spooled { offset, length }) = self.pieces.front_mut()
            && *length > GIVEN_BACK
        {
            let piece = Piece::Spooled {
                offset: *offset,
                length: GIVEN_BACK,
            };
            *offset += GIVEN_BACK;
            *length -= GIVEN_BACK;
            return Some(piece);
        }
        let piece = self.pieces.pop_front();
        if let Some(Piece::Held(_)) = piece {
            self.held -= 1;
        }
        piece
    }
}

fn untaken() -> io::Error {
    io::Error::new(ErrorKind::BrokenPipe, "nobody takes what is read any more")
}

impl Feed {
    /// The file, for one that may have to begin again: see [`Feed::end_with_file`].
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub(crate) fn file(&self) -> io::Result<File> {
        self.shared.spool.try_clone()
    }

    /// Ends it: all has been written.
    ///
    /// # Errors
    /// When it has no place, or nobody takes it any more.
    pub(crate) fn end(mut self) -> io::Result<()> {
        self.hand_over()?;
        self.ended()
    }

    /// Ends it: the beginning of the file, of this length, is all there is. Nothing may have been written otherwise.
    ///
    /// # Errors
    /// When nobody takes it any more.
    pub(crate) fn end_with_file(self, length: u64) -> io::Result<()> {
        self.shared
            .state()
            .push(Piece::Spooled { offset: 0, length });
        self.ended()
    }

    fn ended(self) -> io::Result<()> {
        let mut state = self.shared.state();
        state.writing = Writing::Ended;
        if state.untaken {
            return Err(untaken());
        }
        Ok(())
    }

    /// Hands over what has come together.
    fn hand_over(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let mut state = self.shared.state();
        while !state.untaken && !state.has_room() && self.pace == Pace::Even {
            state = self.shared.wait(state);
        }
        if state.untaken {
            return Err(untaken());
        }
        if state.has_room() {
            let spare = state.spare.pop().unwrap_or_default();
            state.push(Piece::Held(std::mem::replace(&mut self.piece, spare)));
            self.piece.clear();
        } else {
            // It may take its time: meanwhile something else can be taken.
            drop(state);
            self.shared.spool.write_all_at(&self.piece, self.spooled)?;
            let length = self.piece.len() as u64;
            let offset = self.spooled;
            self.spooled += length;
            self.piece.clear();
            let mut state = self.shared.state();
            state.push(Piece::Spooled { offset, length });
        }
        self.shared.moved.notify_all();
        Ok(())
    }
}

impl Write for Feed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() >= PIECE {
            self.hand_over()?;
        }
        if self.piece.capacity() < PIECE {
            self.piece.reserve_exact(PIECE - self.piece.len());
        }
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// What is less than a piece is kept until the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if state.writing == Writing::GoesOn {
            state.writing = Writing::Cut;
        }
        self.shared.moved.notify_all();
    }
}

impl Fed {
    /// Makes the next piece the one that is taken; whether there is one.
    fn advance(&mut self) -> io::Result<bool> {
        let spare = std::mem::replace(&mut self.piece, Piece::Held(Vec::new()));
        self.at = 0;
        self.give_back(&spare);
        let mut state = self.shared.state();
        state.begun = true;
        if let Piece::Held(bytes) = spare
            && state.held + state.spare.len() < PIECES
            && bytes.capacity() > 0
        {
            state.spare.push(bytes);
        }
        self.shared.moved.notify_all();
        loop {
            if let Some(piece) = state.pop() {
                self.piece = piece;
                return Ok(true);
            }
            match state.writing {
                Writing::GoesOn => state = self.shared.wait(state),
                Writing::Ended => return Ok(false),
                Writing::Cut => {
                    return Err(io::Error::new(
                        ErrorKind::UnexpectedEof,
                        "the reading did not come to its end",
                    ));
                }
            }
        }
    }

    /// What was taken from the file needs no room any more. Where a file system cannot do this it lies there a
    /// little longer.
    fn give_back(&mut self, piece: &Piece) {
        if let Piece::Spooled { offset, length } = piece {
            let end = offset + length;
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            if fallocate(&self.shared.spool, flags, self.kept, end - self.kept).is_ok() {
                self.kept = end;
            }
        }
    }
}

impl Read for Fed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.at == self.piece.length() {
            if !self.advance()? {
                return Ok(0);
            }
        }
        let left = self.piece.length() - self.at;
        let most = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let taken = match &self.piece {
            Piece::Held(bytes) => {
                let at = usize::try_from(self.at).unwrap_or(bytes.len());
                buffer[..most].copy_from_slice(&bytes[at..at + most]);
                most
            }
            Piece::Spooled { offset, .. } => {
                let spool = &self.shared.spool;
                let taken = spool.read_at(&mut buffer[..most], offset + self.at)?;
                if taken == 0 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                taken
            }
        };
        self.at += taken as u64;
        Ok(taken)
    }
}

impl Drop for Fed {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.untaken = true;
        state.pieces.clear();
        self.shared.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::thread;

    use super::*;

    /// Bytes that tell where they are from.
    fn bytes(count: usize) -> Vec<u8> {
        (0..count).map(|at| (at / 251).to_le_bytes()[0]).collect()
    }

    fn spool() -> (File, File) {
        let file = tempfile::tempfile().unwrap();
        (file.try_clone().unwrap(), file)
    }

    #[test]
    fn who_goes_ahead_waits_for_nobody_and_all_comes_in_its_order() {
        let (spool, look) = spool();
        let all = bytes(PIECE * PIECES * 4 + 77);
        let (mut feed, mut taker) = feed(spool, Pace::Ahead);
        // Nobody takes anything meanwhile.
        for piece in all.chunks(100_000) {
            feed.write_all(piece).unwrap();
        }
        feed.end().unwrap();
        assert!(look.metadata().unwrap().len() > GIVEN_BACK * 2);
        let mut got = Vec::new();
        taker.read_to_end(&mut got).unwrap();
        assert!(got == all);
        let left = look.metadata().unwrap().blocks() * 512;
        assert!(left <= 64 * 1024, "{left} bytes are still on the disk");
    }

    #[test]
    fn memory_is_used_again_once_somebody_takes() {
        let (spool, look) = spool();
        let all = bytes(PIECE * PIECES * 6 + 1);
        let (mut feed, mut taker) = feed(spool, Pace::Ahead);
        let mut got = vec![0; all.len()];
        let half = all.len() / 2;
        feed.write_all(&all[..half]).unwrap();
        let length = look.metadata().unwrap().len();
        taker.read_exact(&mut got[..half - PIECE]).unwrap();
        feed.write_all(&all[half..half + PIECE * PIECES]).unwrap();
        assert_eq!(look.metadata().unwrap().len(), length);
        feed.write_all(&all[half + PIECE * PIECES..]).unwrap();
        assert!(look.metadata().unwrap().len() > length);
        feed.end().unwrap();
        taker.read_exact(&mut got[half - PIECE..]).unwrap();
        assert!(got == all);
        assert_eq!(taker.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn who_keeps_pace_waits_and_nothing_is_written_to_the_disk() {
        let (spool, look) = spool();
        let all = bytes(PIECE * PIECES * 3 + 5);
        let (mut feed, mut taker) = feed(spool, Pace::Even);
        let copy = all.clone();
        let writer = thread::spawn(move || {
            feed.write_all(&copy).unwrap();
            feed.end().unwrap();
        });
        let mut got = Vec::new();
        taker.read_to_end(&mut got).unwrap();
        writer.join().unwrap();
        assert!(got == all);
        assert_eq!(look.metadata().unwrap().len(), 0);
    }

    #[test]
    fn what_nobody_takes_yet_is_not_kept_in_memory() {
        let (spool, look) = spool();
        let (mut feed, _fed) = feed(spool, Pace::Ahead);
        feed.write_all(&bytes(PIECE * 4)).unwrap();
        feed.end().unwrap();
        assert_eq!(look.metadata().unwrap().len(), PIECE as u64 * 3);
    }

    #[test]
    fn a_reading_that_is_given_up_has_no_end() {
        let (mut feed, mut taker) = feed(spool().0, Pace::Even);
        feed.write_all(b"begun").unwrap();
        drop(feed);
        let error = taker.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn who_writes_learns_that_nobody_takes_any_more() {
        for pace in [Pace::Ahead, Pace::Even] {
            let (mut feed, taker) = feed(spool().0, pace);
            let writer = thread::spawn(move || feed.write_all(&bytes(PIECE * PIECES * 2)));
            drop(taker);
            // It may have been faster, where it does not wait.
            match writer.join().unwrap() {
                Err(error) => assert_eq!(error.kind(), ErrorKind::BrokenPipe),
                Ok(()) => assert_eq!(pace, Pace::Ahead),
            }
        }
        let (mut writer, taker) = feed(spool().0, Pace::Even);
        writer.write_all(b"begun").unwrap();
        drop(taker);
        assert_eq!(writer.end().unwrap_err().kind(), ErrorKind::BrokenPipe);
        let (writer, taker) = feed(spool().0, Pace::Even);
        drop(taker);
        let error = writer.end_with_file(0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_file_that_was_written_anew_is_taken_as_it_is_at_the_end() {
        let (feed, mut taker) = feed(spool().0, Pace::Even);
        let mut file = feed.file().unwrap();
        file.write_all(b"begun, and cut").unwrap();
        file.set_len(0).unwrap();
        let all = bytes(usize::try_from(GIVEN_BACK).unwrap() + 3);
        file.write_all_at(&all, 0).unwrap();
        feed.end_with_file(all.len() as u64).unwrap();
        let mut got = Vec::new();
        taker.read_to_end(&mut got).unwrap();
        assert!(got == all);
    }
}
