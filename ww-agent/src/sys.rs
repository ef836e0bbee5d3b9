//! The few system calls that need `unsafe`, and only those.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc;

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
    command.process_group(0);
    // SAFETY: the closure makes system calls only; it neither allocates nor takes a lock, and
    // touches nothing but the child's own signal state and descriptor flags.
    unsafe {
        command.pre_exec(|| {
            reset_signals();
            close_on_exec();
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

#[expect(unsafe_code, reason = "close_range has no wrapper")]
fn close_on_exec() {
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

/// Gives back the pages of code and constants that were mapped on the way up.
///
/// They stay in the page cache and come back one by one as they are used. Most never are: what
/// reads the configuration runs once, and the interpreter of jq never in PID 1.
#[expect(
    unsafe_code,
    reason = "the linker's symbols, and madvise takes a pointer"
)]
pub(crate) fn give_back_start() {
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
