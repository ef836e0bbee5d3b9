//! The lines of a recording as they are written.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use whaleware::lifecycle::Moment;
use whaleware::protocol::{FromAgent, Resources};

use crate::fleet::{
    Backed, ContainerKey, EngineEvent, EngineState, Input, Keeping, Listed, Route, Stamp,
};

/// What the first line begins with, so that nothing else is taken for a recording.
pub(super) const KIND: &str = "recording";

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// Always [`KIND`].
    pub whaleware: String,
    /// The version of the format.
    pub version: u32,
    /// The version of the program that wrote it.
    #[serde(default)]
    pub program: String,
    /// The hosts that were watched.
    pub hosts: Vec<String>,
    /// When it was begun.
    pub at: At,
}

/// A time on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct At {
    /// Nanoseconds on a clock that never goes back.
    nanos: u64,
    /// For people.
    time: Timestamp,
}

/// Each other line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Line {
    pub at: At,
    pub told: Told,
}

/// When a line was written, whatever it tells.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Timed {
    pub at: At,
}

/// Something that was told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    Listing {
        host: String,
        /// What its clock showed at the time of the line.
        clock: Timestamp,
        containers: Vec<Seen>,
    },
    Engine {
        host: String,
        id: String,
        event: Happened,
    },
    HostLost {
        host: String,
        since: Option<u64>,
        reason: String,
    },
    Backups {
        host: String,
        found: Vec<(String, Backed)>,
    },
    Used {
        host: String,
        id: String,
        used: Option<Resources>,
    },
    Reaching {
        host: String,
        id: String,
    },
    Reached {
        host: String,
        id: String,
        route: Route,
    },
    Frame {
        host: String,
        id: String,
        frame: Box<FromAgent>,
    },
    AgentLost {
        host: String,
        id: String,
        reason: String,
    },
}

/// A container as an Engine listed it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Seen {
    id: String,
    name: String,
    image: String,
    has_agent: bool,
    labels: Vec<(String, String)>,
    engine: EngineState,
    created: Option<Timestamp>,
    started: Option<Timestamp>,
    finished: Option<Timestamp>,
    keeping: Keeping,
}

/// What an Engine told of a container.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Happened {
    Known(Box<Seen>),
    Started,
    Died { code: i64, out_of_memory: bool },
    Paused,
    Unpaused,
    Renamed(String),
    Removed,
}

impl From<Stamp> for At {
    fn from(stamp: Stamp) -> Self {
        Self {
            nanos: nanos(stamp.moment),
            time: stamp.wall,
        }
    }
}

impl From<At> for Stamp {
    fn from(at: At) -> Self {
        Self {
            moment: moment(at.nanos),
            wall: at.time,
        }
    }
}

fn nanos(moment: Moment) -> u64 {
    u64::try_from((moment - Moment::default()).as_nanos()).unwrap_or(u64::MAX)
}

fn moment(nanos: u64) -> Moment {
    Moment::at(Duration::from_nanos(nanos))
}

fn key(host: String, id: String) -> ContainerKey {
    ContainerKey {
        host: Arc::from(host),
        id: Arc::from(id),
    }
}

fn parts(key: &ContainerKey) -> (String, String) {
    (key.host.to_string(), key.id.to_string())
}

impl Line {
    /// What was heard at a time.
    pub(super) fn new(at: Stamp, input: Input) -> Self {
        Self {
            at: at.into(),
            told: Told::new(at.wall, input),
        }
    }

    /// What was heard, and when.
    pub(super) fn heard(self) -> (Stamp, Input) {
        let at = Stamp::from(self.at);
        (at, self.told.input(at.wall))
    }
}

