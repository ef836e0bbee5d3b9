//! `ww-agent version`.

use std::ffi::OsString;

use whaleware::protocol;

use super::usage::{Argument, Usage, read};
use super::{help, terminal};

/// The agent's version.
const AGENT: &str = env!("CARGO_PKG_VERSION");

pub(super) fn main(usage: Usage, arguments: &[OsString]) -> u8 {
    match read(arguments).next() {
        None => terminal::print(&format!(
            "ww-agent {AGENT} (protocol {})\n",
            protocol::VERSION
        )),
        Some(Argument::Flag("-h" | "--help", None)) => terminal::print(help::VERSION),
        Some(Argument::Flag(flag, _)) => usage.unknown_flag(flag, &["--help"]),
        Some(Argument::Word(word)) => usage.too_many(word),
    }
}
