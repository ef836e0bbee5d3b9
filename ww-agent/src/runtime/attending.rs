//! The foreground services: what `svc.d` holds, what they say, what is told of them.

use std::collections::BTreeMap;

use nix::libc::{SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU};
use whaleware::env;
use whaleware::lifecycle::{
    Effect, Event, Failure, MAIN_SERVICE, Moment, Outcome, RunId, ServiceNotice, ServiceStand,
    ServiceView,
};
use whaleware::protocol::FromAgent;

use super::Runtime;
use super::memory::Memory;
use super::notices::Pace;
use crate::clock;
use crate::hooks::{Cut, Ended, Owner, Task};
use crate::log::{self, Level};
use crate::notify::{Notice, NotifySocket, Watchdog};
use crate::poller::{Interest, Token};
use crate::services::{self, Listing};
use crate::sys;

/// A service may ask for so much more time at once.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// Where the services that run say what they have to say.
#[derive(Debug)]
pub(super) struct Attended {
    sockets: BTreeMap<RunId, (String, NotifySocket)>,
    /// When those that are to end were told so.
    told: BTreeMap<RunId, Moment>,
    /// Something was said that has not been told yet.
    pace: Pace,
    changed: Vec<String>,
}

impl Attended {
    pub(super) const fn new() -> Self {
        Self {
            sockets: BTreeMap::new(),
            told: BTreeMap::new(),
            pace: Pace::new(super::notices::TOLD),
            changed: Vec::new(),
        }
    }

    /// When something is to be told; none while nothing waits.
    pub(super) const fn next_deadline(&self) -> Option<Moment> {
        self.pace.due()
    }
}

/// What a container is there for in `run -- CMD`.
#[derive(Debug)]
pub(super) struct Wrapped {
    words: Vec<std::ffi::OsString>,
    /// The image has nothing of whaleware's: nothing is written there.
    is_guest: bool,
    /// The agent was asked to stand still: it does when its command does.
    is_to_stop: bool,
}

impl Runtime {
    /// Whether nothing is to be left behind here.
    pub(super) fn is_guest(&self) -> bool {
        self.command
            .as_ref()
            .is_some_and(|command| command.is_guest)
    }

    /// The services there are now, before `svcup` makes them wanted: `boot` may have put some there.
    pub(super) fn know_services(&mut self) {
        if self.command.is_none() {
            let directory = self.environment.path(whaleware::paths::SERVICES);
            let Listing {
                names,
                left_out,
                faults,
            } = services::list(&directory);
            for name in left_out {
                let text = format!("svc.d/{name} is left out: its name says that it is no service");
                self.output.log(Level::Info, &text);
            }
            for name in self.settings.policy.services.keys() {
                if !names.contains(name) && self.unknown_services.insert(name.clone()) {
                    let name = log::plain(name, 64);
                    let text = format!(
                        "there are settings for a service {name} (ww.services), but no /ww/usr/svc.d/{name}"
                    );
                    self.output.log(Level::Warning, &text);
                }
            }
            let mut faults = faults.into_iter();
            match faults.next() {
                // One that is silently absent would be worse than an error.
                Some(fault) => self.machine.cannot_know_services(fault),
                None => self.machine.know_services(&names),
            }
            // The first one is the cause that the life cycle tells.
            for fault in faults {
                self.output.log(Level::Error, &fault);
            }
        }
        let budget = self.machine.services_budget();
        self.record
            .know_services(self.machine.services(), budget.map(clock::milliseconds));
    }

    pub(super) fn run_service(&mut self, id: RunId, name: String) {
        let variables = self.service_environment(id, &name);
        let task = match &self.command {
            Some(command) => Task::Command(command.words.clone(), variables),
            None => Task::Service(name, variables),
        };
        let state = self.record.state();
        let owner = Owner::Service(id);
        let ended = self.hooks.start(owner, task, state, None, &self.poller);
        self.ended.extend(ended);
    }

    /// A socket of its own for each run, so that a late word of the last one is not taken for this
    /// one's.
    fn service_environment(&mut self, id: RunId, name: &str) -> Vec<(&'static str, String)> {
        let mut variables = vec![(env::WW_SERVICE, name.to_owned())];
        let opened = NotifySocket::open().and_then(|socket| {
            let number = u32::try_from(id.0 & u64::from(u32::MAX)).unwrap_or(0);
            self.poller
                .add(&socket, Token::Service(number), Interest::Read)?;
            Ok(socket)
        });
        let socket = match opened {
            Ok(socket) => socket,
            Err(error) => {
                self.degrade(&format!("services cannot say how they are: {error}"));
                return variables;
            }
        };
        let address = socket.address().to_owned();
        variables.push((env::WW_NOTIFY_SOCKET, address.clone()));
        let rules = self.settings.policy.services.get(name);
        let watchdog = rules.and_then(|rules| rules.watchdog);
        // A program that finds this changes how it behaves: only where that was asked for.
        if watchdog.is_some() || rules.is_some_and(|rules| rules.notify) {
            variables.push((env::NOTIFY_SOCKET, address));
        }
        if let Some(pause) = watchdog {
            variables.push((env::WATCHDOG_USEC, pause.as_micros().to_string()));
        }
        self.attended.sockets.insert(id, (name.to_owned(), socket));
        variables
    }

