//! `backups drill`: a container is started on the data of a backup, beside everything else, until it is UP or is not.

mod guest;
mod scratch;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use whaleware::env::WW_DATA_ROOT;
use whaleware::paths::{BACKUP, DATA_ROOT, LABEL_DRILL};

use self::guest::{Guest, Rooms};
use self::scratch::Scratch;
use super::checked::{Checked, Findings, millis, write_down};
use super::wanted::{self, Wanted};
use super::{Context, TEXT, apart, vault, verify};
use crate::audit;
use crate::backup::source::Gauge;
use crate::backup::vault::{How, Part, PartKind, Restic, Set, Vault, Verdict};
use crate::cli::BackupsDrill;
use crate::commands::backup::progress::Progress;
use crate::commands::interrupts::{Interrupts, interrupted};
use crate::commands::live::Live;
use crate::commands::printed::show_last;
use crate::commands::proof::prove;
use crate::commands::restore::aside::{Content, Unfit, put_together};
use crate::commands::restore::script::put_back;
use crate::data::{Root, absolute};
use crate::engine::{Creation, Engine, Scope, Target};
use crate::environment::variable;
use crate::exit::{Exit, Failure};
use crate::fleet::{ContainerKey, clean};
use crate::units::{duration, size};

/// How the names of its containers begin.
const NAME: &str = "ww-drill-";
/// What a script's backup is called below `/backup`.
const GIVEN: &str = "given";

pub(super) async fn run(context: &Context, arguments: &BackupsDrill) -> Result<Exit, Failure> {
    context.may_change("drill")?;
    let mut interrupts = Interrupts::hear(context.output)?;
    let vault = vault(&arguments.vault).await?;
    let sets = wanted::named(&vault, &arguments.backups).await?;
    sets.iter().try_for_each(refuse_kept)?;
    let (target, engine) = interrupts.or(here(context)).await??;
    let root = root(&vault, arguments).await?;
    let drill = Drill {
        context,
        arguments,
        target,
        engine,
        root,
    };
    interrupts.hold(drill.sweep()).await??;
    let targets = sets
        .iter()
        .map(|one| audit::Target::named("", &one.reference()));
    let entry = context.audit.begin("backups drill", targets.collect());
    let mut findings = Findings::new(context, "drilled");
    for one in sets {
        let checked = match one {
            Wanted::Set(set) => {
                let set = *set;
                let checked = Box::pin(drill.one(&set, &mut interrupts)).await?;
                write_down(context, set, &checked).await?;
                checked
            }
            Wanted::Broken { reference, reason } => broken(reference, reason),
        };
        findings.add(&checked)?;
    }
    findings.end(Some(entry))
}

/// What is kept in a repository that is not the one that is meant.
fn refuse_kept(one: &Wanted) -> Result<(), Failure> {
    let Wanted::Set(set) = one else { return Ok(()) };
    let Err(reason) = Restic::of(set) else {
        return Ok(());
    };
    let message = format!("cannot drill {}: {reason}", set.reference());
    Err(Failure::new(Exit::Refused, message))
}

/// The Engine of this machine.
async fn here(context: &Context) -> Result<(&Target, Engine), Failure> {
    for target in &context.targets {
        let engine = context.engine(&target.name).await?;
        if engine.is_here().await? {
            return Ok((target, engine));
        }
    }
    let message = "cannot drill: there is no Docker Engine of this machine among the hosts";
    Err(Failure::new(Exit::Refused, message)
        .hint("what is extracted here can be mounted by an Engine that runs here only"))
}

/// Where scratch directories are made. Not in the vault: containers may write there, and could exchange what is about
/// to be mounted for a link to anything.
async fn root(vault: &Arc<Vault>, arguments: &BackupsDrill) -> Result<Root, Failure> {
    let given = arguments.scratch.clone();
    let path = given.or_else(|| variable(WW_DATA_ROOT).map(PathBuf::from));
    let path = path.unwrap_or_else(|| PathBuf::from(DATA_ROOT));
    let vault = vault.path().to_owned();
    apart(move || {
        let path = absolute(&path).unwrap_or(path);
        let root = Root::make(&path)?;
        if let Ok(vault) = std::fs::canonicalize(vault)
            && root.path().starts_with(&vault)
        {
            let path = clean(&root.text(), TEXT);
            let message = format!("cannot drill in {path}: it is in the vault");
            return Err(Failure::new(Exit::Refused, message).hint(
                "containers may be able to write there, and could plant a link; name another one with --scratch DIR",
            ));
        }
        Ok(root)
    })
    .await?
}

