//! The few system calls that need `unsafe`, and only those.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc;
use nix::sys::signal::SigSet;

/// How a process ended, as the kernel tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It exited with this status.
    Exited(i32),
    /// It was ended by this signal.
    Signalled(i32),
}

/// What one look for ended children found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaped {
    /// This one ended.
    Child(i32, Ending),
    /// There are children, none of which has ended.
    NoneEnded,
    /// There are no children.
    NoChildren,
}

/// Takes the status of one ended child, whichever it is, without waiting.
///
/// nix's own wrapper loses the status of a child that was ended by a real-time signal.
#[expect(unsafe_code, reason = "waitpid writes through a pointer")]
pub(crate) fn reap_one() -> Reaped {
    loop {
        let mut status = 0;
        // SAFETY: `status` is a valid place for an int during the call.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        return match pid {
            0 => Reaped::NoneEnded,
            pid if pid > 0 && libc::WIFEXITED(status) => {
                Reaped::Child(pid, Ending::Exited(libc::WEXITSTATUS(status)))
            }
            pid if pid > 0 => Reaped::Child(pid, Ending::Signalled(libc::WTERMSIG(status))),
            _ if nix::errno::Errno::last() == nix::errno::Errno::EINTR => continue,
            _ => Reaped::NoChildren,
        };
    }
}

/// Gives the command's process what a program expects to find: its own process group, no signal
/// blocked or ignored, and no descriptor but the three it is handed.
#[expect(unsafe_code, reason = "code between fork and exec")]
pub(crate) fn isolate(command: &mut Command) {
    lead(command);
    // SAFETY: the closure makes system calls only; it neither allocates nor takes a lock, and
    // touches nothing but the child's own descriptor flags.
    unsafe {
        command.pre_exec(|| {
            close_on_exec();
            Ok(())
        });
    }
}

/// Gives the command's process its own process group, and no signal blocked or ignored. It keeps the
/// descriptors that the agent was started with: those of the agent's own close by themselves.
#[expect(unsafe_code, reason = "code between fork and exec")]
pub(crate) fn lead(command: &mut Command) {
    command.process_group(0);
    // SAFETY: the closure makes system calls only; it neither allocates nor takes a lock, and
    // touches nothing but the child's own signal state.
    unsafe {
        command.pre_exec(|| {
            reset_signals();
            Ok(())
        });
    }
}

#[expect(unsafe_code, reason = "rt_sigaction and sigprocmask take pointers")]
fn reset_signals() {
    /// The size of the kernel's own signal set, in bytes.
    const SET: usize = 8;
    // The kernel's `struct sigaction`, all zero (default action, no flags, empty mask), with room.
    let default = [0_u64; 8];
    // A disposition of "ignore" is inherited through exec; the runtime of Rust ignores SIGPIPE, and
    // glibc's posix_spawn its own two signals, which its `signal` then refuses to change.
    for number in 1..=64 {
        // SAFETY: `default` is larger than what the kernel reads; no handler is installed, and
        // numbers that cannot be changed are refused with an error.
        unsafe {
            let none = std::ptr::null_mut::<libc::c_void>();
            libc::syscall(
                libc::SYS_rt_sigaction,
                number,
                &raw const default,
                none,
                SET,
            );
        }
    }
    // SAFETY: the set is initialised by sigemptyset before it is used.
    unsafe {
        let mut empty: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut empty);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const empty, std::ptr::null_mut());
    }
}

/// Makes the process group of the command's process the terminal's foreground one; to be asked for
/// before [`lead`]. Signals are still blocked then, so that the terminal does not stop it for that.
#[expect(unsafe_code, reason = "code between fork and exec")]
pub(crate) fn take_terminal(command: &mut Command) {
    // SAFETY: the closure makes one system call, which takes no pointers but to its own stack.
    unsafe {
        command.pre_exec(|| {
            give_terminal(libc::getpid());
            Ok(())
        });
    }
}

/// Whether stdin is the terminal of this process's session.
#[expect(unsafe_code, reason = "tcgetpgrp by number")]
pub(crate) fn has_terminal() -> bool {
    // SAFETY: takes no pointer.
    unsafe { libc::tcgetpgrp(0) >= 0 }
}

