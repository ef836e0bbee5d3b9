//! The agent's environment variables, read once and in one place.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use whaleware::config::is_version;
use whaleware::{env, paths};

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What the environment says.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    /// Below it lie `/ww`, `/data` and `/run`; `/` but in tests.
    pub(crate) root: PathBuf,
    /// `CFG`, as it is.
    pub(crate) cfg: Option<OsString>,
    /// `CFG_FILE`; not below the root, it names a file of the container.
    pub(crate) cfg_file: Option<PathBuf>,
    /// `WW_SOCKET`.
    pub(crate) socket: Option<PathBuf>,
    /// `WW_LOG_FORMAT`.
    pub(crate) log_format: LogFormat,
    /// `WW_TEST_FAULT`: the state in which the agent meets a fault. Only in builds with debug
    /// assertions; what is shipped does not look.
    #[cfg(debug_assertions)]
    pub(crate) test_fault: Option<OsString>,
    /// `WW_VERSION`, where it can be a version.
    pub(crate) version: Option<String>,
    /// `WW_VERSION` is set to what cannot be one.
    pub(crate) has_bad_version: bool,
}

impl Environment {
    /// Reads it.
    pub(crate) fn read() -> Self {
        let told = variable(env::WW_VERSION);
        let is_told = told.is_some();
        let version = told
            .and_then(|version| version.into_string().ok())
            .filter(|version| is_version(version));
        Self {
            root: variable(env::WW_ROOT).map_or_else(|| PathBuf::from("/"), PathBuf::from),
            cfg: variable(env::CFG),
            cfg_file: variable(env::CFG_FILE).map(PathBuf::from),
            socket: variable(env::WW_SOCKET).map(PathBuf::from),
            log_format: match variable(env::WW_LOG_FORMAT) {
                Some(word) if word == "json" => LogFormat::Json,
                Some(_) | None => LogFormat::Text,
            },
            #[cfg(debug_assertions)]
            test_fault: variable(env::WW_TEST_FAULT),
            has_bad_version: is_told && version.is_none(),
            version,
        }
    }

    /// A path of the contract below the root.
    pub(crate) fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// Where the agent's socket may be, the wanted place first.
    pub(crate) fn sockets(&self) -> Vec<PathBuf> {
        match &self.socket {
            Some(path) => vec![path.clone()],
            None => vec![self.path(paths::SOCKET), self.path(paths::SOCKET_FALLBACK)],
        }
    }

    /// Where the configuration is written when `/ww/etc` cannot be. By the container's name, because
    /// `/dev/shm` may be shared with another container; looked for first, because an image may have
    /// a file of an earlier container in `/ww/etc`.
    pub(crate) fn etc_fallback(&self) -> PathBuf {
        let name = nix::unistd::gethostname().unwrap_or_default();
        let name = name.to_string_lossy().replace(['/', '.'], "_");
        self.path(paths::ETC_FALLBACK).join(format!("host-{name}"))
    }

    /// A service's file.
    pub(crate) fn service(&self, name: &str) -> PathBuf {
        self.path(paths::SERVICES).join(Path::new(name))
    }

    /// A hook's file.
    pub(crate) fn script(&self, name: &str) -> PathBuf {
        self.path(paths::SCRIPTS).join(Path::new(name))
    }
}

/// Where programs are looked for by their name; the C library's own answer where nothing is said.
pub(crate) fn search_path() -> String {
    variable(env::PATH).map_or_else(
        || "/bin:/usr/bin".to_owned(),
        |path| path.to_string_lossy().into_owned(),
    )
}

/// Where a process says how it stands: `WW_NOTIFY_SOCKET`, else `NOTIFY_SOCKET`.
pub(crate) fn notify_socket() -> Option<OsString> {
    variable(env::WW_NOTIFY_SOCKET).or_else(|| variable(env::NOTIFY_SOCKET))
}

/// A variable that is set to nothing counts as not set.
#[expect(clippy::disallowed_methods, reason = "the seam itself")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
