//! What the machine wants done.

use std::time::Duration;

use super::event::{Cause, Outcome, RunId};
use super::services::ServiceView;
use super::state::{Health, Hook, State};

/// A change of state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// Counts up from 1 within a boot.
    pub number: u64,
    /// The state before; none for the first.
    pub from: Option<State>,
    /// The state now.
    pub state: State,
    /// Why.
    pub cause: Cause,
    /// How long the state before lasted.
    pub lasted: Duration,
}

/// What the machine wants done. Effects are performed in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Tell the world: history, socket, log, `lifecycle` script. Answered by `Announced`.
    Announce(Transition),
    /// Run a script. Answered by `Ended`, at once when there is none.
    Run(RunId, Hook),
    /// Run a service; its directory entry's name. Answered by `Began`
    /// when it runs, and by `Ended`; by that alone when it cannot be run.
    RunService(RunId, String),
    /// Ask the process group of a run to end (TERM). Answered by `Ended` when it does.
    Terminate(RunId),
    /// End the process group of a run (KILL). Answered by `Ended`.
    Kill(RunId),
    /// Say `GroupEmpty` as soon as no process of this run's group is left.
    WatchGroup(RunId),
    /// A service stands differently now.
    Service(ServiceView),
    /// A stop has come to this stage, which takes so long at most; none when there is no cap.
    Stage(StopStage, Option<Duration>),
    /// Write `/data/whaleup` so that it lasts. Answered by `Marked`.
    Mark,
    /// TERM to every process left. `AllGone` is wanted as soon as none is.
    TerminateAll,
    /// KILL to every process left.
    KillAll,
    /// Health has a new value.
    Health(Health),
    /// A script failed and its policy says to go on; or another thing worth a line in the log.
    Tolerated(Hook, Outcome),
    /// What became of the request in this very event; the first effect of its answer.
    Heard(Heard),
    /// The lease of a backup has come so far.
    Lease(Lease),
    /// Leave with this exit code. The machine is done.
    Exit(i32),
}

/// How far the lease has come that keeps the services down for a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lease {
    /// Nothing runs any more.
    Held,
    /// It is over. This comes once for each, whether it was held or not.
    Ended(LeaseEnd),
}

/// Why a lease is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeaseEnd {
    /// Who held it gave it back, or is gone.
    Resumed,
    /// Its time is over.
    Overdue,
    /// The container stops.
    Stopped,
}

/// A stage of a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopStage {
    /// The script in the way is being ended.
    Cutting,
    /// The drain passes.
    Draining,
    /// The services are being ended.
    Services,
    /// `svcdown` runs.
    Svcdown,
    /// Everybody left was asked to end.
    Terminating,
    /// Who did not is killed.
    Killing,
}

/// In these words a check that was asked for is refused where nothing can be checked. Whoever asked
/// knows by them that being UP is all there is to know.
pub const NO_MONITOR: &str = "it has no monitor script";

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It is being done.
    Begun,
    /// What is under way already serves it too.
    Joined,
    /// It will be done when what is under way has ended.
    Queued,
    /// It cannot be done now, and why.
    Refused(&'static str),
}