/// Whether stdin is a terminal, and this process in its foreground.
#[expect(unsafe_code, reason = "tcgetpgrp by number")]
pub(crate) fn is_foreground() -> bool {
    // SAFETY: neither takes a pointer.
    unsafe { libc::tcgetpgrp(0) == libc::getpgrp() }
}

/// The process group of this process.
#[expect(unsafe_code, reason = "its wrapper's type is not wanted here")]
pub(crate) fn own_group() -> i32 {
    // SAFETY: takes nothing, cannot fail.
    unsafe { libc::getpgrp() }
}

/// Makes a process group the foreground one of the terminal on stdin; SIGTTOU must be blocked.
#[expect(unsafe_code, reason = "tcsetpgrp by number")]
pub(crate) fn give_terminal(group: i32) {
    // SAFETY: takes no pointers; a descriptor that is no terminal is refused with an error.
    unsafe { libc::tcsetpgrp(0, group) };
}

/// The signal a child has been stopped by, as with ^Z, if it has been since this was last asked.
#[expect(unsafe_code, reason = "waitid writes through a pointer")]
pub(crate) fn stopped_by(pid: i32) -> Option<i32> {
    // SAFETY: all zero is a valid siginfo_t, and it is a valid place to write to during the call; what
    // is read of it is what waitid fills in for a child.
    unsafe {
        let mut found: libc::siginfo_t = std::mem::zeroed();
        let id = libc::id_t::from(pid.cast_unsigned());
        let options = libc::WSTOPPED | libc::WNOHANG;
        let done = libc::waitid(libc::P_PID, id, &raw mut found, options) == 0;
        (done && found.si_pid() == pid).then(|| found.si_status())
    }
}

/// Whether there are children, ended or not.
#[expect(unsafe_code, reason = "waitid writes through a pointer")]
pub(crate) fn has_children() -> bool {
    // SAFETY: as above; WNOWAIT leaves every status where it is.
    unsafe {
        let mut found: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        libc::waitid(libc::P_ALL, 0, &raw mut found, options) == 0
    }
}

/// Stops this process as ^Z does, until somebody continues it. Answers whether it was: the kernel stops
/// neither PID 1 nor one whose session has nobody who could continue it.
#[expect(unsafe_code, reason = "signal sets are written through pointers")]
pub(crate) fn suspend() -> bool {
    // SAFETY: the sets are initialised by sigemptyset before they are used, and outlive the calls.
    unsafe {
        let mut stop: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut stop);
        libc::sigaddset(&raw mut stop, libc::SIGTSTP);
        let none = std::ptr::null_mut();
        libc::raise(libc::SIGTSTP);
        // It is delivered here, with its default action.
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const stop, none);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const stop, none);
        let mut pending: libc::sigset_t = std::mem::zeroed();
        libc::sigpending(&raw mut pending) == 0
            && libc::sigismember(&raw const pending, libc::SIGCONT) == 1
    }
}

/// Every signal there is, those that the C library keeps for itself included.
#[expect(unsafe_code, reason = "no wrapper builds such a set")]
pub(crate) fn every_signal() -> SigSet {
    // SAFETY: a sigset_t is an array of numbers, in which any bits are valid.
    unsafe {
        let mut every = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        every.as_mut_ptr().write_bytes(0xff, 1);
        SigSet::from_sigset_t_unchecked(every.assume_init())
    }
}