    /// A service stands differently now.
    pub(super) fn on_service(&mut self, view: &ServiceView) {
        let pid = view.run.and_then(|run| self.hooks.pid(Owner::Service(run)));
        // Only now: when it ended, nobody knew yet whether a stop would come before its turn.
        if view.stand == ServiceStand::Waiting {
            let name = log::plain(&view.name, 64);
            let text = format!("service {name} is started again after a pause");
            self.output.log(Level::Info, &text);
        }
        if let Some(report) = self.record.service(view, pid) {
            self.tell(&FromAgent::Service(report));
        }
    }

    /// Something was said on a service's socket.
    pub(super) fn hear_service(&mut self, number: u32) {
        let id = RunId(number.into());
        let received = match self.attended.sockets.get_mut(&id) {
            Some((_, socket)) => socket.receive(),
            None => return,
        };
        self.heed_service(id, received);
    }

    fn heed_service(&mut self, id: RunId, received: Vec<Notice>) {
        let Some((name, _)) = self.attended.sockets.get(&id) else {
            return;
        };
        let name = name.clone();
        for notice in received {
            if self
                .record
                .service_said(&name, notice.status, notice.progress)
            {
                self.attended.pace.changed(clock::now());
                if !self.attended.changed.contains(&name) {
                    self.attended.changed.push(name.clone());
                }
            }
            let words = ServiceNotice {
                ready: notice.ready,
                stopping: notice.stopping,
                alive: notice.watchdog == Some(Watchdog::Alive),
                triggered: notice.watchdog == Some(Watchdog::Trigger),
                extend: notice.extend.map(|more| more.min(LONGEST)),
            };
            if words != ServiceNotice::default() {
                let event = Event::Noticed(id, words);
                let effects = self.machine.handle(event, clock::now());
                self.perform(effects, Cut::Overdue);
            }
        }
    }

    /// Tells what was said and is due.
    pub(super) fn tell_services(&mut self, now: Moment) {
        if !self.attended.pace.take(now) {
            return;
        }
        for name in std::mem::take(&mut self.attended.changed) {
            if let Some(report) = self.record.service_report(&name) {
                self.tell(&FromAgent::Service(report));
            }
        }
    }

    /// A service has ended.
    pub(super) fn on_service_ended(&mut self, id: RunId, ended: &Ended) {
        // What it said before comes before its end.
        let said = self.attended.sockets.get_mut(&id);
        let said = said.map(|(_, socket)| socket.receive_all());
        self.heed_service(id, said.unwrap_or_default());
        if let Some((_, socket)) = self.attended.sockets.remove(&id) {
            self.poller.remove(&socket);
        }
        if matches!(ended.run.task, Task::Command(..)) {
            self.take_terminal_back();
        }
        self.attended.told.remove(&id);
        let event = Event::Ended(id, ended.outcome.clone());
        let effects = self.machine.handle(event, clock::now());
        let name = match &ended.run.task {
            Task::Service(name, _) => name.as_str(),
            Task::Command(..) | Task::Hook(_) => MAIN_SERVICE,
        };
        if let Some(failure) = failure(&effects, name, ended) {
            let text = format!("{} {failure}", ended.run.task);
            let level = match &failure {
                Failure::Ended(outcome) => self.grave(outcome),
                Failure::NotReady(_)
                | Failure::Silent(_)
                | Failure::Triggered
                | Failure::Lingers(_) => Level::Warning,
            };
            self.output.log(level, &text);
            let cause = log::plain(&failure.to_string(), whaleware::protocol::MAX_TEXT);
            let exit = failure.exit_code();
            self.remember_service(&log::plain(name, 64), &cause, exit);
        }
        self.perform(effects, Cut::Superseded);
    }

    /// A service is told to end, where this is one.
    pub(super) fn service_told(&mut self, id: RunId) {
        if self.hooks.pid(Owner::Service(id)).is_some() {
            self.attended.told.entry(id).or_insert_with(clock::now);
        }
    }

