//! What the one loop waits for.

use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// Whose descriptor something happened on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// A signal is to be read.
    Signals,
    /// A client wants to connect.
    Listener,
    /// The agent's stdout takes more.
    Stdout,
    /// The agent's stderr takes more.
    Stderr,
    /// A script says how far it is.
    Notices,
    /// A script has printed something.
    Pipe(u32),
    /// A service says how it is.
    Service(u32),
    /// A client has written, takes more, or is gone.
    Client(u32),
}

const KIND: u32 = 32;

impl Token {
    const fn number(self) -> u64 {
        match self {
            Self::Signals => 0,
            Self::Listener => 1,
            Self::Stdout => 2,
            Self::Stderr => 3,
            Self::Notices => 4,
            Self::Pipe(id) => 1 << KIND | id as u64,
            Self::Client(id) => 2 << KIND | id as u64,
            Self::Service(id) => 3 << KIND | id as u64,
        }
    }

    fn from_number(number: u64) -> Option<Self> {
        let id = u32::try_from(number & u64::from(u32::MAX)).ok()?;
        match (number >> KIND, id) {
            (0, 0) => Some(Self::Signals),
            (0, 1) => Some(Self::Listener),
            (0, 2) => Some(Self::Stdout),
            (0, 3) => Some(Self::Stderr),
            (0, 4) => Some(Self::Notices),
            (1, id) => Some(Self::Pipe(id)),
            (2, id) => Some(Self::Client(id)),
            (3, id) => Some(Self::Service(id)),
            _ => None,
        }
    }
}

/// What is possible on a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ready {
    /// Whose it is.
    pub(crate) token: Token,
    /// Reading gives something, be it the end.
    pub(crate) readable: bool,
    /// Writing is possible.
    pub(crate) writable: bool,
    /// The other side is gone for good.
    pub(crate) gone: bool,
}

/// What is wanted of a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Nothing but its end.
    End,
    /// To read.
    Read,
    /// To write.
    Write,
}

impl Interest {
    const fn flags(self) -> EpollFlags {
        match self {
            Self::End => EpollFlags::empty(),
            Self::Read => EpollFlags::EPOLLIN,
            Self::Write => EpollFlags::EPOLLOUT,
        }
    }
}

/// Waits for many descriptors at once.
pub(crate) struct Poller {
    epoll: Epoll,
}

impl Poller {
    /// One that waits for nothing yet.
    pub(crate) fn new() -> nix::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        Ok(Self { epoll })
    }

    /// Waits for this one, too.
    pub(crate) fn add(&self, fd: impl AsFd, token: Token, interest: Interest) -> nix::Result<()> {
        let event = EpollEvent::new(interest.flags(), token.number());
        self.epoll.add(fd, event)
    }

    /// Wants something else of it from now on.
    pub(crate) fn change(
        &self,
        fd: impl AsFd,
        token: Token,
        interest: Interest,
    ) -> nix::Result<()> {
        let mut event = EpollEvent::new(interest.flags(), token.number());
        self.epoll.modify(fd, &mut event)
    }

    /// Waits for it no longer.
    pub(crate) fn remove(&self, fd: impl AsFd) {
        // What is no longer there need not be removed.
        let _ = self.epoll.delete(fd);
    }

    /// Waits until something happens or `timeout` has passed; for ever without one.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> nix::Result<Vec<Ready>> {
        let mut events = [EpollEvent::empty(); 32];
        let timeout = timeout.map_or(EpollTimeout::NONE, |pause| {
            // Rounded up: waking a little early would only mean waking twice.
            let milliseconds = pause.as_micros().div_ceil(1000);
            i32::try_from(milliseconds)
                .ok()
                .and_then(|milliseconds| EpollTimeout::try_from(milliseconds).ok())
                .unwrap_or(EpollTimeout::MAX)
        });
        let mut count = self.epoll.wait(&mut events, timeout);
        // So ends a time in which the agent was stopped. What happened meanwhile counts before the
        // deadlines that passed: a check that has ended is not cut.
        while count == Err(Errno::EINTR) {
            count = self.epoll.wait(&mut events, EpollTimeout::ZERO);
        }
        let count = count?;
        let ready = events[..count].iter().filter_map(|event| {
            let flags = event.events();
            let gone = flags.intersects(EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR);
            Some(Ready {
                token: Token::from_number(event.data())?,
                readable: gone || flags.contains(EpollFlags::EPOLLIN),
                writable: flags.contains(EpollFlags::EPOLLOUT),
                gone,
            })
        });
        Ok(ready.collect())
    }
}
