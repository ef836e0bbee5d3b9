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
/// Read at once: little, so that a client who writes as fast as it can does not make others wait.
const PIECE: usize = 1024;
/// The most bytes a client may write that hold no line at all, beyond one that is too long.
const SILENCE: usize = 1024 * 1024;
/// So many lines of a client may be no requests. Then it is not heard any more.
const MALFORMED: u32 = 64;
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
    /// Bytes it has written since its last line.
    unheard: usize,
    malformed: u32,
    /// It will not write any more, or is not heard any more.
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
            unheard: 0,
            malformed: 0,
            ended: false,
            deaf: false,
        })
    }

    /// Whether it may ask for something.
    pub(super) const fn is_privileged(&self) -> bool {
        self.privileged
    }

    /// Whether it can still ask, and be answered.
    pub(super) const fn may_go_on(&self) -> bool {
        !self.ended && !self.deaf
    }

    /// Its connection, for a last word.
    pub(super) fn into_stream(self) -> UnixStream {
        self.stream
    }

    /// The memory it takes: what waits for it, and what is kept of an unfinished line.
    pub(super) fn held(&self) -> usize {
        self.queue.capacity() + self.decoder.pending()
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

    /// Reads one piece and hands out the lines that are complete, with whether it may ask. What is
    /// made of a line says whether it was a request. False when the client is gone, or has written
    /// for long without a line.
    pub(super) fn read(
        &mut self,
        mut line: impl FnMut(bool, Result<&[u8], FrameError>) -> bool,
    ) -> bool {
        if self.ended {
            return true;
        }
        let mut piece = [0; PIECE];
        match self.stream.read(&mut piece) {
            // It will not write any more, but may go on listening.
            Ok(0) => self.ended = true,
            Ok(count) => {
                let (privileged, mut malformed) = (self.privileged, self.malformed);
                self.unheard += count;
                let unheard = &mut self.unheard;
                self.decoder.feed(&piece[..count], |found| {
                    *unheard = 0;
                    if malformed < MALFORMED && !line(privileged, found) {
                        malformed += 1;
                    }
                });
                self.malformed = malformed;
                self.ended = malformed >= MALFORMED;
                return self.unheard <= SILENCE;
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
            // Who does not take what it was told is not asked for more.
            (_, false) => Interest::Write,
            (false, true) => Interest::Read,
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
