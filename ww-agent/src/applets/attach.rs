//! `ww-agent attach`: the agent's socket on stdin and stdout, for `docker exec`.
//!
//! Held open for hours by `ww-ctl`: it sleeps in poll(2) until there is something to carry, and
//! carries it at once.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd;
use whaleware::lifecycle::Moment;

use super::client::Client;
use super::usage::{Argument, Usage, read};
use super::{FAILED, help, terminal};
use crate::clock;

/// A pipe that poll(2) calls writable takes so much without blocking (`PIPE_BUF`).
const CHUNK: usize = 4096;

/// How long answers are waited for once stdin has ended. Docker ends the stdin of an exec whose
/// client is gone but never the exec itself, so this is what cleans up after a lost `ww-ctl`.
const LINGER: Duration = Duration::from_secs(30);

pub(super) fn main(usage: Usage, arguments: &[OsString]) -> u8 {
    match read(arguments).next() {
        None => {}
        Some(Argument::Flag("-h" | "--help", None)) => return terminal::print(help::ATTACH),
        Some(Argument::Flag(flag, _)) => return usage.unknown_flag(flag, &["--help"]),
        Some(Argument::Word(word)) => return usage.too_many(word),
    }
    let client = match Client::connect() {
        Ok(client) => client,
        Err(error) => return usage.failed(&error.to_string(), FAILED),
    };
    match carry(client.stream, io::stdin().as_fd(), io::stdout().as_fd()) {
        Ok(()) => 0,
        Err(error) => usage.failed(&format!("cannot go on: {error}"), FAILED),
    }
}

/// Bytes on their way in one direction; at most [`CHUNK`].
#[derive(Default)]
struct Cargo {
    bytes: Vec<u8>,
}

impl Cargo {
    const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes on what `read` gives; false when that was the end.
    fn load(&mut self, read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<bool> {
        self.bytes.resize(CHUNK, 0);
        let result = read(&mut self.bytes);
        self.bytes
            .truncate(result.as_ref().map_or(0, |count| *count));
        match result {
            Ok(count) => Ok(count > 0),
            Err(error) if is_passing(&error) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Gives to `write` what is there; false when nobody takes it any more.
    fn unload(&mut self, write: impl FnOnce(&[u8]) -> io::Result<usize>) -> io::Result<bool> {
        match write(&self.bytes) {
            Ok(count) => {
                self.bytes.drain(..count);
                Ok(true)
            }
            Err(error) if is_passing(&error) => Ok(true),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// How far the way from stdin to the agent is still open.
enum Upward {
    Open,
    /// Stdin has ended; what was read is still to be written.
    Draining,
    /// The agent was told that nothing more comes; answers are waited for until then.
    Closed(Moment),
}

/// What is ready.
#[derive(Clone, Copy)]
struct Ready {
    stdin: PollFlags,
    agent: PollFlags,
    stdout: PollFlags,
}

fn carry(mut agent: UnixStream, stdin: BorrowedFd<'_>, stdout: BorrowedFd<'_>) -> io::Result<()> {
    let readable =
        PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    let writable = PollFlags::POLLOUT | PollFlags::POLLHUP | PollFlags::POLLERR;
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
    let (mut up, mut down) = (Cargo::default(), Cargo::default());
    let mut upward = Upward::Open;
    let mut agent_talks = true;
    while agent_talks || !down.is_empty() {
        if let Upward::Draining = upward
            && up.is_empty()
        {
            // It may have gone already, which the next read tells.
            let _ = agent.shutdown(Shutdown::Write);
            upward = Upward::Closed(clock::now() + LINGER);
        }
        let Some(ready) = wait(&agent, stdin, stdout, (&up, &down), (&upward, agent_talks))? else {
            return Ok(());
        };
        if down.is_empty() && ready.stdout.intersects(gone) {
            return Ok(());
        }
        if !down.is_empty()
            && ready.stdout.intersects(writable | gone)
            && !down.unload(|bytes| Ok(unistd::write(stdout, bytes)?))?
        {
            return Ok(());
        }
        if !up.is_empty()
            && ready.agent.intersects(writable)
            && !up.unload(|bytes| agent.write(bytes))?
        {
            // It reads no more, but may have said something last.
            up.bytes.clear();
            upward = Upward::Closed(clock::now() + LINGER);
        }
        if down.is_empty() && agent_talks && ready.agent.intersects(readable) {
            agent_talks = down.load(|bytes| agent.read(bytes)).or_else(ended)?;
        }
        if matches!(upward, Upward::Open)
            && up.is_empty()
            && ready.stdin.intersects(readable)
            && !up
                .load(|bytes| Ok(unistd::read(stdin, bytes)?))
                .or_else(ended)?
        {
            upward = Upward::Draining;
        }
    }
    Ok(())
}

/// A connection that was cut, or a descriptor that never was open, has ended like any other.
fn ended(error: io::Error) -> io::Result<bool> {
    let code = error.raw_os_error().map(Errno::from_raw);
    if matches!(code, Some(Errno::ECONNRESET | Errno::EBADF | Errno::EIO)) {
        Ok(false)
    } else {
        Err(error)
    }
}

/// Waits until something can be carried; none when the time for answers is over.
fn wait(
    agent: &UnixStream,
    stdin: BorrowedFd<'_>,
    stdout: BorrowedFd<'_>,
    (up, down): (&Cargo, &Cargo),
    (upward, agent_talks): (&Upward, bool),
) -> io::Result<Option<Ready>> {
    let none = PollFlags::empty();
    let timeout = match upward {
        Upward::Open | Upward::Draining => PollTimeout::NONE,
        Upward::Closed(until) => {
            let left = *until - clock::now();
            if left.is_zero() {
                return Ok(None);
            }
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        }
    };
    let mut wanted = none;
    wanted.set(PollFlags::POLLIN, down.is_empty() && agent_talks);
    wanted.set(PollFlags::POLLOUT, !up.is_empty());
    // What is not wanted is not watched at all: an end that was seen would wake us for ever.
    let stdout_wanted = if down.is_empty() {
        none
    } else {
        PollFlags::POLLOUT
    };
    let mut watched = vec![PollFd::new(stdout, stdout_wanted)];
    let agent_at = (!wanted.is_empty()).then(|| {
        watched.push(PollFd::new(agent.as_fd(), wanted));
        watched.len() - 1
    });
    let stdin_at = (matches!(upward, Upward::Open) && up.is_empty()).then(|| {
        watched.push(PollFd::new(stdin, PollFlags::POLLIN));
        watched.len() - 1
    });
    match poll(&mut watched, timeout) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let seen = |at: Option<usize>| at.and_then(|at| watched.get(at)?.revents()).unwrap_or(none);
    Ok(Some(Ready {
        stdin: seen(stdin_at),
        agent: seen(agent_at),
        stdout: seen(Some(0)),
    }))
}