impl Told {
    fn new(at: Timestamp, input: Input) -> Self {
        match input {
            Input::Listing {
                host,
                skew,
                containers,
            } => Self::Listing {
                host: host.to_string(),
                clock: at.saturating_add(skew).unwrap_or(at),
                containers: containers.into_iter().map(Seen::from).collect(),
            },
            Input::Engine { key, event } => {
                let (host, id) = parts(&key);
                let event = event.into();
                Self::Engine { host, id, event }
            }
            Input::HostLost {
                host,
                since,
                reason,
            } => Self::HostLost {
                host: host.to_string(),
                since: since.map(nanos),
                reason,
            },
            Input::Backups { host, found } => Self::Backups {
                host: host.to_string(),
                found: found
                    .into_iter()
                    .map(|(id, backed)| (id.to_string(), backed))
                    .collect(),
            },
            Input::Used { key, used } => {
                let (host, id) = parts(&key);
                Self::Used { host, id, used }
            }
            Input::Reaching(key) => {
                let (host, id) = parts(&key);
                Self::Reaching { host, id }
            }
            Input::Reached { key, route } => {
                let (host, id) = parts(&key);
                Self::Reached { host, id, route }
            }
            Input::Frame { key, frame } => {
                let (host, id) = parts(&key);
                Self::Frame { host, id, frame }
            }
            Input::AgentLost { key, reason } => {
                let (host, id) = parts(&key);
                Self::AgentLost { host, id, reason }
            }
        }
    }

    fn input(self, at: Timestamp) -> Input {
        match self {
            Self::Listing {
                host,
                clock,
                containers,
            } => Input::Listing {
                host: Arc::from(host),
                skew: clock.duration_since(at),
                containers: containers.into_iter().map(Listed::from).collect(),
            },
            Self::Engine { host, id, event } => Input::Engine {
                key: key(host, id),
                event: event.into(),
            },
            Self::HostLost {
                host,
                since,
                reason,
            } => Input::HostLost {
                host: Arc::from(host),
                since: since.map(moment),
                reason,
            },
            Self::Backups { host, found } => Input::Backups {
                host: Arc::from(host),
                found: found
                    .into_iter()
                    .map(|(id, backed)| (Arc::from(id), backed))
                    .collect(),
            },
            Self::Used { host, id, used } => Input::Used {
                key: key(host, id),
                used,
            },
            Self::Reaching { host, id } => Input::Reaching(key(host, id)),
            Self::Reached { host, id, route } => Input::Reached {
                key: key(host, id),
                route,
            },
            Self::Frame { host, id, frame } => Input::Frame {
                key: key(host, id),
                frame,
            },
            Self::AgentLost { host, id, reason } => Input::AgentLost {
                key: key(host, id),
                reason,
            },
        }
    }
}

impl From<Listed> for Seen {
    fn from(listed: Listed) -> Self {
        let Listed {
            id,
            name,
            image,
            has_agent,
            labels,
            engine,
            created,
            started,
            finished,
            keeping,
        } = listed;
        Self {
            id: id.to_string(),
            name,
            image,
            has_agent,
            labels,
            engine,
            created,
            started,
            finished,
            keeping,
        }
    }
}

impl From<Seen> for Listed {
    fn from(seen: Seen) -> Self {
        let Seen {
            id,
            name,
            image,
            has_agent,
            labels,
            engine,
            created,
            started,
            finished,
            keeping,
        } = seen;
        Self {
            id: Arc::from(id),
            name,
            image,
            has_agent,
            labels,
            engine,
            created,
            started,
            finished,
            keeping,
        }
    }
}

impl From<EngineEvent> for Happened {
    fn from(event: EngineEvent) -> Self {
        match event {
            EngineEvent::Known(listed) => Self::Known(Box::new((*listed).into())),
            EngineEvent::Started => Self::Started,
            EngineEvent::Died {
                code,
                out_of_memory,
            } => Self::Died {
                code,
                out_of_memory,
            },
            EngineEvent::Paused => Self::Paused,
            EngineEvent::Unpaused => Self::Unpaused,
            EngineEvent::Renamed(name) => Self::Renamed(name),
            EngineEvent::Removed => Self::Removed,
        }
    }
}

impl From<Happened> for EngineEvent {
    fn from(happened: Happened) -> Self {
        match happened {
            Happened::Known(seen) => Self::Known(Box::new((*seen).into())),
            Happened::Started => Self::Started,
            Happened::Died {
                code,
                out_of_memory,
            } => Self::Died {
                code,
                out_of_memory,
            },
            Happened::Paused => Self::Paused,
            Happened::Unpaused => Self::Unpaused,
            Happened::Renamed(name) => Self::Renamed(name),
            Happened::Removed => Self::Removed,
        }
    }
}
