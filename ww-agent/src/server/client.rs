//! One connection to the socket.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::geteuid;
use whaleware::protocol::{Decoder, FrameError};

use crate::poller::Interest;

/// The most bytes that wait for one client. One that is further behind is let go: it can connect
/// again and gets everything anew.
const QUEUE: usize = 256 * 1024;
/// Read at once.
const PIECE: usize = 4096;
/// Where a user of another name space has no number of his own, he appears as this one.
const OVERFLOW_UID: u32 = 65_534;

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    stream: UnixStream,
    privileged: bool,
    decoder: Decoder,
    queue: VecDeque<u8>,
    wanted: Interest,
    /// It will not write any more.
    ended: bool,
    /// It does not read any more, but what it wrote before still counts.
    deaf: bool,
}

impl Client {
    /// A client that has just connected.
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let uid = getsockopt(&stream, PeerCredentials)?.uid();
        Ok(Self {
            stream,
            privileged: may_ask(uid, geteuid().as_raw()),
            decoder: Decoder::new(),
            queue: VecDeque::new(),
            wanted: Interest::Read,
            ended: false,
            deaf: false,
        })
    }

    /// Writes or keeps a line; false when the client is so far behind that it is to be let go.
    pub(super) fn send(&mut self, line: &[u8]) -> bool {
        if self.deaf {
            return true;
        }
        if self.queue.len() + line.len() > QUEUE {
            return false;
        }
        self.queue.extend(line);
        self.flush();
        true
    }

    /// Writes what is kept as far as it goes.
    pub(super) fn flush(&mut self) {
        while !self.queue.is_empty() {
            let (first, _) = self.queue.as_slices();
            match self.stream.write(first) {
                Ok(written) => {
                    self.queue.drain(..written);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.deaf = true;
                    self.queue.clear();
                }
            }
        }
        self.queue.shrink_to(0);
    }

    /// Reads one piece and hands out the lines that are complete; false when the client is gone.
    pub(super) fn read(&mut self, mut line: impl FnMut(bool, Result<&[u8], FrameError>)) -> bool {
        if self.ended {
            return true;
        }
        let mut piece = [0; PIECE];
        match self.stream.read(&mut piece) {
            // It will not write any more, but may go on listening.
            Ok(0) => self.ended = true,
            Ok(count) => {
                let privileged = self.privileged;
                self.decoder
                    .feed(&piece[..count], |found| line(privileged, found));
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(_) => return false,
        }
        true
    }

    /// What is to be waited for, when that has changed.
    pub(super) fn change_of_interest(&mut self) -> Option<Interest> {
        let wanted = match (self.ended, self.queue.is_empty()) {
            (false, true) => Interest::Read,
            (false, false) => Interest::Both,
            (true, false) => Interest::Write,
            (true, true) => Interest::End,
        };
        let changed = wanted != self.wanted;
        self.wanted = wanted;
        changed.then_some(wanted)
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Whether a peer may ask for something: root of this container and the agent's own user.
const fn may_ask(peer: u32, own: u32) -> bool {
    peer != OVERFLOW_UID && (peer == 0 || peer == own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_and_the_agents_own_user_may_ask() {
        assert!(may_ask(0, 1000));
        assert!(may_ask(1000, 1000));
        assert!(!may_ask(1001, 1000));
        assert!(!may_ask(OVERFLOW_UID, OVERFLOW_UID));
    }
}