/// Lets no descriptor but the first three into what is started from here on.
#[expect(unsafe_code, reason = "close_range has no wrapper")]
pub(crate) fn close_on_exec() {
    const FIRST: libc::c_uint = 3;
    // SAFETY: sets a flag on descriptors of the calling process; takes no pointers.
    let done = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            FIRST,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    if done == 0 {
        return;
    }
    // Kernels before 5.11.
    // SAFETY: sysconf and fcntl with these arguments take no pointers.
    unsafe {
        let most = libc::sysconf(libc::_SC_OPEN_MAX).clamp(256, 65_536);
        for descriptor in 3..RawFd::try_from(most).unwrap_or(65_536) {
            libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
}

/// Makes the kernel keep the status of children that have ended.
///
/// Where SIGCHLD is ignored, and that is inherited through exec, there is none to be had.
#[expect(unsafe_code, reason = "changes what a signal does")]
pub(crate) fn keep_statuses() {
    // SAFETY: the default action is no handler, so there is no code to be run at a bad time.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// The agent's own stdout (1) or stderr (2); they stay open as long as the process lives.
#[expect(unsafe_code, reason = "borrows a descriptor by its number")]
pub(crate) fn standard(descriptor: RawFd) -> io::Result<BorrowedFd<'static>> {
    // SAFETY: fcntl with F_GETFD takes no pointer.
    if unsafe { libc::fcntl(descriptor, libc::F_GETFD) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is open, as just seen, and nothing in this program closes it.
    Ok(unsafe { BorrowedFd::borrow_raw(descriptor) })
}

/// The numbers of the first and the last real-time signal.
pub(crate) fn real_time_signals() -> (i32, i32) {
    (libc::SIGRTMIN(), libc::SIGRTMAX())
}

/// Whether the process group has members, those of other users included.
#[expect(unsafe_code, reason = "kill with signal 0")]
pub(crate) fn group_exists(group: i32) -> bool {
    // SAFETY: kill takes no pointers; signal 0 is not delivered.
    let found = unsafe { libc::kill(-group, 0) } == 0;
    found || nix::errno::Errno::last() == nix::errno::Errno::EPERM
}

/// Sends a signal by its number, also one that has no name; errors (it is gone) mean nothing here.
#[expect(unsafe_code, reason = "kill by number, also for real-time signals")]
pub(crate) fn send(target: i32, signal: i32) {
    // SAFETY: kill takes no pointers.
    unsafe { libc::kill(target, signal) };
}

/// Lets everything else go first, the processor and the disk. Where it is not allowed, it is as it was.
#[expect(unsafe_code, reason = "ioprio_set has no wrapper")]
pub(crate) fn step_back() {
    const LOWEST: libc::c_int = 19;
    /// A process, not a group of them or a user's.
    const PROCESS: libc::c_int = 1;
    /// The last of those that get a turn at all: the class for idle times may never get one.
    const LAST: libc::c_int = (2 << 13) | 7;
    // SAFETY: both take no pointers; 0 is the caller itself.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, LOWEST);
        libc::syscall(libc::SYS_ioprio_set, PROCESS, 0, LAST);
    }
}

/// Gives back the pages of code and constants that are mapped, and of the heap what is free.
///
/// They stay in the page cache and come back one by one as they are used. Most never are: what
/// reads the configuration runs once, and the interpreter of jq never in PID 1.
#[expect(
    unsafe_code,
    reason = "the linker's symbols, and madvise takes a pointer"
)]
pub(crate) fn give_back() {
    unsafe extern "C" {
        static __executable_start: u8;
        static etext: u8;
    }
    const PAGE: usize = 4096;
    let begin = (&raw const __executable_start).addr() / PAGE * PAGE;
    let end = (&raw const etext).addr() / PAGE * PAGE;
    let start = std::ptr::with_exposed_provenance_mut::<libc::c_void>(begin);
    // SAFETY: between the two symbols lie the read-only headers, constants and code of this file's
    // own mapping; dropping such pages loses nothing, they are read from the file again.
    unsafe {
        libc::madvise(start, end.saturating_sub(begin), libc::MADV_DONTNEED);
        // SAFETY: takes no pointer. What looking around has used of the heap goes back, too.
        libc::malloc_trim(0);
    }
}

