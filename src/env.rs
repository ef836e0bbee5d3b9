//! Every environment variable whaleware reads or sets, in one place.

/// Configuration as JSON text; the last layer.
pub const CFG: &str = "CFG";
/// restic's own: where its repository is.
pub const RESTIC_REPOSITORY: &str = "RESTIC_REPOSITORY";
/// restic's own: a file with the password of its repository.
pub const RESTIC_PASSWORD_FILE: &str = "RESTIC_PASSWORD_FILE";
/// Path of a file with configuration; the layer between the defaults and [`CFG`].
pub const CFG_FILE: &str = "CFG_FILE";
/// Overrides the path of the agent's socket.
pub const WW_SOCKET: &str = "WW_SOCKET";
/// `text` (default) or `json`: how the agent logs to stderr.
pub const WW_LOG_FORMAT: &str = "WW_LOG_FORMAT";
/// Set for every script: the life cycle state it runs in.
pub const WW_STATE: &str = "WW_STATE";
/// Set for every script: where `ww-agent notify` sends what it is to tell, `@` and an abstract name.
///
/// Not [`NOTIFY_SOCKET`]: what a script starts would take that for its own.
pub const WW_NOTIFY_SOCKET: &str = "WW_NOTIFY_SOCKET";
/// systemd's own (`sd_notify(3)`): where a service says that it is ready; a path, or `@` and an
/// abstract name.
pub const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";
/// How often a service is to give a sign of life, in microseconds; `sd_watchdog_enabled(3)`.
pub const WATCHDOG_USEC: &str = "WATCHDOG_USEC";
/// The process that is to give it. Never set here: whoever speaks on the service's socket may.
pub const WATCHDOG_PID: &str = "WATCHDOG_PID";
/// The name of the service a process belongs to.
pub const WW_SERVICE: &str = "WW_SERVICE";
/// The image's version, where `ww.version` does not tell it.
pub const WW_VERSION: &str = "WW_VERSION";
/// Set for `upgrade`: the version that last brought `/data` up to date; empty when not known.
pub const WW_FROM_VERSION: &str = "WW_FROM_VERSION";
/// Set for `firstboot` and `upgrade`: this image's version; empty when not told.
pub const WW_TO_VERSION: &str = "WW_TO_VERSION";
/// Set for `firstboot` and `upgrade` when their last run did not end well: `interrupted`, `failed` or
/// `cut`.
pub const WW_PREVIOUS_ATTEMPT: &str = "WW_PREVIOUS_ATTEMPT";
/// Set together with [`WW_PREVIOUS_ATTEMPT`]: the version of the image that run was of.
pub const WW_PREVIOUS_ATTEMPT_VERSION: &str = "WW_PREVIOUS_ATTEMPT_VERSION";
/// Set together with [`WW_PREVIOUS_ATTEMPT`]: when that run began.
pub const WW_PREVIOUS_ATTEMPT_AT: &str = "WW_PREVIOUS_ATTEMPT_AT";
/// Set for `backup` and `restore`: the directory to write to, or to read from.
pub const WW_BACKUP_DIR: &str = "WW_BACKUP_DIR";
/// Overrides the root below which the agent looks for `/ww` and `/data`; for tests and `check`.
pub const WW_ROOT: &str = "WW_ROOT";
/// For tests of builds with debug assertions: the state in which the agent meets a fault; `top` meets
/// one at the key F12 when it is `top`, and in a task of its own at F11.
pub const WW_TEST_FAULT: &str = "WW_TEST_FAULT";
/// Where programs are looked for by their name.
pub const PATH: &str = "PATH";
/// Docker's own: which Engine to talk to.
pub const DOCKER_HOST: &str = "DOCKER_HOST";
/// Docker's own: which context to use.
pub const DOCKER_CONTEXT: &str = "DOCKER_CONTEXT";
/// Docker's own: the directory with contexts and certificates.
pub const DOCKER_CONFIG: &str = "DOCKER_CONFIG";
/// Docker's own: TLS is asked for when it is set and not empty.
pub const DOCKER_TLS_VERIFY: &str = "DOCKER_TLS_VERIFY";
/// Docker's own: TLS without a look at the other side's certificate, when it is set and not empty.
pub const DOCKER_TLS: &str = "DOCKER_TLS";
/// Docker's own: the directory with `ca.pem`, `cert.pem` and `key.pem`.
pub const DOCKER_CERT_PATH: &str = "DOCKER_CERT_PATH";
/// Where a user's programs keep sockets while they run.
pub const XDG_RUNTIME_DIR: &str = "XDG_RUNTIME_DIR";
/// The operator's home directory, below which Docker keeps its configuration.
pub const HOME: &str = "HOME";
/// Below it programs keep what their users have chosen (XDG's base directories).
pub const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
/// Below it programs keep what they know between two calls (XDG's base directories).
pub const XDG_STATE_HOME: &str = "XDG_STATE_HOME";
/// Where `ww-ctl` writes down who did what, instead of its usual place.
pub const WW_AUDIT_FILE: &str = "WW_AUDIT_FILE";
/// Where `ww-ctl data` keeps data on the host, instead of its usual place.
pub const WW_DATA_ROOT: &str = "WW_DATA_ROOT";
/// Where `ww-ctl` keeps backups, where nothing else says.
pub const WW_VAULT: &str = "WW_VAULT";
/// Who called `sudo`, to name the operator by.
pub const SUDO_USER: &str = "SUDO_USER";
/// The shell's own: how many columns wide text is to be where there is no terminal.
pub const COLUMNS: &str = "COLUMNS";
/// No colour when set and not empty (<https://no-color.org>).
pub const NO_COLOR: &str = "NO_COLOR";
/// The locale, for everything; decides before the other two whether the terminal takes UTF-8.
pub const LC_ALL: &str = "LC_ALL";
/// The locale, for characters.
pub const LC_CTYPE: &str = "LC_CTYPE";
/// The locale, where the other two are not set.
pub const LANG: &str = "LANG";
/// Set by the scripts of `ww-ctl completions`: the shell that asks what a word could become.
pub const WW_COMPLETE: &str = "WW_COMPLETE";
/// Where `ww-ctl` finds the agent's binary, before the places it knows.
pub const WW_AGENT_BINARY: &str = "WW_AGENT_BINARY";
/// Where `ww-ctl` finds a statically linked busybox for its demonstration images.
pub const WW_BUSYBOX: &str = "WW_BUSYBOX";
