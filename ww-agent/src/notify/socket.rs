//! Where notices come to.

use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::sockopt::PassCred;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, bind, setsockopt, socket};

use super::message::{MAX_DATAGRAM, Notice};
use crate::sys::{self, Datagram};

/// So many datagrams are taken at once: a flood must not keep the loop from everything else.
const BATCH: usize = 64;
/// So many batches at most are taken when everything is wanted.
const BATCHES: usize = 16;

/// A socket for datagrams of `sd_notify(3)`.
///
/// It is an abstract one: it needs no directory, so it works with a read-only root and for every
/// user, and it is gone with the agent. Its name has 128 random bits, which keeps it from being
/// taken by somebody else first; it is no secret (`/proc/net/unix`). Where the network name space is
/// shared with another container, that one's processes can reach it; the kernel has no number for them
/// here, and what they send is dropped.
///
/// Descriptors that come along (`BARRIER=1`, `FDSTORE=1`) never enter this process: the kernel closes
/// them when the datagram is taken, which is what `sd_notify_barrier(3)` waits for.
///
/// Use: [`Self::open`]; put [`Self::address`] into the environment of the process that is to send;
/// let the poller wait for it to be readable (level-triggered, as everything there); then
/// [`Self::receive`] once.
#[derive(Debug)]
pub(crate) struct NotifySocket {
    socket: OwnedFd,
    address: String,
    dropped: u64,
}

impl NotifySocket {
    /// A new one, that does not block and is closed on exec.
    ///
    /// # Errors
    /// When the kernel has no descriptor or no random bits to give, or knows no such sockets.
    pub(crate) fn open() -> io::Result<Self> {
        let mut name = String::from("ww-notify/");
        for byte in sys::random()? {
            let _ = write!(name, "{byte:02x}");
        }
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
        setsockopt(&socket, PassCred, &true)?;
        bind(
            socket.as_raw_fd(),
            &UnixAddr::new_abstract(name.as_bytes())?,
        )?;
        Ok(Self {
            socket,
            address: format!("@{name}"),
            dropped: 0,
        })
    }

    /// The value for `NOTIFY_SOCKET`, or whatever the variable is called: `@name`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What has come, in its order: at most 64 datagrams' worth, so that the caller gets on. If there
    /// is more, the poller says so again. Datagrams that say nothing that is understood are left out,
    /// so an answer may be empty while there is more.
    pub(crate) fn receive(&mut self) -> Vec<Notice> {
        let mut all = Vec::new();
        self.take(&mut all);
        all
    }

    /// Everything that has come by now, for when its sender has ended: at most what the kernel keeps
    /// in a queue of the usual size, however fast others go on sending.
    pub(crate) fn receive_all(&mut self) -> Vec<Notice> {
        let mut all = Vec::new();
        for _ in 0..BATCHES {
            if !self.take(&mut all) {
                break;
            }
        }
        all
    }

