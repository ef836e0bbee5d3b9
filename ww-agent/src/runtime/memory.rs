//! What outlives this boot: who did what to `/data`, what has happened, and what was seen of it.

use std::io;
use std::path::Path;

use whaleware::config::MAX_VERSION;
use whaleware::env;
use whaleware::lifecycle::{Cause, Hook};
use whaleware::paths;
use whaleware::protocol::{
    Evidence, EvidenceAnswer, HookResult, HookRun, MAX_LINE, MAX_TEXT, RequestId, TransitionReport,
};

use super::Runtime;
use crate::blackbox::{self, BlackBox};
use crate::clock;
use crate::environment::Environment;
use crate::evidence::{self, Reports};
use crate::journal::{End, Journal, Kept, NotKept};
use crate::log::{self, Level};
use crate::pressure;
use crate::script::{self, Form};
use crate::server::answered;
use crate::shelf::Shelf;

/// What an answer has around its result, at most.
const ENVELOPE: usize = 1024;

/// What outlives this boot.
pub(super) struct Memory {
    /// What was before has not been looked at yet; whether `/data` has its mark.
    ahead: Option<bool>,
    /// States that are not written down yet.
    unwritten: Vec<TransitionReport>,
    /// None before the start.
    journal: Option<Journal>,
    /// How `firstboot` ended; it counts when the mark is made.
    firstboot: Option<(End, Option<i32>)>,
    black_box: BlackBox,
    reports: Reports,
}

impl Memory {
    /// Nothing is read yet.
    pub(super) fn new(environment: &Environment, boot: &str) -> Self {
        Self {
            ahead: None,
            unwritten: Vec::new(),
            black_box: BlackBox::new(Shelf::of(environment), boot),
            reports: Reports::new(Shelf::of(environment)),
            journal: None,
            firstboot: None,
        }
    }
}

impl Memory {
    /// Nothing is kept, and nothing is known from before.
    pub(super) fn nowhere(boot: &str) -> Self {
        Self {
            ahead: None,
            unwritten: Vec::new(),
            black_box: BlackBox::new(Shelf::nowhere(), boot),
            reports: Reports::new(Shelf::nowhere()),
            journal: None,
            firstboot: None,
        }
    }
}

impl Runtime {
    /// The image's version, as the configuration tells it or else the environment.
    pub(super) fn version(&self) -> Option<String> {
        let told = self.settings.version.as_ref();
        told.or(self.environment.version.as_ref()).cloned()
    }

    /// What was before is to be looked at as soon as the first script has been started, which need not
    /// wait for it. `initialised` is whether `/data` has its mark.
    pub(super) fn remember_soon(&mut self, initialised: bool) {
        self.memory.ahead = Some(initialised);
    }

    /// Looks at what was before, unless that is done, and writes down the states since. Whatever else is
    /// remembered comes after that.
    pub(super) fn catch_up(&mut self) {
        if let Some(initialised) = self.memory.ahead.take() {
            self.remember(initialised);
        }
        for report in std::mem::take(&mut self.memory.unwritten) {
            let written = self.memory.black_box.state(&report);
            self.cannot_keep(written);
        }
    }

    fn remember(&mut self, initialised: bool) {
        let version = self.version();
        self.record.version.clone_from(&version);
        self.record.previous = self.memory.black_box.previous();
        if let Some(text) = self.record.previous.as_ref().and_then(blackbox::told) {
            self.output.log(Level::Warning, &text);
        }
        let written = self.memory.black_box.boot(version.clone());
        self.cannot_keep(written);
        if self.is_guest() {
            return;
        }
        if self.environment.has_bad_version && self.settings.version.is_none() {
            let text = format!(
                "WW_VERSION cannot be a version, and this image counts as one without: set it to a \
                 text of at most {MAX_VERSION} characters on one line"
            );
            self.output.log(Level::Warning, &text);
        }
        let files = Shelf::of(&self.environment);
        let (journal, complaint) = Journal::open(files, &self.boot, version, initialised);
        self.memory.journal = Some(journal);
        if let Some(text) = complaint {
            self.output.log(Level::Warning, &text);
            self.note(&text);
        }
    }

