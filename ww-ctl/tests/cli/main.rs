//! The command line as its callers see it: help, messages, exit codes. No container is needed.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod audit;
mod backups;
mod bad_engines;
#[path = "../../../tests/e2e/commands.rs"]
mod commands;
mod engines;
mod formats;
mod help;
mod man;
#[path = "../../../tests/e2e/shape.rs"]
mod shape;
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
        "DOCKER_TLS",
        "DOCKER_TLS_VERIFY",
        "DOCKER_CERT_PATH",
        "NO_COLOR",
        "COLUMNS",
        "WW_VAULT",
    ] {
        command.env_remove(variable);
    }
    // Nothing is written into the tester's own journal.
    command.env(
        "WW_AUDIT_FILE",
        concat!(env!("CARGO_TARGET_TMPDIR"), "/audit.jsonl"),
    );
    // Nor does it remember anything: there is no place to write to.
    command.env("XDG_STATE_HOME", "/proc/nowhere");
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

/// Every command there is.
fn all() -> Vec<String> {
    commands::all(&|words| {
        let words = [words, &["--help"]].concat();
        ctl(&words).stdout
    })
}

/// What is said on stderr, with the code first, for snapshots.
fn said(ran: &Ran) -> String {
    assert_eq!(ran.stdout, "", "data where there is none");
    format!("exit {}\n{}", ran.code.expect("no signal"), ran.stderr)
}
