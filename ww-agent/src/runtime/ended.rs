//! Scripts that have ended, and what becomes of it.

use std::time::Duration;

use whaleware::lifecycle::{Effect, Event, Hook, Moment, NO_MONITOR, Outcome, RunId};
use whaleware::protocol::{FromAgent, HookResult, HookRun, MAX_TEXT};

use super::Runtime;
use crate::clock;
use crate::hooks::{Cut, Ended, Owner, Run};
use crate::log::{self, Level};
use crate::monitor;
use crate::output::Writer;
use crate::server::{failure, success};
use crate::teller::PATIENCE;

impl Runtime {
    pub(super) fn on_ended(&mut self, ended: Ended) {
        match (ended.owner, ended.run.hook()) {
            (Owner::Service(id), _) => self.on_service_ended(id, &ended),
            (Owner::Cycle(id), Some(Hook::Monitor)) => self.on_check_ended(id, ended),
            (Owner::Cycle(id), Some(hook)) => self.on_stage_ended(id, hook, ended),
            (Owner::Lifecycle, _) => self.on_told(&ended),
            (Owner::Pushstats, _) => {
                self.stats.end();
                self.complain(&ended);
            }
            (Owner::Backup, _) => self.on_hook_ended(&ended),
            // Filters and the like are no scripts; theirs is a table of their own.
            (Owner::Filter(_) | Owner::Worker | Owner::Cycle(_), _) => {}
        }
    }

    /// The outcome as it really was: a script that was cut for its time ran out of it.
    pub(super) fn outcome(&self, run: &Run, seen: Outcome) -> Outcome {
        let limit = run
            .hook()
            .and_then(|hook| self.settings.policy.timeout(hook));
        match (run.cut, limit) {
            (Cut::Overdue, Some(limit)) => Outcome::TimedOut(limit),
            (Cut::Overdue, None) => Outcome::TimedOut(PATIENCE),
            (Cut::No | Cut::Superseded, _) => seen,
        }
    }

    fn on_stage_ended(&mut self, id: RunId, hook: Hook, ended: Ended) {
        let Ended { run, outcome, .. } = ended;
        let now = clock::now();
        let (status, progress) = self.hear_last(id, now);
        let effects = self.machine.handle(Event::Ended(id, outcome.clone()), now);
        let tolerated = effects
            .iter()
            .any(|effect| matches!(effect, Effect::Tolerated(one, _) if *one == hook));
        let outcome = self.outcome(&run, outcome);
        let result = match (&outcome, run.cut) {
            (Outcome::Missing, _) => HookResult::Missing,
            (_, Cut::Superseded) => HookResult::Cut,
            (outcome, _) if outcome.is_success() => HookResult::Ok,
            _ if tolerated => HookResult::Tolerated,
            _ => HookResult::Failed,
        };
        let report = HookRun {
            run: id.0,
            hook: hook.name().into(),
            state: run.state,
            at: run.at,
            result,
            duration_ms: clock::milliseconds(now - run.began),
            exit: outcome.exit_code(),
            detail: (!outcome.is_success() && outcome != Outcome::Missing)
                .then(|| log::plain(&outcome.to_string(), MAX_TEXT)),
            status,
            progress,
        };
        self.attempt_ended(hook, result, report.exit);
        self.remember_hook(&report);
        self.record.ended(report.clone());
        self.tell(&FromAgent::Hook(report));
        let unfinished = matches!(result, HookResult::Cut | HookResult::Failed);
        if hook == Hook::Firstboot && unfinished {
            let text = "firstboot has not finished: /data is not marked as initialised, and it \
                        runs again at the next start; it must be able to";
            self.output.log(Level::Warning, text);
        }
        self.perform(effects, Cut::Superseded);
    }

