//! The `backup` and `restore` scripts: beside the life cycle, one at a time, while the container is UP.
//!
//! What is done with the directory they are given is done by a process of its own, see the applet.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::libc::SIGKILL;
use whaleware::env;
use whaleware::lifecycle::{Hook, Moment, Outcome, State};
use whaleware::paths;
use whaleware::protocol::{HookAnswer, MAX_TEXT, RequestId};

use super::Runtime;
use crate::clock;
use crate::hooks::{Cut, Ended, Owner, Task};
use crate::log::{self, Level};
use crate::pipes::{Keep, Kept};
use crate::script::{self, Form};
use crate::server::{Server, answered, failure, success};
use crate::spawn::spawn;
use crate::sys::{self, Ending};

/// So long making a directory, or looking into it, may take: what is mounted there may hang.
const LOOK: Duration = Duration::from_secs(60);
/// So long removing one may take.
const CLEANING: Duration = Duration::from_secs(30 * 60);
/// How long after TERM a script that was cut is killed, where the settings say nothing longer.
const LEAST_GRACE: Duration = Duration::from_secs(1);

/// A process that does something with the directory.
#[derive(Debug)]
struct Worker {
    pid: i32,
    until: Moment,
    killed: bool,
}

/// How far it has come.
#[derive(Debug)]
enum Stage {
    /// The directory is being made, or looked over.
    Preparing(Worker),
    /// The script runs.
    Running { kill_at: Option<Moment> },
    /// What it has written is looked for.
    Looking(Worker, HookAnswer),
    /// The directory is being removed; then comes this answer.
    Cleaning(Worker, Reply),
}

/// What is answered in the end.
#[derive(Debug)]
enum Reply {
    Hook(HookAnswer),
    Done,
    Failure(&'static str, String),
}

/// What is being done for who asked.
#[derive(Debug)]
struct Job {
    client: u32,
    id: RequestId,
    by: String,
    /// The script; none where there is only something to be removed.
    hook: Option<Hook>,
    /// The directory, as the container sees it.
    directory: String,
    /// Why the script was cut before its time.
    cut: Option<String>,
    stage: Stage,
}

/// The one job there can be.
#[derive(Debug, Default)]
pub(super) struct Hooking {
    job: Option<Job>,
    made: u32,
}

impl Hooking {
    /// Who is at it, in words; none when nobody is.
    pub(super) fn busy(&self) -> Option<String> {
        let job = self.job.as_ref()?;
        let what = job.hook.map_or_else(
            || "a backup's directory is being removed".to_owned(),
            |hook| format!("the {hook} script runs"),
        );
        Some(format!("{what} for {}", job.by))
    }
}

impl Runtime {
    /// Runs the `backup` script, with a fresh directory.
    pub(super) fn backup_hook(
        &mut self,
        client: u32,
        id: RequestId,
        by: String,
    ) -> Option<Vec<u8>> {
        if let Some(refusal) = self.refuse_hook(Hook::Backup, &id) {
            return Some(refusal);
        }
        self.hooking.made = self.hooking.made.wrapping_add(1);
        let name = format!(
            "{}{}{:04x}",
            paths::HOOK_DIRECTORY,
            self.boot,
            self.hooking.made
        );
        let place = self.environment.path(paths::BACKUP).join(&name);
        let directory = place.to_string_lossy().into_owned();
        let began = self.begin_work(["make", &name]);
        self.begin_job(client, id, by, Some(Hook::Backup), directory, began)
    }

    /// Runs the `restore` script on what one of these has written.
    pub(super) fn restore_hook(
        &mut self,
        client: u32,
        id: RequestId,
        by: String,
        directory: &str,
    ) -> Option<Vec<u8>> {
        if let Some(refusal) = self.refuse_hook(Hook::Restore, &id) {
            return Some(refusal);
        }
        let began = self.begin_work(["check", directory]);
        let directory = directory.to_owned();
        self.begin_job(client, id, by, Some(Hook::Restore), directory, began)
    }

    /// Removes a directory that was made for a `backup` script.
    pub(super) fn clean_hook(
        &mut self,
        client: u32,
        id: RequestId,
        by: String,
        directory: &str,
    ) -> Option<Vec<u8>> {
        if let Some(busy) = self.hooking.busy() {
            return Some(failure(id, "busy", &busy));
        }
        let path = Path::new(directory);
        let backup = self.environment.path(paths::BACKUP);
        let name = path.file_name().and_then(OsStr::to_str);
        let Some(name) = name.filter(|_| path.parent() == Some(&backup)) else {
            let text = "it is not the directory of a `backup` script";
            return Some(failure(id, "refused", text));
        };
        let began = self.begin_work(["clean", name]);
        let directory = directory.to_owned();
        self.begin_job(client, id, by, None, directory, began)
    }

