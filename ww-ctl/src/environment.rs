//! The one place that reads the environment; the names are those of `whaleware::env`.

use std::path::PathBuf;

use nix::unistd::{Uid, User};
use whaleware::env;

/// Where what root does is written down.
const AUDIT_FILE_OF_ROOT: &str = "/var/log/whaleware/audit.jsonl";

/// A variable's value; none when it is unset, empty or not text.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the seam to the environment"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A variable's value, which may be empty; none when it is unset or not text.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the seam to the environment"
)]
pub(crate) fn exact(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether whoever started this program wants it to ignore a signal.
pub(crate) fn ignores(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| {
        mask.checked_shr(signal.unsigned_abs().saturating_sub(1))
            .unwrap_or(0)
            & 1
            == 1
    })
}

/// Where this program is.
pub(crate) fn own_path() -> std::io::Result<PathBuf> {
    std::env::current_exe()
}

/// The words it was called with, its own name apart.
pub(crate) fn own_words() -> Vec<String> {
    let words = std::env::args_os().skip(1);
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect()
}

/// The directory this program was called in.
pub(crate) fn here() -> std::io::Result<PathBuf> {
    std::env::current_dir()
}

/// The file a user keeps settings in; none where there is no place for it.
pub(crate) fn settings_file() -> Option<PathBuf> {
    let named = variable(env::XDG_CONFIG_HOME).map(PathBuf::from);
    // As the XDG specification wants it: what is not absolute is not there.
    let named = named.filter(|path| path.is_absolute());
    let at_home = || variable(env::HOME).map(|home| PathBuf::from(home).join(".config"));
    let directory = named.or_else(at_home)?;
    Some(directory.join("ww-ctl").join("config.toml"))
}

/// The directory Docker keeps its contexts in.
pub(crate) fn docker_config() -> Option<PathBuf> {
    variable(env::DOCKER_CONFIG)
        .map(PathBuf::from)
        .or_else(|| variable(env::HOME).map(|home| PathBuf::from(home).join(".docker")))
}

/// Where the audit journal is, and who may read it: its path and its mode. None where there is no
/// place for it.
pub(crate) fn audit_file() -> Option<(PathBuf, u32)> {
    if let Some(path) = variable(env::WW_AUDIT_FILE) {
        return Some((PathBuf::from(path), 0o600));
    }
    if Uid::effective().is_root() {
        return Some((PathBuf::from(AUDIT_FILE_OF_ROOT), 0o640));
    }
    state().map(|state| (state.join("audit.jsonl"), 0o600))
}

/// The name of this machine.
pub(crate) fn hostname() -> String {
    nix::unistd::gethostname()
        .map(|host| host.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Where this program keeps what it remembers from one run to the next; none where there is no
/// place for it.
pub(crate) fn state() -> Option<PathBuf> {
    let own = |base: PathBuf| base.join("ww-ctl");
    let named = variable(env::XDG_STATE_HOME).map(PathBuf::from);
    let at_home = || variable(env::HOME).map(|home| PathBuf::from(home).join(".local/state"));
    let systems = || {
        Uid::effective()
            .is_root()
            .then(|| PathBuf::from("/var/lib"))
    };
    let base = named.filter(|path| path.is_absolute());
    base.or_else(at_home).or_else(systems).map(own)
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
    match hostname().as_str() {
        "" => user,
        host => format!("{user}@{host}"),
    }
}
