//! Whose data are meant, where they lie, and who uses them.

use std::fs;
use std::path::{Path, PathBuf};

use super::Context;
use crate::audit::Target;
use crate::backup::groups::{Group, groups};
use crate::backup::journal::{How, Touched};
use crate::backup::source::{is_below, place};
use crate::data::Seen;
use crate::engine::{Engine, Identity, Inspected, Placed, chain};
use crate::exit::{Exit, Failure};
use crate::fleet::{HostName, clean};

/// The most characters shown of a name or a path.
const SHOWN: usize = 500;

/// A container whose data are meant, and all that has to do with them.
pub(super) struct Found {
    /// Where it is.
    pub host: HostName,
    /// Its Engine, of this machine.
    pub engine: Engine,
    /// What that is.
    pub identity: Identity,
    /// Its name.
    pub name: String,
    id: String,
    all: Vec<Inspected>,
    group: Group,
}

/// Data on this machine.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    /// Where they are mounted.
    pub placed: Placed,
    /// The directory.
    pub path: PathBuf,
}

/// Who has something of some data.
#[derive(Debug, Default)]
pub(super) struct Users {
    /// Those that run and have to be stopped.
    pub running: Vec<Touched>,
    /// Those that run and see the data from above: nothing holds the old ones for them.
    pub bystanders: Vec<String>,
}

/// Finds a container whose data can be exchanged here.
///
/// # Errors
/// When there is none, it has no data, or they are on another machine.
pub(super) async fn find(context: &Context, name: &str) -> Result<Found, Failure> {
    let (_, key) = context.find_one(name).await?;
    let engine = context.engine(&key.host).await?;
    if !engine.is_here().await? {
        let message = format!(
            "cannot restore the data of {}: they are not on this machine, but on {}",
            clean(name, SHOWN),
            key.host
        );
        return Err(Failure::new(Exit::Refused, message).hint(
            "call ww-ctl on that machine, with the directory of the backups there; or `--into-dir DIR` to look at \
             it here",
        ));
    }
    let (all, identity) = futures::try_join!(engine.all_inspected(), engine.identity())?;
    let seen: Vec<Seen> = all.iter().map(Seen::of).collect();
    let group = groups(&seen).into_iter().find(|group| group.has(&key.id));
    let one = all.iter().find(|one| one.id() == &*key.id);
    let (Some(group), Some(one)) = (group, one) else {
        let name = clean(name, SHOWN);
        let message = format!("cannot restore the data of {name}: nothing is mounted at its /data");
        return Err(Failure::new(Exit::Refused, message).hint(
            "what is in the container itself cannot be exchanged; `--into NEWNAME` makes a data container with the \
             backup",
        ));
    };
    Ok(Found {
        host: key.host,
        name: one.name().to_owned(),
        id: one.id().to_owned(),
        engine,
        identity,
        group,
        all,
    })
}

impl Found {
    /// It, as the Engine tells of it.
    pub(super) fn own(&self) -> Option<&Inspected> {
        self.all.iter().find(|one| one.id() == self.id)
    }

    /// The containers that have the data.
    pub(super) fn members(&self) -> Vec<Inspected> {
        let members = self.group.members.iter();
        let find = |id: &str| self.all.iter().find(|one| one.id() == id).cloned();
        members.filter_map(|one| find(&one.id)).collect()
    }

    /// Where it, or its group, has data.
    pub(super) fn places(&self) -> Vec<String> {
        let places = self.group.places.iter();
        let mut places: Vec<String> = places.map(|one| one.place.clone()).collect();
        places.sort();
        places
    }

    /// For the audit journal.
    pub(super) fn target(&self) -> Target {
        Target {
            id: Some(self.id.clone()),
            ..Target::named(&self.host, &self.name)
        }
    }

    /// What is mounted at a place, on this machine.
    ///
    /// # Errors
    /// When nothing is, or it cannot be got at.
    pub(super) async fn tree(&self, at: &str) -> Result<Tree, Failure> {
        let name = clean(&self.name, SHOWN);
        let shown = clean(at, SHOWN);
        let own = self.own().map(Inspected::placed).unwrap_or_default();
        let mut all = own.iter().chain(&self.group.places);
        let Some(placed) = all.find(|one| one.place == at).cloned() else {
            let message = format!("cannot restore into {name}: it has nothing mounted at {shown}");
            return Err(Failure::new(Exit::Refused, message).hint(
                "the backup has data of that place; `--into-dir DIR` extracts all of it to look at",
            ));
        };
        let found = place(&self.engine, &self.members(), &placed).await;
        let found =
            found.map_err(|error| Failure::new(Exit::Failed, clean(&chain(&error), 1000)))?;
        match found {
            Ok(path) => Ok(Tree { placed, path }),
            Err(reason) => {
                let message = format!(
                    "cannot restore into {name}: what is mounted at {shown} cannot be exchanged as a directory of \
                     this machine, {}",
                    clean(&reason, SHOWN)
                );
                Err(Failure::new(Exit::Refused, message).hint(
                    "call it as root on the machine of the Engine; or `--into NEWNAME` makes a data container with \
                     the backup",
                ))
            }
        }
    }

    /// Who uses these data.
    ///
    /// # Errors
    /// When one of them could not be started again.
    pub(super) fn users(&self, trees: &[Tree]) -> Result<Users, Failure> {
        let mut users = Users::default();
        for one in self
            .all
            .iter()
            .filter(|one| one.is_running() || one.is_restarting())
        {
            let name = clean(one.name(), SHOWN);
            let placed = one.placed();
            let holds = |tree: &Tree| placed.iter().any(|placed| holds(placed, tree));
            if !trees.iter().any(holds) {
                let sees = |tree: &Tree| placed.iter().any(|placed| sees(placed, tree));
                if trees.iter().any(sees) {
                    users.bystanders.push(name);
                }
                continue;
            }
            let refused = |why: &str, hint: String| {
                let message = format!("cannot exchange the data of {name}: {why}");
                Err(Failure::new(Exit::Refused, message).hint(hint))
            };
            if one.goes_at_its_end() {
                let why = "it was made with --rm, so Docker removes it as soon as it is stopped";
                return refused(why, format!("stop it yourself first: `ww-ctl stop {name}`"));
            }
            if one.is_paused() {
                return refused("it is paused", format!("`docker unpause {name}` first"));
            }
            users.running.push(Touched {
                id: one.id().to_owned(),
                name: one.name().to_owned(),
                how: How::Stopped,
                directory: None,
            });
        }
        users
            .running
            .sort_by(|one, other| one.name.cmp(&other.name));
        Ok(users)
    }
}

/// Whether a mount holds a directory that is exchanged, or one in it: it goes on seeing it until it is unmounted.
fn holds(placed: &Placed, tree: &Tree) -> bool {
    if placed.backing == tree.placed.backing {
        return true;
    }
    let (own, tree) = (real(Path::new(&placed.source)), real(&tree.path));
    own == tree || is_below(&own, &tree)
}

/// Whether it has a directory above it.
fn sees(placed: &Placed, tree: &Tree) -> bool {
    is_below(&real(&tree.path), &real(Path::new(&placed.source)))
}

fn real(path: &Path) -> String {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real.to_string_lossy().into_owned()
}
