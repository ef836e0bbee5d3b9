//! The image's scripts as processes: started here, signalled here, their ends understood here.
//!
//! Only [`crate::reaper`] takes exit statuses; what it finds is matched with the table here.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use nix::errno::Errno;
use nix::libc::{SIGCONT, SIGKILL, SIGTERM};
use whaleware::env;
use whaleware::lifecycle::{Hook, MAIN_SERVICE, Moment, Outcome, RunId, State};

use crate::clock;
use crate::environment::Environment;
use crate::journal::Variables;
use crate::log;
use crate::output::Output;
use crate::pipes::{Capture, Keep, Pipes};
use crate::poller::Poller;
use crate::resources::OomKills;
use crate::script::{self, Form, ScriptFault};
use crate::signals;
use crate::spawn::{spawn, spawn_in};
use crate::sys::{self, Ending};

/// The first pause before a process that could not be made is tried again; it doubles.
const RETRY: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(1);
/// How long the machine may be short of processes or memory before a script counts as failed.
const RETRY_FOR: Duration = Duration::from_secs(30);
/// How long a file may be still being written.
const BUSY_FOR: Duration = Duration::from_secs(1);

/// The most characters of a service's name in a text.
const MAX_NAME: usize = 64;

/// On whose behalf a script runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// The life cycle itself.
    Cycle(RunId),
    /// Telling a state; one at a time.
    Lifecycle,
    /// Sending numbers on; one at a time.
    Pushstats,
    /// A foreground service.
    Service(RunId),
    /// A backup, or bringing one back; one at a time.
    Backup,
    /// What does something with the directory of such a script; no script, but it has pipes.
    Worker,
    /// A filter somebody asked for; not a script, but it has pipes.
    Filter(u32),
}

/// Where scripts say how far they are.
#[derive(Debug)]
pub(crate) struct Places {
    /// Those of the life cycle.
    pub(crate) cycle: String,
    /// Those beside it, which speak for nobody.
    pub(crate) beside: String,
}

impl Places {
    fn of(&self, hook: Hook) -> &str {
        match hook {
            Hook::Boot
            | Hook::Firstboot
            | Hook::Upgrade
            | Hook::Svcup
            | Hook::Warmup
            | Hook::Svcdown => &self.cycle,
            Hook::Monitor | Hook::Lifecycle | Hook::Pushstats | Hook::Backup | Hook::Restore => {
                &self.beside
            }
        }
    }
}

/// What is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Task {
    /// A script.
    Hook(Hook),
    /// A service of `svc.d`, by its name, with what is put into its environment.
    Service(String, Vec<(&'static str, String)>),
    /// The command the container is there for, with its arguments.
    Command(Vec<OsString>, Vec<(&'static str, String)>),
}

impl fmt::Display for Task {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hook(hook) => write!(formatter, "{hook}"),
            Self::Service(name, _) => write!(formatter, "service {}", log::plain(name, MAX_NAME)),
            Self::Command(..) => write!(formatter, "service {MAIN_SERVICE}"),
        }
    }
}

/// Why a run was told to end before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It was not.
    No,
    /// Its time was over.
    Overdue,
    /// Something else came first.
    Superseded,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It could not be started for want of something that may come; tried again then.
    Waiting { at: Moment, pause: Duration },
    /// It runs as this process, which leads a group of the same number.
    Running(i32),
}

/// A run of a script.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// What runs.
    pub(crate) task: Task,
    /// Its argument.
    argument: Option<String>,
    /// The state it runs in.
    pub(crate) state: State,
    /// When it began, for people.
    pub(crate) at: Timestamp,
    /// When it began.
    pub(crate) began: Moment,
    /// Whether, and why, it was told to end.
    pub(crate) cut: Cut,
    stage: Stage,
    oom_kills: Option<u64>,
}

impl Run {
    /// The script, where it is one.
    pub(crate) const fn hook(&self) -> Option<Hook> {
        match self.task {
            Task::Hook(hook) => Some(hook),
            Task::Service(..) | Task::Command(..) => None,
        }
    }
}

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    /// On whose behalf it ran.
    pub(crate) owner: Owner,
    /// What it was.
    pub(crate) run: Run,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// The beginning of what a monitor printed.
    pub(crate) printed: Option<Capture>,
}

/// Why a process was not made.
enum Refusal {
    /// Trying again may help, for so long.
    Later(io::Error, Duration),
    /// It will not.
    Never(ScriptFault),
    /// There is nothing to run.
    Missing,
}

