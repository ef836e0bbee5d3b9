//! PID 1 of a whaleware container: runs its scripts through the life cycle, watches its health and
//! tells its state on a socket.

mod clock;
mod configuration;
mod durable;
mod environment;
mod hooks;
mod log;
mod monitor;
mod output;
mod pipes;
mod poller;
mod processes;
mod reaper;
mod record;
mod resources;
mod run;
mod runtime;
mod script;
mod server;
mod signals;
mod sys;
mod teller;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let called = arguments.next().unwrap_or_default();
    let name = Path::new(&called)
        .file_name()
        .unwrap_or_default()
        .to_owned();
    let arguments: Vec<OsString> = arguments.collect();
    let (applet, _rest) = match name.to_str() {
        Some("run" | "cfg") => (name, arguments.as_slice()),
        Some(_) | None => match arguments.split_first() {
            Some((first, rest)) => (first.clone(), rest),
            None => (OsString::from("--help"), [].as_slice()),
        },
    };
    match applet.to_str() {
        Some("run") => run::main(),
        Some(_) | None => ExitCode::from(2),
    }
}
