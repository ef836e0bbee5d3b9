//! `ww-agent notify`: a script says how far it is, a service that it is ready.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::SendTimeout;
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, connect, sendmsg,
    setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::pipe2;
use whaleware::env;

use super::usage::{Argument, Usage, read};
use super::{FAILED, help, legible, terminal};
use crate::clock;
use crate::environment;

/// So long the other side may take to make room for what is said, and to take it in, each.
const PATIENCE: Duration = Duration::from_secs(1);
const FLAGS: [&str; 7] = [
    "--status",
    "--progress",
    "--ready",
    "--stopping",
    "--watchdog",
    "--extend",
    "--help",
];

pub(super) fn main(usage: Usage, arguments: &[OsString]) -> u8 {
    let said = match parse(usage, arguments) {
        Ok(said) => said,
        Err(code) => return code,
    };
    let Some(address) = environment::notify_socket() else {
        let why = format!(
            "nobody to tell: neither {} nor {} is set; it is for the scripts that the agent runs, and \
             what they start",
            env::WW_NOTIFY_SOCKET,
            env::NOTIFY_SOCKET
        );
        return usage.failed(&why, FAILED);
    };
    match tell(&address, &said) {
        Ok(()) => 0,
        Err(why) => {
            let place = legible::line(&address.to_string_lossy());
            usage.failed(&format!("cannot tell {place}: {why}"), FAILED)
        }
    }
}

/// What is to be said, as lines of `NAME=VALUE`; or the exit code when there is nothing to say.
fn parse(usage: Usage, arguments: &[OsString]) -> Result<String, u8> {
    let mut said = String::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let (flag, value) = match read(std::slice::from_ref(argument)).next() {
            Some(Argument::Flag(flag, value)) => (flag, value),
            Some(Argument::Word(word)) => return Err(usage.too_many(word)),
            None => continue,
        };
        let mut follows = |what| {
            let next = value.map(OsStr::new).or_else(|| {
                let next = arguments.next()?;
                Some(next.as_os_str())
            });
            next.map(OsStr::to_string_lossy)
                .ok_or_else(|| usage.wrong(&format!("`{flag}` needs {what} after it")))
        };
        let line = match (flag, value) {
            ("-h" | "--help", None) => return Err(terminal::print(help::NOTIFY)),
            ("--status", _) => format!("STATUS={}", one_line(&follows("a text")?)),
            ("--progress", _) => {
                let percent = follows("a number")?;
                let progress = progress(&percent).ok_or_else(|| {
                    let percent = legible::line(&percent);
                    let text = "is a whole number from 0 to 100";
                    usage.wrong(&format!("`--progress` {text}, not `{percent}`"))
                })?;
                format!("X_WW_PROGRESS={progress}")
            }
            ("--extend", _) => {
                let text = follows("a duration")?;
                let extend = extend(&text).ok_or_else(|| {
                    let text = legible::line(&text);
                    let such = "is a duration such as 30s or 2m";
                    usage.wrong(&format!("`--extend` {such}, not `{text}`"))
                })?;
                format!("EXTEND_TIMEOUT_USEC={extend}")
            }
            ("--ready", None) => "READY=1".into(),
            ("--stopping", None) => "STOPPING=1".into(),
            ("--watchdog", None) => "WATCHDOG=1".into(),
            (flag @ ("--ready" | "--stopping" | "--watchdog"), Some(_)) => {
                return Err(usage.wrong(&format!("`{flag}` takes no value")));
            }
            (flag, _) => return Err(usage.unknown_flag(flag, &FLAGS)),
        };
        let _ = writeln!(said, "{line}");
    }
    if said.is_empty() {
        return Err(usage.wrong("nothing to say: give `--status TEXT`, `--progress N` or another"));
    }
    Ok(said)
}

/// On one line: what follows a line's end would be read as something else that is said.
fn one_line(text: &str) -> String {
    let spaced = text
        .trim()
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    // Far more than the agent keeps, and far less than a datagram.
    spaced.take(600).collect()
}

/// `40`, or `40%`.
fn progress(text: &str) -> Option<u8> {
    let digits = text.strip_suffix('%').unwrap_or(text);
    let percent: u8 = digits.parse().ok()?;
    (percent <= 100 && !digits.starts_with('+')).then_some(percent)
}

/// In microseconds.
fn extend(text: &str) -> Option<u64> {
    let signed: jiff::SignedDuration = text.trim().parse().ok()?;
    let duration = Duration::try_from(signed).ok()?;
    u64::try_from(duration.as_micros()).ok()
}

/// Says it, and waits until it was taken in: who ends too early is nobody any more.
fn tell(address: &OsStr, said: &str) -> io::Result<()> {
    let socket = open(address)?;
    send(&socket, said.as_bytes(), None)?;
    // The other side lets go of a descriptor when it has taken in everything before it.
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    send(&socket, b"BARRIER=1", Some(&writer))?;
    drop(writer);
    let deadline = clock::now() + PATIENCE;
    loop {
        let left = PollTimeout::try_from(deadline - clock::now()).unwrap_or(PollTimeout::ZERO);
        let mut watched = [PollFd::new(reader.as_fd(), PollFlags::empty())];
        match poll(&mut watched, left) {
            // It was sent: that it is taken in late is no reason for a script to fail.
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn open(address: &OsStr) -> io::Result<OwnedFd> {
    let place = match address.as_bytes().strip_prefix(b"@") {
        Some(name) => UnixAddr::new_abstract(name),
        None => UnixAddr::new(address),
    };
    let place = place.map_err(|error| {
        if error == Errno::ENAMETOOLONG {
            io::Error::other("the address is longer than 107 bytes")
        } else {
            error.into()
        }
    })?;
    let socket = socket(
        AddressFamily::Unix,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    let patience = TimeVal::milliseconds(i64::try_from(PATIENCE.as_millis()).unwrap_or(1000));
    setsockopt(&socket, SendTimeout, &patience)?;
    let connected = connect(socket.as_raw_fd(), &place);
    if connected == Err(Errno::ECONNREFUSED) {
        return Err(io::Error::other("nobody listens there any more"));
    }
    connected?;
    Ok(socket)
}

fn send(socket: &OwnedFd, datagram: &[u8], along: Option<&OwnedFd>) -> io::Result<()> {
    let descriptors: Vec<_> = along.iter().map(|one| one.as_raw_fd()).collect();
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let control = if descriptors.is_empty() {
        &[][..]
    } else {
        &rights[..]
    };
    let parts = [IoSlice::new(datagram)];
    loop {
        let flags = MsgFlags::MSG_NOSIGNAL;
        match sendmsg::<()>(socket.as_raw_fd(), &parts, control, flags, None) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                return Err(io::Error::other(
                    "it has had no time to listen for a second",
                ));
            }
            Err(error) => return Err(error.into()),
        }
    }
}
