//! The lines on the agent's socket: one JSON object each, UTF-8, at most [`MAX_LINE`] bytes.
//!
//! The agent writes [`FromAgent`], a client writes [`Request`]. Versions mix: unknown fields are
//! ignored and unknown types read as [`FromAgent::Unknown`]. `docs/protocol.md` has an example of
//! each line, which the tests hold against these types.

mod backup;
mod evidence;
mod frame;
mod message;

pub use backup::{
    BackupMode, BackupPlan, BackupStep, HookAnswer, LEASE_DEFAULT_S, LEASE_MOST_S, PackLine,
    QuiesceStage, Quiesced, ScriptPlan,
};
pub use evidence::{
    Evidence, EvidenceAnswer, HistoryAnswer, HistoryEntry, HistoryEvent, Pressure, ProcessReport,
};
pub use frame::{Decoder, FrameError, encode};
pub use message::{
    Answer, FromAgent, HealthReport, HealthStatus, Hello, HookResult, HookRun, MonitorReport, Note,
    PreviousBoot, Request, RequestId, RequestKind, Resources, Restarts, ServiceReport,
    ServiceStatus, Snapshot, StopBudget, StopStage, Stopping, TransitionReport, WireError,
};

/// The version of the protocol, told in `hello` and in the image's label.
///
/// It grows only when an older peer could misunderstand; additions do not change it.
pub const VERSION: u32 = 1;

/// The longest line either side may send, its newline included.
pub const MAX_LINE: usize = 64 * 1024;

/// The most a monitor's JSON may take on the wire, in bytes; beyond it, it is shown as cut text.
pub const MAX_MONITOR: usize = 16 * 1024;

/// The most the evidence of one restart may take on the wire, in bytes; the answer around it has to fit
/// into a line too.
pub const MAX_EVIDENCE: usize = 48 * 1024;

/// How deep a JSON value on the wire may be nested. Readers stop somewhere beyond a hundred, the
/// message around it included; a line one of them cannot read would look like no agent at all.
pub const MAX_DEPTH: usize = 64;

/// Whether a value is nested no deeper than [`MAX_DEPTH`].
#[must_use]
pub fn is_shallow(value: &serde_json::Value) -> bool {
    fn within(value: &serde_json::Value, left: usize) -> bool {
        match value {
            serde_json::Value::Array(list) => {
                left > 0 && list.iter().all(|one| within(one, left - 1))
            }
            serde_json::Value::Object(object) => {
                left > 0 && object.values().all(|one| within(one, left - 1))
            }
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_) => true,
        }
    }
    within(value, MAX_DEPTH)
}

/// The most characters of any one text the agent passes on (a cause, a detail, a status).
pub const MAX_TEXT: usize = 512;