/// All runs that are under way.
#[derive(Debug)]
pub(crate) struct Hooks {
    environment: Environment,
    oom_kills: OomKills,
    runs: BTreeMap<Owner, Run>,
    pids: BTreeMap<i32, Owner>,
    /// Groups whose leader has ended while others of them live on.
    groups: BTreeMap<RunId, i32>,
    /// What they print.
    pub(crate) pipes: Pipes,
    /// Where scripts may say how far they are, if there is such a place.
    pub(crate) notify: Option<Places>,
    /// What keeps a script from being started for now, to be told once.
    pub(crate) trouble: Option<String>,
    /// Services whose process exists, to be told once.
    pub(crate) begun: Vec<RunId>,
    /// There is a terminal, to be the command's while it runs.
    pub(crate) has_terminal: bool,
    /// The descriptors the agent was started with are the command's: they stay as they are.
    pub(crate) keeps_descriptors: bool,
    /// Where the agent was started; only the command goes on from there.
    pub(crate) start_directory: PathBuf,
    /// What scripts find in their environment beside what all find there.
    told: BTreeMap<Hook, Variables>,
}

impl Hooks {
    /// Nothing runs yet.
    pub(crate) fn new(environment: Environment) -> Self {
        Self {
            environment,
            oom_kills: OomKills::default(),
            runs: BTreeMap::new(),
            pids: BTreeMap::new(),
            groups: BTreeMap::new(),
            pipes: Pipes::default(),
            notify: None,
            trouble: None,
            begun: Vec::new(),
            has_terminal: false,
            keeps_descriptors: false,
            start_directory: PathBuf::from("/"),
            told: BTreeMap::new(),
        }
    }

    /// Puts variables into the environment of a script, whatever the agent's own says of them.
    pub(crate) fn tell(&mut self, hook: Hook, variables: Variables) {
        self.told.insert(hook, variables);
    }

    /// Starts a script. Answers with its end when it has ended already: there is none, or it cannot
    /// be started.
    pub(crate) fn start(
        &mut self,
        owner: Owner,
        task: Task,
        state: State,
        argument: Option<String>,
        poller: &Poller,
    ) -> Option<Ended> {
        let began = clock::now();
        let run = Run {
            task,
            argument,
            state,
            at: clock::wall(),
            began,
            cut: Cut::No,
            stage: Stage::Waiting {
                at: began,
                pause: RETRY,
            },
            oom_kills: None,
        };
        self.runs.insert(owner, run);
        let ended = self.attempt(owner, poller);
        // Only now: no script is to wait for it, and none is out of memory as soon as it begins.
        if let Some(run) = self.runs.get_mut(&owner) {
            run.oom_kills = self.oom_kills.count();
        }
        ended
    }

    fn attempt(&mut self, owner: Owner, poller: &Poller) -> Option<Ended> {
        let run = self.runs.get(&owner)?;
        let (task, state, argument) = (run.task.clone(), run.state, run.argument.clone());
        match self.spawn(owner, &task, state, argument, poller) {
            Ok(pid) => {
                self.pids.insert(pid, owner);
                if let Owner::Service(id) = owner {
                    self.begun.push(id);
                }
                if let Some(run) = self.runs.get_mut(&owner) {
                    run.stage = Stage::Running(pid);
                }
                None
            }
            Err(Refusal::Missing) => self.close(owner, Outcome::Missing),
            Err(Refusal::Never(fault)) => self.close(owner, cannot_start(&fault)),
            Err(Refusal::Later(error, limit)) => {
                let now = clock::now();
                let run = self.runs.get_mut(&owner)?;
                if now - run.began >= limit {
                    return self.close(owner, cannot_start(&ScriptFault::from(error)));
                }
                if let Stage::Waiting { at, pause } = &mut run.stage {
                    if *pause == RETRY {
                        let task = &run.task;
                        let text = format!("{task} cannot be started yet: {error}; trying again");
                        self.trouble = Some(text);
                    }
                    *at = now + *pause;
                    *pause = (*pause * 2).min(RETRY_MAX);
                }
                None
            }
        }
    }

