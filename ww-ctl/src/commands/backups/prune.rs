//! `backups prune`.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::row::{ago, content, entries, fields};
use super::{Context, TEXT, apart, meant, vault};
use crate::audit::{self, TargetResult};
use crate::backup::vault::{Aged, Keep, Listed, Reason, Restic, Set, Vault, VaultError, plan};
use crate::cli::{BackupsPrune, Format};
use crate::commands::record;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::output::{Tone, lines};
use crate::table::{self, Cell, Column};
use crate::units::size;

pub(super) async fn run(context: &Context, arguments: &BackupsPrune) -> Result<Exit, Failure> {
    let keep = arguments.keep();
    if keep.is_nothing() {
        let message = "cannot prune backups: it is not said which are to be kept";
        return Err(Failure::new(Exit::Usage, message)
            .hint("such as --keep-last 3 --keep-daily 7 --keep-weekly 4 --keep-monthly 12"));
    }
    if !arguments.dry_run {
        context.may_change("remove backups")?;
    }
    let vault = vault(&arguments.vault).await?;
    let job = Job {
        vault,
        keep,
        now: context.clock.now().wall,
        force: arguments.force_shrunk,
    };
    let (own, wanted) = (job.clone(), arguments.names.clone());
    let mut all = apart(move || own.look(&wanted)).await??;
    for one in &all {
        if let Some(shrunk) = &one.shrunk {
            context.output.warn(shrunk);
        }
    }
    let is_held = all.iter().any(|one| one.shrunk.is_some());
    let mut exit = if is_held { Exit::Refused } else { Exit::Done };
    let going: Vec<&Member> = all.iter().flat_map(Owner::going).collect();
    if !arguments.dry_run && !going.is_empty() {
        confirm(context, &going).await?;
        let done = job.remove(context, &mut all).await?;
        exit = exit.max(done);
    }
    print(context, &all, arguments.dry_run)?;
    if is_held {
        let message = "did not remove backups of what shrank suspiciously";
        return Err(Failure::new(exit, message).hint(
            "look whether the newest backups have everything; --force-shrunk goes on if they have",
        ));
    }
    Ok(exit)
}

async fn confirm(context: &Context, going: &[&Member]) -> Result<(), Failure> {
    let bytes = going
        .iter()
        .fold(0, |sum: u64, one| sum.saturating_add(one.set.bytes()));
    let owners: BTreeSet<String> = going.iter().map(|one| one.set.name.clone()).collect();
    let owners: Vec<String> = owners.into_iter().collect();
    let count = match going.len() {
        1 => "1 backup".to_owned(),
        several => format!("{several} backups"),
    };
    let of = owners.join(", ");
    context
        .confirm(&format!("remove {count} of {of}, {}", size(bytes)))
        .await
}

/// Whose backups.
struct Owner {
    name: String,
    members: Vec<Member>,
    /// What is suspicious, so that none goes.
    shrunk: Option<String>,
}

/// A backup, and what becomes of it.
struct Member {
    set: Set,
    fate: Fate,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// It stays.
    Kept(Vec<Reason>),
    /// It would go if nothing were suspicious.
    Held,
    /// It is to go.
    Going,
    /// It was to go, and somebody reads it just now.
    Read,
    /// It is gone.
    Removed,
    /// It could not be removed.
    Failed(String),
}

impl Owner {
    fn going(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|one| one.fate == Fate::Going)
    }
}

#[derive(Clone)]
struct Job {
    vault: Arc<Vault>,
    keep: Keep,
    now: Timestamp,
    force: bool,
}

impl Job {
    /// What would become of all that are meant.
    fn look(&self, wanted: &[String]) -> Result<Vec<Owner>, Failure> {
        let names = meant(&self.vault, wanted)?;
        names.into_iter().map(|name| self.owner(name)).collect()
    }

