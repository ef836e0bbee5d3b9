//! The command line as its callers see it: help, messages, exit codes. No container is needed.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod engines;
mod help;
mod usage;

use std::io::Read;
use std::process::{Command, Stdio};

/// What a run of the tool left behind.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// The tool, in an environment that does not depend on who runs the tests.
fn tool() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ww-ctl"));
    for variable in [
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
        "DOCKER_TLS_VERIFY",
        "NO_COLOR",
        "COLUMNS",
    ] {
        command.env_remove(variable);
    }
    // Nothing of the tester's own Docker configuration.
    command.env("DOCKER_CONFIG", "/nonexistent");
    command
}

fn run(command: &mut Command) -> Ran {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool starts");
    let (mut stdout, mut stderr) = (String::new(), String::new());
    let mut pipe = child.stderr.take().expect("its stderr");
    let reader = std::thread::spawn(move || {
        pipe.read_to_string(&mut stderr).expect("text");
        stderr
    });
    child
        .stdout
        .take()
        .expect("its stdout")
        .read_to_string(&mut stdout)
        .expect("text");
    Ran {
        code: child.wait().expect("its end").code(),
        stdout,
        stderr: reader.join().expect("its stderr"),
    }
}

fn ctl(arguments: &[&str]) -> Ran {
    run(tool().args(arguments))
}

/// What is said on stderr, with the code first, for snapshots.
fn said(ran: &Ran) -> String {
    assert_eq!(ran.stdout, "", "data where there is none");
    format!("exit {}\n{}", ran.code.expect("no signal"), ran.stderr)
}