    /// Why a script is not run now. One that is not there is answered for here, too.
    fn refuse_hook(&self, hook: Hook, id: &RequestId) -> Option<Vec<u8>> {
        if let Some(busy) = self.hooking.busy() {
            return Some(failure(id.clone(), "busy", &busy));
        }
        let state = self.record.state();
        if state != State::Up {
            let text = format!("its services are not up (its state is {state})");
            return Some(failure(id.clone(), "refused", &text));
        }
        let path = self.environment.script(hook.name());
        match script::diagnose(&path, Path::new("/")) {
            Ok(Form::Native | Form::Plain) => None,
            Ok(Form::Missing) => Some(answered(id.clone(), &HookAnswer::missing())),
            Err(fault) => {
                let text = format!("the {hook} script cannot be started: {fault}");
                Some(failure(id.clone(), "refused", &text))
            }
        }
    }

    fn begin_job(
        &mut self,
        client: u32,
        id: RequestId,
        by: String,
        hook: Option<Hook>,
        directory: String,
        began: Result<Worker, String>,
    ) -> Option<Vec<u8>> {
        let mut worker = match began {
            Ok(worker) => worker,
            Err(error) => return Some(failure(id, "refused", &error)),
        };
        let stage = if hook.is_some() {
            Stage::Preparing(worker)
        } else {
            worker.until = clock::now() + CLEANING;
            Stage::Cleaning(worker, Reply::Done)
        };
        self.hooking.job = Some(Job {
            client,
            id,
            by,
            hook,
            directory,
            cut: None,
            stage,
        });
        None
    }

    fn begin_work(&mut self, words: [&str; 2]) -> Result<Worker, String> {
        let cannot = |error: std::io::Error| format!("cannot start a process for it: {error}");
        let pipes = &mut self.hooks.pipes;
        let ends = pipes.make(Owner::Worker, Keep::Both, &self.poller);
        let ends = ends.map_err(cannot)?;
        let mut command = Command::new("/proc/self/exe");
        command.arg("hook-directory").args(words);
        match spawn(&command, &ends) {
            Ok(pid) => Ok(Worker {
                pid,
                until: clock::now() + LOOK,
                killed: false,
            }),
            Err(error) => {
                self.hooks.pipes.forget(Owner::Worker, &self.poller);
                Err(cannot(error.into()))
            }
        }
    }

    /// A process has ended: whether it was one of these.
    pub(super) fn worker_ended(&mut self, pid: i32, ending: Ending) -> bool {
        let is_ours = |job: &&mut Job| job.worker().is_some_and(|worker| worker.pid == pid);
        let Some(killed) = self.hooking.job.as_mut().filter(is_ours).map(|job| {
            let worker = job.worker();
            worker.is_some_and(|worker| worker.killed)
        }) else {
            return false;
        };
        let pipes = &mut self.hooks.pipes;
        let kept = pipes.finish(Owner::Worker, &mut self.output, &self.poller);
        let done = if killed {
            Err("it takes too long: what is mounted at /backup may hang".to_owned())
        } else {
            said(ending, &kept)
        };
        if let Some(job) = self.hooking.job.take() {
            self.go_on(job, done);
        }
        true
    }

