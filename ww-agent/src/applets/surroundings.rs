//! What an applet finds around it: environment and time.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use whaleware::{env, paths};

/// The path of the contract below the root that `WW_ROOT` names, if it does.
pub(super) fn below_root(path: &str) -> PathBuf {
    variable(env::WW_ROOT).map_or_else(
        || PathBuf::from(path),
        |root| Path::new(&root).join(path.trim_start_matches('/')),
    )
}

/// Where the agent's socket may be, best first.
pub(super) fn sockets() -> Vec<PathBuf> {
    variable(env::WW_SOCKET).map_or_else(
        || {
            vec![
                below_root(paths::SOCKET),
                below_root(paths::SOCKET_FALLBACK),
            ]
        },
        |path| vec![path.into()],
    )
}

/// The time since some moment in the past, by a clock that nobody sets.
pub(super) fn monotonic() -> Duration {
    // This clock exists on every Linux; were it to fail, waiting would end at its first time-out.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::MAX, Duration::from)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the applets read their environment"
)]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
