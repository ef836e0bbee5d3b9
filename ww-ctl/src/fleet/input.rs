//! What the fleet's model is fed with.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use whaleware::lifecycle::Moment;
use whaleware::protocol::{FromAgent, Resources};

use super::backed::Backed;
use super::container::{EngineState, Route};

/// The name of a host as the operator knows it: `local`, a context's name, an address.
pub(crate) type HostName = Arc<str>;

/// What a container is for good: names are reused, ids are not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ContainerKey {
    /// Its host.
    pub host: HostName,
    /// Its full id.
    pub id: Arc<str>,
}

/// One point in time on both clocks this program has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// For how long things last.
    pub moment: Moment,
    /// For people.
    pub wall: Timestamp,
}

/// A container as an Engine lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its full id.
    pub id: Arc<str>,
    /// Its name, without the slash.
    pub name: String,
    /// Its image as the Engine names it.
    pub image: String,
    /// Whether its image has the label of an agent.
    pub has_agent: bool,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// What the Engine says it does.
    pub engine: EngineState,
    /// When it was created, by the Engine's clock.
    pub created: Option<Timestamp>,
    /// When it was started last, by the Engine's clock; none when it never was or nobody asked.
    pub started: Option<Timestamp>,
    /// When it ended last, by the Engine's clock; none when it runs or nobody asked.
    pub finished: Option<Timestamp>,
    /// What it keeps, and where backups of that are.
    pub keeping: Keeping,
}

/// What a container keeps, by its mounts, and where backups of that are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Keeping {
    /// What is mounted at `/data` and below: directories of its host, names of volumes.
    pub data: Vec<String>,
    /// The directory of its host that is mounted at `/backup`.
    pub vault: Option<String>,
}

/// What an Engine tells of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EngineEvent {
    /// It was made, or something about it must be looked up again.
    Known(Box<Listed>),
    /// Its process was started.
    Started,
    /// Its process has ended.
    Died {
        /// Its exit code.
        code: i64,
        /// Whether the kernel ended it for want of memory.
        out_of_memory: bool,
    },
    /// It was frozen.
    Paused,
    /// It was thawed.
    Unpaused,
    /// It has another name.
    Renamed(String),
    /// It is gone for good.
    Removed,
}

/// What the model is fed with.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    /// Everything a host has; what is not in it is gone.
    Listing {
        /// The host.
        host: HostName,
        /// How far its clock was ahead of this program's when it was asked: what waits to be taken in
        /// must not change it.
        skew: SignedDuration,
        /// All its containers that are in scope.
        containers: Vec<Listed>,
    },
    /// A host tells of a container.
    Engine {
        /// Which one.
        key: ContainerKey,
        /// What.
        event: EngineEvent,
    },
    /// A host does not answer. Its containers stay as they were last seen.
    HostLost {
        /// The host.
        host: HostName,
        /// When it answered last; none when it has not answered this program.
        since: Option<Moment>,
        /// Why, in words.
        reason: String,
    },
    /// Vaults were looked through for backups of containers of a host.
    Backups {
        /// The host.
        host: HostName,
        /// What was found of each, by id. Others stay as they were.
        found: Vec<(Arc<str>, Backed)>,
    },
    /// What a container uses, as its host counts it.
    Used {
        /// The container.
        key: ContainerKey,
        /// The figures; none where nobody counts any more.
        used: Option<Resources>,
    },
    /// An agent is being reached.
    Reaching(ContainerKey),
    /// An agent was reached.
    Reached {
        /// The container.
        key: ContainerKey,
        /// How.
        route: Route,
    },
    /// An agent has written a line.
    Frame {
        /// The container.
        key: ContainerKey,
        /// The line.
        frame: Box<FromAgent>,
    },
    /// The connection to an agent ended, or none could be made.
    AgentLost {
        /// The container.
        key: ContainerKey,
        /// Why, in words.
        reason: String,
    },
}