    /// The next step of a job whose process has done its work, or has not.
    fn go_on(&mut self, mut job: Job, done: Result<String, String>) {
        match (job.stage, job.hook) {
            (Stage::Preparing(_), Some(hook)) => match done {
                // Nothing was begun: there is nothing to be ended either.
                Ok(_) if job.cut.is_some() => {
                    job.stage = Stage::Running { kill_at: None };
                    self.finish_cut(job);
                }
                Ok(_) => {
                    job.stage = Stage::Running { kill_at: None };
                    self.run_hook(job, hook);
                }
                Err(why) => self.answer_job(job.client, job.id, Reply::Failure("refused", why)),
            },
            (Stage::Looking(_, mut answer), _) => {
                match done {
                    Ok(found) => answer.written = found.trim() == "written",
                    Err(why) => {
                        let why = format!("what it has written cannot be looked at: {why}");
                        answer.detail.get_or_insert(log::plain(&why, MAX_TEXT));
                    }
                }
                let keeps = answer.exit == Some(0) && answer.written;
                job.stage = Stage::Running { kill_at: None };
                if keeps {
                    self.answer_job(job.client, job.id, Reply::Hook(answer));
                } else {
                    // A dump that is none only takes room.
                    answer.directory = None;
                    self.begin_cleaning(job, Reply::Hook(answer));
                }
            }
            (Stage::Cleaning(_, reply), _) => {
                if let Err(why) = &done {
                    self.output.log(Level::Warning, why);
                }
                let reply = match (reply, done) {
                    (Reply::Done, Err(why)) => Reply::Failure("refused", why),
                    (reply, _) => reply,
                };
                self.answer_job(job.client, job.id, reply);
            }
            // No process is waited for here.
            (stage @ (Stage::Running { .. } | Stage::Preparing(_)), _) => {
                job.stage = stage;
                self.hooking.job = Some(job);
            }
        }
    }

    fn run_hook(&mut self, job: Job, hook: Hook) {
        let text = format!("running the {hook} script for {}", job.by);
        self.output.log(Level::Info, &text);
        self.note(&text);
        let directory = Some(job.directory.clone());
        self.hooks.tell(hook, vec![(env::WW_BACKUP_DIR, directory)]);
        self.hooking.job = Some(job);
        let state = self.record.state();
        let task = Task::Hook(hook);
        let ended = self
            .hooks
            .start(Owner::Backup, task, state, None, &self.poller);
        self.ended.extend(ended);
    }

    /// The script has ended.
    pub(super) fn on_hook_ended(&mut self, ended: &Ended) {
        let Some(mut job) = self.hooking.job.take() else {
            return;
        };
        let outcome = self.outcome(&ended.run, ended.outcome.clone());
        let took = log::duration(clock::now() - ended.run.began);
        let nothing = outcome.exit_code() == Some(HookAnswer::NOTHING_TO_DO);
        let level = if outcome.is_success() || nothing {
            Level::Info
        } else {
            Level::Warning
        };
        let text = format!("{} {outcome} after {took}", ended.run.task);
        self.output.log(level, &text);
        self.note(&text);
        if job.cut.is_some() {
            return self.finish_cut(job);
        }
        let is_well = outcome.is_success();
        let answer = HookAnswer {
            exit: outcome.exit_code(),
            detail: (!is_well && !matches!(outcome, Outcome::Exited(_)))
                .then(|| log::plain(&outcome.to_string(), MAX_TEXT)),
            directory: Some(job.directory.clone()),
            written: false,
        };
        if job.hook != Some(Hook::Backup) {
            return self.answer_job(job.client, job.id, Reply::Hook(answer));
        }
        if !is_well {
            let answer = HookAnswer {
                directory: None,
                ..answer
            };
            return self.begin_cleaning(job, Reply::Hook(answer));
        }
        match self.begin_work(["written", name(&job.directory)]) {
            Ok(worker) => {
                job.stage = Stage::Looking(worker, answer);
                self.hooking.job = Some(job);
            }
            Err(why) => self.answer_job(job.client, job.id, Reply::Failure("refused", why)),
        }
    }

    /// What a script that was cut has written is removed, and who asked is told.
    fn finish_cut(&mut self, job: Job) {
        let hook = job.hook.map_or("", Hook::name);
        let why = job.cut.clone().unwrap_or_default();
        let reply = Reply::Failure("cut", format!("the {hook} script was ended: {why}"));
        self.begin_cleaning(job, reply);
    }

    /// The directory goes, where it was made here.
    fn begin_cleaning(&mut self, mut job: Job, reply: Reply) {
        let stays = job.hook != Some(Hook::Backup) || self.watches.everyone.is_some();
        if stays {
            return self.answer_job(job.client, job.id, reply);
        }
        match self.begin_work(["clean", name(&job.directory)]) {
            Ok(mut worker) => {
                worker.until = clock::now() + CLEANING;
                job.stage = Stage::Cleaning(worker, reply);
                self.hooking.job = Some(job);
            }
            Err(why) => {
                self.output.log(Level::Warning, &why);
                self.answer_job(job.client, job.id, reply);
            }
        }
    }

