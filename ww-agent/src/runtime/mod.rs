//! The one loop: what happens becomes an event, the machine answers with effects, they are
//! performed, and what they lead to comes back as events.
//!
//! One thread does all of it and waits in one place. With nobody listening nothing wakes it but
//! signals, what scripts print, and the machine's own deadlines.

mod attending;
mod effects;
mod emergency;
mod ended;
mod hooking;
mod leasing;
mod memory;
mod notices;
mod requests;
mod signalled;
mod telling;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::time::Duration;

use whaleware::lifecycle::{Event, Heard, Machine, Moment, RunId};
use whaleware::paths;
use whaleware::protocol::RequestId;

use crate::clock;
use crate::configuration::Configuration;
use crate::environment::Environment;
use crate::filters::Filters;
use crate::hooks::{Cut, Ended, Hooks};
use crate::log::Level;
use crate::output::{Loss, Output};
use crate::poller::{Poller, Ready, Token};
use crate::processes::Reach;
use crate::reaper;
use crate::record::Record;
use crate::resources::Sampler;
use crate::server::Server;
use crate::signals::Signals;
use crate::sys;
use crate::teller::{States, Stats};
use attending::{Attended, Wrapped};
use hooking::Hooking;
use leasing::Leasing;
use memory::Memory;
use notices::Notices;
use whaleware::config::Settings;

/// The pause between two samples of resources.
const SAMPLE: Duration = Duration::from_secs(2);
/// The first and the longest pause between two looks whether processes are gone.
const LOOK: Duration = Duration::from_millis(2);
const LOOK_MAX: Duration = Duration::from_millis(50);
/// A pause that is worth being small in: what is given back for it has to be mapped again after it,
/// which takes about 0.2 ms of the processor.
const REST: Duration = Duration::from_millis(500);
/// What is left to be written gets so long when the agent leaves.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Whose end is being waited for that no signal tells.
#[derive(Debug, Default)]
struct Watches {
    /// The groups of these runs.
    groups: BTreeMap<RunId, Look>,
    /// Every process there is. Nothing new is started from here on.
    everyone: Option<Look>,
}

impl Watches {
    fn next(&self) -> Option<Moment> {
        let looks = self.groups.values().chain(&self.everyone);
        looks.map(|look| look.at).min()
    }

    /// Whether a look is due; the next one is later.
    fn take(&mut self, now: Moment) -> bool {
        let mut due = false;
        for look in self.groups.values_mut().chain(&mut self.everyone) {
            if look.at <= now {
                *look = look.next(now);
                due = true;
            }
        }
        due
    }
}

/// When the next look is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    at: Moment,
    pause: Duration,
}

impl Look {
    fn first() -> Self {
        Self {
            at: clock::now(),
            pause: LOOK,
        }
    }

    fn next(self, now: Moment) -> Self {
        Self {
            at: now + self.pause,
            pause: (self.pause * 2).min(LOOK_MAX),
        }
    }
}

/// Who was said to be behind the next signal.
#[derive(Debug)]
struct Named {
    signal: i32,
    by: String,
    until: Moment,
}

/// The agent at work.
pub(crate) struct Runtime {
    boot: String,
    environment: Environment,
    configuration: Configuration,
    settings: Settings,
    machine: Machine,
    poller: Poller,
    signals: Signals,
    output: Output,
    hooks: Hooks,
    server: Option<Server>,
    record: Record,
    reach: Reach,
    states: States,
    stats: Stats,
    notices: Notices,
    filters: Filters,
    sampler: Sampler,
    next_sample: Option<Moment>,
    events: VecDeque<Event>,
    ended: VecDeque<Ended>,
    reap_again: bool,
    watches: Watches,
    /// The services' own words.
    attended: Attended,
    /// Settings for services that are not there, told once.
    unknown_services: BTreeSet<String>,
    /// What the container is there for, in `run -- CMD`.
    command: Option<Wrapped>,
    named: Option<Named>,
    checks: Vec<(u32, RequestId)>,
    heard: Option<Heard>,
    ignored: BTreeSet<i32>,
    exit: Option<i32>,
    memory: Memory,
    /// Who keeps the services down.
    leasing: Leasing,
    /// The script of a backup that runs.
    hooking: Hooking,
    /// A script has run since the agent was last at rest: what that took of memory goes back then.
    has_worked: bool,
}