/// What all of one call have in common.
struct Drill<'a> {
    context: &'a Context,
    arguments: &'a BackupsDrill,
    target: &'a Target,
    engine: Engine,
    root: Root,
}

impl Drill<'_> {
    /// Removes what drills have left that were killed.
    async fn sweep(&self) -> Result<(), Failure> {
        for one in self.engine.labelled_containers(LABEL_DRILL).await? {
            let Some(found) = self.engine.inspected(&one.id).await? else {
                continue;
            };
            let label = found.label(LABEL_DRILL).map(PathBuf::from);
            let Some(path) = label.filter(|_| one.name.starts_with(NAME)) else {
                continue;
            };
            if apart(move || scratch::is_over(&path)).await? {
                self.engine.remove_container(&one.id).await?;
                let name = clean(&one.name, 200);
                let text = format!("{name}, left by a drill that was cut short, is removed");
                self.context.output.say(&text);
            }
        }
        let root = self.root.clone();
        Ok(apart(move || scratch::sweep(&root)).await??)
    }

    /// Drills one. Whatever comes of it, what it has made is gone then.
    async fn one(&self, set: &Set, interrupts: &mut Interrupts) -> Result<Checked, Failure> {
        let begun = self.context.clock.now().moment;
        let found = Guest::find(&self.engine, set, self.arguments);
        let guest = interrupts.or(found).await??;
        guest.foretell(self.context.output, &set.reference());
        let root = self.root.clone();
        let scratch = apart(move || Scratch::make(&root)).await??;
        let came = self.rehearse(set, &guest, &scratch, interrupts).await;
        apart(move || drop(scratch)).await?;
        let came = came?;
        let took = self.context.clock.now().moment.since(begun);
        Ok(checked(set, &guest, came, took))
    }

    async fn rehearse(
        &self,
        set: &Set,
        guest: &Guest,
        scratch: &Scratch,
        interrupts: &mut Interrupts,
    ) -> Result<Came, Failure> {
        let rooms = rooms(set, scratch)?;
        for part in 0..set.manifest.parts.len() {
            match self.extract(set, part, &rooms, interrupts).await {
                Err(Unfit::Damaged { why, .. }) => return Ok(Came::Damaged(why)),
                done => done?,
            }
        }
        let creation = guest.creation(set, scratch, &rooms)?;
        // Before it is made, so that nothing of its life is missed.
        let live = self.context.live_on(self.target, Scope::Agents);
        let mut live = interrupts.or(live).await??;
        // Where that is given up it may be there all the same: the next drill removes it.
        let made = interrupts.hold(self.engine.create(&creation)).await??;
        let came = if let Some(number) = interrupts.came() {
            Err(interrupted(number))
        } else {
            let act = self.act(set, &creation, &made.id, &mut live);
            let came = interrupts.or(Box::pin(act)).await;
            came.unwrap_or_else(Err)
        };
        live.close().await;
        if let Ok(Came::Down(_)) = came {
            show_last(
                self.context.output,
                &self.engine,
                &made.id,
                false,
                &creation.name,
            )
            .await;
        }
        let removed = self.engine.remove_container(&made.id).await;
        if let Err(error) = removed {
            let failure = Failure::from(error);
            self.context.output.warn(&format!(
                "{} is not removed: {}; `docker rm -fv {}` does it, or the next drill",
                creation.name, failure.message, creation.name
            ));
        }
        came
    }

    /// Puts a part together, and compares it with its list.
    async fn extract(
        &self,
        set: &Set,
        part: usize,
        rooms: &Rooms,
        interrupts: &mut Interrupts,
    ) -> Result<(), Unfit> {
        let Some(path) = rooms.parts.get(part).cloned() else {
            return Ok(());
        };
        let content = Content {
            set: set.clone(),
            part,
            identity: self.arguments.identity.clone(),
            only: None,
            devices: false,
        };
        let gauge = Gauge::new();
        let at_work = gauge.clone();
        let work = apart(move || {
            let root = File::open(&path).map_err(|error| {
                let path = clean(&path.to_string_lossy(), TEXT);
                Failure::new(Exit::Failed, format!("cannot open {path}: {error}"))
            })?;
            put_together(&content, &OwnedFd::from(root), &at_work)
        });
        let stoppable = async {
            let mut work = pin!(work);
            tokio::select! {
                biased;
                done = &mut work => done?,
                number = interrupts.next() => {
                    gauge.stop();
                    // Nothing is removed under its hands.
                    drop(work.await);
                    Err(interrupted(number).into())
                }
            }
        };
        let bytes = set.manifest.parts.get(part).map(|part| part.counts.bytes);
        // Once to write it, once to compare it.
        let twice = bytes.map(|bytes| bytes.saturating_mul(2));
        let (output, clock) = (self.context.output, self.context.clock);
        let mut progress = Progress::new(output, clock, set.reference());
        let words = progress
            .during("extracting", Some((&gauge, twice)), stoppable)
            .await?;
        for words in words {
            progress.warn(&words);
        }
        Ok(())
    }

    /// Starts it, and watches what becomes of it.
    async fn act(
        &self,
        set: &Set,
        creation: &Creation,
        id: &str,
        live: &mut Live,
    ) -> Result<Came, Failure> {
        let key = ContainerKey {
            host: self.target.name.clone(),
            id: Arc::from(id),
        };
        if !live.knows(&key).await? {
            let message = "the Engine does not tell of a container that it has made";
            return Err(Failure::new(Exit::Engine, message));
        }
        let begun = self.context.clock.now().moment;
        let limit = self.arguments.timeout;
        let up = async {
            prove(self.context, live, &key, limit).await?;
            let up = self.context.clock.now().moment.since(begun);
            let is_hook = |part: &Part| part.kind == PartKind::Hook;
            if set.manifest.parts.iter().any(is_hook) {
                let directory = format!("{BACKUP}/{GIVEN}");
                let whom = (id, creation.name.as_str());
                put_back(self.context, &self.engine, whom, &directory, limit).await?;
                prove(self.context, live, &key, limit).await?;
            }
            Ok::<_, Failure>(up)
        };
        match up.await {
            Ok(up) => Ok(Came::Up(up)),
            Err(failure) if is_its_own(failure.exit) => Ok(Came::Down(failure.message)),
            Err(failure) => Err(failure),
        }
    }
}