    fn answer_job(&mut self, client: u32, id: RequestId, reply: Reply) {
        let line = match reply {
            Reply::Hook(answer) => answered(id, &answer),
            Reply::Done => success(id, None),
            Reply::Failure(code, why) => failure(id, code, &why),
        };
        self.send(client, &line);
    }

    /// Something comes first: the script is told to end.
    pub(super) fn cut_hook(&mut self, why: &str) {
        let grace = self.settings.policy.stop_grace.max(LEAST_GRACE);
        let Some(job) = &mut self.hooking.job else {
            return;
        };
        if job.hook.is_none() || job.cut.is_some() {
            return;
        }
        match &mut job.stage {
            Stage::Preparing(_) => job.cut = Some(why.into()),
            Stage::Running { kill_at } => {
                job.cut = Some(why.into());
                *kill_at = Some(clock::now() + grace);
                let ended = self.hooks.terminate(Owner::Backup, Cut::Superseded);
                self.ended.extend(ended);
            }
            // It has ended by itself.
            Stage::Looking(..) | Stage::Cleaning(..) => {}
        }
    }

    /// Ends a script whose asker is gone; whether there was one.
    pub(super) fn cut_lost_hook(&mut self) -> bool {
        let Some(job) = &self.hooking.job else {
            return false;
        };
        let runs = matches!(job.stage, Stage::Preparing(_) | Stage::Running { .. });
        let hears = |server: &Server| server.hears(job.client);
        if job.cut.is_some() || !runs || self.server.as_ref().is_some_and(hears) {
            return false;
        }
        self.cut_hook("the connection that asked for it has ended");
        true
    }

    /// When [`Self::hurry_hook`] is wanted.
    pub(super) fn next_hook_deadline(&self) -> Option<Moment> {
        let job = self.hooking.job.as_ref()?;
        match &job.stage {
            Stage::Preparing(worker) | Stage::Looking(worker, _) | Stage::Cleaning(worker, _) => {
                (!worker.killed).then_some(worker.until)
            }
            Stage::Running {
                kill_at: Some(kill_at),
            } => Some(*kill_at),
            Stage::Running { kill_at: None } => {
                let run = self.hooks.get(Owner::Backup)?;
                let limit = self.settings.policy.timeout(job.hook?)?;
                Some(run.began + limit)
            }
        }
    }

    /// Ends what has had its time.
    pub(super) fn hurry_hook(&mut self, now: Moment) {
        if self.next_hook_deadline().is_none_or(|due| due > now) {
            return;
        }
        let grace = self.settings.policy.stop_grace.max(LEAST_GRACE);
        let Some(job) = &mut self.hooking.job else {
            return;
        };
        let ended = match &mut job.stage {
            Stage::Preparing(worker) | Stage::Looking(worker, _) | Stage::Cleaning(worker, _) => {
                worker.killed = true;
                sys::send(-worker.pid, SIGKILL);
                None
            }
            Stage::Running {
                kill_at: kill_at @ Some(_),
            } => {
                // Not to be asked for again; the end of it is told in any case.
                *kill_at = Some(now + CLEANING);
                self.hooks.kill(Owner::Backup, Cut::Overdue)
            }
            Stage::Running { kill_at } => {
                *kill_at = Some(now + grace);
                self.hooks.terminate(Owner::Backup, Cut::Overdue)
            }
        };
        self.ended.extend(ended);
    }
}

impl Job {
    fn worker(&self) -> Option<&Worker> {
        match &self.stage {
            Stage::Preparing(worker) | Stage::Looking(worker, _) | Stage::Cleaning(worker, _) => {
                Some(worker)
            }
            Stage::Running { .. } => None,
        }
    }
}

/// The last part of a directory's path, which was made of it.
fn name(directory: &str) -> &str {
    directory.rsplit('/').next().unwrap_or_default()
}

/// What a process has printed, or why it has not done its work.
fn said(ending: Ending, kept: &Kept) -> Result<String, String> {
    let text = |capture: Option<&crate::pipes::Capture>| {
        let bytes = capture.map_or(&[][..], |capture| &capture.head);
        log::plain(String::from_utf8_lossy(bytes).trim(), MAX_TEXT)
    };
    match ending {
        Ending::Exited(0) => Ok(text(kept.stdout.as_ref())),
        Ending::Exited(_) => Err(text(kept.stderr.as_ref())),
        Ending::Signalled(number) => Err(format!("its process was ended by signal {number}")),
    }
}
