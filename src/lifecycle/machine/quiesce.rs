//! Standing still for a backup: a restart that is held between its two halves.
//!
//! Who asks gets a lease. It ends when he says so, when he is gone, or when its time is over; then the
//! services come up as after any restart.

use std::time::Duration;

use super::phase::{Phase, Restart, RestartStep};
use super::restart::Begun;
use super::{Effects, Machine};
use crate::lifecycle::effect::{Heard, Lease, LeaseEnd};
use crate::lifecycle::{Cause, Effect, Health, Moment};

impl Machine {
    /// Until when at most a backup keeps the services down, or is to.
    #[must_use]
    pub const fn lease_deadline(&self) -> Option<Moment> {
        self.phase.lease()
    }

    pub(super) fn on_quiesce(
        &mut self,
        by: String,
        most: Duration,
        now: Moment,
        out: &mut Effects,
    ) {
        let refused = match &self.phase {
            Phase::Up(_) => {
                out.push(Effect::Heard(Heard::Begun));
                let begun = Begun::Quiesced(now + most);
                return self.begin_restart(Cause::Quiesced(by), begun, now, out);
            }
            Phase::Created => "it has not started yet",
            Phase::Starting { .. } => "it is not UP yet",
            Phase::Restarting(_) if self.phase.lease().is_some() => "it is quiesced already",
            Phase::Restarting(_) => "its services are being restarted; ask again when it is UP",
            Phase::Stopping(_) | Phase::Done => "it is stopping",
        };
        out.push(Effect::Heard(Heard::Refused(refused)));
    }

    pub(super) fn on_resume(&mut self, now: Moment, out: &mut Effects) {
        if self.phase.lease().is_some() {
            out.push(Effect::Heard(Heard::Begun));
            self.end_lease(LeaseEnd::Resumed, now, out);
        } else {
            out.push(Effect::Heard(Heard::Refused("it is not quiesced")));
        }
    }

    /// Nothing runs any more: so it stays.
    pub(super) fn hold(
        &mut self,
        mut restart: Restart,
        until: Moment,
        now: Moment,
        out: &mut Effects,
    ) {
        restart.step = RestartStep::Held { until };
        self.phase = Phase::Restarting(restart);
        self.checked = Health::Unknown;
        self.tell_health(now, out);
        out.push(Effect::Lease(Lease::Held));
    }

    /// The lease is over. What is being stopped is stopped to its end, and comes up at once then.
    pub(super) fn end_lease(&mut self, why: LeaseEnd, now: Moment, out: &mut Effects) {
        out.push(Effect::Lease(Lease::Ended(why)));
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Restarting(
                restart @ Restart {
                    step: RestartStep::Held { .. },
                    ..
                },
            ) => self.begin_svcup(restart, now, out),
            Phase::Restarting(mut restart) => {
                restart.lease = None;
                self.phase = Phase::Restarting(restart);
            }
            phase @ (Phase::Created
            | Phase::Starting { .. }
            | Phase::Up(_)
            | Phase::Stopping(_)
            | Phase::Done) => self.phase = phase,
        }
    }
}