    fn spawn(
        &mut self,
        owner: Owner,
        task: &Task,
        state: State,
        argument: Option<String>,
        poller: &Poller,
    ) -> Result<i32, Refusal> {
        let path = match task {
            Task::Hook(hook) => self.environment.script(hook.name()),
            Task::Service(name, _) => self.environment.service(name),
            Task::Command(words, variables) => return self.spawn_command(words, variables, state),
        };
        let form = script::diagnose(&path, std::path::Path::new("/")).map_err(Refusal::Never)?;
        let mut command = match form {
            Form::Missing => return Err(Refusal::Missing),
            Form::Native => Command::new(&path),
            Form::Plain => {
                let mut shell = Command::new("/bin/sh");
                shell.arg(&path);
                shell
            }
        };
        let keep = match task {
            Task::Hook(Hook::Monitor) => Keep::Stdout,
            Task::Hook(_) | Task::Service(..) | Task::Command(..) => Keep::Nothing,
        };
        let ends = self
            .pipes
            .make(owner, keep, poller)
            .map_err(|error| Refusal::Later(error, RETRY_FOR))?;
        command.args(argument).env(env::WW_STATE, state.name());
        match (task, &self.notify) {
            (Task::Hook(hook), Some(places)) => {
                command.env(env::WW_NOTIFY_SOCKET, places.of(*hook));
            }
            (Task::Service(_, variables) | Task::Command(_, variables), _) => {
                attend(&mut command, variables);
            }
            (Task::Hook(_), None) => {
                command.env_remove(env::WW_NOTIFY_SOCKET);
            }
        }
        let told = match task {
            Task::Hook(hook) => self.told.get(hook),
            Task::Service(..) | Task::Command(..) => None,
        };
        for (name, value) in told.into_iter().flatten() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let spawned = if self.keeps_descriptors {
            command.stdin(Stdio::null());
            command.stdout(ends.stdout).stderr(ends.stderr);
            sys::isolate(&mut command);
            fork(&mut command)
        } else {
            spawn(&command, &ends).map_err(io::Error::from)
        };
        spawned.map_err(|error| {
            self.pipes.forget(owner, poller);
            refusal(error)
        })
    }

