//! One foreground service: started, watched, started again after a pause, stopped.

use std::fmt;
use std::time::Duration;

use super::{Ids, MAIN_SERVICE};
use crate::lifecycle::backoff::Backoff;
use crate::lifecycle::effect::Effect;
use crate::lifecycle::event::{Outcome, RunId, ServiceNotice};
use crate::lifecycle::machine::{GIVE_UP, Policy};
use crate::lifecycle::moment::Moment;

/// What the operator may decide about one service (`ww.services.NAME`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceRules {
    /// It says itself when it is ready (`READY=1` of `sd_notify`), and is not up before.
    pub notify: bool,
    /// It has failed when it is not ready after so long. It may ask for more.
    pub ready_timeout: Duration,
    /// It is killed when it has not ended so long after it was asked to; it may ask for more. None
    /// means a minute, and for the command of `ww-agent run -- CMD` what `ww.stop.timeout` says.
    pub stop_timeout: Option<Duration>,
    /// It has failed when it has said nothing (`WATCHDOG=1`) for so long.
    pub watchdog: Option<Duration>,
    /// So many restarts in a row are made before all services are restarted; 0 means no limit, none
    /// that it is the limit of the whole (`ww.restart.max`).
    pub restart_max: Option<u32>,
}

impl Default for ServiceRules {
    fn default() -> Self {
        Self {
            notify: false,
            ready_timeout: Duration::from_secs(90),
            stop_timeout: None,
            watchdog: None,
            restart_max: None,
        }
    }
}

/// A service that has failed counts as well again after this time of being up, at the earliest.
const PROOF: Duration = Duration::from_secs(1);

/// A service that does not end by itself must not keep a restart by the watchdog waiting for ever.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// How a service failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It ended.
    Ended(Outcome),
    /// It did not say within this time that it is ready.
    NotReady(Duration),
    /// It said nothing for this time.
    Silent(Duration),
    /// It said itself that it has failed (`WATCHDOG=trigger`).
    Triggered,
    /// It said that it is about to end (`STOPPING=1`) and did not within this time.
    Lingers(Duration),
}

impl Failure {
    /// The exit status as a shell would report it; none when it had to be ended.
    #[must_use]
    pub const fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Ended(outcome) => outcome.exit_code(),
            Self::NotReady(_) | Self::Silent(_) | Self::Triggered | Self::Lingers(_) => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(outcome) => write!(formatter, "{outcome}"),
            Self::NotReady(limit) => write!(formatter, "was not ready after {limit:?}"),
            Self::Silent(limit) => write!(formatter, "gave no sign of life for {limit:?}"),
            Self::Triggered => write!(formatter, "said that it has failed"),
            Self::Lingers(limit) => {
                write!(
                    formatter,
                    "had not ended {limit:?} after saying that it would"
                )
            }
        }
    }
}

/// How a service stands, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServiceStand {
    /// Not wanted.
    Down,
    /// Runs, not ready.
    Starting,
    /// Runs.
    Up,
    /// Is started again after a pause.
    Waiting,
    /// Was told to end, or says that it is about to.
    Stopping,
}

/// How a service stands, to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceView {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub stand: ServiceStand,
    /// The run of it that is under way.
    pub run: Option<RunId>,
    /// How often it was started again.
    pub restarts: u32,
    /// How it last failed or ended.
    pub last: Option<Failure>,
}

