//! Restarts: asked for, or needed.

use std::time::Duration;

use super::phase::{Overdue, Part, Phase, Restart, RestartStep, Svcup, Told};
use super::{Effects, GIVE_UP, Machine, PATIENCE};
use crate::lifecycle::{Cause, Effect, Health, Hook, Moment, Outcome, RunId, State};

/// Why the services are stopped and started again, and what comes in between.
#[derive(Debug, Clone, Copy)]
pub(super) enum Begun {
    /// Nobody asked for it: this pause.
    Needed(Duration),
    /// Somebody did.
    Asked,
    /// A backup wants to read while nothing runs, until then at most.
    Quiesced(Moment),
}

impl Machine {
    /// A restart nobody asked for: counted, paused before, given up in the end.
    pub(super) fn needs_restart(&mut self, cause: Cause, now: Moment, out: &mut Effects) {
        self.forgive(now);
        let max = self.policy.restart_max;
        if max > 0 && self.in_a_row >= max {
            let restarts = self.in_a_row;
            return self.fail(
                Cause::GaveUp {
                    restarts,
                    last: Box::new(cause),
                },
                now,
                out,
            );
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        let pause = self.backoff.pause();
        self.restarts = self.restarts.saturating_add(1);
        self.begin_restart(cause, Begun::Needed(pause), now, out);
    }

    /// A restart somebody asked for.
    pub(super) fn asked_restart(&mut self, cause: Cause, now: Moment, out: &mut Effects) {
        self.restarts = self.restarts.saturating_add(1);
        self.begin_restart(cause, Begun::Asked, now, out);
    }

    pub(super) fn begin_restart(
        &mut self,
        cause: Cause,
        begun: Begun,
        now: Moment,
        out: &mut Effects,
    ) {
        if let Some(run) = self.current_run() {
            // Only a check, or the warm-up of services that failed; its answer no longer matters.
            out.push(Effect::Kill(run.id));
        }
        self.services.hold(out);
        self.patience = PATIENCE;
        let number = self.announce(State::Restarting, cause, now, out);
        let step = RestartStep::Announcing {
            number,
            until: now + self.patience,
        };
        let (asked, pause, lease) = match begun {
            Begun::Needed(pause) => (false, pause, None),
            Begun::Asked => (true, Duration::ZERO, None),
            Begun::Quiesced(until) => (true, Duration::ZERO, Some(until)),
        };
        self.phase = Phase::Restarting(Restart {
            step,
            asked,
            again: None,
            pause,
            lease,
        });
    }

    pub(super) fn restart_told(&mut self, mut restart: Restart, now: Moment, out: &mut Effects) {
        restart.step = if restart.asked && self.policy.drain > Duration::ZERO {
            RestartStep::Draining {
                until: now + self.policy.drain,
            }
        } else {
            return self.restart_halt(restart, now, out);
        };
        self.phase = Phase::Restarting(restart);
    }

    fn restart_halt(&mut self, mut restart: Restart, now: Moment, out: &mut Effects) {
        restart.step = RestartStep::Halting;
        self.phase = Phase::Restarting(restart);
        self.stop_services(now, out);
    }

    pub(super) fn restart_part(
        &mut self,
        part: Part,
        now: Moment,
        out: &mut Effects,
    ) -> RestartStep {
        RestartStep::Running(part, self.run(part.hook(), now, out))
    }

    fn restart_emptied(&mut self, mut restart: Restart, now: Moment, out: &mut Effects) {
        if let Some(until) = restart.lease.take() {
            return self.hold(restart, until, now, out);
        }
        if restart.pause.is_zero() {
            return self.begin_svcup(restart, now, out);
        }
        restart.step = RestartStep::Pausing {
            until: now + restart.pause,
        };
        self.phase = Phase::Restarting(restart);
    }

    pub(super) fn begin_svcup(&mut self, mut restart: Restart, now: Moment, out: &mut Effects) {
        // Counts start anew with the services.
        self.checked = Health::Unknown;
        self.tell_health(now, out);
        let run = self.run(Hook::Svcup, now, out);
        self.svcup = Svcup::Begun(run.id);
        restart.step = RestartStep::Running(Part::Svcup, run);
        self.phase = Phase::Restarting(restart);
    }

    pub(super) fn restart_ended(
        &mut self,
        mut restart: Restart,
        part: Part,
        ended: (RunId, Outcome),
        now: Moment,
        out: &mut Effects,
    ) {
        let (id, outcome) = ended;
        let hook = part.hook();
        if !outcome.is_success() {
            if part != Part::Svcdown && !self.policy.tolerated.contains(&hook) {
                return self.needs_restart(Cause::Failed(hook, outcome), now, out);
            }
            out.push(Effect::Tolerated(hook, outcome));
        }
        match part {
            Part::Svcdown => {
                let svcup = match std::mem::replace(&mut self.svcup, Svcup::Undone) {
                    Svcup::Begun(svcup) => Some(svcup),
                    Svcup::Undone => None,
                };
                self.empty_group(restart, id, svcup, now, out);
            }
            Part::Svcup => {
                restart.step = RestartStep::Settling;
                self.phase = Phase::Restarting(restart);
                self.start_services(now, out);
            }
            Part::Warmup => self.enter_up(Cause::Restarted, restart.again, now, out),
        }
    }

    /// The services are up again.
    pub(super) fn restart_settled(&mut self, mut restart: Restart, now: Moment, out: &mut Effects) {
        if self.policy.restart_warmup {
            restart.step = self.restart_part(Part::Warmup, now, out);
            self.phase = Phase::Restarting(restart);
        } else {
            self.enter_up(Cause::Restarted, restart.again, now, out);
        }
    }

    fn empty_group(
        &mut self,
        mut restart: Restart,
        group: RunId,
        then: Option<RunId>,
        now: Moment,
        out: &mut Effects,
    ) {
        out.push(Effect::WatchGroup(group));
        let next = now + self.policy.stop_grace;
        restart.step = RestartStep::Emptying {
            group,
            then,
            told: Told::Nothing,
            next,
        };
        self.phase = Phase::Restarting(restart);
    }

    /// A group is empty, or given up: the next one, or on.
    pub(super) fn group_emptied(
        &mut self,
        restart: Restart,
        then: Option<RunId>,
        now: Moment,
        out: &mut Effects,
    ) {
        match then {
            Some(group) => self.empty_group(restart, group, None, now, out),
            None => self.restart_emptied(restart, now, out),
        }
    }

    pub(super) fn restart_deadline(
        &mut self,
        mut restart: Restart,
        now: Moment,
        out: &mut Effects,
    ) {
        match restart.step {
            RestartStep::Announcing { until, .. } => {
                self.spend_patience(until, now);
                return self.restart_told(restart, now, out);
            }
            RestartStep::Draining { .. } => return self.restart_halt(restart, now, out),
            RestartStep::Halting | RestartStep::Held { .. } | RestartStep::Settling => {}
            RestartStep::Emptying {
                group, then, told, ..
            } => {
                let (told, next) = match told {
                    Told::Nothing => {
                        out.push(Effect::Terminate(group));
                        (Told::Term, now + self.policy.stop_grace)
                    }
                    Told::Term => {
                        out.push(Effect::Kill(group));
                        (Told::Kill, now + GIVE_UP)
                    }
                    // Not even KILL ends what is left (state D): a restart with it beats none.
                    Told::Kill => return self.group_emptied(restart, then, now, out),
                };
                restart.step = RestartStep::Emptying {
                    group,
                    then,
                    told,
                    next,
                };
            }
            RestartStep::Pausing { .. } => return self.begin_svcup(restart, now, out),
            RestartStep::Running(part, ref mut run) => {
                if let Overdue::Unkillable(outcome) = self.overdue(run, now, out) {
                    let ended = (run.id, outcome);
                    return self.restart_ended(restart, part, ended, now, out);
                }
            }
        }
        self.phase = Phase::Restarting(restart);
    }
}
