//! Asks the agent of this container through its socket.

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use whaleware::lifecycle::Moment;
use whaleware::protocol::{Decoder, FromAgent, Hello, Snapshot};

use super::legible;
use crate::clock;
use crate::environment::Environment;

/// How long the agent may take to say who it is and how it stands.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// Why the agent could not be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("no agent answers: {}; is the container running `/ww/run`?", tried(.0))]
    NoAgent(Vec<(PathBuf, io::Error)>),
    #[error("the agent at {} is silent for {} s: it is busy or hangs", shown(.0), PATIENCE.as_secs())]
    Silent(PathBuf),
    #[error("the agent at {} closed the connection before it said how it stands", shown(.0))]
    Closed(PathBuf),
    #[error("what listens at {} is no agent: {}", shown(.0), .1)]
    Stranger(PathBuf, String),
    #[error("cannot read from the agent at {}: {}", shown(.0), .1)]
    Read(PathBuf, io::Error),
}

fn tried(tried: &[(PathBuf, io::Error)]) -> String {
    let each = |(path, error): &(PathBuf, io::Error)| {
        format!("cannot connect to {}: {error}", shown(path))
    };
    tried.iter().map(each).collect::<Vec<_>>().join(", ")
}

fn shown(path: &Path) -> String {
    legible::line(&path.to_string_lossy())
}

/// A connection to the agent. The stream does not block.
pub(super) struct Client {
    pub(super) stream: UnixStream,
    path: PathBuf,
}

impl Client {
    /// Connects to the first socket where somebody listens.
    pub(super) fn connect() -> Result<Self, ClientError> {
        let mut tried = Vec::new();
        for path in Environment::read().sockets() {
            match open(&path) {
                Ok(stream) => return Ok(Self { stream, path }),
                Err(error) => tried.push((path, error)),
            }
        }
        // That nothing is at the fallback's place is no news where the first one is at fault.
        if tried
            .iter()
            .any(|(_, error)| error.kind() != io::ErrorKind::NotFound)
        {
            tried.retain(|(_, error)| error.kind() != io::ErrorKind::NotFound);
        }
        Err(ClientError::NoAgent(tried))
    }

    /// What the agent says first: who it is, and everything that is true now.
    pub(super) fn greeting(&mut self) -> Result<(Hello, Snapshot), ClientError> {
        let deadline = clock::now() + PATIENCE;
        let mut decoder = Decoder::new();
        let (mut hello, mut snapshot, mut fault) = (None, None, None);
        let mut bytes = vec![0; 16 * 1024];
        while hello.is_none() || snapshot.is_none() {
            let count = self.read(&mut bytes, deadline)?;
            decoder.feed(&bytes[..count], |line| match line {
                Ok(line) => match serde_json::from_slice::<FromAgent>(line) {
                    Ok(FromAgent::Hello(said)) if hello.is_none() => hello = Some(said),
                    Ok(FromAgent::Snapshot(said)) if hello.is_some() => {
                        snapshot.get_or_insert(said);
                    }
                    Ok(_) if hello.is_none() => fault = Some("it did not say hello".into()),
                    Ok(_) => {}
                    Err(_) if hello.is_none() => {
                        fault = Some("it does not speak the protocol".into());
                    }
                    Err(error) => {
                        fault = Some(format!(
                            "its snapshot cannot be read (column {})",
                            error.column()
                        ));
                    }
                },
                Err(error) => fault = Some(error.to_string()),
            });
            if let (Some(fault), true) = (&fault, hello.is_none() || snapshot.is_none()) {
                return Err(ClientError::Stranger(self.path.clone(), fault.clone()));
            }
        }
        match (hello, snapshot) {
            (Some(hello), Some(snapshot)) => Ok((hello, *snapshot)),
            _ => Err(ClientError::Closed(self.path.clone())),
        }
    }

    /// Reads what is there, waiting for it until the deadline. Never none: that is an error.
    fn read(&mut self, bytes: &mut [u8], deadline: Moment) -> Result<usize, ClientError> {
        loop {
            let left = deadline - clock::now();
            if left.is_zero() {
                return Err(ClientError::Silent(self.path.clone()));
            }
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut watched = [PollFd::new(self.stream.as_fd(), PollFlags::POLLIN)];
            match poll(&mut watched, timeout) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(ClientError::Read(self.path.clone(), error.into())),
            }
            match self.stream.read(bytes) {
                Ok(0) => return Err(ClientError::Closed(self.path.clone())),
                Ok(count) => return Ok(count),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => return Err(ClientError::Read(self.path.clone(), error)),
            }
        }
    }
}

/// Connects without ever waiting: an agent whose queue is full would let a blocking call hang.
fn open(path: &Path) -> io::Result<UnixStream> {
    let address = UnixAddr::new(path).map_err(|error| {
        if error == Errno::ENAMETOOLONG {
            io::Error::other("the path is longer than 107 bytes")
        } else {
            error.into()
        }
    })?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd: OwnedFd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    let connected = connect(fd.as_raw_fd(), &address);
    if connected == Err(Errno::EAGAIN) {
        return Err(io::Error::other("too many are waiting for it already"));
    }
    if connected == Err(Errno::ECONNREFUSED) {
        return Err(io::Error::other("nobody listens there any more"));
    }
    connected?;
    Ok(UnixStream::from(fd))
}