impl Runtime {
    /// An agent that has not begun; `poller` waits for `signals` already.
    pub(crate) fn new(
        environment: Environment,
        configuration: Configuration,
        settings: Settings,
        poller: Poller,
        signals: Signals,
        output: Output,
        boot: u64,
    ) -> Self {
        let name = format!("{boot:016x}");
        let memory = Memory::new(&environment, &name);
        Self {
            boot: name,
            hooks: Hooks::new(environment.clone()),
            machine: Machine::new(settings.policy.clone(), boot),
            record: Record::new(&settings.policy),
            reach: Reach::here(),
            environment,
            configuration,
            settings,
            poller,
            signals,
            output,
            server: None,
            states: States::default(),
            stats: Stats::default(),
            notices: Notices::new(),
            filters: Filters::default(),
            sampler: Sampler::here(),
            next_sample: None,
            events: VecDeque::new(),
            ended: VecDeque::new(),
            reap_again: false,
            watches: Watches::default(),
            attended: Attended::new(),
            unknown_services: BTreeSet::new(),
            command: None,
            named: None,
            checks: Vec::new(),
            heard: None,
            ignored: BTreeSet::new(),
            exit: None,
            memory,
            leasing: Leasing::default(),
            hooking: Hooking::default(),
            has_worked: false,
        }
    }

    /// Lives the life cycle to its end; answers the exit code.
    pub(crate) fn run(&mut self) -> i32 {
        self.begin();
        loop {
            if let Some(code) = self.turn(None) {
                self.remember_exit(code, None);
                return code;
            }
        }
    }

    /// Once round the loop, waiting until then at most; answers the exit code at the end.
    fn turn(&mut self, until: Option<Moment>) -> Option<i32> {
        self.settle();
        self.catch_up();
        if let Some(code) = self.exit {
            self.hooks.pipes.drain(&mut self.output);
            self.output.settle(LAST_WORDS);
            return Some(code);
        }
        self.stop_sampling();
        self.output.arm(&self.poller);
        let most = until.map(|until| until - clock::now());
        let timeout = self.timeout().into_iter().chain(most).min();
        self.give_back(timeout);
        match self.poller.wait(timeout) {
            Ok(ready) => {
                for one in ready {
                    self.dispatch(one);
                }
            }
            Err(error) => {
                let reason = format!("cannot wait for events: {error}");
                let effects = self.machine.fault(reason, clock::now());
                self.perform(effects, Cut::Superseded);
                // Without being told what is ready: look at what matters most, now and then.
                self.on_signals();
                std::thread::sleep(LOOK_MAX);
            }
        }
        if std::mem::take(&mut self.reap_again) {
            self.reap();
        }
        self.deadlines();
        self.report_losses();
        None
    }

    /// Gives back what the last work took of memory when there is a rest now, of so long.
    fn give_back(&mut self, rest: Option<Duration>) {
        if self.has_worked && self.hooks.is_idle() && rest.is_none_or(|rest| rest >= REST) {
            self.has_worked = false;
            sys::give_back();
        }
    }

    fn begin(&mut self) {
        self.become_reaper();
        let published = if self.is_guest() {
            Ok(None)
        } else {
            self.configuration.publish(&self.environment)
        };
        match published {
            Ok(None) => {}
            Ok(Some(directory)) => self.degrade(&format!(
                "cannot write to /ww/etc; the merged configuration is in {}",
                directory.display()
            )),
            Err(error) => self.degrade(&format!(
                "cannot write the merged configuration to {}: {error}",
                paths::MERGED_CFG
            )),
        }
        let (server, problems) = Server::open(&self.environment, &self.poller);
        for problem in problems {
            self.degrade(&problem);
        }
        match &server {
            Some(server) if self.environment.socket.is_none() => {
                if server.path() != self.environment.path(paths::SOCKET) {
                    let text = format!("the socket is {}", server.path().display());
                    self.output.log(Level::Info, &text);
                }
            }
            Some(_) => {}
            None => self.degrade("there is no socket: nobody can watch this agent or ask it"),
        }
        self.server = server;
        self.open_notices();
        let mark = self.environment.path(paths::INITIALISED_MARK);
        let initialised = fs::symlink_metadata(mark).is_ok();
        self.remember_soon(initialised);
        self.events.push_back(Event::Start { initialised });
    }

    /// Orphans must come to this process, or nobody would take their status.
    fn become_reaper(&mut self) {
        if self.reach == Reach::Everyone {
            return;
        }
        match nix::sys::prctl::set_child_subreaper(true) {
            Ok(()) => self.degrade(
                "not PID 1 (started with --init or from a shell?): takes care of its own \
                 descendants only",
            ),
            Err(error) => self.degrade(&format!(
                "not PID 1, and cannot take care of orphans: {error}"
            )),
        }
    }

