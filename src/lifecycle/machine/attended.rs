//! What the foreground services lead to, in each of the machine's phases.

use super::phase::{Part, Phase, Restart, RestartStep, Stage, Step, StopStep};
use super::{Effects, Machine};
use crate::lifecycle::services::{Failure, Ids, MAIN_SERVICE, News};
use crate::lifecycle::{Cause, Effect, Health, Moment, Outcome, RunId, ServiceNotice, State};

impl Machine {
    /// These are the services of `svc.d`, in the order they are started. Without effect while some of
    /// them run, and in a container that is there for one command.
    pub fn know_services(&mut self, names: &[String]) {
        self.unknown_services = None;
        if !self.wraps {
            self.services.know(names, &self.policy, self.seed);
        }
    }

    /// It cannot be told what services there are, and why. A container that is UP without one it was to
    /// have would be worse than one that fails: none is started, and that is their failure.
    pub fn cannot_know_services(&mut self, reason: String) {
        if !self.wraps {
            self.unknown_services = Some(reason);
        }
    }

    /// The container is there for one command: it is the only service, and its end is the
    /// container's.
    pub fn wrap(&mut self) {
        self.wraps = true;
        let names = [MAIN_SERVICE.to_owned()];
        self.services.know(&names, &self.policy, self.seed);
    }

    pub(super) fn start_services(&mut self, now: Moment, out: &mut Effects) {
        if let Some(reason) = self.unknown_services.take() {
            return self.services_failed(Cause::Services(reason), now, out);
        }
        let news = self.services.start(&mut Ids(&mut self.runs), now, out);
        self.on_news(news, now, out);
    }

    /// They are being stopped, or have been.
    pub(super) fn stop_services(&mut self, now: Moment, out: &mut Effects) {
        let news = self.services.stop(&mut Ids(&mut self.runs), now, out);
        self.on_news(news, now, out);
    }

    pub(super) fn service_ended(
        &mut self,
        run: RunId,
        outcome: Outcome,
        now: Moment,
        out: &mut Effects,
    ) {
        let ids = &mut Ids(&mut self.runs);
        let news = self.services.ended(run, outcome, ids, now, out);
        self.on_news(news, now, out);
    }

    pub(super) fn service_cleared(&mut self, run: RunId, now: Moment, out: &mut Effects) {
        let ids = &mut Ids(&mut self.runs);
        let news = self.services.group_empty(run, ids, now, out);
        self.on_news(news, now, out);
    }

    pub(super) fn service_began(&mut self, run: RunId, now: Moment, out: &mut Effects) {
        let ids = &mut Ids(&mut self.runs);
        let news = self.services.began(run, ids, now, out);
        self.on_news(news, now, out);
    }

    pub(super) fn service_noticed(
        &mut self,
        run: RunId,
        notice: ServiceNotice,
        now: Moment,
        out: &mut Effects,
    ) {
        let ids = &mut Ids(&mut self.runs);
        let news = self.services.noticed(run, notice, ids, now, out);
        self.on_news(news, now, out);
    }

    pub(super) fn services_deadline(&mut self, now: Moment, out: &mut Effects) {
        let ids = &mut Ids(&mut self.runs);
        let news = self.services.handle_deadline(ids, now, out);
        self.on_news(news, now, out);
    }

    fn on_news(&mut self, news: Option<News>, now: Moment, out: &mut Effects) {
        match news {
            None => {}
            Some(News::Started) => self.services_started(now, out),
            Some(News::Stopped) => self.services_stopped(now, out),
            Some(News::Exhausted {
                name,
                failure,
                restarts,
            }) => {
                let cause = Cause::Service {
                    name,
                    failure,
                    restarts,
                };
                self.services_failed(cause, now, out);
            }
            Some(News::MainEnded(outcome)) => self.main_ended(outcome, now, out),
        }
        self.tell_health(now, out);
    }