    fn owner(&self, name: String) -> Result<Owner, Failure> {
        // What is broken is nobody's to judge: it is left where it is.
        let sets: Vec<Set> = self
            .vault
            .listed(&name)?
            .into_iter()
            .filter_map(|one| match one {
                Listed::Set(set) => Some(set),
                Listed::Broken { .. } => None,
            })
            .collect();
        let aged: Vec<Aged> = sets.iter().map(aged).collect();
        let plan = plan(&aged, self.keep, self.now);
        let shrunk = plan.shrunk.filter(|_| !self.force).map(|shrunk| {
            let told = |set: &Set| {
                let (bytes, entries) = (size(content(set)), entries(set));
                format!("{} ({bytes} in {entries} entries)", set.id)
            };
            let (to, from) = (told(&sets[shrunk.to]), told(&sets[shrunk.from]));
            format!("{name}: the newest backup {to} has less than half of {from}; all are kept")
        });
        let fate = |at: usize| match plan.kept.get(&at) {
            Some(reasons) => Fate::Kept(reasons.clone()),
            None if shrunk.is_some() => Fate::Held,
            None => Fate::Going,
        };
        let members = sets
            .into_iter()
            .enumerate()
            .map(|(at, set)| Member {
                set,
                fate: fate(at),
            })
            .collect();
        Ok(Owner {
            name,
            members,
            shrunk,
        })
    }

    /// Removes those that go, of one after the other. How it ended.
    async fn remove(&self, context: &Context, all: &mut [Owner]) -> Result<Exit, Failure> {
        let going = all.iter().flat_map(Owner::going);
        let target = |set: &Set| audit::Target::named("", &set.reference());
        let targets = going.map(|one| target(&one.set)).collect();
        let entry = context.audit.begin("backups prune", targets);
        let mut exit = Exit::Done;
        for owner in all.iter_mut().filter(|one| one.going().count() > 0) {
            let job = self.clone();
            let name = owner.name.clone();
            let sets: Vec<Set> = owner.going().map(|one| one.set.clone()).collect();
            let fates = apart(move || job.remove_of(&name, &sets)).await?;
            let fates = fates.unwrap_or_else(|failure| {
                exit = exit.max(failure.exit);
                let words = failure.message;
                vec![Fate::Failed(words); owner.going().count()]
            });
            let going = owner.members.iter_mut();
            let going = going.filter(|one| one.fate == Fate::Going);
            for (member, fate) in going.zip(fates) {
                member.fate = fate;
                let (ok, words) = match &member.fate {
                    Fate::Failed(words) => (false, words.clone()),
                    Fate::Kept(_) => (true, "kept, as there is a reason by now".to_owned()),
                    Fate::Read => (true, "kept, as somebody reads it just now".to_owned()),
                    Fate::Held | Fate::Going | Fate::Removed => (true, "removed".to_owned()),
                };
                if !ok {
                    exit = exit.max(Exit::Failed);
                    let reference = member.set.reference();
                    let text = format!("{reference} is not removed: {words}");
                    context.output.warn(&text);
                }
                entry.so_far(TargetResult {
                    target: target(&member.set),
                    ok,
                    words,
                    took_ms: 0,
                });
            }
        }
        entry.end(exit, "");
        Ok(exit)
    }

    /// Removes these of one container, so far as they may still go now that nobody else can change anything.
    fn remove_of(&self, name: &str, sets: &[Set]) -> Result<Vec<Fate>, Failure> {
        let lock = self.vault.lock(name)?;
        lock.sweep()?;
        let now = self.owner(name.to_owned())?;
        let fates = sets.iter().map(|set| {
            let still = now.members.iter().find(|one| one.set.id == set.id);
            match still.map(|one| &one.fate) {
                // Somebody else was faster.
                None => Fate::Removed,
                Some(Fate::Going) => match lock.remove_after(&set.id, || let_go(set)) {
                    Ok(true) => Fate::Removed,
                    Ok(false) => Fate::Read,
                    Err(error) => Fate::Failed(Failure::from(error).message),
                },
                Some(Fate::Kept(reasons)) => Fate::Kept(reasons.clone()),
                Some(_) => Fate::Kept(Vec::new()),
            }
        });
        Ok(fates.collect())
    }
}