    /// A service is killed that was told to end, where this is one and it still runs.
    pub(super) fn service_killed(&mut self, id: RunId) {
        let owner = Owner::Service(id);
        let (Some(run), Some(told)) = (self.hooks.get(owner), self.attended.told.get(&id)) else {
            return;
        };
        let task = run.task.clone();
        let cause = format!(
            "did not end within {}: killed",
            log::duration(clock::now() - *told)
        );
        self.output.log(Level::Warning, &format!("{task} {cause}"));
        let name = match &task {
            Task::Service(name, _) => log::plain(name, 64),
            Task::Command(..) | Task::Hook(_) => MAIN_SERVICE.to_owned(),
        };
        self.remember_service(&name, &cause, None);
    }

    // ---- the one command of `run -- CMD` ------------------------------------------------------

    /// The container is there for one command.
    ///
    /// A guest, in an image that knows nothing of all this, leaves nothing behind.
    pub(crate) fn wrap(
        &mut self,
        words: Vec<std::ffi::OsString>,
        directory: std::path::PathBuf,
        is_guest: bool,
    ) {
        self.command = Some(Wrapped {
            words,
            is_guest,
            is_to_stop: false,
        });
        if is_guest {
            self.memory = Memory::nowhere(&self.boot);
        }
        // The streams are the command's: nothing is said there but what went wrong.
        self.output.least = Level::Warning;
        self.hooks.start_directory = directory;
        self.hooks.keeps_descriptors = true;
        self.hooks.has_terminal = sys::has_terminal();
        self.machine.wrap();
    }

    /// How grave an end is. The end of the one command is told by the exit code; that it never began
    /// needs words.
    fn grave(&self, outcome: &Outcome) -> Level {
        match outcome {
            Outcome::CannotStart { .. } => Level::Error,
            _ if self.command.is_some() => Level::Info,
            Outcome::Missing
            | Outcome::Exited(_)
            | Outcome::Signalled { .. }
            | Outcome::TimedOut(_) => Level::Warning,
        }
    }

    fn command_process(&self) -> Option<i32> {
        let run = self.machine.services().next()?.run?;
        self.hooks.pid(Owner::Service(run))
    }

    /// A signal from outside, for the command's whole process group.
    pub(super) fn forward(&self, signal: i32) {
        if let Some(pid) = self.command_process() {
            sys::send(-pid, signal);
        }
    }

    fn expect_stop(&mut self, expected: bool) {
        if let Some(command) = &mut self.command {
            command.is_to_stop = expected;
        }
    }

    /// A signal that stops, from outside: where it stops the command, it stops the agent too, as whoever
    /// sent it to a job expects.
    pub(super) fn forward_stop(&mut self, signal: i32) {
        self.expect_stop(true);
        self.forward(signal);
    }

    /// The command was stopped. Whoever started the agent from a terminal is to notice, and gets the
    /// terminal.
    pub(super) fn follow_suspension(&mut self) {
        let Some(pid) = self.command_process() else {
            return;
        };
        let Some(signal) = sys::stopped_by(pid) else {
            return;
        };
        // It was put into the foreground while it ran in the background.
        if matches!(signal, SIGTTIN | SIGTTOU) && sys::is_foreground() {
            self.resume();
            return;
        }
        // A command that was stopped alone, without a terminal, is continued alone.
        let is_to_stop = self
            .command
            .as_ref()
            .is_some_and(|command| command.is_to_stop);
        if !self.hooks.has_terminal && !is_to_stop {
            return;
        }
        self.expect_stop(false);
        // What nobody could continue is not suspended at all: the kernel's own rule for ^Z.
        if !sys::suspend() && self.hooks.has_terminal && signal == SIGTSTP {
            sys::send(-pid, SIGCONT);
        }
    }

    /// Continued: with the terminal, where it was given back.
    pub(super) fn resume(&mut self) {
        self.expect_stop(false);
        if let Some(pid) = self.command_process() {
            if sys::is_foreground() {
                sys::give_terminal(pid);
            }
            sys::send(-pid, SIGCONT);
        }
    }

    fn take_terminal_back(&self) {
        if self.hooks.has_terminal {
            sys::give_terminal(sys::own_group());
        }
    }
}

/// How a service has failed; none where it was told to end for another reason, or there is none.
fn failure(effects: &[Effect], name: &str, ended: &Ended) -> Option<Failure> {
    if ended.run.cut == Cut::No {
        let there = ended.outcome != Outcome::Missing;
        return there.then(|| Failure::Ended(ended.outcome.clone()));
    }
    // Ended by the agent, which knows what for.
    let last = effects.iter().find_map(|effect| {
        let Effect::Service(view) = effect else {
            return None;
        };
        view.last.clone().filter(|_| view.name == name)
    });
    last.filter(|last| !matches!(last, Failure::Ended(_)))
}
