//! What the lines say, as types.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::lifecycle::{Health, State};

/// A line the agent writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum FromAgent {
    /// Always the first line.
    Hello(Hello),
    /// Everything that is true now; always the second line.
    Snapshot(Box<Snapshot>),
    /// The state changed.
    State(TransitionReport),
    /// A script began or ended.
    Hook(HookRun),
    /// A check changed the health, or confirmed it.
    Health(HealthReport),
    /// A check has ended; what it printed.
    Monitor(MonitorReport),
    /// What the container uses; sent about every two seconds while anyone listens.
    Resources(Resources),
    /// The answer to a request.
    Answer(Answer),
    /// Something an operator should know that is none of the above.
    Note(Note),
    /// A type of line this version does not know.
    #[serde(other)]
    Unknown,
}

/// Who is speaking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol's version, [`super::VERSION`].
    pub protocol: u32,
    /// The agent's version.
    pub agent: String,
    /// Names this run of the agent; another one after every start of the container.
    pub boot: String,
    /// The container's host name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hostname: String,
}

/// Everything that is true now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When this was written, by the container's clock.
    pub at: Timestamp,
    /// When this boot began.
    pub booted: Timestamp,
    /// The state.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// How long ago that was, in milliseconds, by the monotonic clock; does not suffer from a
    /// clock that was set meanwhile.
    pub since_ms: u64,
    /// Why.
    pub cause: String,
    /// What the checks say.
    pub health: HealthReport,
    /// What the last check printed; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<MonitorReport>,
    /// Restarts of this boot.
    pub restarts: Restarts,
    /// The script that runs now, the check apart; none when none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<HookRun>,
    /// How long a stop may take.
    pub stop: StopBudget,
    /// The transitions of this boot, oldest first. The first ones are kept, the middle goes first.
    #[serde(default)]
    pub transitions: Vec<TransitionReport>,
    /// The scripts of this boot that have ended, oldest first, checks apart.
    #[serde(default)]
    pub hooks: Vec<HookRun>,
    /// How many entries of the two lists before were left out to keep the line short.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: u32,
    /// What the container uses; none before the first sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// What the agent cannot do here and why, such as a read-only root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub degraded: Vec<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A change of state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransitionReport {
    /// Counts up from 1 within a boot.
    pub number: u64,
    /// When, by the container's clock.
    pub at: Timestamp,
    /// The state before; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<State>,
    /// The state now.
    pub state: State,
    /// Why: "monitor exited 1", "SIGHUP", "operator alice@ops1".
    pub cause: String,
    /// How long the state before lasted, in milliseconds.
    pub lasted_ms: u64,
    /// Restarts of this boot so far, this one included.
    #[serde(default)]
    pub restarts: u32,
}

/// How a run of a script stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookResult {
    /// It runs.
    Running,
    /// It exited 0.
    Ok,
    /// It failed, and that was not accepted.
    Failed,
    /// It failed, and its policy says to go on.
    Tolerated,
    /// It was ended because a stop or a restart came first.
    Cut,
    /// There is no such script.
    Missing,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// One run of a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookRun {
    /// Names the run within this boot.
    pub run: u64,
    /// The script.
    pub hook: String,
    /// The state it runs in.
    pub state: State,
    /// When it began.
    pub at: Timestamp,
    /// How it stands.
    pub result: HookResult,
    /// How long it took, or has taken so far, in milliseconds.
    pub duration_ms: u64,
    /// Its exit status as a shell would report it; none while it runs or when it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// What went wrong, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Health as a word.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// No check has ended since the services were started.
    #[default]
    Unknown,
    /// The last check passed.
    Passing,
    /// The last checks failed.
    Failing,
}

/// What the checks say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HealthReport {
    /// Health as a word.
    pub status: HealthStatus,
    /// How many checks in a row have failed.
    #[serde(default)]
    pub failures: u32,
    /// When the last check ended; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// How the last check failed, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl HealthReport {
    /// The machine's health as the wire has it.
    #[must_use]
    pub const fn new(health: Health, at: Option<Timestamp>, detail: Option<String>) -> Self {
        let (status, failures) = match health {
            Health::Unknown => (HealthStatus::Unknown, 0),
            Health::Passing => (HealthStatus::Passing, 0),
            Health::Failing(failures) => (HealthStatus::Failing, failures),
        };
        Self {
            status,
            failures,
            at,
            detail,
        }
    }

    /// The wire's health as the machine has it.
    #[must_use]
    pub const fn health(&self) -> Health {
        match self.status {
            HealthStatus::Unknown => Health::Unknown,
            HealthStatus::Passing => Health::Passing,
            HealthStatus::Failing => Health::Failing(self.failures),
        }
    }
}

/// What a check printed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MonitorReport {
    /// When the check ended.
    pub at: Timestamp,
    /// Its exit status as a shell would report it.
    pub exit: i32,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The JSON it printed; none when it printed something else or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// What it printed when that was not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether it printed more than is shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// Restarts of this boot.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Restarts {
    /// All of them.
    pub total: u32,
    /// Those nobody asked for, since the container was last healthy for long.
    pub in_a_row: u32,
    /// So many in a row lead to ERROR; 0 means no limit.
    pub max: u32,
    /// When the last one began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// How long a stop may take, stage by stage.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StopBudget {
    /// `ww.drain`, in milliseconds.
    pub drain_ms: u64,
    /// The cap on `svcdown`, in milliseconds; none when there is no cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub svcdown_ms: Option<u64>,
    /// `ww.stop.grace`, in milliseconds.
    pub grace_ms: u64,
}

/// What the container uses, from its own cgroup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// When the sample was taken.
    pub at: Timestamp,
    /// CPU time since the container started, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_usec: Option<u64>,
    /// CPU use since the sample before, in percent of one CPU; none for the first sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    /// Memory in use without the page cache, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// The limit on memory, in bytes; none when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit: Option<u64>,
    /// Processes and threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pids: Option<u64>,
    /// Processes the kernel killed for want of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oom_kills: Option<u64>,
}

/// Something an operator should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

/// Names a request; the answer carries it back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RequestId {
    /// A number.
    Number(u64),
    /// A text; at most 64 bytes are accepted.
    Text(String),
}

/// A line a client writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the client; the answer carries it.
    pub id: RequestId,
    /// Who asks, for the cause: `alice@ops1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What is asked.
    #[serde(flatten)]
    pub kind: RequestKind,
}

/// What can be asked of the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum RequestKind {
    /// Stop and start the services. Answered when accepted, not when done.
    Restart,
    /// Stop in order and leave. Answered when accepted.
    Stop,
    /// Run the monitor now. Answered with its report when it has ended.
    Check,
    /// A signal is about to come through the Engine; `by` is who it is from. Answered at once.
    ///
    /// Docker remembers a stop only when it went through Docker, so `ww-ctl` cannot simply use
    /// `stop`; this is how the cause gets a name all the same. It holds for one signal within ten
    /// seconds.
    Announce {
        /// The signal, `HUP` or `TERM`.
        signal: String,
    },
    /// A value of the configuration.
    Cfg {
        /// A jq filter; `.` when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filter: Option<String>,
        /// Answer with a list of every value and the layer it came from instead.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        origin: bool,
    },
    /// A type of request this version does not know; answered with the error `unknown`.
    #[serde(other)]
    Unknown,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The request's.
    pub id: RequestId,
    /// Whether it was, or is being, done.
    pub ok: bool,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<WireError>,
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireError {
    /// One of `forbidden`, `malformed`, `unknown`, `refused`, `filter`, `toolarge`.
    pub code: String,
    /// The same in words.
    pub message: String,
}