/// Has a repository forget what it keeps of a set: without the set nobody would know what it is.
fn let_go(set: &Set) -> Result<(), VaultError> {
    let forgotten = Restic::of(set).and_then(|restic| match restic {
        Some(restic) => restic.forget(set).map_err(|error| error.to_string()),
        None => Ok(()),
    });
    forgotten.map_err(|reason| VaultError::Odd {
        what: "remove",
        path: set.place().path().to_owned(),
        reason,
    })
}

fn aged(set: &Set) -> Aged {
    let manifest = &set.manifest;
    Aged {
        id: set.id.to_string(),
        at: manifest.begun,
        bytes: content(set),
        entries: entries(set),
        is_complete: manifest.complete,
        is_verified: set.verified.good().is_some(),
    }
}

fn print(context: &Context, all: &[Owner], is_dry: bool) -> Result<(), Failure> {
    let members = || all.iter().flat_map(|owner| &owner.members);
    let text = match context.format {
        Format::Name => {
            let gone = members().filter(|one| matches!(one.fate, Fate::Going | Fate::Removed));
            lines(gone.map(|one| one.set.reference()))
        }
        Format::Jsonl => members().map(|one| record::line(document(one))).collect(),
        Format::Json => {
            let all = members().map(|one| Value::Object(document(one))).collect();
            record::document(Map::from_iter([
                ("dry_run".to_owned(), json!(is_dry)),
                ("backups".to_owned(), Value::Array(all)),
            ]))
        }
        Format::Table | Format::Wide => {
            let now = context.clock.now().wall;
            let columns = [
                Column::elastic("NAME", 12),
                Column::fixed("ID"),
                Column::fixed("AGE"),
                Column::number("SIZE"),
                Column::fixed("FATE"),
                Column::elastic("WHY", 10),
            ];
            let rows: Vec<Vec<Cell>> = members().map(|one| cells(one, now)).collect();
            table::lines(&columns, &rows, context.output.width(), context.output)
        }
    };
    context.output.data(&text)
}

fn cells(one: &Member, now: Timestamp) -> Vec<Cell> {
    let set = &one.set;
    let (word, tone) = match &one.fate {
        Fate::Kept(_) | Fate::Read => ("kept", Tone::Good),
        Fate::Held => ("held", Tone::Busy),
        Fate::Going => ("would go", Tone::Busy),
        Fate::Removed => ("removed", Tone::Dim),
        Fate::Failed(_) => ("failed", Tone::Bad),
    };
    vec![
        Cell::new(set.name.clone(), Tone::Strong),
        Cell::plain(set.id.to_string()),
        Cell::plain(ago(set.manifest.begun, now).replace(" ago", "")),
        Cell::plain(size(set.bytes())),
        Cell::new(word, tone),
        Cell::plain(why(&one.fate).join(", ")),
    ]
}

fn why(fate: &Fate) -> Vec<String> {
    match fate {
        Fate::Kept(reasons) => reasons.iter().map(|one| one.word().to_owned()).collect(),
        Fate::Held => vec!["shrunk".to_owned()],
        Fate::Read => vec!["being read".to_owned()],
        Fate::Failed(words) => vec![clean(words, TEXT)],
        Fate::Going | Fate::Removed => Vec::new(),
    }
}

fn document(one: &Member) -> Map<String, Value> {
    let word = match &one.fate {
        Fate::Kept(_) | Fate::Read => "kept",
        Fate::Held => "held",
        Fate::Going => "would_go",
        Fate::Removed => "removed",
        Fate::Failed(_) => "failed",
    };
    let mut fields = fields(&one.set);
    fields.insert("fate".into(), json!(word));
    fields.insert("why".into(), json!(why(&one.fate)));
    fields
}