/// Bits that nobody can guess. Needs no `/dev`.
#[expect(unsafe_code, reason = "getrandom writes through a pointer")]
pub(crate) fn random() -> io::Result<[u8; 16]> {
    let mut bytes = [0_u8; 16];
    // SAFETY: the buffer is valid for its length during the call.
    let count = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if usize::try_from(count).is_ok_and(|count| count == bytes.len()) {
        Ok(bytes)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Reads an extended attribute of what is open there; answers how many bytes of the buffer it fills.
///
/// # Errors
/// `ENODATA` when there is none, `ERANGE` when the buffer, which must not be empty, is too small for it.
#[expect(unsafe_code, reason = "fgetxattr writes through a pointer")]
pub(crate) fn attribute(of: BorrowedFd<'_>, name: &CStr, buffer: &mut [u8]) -> nix::Result<usize> {
    let place = buffer.as_mut_ptr().cast();
    // SAFETY: the name ends with a zero byte, and the buffer is valid for its length during the call.
    let count = unsafe { libc::fgetxattr(of.as_raw_fd(), name.as_ptr(), place, buffer.len()) };
    usize::try_from(count).map_err(|_| nix::errno::Errno::last())
}

/// Sets an extended attribute of what is open there, in one step.
///
/// # Errors
/// When it cannot be set; what was there before is then untouched.
#[expect(unsafe_code, reason = "fsetxattr takes pointers")]
pub(crate) fn set_attribute(of: BorrowedFd<'_>, name: &CStr, value: &[u8]) -> nix::Result<()> {
    let place = value.as_ptr().cast();
    // SAFETY: the name ends with a zero byte, and the value is only read, for its own length.
    let done = unsafe { libc::fsetxattr(of.as_raw_fd(), name.as_ptr(), place, value.len(), 0) };
    nix::errno::Errno::result(done).map(drop)
}

/// Takes an extended attribute away from what is open there.
///
/// # Errors
/// `ENODATA` when there is none; others when it cannot be taken away.
#[expect(unsafe_code, reason = "fremovexattr takes a pointer")]
pub(crate) fn remove_attribute(of: BorrowedFd<'_>, name: &CStr) -> nix::Result<()> {
    // SAFETY: the name ends with a zero byte.
    let done = unsafe { libc::fremovexattr(of.as_raw_fd(), name.as_ptr()) };
    nix::errno::Errno::result(done).map(drop)
}

/// A datagram as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Datagram {
    /// How many bytes of the buffer it fills.
    pub(crate) length: usize,
    /// Whether it was longer than the buffer.
    pub(crate) is_cut: bool,
    /// Who sent it, where the socket asks for credentials; 0 for a process that has no number here.
    pub(crate) pid: Option<i32>,
}

/// Takes the next datagram without waiting; none when there is none.
///
/// There is room for the sender's credentials only, which the kernel writes first: descriptors that
/// come along are closed by the kernel and never get a number here. (nix's own wrapper hands out no
/// credentials when something was left out, and would leak what did fit.)
#[expect(unsafe_code, reason = "recvmsg takes pointers")]
pub(crate) fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> nix::Result<Option<Datagram>> {
    #[repr(C, align(8))]
    struct Control([u8; 64]);
    let mut control = Control([0; 64]);
    // SAFETY: all zero is a valid msghdr; CMSG_SPACE only calculates.
    let (mut header, room): (libc::msghdr, _) =
        unsafe { (std::mem::zeroed(), libc::CMSG_SPACE(CREDENTIALS) as usize) };
    let mut part = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = room.min(control.0.len()) as _;
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    let length = loop {
        // SAFETY: everything the header points to outlives the call, with the lengths it says.
        let count = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags) };
        if let Ok(length) = usize::try_from(count) {
            break length;
        }
        let error = nix::errno::Errno::last();
        if error == nix::errno::Errno::EAGAIN {
            return Ok(None);
        }
        if error != nix::errno::Errno::EINTR {
            return Err(error);
        }
    };
    // SAFETY: the header is as the kernel left it, and `control` still there.
    let pid = unsafe { sender(&header) };
    Ok(Some(Datagram {
        length,
        is_cut: header.msg_flags & libc::MSG_TRUNC != 0,
        pid,
    }))
}

/// The length of what the kernel says of a sender.
#[expect(clippy::cast_possible_truncation, reason = "it is three numbers long")]
const CREDENTIALS: libc::c_uint = size_of::<libc::ucred>() as libc::c_uint;

/// Who sent what was received with this header, if its first control message says so.
///
/// # Safety
/// The header must be as recvmsg left it, and what it points to still there.
#[expect(unsafe_code, reason = "control messages are read through pointers")]
unsafe fn sender(header: &libc::msghdr) -> Option<i32> {
    let mut credentials = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    // SAFETY: CMSG_FIRSTHDR answers null or a whole header within the buffer; data are copied only
    // when the message says that it holds credentials in full, byte by byte as they may lie anywhere.
    unsafe {
        let first = libc::CMSG_FIRSTHDR(header);
        let holds_credentials = !first.is_null()
            && (*first).cmsg_level == libc::SOL_SOCKET
            && (*first).cmsg_type == libc::SCM_CREDENTIALS
            && (*first).cmsg_len as usize >= libc::CMSG_LEN(CREDENTIALS) as usize;
        if !holds_credentials {
            return None;
        }
        std::ptr::copy_nonoverlapping(
            libc::CMSG_DATA(first),
            (&raw mut credentials).cast::<u8>(),
            size_of::<libc::ucred>(),
        );
    }
    Some(credentials.pid)
}