/// What has become of one.
enum Came {
    /// It was UP after so long.
    Up(Duration),
    /// It was not, because of this.
    Down(String),
    /// It was not even tried: the backup is not what it was.
    Damaged(String),
}

/// Whether a container itself is why it does not come up, and not how it was asked.
const fn is_its_own(exit: Exit) -> bool {
    matches!(
        exit,
        Exit::Failed | Exit::TimedOut | Exit::Refused | Exit::Locked
    )
}

/// Directories for all that is mounted.
fn rooms(set: &Set, scratch: &Scratch) -> Result<Rooms, Failure> {
    let backup = scratch.room("backup")?;
    let mut parts = Vec::new();
    for (number, part) in set.manifest.parts.iter().enumerate() {
        parts.push(match part.kind {
            PartKind::Hook => scratch.room(&format!("backup/{GIVEN}"))?,
            PartKind::Data => scratch.room(&format!("part-{number}"))?,
        });
    }
    Ok(Rooms {
        parts,
        data: scratch.room("data")?,
        backup,
    })
}

fn checked(set: &Set, guest: &Guest, came: Came, took: Duration) -> Checked {
    let bytes = set.bytes();
    let up = match &came {
        Came::Up(up) => Some(*up),
        Came::Down(_) | Came::Damaged(_) => None,
    };
    let well = up.map_or_else(String::new, |up| {
        format!(
            "comes up with {} and passes its check (drill, {} in {}, UP after {})",
            guest.shown,
            size(bytes),
            duration(took),
            duration(up)
        )
    });
    let (wrong, faults) = match came {
        Came::Up(_) => ("", Vec::new()),
        Came::Down(why) => ("does not come up", vec![clean(&why, TEXT)]),
        Came::Damaged(why) => (verify::WRONG, vec![clean(&why, TEXT)]),
    };
    let more = Map::from_iter([
        ("image".to_owned(), json!(guest.shown)),
        ("up_ms".to_owned(), json!(up.map(millis))),
    ]);
    Checked {
        reference: set.reference(),
        how: How::Drill,
        verdict: Verdict {
            faults,
            unchecked: Vec::new(),
        },
        well,
        wrong,
        bytes,
        took,
        more,
    }
}

fn broken(reference: String, reason: String) -> Checked {
    Checked {
        reference,
        how: How::Drill,
        verdict: Verdict {
            faults: vec![reason],
            unchecked: Vec::new(),
        },
        well: String::new(),
        wrong: verify::WRONG,
        bytes: 0,
        took: Duration::ZERO,
        more: Map::from_iter([
            ("image".to_owned(), Value::Null),
            ("up_ms".to_owned(), Value::Null),
        ]),
    }
}