    /// Starts the command the container is there for. It gets every descriptor the agent was started
    /// with, and the terminal where the agent has it: it is to find all as if it had been started
    /// without.
    fn spawn_command(
        &self,
        words: &[OsString],
        variables: &[(&'static str, String)],
        state: State,
    ) -> Result<i32, Refusal> {
        let Some((program, arguments)) = words.split_first() else {
            return Err(Refusal::Missing);
        };
        let mut command = Command::new(program);
        command.args(arguments).env(env::WW_STATE, state.name());
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let takes_terminal = self.has_terminal && sys::is_foreground();
        let simple = if takes_terminal {
            None
        } else {
            Some(spawn_in(&self.start_directory, &command))
        };
        let spawned = match simple {
            Some(spawned) if spawned != Err(Errno::ENOEXEC) => spawned.map_err(io::Error::from),
            // The one takes the terminal before its program begins; the other is text without a first
            // line that names an interpreter, which the C library's other way hands to the shell.
            Some(_) | None => {
                command.current_dir(&self.start_directory);
                if takes_terminal {
                    sys::take_terminal(&mut command);
                }
                sys::lead(&mut command);
                fork(&mut command)
            }
        };
        spawned.map_err(|error| match refusal(error) {
            // The kernel's own answer misleads.
            Refusal::Never(fault) => {
                let found = script::diagnose_command(program, &self.start_directory);
                Refusal::Never(found.err().unwrap_or(fault))
            }
            other @ (Refusal::Later(..) | Refusal::Missing) => other,
        })
    }

    fn close(&mut self, owner: Owner, outcome: Outcome) -> Option<Ended> {
        let run = self.runs.remove(&owner)?;
        Some(Ended {
            owner,
            run,
            outcome,
            printed: None,
        })
    }

    /// Tries again what was to be tried again by now.
    pub(crate) fn retry(&mut self, now: Moment, poller: &Poller) -> Vec<Ended> {
        let due: Vec<Owner> = self
            .runs
            .iter()
            .filter(|(_, run)| matches!(run.stage, Stage::Waiting { at, .. } if at <= now))
            .map(|(owner, _)| *owner)
            .collect();
        due.into_iter()
            .filter_map(|owner| self.attempt(owner, poller))
            .collect()
    }

    /// When [`Self::retry`] is wanted.
    pub(crate) fn next_retry(&self) -> Option<Moment> {
        self.runs
            .values()
            .filter_map(|run| match run.stage {
                Stage::Waiting { at, .. } => Some(at),
                Stage::Running(_) => None,
            })
            .min()
    }

    /// A run that is under way.
    pub(crate) fn get(&self, owner: Owner) -> Option<&Run> {
        self.runs.get(&owner)
    }

    /// Whether nothing runs but services, which never end.
    pub(crate) fn is_idle(&self) -> bool {
        let mut owners = self.runs.keys();
        owners.all(|owner| matches!(owner, Owner::Service(_)))
    }

    /// On whose behalf a run of the life cycle is: its own script's, or a service's.
    pub(crate) fn owner(&self, id: RunId) -> Owner {
        let service = Owner::Service(id);
        if self.runs.contains_key(&service) {
            service
        } else {
            Owner::Cycle(id)
        }
    }

    /// The process of a run, while there is one.
    pub(crate) fn pid(&self, owner: Owner) -> Option<i32> {
        match self.runs.get(&owner)?.stage {
            Stage::Running(pid) => Some(pid),
            Stage::Waiting { .. } => None,
        }
    }

    /// Asks the group of a run to end. Answers with its end when it had not been started.
    pub(crate) fn terminate(&mut self, owner: Owner, cut: Cut) -> Option<Ended> {
        self.signal(owner, cut, &[SIGTERM, SIGCONT])
    }

    /// Ends the group of a run. Answers with its end when it had not been started.
    pub(crate) fn kill(&mut self, owner: Owner, cut: Cut) -> Option<Ended> {
        self.signal(owner, cut, &[SIGKILL])
    }

    fn signal(&mut self, owner: Owner, cut: Cut, signals: &[i32]) -> Option<Ended> {
        let stage = self.runs.get_mut(&owner).map(|run| {
            if run.cut == Cut::No {
                run.cut = cut;
            }
            run.stage
        });
        let group = match (stage, owner) {
            (Some(Stage::Running(pid)), _) => pid,
            (Some(Stage::Waiting { .. }), _) => {
                let first = signals.first().copied().unwrap_or(SIGTERM);
                return self.close(owner, signalled(first, false));
            }
            (None, Owner::Cycle(id) | Owner::Service(id)) => *self.groups.get(&id)?,
            (
                None,
                Owner::Lifecycle
                | Owner::Pushstats
                | Owner::Backup
                | Owner::Worker
                | Owner::Filter(_),
            ) => return None,
        };
        for signal in signals {
            sys::send(-group, *signal);
        }
        None
    }

    /// A process ended: the run it was, if it was one.
    pub(crate) fn reaped(
        &mut self,
        pid: i32,
        ending: Ending,
        output: &mut Output,
        poller: &Poller,
    ) -> Option<Ended> {
        let owner = self.pids.remove(&pid)?;
        let run = self.runs.remove(&owner)?;
        // The number stays taken as long as the group has members.
        if let Owner::Cycle(id) | Owner::Service(id) = owner
            && sys::group_exists(pid)
        {
            self.groups.insert(id, pid);
        }
        // Of a backup that was cut nothing is to go on writing.
        if owner == Owner::Backup && run.cut != Cut::No && sys::group_exists(pid) {
            sys::send(-pid, SIGKILL);
        }
        let outcome = match ending {
            Ending::Exited(code) => Outcome::Exited(code),
            Ending::Signalled(number) => {
                let more = self.oom_kills.count() > run.oom_kills;
                signalled(number, number == SIGKILL && run.cut == Cut::No && more)
            }
        };
        let printed = self.pipes.finish(owner, output, poller).stdout;
        Some(Ended {
            owner,
            run,
            outcome,
            printed,
        })
    }

    /// Forgets groups that have become empty: their numbers may soon be somebody else's. To be
    /// called whenever a process has ended, so that a number cannot have come round meanwhile.
    pub(crate) fn forget_empty_groups(&mut self) {
        self.groups.retain(|_, group| sys::group_exists(*group));
    }

    /// Whether no process of this run's group is left.
    pub(crate) fn group_is_empty(&mut self, id: RunId) -> bool {
        self.forget_empty_groups();
        !self.groups.contains_key(&id)
            && !self.runs.contains_key(&Owner::Cycle(id))
            && !self.runs.contains_key(&Owner::Service(id))
    }
}

/// The other way: a copy of the agent becomes the process.
fn fork(command: &mut Command) -> io::Result<i32> {
    // The handle is let go: dropping it neither waits nor kills.
    let child = command.spawn()?;
    Ok(i32::try_from(child.id()).unwrap_or(i32::MAX))
}

/// What a service finds in its environment to speak to the agent with, and nothing of another's.
fn attend(command: &mut Command, variables: &[(&'static str, String)]) {
    for name in [
        env::WW_NOTIFY_SOCKET,
        env::NOTIFY_SOCKET,
        env::WATCHDOG_USEC,
        env::WATCHDOG_PID,
    ] {
        command.env_remove(name);
    }
    for (name, value) in variables {
        command.env(name, value);
    }
}

fn signalled(number: i32, out_of_memory: bool) -> Outcome {
    Outcome::Signalled {
        name: signals::name(number),
        number,
        out_of_memory,
    }
}

fn cannot_start(fault: &ScriptFault) -> Outcome {
    Outcome::CannotStart {
        code: fault.code(),
        reason: fault.to_string(),
    }
}

fn refusal(error: io::Error) -> Refusal {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE) => {
            Refusal::Later(error, RETRY_FOR)
        }
        Some(Errno::ETXTBSY) => Refusal::Later(error, BUSY_FOR),
        Some(Errno::ENOEXEC) => Refusal::Never(ScriptFault::NotAProgram),
        Some(_) | None => Refusal::Never(error.into()),
    }
}
