//! The way up, and the checks of a container that is UP.

use super::phase::{Check, Phase, Stage, Step, Svcup};
use super::{Effects, Machine};
use crate::lifecycle::{Cause, Effect, Health, Moment, Outcome, State};

impl Machine {
    pub(super) fn enter_stage(
        &mut self,
        stage: Stage,
        cause: Cause,
        again: Option<Cause>,
        now: Moment,
        out: &mut Effects,
    ) {
        let told = match stage {
            Stage::Boot => State::Boot,
            Stage::Firstboot => State::Firstboot,
            Stage::Upgrade => State::Upgrading,
            Stage::Svcup => State::Warmup,
            // One state for two scripts: WARMUP was told before `svcup`.
            Stage::Warmup => return self.run_stage(stage, again, now, out),
        };
        let number = self.announce(told, cause, now, out);
        let until = now + self.patience;
        self.phase = Phase::Starting {
            stage,
            step: Step::Announcing { number, until },
            again,
        };
    }

    pub(super) fn run_stage(
        &mut self,
        stage: Stage,
        again: Option<Cause>,
        now: Moment,
        out: &mut Effects,
    ) {
        let run = self.run(stage.hook(), now, out);
        if stage == Stage::Svcup {
            self.svcup = Svcup::Begun(run.id);
        }
        self.phase = Phase::Starting {
            stage,
            step: Step::Running(run),
            again,
        };
    }

    pub(super) fn stage_ended(
        &mut self,
        stage: Stage,
        outcome: Outcome,
        again: Option<Cause>,
        now: Moment,
        out: &mut Effects,
    ) {
        let hook = stage.hook();
        if !outcome.is_success() {
            if !self.policy.tolerated.contains(&hook) {
                return self.fail(Cause::Failed(hook, outcome), now, out);
            }
            out.push(Effect::Tolerated(hook, outcome));
        }
        let finished = Cause::Finished(hook);
        match stage {
            Stage::Boot if self.initialised => {
                self.enter_stage(Stage::Upgrade, finished, again, now, out);
            }
            Stage::Boot => self.enter_stage(Stage::Firstboot, finished, again, now, out),
            Stage::Firstboot => {
                out.push(Effect::Mark);
                self.phase = Phase::Starting {
                    stage,
                    step: Step::Marking,
                    again,
                };
            }
            Stage::Upgrade => self.enter_stage(Stage::Svcup, finished, again, now, out),
            Stage::Svcup => {
                self.phase = Phase::Starting {
                    stage,
                    step: Step::Settling,
                    again,
                };
                self.start_services(now, out);
            }
            Stage::Warmup => self.enter_up(finished, again, now, out),
        }
    }

    pub(super) fn enter_up(
        &mut self,
        cause: Cause,
        again: Option<Cause>,
        now: Moment,
        out: &mut Effects,
    ) {
        self.announce(State::Up, cause, now, out);
        self.been_up = true;
        self.healthy_since = Some(now);
        self.phase = Phase::Up(Check::Due(now + self.policy.monitor_interval));
        self.tell_health(now, out);
        if let Some(cause) = again {
            self.asked_restart(cause, now, out);
        }
    }

    pub(super) fn check_ended(&mut self, outcome: Outcome, now: Moment, out: &mut Effects) {
        if outcome == Outcome::Missing {
            self.phase = Phase::Up(Check::Absent);
            // Where nothing else checks, services that are up are all one can ask for.
            if !self.services.is_empty() {
                self.checked = Health::Passing;
                self.tell_health(now, out);
            }
            return;
        }
        self.phase = Phase::Up(Check::Due(now + self.policy.monitor_interval));
        if outcome.is_success() {
            self.checked = Health::Passing;
            self.tell_health(now, out);
            self.forgive(now);
            return;
        }
        let failures = match self.checked {
            Health::Failing(failures) => failures.saturating_add(1),
            Health::Unknown | Health::Passing => 1,
        };
        self.forgive(now);
        self.checked = Health::Failing(failures);
        self.tell_health(now, out);
        if failures >= self.policy.monitor_failures {
            self.needs_restart(
                Cause::Watchdog {
                    failures,
                    last: outcome,
                },
                now,
                out,
            );
        }
    }

    /// Healthy for long enough: restarts before that no longer count.
    pub(super) fn forgive(&mut self, now: Moment) {
        let since = self.healthy_since;
        if since.is_some_and(|since| now - since >= self.policy.restart_reset) {
            self.in_a_row = 0;
            self.backoff.reset();
        }
    }
}
