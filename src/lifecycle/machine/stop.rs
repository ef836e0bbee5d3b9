//! The way down, in order, from wherever the container is.

use std::time::Duration;

use super::phase::{
    Check, Cut, Overdue, Part, Phase, Restart, RestartStep, Run, Step, Stop, StopStep, Svcup,
};
use super::{Effects, GIVE_UP, HURRY, Machine, PATIENCE};
use crate::lifecycle::effect::{Lease, LeaseEnd};
use crate::lifecycle::{Cause, Effect, Hook, Moment, Outcome, State, StopStage};

impl Machine {
    /// ERROR: an orderly end of what was started, then exit 1.
    pub(super) fn fail(&mut self, cause: Cause, now: Moment, out: &mut Effects) {
        self.begin_stop(State::Error, cause, 1, Duration::ZERO, now, out);
    }

    pub(super) fn begin_stop(
        &mut self,
        state: State,
        cause: Cause,
        code: i32,
        drain: Duration,
        now: Moment,
        out: &mut Effects,
    ) {
        let phase = std::mem::replace(&mut self.phase, Phase::Done);
        let grace = self.policy.stop_grace;
        self.patience = PATIENCE;
        self.services.hold(out);
        let number = self.announce(state, cause, now, out);
        if phase.lease().is_some() {
            out.push(Effect::Lease(Lease::Ended(LeaseEnd::Stopped)));
        }
        let step = match phase {
            Phase::Starting {
                step: Step::Running(mut run),
                ..
            } => {
                self.cut_for_stop(&mut run, now, out);
                StopStep::Cutting(run)
            }
            Phase::Restarting(Restart { step, .. }) => match step {
                // It is being stopped already; let that end, and do not do it twice.
                RestartStep::Running(Part::Svcdown, run) => {
                    let limit = run.longest(grace, now);
                    out.push(Effect::Stage(StopStage::Svcdown, limit));
                    StopStep::Svcdown(run)
                }
                RestartStep::Running(Part::Svcup | Part::Warmup, mut run) => {
                    self.cut_for_stop(&mut run, now, out);
                    StopStep::Cutting(run)
                }
                RestartStep::Announcing { .. }
                | RestartStep::Draining { .. }
                | RestartStep::Halting
                | RestartStep::Emptying { .. }
                | RestartStep::Pausing { .. }
                | RestartStep::Held { .. }
                | RestartStep::Settling => StopStep::Announcing {
                    until: now + self.patience,
                },
            },
            Phase::Up(Check::Running(run)) => {
                out.push(Effect::Kill(run.id));
                StopStep::Announcing {
                    until: now + self.patience,
                }
            }
            Phase::Created
            | Phase::Starting {
                step: Step::Announcing { .. } | Step::Marking | Step::Settling,
                ..
            }
            | Phase::Up(Check::Due(_) | Check::Absent)
            | Phase::Stopping(_)
            | Phase::Done => StopStep::Announcing {
                until: now + self.patience,
            },
        };
        self.phase = Phase::Stopping(Stop {
            step,
            number,
            code,
            grace,
            drain,
        });
    }

    /// Ends the script in the way.
    fn cut_for_stop(&self, run: &mut Run, now: Moment, out: &mut Effects) {
        let grace = self.policy.stop_grace;
        self.cut(run, grace, now, out);
        // After it the world may still have to be told.
        let longest = run.longest(grace, now);
        let limit = longest.map(|limit| limit.saturating_add(self.patience));
        out.push(Effect::Stage(StopStage::Cutting, limit));
    }

    /// The script in the way is gone: wait for the world to have been told, if it has not.
    pub(super) fn stop_announced(&mut self, mut stop: Stop, now: Moment, out: &mut Effects) {
        if self.announced >= stop.number {
            self.stop_told(stop, now, out);
        } else {
            stop.step = StopStep::Announcing {
                until: now + self.patience,
            };
            self.phase = Phase::Stopping(stop);
        }
    }

    pub(super) fn stop_told(&mut self, mut stop: Stop, now: Moment, out: &mut Effects) {
        stop.step = match self.svcup {
            Svcup::Begun(_) if stop.drain > Duration::ZERO => {
                out.push(Effect::Stage(StopStage::Draining, Some(stop.drain)));
                StopStep::Draining {
                    until: now + stop.drain,
                }
            }
            Svcup::Begun(_) => return self.stop_halt(stop, now, out),
            Svcup::Undone => terminate_all(stop.grace, now, out),
        };
        self.phase = Phase::Stopping(stop);
    }

