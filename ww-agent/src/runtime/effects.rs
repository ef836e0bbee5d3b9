//! Performs what the machine wants done.

use std::fs;
use std::time::Duration;

use nix::errno::Errno;
use whaleware::lifecycle::{Cause, Effect, Event, Hook, RunId, State, StopStage, Transition};
use whaleware::paths;
use whaleware::protocol::{self, FromAgent, HookResult, HookRun, Stopping};

use super::{Look, Runtime};
use crate::clock;
use crate::durable;
use crate::epitaph;
use crate::hooks::{Cut, Owner, Task};
use crate::log::{self, Level};
use crate::sys;
use crate::teller::Untold;

impl Runtime {
    /// Performs effects in their order. `cut` is why scripts are ended that the effects end.
    pub(super) fn perform(&mut self, effects: Vec<Effect>, cut: Cut) {
        for effect in effects {
            match effect {
                Effect::Announce(transition) => self.announce(&transition),
                Effect::Run(id, hook) => self.start(id, hook),
                Effect::RunService(id, name) => self.run_service(id, name),
                Effect::Service(view) => self.on_service(&view),
                Effect::Stage(stage, limit) => self.stage(stage, limit),
                Effect::Terminate(id) => {
                    self.service_told(id);
                    let ended = self.hooks.terminate(self.hooks.owner(id), cut);
                    self.ended.extend(ended);
                }
                Effect::Kill(id) => {
                    self.service_killed(id);
                    let ended = self.hooks.kill(self.hooks.owner(id), cut);
                    self.ended.extend(ended);
                }
                Effect::WatchGroup(id) => {
                    self.watches.groups.insert(id, Look::first());
                }
                Effect::Mark => self.mark(),
                Effect::TerminateAll => {
                    self.reach.terminate();
                    self.watches.everyone = Some(Look::first());
                }
                Effect::KillAll => {
                    let text = "some processes did not end in time: killing them";
                    self.output.log(Level::Warning, text);
                    self.reach.kill();
                    self.watches.everyone = Some(Look::first());
                }
                Effect::Health(health) => {
                    self.record.set_health(health);
                    self.record.ailing(self.machine.ailing());
                    self.tell_health();
                }
                Effect::Tolerated(hook, outcome) => {
                    let text = format!("{hook} {outcome}; going on all the same");
                    self.output.log(Level::Warning, &text);
                }
                Effect::Lease(lease) => self.on_lease(lease),
                Effect::Heard(heard) => self.heard = Some(heard),
                Effect::Exit(code) => {
                    if self.watches.everyone.is_some() {
                        let text = "some processes cannot be ended: leaving without them";
                        self.output.log(Level::Warning, text);
                    }
                    self.exit = Some(code);
                }
            }
        }
        // One more service that fails need not change how healthy the whole is.
        if self.record.ailing(self.machine.ailing()) {
            self.tell_health();
        }
    }

    fn announce(&mut self, transition: &Transition) {
        self.keep_evidence(&transition.cause);
        let restarts = self.machine.restarts();
        let in_a_row = self.machine.restarts_in_a_row();
        let report = self.record.transition(transition, restarts, in_a_row);
        let text = match transition.from {
            None => format!("{}: {}", report.state, report.cause),
            Some(from) => format!(
                "{from} -> {} after {}: {}",
                report.state,
                log::duration(transition.lasted),
                report.cause
            ),
        };
        // The end of the one command has been told.
        let known = self.command.is_some() && matches!(transition.cause, Cause::Service { .. });
        let level = if report.state == State::Error && !known {
            Level::Error
        } else {
            Level::Info
        };
        self.output.log(level, &text);
        self.remember_state(&report);
        let (number, state) = (report.number, report.state);
        if state == State::Error {
            epitaph::leave(&self.environment, &report.cause);
        }
        self.fault_if_asked(state);
        self.tell(&FromAgent::State(report));
        if state != State::Up {
            self.cut_hook(&text);
        }
        if matches!(state, State::Stopped | State::Error) {
            // The last word matters most, and there is little time: a script that still tells an
            // earlier state is in its way.
            let untold = self.states.keep(0);
            self.complain_of_untold(untold.as_ref());
            let ended = self.hooks.kill(Owner::Lifecycle, Cut::Superseded);
            self.ended.extend(ended);
        }
        let untold = self.states.push(number, state);
        self.complain_of_untold(untold.as_ref());
    }

    /// States that the `lifecycle` script does not hear of, because it was at earlier ones for too long.
    pub(super) fn complain_of_untold(&mut self, untold: Option<&Untold>) {
        if let Some(untold) = untold {
            let text = format!("the lifecycle script is too slow: {untold}");
            self.output.log(Level::Warning, &text);
        }
    }

    /// A stop has come to its next stage; one with nothing to do is not told.
    fn stage(&mut self, stage: StopStage, limit: Option<Duration>) {
        let (told, idle) = match stage {
            StopStage::Cutting => (protocol::StopStage::Cutting, false),
            StopStage::Draining => (protocol::StopStage::Draining, false),
            StopStage::Services => (protocol::StopStage::Services, false),
            StopStage::Svcdown => {
                let path = self.environment.script(Hook::Svcdown.name());
                let size = fs::metadata(path).map_or(0, |metadata| metadata.len());
                (protocol::StopStage::Svcdown, size == 0)
            }
            StopStage::Terminating => (protocol::StopStage::Terminating, !sys::has_children()),
            StopStage::Killing => (protocol::StopStage::Killing, false),
        };
        if idle {
            return;
        }
        let stopping = Stopping {
            stage: told,
            at: clock::wall(),
            limit_ms: limit.map(clock::milliseconds),
        };
        self.record.stopping = Some(stopping.clone());
        self.tell(&FromAgent::Stopping(stopping));
    }

    fn start(&mut self, id: RunId, hook: Hook) {
        if hook == Hook::Svcup {
            self.know_services();
        }
        let state = self.record.state();
        let owner = Owner::Cycle(id);
        if matches!(hook, Hook::Firstboot | Hook::Upgrade) {
            self.attempt_begins(hook);
        }
        let ended = self
            .hooks
            .start(owner, Task::Hook(hook), state, None, &self.poller);
        if ended.is_some() {
            self.ended.extend(ended);
            return;
        }
        if hook == Hook::Monitor {
            return;
        }
        let run = HookRun {
            run: id.0,
            hook: hook.name().into(),
            state,
            at: clock::wall(),
            result: HookResult::Running,
            duration_ms: 0,
            exit: None,
            detail: None,
            status: None,
            progress: None,
        };
        self.record.began(run.clone(), clock::now());
        self.tell(&FromAgent::Hook(run));
    }

    fn mark(&mut self) {
        if self.is_guest() {
            self.events.push_back(Event::Marked(Ok(())));
            return;
        }
        let path = self.environment.path(paths::INITIALISED_MARK);
        let marked = durable::mark(&path);
        self.firstboot_marked(marked.is_ok());
        let result = match marked {
            Ok(()) => Ok(()),
            // Where nothing can be written, firstboot cannot have left anything behind either.
            Err(error) if is_not_ours(&error) => {
                self.degrade(&format!(
                    "cannot write {}: {error}; firstboot runs again at the next start",
                    paths::INITIALISED_MARK
                ));
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        };
        self.events.push_back(Event::Marked(result));
    }
}

/// A place that cannot be written at all, against one that could be written before.
fn is_not_ours(error: &std::io::Error) -> bool {
    let cause = error.raw_os_error().map(Errno::from_raw);
    matches!(cause, Some(Errno::EROFS | Errno::EACCES | Errno::EPERM))
}
