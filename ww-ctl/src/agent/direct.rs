//! The short way: the agent's socket, through the container's root as the host sees it.
//!
//! A container decides what lies at a path inside it. It may have planted a link to a socket of the
//! host, or (with the operator's help) have one mounted there. So the path is resolved inside the
//! container's root, and who listens is checked before a single byte is sent.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::stat::{SFlag, fstat};
use whaleware::paths;

use super::ReachError;
use super::process::Process;

/// Connects to the agent of a container, whose first process is `pid` if that is known.
///
/// # Errors
/// [`ReachError::NoWay`] when this host or these rights do not allow it,
/// [`ReachError::NotListening`] when there is no agent yet,
/// [`ReachError::Foreign`] when what listens is not in the container.
pub(super) fn open(id: &str, pid: Option<i32>) -> Result<UnixStream, ReachError> {
    let process = match pid {
        Some(pid) => Process::of(pid, id),
        None => Process::first_of(id),
    }
    .map_err(no_way)?;
    let root = process.root().map_err(no_way)?;
    let mut reason = ReachError::NotListening;
    for path in [paths::SOCKET, paths::SOCKET_FALLBACK] {
        match connect(&root, path) {
            Ok(stream) => {
                check_peer(&stream, &process, id)?;
                stream
                    .set_nonblocking(true)
                    .map_err(|error| ReachError::NoWay(error.to_string()))?;
                return Ok(stream);
            }
            Err(Refusal::Absent) => {}
            Err(Refusal::Odd(words)) => reason = ReachError::Foreign(words),
            Err(Refusal::Denied(errno)) => reason = no_way(errno),
        }
    }
    Err(reason)
}

fn no_way(errno: Errno) -> ReachError {
    ReachError::NoWay(errno.desc().to_owned())
}

enum Refusal {
    /// There is nothing, or nobody listens.
    Absent,
    /// There is something else than a socket.
    Odd(String),
    Denied(Errno),
}

fn connect(root: &OwnedFd, path: &str) -> Result<UnixStream, Refusal> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let socket = openat2(root, path, how).map_err(|errno| {
        if matches!(errno, Errno::ENOENT | Errno::ENOTDIR) {
            Refusal::Absent
        } else if errno == Errno::ELOOP {
            Refusal::Odd(format!("{path} leads nowhere"))
        } else {
            Refusal::Denied(errno)
        }
    })?;
    let kind = fstat(&socket).map_err(Refusal::Denied)?.st_mode & SFlag::S_IFMT.bits();
    if kind != SFlag::S_IFSOCK.bits() {
        return Err(Refusal::Odd(format!("{path} is not a socket")));
    }
    // A held descriptor cannot be exchanged for another file meanwhile, a path can.
    let held = format!("/proc/self/fd/{}", socket.as_raw_fd());
    UnixStream::connect(held).map_err(|error| {
        let kind = error.kind();
        if matches!(
            kind,
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
        ) {
            Refusal::Absent
        } else if kind == io::ErrorKind::PermissionDenied {
            Refusal::Denied(Errno::EACCES)
        } else {
            Refusal::Odd(format!("cannot connect to {path}: {error}"))
        }
    })
}

/// Whoever listens must be in the container itself.
fn check_peer(stream: &UnixStream, process: &Process, id: &str) -> Result<(), ReachError> {
    let peer = getsockopt(stream, PeerCredentials)
        .map_err(|errno| ReachError::Foreign(errno.desc().to_owned()))?;
    if process.shares_container_with(peer.pid(), id) {
        Ok(())
    } else {
        Err(ReachError::Foreign(
            "a process outside the container listens there; nothing was sent to it".into(),
        ))
    }
}
