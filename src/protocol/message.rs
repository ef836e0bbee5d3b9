//! What the lines say, as types.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BackupStep, Quiesced};
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
    /// A script began, told how far it is, or ended.
    Hook(HookRun),
    /// A service began, became ready, said something, or ended.
    Service(ServiceReport),
    /// A stop has come to its next stage.
    Stopping(Stopping),
    /// Services go down for a backup, are down, or are let up again.
    Quiesced(Quiesced),
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
    /// Where a stop is; none while none is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping: Option<Stopping>,
    /// Services are kept down for a backup; none while none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiesced: Option<Quiesced>,
    /// The services of `/ww/usr/svc.d`, in the order they are started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceReport>,
    /// The image's version, `ww.version`; none where it is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How the boot before this one ended; none where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousBoot>,
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

/// An agent that does not tell knows no services.
#[expect(clippy::unnecessary_wraps, reason = "the type of the field")]
const fn no_services() -> Option<u64> {
    Some(0)
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
pub(super) const fn is_zero(number: &u32) -> bool {
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
    /// What the script last said it is doing, through `ww-agent notify --status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// How far it last said it is, in percent, through `ww-agent notify --progress`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u8>,
}

/// How a service stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceStatus {
    /// Not wanted: before its start, and after its stop.
    Down,
    /// It runs and has not said yet that it is ready.
    Starting,
    /// It runs, and is ready where it was asked to say so.
    Up,
    /// It ended by itself and is started again after a pause.
    Waiting,
    /// It was told to end.
    Stopping,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// One service of `/ww/usr/svc.d`, or the command of `ww-agent run -- CMD`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceReport {
    /// The file's name.
    pub service: String,
    /// How it stands.
    pub status: ServiceStatus,
    /// Since when.
    pub since: Timestamp,
    /// Its process, by the container's numbers; none while none runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// How often it was started again since the container's start, restarts of all services apart.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub restarts: u32,
    /// How it last ended, as a shell would report it; none before it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// How it last ended, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What it last said of itself (`STATUS=`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// How far it last said it is, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u8>,
}

/// A stage of a stop, in their order. Stages with nothing to do are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StopStage {
    /// The script in the way is being ended.
    Cutting,
    /// `ww.drain` passes.
    Draining,
    /// The services of `svc.d` are being ended, the last one first.
    Services,
    /// `svcdown` runs.
    Svcdown,
    /// Every process left was asked to end.
    Terminating,
    /// Those that did not are killed.
    Killing,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// Where a stop is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopping {
    /// The stage that has begun.
    pub stage: StopStage,
    /// When it began.
    pub at: Timestamp,
    /// How long it may take at most, in milliseconds; none when it has no cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_ms: Option<u64>,
}

/// How a boot before this one ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousBoot {
    /// Its id.
    pub boot: String,
    /// When the last thing was written of it.
    pub at: Timestamp,
    /// The last state it told.
    pub state: State,
    /// Why it was in that state.
    pub cause: String,
    /// The exit code it left with; none when it was not given the time to, as by KILL or by a fault of
    /// the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
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
    /// How many checks in a row have failed, or how often in a row a service has, whichever is more.
    #[serde(default)]
    pub failures: u32,
    /// When the last check ended; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Which services are not well and how they failed, and how the last check failed, in words.
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
    /// The cap on `svcdown`, in milliseconds, without the grace and the wait for KILL that follow it;
    /// none when there is no cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub svcdown_ms: Option<u64>,
    /// How long the services of `svc.d` take in all at most, with what follows when their time is over,
    /// in milliseconds; none when one has no cap.
    #[serde(default = "no_services")]
    pub services_ms: Option<u64>,
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
    /// What was seen before a restart by the watchdog. Answered with `{"kept": N, "report": {…}}`.
    Evidence {
        /// Which of those that are kept, the newest (0) when left out.
        #[serde(default, skip_serializing_if = "is_zero")]
        index: u32,
    },
    /// The transitions and ends of this boot and those before it, as far as they are kept. Answered
    /// with `{"entries": [{…}]}`, oldest first.
    History,
    /// A step of a backup. Who may ask, and when what is answered, is said with each.
    Backup(BackupStep),
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
    /// One of `forbidden`, `malformed`, `unknown`, `refused`, `busy`, `lapsed`, `cut`, `filter`, `toolarge`.
    pub code: String,
    /// The same in words.
    pub message: String,
}