/// What an event of one service asks of the whole.
pub(super) enum Step {
    /// The next one may have its turn.
    On,
    /// Its pause is over.
    StartAgain,
    /// It failed once too often.
    Exhausted(Failure),
    /// It was the one the container is there for.
    MainEnded(Outcome),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stand {
    /// Not begun, or over.
    Down,
    /// There is no such program.
    Absent,
    /// It is being started, or has not said yet that it is ready.
    Starting { run: RunId, until: Moment },
    /// It runs. `alive_by` is when it has to give the next sign of life, or to have ended once it says
    /// that it is `leaving`; `proven_at` when one that has failed counts as well again.
    Up {
        run: RunId,
        since: Moment,
        alive_by: Option<Moment>,
        proven_at: Option<Moment>,
        leaving: bool,
    },
    /// It was told to end, for this failure or because a stop came. No `next` means no cap.
    Ending {
        run: RunId,
        failure: Option<Failure>,
        killed: bool,
        next: Option<Moment>,
    },
    /// It has ended, and the others of its process group are to go too.
    Clearing {
        run: RunId,
        killed: bool,
        next: Moment,
    },
    /// It is started again then.
    Waiting { at: Moment },
}

#[derive(Debug, Clone)]
pub(super) struct Service {
    name: String,
    rules: ServiceRules,
    grace: Duration,
    reset: Duration,
    max: u32,
    stop_timeout: Option<Duration>,
    backoff: Backoff,
    /// The pause before its last start.
    pause: Duration,
    /// As long as it has to be up at most before it counts as well again.
    proof: Duration,
    stand: Stand,
    restarts: u32,
    in_a_row: u32,
    /// It has failed, and has not been well since.
    failed: bool,
    last: Option<Failure>,
}

impl Service {
    pub(super) fn new(name: String, policy: &Policy, backoff: Backoff) -> Self {
        let rules = policy.services.get(&name).cloned().unwrap_or_default();
        let stop_timeout = match rules.stop_timeout {
            Some(limit) => Some(limit),
            // What the container is there for may take as long as it needs, as `svcdown` may.
            None if name == MAIN_SERVICE => policy.stop_timeout,
            None => Some(STOP_TIMEOUT),
        };
        Self {
            max: rules.restart_max.unwrap_or(policy.restart_max),
            grace: policy.stop_grace,
            reset: policy.restart_reset,
            name,
            rules,
            stop_timeout,
            backoff,
            pause: Duration::ZERO,
            proof: policy.monitor_interval,
            stand: Stand::Down,
            restarts: 0,
            in_a_row: 0,
            failed: false,
            last: None,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn is_main(&self) -> bool {
        self.name == MAIN_SERVICE
    }

    pub(super) const fn in_a_row(&self) -> u32 {
        self.in_a_row
    }

    /// How long ending it may take at most, if it does not ask for more; none without a cap.
    pub(super) fn stop_budget(&self) -> Option<Duration> {
        let kill = |after: Duration| after.saturating_add(GIVE_UP);
        // One that has failed is being ended already, and gets no more than the grace. What is left
        // of its group gets the grace once more.
        let limit = self.stop_timeout?.max(self.grace);
        Some(kill(limit).saturating_add(kill(self.grace)))
    }

    /// How often in a row it failed, if it has not been well since.
    pub(super) const fn failing(&self) -> u32 {
        if self.failed { self.in_a_row } else { 0 }
    }

    /// How it failed, if it has not been well since.
    pub(super) fn ailment(&self) -> Option<&Failure> {
        self.last.as_ref().filter(|_| self.failed)
    }

    pub(super) const fn run(&self) -> Option<RunId> {
        match self.stand {
            Stand::Starting { run, .. }
            | Stand::Up { run, .. }
            | Stand::Ending { run, .. }
            | Stand::Clearing { run, .. } => Some(run),
            Stand::Down | Stand::Absent | Stand::Waiting { .. } => None,
        }
    }

    pub(super) fn view(&self) -> ServiceView {
        ServiceView {
            name: self.name.clone(),
            stand: match self.stand {
                Stand::Down | Stand::Absent => ServiceStand::Down,
                Stand::Starting { .. } => ServiceStand::Starting,
                Stand::Up { leaving: false, .. } => ServiceStand::Up,
                Stand::Up { leaving: true, .. } | Stand::Ending { .. } | Stand::Clearing { .. } => {
                    ServiceStand::Stopping
                }
                Stand::Waiting { .. } => ServiceStand::Waiting,
            },
            run: self.run(),
            restarts: self.restarts,
            last: self.last.clone(),
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Moment> {
        match self.stand {
            Stand::Down | Stand::Absent => None,
            Stand::Starting { until, .. } => Some(until),
            Stand::Up {
                alive_by,
                proven_at,
                ..
            } => [alive_by, proven_at].into_iter().flatten().min(),
            Stand::Ending { next, .. } => next,
            Stand::Clearing { next, .. } => Some(next),
            Stand::Waiting { at } => Some(at),
        }
    }

    pub(super) const fn is_down(&self) -> bool {
        matches!(self.stand, Stand::Down | Stand::Absent)
    }

    /// Whether the next one may be started.
    pub(super) const fn is_through(&self) -> bool {
        matches!(self.stand, Stand::Up { .. } | Stand::Absent)
    }

    pub(super) const fn is_new(&self) -> bool {
        matches!(self.stand, Stand::Down)
    }

    /// All services are started anew: counts begin again.
    pub(super) fn forgive(&mut self) {
        self.in_a_row = 0;
        self.failed = false;
        self.backoff.reset();
        if self.stand == Stand::Absent {
            self.stand = Stand::Down;
        }
    }

    fn become_(&mut self, stand: Stand, out: &mut Vec<Effect>) {
        // One that is no longer there has nothing to be up for.
        if matches!(
            stand,
            Stand::Absent
                | Stand::Up {
                    proven_at: None,
                    ..
                }
        ) {
            self.failed = false;
        }
        self.stand = stand;
        out.push(Effect::Service(self.view()));
    }

    pub(super) fn start(&mut self, ids: &mut Ids<'_>, now: Moment, out: &mut Vec<Effect>) {
        let run = ids.next();
        let until = now + self.rules.ready_timeout;
        let stand = Stand::Starting { run, until };
        // The run is known before it is told of.
        out.push(Effect::RunService(run, self.name.clone()));
        self.become_(stand, out);
    }

    pub(super) fn start_again(&mut self, ids: &mut Ids<'_>, now: Moment, out: &mut Vec<Effect>) {
        self.restarts = self.restarts.saturating_add(1);
        self.start(ids, now, out);
    }

    /// Its process exists: that is all there is to being up, unless it is to say so itself.
    pub(super) fn began(&mut self, now: Moment, out: &mut Vec<Effect>) -> Step {
        if let Stand::Starting { run, .. } = self.stand
            && !self.rules.notify
        {
            // That it exists says little of one that has failed: it has to stay for a while.
            let proof = self.pause.min(self.proof).max(PROOF);
            let proven_at = self.failed.then(|| now + proof);
            self.become_(self.up(run, proven_at, now), out);
        }
        Step::On
    }

    fn up(&self, run: RunId, proven_at: Option<Moment>, now: Moment) -> Stand {
        Stand::Up {
            run,
            since: now,
            alive_by: self.rules.watchdog.map(|pause| now + pause),
            proven_at,
            leaving: false,
        }
    }

    /// A stop.
    pub(super) fn stop(&mut self, now: Moment, out: &mut Vec<Effect>) {
        match self.stand {
            Stand::Waiting { .. } => self.become_(Stand::Down, out),
            Stand::Starting { run, .. } | Stand::Up { run, .. } => {
                out.push(Effect::Terminate(run));
                let stand = Stand::Ending {
                    run,
                    failure: None,
                    killed: false,
                    next: self.stop_timeout.map(|limit| now + limit),
                };
                self.become_(stand, out);
            }
            // It has gone, or is going already.
            Stand::Down | Stand::Absent | Stand::Ending { .. } | Stand::Clearing { .. } => {}
        }
    }

    /// It is not started again any more.
    pub(super) fn stop_waiting(&mut self, out: &mut Vec<Effect>) {
        if let Stand::Waiting { .. } = self.stand {
            self.become_(Stand::Down, out);
        }
    }

    pub(super) fn ended(
        &mut self,
        outcome: Outcome,
        again: bool,
        now: Moment,
        out: &mut Vec<Effect>,
    ) -> Step {
        let before = std::mem::replace(&mut self.stand, Stand::Down);
        match before {
            Stand::Starting { run, .. } if !began(&outcome) => {
                self.not_begun(run, outcome, again, now, out)
            }
            Stand::Starting { run, .. } => {
                self.fail(run, Failure::Ended(outcome), again, None, now, out)
            }
            Stand::Up { run, since, .. } => {
                self.fail(run, Failure::Ended(outcome), again, Some(since), now, out)
            }
            Stand::Ending { run, failure, .. } => {
                if let Some(failure) = failure {
                    return self.fail(run, failure, again, None, now, out);
                }
                self.last = Some(Failure::Ended(outcome.clone()));
                self.clear(run, now, out);
                self.asked(outcome)
            }
            // Its end is known.
            Stand::Down | Stand::Absent | Stand::Clearing { .. } | Stand::Waiting { .. } => {
                self.stand = before;
                Step::On
            }
        }
    }

    /// It ended because it was asked to.
    fn asked(&self, outcome: Outcome) -> Step {
        if self.is_main() {
            Step::MainEnded(outcome)
        } else {
            Step::On
        }
    }

    /// There is nothing to run, or it cannot be.
    fn not_begun(
        &mut self,
        run: RunId,
        outcome: Outcome,
        again: bool,
        now: Moment,
        out: &mut Vec<Effect>,
    ) -> Step {
        if outcome == Outcome::Missing {
            self.become_(Stand::Absent, out);
            return Step::On;
        }
        self.fail(run, Failure::Ended(outcome), again, None, now, out)
    }

    /// It failed: it is cleared away, and started again or not.
    fn fail(
        &mut self,
        run: RunId,
        failure: Failure,
        again: bool,
        up_since: Option<Moment>,
        now: Moment,
        out: &mut Vec<Effect>,
    ) -> Step {
        if up_since.is_some_and(|since| now - since >= self.reset) {
            self.in_a_row = 0;
            self.backoff.reset();
        }
        self.last = Some(failure.clone());
        self.failed = true;
        let outcome = match &failure {
            Failure::Ended(outcome) => Some(outcome.clone()),
            Failure::NotReady(_)
            | Failure::Silent(_)
            | Failure::Triggered
            | Failure::Lingers(_) => None,
        };
        // One that cannot be started will not be by trying again.
        let hopeless = outcome.as_ref().is_some_and(|outcome| !began(outcome));
        let exhausted = again && (hopeless || self.max > 0 && self.in_a_row >= self.max);
        if !exhausted {
            self.in_a_row = self.in_a_row.saturating_add(1);
        }
        self.clear(run, now, out);
        match outcome {
            Some(outcome) if self.is_main() => Step::MainEnded(outcome),
            Some(_) | None if exhausted => Step::Exhausted(failure),
            Some(_) | None => Step::On,
        }
    }

    /// What is left of its process group is to go before anything else is started.
    fn clear(&mut self, run: RunId, now: Moment, out: &mut Vec<Effect>) {
        out.push(Effect::Terminate(run));
        out.push(Effect::WatchGroup(run));
        let stand = Stand::Clearing {
            run,
            killed: false,
            next: now + self.grace,
        };
        self.become_(stand, out);
    }

    pub(super) fn group_empty(&mut self, again: bool, now: Moment, out: &mut Vec<Effect>) -> Step {
        if let Stand::Clearing { .. } = self.stand {
            self.cleared(again, now, out);
        }
        Step::On
    }

    fn cleared(&mut self, again: bool, now: Moment, out: &mut Vec<Effect>) {
        let stand = if again {
            self.pause = self.backoff.pause();
            let at = now + self.pause;
            Stand::Waiting { at }
        } else {
            Stand::Down
        };
        self.become_(stand, out);
    }

    pub(super) fn noticed(
        &mut self,
        notice: ServiceNotice,
        now: Moment,
        out: &mut Vec<Effect>,
    ) -> Step {
        let ServiceNotice {
            ready,
            stopping,
            alive,
            triggered,
            extend,
        } = notice;
        match &mut self.stand {
            Stand::Starting { run, until } => {
                if let Some(more) = extend {
                    *until = (*until).max(now + more);
                }
                if ready {
                    let run = *run;
                    self.become_(self.up(run, None, now), out);
                }
            }
            Stand::Up {
                run,
                alive_by,
                proven_at,
                leaving,
                ..
            } => {
                if (alive || ready) && !*leaving {
                    *proven_at = None;
                    self.failed = false;
                    *alive_by = self.rules.watchdog.map(|pause| now + pause);
                }
                if triggered {
                    let run = *run;
                    self.end(run, Failure::Triggered, now, out);
                } else if stopping && !*leaving {
                    *leaving = true;
                    *alive_by = self.stop_timeout.map(|limit| now + limit);
                    out.push(Effect::Service(self.view()));
                } else if let (true, Some(by), Some(more)) = (*leaving, alive_by, extend) {
                    *by = (*by).max(now + more);
                }
            }
            Stand::Ending {
                next: Some(next),
                killed: false,
                ..
            } => {
                if let Some(more) = extend {
                    *next = (*next).max(now + more);
                }
            }
            Stand::Ending { .. }
            | Stand::Down
            | Stand::Absent
            | Stand::Clearing { .. }
            | Stand::Waiting { .. } => {}
        }
        Step::On
    }

    /// It has failed but still runs: it is told to end. What hangs is not given a minute, unless it was
    /// said that this one needs its time.
    fn end(&mut self, run: RunId, failure: Failure, now: Moment, out: &mut Vec<Effect>) {
        out.push(Effect::Terminate(run));
        let stand = Stand::Ending {
            run,
            failure: Some(failure),
            killed: false,
            next: Some(now + self.rules.stop_timeout.unwrap_or(self.grace)),
        };
        self.become_(stand, out);
    }

    pub(super) fn handle_deadline(
        &mut self,
        again: bool,
        now: Moment,
        out: &mut Vec<Effect>,
    ) -> Step {
        match &mut self.stand {
            Stand::Starting { run, .. } => {
                let (run, limit) = (*run, self.rules.ready_timeout);
                self.end(run, Failure::NotReady(limit), now, out);
            }
            Stand::Up {
                proven_at: proven_at @ Some(_),
                ..
            } if proven_at.is_some_and(|at| at <= now) => {
                *proven_at = None;
                self.failed = false;
            }
            Stand::Up { run, leaving, .. } => {
                let run = *run;
                let failure = if *leaving {
                    Failure::Lingers(self.stop_timeout.unwrap_or_default())
                } else {
                    Failure::Silent(self.rules.watchdog.unwrap_or_default())
                };
                self.end(run, failure, now, out);
            }
            Stand::Ending {
                run,
                killed: killed @ false,
                next,
                ..
            } => {
                out.push(Effect::Kill(*run));
                *killed = true;
                *next = Some(now + GIVE_UP);
            }
            // Not even KILL ends it (state D): going on without it beats waiting for ever.
            Stand::Ending { killed: true, .. } => {
                let outcome = Outcome::Signalled {
                    name: "SIGKILL".into(),
                    number: 9,
                    out_of_memory: false,
                };
                return self.ended(outcome, again, now, out);
            }
            Stand::Clearing {
                run,
                killed: killed @ false,
                next,
            } => {
                out.push(Effect::Kill(*run));
                *killed = true;
                *next = now + GIVE_UP;
            }
            Stand::Clearing { killed: true, .. } => self.cleared(again, now, out),
            Stand::Waiting { .. } => return Step::StartAgain,
            Stand::Down | Stand::Absent => {}
        }
        Step::On
    }
}

/// Whether there was a process at all.
const fn began(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::Missing | Outcome::CannotStart { .. })
}