    /// A script is about to be started: one that changes `/data` is written down before, and is told
    /// what was before it.
    pub(super) fn attempt_begins(&mut self, hook: Hook) {
        let path = self.environment.script(hook.name());
        if matches!(script::diagnose(&path, Path::new("/")), Ok(Form::Missing)) {
            return;
        }
        self.catch_up();
        let Some(journal) = &mut self.memory.journal else {
            return;
        };
        let (variables, written) = journal.begin(hook);
        let value = |name| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.and_then(|(_, value)| value.as_deref())
        };
        if let Some(word) = value(env::WW_PREVIOUS_ATTEMPT) {
            let at = value(env::WW_PREVIOUS_ATTEMPT_AT).unwrap_or_default();
            let of = match value(env::WW_PREVIOUS_ATTEMPT_VERSION) {
                Some("") | None => String::new(),
                Some(version) => format!(" of version {version}"),
            };
            let text = format!(
                "the last {hook}{of} was begun at {at} and not finished ({word}); it runs again and is \
                 told so"
            );
            self.output.log(Level::Warning, &text);
        }
        if let (Some(from), Some(to)) = (value(env::WW_FROM_VERSION), value(env::WW_TO_VERSION))
            && from != to
            && !from.is_empty()
            && !to.is_empty()
        {
            let text = format!("/data is of version {from}, this image of version {to}");
            self.output.log(Level::Info, &text);
        }
        self.hooks.tell(hook, variables);
        if matches!(written, Ok(Kept::Nowhere)) {
            let text = format!(
                "/data is empty and takes no extended attributes: should this {hook} be interrupted, \
                 the next cannot be told"
            );
            self.output.log(Level::Info, &text);
        }
        self.cannot_journal(written);
    }

    /// A script has ended, with this result. What `firstboot` did counts once the mark is made.
    pub(super) fn attempt_ended(&mut self, hook: Hook, result: HookResult, exit: Option<i32>) {
        let end = match result {
            HookResult::Ok | HookResult::Missing => End::Ok,
            HookResult::Tolerated => End::Tolerated,
            HookResult::Cut => End::Cut,
            HookResult::Failed | HookResult::Running | HookResult::Unknown => End::Failed,
        };
        let is_good = matches!(end, End::Ok | End::Tolerated);
        if hook == Hook::Firstboot && is_good {
            self.memory.firstboot = Some((end, exit));
            return;
        }
        if let Some(journal) = &mut self.memory.journal {
            let written = journal.end(hook, end, exit);
            self.cannot_journal(written);
        }
    }

    /// `/data` has its mark, or cannot have it; without it `firstboot` is not done.
    pub(super) fn firstboot_marked(&mut self, marked: bool) {
        let Some((end, exit)) = self.memory.firstboot.take() else {
            return;
        };
        let (end, exit) = if marked {
            (end, exit)
        } else {
            (End::Failed, exit)
        };
        if let Some(journal) = &mut self.memory.journal {
            let written = journal.end(Hook::Firstboot, end, exit);
            self.cannot_journal(written);
        }
    }

    /// The state has changed. It is written down when all that follows from it has been begun: neither
    /// a script nor the end of one is to wait for the disk.
    pub(super) fn remember_state(&mut self, report: &TransitionReport) {
        self.memory.unwritten.push(report.clone());
    }

    /// A script has ended; only what is out of order is remembered.
    pub(super) fn remember_hook(&mut self, run: &HookRun) {
        match run.result {
            HookResult::Failed | HookResult::Tolerated | HookResult::Cut => {
                self.catch_up();
                let written = self.memory.black_box.hook(run);
                self.cannot_keep(written);
            }
            HookResult::Ok | HookResult::Missing | HookResult::Running | HookResult::Unknown => {}
        }
    }

    /// A service has failed, or had to be killed: how, in words, and as a shell would report it.
    pub(super) fn remember_service(&mut self, name: &str, cause: &str, exit: Option<i32>) {
        self.catch_up();
        let state = self.record.state();
        let written = self.memory.black_box.service(name, state, cause, exit);
        self.cannot_keep(written);
    }

    /// The watchdog has struck: what can be seen is kept before anything is stopped.
    pub(super) fn keep_evidence(&mut self, cause: &Cause) {
        if !evidence::is_wanted(cause) {
            return;
        }
        let began = clock::now();
        let (processes, omitted) = evidence::processes(self.reach, began + evidence::PATIENCE);
        let seen = processes.len();
        let resources = self.sampler.sample(began);
        if self.next_sample.is_none() {
            self.sampler.forget();
        }
        let report = evidence::fit(Evidence {
            at: clock::wall(),
            boot: self.boot.clone(),
            cause: log::plain(&cause.to_string(), MAX_TEXT),
            monitor: self.record.monitor.clone().map(evidence::cut),
            processes,
            omitted,
            services: self.record.services().to_vec(),
            resources: Some(resources),
            pressure: pressure::here(),
            log: self.output.tail.lines(),
        });
        let written = self.memory.reports.keep(report);
        let took = clock::milliseconds(clock::now() - began);
        let place = if written.is_ok() {
            "kept"
        } else {
            "kept in memory only"
        };
        let text = format!("evidence is {place}: {seen} processes, looked at in {took} ms");
        self.output.log(Level::Info, &text);
        match written {
            // Nothing is to last where there is no `/data`.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            written => self.cannot_keep(written),
        }
    }

    /// What was seen before a restart by the watchdog, the newest being 0.
    pub(super) fn evidence(&self, id: RequestId, index: u32) -> Vec<u8> {
        let (kept, report) = self.memory.reports.get(index);
        answered(id, &EvidenceAnswer { kept, report })
    }

    /// The agent leaves with this exit code.
    pub(super) fn remember_exit(&mut self, code: i32, cause: Option<&str>) {
        self.catch_up();
        let written = self.memory.black_box.exit(code, cause);
        self.cannot_keep(written);
    }

    /// What has happened, in this boot and before.
    pub(super) fn history(&mut self, id: RequestId) -> Vec<u8> {
        self.catch_up();
        let answer = self.memory.black_box.history(MAX_LINE - ENVELOPE);
        answered(id, &answer)
    }

    /// Nothing can be kept in `/data`: said once, and the life cycle goes on.
    pub(super) fn cannot_keep(&mut self, written: io::Result<()>) {
        let place = paths::OWN_DATA;
        self.cannot_journal(
            written
                .map(|()| Kept::Safe)
                .map_err(|source| NotKept { place, source }),
        );
    }

    fn cannot_journal(&mut self, written: Result<Kept, NotKept>) {
        if let Err(error) = written {
            self.degrade(&format!(
                "{error}; what happens in this boot is not known to the next"
            ));
        }
    }
}
