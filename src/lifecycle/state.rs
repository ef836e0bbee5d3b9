//! The words of the life cycle: states, health, hooks.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a container is in its life. The names on the wire are those of the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// The container runs, its agent does not answer yet. Told from the host side.
    Dockerup,
    /// The `boot` script runs.
    Boot,
    /// The `firstboot` script runs.
    Firstboot,
    /// The `upgrade` script runs.
    Upgrading,
    /// `svcup` and `warmup` run.
    Warmup,
    /// Ready to serve.
    Up,
    /// Services are being stopped and started again.
    Restarting,
    /// The container is stopping in order.
    Stopped,
    /// The life cycle cannot go on; the container is ending.
    Error,
    /// The container has exited. Told from the host side.
    Dockerdown,
}

impl State {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 10] = [
        Self::Dockerup,
        Self::Boot,
        Self::Firstboot,
        Self::Upgrading,
        Self::Warmup,
        Self::Up,
        Self::Restarting,
        Self::Stopped,
        Self::Error,
        Self::Dockerdown,
    ];

    /// The name on the wire and in the argument of the `lifecycle` script.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dockerup => "DOCKERUP",
            Self::Boot => "BOOT",
            Self::Firstboot => "FIRSTBOOT",
            Self::Upgrading => "UPGRADING",
            Self::Warmup => "WARMUP",
            Self::Up => "UP",
            Self::Restarting => "RESTARTING",
            Self::Stopped => "STOPPED",
            Self::Error => "ERROR",
            Self::Dockerdown => "DOCKERDOWN",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A word that is not the name of a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a state; the states are DOCKERUP BOOT FIRSTBOOT UPGRADING WARMUP UP RESTARTING \
     STOPPED ERROR DOCKERDOWN"
)]
pub struct UnknownState(String);

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(word: &str) -> Result<Self, UnknownState> {
        Self::ALL
            .into_iter()
            .find(|state| state.name().eq_ignore_ascii_case(word))
            .ok_or_else(|| UnknownState(word.chars().take(40).collect()))
    }
}

/// What the checks say: a second axis, apart from the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Health {
    /// No check has ended since the services were started.
    #[default]
    Unknown,
    /// The last check passed.
    Passing,
    /// The last checks failed, this many in a row.
    Failing(u32),
}

impl fmt::Display for Health {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => formatter.pad("unknown"),
            Self::Passing => formatter.pad("passing"),
            Self::Failing(failures) => formatter.pad(&format!("failing({failures})")),
        }
    }
}

/// A script of `/ww/usr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hook {
    /// Every boot: everything but `/data`.
    Boot,
    /// Once for each `/data`.
    Firstboot,
    /// Every boot: brings `/data` to this version.
    Upgrade,
    /// Starts the services.
    Svcup,
    /// Warms the services up.
    Warmup,
    /// Prints health as JSON; a non-zero exit asks for a restart.
    Monitor,
    /// Stops the services.
    Svcdown,
    /// Tells the world a state.
    Lifecycle,
    /// Sends the monitor's JSON on.
    Pushstats,
    /// Writes what is to be backed up into a directory.
    Backup,
    /// Takes it back from there.
    Restore,
}

impl Hook {
    /// Every hook.
    pub const ALL: [Self; 11] = [
        Self::Boot,
        Self::Firstboot,
        Self::Upgrade,
        Self::Svcup,
        Self::Warmup,
        Self::Monitor,
        Self::Svcdown,
        Self::Lifecycle,
        Self::Pushstats,
        Self::Backup,
        Self::Restore,
    ];

    /// The file's name below `/ww/usr`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Firstboot => "firstboot",
            Self::Upgrade => "upgrade",
            Self::Svcup => "svcup",
            Self::Warmup => "warmup",
            Self::Monitor => "monitor",
            Self::Svcdown => "svcdown",
            Self::Lifecycle => "lifecycle",
            Self::Pushstats => "pushstats",
            Self::Backup => "backup",
            Self::Restore => "restore",
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Hook {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|hook| hook.name() == word)
            .ok_or(())
    }
}
