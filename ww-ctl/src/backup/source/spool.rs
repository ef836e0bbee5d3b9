//! What comes over a connection, on its way to a thread that may wait.

use std::io::{self, Read, Write};

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

use super::Outlet;

/// So many pieces may be under way: who sends waits then.
pub(super) const UNDER_WAY: usize = 16;

/// Reads what was sent, to its end. An end is not proof that all has come.
pub(super) struct Sent {
    receive: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Sent {
    pub(super) const fn new(receive: mpsc::Receiver<io::Result<Bytes>>) -> Self {
        Self {
            receive,
            piece: Bytes::new(),
        }
    }
}

impl Read for Sent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receive.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.piece = piece?,
            }
        }
        let taken = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..taken]);
        Ok(taken)
    }
}

/// Writes what is sent as it is; how much it was, and its last bytes.
pub(super) fn keep(
    mut receive: mpsc::Receiver<Bytes>,
    mut into: Outlet,
) -> io::Result<(Kept, Outlet)> {
    let mut kept = Kept::default();
    while let Some(piece) = receive.blocking_recv() {
        into.write_all(&piece)?;
        kept.written += piece.len() as u64;
        let last = piece.len().min(TRAILER);
        kept.end.extend_from_slice(&piece[piece.len() - last..]);
        let surplus = kept.end.len().saturating_sub(TRAILER);
        kept.end.drain(..surplus);
    }
    Ok((kept, into))
}

/// So many zeros are at the end of an archive.
const TRAILER: usize = 1024;

/// What was written.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) written: u64,
    end: Vec<u8>,
}

impl Kept {
    /// Whether it ends as an archive does.
    pub(super) fn has_end(&self) -> bool {
        self.end == [0; TRAILER]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_known_whatever_the_pieces() {
        for piece in [1, 100, 1023, 1024, 1025, 5000] {
            let (send, receive) = mpsc::channel(UNDER_WAY);
            let file = tempfile::tempfile().unwrap();
            let archive = [vec![7; 3000], vec![0; 1024]].concat();
            let sender = std::thread::spawn(move || {
                for piece in archive.chunks(piece) {
                    send.blocking_send(Bytes::copy_from_slice(piece)).unwrap();
                }
            });
            let (kept, _) = keep(receive, file.into()).unwrap();
            sender.join().unwrap();
            assert_eq!(kept.written, 4024);
            assert!(kept.has_end());
        }
        let (send, receive) = mpsc::channel(UNDER_WAY);
        send.try_send(Bytes::from(vec![0; 1023])).unwrap();
        drop(send);
        let file = tempfile::tempfile().unwrap();
        let (kept, _) = keep(receive, file.into()).unwrap();
        assert!(!kept.has_end());
    }
}
