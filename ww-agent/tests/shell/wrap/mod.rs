//! `ww-agent run -- COMMAND`: an init like tini and dumb-init, for any image.
//!
//! What these check is what the suites of those two check, as far as it makes sense here; where the
//! agent does otherwise on purpose is told in `docs/images.md`.

mod endings;
mod orphans;
mod peers;
mod signals;
mod streams;
mod terminal;

use crate::harness::Image;

/// A command as PID 1's only one, and under an agent that is a process among others.
fn both(command: &[&str]) -> [Image; 2] {
    let first = || Image::foreign().command(command);
    [first(), first().among_others()]
}

/// A shell's program as the command.
fn shell(program: &str) -> [Image; 2] {
    both(&["sh", "-c", program])
}

/// A value of `/proc/PID/stat`, counted from the state's, which is 0.
fn stat(pid: i32, field: usize) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(field).map(str::to_owned)
}

/// Whether a process stands still.
fn is_stopped(pid: i32) -> bool {
    stat(pid, 0).is_some_and(|state| state == "T")
}