    /// The services first, then `svcdown`.
    fn stop_halt(&mut self, mut stop: Stop, now: Moment, out: &mut Effects) {
        if !self.services.are_down() {
            out.push(Effect::Stage(StopStage::Services, self.services_budget()));
        }
        stop.step = StopStep::Halting;
        self.phase = Phase::Stopping(stop);
        self.stop_services(now, out);
    }

    pub(super) fn stop_svcdown(&mut self, mut stop: Stop, now: Moment, out: &mut Effects) {
        // When its time is over come TERM, the grace, KILL, and a wait for that.
        let after = self.policy.stop_grace.saturating_add(GIVE_UP);
        let limit = self.policy.timeout(Hook::Svcdown);
        out.push(Effect::Stage(
            StopStage::Svcdown,
            limit.map(|cap| cap.saturating_add(after)),
        ));
        stop.step = StopStep::Svcdown(self.run(Hook::Svcdown, now, out));
        self.phase = Phase::Stopping(stop);
    }

    /// `svcdown` is over, well or not: a failing one never stops a stop.
    pub(super) fn svcdown_ended(
        &mut self,
        mut stop: Stop,
        outcome: Outcome,
        now: Moment,
        out: &mut Effects,
    ) {
        if !outcome.is_success() {
            out.push(Effect::Tolerated(Hook::Svcdown, outcome));
        }
        self.svcup = Svcup::Undone;
        stop.step = terminate_all(stop.grace, now, out);
        self.phase = Phase::Stopping(stop);
    }

    pub(super) fn stop_deadline(&mut self, mut stop: Stop, now: Moment, out: &mut Effects) {
        match stop.step {
            StopStep::Cutting(ref mut run) => match self.overdue(run, now, out) {
                Overdue::Waiting => self.phase = Phase::Stopping(stop),
                Overdue::Unkillable(_) => self.stop_announced(stop, now, out),
            },
            StopStep::Announcing { .. } => self.stop_told(stop, now, out),
            StopStep::Draining { .. } => self.stop_halt(stop, now, out),
            StopStep::Halting => self.phase = Phase::Stopping(stop),
            StopStep::Svcdown(ref mut run) => match self.overdue(run, now, out) {
                Overdue::Waiting => self.phase = Phase::Stopping(stop),
                Overdue::Unkillable(outcome) => self.svcdown_ended(stop, outcome, now, out),
            },
            StopStep::Terminating { .. } => {
                out.push(Effect::Stage(StopStage::Killing, Some(GIVE_UP)));
                out.push(Effect::KillAll);
                stop.step = StopStep::Killing {
                    give_up_at: now + GIVE_UP,
                };
                self.phase = Phase::Stopping(stop);
            }
            StopStep::Killing { .. } => out.push(Effect::Exit(self.exit_code(stop.code))),
        }
    }

    /// A second stop: nothing is waited for that need not be. `svcdown` keeps its time, a database
    /// that is cut short loses data.
    pub(super) fn hurry(&mut self, mut stop: Stop, now: Moment, out: &mut Effects) {
        stop.grace = stop.grace.min(HURRY);
        stop.drain = Duration::ZERO;
        match &mut stop.step {
            StopStep::Announcing { .. } | StopStep::Draining { .. } => {
                return self.stop_told(stop, now, out);
            }
            StopStep::Cutting(Run {
                cut: Cut::Terminated { kill_at, .. },
                ..
            })
            | StopStep::Terminating { kill_at } => *kill_at = (*kill_at).min(now + HURRY),
            StopStep::Cutting(Run {
                cut: Cut::None { .. } | Cut::Killed { .. },
                ..
            })
            | StopStep::Halting
            | StopStep::Svcdown(_)
            | StopStep::Killing { .. } => {}
        }
        self.phase = Phase::Stopping(stop);
    }
}

fn terminate_all(grace: Duration, now: Moment, out: &mut Effects) -> StopStep {
    out.push(Effect::Stage(StopStage::Terminating, Some(grace)));
    out.push(Effect::TerminateAll);
    StopStep::Terminating {
        kill_at: now + grace,
    }
}
