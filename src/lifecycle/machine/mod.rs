//! The machine itself: what every event means in each of its phases.
//!
//! The phases are in `phase`, what is asked from outside is in `asked`, what the foreground services
//! lead to in `attended`, standing still for a backup in `quiesce`; what follows is in `start` (the way up and the checks), `restart` and `stop`. No match here has a catch-all: a new event or phase does not compile
//! until each cell is decided.

mod asked;
mod attended;
mod phase;
mod policy;
mod quiesce;
mod restart;
mod start;
mod stop;

use std::time::Duration;

use self::phase::{
    Check, Cut, Overdue, Phase, Restart, RestartStep, Run, Stage, Step, Stop, StopStep, Svcup,
};
pub use self::policy::Policy;
use super::backoff::Backoff;
use super::effect::{Effect, LeaseEnd, Transition};
use super::event::{Ask, Cause, Event, Outcome, RunId};
use super::moment::Moment;
use super::services::{Failure, ServiceView, Services};
use super::state::{Health, Hook, State};

/// How long, in all, one boot, one restart or one stop waits for the world to have been told.
const PATIENCE: Duration = Duration::from_secs(1);
/// What is left of a grace once a second stop was asked for.
const HURRY: Duration = Duration::from_millis(500);
/// How long after KILL a process may still be there (state D) before the agent leaves without it.
pub(super) const GIVE_UP: Duration = Duration::from_secs(3);

/// The life cycle of one container, from its start to its end.
#[derive(Debug, Clone)]
pub struct Machine {
    policy: Policy,
    backoff: Backoff,
    phase: Phase,
    state: Option<State>,
    since: Moment,
    transitions: u64,
    runs: u64,
    announced: u64,
    patience: Duration,
    initialised: bool,
    svcup: Svcup,
    services: Services,
    /// Why it cannot be told what services there are.
    unknown_services: Option<String>,
    wraps: bool,
    seed: u64,
    been_up: bool,
    /// What the monitor's checks say.
    checked: Health,
    /// What they and the services together say, as it was told last.
    health: Health,
    healthy_since: Option<Moment>,
    restarts: u32,
    in_a_row: u32,
}

type Effects = Vec<Effect>;

impl Machine {
    /// A machine that has not started. `seed` decides the jitter of pauses.
    #[must_use]
    pub fn new(policy: Policy, seed: u64) -> Self {
        let backoff = Backoff::new(policy.backoff, policy.backoff_max, seed);
        Self {
            policy,
            backoff,
            phase: Phase::Created,
            state: None,
            since: Moment::default(),
            transitions: 0,
            runs: 0,
            announced: 0,
            patience: PATIENCE,
            initialised: false,
            svcup: Svcup::Undone,
            services: Services::none(),
            unknown_services: None,
            wraps: false,
            seed,
            been_up: false,
            checked: Health::Unknown,
            health: Health::Unknown,
            healthy_since: None,
            restarts: 0,
            in_a_row: 0,
        }
    }

    /// The state the world was told last; none before the start.
    #[must_use]
    pub const fn state(&self) -> Option<State> {
        self.state
    }

    /// What the checks say.
    #[must_use]
    pub const fn health(&self) -> Health {
        self.health
    }

    /// Restarts since the container started.
    #[must_use]
    pub const fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Restarts nobody asked for, since the container was last healthy for long.
    #[must_use]
    pub const fn restarts_in_a_row(&self) -> u32 {
        self.in_a_row
    }

    /// Whether the machine has given out its `Exit`.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    /// Where it is, in words that leave out ids and times; for the tests of every cell.
    #[cfg(test)]
    pub(super) fn place(&self) -> String {
        self.phase.place()
    }

    /// What of its past and its policy decides about its future; for the tests of every cell.
    #[cfg(test)]
    pub(super) fn past(&self) -> String {
        let begun = matches!(self.svcup, Svcup::Begun(_));
        let Self {
            initialised,
            been_up,
            in_a_row,
            policy,
            ..
        } = self;
        format!(
            "{initialised} {begun} {been_up} {in_a_row} {:?}",
            policy.drain
        )
    }

