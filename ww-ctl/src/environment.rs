//! The one place that reads the environment; the names are those of `whaleware::env`.

use std::path::PathBuf;

use nix::unistd::{Uid, User};
use whaleware::env;

/// A variable's value; none when it is unset, empty or not text.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the seam to the environment"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The directory Docker keeps its contexts in.
pub(crate) fn docker_config() -> Option<PathBuf> {
    variable(env::DOCKER_CONFIG)
        .map(PathBuf::from)
        .or_else(|| variable(env::HOME).map(|home| PathBuf::from(home).join(".docker")))
}

/// Who acts, for the cause an agent records: `alice@ops1`.
pub(crate) fn operator() -> String {
    let user = variable(env::SUDO_USER)
        .or_else(|| {
            User::from_uid(Uid::current())
                .ok()
                .flatten()
                .map(|user| user.name)
        })
        .unwrap_or_else(|| format!("uid {}", Uid::current()));
    match nix::unistd::gethostname() {
        Ok(host) => format!("{user}@{}", host.to_string_lossy()),
        Err(_) => user,
    }
}
