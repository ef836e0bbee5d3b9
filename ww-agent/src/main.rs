//! PID 1 of a whaleware container: runs its scripts through the life cycle, watches its health and
//! tells its state on a socket. The same binary is the small programs that come with it (`cfg`,
//! `status`, …): [`applets`].

mod applets;
mod blackbox;
mod clock;
mod configuration;
mod durable;
mod environment;
mod epitaph;
mod evidence;
mod filter;
mod filters;
mod hooks;
mod journal;
mod log;
mod monitor;
mod notify;
mod output;
mod pipes;
mod poller;
mod pressure;
mod processes;
mod reaper;
mod record;
mod resources;
mod run;
mod runtime;
mod script;
mod server;
mod services;
mod shelf;
mod signals;
mod spawn;
mod sys;
mod tail;
mod teller;

use std::ffi::OsString;
use std::process::ExitCode;

use applets::Wanted;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_default();
    let arguments: Vec<OsString> = arguments.collect();
    match applets::dispatch(&program, &arguments) {
        Wanted::Done(code) => code,
        Wanted::LifeCycle(command) => run::main(command),
    }
}
