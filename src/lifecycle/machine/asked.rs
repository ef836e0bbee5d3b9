//! What is asked of the machine from outside, in each of its phases.

use std::time::Duration;

use super::phase::{Check, Part, Phase, Restart, RestartStep, Stage};
use super::{Effects, Machine};
use crate::lifecycle::effect::{Heard, NO_MONITOR};
use crate::lifecycle::{Cause, Effect, Hook, Moment, State};

impl Machine {
    pub(super) fn on_restart(&mut self, cause: Cause, now: Moment, out: &mut Effects) {
        match &mut self.phase {
            Phase::Starting {
                stage: Stage::Boot | Stage::Firstboot | Stage::Upgrade,
                ..
            } => {
                // The services have not been started yet: this very boot is what was asked for.
                out.push(Effect::Heard(Heard::Joined));
            }
            // The services are being started already: once more after that.
            Phase::Starting {
                stage: Stage::Svcup | Stage::Warmup,
                again,
                ..
            }
            | Phase::Restarting(Restart {
                step: RestartStep::Running(Part::Svcup | Part::Warmup, _) | RestartStep::Settling,
                again,
                ..
            }) => {
                out.push(Effect::Heard(queue(again, cause)));
            }
            Phase::Restarting(restart) => {
                // The services are yet to be started: that start serves this request too, and
                // somebody wants it now. Where a backup keeps them down, it comes when that is over.
                out.push(Effect::Heard(Heard::Joined));
                restart.pause = Duration::ZERO;
                if let RestartStep::Pausing { until } = &mut restart.step {
                    *until = now;
                    self.on_deadline(now, out);
                }
            }
            Phase::Up(_) => {
                out.push(Effect::Heard(Heard::Begun));
                self.asked_restart(cause, now, out);
            }
            Phase::Created => out.push(Effect::Heard(Heard::Refused("it has not started yet"))),
            Phase::Stopping(_) | Phase::Done => {
                out.push(Effect::Heard(Heard::Refused("it is stopping")));
            }
        }
    }

    pub(super) fn on_check(&mut self, now: Moment, out: &mut Effects) {
        match &self.phase {
            Phase::Up(Check::Due(_)) => {
                out.push(Effect::Heard(Heard::Begun));
                let run = self.run(Hook::Monitor, now, out);
                self.phase = Phase::Up(Check::Running(run));
            }
            Phase::Up(Check::Running(_)) => out.push(Effect::Heard(Heard::Joined)),
            Phase::Up(Check::Absent) => {
                out.push(Effect::Heard(Heard::Refused(NO_MONITOR)));
            }
            Phase::Created | Phase::Starting { .. } | Phase::Restarting(_) => {
                out.push(Effect::Heard(Heard::Refused("it is not UP")));
            }
            Phase::Stopping(_) | Phase::Done => {
                out.push(Effect::Heard(Heard::Refused("it is stopping")));
            }
        }
    }

    pub(super) fn on_stop(&mut self, cause: Cause, now: Moment, out: &mut Effects) {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Stopping(stop) => {
                out.push(Effect::Heard(Heard::Joined));
                self.hurry(stop, now, out);
            }
            Phase::Done => {
                out.push(Effect::Heard(Heard::Refused("it is stopping")));
            }
            phase @ (Phase::Created
            | Phase::Starting { .. }
            | Phase::Up(_)
            | Phase::Restarting(_)) => {
                out.push(Effect::Heard(Heard::Begun));
                self.phase = phase;
                let drain = if self.been_up {
                    self.policy.drain
                } else {
                    Duration::ZERO
                };
                self.begin_stop(State::Stopped, cause, 0, drain, now, out);
            }
        }
    }
}

/// One more restart after the one under way; never more than one.
fn queue(again: &mut Option<Cause>, cause: Cause) -> Heard {
    if again.is_some() {
        return Heard::Joined;
    }
    *again = Some(cause);
    Heard::Queued
}
