//! Opens the socket's file: safely, and over what an earlier boot left behind.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket};
use nix::unistd::geteuid;

/// The longest path the kernel takes for a socket.
const LONGEST: usize = 107;

/// Listens at `path`. In a directory of the agent's own nobody else may look; in one that was
/// chosen by the operator his own permissions hold.
pub(super) fn listen(path: &Path, own_directory: bool) -> io::Result<UnixListener> {
    let length = path.as_os_str().as_bytes().len();
    if length > LONGEST {
        return Err(io::Error::other(format!(
            "the path has {length} bytes, a socket's path has {LONGEST} at most; set WW_SOCKET to a shorter one"
        )));
    }
    let directory = path.parent().unwrap_or(Path::new("/"));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    if own_directory {
        claim(directory)?;
    }
    clear(path)?;
    let listener = UnixListener::bind(path)?;
    // Who can come to it may read; who may ask is decided by his credentials.
    fs::set_permissions(path, Permissions::from_mode(0o666))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Makes sure that a directory is the agent's own and that others keep out.
fn claim(directory: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(directory)?;
    if !metadata.is_dir() {
        return Err(io::Error::other("its directory is a link or a file"));
    }
    let own = geteuid().as_raw();
    if metadata.uid() != own && metadata.uid() != 0 {
        return Err(io::Error::other("its directory belongs to somebody else"));
    }
    if metadata.uid() == own && metadata.mode() & 0o077 != 0 {
        fs::set_permissions(directory, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Removes a socket nobody listens on any more.
fn clear(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::other("there is something else in its place"));
    }
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let probe = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    match connect(
        std::os::fd::AsRawFd::as_raw_fd(&probe),
        &UnixAddr::new(path)?,
    ) {
        Err(Errno::ECONNREFUSED) => fs::remove_file(path),
        Ok(()) | Err(Errno::EAGAIN) => Err(io::Error::other("another agent listens there")),
        Err(error) => Err(error.into()),
    }
}

/// The process that listens at a socket, if there is one and it is of this container: of another
/// one's, which a shared `/dev/shm` may show, the kernel gives no number.
pub(crate) fn who_listens(path: &Path) -> Option<i32> {
    let stream = UnixStream::connect(path).ok()?;
    let peer = getsockopt(&stream, PeerCredentials).ok()?;
    (peer.pid() > 0).then(|| peer.pid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let tree = tempfile::tempdir().unwrap();
        let path = tree.path().join("ww/agent.sock");
        drop(listen(&path, true).unwrap());
        assert!(path.exists());
        let live = listen(&path, true).unwrap();
        let error = listen(&path, true).unwrap_err();
        assert!(error.to_string().contains("another agent"), "{error}");
        drop(live);
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert_eq!(mode(&path), 0o666);
    }

    #[test]
    fn what_is_not_a_socket_is_left_alone() {
        let tree = tempfile::tempdir().unwrap();
        let path = tree.path().join("ww/agent.sock");
        fs::create_dir(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(listen(&path, true).is_err());
        let long = tree.path().join("x".repeat(120));
        let error = listen(&long, false).unwrap_err();
        assert!(error.to_string().contains("107"), "{error}");
    }
}
