//! The applets as programs: arguments in; exit code, stdout and stderr out.

#![expect(clippy::unwrap_used, reason = "a test whose set-up fails has failed")]

mod agent;
mod attach;
mod backup;
mod cfg;
mod check;
mod notify;
mod program;
mod status;

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Nothing here takes long; what does hangs.
const DEADLINE: Duration = Duration::from_secs(20);

/// What a program left behind.
#[derive(Debug)]
struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Outcome {
    #[track_caller]
    fn is(&self, code: i32, stdout: &str) {
        assert_eq!(
            (self.code, self.stdout.as_str()),
            (Some(code), stdout),
            "{}",
            self.stderr
        );
    }

    #[track_caller]
    fn fails(&self, code: i32, stderr: &str) {
        assert_eq!(
            (self.code, self.stdout.as_str(), self.stderr.as_str()),
            (Some(code), "", stderr)
        );
    }
}

/// The binary, sealed off from the environment of whoever runs the tests.
fn ww_agent() -> Command {
    sealed(env!("CARGO_BIN_EXE_ww-agent"))
}

fn sealed(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("WW_ROOT", "/nonexistent/root");
    command
}

fn outcome(command: &mut Command) -> Outcome {
    feed(command, b"")
}

fn feed(command: &mut Command, input: &[u8]) -> Outcome {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let id = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    let (done, waits) = std::sync::mpsc::channel::<()>();
    let guard = std::thread::spawn(move || {
        let late = waits.recv_timeout(DEADLINE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
        if late {
            nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGKILL).unwrap();
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(done);
    guard.join().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Outcome {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// Writes a file below the directory, with its parents and its mode.
fn put(directory: &Path, name: &str, content: impl AsRef<[u8]>, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
}
