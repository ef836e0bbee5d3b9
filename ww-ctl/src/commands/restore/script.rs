//! What an image's own script wrote, given to its `restore` script.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use rustix::fs::{Mode, OFlags, mkdirat, openat};
use whaleware::paths::BACKUP;
use whaleware::protocol::{FromAgent, HookAnswer};

use super::aside::{Content, put_together};
use super::exchange::Job;
use super::told::Told;
use super::{Context, apart, shown};
use crate::agent::{Reach, StepError};
use crate::backup::source::Gauge;
use crate::backup::vault::{Id, PartKind, Set};
use crate::engine::Engine;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;

/// What a directory below `/backup` is called that is given to a `restore` script, before the id of the backup.
const GIVEN: &str = ".ww-restore-";
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// A script's own backup is of use to its script only.
pub(super) fn refuse(set: &Set) -> Result<(), Failure> {
    if set
        .manifest
        .parts
        .iter()
        .all(|part| part.kind == PartKind::Data)
    {
        return Ok(());
    }
    let message = format!(
        "cannot make data of {}: the image's own script wrote it, and only its `restore` script reads it",
        set.reference()
    );
    Err(Failure::new(Exit::Refused, message).hint("`--into-dir DIR` extracts it to look at"))
}

/// A directory below `/backup` for a `restore` script. Dropped, it is gone.
struct Given {
    above: OwnedFd,
    name: String,
    root: OwnedFd,
    _held: Flock<File>,
}

impl Given {
    fn make(above: &Path, id: &Id) -> io::Result<Self> {
        let above = openat(rustix::fs::CWD, above, DIRECTORY, Mode::empty())?;
        sweep(&above)?;
        let name = format!("{GIVEN}{id}");
        mkdirat(&above, &name, Mode::RWXU)?;
        let root = openat(&above, &name, DIRECTORY, Mode::empty())?;
        let held = Flock::lock(
            File::from(root.try_clone()?),
            FlockArg::LockExclusiveNonblock,
        );
        let held = held.map_err(|(_, error)| io::Error::from(error))?;
        Ok(Self {
            above,
            name,
            root,
            _held: held,
        })
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        if let Ok(name) = CString::new(self.name.as_str()) {
            // What cannot be removed now is swept by the next one.
            let _left = ww_archive::remove::remove(self.above.as_fd(), &name);
        }
    }
}

/// Removes what runs have left that are over.
fn sweep(above: &OwnedFd) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(above)? {
        let name = entry?.file_name().to_owned();
        let bytes = name.to_bytes();
        let id = bytes.strip_prefix(GIVEN.as_bytes());
        let id = id
            .and_then(|id| std::str::from_utf8(id).ok())
            .and_then(Id::parse);
        if id.is_some() {
            names.push(name);
        }
    }
    for name in names {
        let Ok(left) = openat(above, &name, DIRECTORY, Mode::empty()) else {
            continue;
        };
        if Flock::lock(File::from(left), FlockArg::LockExclusiveNonblock).is_ok() {
            ww_archive::remove::remove(above.as_fd(), &name)?;
        }
    }
    Ok(())
}

