//! Signals as something to read, and their names.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::libc::SIGPIPE;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::sys;

/// All signals that can come from outside, delivered through a descriptor.
///
/// What is blocked here never interrupts anything; a signal whose default the kernel withholds
/// from PID 1 is seen all the same.
pub(crate) struct Signals {
    descriptor: SignalFd,
}

/// Faults of the process itself must keep their default action.
const FAULTS: [Signal; 8] = [
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGILL,
    Signal::SIGTRAP,
    Signal::SIGABRT,
    Signal::SIGSYS,
    Signal::SIGPIPE,
];

impl Signals {
    /// Blocks everything that can come from outside. The first thing the agent does.
    pub(crate) fn block() -> nix::Result<Self> {
        let mut mask = SigSet::all();
        for fault in FAULTS {
            mask.remove(fault);
        }
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask), None)?;
        sys::keep_statuses();
        let descriptor =
            SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { descriptor })
    }

    /// Takes in those too that mean a fault of the process itself, to be passed on. A real fault ends
    /// the process all the same: the kernel does not let one be blocked.
    pub(crate) fn take_all(&mut self) -> nix::Result<()> {
        let mask = SigSet::all();
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask), None)?;
        self.descriptor.set_mask(&mask)
    }

    /// The next pending signal's number.
    pub(crate) fn next(&mut self) -> Option<i32> {
        loop {
            match self.descriptor.read_signal() {
                // Writing where nobody reads any more: the agent's own affair.
                Ok(Some(info))
                    if info.ssi_signo.cast_signed() == SIGPIPE
                        && info.ssi_pid == std::process::id() => {}
                Ok(Some(info)) => return i32::try_from(info.ssi_signo).ok(),
                Err(Errno::EINTR) => {}
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// A signal's name, such as `SIGKILL` or `SIGRTMIN+3`.
pub(crate) fn name(number: i32) -> String {
    if let Ok(signal) = Signal::try_from(number) {
        return signal.as_str().to_owned();
    }
    let (first, last) = sys::real_time_signals();
    if (first..=last).contains(&number) {
        format!("SIGRTMIN+{}", number - first)
    } else {
        format!("signal {number}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_name() {
        assert_eq!(name(9), "SIGKILL");
        assert_eq!(name(15), "SIGTERM");
        assert_eq!(name(sys::real_time_signals().0 + 3), "SIGRTMIN+3");
        assert_eq!(name(99), "signal 99");
    }
}