    /// How the services stand, in the order they are started.
    pub fn services(&self) -> impl Iterator<Item = ServiceView> {
        self.services.views()
    }

    /// Those of the services that are not well, by name, and how they failed.
    pub fn ailing(&self) -> impl Iterator<Item = (&str, &Failure)> {
        self.services.ailing()
    }

    /// How long ending the services may take in all at most, if none of them asks for more; none when
    /// one of them has no cap.
    #[must_use]
    pub fn services_budget(&self) -> Option<Duration> {
        self.services.stop_budget()
    }

    /// When [`Self::handle_deadline`] is wanted even if nothing happens.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        let services = self.services.next_deadline();
        [self.lease_deadline(), self.phase_deadline(), services]
            .into_iter()
            .flatten()
            .min()
    }

    fn phase_deadline(&self) -> Option<Moment> {
        match &self.phase {
            Phase::Created | Phase::Done | Phase::Up(Check::Absent) => None,
            Phase::Starting { step, .. } => match step {
                Step::Announcing { until, .. } => Some(*until),
                Step::Running(run) => run.deadline(),
                Step::Marking | Step::Settling => None,
            },
            Phase::Up(Check::Due(at)) => Some(*at),
            Phase::Up(Check::Running(run)) => run.deadline(),
            Phase::Restarting(restart) => match &restart.step {
                RestartStep::Announcing { until, .. }
                | RestartStep::Draining { until }
                | RestartStep::Pausing { until } => Some(*until),
                RestartStep::Emptying { next, .. } => Some(*next),
                RestartStep::Running(_, run) => run.deadline(),
                // What is held has its lease's deadline.
                RestartStep::Halting | RestartStep::Held { .. } | RestartStep::Settling => None,
            },
            Phase::Stopping(stop) => match &stop.step {
                StopStep::Cutting(run) | StopStep::Svcdown(run) => run.deadline(),
                StopStep::Announcing { until } | StopStep::Draining { until } => Some(*until),
                StopStep::Halting => None,
                StopStep::Terminating { kill_at } => Some(*kill_at),
                StopStep::Killing { give_up_at } => Some(*give_up_at),
            },
        }
    }

    /// Takes one event in.
    pub fn handle(&mut self, event: Event, now: Moment) -> Vec<Effect> {
        let mut out = Effects::new();
        match event {
            Event::Start { initialised } => self.on_start(initialised, now, &mut out),
            Event::Ended(id, outcome) if self.is_service(id) => {
                self.service_ended(id, outcome, now, &mut out);
            }
            Event::Ended(id, outcome) => self.on_ended(id, outcome, now, &mut out),
            Event::Announced(number) => {
                self.announced = self.announced.max(number);
                self.on_announced(now, &mut out);
            }
            Event::Marked(result) => self.on_marked(result, now, &mut out),
            Event::GroupEmpty(id) if self.is_service(id) => {
                self.service_cleared(id, now, &mut out);
            }
            Event::Began(id) => self.service_began(id, now, &mut out),
            Event::Noticed(id, notice) => self.service_noticed(id, notice, now, &mut out),
            Event::GroupEmpty(id) => self.on_group_empty(id, now, &mut out),
            Event::AllGone => self.on_all_gone(&mut out),
            Event::Asked(Ask::Restart(cause)) => self.on_restart(cause, now, &mut out),
            Event::Asked(Ask::Stop(cause)) => self.on_stop(cause, now, &mut out),
            Event::Asked(Ask::Check) => self.on_check(now, &mut out),
            Event::Asked(Ask::Quiesce { by, most }) => self.on_quiesce(by, most, now, &mut out),
            Event::Asked(Ask::Resume) => self.on_resume(now, &mut out),
        }
        out
    }

    /// Does what is due at `now`; nothing when nothing is.
    pub fn handle_deadline(&mut self, now: Moment) -> Vec<Effect> {
        let mut out = Effects::new();
        let due = |deadline: Option<Moment>| deadline.is_some_and(|deadline| deadline <= now);
        if due(self.lease_deadline()) {
            self.end_lease(LeaseEnd::Overdue, now, &mut out);
        } else if due(self.phase_deadline()) {
            self.on_deadline(now, &mut out);
        } else if due(self.services.next_deadline()) {
            self.services_deadline(now, &mut out);
        }
        out
    }

    /// The agent met a fault it cannot go on after: an orderly end with ERROR.
    pub fn fault(&mut self, reason: String, now: Moment) -> Vec<Effect> {
        let mut out = Effects::new();
        match self.phase {
            Phase::Stopping(_) | Phase::Done => {}
            Phase::Created | Phase::Starting { .. } | Phase::Up(_) | Phase::Restarting(_) => {
                self.fail(Cause::Fault(reason), now, &mut out);
            }
        }
        out
    }

    fn on_start(&mut self, initialised: bool, now: Moment, out: &mut Effects) {
        match self.phase {
            Phase::Created => {
                self.initialised = initialised;
                self.since = now;
                self.enter_stage(Stage::Boot, Cause::Started, None, now, out);
            }
            Phase::Starting { .. }
            | Phase::Up(_)
            | Phase::Restarting(_)
            | Phase::Stopping(_)
            | Phase::Done => {}
        }
    }

    fn on_ended(&mut self, id: RunId, seen: Outcome, now: Moment, out: &mut Effects) {
        // A run nobody waits for any more (a check that a restart cut off) ends unheard.
        let Some(outcome) = self
            .current_run()
            .filter(|run| run.id == id)
            .map(|run| run.outcome(seen))
        else {
            return;
        };
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Starting {
                stage,
                step: Step::Running(_),
                again,
            } => {
                self.stage_ended(stage, outcome, again, now, out);
            }
            Phase::Up(Check::Running(_)) => self.check_ended(outcome, now, out),
            Phase::Restarting(restart) => match restart.step {
                RestartStep::Running(part, _) => {
                    self.restart_ended(restart, part, (id, outcome), now, out);
                }
                RestartStep::Announcing { .. }
                | RestartStep::Draining { .. }
                | RestartStep::Halting
                | RestartStep::Emptying { .. }
                | RestartStep::Pausing { .. }
                | RestartStep::Held { .. }
                | RestartStep::Settling => self.phase = Phase::Restarting(restart),
            },
            Phase::Stopping(stop) => match stop.step {
                StopStep::Cutting(_) => self.stop_announced(stop, now, out),
                StopStep::Svcdown(_) => self.svcdown_ended(stop, outcome, now, out),
                StopStep::Announcing { .. }
                | StopStep::Draining { .. }
                | StopStep::Halting
                | StopStep::Terminating { .. }
                | StopStep::Killing { .. } => self.phase = Phase::Stopping(stop),
            },
            // `current_run` is some only in the arms above; the phase is put back as it was.
            phase @ (Phase::Created
            | Phase::Starting {
                step: Step::Announcing { .. } | Step::Marking | Step::Settling,
                ..
            }
            | Phase::Up(Check::Due(_) | Check::Absent)
            | Phase::Done) => self.phase = phase,
        }
    }

    fn on_announced(&mut self, now: Moment, out: &mut Effects) {
        let told = self.announced;
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Starting {
                stage,
                step: Step::Announcing { number, until },
                again,
            } if told >= number => {
                self.spend_patience(until, now);
                self.run_stage(stage, again, now, out);
            }
            Phase::Restarting(restart) => match restart.step {
                RestartStep::Announcing { number, until } if told >= number => {
                    self.spend_patience(until, now);
                    self.restart_told(restart, now, out);
                }
                RestartStep::Announcing { .. }
                | RestartStep::Draining { .. }
                | RestartStep::Halting
                | RestartStep::Running(..)
                | RestartStep::Emptying { .. }
                | RestartStep::Pausing { .. }
                | RestartStep::Held { .. }
                | RestartStep::Settling => self.phase = Phase::Restarting(restart),
            },
            Phase::Stopping(stop)
                if matches!(stop.step, StopStep::Announcing { .. }) && told >= stop.number =>
            {
                self.stop_told(stop, now, out);
            }
            phase @ (Phase::Created
            | Phase::Starting { .. }
            | Phase::Up(_)
            | Phase::Stopping(_)
            | Phase::Done) => self.phase = phase,
        }
    }

    fn on_marked(&mut self, result: Result<(), String>, now: Moment, out: &mut Effects) {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Starting {
                step: Step::Marking,
                again,
                ..
            } => match result {
                Ok(()) => {
                    self.initialised = true;
                    self.enter_stage(
                        Stage::Upgrade,
                        Cause::Finished(Hook::Firstboot),
                        again,
                        now,
                        out,
                    );
                }
                Err(reason) => self.fail(Cause::MarkFailed(reason), now, out),
            },
            // A stop came while the mark was being written: it stands, the stop goes on.
            phase @ (Phase::Created
            | Phase::Starting {
                step: Step::Announcing { .. } | Step::Running(_) | Step::Settling,
                ..
            }
            | Phase::Up(_)
            | Phase::Restarting(_)
            | Phase::Stopping(_)
            | Phase::Done) => self.phase = phase,
        }
    }

    fn on_group_empty(&mut self, id: RunId, now: Moment, out: &mut Effects) {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Restarting(restart) => match restart.step {
                RestartStep::Emptying { group, then, .. } if group == id => {
                    self.group_emptied(restart, then, now, out);
                }
                RestartStep::Announcing { .. }
                | RestartStep::Draining { .. }
                | RestartStep::Halting
                | RestartStep::Running(..)
                | RestartStep::Emptying { .. }
                | RestartStep::Pausing { .. }
                | RestartStep::Held { .. }
                | RestartStep::Settling => self.phase = Phase::Restarting(restart),
            },
            phase @ (Phase::Created
            | Phase::Starting { .. }
            | Phase::Up(_)
            | Phase::Stopping(_)
            | Phase::Done) => self.phase = phase,
        }
    }

    fn on_all_gone(&mut self, out: &mut Effects) {
        match &self.phase {
            Phase::Stopping(Stop {
                step: StopStep::Terminating { .. } | StopStep::Killing { .. },
                code,
                ..
            }) => {
                out.push(Effect::Exit(self.exit_code(*code)));
                self.phase = Phase::Done;
            }
            Phase::Created
            | Phase::Starting { .. }
            | Phase::Up(_)
            | Phase::Restarting(_)
            | Phase::Stopping(_)
            | Phase::Done => {}
        }
    }

    fn on_deadline(&mut self, now: Moment, out: &mut Effects) {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Starting { stage, step, again } => match step {
                Step::Announcing { until, .. } => {
                    self.spend_patience(until, now);
                    self.run_stage(stage, again, now, out);
                }
                Step::Running(mut run) => match self.overdue(&mut run, now, out) {
                    Overdue::Waiting => {
                        self.phase = Phase::Starting {
                            stage,
                            step: Step::Running(run),
                            again,
                        };
                    }
                    Overdue::Unkillable(outcome) => {
                        self.stage_ended(stage, outcome, again, now, out);
                    }
                },
                Step::Marking | Step::Settling => {
                    self.phase = Phase::Starting { stage, step, again };
                }
            },
            Phase::Up(Check::Due(_)) => {
                let run = self.run(Hook::Monitor, now, out);
                self.phase = Phase::Up(Check::Running(run));
            }
            Phase::Up(Check::Running(mut run)) => match self.overdue(&mut run, now, out) {
                Overdue::Waiting => self.phase = Phase::Up(Check::Running(run)),
                Overdue::Unkillable(outcome) => self.check_ended(outcome, now, out),
            },
            Phase::Restarting(restart) => self.restart_deadline(restart, now, out),
            Phase::Stopping(stop) => self.stop_deadline(stop, now, out),
            phase @ (Phase::Created | Phase::Up(Check::Absent) | Phase::Done) => self.phase = phase,
        }
    }

    fn announce(&mut self, state: State, cause: Cause, now: Moment, out: &mut Effects) -> u64 {
        self.transitions += 1;
        let transition = Transition {
            number: self.transitions,
            from: self.state,
            state,
            cause,
            lasted: now - self.since,
        };
        self.state = Some(state);
        self.since = now;
        out.push(Effect::Announce(transition));
        self.transitions
    }

    fn run(&mut self, hook: Hook, now: Moment, out: &mut Effects) -> Run {
        self.runs += 1;
        let id = RunId(self.runs);
        out.push(Effect::Run(id, hook));
        let at = self.policy.timeout(hook).map(|limit| (now + limit, limit));
        Run {
            id,
            hook,
            cut: Cut::None { at },
        }
    }

    /// Asks a running script to end because something else comes first.
    #[expect(
        clippy::unused_self,
        reason = "reads like its siblings, which all need the machine"
    )]
    fn cut(&self, run: &mut Run, grace: Duration, now: Moment, out: &mut Effects) {
        // One that was told already is not told twice.
        if let Cut::None { .. } = run.cut {
            out.push(Effect::Terminate(run.id));
            run.cut = Cut::Terminated {
                kill_at: now + grace,
                limit: None,
            };
        }
    }

    /// The next step with a script whose deadline has passed.
    fn overdue(&self, run: &mut Run, now: Moment, out: &mut Effects) -> Overdue {
        run.cut = match run.cut {
            // A check changes nothing that would need an orderly end.
            Cut::None {
                at: Some((_, limit)),
            } if run.hook == Hook::Monitor => {
                out.push(Effect::Kill(run.id));
                Cut::Killed {
                    give_up_at: now + GIVE_UP,
                    limit: Some(limit),
                }
            }
            Cut::None {
                at: Some((_, limit)),
            } => {
                out.push(Effect::Terminate(run.id));
                Cut::Terminated {
                    kill_at: now + self.policy.stop_grace,
                    limit: Some(limit),
                }
            }
            Cut::None { at: None } => return Overdue::Waiting,
            Cut::Terminated { limit, .. } => {
                out.push(Effect::Kill(run.id));
                Cut::Killed {
                    give_up_at: now + GIVE_UP,
                    limit,
                }
            }
            Cut::Killed { .. } => {
                return Overdue::Unkillable(Outcome::Signalled {
                    name: "SIGKILL".into(),
                    number: 9,
                    out_of_memory: false,
                });
            }
        };
        Overdue::Waiting
    }

    fn spend_patience(&mut self, until: Moment, now: Moment) {
        self.patience = until - now;
    }

    const fn current_run(&self) -> Option<&Run> {
        match &self.phase {
            Phase::Starting {
                step: Step::Running(run),
                ..
            }
            | Phase::Up(Check::Running(run))
            | Phase::Restarting(Restart {
                step: RestartStep::Running(_, run),
                ..
            })
            | Phase::Stopping(Stop {
                step: StopStep::Cutting(run) | StopStep::Svcdown(run),
                ..
            }) => Some(run),
            Phase::Created
            | Phase::Starting {
                step: Step::Announcing { .. } | Step::Marking | Step::Settling,
                ..
            }
            | Phase::Up(Check::Due(_) | Check::Absent)
            | Phase::Restarting(Restart {
                step:
                    RestartStep::Announcing { .. }
                    | RestartStep::Draining { .. }
                    | RestartStep::Halting
                    | RestartStep::Emptying { .. }
                    | RestartStep::Pausing { .. }
                    | RestartStep::Held { .. }
                    | RestartStep::Settling,
                ..
            })
            | Phase::Stopping(Stop {
                step:
                    StopStep::Announcing { .. }
                    | StopStep::Draining { .. }
                    | StopStep::Halting
                    | StopStep::Terminating { .. }
                    | StopStep::Killing { .. },
                ..
            })
            | Phase::Done => None,
        }
    }
}
