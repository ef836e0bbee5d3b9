//! Every path of the contract, in one place.

/// Directory of the image author's scripts.
pub const SCRIPTS: &str = "/ww/usr";
/// The image's foreground services, each a file.
pub const SERVICES: &str = "/ww/usr/svc.d";
/// The entry point of an image: the agent, or a link to it.
pub const RUN: &str = "/ww/run";
/// The agent under the name that prints configuration values.
pub const CFG: &str = "/ww/cfg";
/// The agent by its own name.
pub const AGENT: &str = "/ww/bin/ww-agent";
/// The image author's own files.
pub const FILES: &str = "/ww/files";
/// Default configuration, shipped by the image.
pub const DEFAULTS: &str = "/ww/etc/defaults.json";
/// `CFG` as it was given, written at boot.
pub const SOURCE_CFG: &str = "/ww/etc/source_cfg.json";
/// The merged configuration, written at boot.
pub const MERGED_CFG: &str = "/ww/etc/cfg.json";
/// All persistent data.
pub const DATA: &str = "/data";
/// Exists once `firstboot` has succeeded on this `/data`.
pub const INITIALISED_MARK: &str = "/data/whaleup";
/// The agent's own files in `/data`: its journal, its history, what it saw before restarts.
pub const OWN_DATA: &str = "/data/.ww";
/// Mount point: what is written here reaches the host.
pub const BACKUP: &str = "/backup";
/// What the name of a directory in [`BACKUP`] begins with that was made for a `backup` script.
pub const HOOK_DIRECTORY: &str = ".ww-hook-";
/// The agent's socket.
pub const SOCKET: &str = "/run/ww/agent.sock";
/// The agent's socket where `/run` cannot be written.
pub const SOCKET_FALLBACK: &str = "/dev/shm/ww/agent.sock";
/// Directory of the merged configuration where `/ww/etc` cannot be written (read-only root).
pub const ETC_FALLBACK: &str = "/dev/shm/ww/etc";
/// Where the cause of an end in error is left for whoever runs the container, if there is such a file.
pub const TERMINATION_LOG: &str = "/dev/termination-log";
/// The image label that marks a whaleware image; its value is the protocol version.
pub const LABEL_AGENT: &str = "io.whaleware.agent";
/// The image label with the image's version, as other tools read it.
pub const LABEL_VERSION: &str = "org.opencontainers.image.version";
/// The label that marks a container which only keeps data; those about it begin with it and a dot.
pub const LABEL_DATA: &str = "io.whaleware.data";
/// Label of a container that is there for the time of a drill: the directory it has its data in.
pub const LABEL_DRILL: &str = "io.whaleware.drill";
/// Where data containers have their data on the host, each a directory.
pub const DATA_ROOT: &str = "/srv/whaleware/data";
