//! The one place where an applet writes to stdout and stderr.

use std::io::{self, Write};

use super::FAILED;

/// Prints and answers with the exit code: 0, or 1 where stdout cannot be written.
///
/// A reader that has gone away has seen what it wanted.
pub(super) fn print(text: &str) -> u8 {
    match settle(write(text.as_bytes())) {
        Ok(()) => 0,
        Err(error) => {
            complain(&format!("ww-agent: cannot write to stdout: {error}\n"));
            FAILED
        }
    }
}

/// Writes to stdout through a buffer of its own, so that a long answer is few calls.
pub(super) fn stdout() -> impl Write {
    io::BufWriter::with_capacity(16 * 1024, io::stdout().lock())
}

/// A broken pipe is not an error.
pub(super) fn settle(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes to stderr. Where even that fails there is nobody left to tell.
pub(super) fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}
