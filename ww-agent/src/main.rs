//! `ww-agent`: PID 1 of a whaleware container, and the small programs that come with it.

use std::ffi::OsString;
use std::process::ExitCode;

mod applets;
mod filter;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the life cycle that uses the rest follows")
)]
mod script;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_default();
    let arguments: Vec<OsString> = arguments.collect();
    applets::dispatch(&program, &arguments).unwrap_or(ExitCode::FAILURE)
}