    /// How many datagrams have been dropped so far: longer than 4096 bytes, or of a sender the kernel
    /// has no number for.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes a batch; answers whether there may be more.
    fn take(&mut self, all: &mut Vec<Notice>) -> bool {
        let mut bytes = [0; MAX_DATAGRAM];
        for _ in 0..BATCH {
            match sys::receive(self.socket.as_fd(), &mut bytes) {
                Ok(Some(datagram)) => match accept(datagram, &bytes) {
                    Some(notice) if notice.is_empty() => {}
                    Some(notice) => all.push(notice),
                    None => self.dropped = self.dropped.saturating_add(1),
                },
                Ok(None) | Err(_) => return false,
            }
        }
        true
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What a datagram says, if it can be used: it is whole, and its sender is of this container.
fn accept(datagram: Datagram, bytes: &[u8]) -> Option<Notice> {
    datagram.pid.filter(|pid| *pid > 0)?;
    let content = bytes.get(..datagram.length)?;
    (!datagram.is_cut).then(|| Notice::parse(content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
    use std::io::IoSlice;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    /// Sends, if there is room, with these descriptors.
    fn send(to: &NotifySocket, content: &[u8], descriptors: &[i32]) -> nix::Result<usize> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let from = socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
        let name = to.address().strip_prefix('@').unwrap();
        let address = UnixAddr::new_abstract(name.as_bytes())?;
        let rights = [ControlMessage::ScmRights(descriptors)];
        let control = if descriptors.is_empty() {
            &[][..]
        } else {
            &rights[..]
        };
        let parts = [IoSlice::new(content)];
        sendmsg(
            from.as_raw_fd(),
            &parts,
            control,
            MsgFlags::empty(),
            Some(&address),
        )
    }

    #[test]
    fn what_says_something_comes_in_its_order() {
        let mut socket = NotifySocket::open().unwrap();
        assert_eq!(socket.receive(), []);
        send(&socket, b"READY=1", &[]).unwrap();
        send(&socket, b"UNKNOWN=1", &[]).unwrap();
        send(&socket, b"", &[]).unwrap();
        send(&socket, b"STATUS=x", &[]).unwrap();
        let received = socket.receive();
        assert_eq!(received.len(), 2);
        assert!(received[0].ready);
        assert_eq!(received[1].status.as_deref(), Some("x"));
        assert_eq!(socket.dropped(), 0);
    }

    #[test]
    fn names_differ_and_nothing_is_inherited_or_waits() {
        let (one, other) = (NotifySocket::open().unwrap(), NotifySocket::open().unwrap());
        assert_ne!(one.address(), other.address());
        assert!(one.address().starts_with("@ww-notify/"));
        let flags = FdFlag::from_bits_retain(fcntl(&one, FcntlArg::F_GETFD).unwrap());
        assert!(flags.contains(FdFlag::FD_CLOEXEC));
        let flags = OFlag::from_bits_retain(fcntl(&one, FcntlArg::F_GETFL).unwrap());
        assert!(flags.contains(OFlag::O_NONBLOCK));
    }

    #[test]
    fn one_that_is_too_long_is_dropped_and_counted() {
        let mut socket = NotifySocket::open().unwrap();
        let mut longest = b"STATUS=y\nX=".to_vec();
        longest.resize(MAX_DATAGRAM, b'x');
        send(&socket, &longest, &[]).unwrap();
        longest.push(b'x');
        send(&socket, &longest, &[]).unwrap();
        send(&socket, &vec![b'x'; 65_536], &[]).unwrap();
        send(&socket, b"STATUS=z", &[]).unwrap();
        let texts: Vec<_> = socket.receive().into_iter().map(|one| one.status).collect();
        assert_eq!(texts, [Some("y".to_owned()), Some("z".to_owned())]);
        assert_eq!(socket.dropped(), 2);
    }

    #[test]
    fn descriptors_that_come_along_are_closed_and_that_is_seen() {
        let mut socket = NotifySocket::open().unwrap();
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let many = vec![writer.as_raw_fd(); 250];
        send(&socket, b"BARRIER=1", &[writer.as_raw_fd()]).unwrap();
        send(&socket, b"FDSTORE=1\nSTATUS=kept", &many).unwrap();
        drop(writer);
        let gone = |reader: &OwnedFd| {
            use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
            let mut watched = [PollFd::new(reader.as_fd(), PollFlags::empty())];
            poll(&mut watched, PollTimeout::ZERO).unwrap() == 1
        };
        assert!(!gone(&reader), "still on their way");
        let received = socket.receive();
        assert_eq!(received.len(), 1, "a barrier says nothing: {received:?}");
        assert_eq!(received[0].status.as_deref(), Some("kept"));
        assert!(gone(&reader), "no copy of it is left, here neither");
    }

    #[test]
    fn a_flood_is_taken_in_parts() {
        const EACH: usize = 5000;
        let mut socket = NotifySocket::open().unwrap();
        let name = socket.address().strip_prefix('@').unwrap().to_owned();
        // The queue is short: only who goes on sending can keep it from being empty.
        let senders: Vec<_> = (0..4)
            .map(|_| {
                let place = SocketAddr::from_abstract_name(&name).unwrap();
                std::thread::spawn(move || {
                    let from = UnixDatagram::unbound().unwrap();
                    for _ in 0..EACH {
                        from.send_to_addr(b"READY=1", &place).unwrap();
                    }
                })
            })
            .collect();
        let (mut all, mut most) = (0, 0);
        while all < 4 * EACH {
            let count = socket.receive().len();
            most = most.max(count);
            all += count;
        }
        assert_eq!(most, BATCH, "of {all}");
        assert_eq!(socket.receive_all(), []);
        for sender in senders {
            sender.join().unwrap();
        }
    }
}
