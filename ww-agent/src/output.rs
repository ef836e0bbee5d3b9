//! The agent's stdout and stderr, which may be blocked for ever: bounded, never waited for.
//!
//! `O_NONBLOCK` is never set on the descriptors themselves, they are shared with whoever started
//! the container. Pipes and terminals are opened anew instead.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::time::Duration;

use nix::libc::{O_APPEND, O_NOCTTY, O_NONBLOCK};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};

use whaleware::lifecycle::Moment;

use crate::clock;
use crate::environment::LogFormat;
use crate::log::{self, Level};
use crate::poller::{Interest, Poller, Token};
use crate::sys;
use crate::tail::Tail;

/// The most bytes that wait for a reader, for each of the two.
const QUEUE: usize = 256 * 1024;
/// Of these, what only the agent's own lines may fill: a flood must not drown who says that it is one.
const RESERVED: usize = 16 * 1024;
/// While a flood lasts, what was lost is told so often at most.
const TOLD: Duration = Duration::from_secs(5);
/// Taken out of the queue at once.
const PIECE: usize = 16 * 1024;
/// What a pipe takes at once when it says it takes something.
const PIPE_ROOM: usize = 4096;

/// Who writes; a line begun by one is not continued by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    /// The agent itself.
    Agent,
    /// The script behind this pipe.
    Pipe(u32),
}

/// How bytes are written without ever waiting.
enum Way {
    /// A file or a description of our own that does not block.
    Own(File),
    /// A socket: every call says that it must not block.
    Socket(BorrowedFd<'static>),
    /// Small pieces, and only when there is room.
    Guarded(BorrowedFd<'static>),
    /// It is closed or broken: nobody will ever read it.
    Broken,
}

impl Way {
    fn open(descriptor: RawFd) -> Self {
        let Ok(standard) = sys::standard(descriptor) else {
            return Self::Broken;
        };
        let Ok(file) = standard.try_clone_to_owned().map(File::from) else {
            return Self::Guarded(standard);
        };
        let Ok(metadata) = file.metadata() else {
            return Self::Guarded(standard);
        };
        let kind = metadata.file_type();
        if kind.is_file() {
            return Self::Own(file);
        }
        if kind.is_socket() {
            return Self::Socket(standard);
        }
        OpenOptions::new()
            .write(true)
            .custom_flags(O_NONBLOCK | O_NOCTTY | O_APPEND)
            .open(format!("/proc/self/fd/{descriptor}"))
            .map_or(Self::Guarded(standard), Self::Own)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Own(file) => file.write(bytes),
            Self::Socket(socket) => {
                let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
                Ok(send(socket.as_raw_fd(), bytes, flags)?)
            }
            Self::Guarded(descriptor) => {
                if !has_room(*descriptor, Duration::ZERO) {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                let piece = &bytes[..bytes.len().min(PIPE_ROOM)];
                Ok(nix::unistd::write(*descriptor, piece)?)
            }
            Self::Broken => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Own(file) => Some(file.as_fd()),
            Self::Socket(descriptor) | Self::Guarded(descriptor) => Some(*descriptor),
            Self::Broken => None,
        }
    }
}

fn has_room(descriptor: BorrowedFd<'_>, patience: Duration) -> bool {
    let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
    let mut wanted = [PollFd::new(descriptor, PollFlags::POLLOUT)];
    poll(&mut wanted, timeout).is_ok_and(|ready| ready > 0)
}

/// What a blocked reader has cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// From now on output is dropped.
    Begun,
    /// There is room again; so many bytes were dropped.
    Ended(u64),
}

/// One of the two.
pub(crate) struct Sink {
    descriptor: RawFd,
    way: Way,
    token: Token,
    queue: VecDeque<u8>,
    dropped: u64,
    /// When something was dropped first, or was told last.
    dropping_since: Moment,
    loss: Option<Loss>,
    /// Whose line is not finished.
    open_line: Option<Writer>,
    watched: bool,
}

impl Sink {
    fn new(descriptor: RawFd, token: Token) -> Self {
        Self {
            descriptor,
            way: Way::open(descriptor),
            token,
            queue: VecDeque::new(),
            dropped: 0,
            dropping_since: Moment::default(),
            loss: None,
            open_line: None,
            watched: false,
        }
    }

    /// Writes, keeps, or drops and counts; never waits.
    pub(crate) fn write(&mut self, writer: Writer, bytes: &[u8]) {
        let Some(&last) = bytes.last() else {
            return;
        };
        if self.open_line.is_some_and(|other| other != writer) {
            self.put(writer, b"\n");
        }
        self.put(writer, bytes);
        self.open_line = (last != b'\n').then_some(writer);
    }

