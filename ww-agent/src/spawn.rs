//! Makes processes of the image's scripts, and lets none of PID 1 into them.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::SigSet;
use nix::sys::stat::Mode;
use nix::unistd::{Pid, chdir};

use crate::pipes::Ends;
use crate::sys;

/// Starts the program of `command`, with nothing on its stdin and these on its stdout and stderr, and
/// answers its number. It finds what a program expects to find: its own process group, no signal
/// blocked or ignored, no descriptor but the three. Of `command` only program, arguments and
/// environment count; its directory is the agent's.
///
/// Other than `fork` this copies nothing of the agent, neither for the time until the script's own
/// program is there nor for what the agent writes to meanwhile.
///
/// # Errors
/// Why there is no process, or why the kernel does not take the program.
pub(crate) fn spawn(command: &Command, ends: &Ends) -> nix::Result<i32> {
    let mut actions = PosixSpawnFileActions::init()?;
    actions.add_open(0, c"/dev/null", OFlag::O_RDONLY, Mode::empty())?;
    actions.add_dup2(ends.stdout.as_raw_fd(), 1)?;
    actions.add_dup2(ends.stderr.as_raw_fd(), 2)?;
    sys::close_on_exec();
    start(command, &actions)
}

/// The same in another directory than the agent's own, which is `/`, and with every descriptor that the
/// agent was started with. Those of its own close by themselves.
///
/// # Errors
/// As above, or why that directory cannot be entered.
pub(crate) fn spawn_in(directory: &Path, command: &Command) -> nix::Result<i32> {
    chdir(directory)?;
    let spawned = PosixSpawnFileActions::init().and_then(|actions| start(command, &actions));
    // Where it cannot go back the agent holds a mount, no more.
    let _ = chdir("/");
    spawned
}

fn start(command: &Command, actions: &PosixSpawnFileActions) -> nix::Result<i32> {
    let program = text(command.get_program())?;
    let mut arguments = vec![program.clone()];
    for argument in command.get_args() {
        arguments.push(text(argument)?);
    }
    let environment = environment(command)?;
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_flags(
        PosixSpawnFlags::POSIX_SPAWN_SETPGROUP
            | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK
            | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF,
    )?;
    attributes.set_pgroup(Pid::from_raw(0))?;
    attributes.set_sigmask(&SigSet::empty())?;
    // Of those that are left out glibc makes its own two ignored.
    attributes.set_sigdefault(&sys::every_signal())?;
    let pid = posix_spawnp(&program, actions, &attributes, &arguments, &environment)?;
    Ok(pid.as_raw())
}

/// The agent's own environment, with what the command changes of it.
fn environment(command: &Command) -> nix::Result<Vec<CString>> {
    let mut all: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => all.insert(name.to_owned(), value.to_owned()),
            None => all.remove(name),
        };
    }
    all.into_iter()
        .map(|(mut line, value)| {
            line.push("=");
            line.push(value);
            text(&line)
        })
        .collect()
}

/// As the kernel takes it: without a NUL within.
fn text(text: &OsStr) -> nix::Result<CString> {
    CString::new(text.as_bytes()).map_err(|_| Errno::EINVAL)
}