impl Job<'_> {
    /// Gives a script's backup to the image's `restore` script.
    pub(super) async fn by_script(mut self, set: Set) -> Result<Exit, Failure> {
        let reference = set.reference();
        let id = self.runs()?;
        let name = clean(&self.found.name, 200);
        let question = format!("have the `restore` script of {name} put back {reference}");
        if !self.context.can_confirm() {
            self.context.confirm(&question).await?;
        }
        let given = self.give(set).await?;
        self.context.confirm(&question).await?;
        let audit = self
            .context
            .audit
            .begin("restore", vec![self.found.target()]);
        let directory = format!("{BACKUP}/{}", given.name);
        let (engine, limit) = (&self.found.engine, self.arguments.timeout);
        let done = put_back(self.context, engine, (&id, &name), &directory, limit).await;
        apart(move || drop(given)).await?;
        done?;
        let words = format!("its `restore` script has put back {reference}");
        audit.end(Exit::Done, &words);
        Told {
            action: "restore",
            host: &self.found.host,
            name: &self.found.name,
            backup: &reference,
            words,
            users: Vec::new(),
            missing: Vec::new(),
        }
        .print(self.context, None)?;
        Ok(Exit::Done)
    }

    /// The container's id, if a script can be run in it.
    fn runs(&self) -> Result<String, Failure> {
        let name = clean(&self.found.name, 200);
        let refused = |why: &str| {
            let message = format!("cannot restore {name}: {why}");
            Failure::new(Exit::Refused, message)
        };
        if !self.arguments.paths.is_empty() || self.arguments.dry_run {
            return Err(
                refused("only its `restore` script knows what is in the backup")
                    .hint("`--into-dir DIR` extracts it to look at"),
            );
        }
        let own = self.found.own();
        let own = own.filter(|one| one.is_running() && !one.is_paused());
        own.map(|one| one.id().to_owned()).ok_or_else(|| {
            refused("its `restore` script runs in it, and it does not run")
                .hint(format!("`ww-ctl start {name}` first"))
        })
    }

    /// Puts it together below the container's `/backup`.
    async fn give(&mut self, set: Set) -> Result<Given, Failure> {
        let tree = self.found.tree(BACKUP).await.map_err(|failure| {
            failure.hint("its `restore` script reads below /backup; mount a directory there")
        })?;
        let mut parts = set.manifest.parts.iter();
        let part = parts.position(|part| part.kind == PartKind::Hook);
        let content = Content {
            set: set.clone(),
            part: part.unwrap_or(0),
            identity: self.arguments.identity.clone(),
            only: None,
            devices: false,
        };
        let gauge = Gauge::new();
        let at_work = gauge.clone();
        let work = move || {
            let given = Given::make(&tree.path, &set.id).map_err(|error| {
                let words = format!("cannot make a directory in {}: {error}", shown(&tree.path));
                Failure::new(Exit::Failed, words)
            })?;
            let words = put_together(&content, &given.root, &at_work)?;
            Ok::<_, Failure>((given, words))
        };
        let (given, words) = self.watched("extracting", &gauge, None, work).await??;
        for words in words {
            self.progress.warn(&words);
        }
        Ok(given)
    }
}

/// Has the `restore` script of a container run on a directory below its `/backup`.
///
/// # Errors
/// When it is not run to its end, or fails.
pub(in crate::commands) async fn put_back(
    context: &Context,
    engine: &Engine,
    (id, name): (&str, &str),
    directory: &str,
    limit: Duration,
) -> Result<(), Failure> {
    let session = Reach::new(engine.clone()).connect(id).await;
    let mut session = session.map_err(|error| {
        let message = format!("cannot reach the agent of {name}: {error}");
        Failure::new(Exit::Failed, message)
    })?;
    context
        .output
        .say(&format!("{name}: its `restore` script runs"));
    let mut told = |_: &FromAgent| {};
    let answer = session
        .restore(directory, limit, &context.by, &mut told)
        .await;
    let answer = answer.map_err(|error| {
        let exit = match error {
            StepError::Busy(_) => Exit::Locked,
            StepError::Refused(_) => Exit::Refused,
            StepError::Overdue(_) => Exit::TimedOut,
            StepError::Lapsed(_)
            | StepError::Cut(_)
            | StepError::Forbidden(_)
            | StepError::Unknown
            | StepError::Other { .. }
            | StepError::Session(_) => Exit::Failed,
        };
        let message = format!("the `restore` script of {name} was not run to its end: {error}");
        Failure::new(exit, message)
    })?;
    judge(name, &answer)
}

fn judge(name: &str, answer: &HookAnswer) -> Result<(), Failure> {
    match answer.exit {
        Some(0) => Ok(()),
        Some(code) => {
            let detail = answer.detail.as_deref().map(|detail| clean(detail, 500));
            let detail = detail.unwrap_or_else(|| format!("exit {code}"));
            let message = format!("the `restore` script of {name} failed: {detail}");
            Err(Failure::new(Exit::Failed, message)
                .hint(format!("`ww-ctl logs {name}` has what it said")))
        }
        None => {
            let message = format!("cannot restore {name}: its image has no `restore` script");
            Err(Failure::new(Exit::Refused, message)
                .hint("`--into-dir DIR` extracts the backup, to be put back by hand"))
        }
    }
}