    /// Takes everything in that has happened, until nothing more follows from it.
    fn settle(&mut self) {
        loop {
            if let Some(ended) = self.ended.pop_front() {
                self.has_worked = true;
                self.on_ended(ended);
            } else if let Some(event) = self.events.pop_front() {
                let effects = self.machine.handle(event, clock::now());
                self.perform(effects, Cut::Superseded);
            } else if let Some(id) = self.hooks.begun.pop() {
                self.events.push_back(Event::Began(id));
            } else if let Some(trouble) = self.hooks.trouble.take() {
                self.output.log(Level::Warning, &trouble);
                self.note(&trouble);
            } else if self.end_lost_lease() || self.cut_lost_hook() {
                // What that has led to is taken in next.
            } else if !self.begin_telling() {
                return;
            }
        }
    }

    fn dispatch(&mut self, ready: Ready) {
        match ready.token {
            Token::Signals => self.on_signals(),
            Token::Listener => self.accept(),
            Token::Stdout | Token::Stderr => self.output.flush(),
            Token::Notices => self.hear(),
            Token::Service(number) => self.hear_service(number),
            Token::Pipe(id) => self.hooks.pipes.read(id, &mut self.output, &self.poller),
            Token::Client(id) => {
                let asked = self
                    .server
                    .as_mut()
                    .map(|server| server.ready(id, ready, &self.poller))
                    .unwrap_or_default();
                for one in asked {
                    self.on_asked(one);
                }
            }
        }
        // What one has led to is seen by the next.
        self.settle();
    }

    // ---- processes that end -------------------------------------------------------------------

    fn reap(&mut self) {
        let harvest = reaper::reap();
        for (pid, ending) in harvest.ended {
            let pipes = &mut self.hooks.pipes;
            let answered = self
                .filters
                .reaped(pid, ending, pipes, &mut self.output, &self.poller);
            if let Some((client, answer)) = answered {
                self.send(client, &answer);
                continue;
            }
            if self.worker_ended(pid, ending) {
                continue;
            }
            let ended = self
                .hooks
                .reaped(pid, ending, &mut self.output, &self.poller);
            self.ended.extend(ended);
        }
        self.hooks.forget_empty_groups();
        self.reap_again = harvest.more;
        let hooks = &mut self.hooks;
        let events = &mut self.events;
        self.watches.groups.retain(|id, _| {
            let empty = hooks.group_is_empty(*id);
            if empty {
                events.push_back(Event::GroupEmpty(*id));
            }
            !empty
        });
        if self.watches.everyone.is_some() && harvest.childless && self.reach.is_alone() {
            self.watches.everyone = None;
            self.events.push_back(Event::AllGone);
        }
    }

    // ---- time ---------------------------------------------------------------------------------

    fn timeout(&self) -> Option<Duration> {
        if self.reap_again {
            return Some(Duration::ZERO);
        }
        let retry = match self.watches.everyone {
            None => self.hooks.next_retry(),
            Some(_) => None,
        };
        let server = self.server.as_ref().and_then(Server::next_deadline);
        let next = [
            self.machine.next_deadline(),
            retry,
            self.next_cut(),
            self.next_hook_deadline(),
            self.next_sample,
            self.notices.next_deadline(),
            self.attended.next_deadline(),
            self.watches.next(),
            server,
        ];
        let now = clock::now();
        next.into_iter().flatten().min().map(|at| at - now)
    }

    fn deadlines(&mut self) {
        let now = clock::now();
        let effects = self.machine.handle_deadline(now);
        self.perform(effects, Cut::Overdue);
        // Once everything is being ended nothing is started any more.
        if self.watches.everyone.is_none() {
            self.ended.extend(self.hooks.retry(now, &self.poller));
        }
        self.cut_overdue(now);
        self.hurry_hook(now);
        if let Some(server) = &mut self.server {
            server.resume(now, &self.poller);
        }
        if self.watches.take(now) {
            self.reap();
        }
        if self.next_sample.is_some_and(|at| at <= now) {
            self.sample(now);
        }
        self.tell_notices(now);
        self.tell_services(now);
    }

    fn report_losses(&mut self) {
        for (name, loss) in self.output.losses() {
            let text = match loss {
                Loss::Begun => format!("nobody reads {name} any more: output is being dropped"),
                Loss::Ended(bytes) => {
                    format!("{name} is read again: {bytes} bytes of output were dropped")
                }
            };
            self.output.log(Level::Warning, &text);
            self.note(&text);
        }
    }
}
