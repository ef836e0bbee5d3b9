//! What is kept for afterwards: what was seen before a restart, and what has happened.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{MonitorReport, Resources, ServiceReport};
use crate::lifecycle::State;

/// What was seen when the watchdog struck, before anything was stopped. As a whole at most
/// [`super::MAX_EVIDENCE`] bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// When.
    pub at: Timestamp,
    /// The boot it was seen in.
    pub boot: String,
    /// What made the watchdog strike: "monitor exited 1".
    pub cause: String,
    /// The check that failed last, what it printed cut to its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<MonitorReport>,
    /// The processes of the container, a parent before its children.
    #[serde(default)]
    pub processes: Vec<ProcessReport>,
    /// How many processes were left out to keep it short.
    #[serde(default, skip_serializing_if = "super::message::is_zero")]
    pub omitted: u32,
    /// How the services stood.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceReport>,
    /// Memory, CPU, and how many processes the kernel killed for want of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// How much was waited for what is scarce; none where the kernel does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pressure: Option<Pressure>,
    /// The last lines that scripts and services printed, oldest first.
    #[serde(default)]
    pub log: Vec<String>,
}

/// One process as `/proc` told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessReport {
    /// Its number in the container.
    pub pid: i32,
    /// Its parent's; 0 when that is outside of the container.
    pub parent: i32,
    /// Its command line, or its name in brackets where it has none; cut.
    pub command: String,
    /// The kernel's letter for its state: `R` runs, `S` sleeps, `D` waits and cannot be interrupted,
    /// `T` is stopped, `Z` has ended.
    pub state: char,
    /// Its threads.
    pub threads: u32,
    /// Its open descriptors; none where they cannot be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descriptors: Option<u32>,
    /// Its resident memory, in bytes.
    #[serde(default)]
    pub memory_bytes: u64,
    /// The CPU time it has used, in milliseconds.
    #[serde(default)]
    pub cpu_ms: u64,
}

/// Pressure stall information: the share of the last ten seconds, in percent, in which something
/// waited for it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Pressure {
    /// Whether these are the container's own, from its cgroup, or those of the whole machine.
    pub own: bool,
    /// For a CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
    /// For memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<f64>,
    /// For a disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io: Option<f64>,
}

/// The answer to a request for evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvidenceAnswer {
    /// How many reports are kept.
    pub kept: u32,
    /// The one that was asked for; none when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Evidence>,
}

/// What an entry of the history tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HistoryEvent {
    /// The agent began.
    Boot,
    /// The state changed.
    State,
    /// A script failed.
    Hook,
    /// A service ended by itself.
    Service,
    /// The agent left, with this exit code.
    Exit,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// One line of what has happened, this boot or an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When, by the container's clock.
    pub at: Timestamp,
    /// The boot it happened in.
    pub boot: String,
    /// The host name of the container; several may share `/data`, and one that is made anew gets another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// What it tells.
    pub event: HistoryEvent,
    /// The state now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// The script or the service it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Why, or how it ended, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The exit status as a shell would report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// How long the state before lasted, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasted_ms: Option<u64>,
    /// The image's version, when a boot begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The answer to a request for the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryAnswer {
    /// Oldest first; the oldest are left out where a line cannot hold all.
    pub entries: Vec<HistoryEntry>,
}