    fn on_check_ended(&mut self, id: RunId, ended: Ended) {
        let Ended {
            run,
            outcome: seen,
            printed,
            ..
        } = ended;
        let now = clock::now();
        let outcome = self.outcome(&run, seen.clone());
        let printed = printed.unwrap_or_default();
        let report = monitor::report(&outcome, now - run.began, &printed);
        if run.cut == Cut::Superseded {
            // It was ended for a stop or a restart and says nothing about health.
            self.answer_checks(|id| failure(id, "refused", "the check was cut short"));
        } else if let Some(report) = report {
            if let Some(json) = monitor::json(&report, &printed) {
                self.stats.push(json);
            }
            let failure = (!outcome.is_success())
                .then(|| log::plain(&format!("monitor {outcome}"), MAX_TEXT));
            self.record.checked(report.at, failure);
            self.record.monitor = Some(report.clone());
            let result = serde_json::to_value(&report).ok();
            self.tell(&FromAgent::Monitor(report));
            self.answer_checks(|id| success(id, result.clone()));
        } else {
            self.answer_checks(|id| failure(id, "refused", NO_MONITOR));
        }
        let effects = self.machine.handle(Event::Ended(id, seen), now);
        let changed = effects
            .iter()
            .any(|effect| matches!(effect, Effect::Health(_)));
        self.perform(effects, Cut::Superseded);
        if !changed && run.cut != Cut::Superseded && outcome != Outcome::Missing {
            self.tell_health();
        }
    }

    fn answer_checks(&mut self, answer: impl Fn(whaleware::protocol::RequestId) -> Vec<u8>) {
        for (client, id) in std::mem::take(&mut self.checks) {
            let line = answer(id);
            self.send(client, &line);
        }
    }

    /// The `lifecycle` script has ended; where there is none the agent itself says it.
    fn on_told(&mut self, ended: &Ended) {
        // What a command prints must not be mixed with what it did not.
        if self.command.is_none()
            && matches!(
                ended.outcome,
                Outcome::Missing | Outcome::CannotStart { .. }
            )
        {
            let line = format!("= LIFECYCLE: {}\n", ended.run.state);
            self.output.stdout.write(Writer::Agent, line.as_bytes());
        }
        self.complain(ended);
        if let Some(number) = self.states.end() {
            self.events.push_back(Event::Announced(number));
        }
    }

    /// A script beside the life cycle failed: nothing follows from it but a line.
    fn complain(&mut self, ended: &Ended) {
        let outcome = self.outcome(&ended.run, ended.outcome.clone());
        if !outcome.is_success() {
            let text = format!("{} {outcome}", ended.run.task);
            self.output.log(Level::Warning, &text);
            self.note(&text);
        }
    }

    /// When a script or a filter beside the life cycle has had its time.
    pub(super) fn next_cut(&self) -> Option<Moment> {
        [Owner::Lifecycle, Owner::Pushstats]
            .into_iter()
            .filter_map(|owner| self.hooks.get(owner))
            .filter(|run| run.cut == Cut::No)
            .map(|run| run.began + self.patience(run))
            .chain(self.filters.next_cut())
            .min()
    }

    fn patience(&self, run: &Run) -> Duration {
        let limit = run
            .hook()
            .and_then(|hook| self.settings.policy.timeout(hook));
        limit.unwrap_or(PATIENCE)
    }

    /// Ends scripts and filters beside the life cycle that have had their time.
    pub(super) fn cut_overdue(&mut self, now: Moment) {
        self.filters.cut(now);
        for owner in [Owner::Lifecycle, Owner::Pushstats] {
            let overdue = self
                .hooks
                .get(owner)
                .is_some_and(|run| run.cut == Cut::No && run.began + self.patience(run) <= now);
            if overdue {
                let ended = self.hooks.kill(owner, Cut::Overdue);
                self.ended.extend(ended);
                if owner == Owner::Lifecycle {
                    // Whoever hangs would do so for each of them: the newest is told next.
                    let untold = self.states.keep(1);
                    self.complain_of_untold(untold.as_ref());
                }
            }
        }
    }
}
