//! `ww-agent health`: the image's HEALTHCHECK.

use std::ffi::OsString;

use whaleware::lifecycle::{Health, State};
use whaleware::protocol::Snapshot;

use super::client::Client;
use super::usage::{Argument, Usage, read};
use super::{FAILED, help, legible, terminal};

pub(super) fn main(usage: Usage, arguments: &[OsString]) -> u8 {
    match read(arguments).next() {
        None => {}
        Some(Argument::Flag("-h" | "--help", None)) => return terminal::print(help::HEALTH),
        Some(Argument::Flag(flag, _)) => return usage.unknown_flag(flag, &["--help"]),
        Some(Argument::Word(word)) => return usage.too_many(word),
    }
    let greeting = Client::connect().and_then(|mut client| client.greeting());
    // Docker keeps what a health check prints, from stdout and stderr alike, with the container.
    let (code, said) = match greeting {
        Ok((_, snapshot)) => judge(&snapshot),
        Err(error) => (FAILED, error.to_string()),
    };
    let printed = terminal::print(&format!("{said}\n"));
    code.max(printed)
}

/// Whether all is well, and one short line about it.
fn judge(snapshot: &Snapshot) -> (u8, String) {
    let health = snapshot.health.health();
    match (snapshot.state, health) {
        (State::Up, Health::Passing | Health::Unknown) => (0, format!("UP, health {health}")),
        (State::Up, Health::Failing(_)) => {
            let why = snapshot
                .health
                .detail
                .as_deref()
                .unwrap_or("no reason given");
            (
                FAILED,
                format!("UP, health {health}: {}", legible::line(why)),
            )
        }
        (
            state @ (State::Dockerup
            | State::Boot
            | State::Firstboot
            | State::Upgrading
            | State::Warmup
            | State::Restarting
            | State::Stopped
            | State::Error
            | State::Dockerdown),
            _,
        ) => {
            let cause = legible::line(&snapshot.cause);
            let since = legible::duration(snapshot.since_ms);
            (FAILED, format!("{state} for {since}: {cause}"))
        }
    }
}
