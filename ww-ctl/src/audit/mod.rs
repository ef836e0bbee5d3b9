//! Who did what: a journal on this machine of every action that changes something.
//!
//! An action is two lines: one before anything is done, so that it leaves a trace whatever ends
//! this program, and one with how it ended. A journal that cannot be written never keeps anybody
//! from acting; it is warned of.

mod command_line;
mod file;
mod line;
mod read;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

pub(crate) use command_line::spoken;
pub(crate) use line::{Result as TargetResult, Target};
pub(crate) use read::{Ending, Kept, Recorded, read};

use crate::clock::Clock;
use crate::environment;
use crate::exit::Exit;
use crate::output::Output;
use file::FileError;
use line::{Begun, Ended, Line, SCHEMA};

/// Where actions are written down. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: Option<PathBuf>,
    mode: u32,
    by: String,
    command: Vec<String>,
    clock: Clock,
    output: Output,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The actions that have not ended yet.
    open: BTreeMap<String, Open>,
    count: u64,
    /// Whether warnings wait until the terminal is free.
    holds: bool,
    /// Why something could not be written; said once.
    warning: Option<String>,
    warned: bool,
}

/// What the line of its end repeats, should the one of its beginning be lost.
#[derive(Debug, Clone)]
struct Open {
    action: String,
    at: Timestamp,
    /// How it has ended for some of its targets.
    results: Vec<TargetResult>,
}

impl Journal {
    /// The journal of whoever runs this program: `by`, with this command line.
    pub(crate) fn new(by: &str, command: Vec<String>, clock: Clock, output: Output) -> Self {
        let place = environment::audit_file();
        let (path, mode) = place.map_or((None, 0), |(path, mode)| (Some(path), mode));
        Self {
            shared: Arc::new(Shared {
                path,
                mode,
                by: by.to_owned(),
                command,
                clock,
                output,
                state: Mutex::default(),
            }),
        }
    }

    /// Where it is; none where there is no place for it.
    pub(crate) fn path(&self) -> Option<&std::path::Path> {
        self.shared.path.as_deref()
    }

    /// An action is about to be begun. Call this when it is decided and before anything is done.
    pub(crate) fn begin(&self, action: &str, targets: Vec<Target>) -> Entry {
        let at = self.shared.clock.now().wall;
        let pid = std::process::id();
        let entry = {
            let mut state = self.state();
            state.count += 1;
            let entry = format!("{:x}-{pid:x}-{}", at.as_nanosecond(), state.count);
            let open = Open {
                action: action.to_owned(),
                at,
                results: Vec::new(),
            };
            state.open.insert(entry.clone(), open);
            entry
        };
        self.write(&Line::Begun(Begun {
            schema: SCHEMA,
            entry: entry.clone(),
            at,
            by: self.shared.by.clone(),
            uid: nix::unistd::Uid::current().as_raw(),
            from: environment::hostname(),
            pid,
            process: read::started(pid).unwrap_or(0),
            action: action.to_owned(),
            command: self.shared.command.clone(),
            targets,
        }));
        Entry {
            journal: self.clone(),
            entry,
        }
    }

    /// From now on the terminal is not ours to talk on; warnings wait for [`Self::finish`].
    pub(crate) fn hold(&self) {
        self.state().holds = true;
    }

    /// The program ends with this: so do all actions that have not been ended by themselves.
    pub(crate) fn finish(&self, exit: Exit, words: &str) {
        let open: Vec<String> = self.state().open.keys().cloned().collect();
        for entry in open {
            self.end(&entry, exit, words, Vec::new());
        }
        self.state().holds = false;
        self.warn();
    }

    fn end(&self, entry: &str, exit: Exit, words: &str, results: Vec<TargetResult>) {
        let Some(open) = self.state().open.remove(entry) else {
            return;
        };
        let Open {
            action,
            at: begun,
            results: so_far,
        } = open;
        let results = if results.is_empty() { so_far } else { results };
        let at = self.shared.clock.now().wall;
        let took = at.duration_since(begun).as_millis();
        self.write(&Line::Ended(Ended {
            schema: SCHEMA,
            entry: entry.to_owned(),
            at,
            by: self.shared.by.clone(),
            action,
            exit: exit.code(),
            words: words.to_owned(),
            took_ms: u64::try_from(took).unwrap_or(0),
            results,
        }));
    }

    fn write(&self, line: &Line) {
        let written = match &self.shared.path {
            Some(path) => file::append(path, self.shared.mode, &line.text()),
            None => Err(FileError::NoPlace),
        };
        if let Err(error) = written {
            self.state().warning.get_or_insert_with(|| {
                format!(
                    "not all that is done is in the audit journal: {}",
                    crate::engine::chain(&error)
                )
            });
            self.warn();
        }
    }

    fn warn(&self) {
        let mut state = self.state();
        if state.holds || state.warned {
            return;
        }
        if let Some(warning) = &state.warning {
            self.shared.output.warn(warning);
            state.warned = true;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

/// An action that has begun. One that is dropped ends as the program does.
#[derive(Debug)]
#[must_use = "an action that is not ended counts as ended with the program"]
pub(crate) struct Entry {
    journal: Journal,
    entry: String,
}

impl Entry {
    /// It has ended for one target; known also when all ends before its time.
    pub(crate) fn so_far(&self, result: TargetResult) {
        if let Some(open) = self.journal.state().open.get_mut(&self.entry) {
            open.results.push(result);
        }
    }

    /// It has ended, in these words.
    pub(crate) fn end(self, exit: Exit, words: &str) {
        self.journal.end(&self.entry, exit, words, Vec::new());
    }

    /// The same with how it ended for each target.
    pub(crate) fn end_each(self, exit: Exit, results: Vec<TargetResult>) {
        self.journal.end(&self.entry, exit, "", results);
    }
}