    fn services_started(&mut self, now: Moment, out: &mut Effects) {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Starting {
                stage,
                step: Step::Settling,
                again,
            } => {
                let finished = Cause::Finished(stage.hook());
                self.enter_stage(Stage::Warmup, finished, again, now, out);
            }
            Phase::Restarting(
                restart @ Restart {
                    step: RestartStep::Settling,
                    ..
                },
            ) => self.restart_settled(restart, now, out),
            phase @ (Phase::Created
            | Phase::Starting { .. }
            | Phase::Up(_)
            | Phase::Restarting(_)
            | Phase::Stopping(_)
            | Phase::Done) => self.phase = phase,
        }
    }

    fn services_stopped(&mut self, now: Moment, out: &mut Effects) {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Restarting(mut restart) if restart.step == RestartStep::Halting => {
                restart.step = self.restart_part(Part::Svcdown, now, out);
                self.phase = Phase::Restarting(restart);
            }
            Phase::Stopping(stop) if stop.step == StopStep::Halting => {
                self.stop_svcdown(stop, now, out);
            }
            phase @ (Phase::Created
            | Phase::Starting { .. }
            | Phase::Up(_)
            | Phase::Restarting(_)
            | Phase::Stopping(_)
            | Phase::Done) => self.phase = phase,
        }
    }

    /// One of them does not come up, however often it is started.
    fn services_failed(&mut self, cause: Cause, now: Moment, out: &mut Effects) {
        match self.phase {
            Phase::Starting { .. } => self.fail(cause, now, out),
            Phase::Up(_) | Phase::Restarting(_) => self.needs_restart(cause, now, out),
            // What has failed is being stopped anyway.
            Phase::Created | Phase::Stopping(_) | Phase::Done => {}
        }
    }

    /// The command the container is there for has ended: so does the container, with its exit code.
    fn main_ended(&mut self, outcome: Outcome, now: Moment, out: &mut Effects) {
        let code = outcome.exit_code().unwrap_or(0);
        let state = if code == 0 {
            State::Stopped
        } else {
            State::Error
        };
        match self.phase {
            // What the stop is for decides; see `exit_code`.
            Phase::Created | Phase::Done | Phase::Stopping(_) => {}
            Phase::Starting { .. } | Phase::Up(_) | Phase::Restarting(_) => {
                let cause = Cause::Service {
                    name: MAIN_SERVICE.into(),
                    failure: Failure::Ended(outcome),
                    restarts: 0,
                };
                self.begin_stop(state, cause, code, std::time::Duration::ZERO, now, out);
            }
        }
    }

    /// The exit code of a stop: that of the command the container is there for, where there is one and
    /// the stop was asked for.
    pub(super) fn exit_code(&self, code: i32) -> i32 {
        let main = self.services.main_ended();
        match main.and_then(Outcome::exit_code) {
            Some(main) if self.state == Some(State::Stopped) => main,
            Some(_) | None => code,
        }
    }

    /// What the checks and the services together say, where that is news.
    pub(super) fn tell_health(&mut self, now: Moment, out: &mut Effects) {
        let failing = self.services.failing();
        let health = match (self.checked, failing) {
            (Health::Failing(checks), _) => Health::Failing(checks.max(failing)),
            (Health::Unknown | Health::Passing, 1..) => Health::Failing(failing),
            (checked @ (Health::Unknown | Health::Passing), 0) => checked,
        };
        match health {
            Health::Failing(_) => {
                // What it was until now still counts.
                self.forgive(now);
                self.healthy_since = None;
            }
            Health::Unknown | Health::Passing => {
                if matches!(self.phase, Phase::Up(_)) {
                    self.healthy_since.get_or_insert(now);
                }
            }
        }
        if self.health != health {
            self.health = health;
            out.push(Effect::Health(health));
        }
    }

    /// Whether this is the run of a service, not of a script.
    pub(super) fn is_service(&self, run: RunId) -> bool {
        self.services.own(run)
    }
}