    fn put(&mut self, writer: Writer, bytes: &[u8]) {
        if matches!(self.way, Way::Broken) {
            return;
        }
        self.flush();
        let written = if self.queue.is_empty() {
            self.try_write(bytes)
        } else {
            0
        };
        let rest = &bytes[written..];
        let queue = match writer {
            Writer::Agent => QUEUE,
            Writer::Pipe(_) => QUEUE - RESERVED,
        };
        let room = queue.saturating_sub(self.queue.len());
        if rest.len() <= room {
            self.queue.extend(rest);
            return;
        }
        if self.dropped == 0 {
            self.loss = Some(Loss::Begun);
            self.dropping_since = clock::now();
        }
        // The rest of a piece that was begun is not kept either, but its line is ended.
        if written > 0 && room > 0 {
            self.queue.push_back(b'\n');
        }
        self.dropped += u64::try_from(rest.len()).unwrap_or(u64::MAX);
    }

    /// As much as goes at once.
    fn try_write(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() {
            match self.way.write(&bytes[written..]) {
                Ok(0) => break,
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // A file on a full disk may have room later; what nobody reads never has.
                Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull) => break,
                Err(_) => {
                    self.way = Way::Broken;
                    self.queue = VecDeque::new();
                    return bytes.len();
                }
            }
        }
        written
    }

    fn flush(&mut self) {
        while !self.queue.is_empty() {
            let (first, _) = self.queue.as_slices();
            let piece = first[..first.len().min(PIECE)].to_vec();
            let written = self.try_write(&piece);
            if written == 0 || self.queue.is_empty() {
                break;
            }
            self.queue.drain(..written);
            if written < piece.len() {
                break;
            }
        }
        if self.queue.is_empty() {
            self.queue.shrink_to(0);
        }
        // A reader that is slower than the flood never empties the queue; it is told all the same.
        let is_read = self.queue.is_empty()
            || (self.queue.len() < QUEUE / 2 && clock::now() - self.dropping_since >= TOLD);
        if self.dropped > 0 && is_read {
            self.loss = Some(Loss::Ended(std::mem::take(&mut self.dropped)));
        }
    }

    /// Waits for room only while something is kept.
    fn arm(&mut self, poller: &Poller) {
        if matches!(self.way, Way::Broken) {
            // What was opened anew is closed by now; the descriptor itself never is.
            if std::mem::take(&mut self.watched)
                && let Ok(standard) = sys::standard(self.descriptor)
            {
                poller.remove(standard);
            }
            return;
        }
        let wanted = !self.queue.is_empty();
        if let Some(descriptor) = self.way.descriptor()
            && wanted != self.watched
        {
            if wanted {
                // A file cannot be waited for; it is tried again with the next line.
                let _ = poller.add(descriptor, self.token, Interest::Write);
            } else {
                poller.remove(descriptor);
            }
        }
        self.watched = wanted;
    }

    fn settle(&mut self, patience: Duration) {
        let until = clock::now() + patience;
        while !self.queue.is_empty() {
            self.flush();
            let left = until - clock::now();
            if left.is_zero() {
                return;
            }
            let Some(descriptor) = self.way.descriptor() else {
                return;
            };
            if !self.queue.is_empty() {
                has_room(descriptor, left);
            }
        }
    }
}

/// Both, and the log, which goes to stderr.
pub(crate) struct Output {
    /// What scripts print, and `= LIFECYCLE`.
    pub(crate) stdout: Sink,
    /// What scripts complain about, and the log.
    pub(crate) stderr: Sink,
    /// The end of all of it.
    pub(crate) tail: Tail,
    format: LogFormat,
    /// Lines less grave than this are not written.
    pub(crate) least: Level,
}

impl Output {
    /// Opens both.
    pub(crate) fn new(format: LogFormat) -> Self {
        Self {
            stdout: Sink::new(1, Token::Stdout),
            stderr: Sink::new(2, Token::Stderr),
            tail: Tail::default(),
            format,
            least: Level::Info,
        }
    }

    /// One line for the log.
    pub(crate) fn log(&mut self, level: Level, message: &str) {
        if level < self.least {
            return;
        }
        let line = log::line(self.format, level, message);
        self.stderr.write(Writer::Agent, &line);
        self.tail.feed(Writer::Agent, &line);
    }

    /// Writes what is kept, as far as there is room.
    pub(crate) fn flush(&mut self) {
        self.stdout.flush();
        self.stderr.flush();
    }

    /// Registers what is to be waited for.
    pub(crate) fn arm(&mut self, poller: &Poller) {
        self.stdout.arm(poller);
        self.stderr.arm(poller);
    }

    /// What was lost since last asked, by name.
    pub(crate) fn losses(&mut self) -> Vec<(&'static str, Loss)> {
        let stdout = self.stdout.loss.take().map(|loss| ("stdout", loss));
        let stderr = self.stderr.loss.take().map(|loss| ("stderr", loss));
        stdout.into_iter().chain(stderr).collect()
    }

    /// Before leaving: what is kept gets a last, bounded chance.
    pub(crate) fn settle(&mut self, patience: Duration) {
        self.stdout.settle(patience);
        self.stderr.settle(patience);
    }
}
