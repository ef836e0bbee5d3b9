//! What is to be adopted, told from what was said and what is there.

use std::path::{Path, PathBuf};

use whaleware::paths::{DATA, LABEL_DATA};
use whaleware::spelling::nearest;

use super::super::gather::Host;
use super::super::{root_path, shown};
use crate::cli::DataAdopt;
use crate::data::{DataContainer, Kind, Record, Root, Trash, absolute};
use crate::engine::Volume;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;

/// What was said.
pub(super) struct Wanted {
    /// The name, with its host's perhaps.
    pub name: String,
    /// The root directory.
    pub root: PathBuf,
    from: Option<From>,
}

enum From {
    Directory(PathBuf),
    Volume(String),
}

/// What is to be done.
pub(super) enum Plan {
    /// It is adopted already.
    Nothing,
    /// The container is made again as it was.
    Again(Box<Record>),
    /// A directory in the trash is brought back.
    Trashed(PathBuf),
    /// A directory is taken as it is, where it is.
    Directory(PathBuf),
    /// The data of a volume are copied.
    Volume(Volume),
    /// A container of others, or one with a volume, is replaced.
    Over(Box<DataContainer>),
}

impl Wanted {
    /// # Errors
    /// When it is not understood.
    pub(super) fn of(arguments: &DataAdopt) -> Result<Self, Failure> {
        let given = arguments.root.as_deref();
        let is_path = |word: &str| word.starts_with(['/', '.']);
        let from = match &arguments.from {
            Some(word) if word.contains('/') => Some(From::Directory(real(Path::new(word))?)),
            Some(word) => Some(From::Volume(word.clone())),
            None => None,
        };
        if !is_path(&arguments.name) {
            return Ok(Self {
                name: arguments.name.clone(),
                root: root_path(given)?,
                from,
            });
        }
        if from.is_some() {
            let message = format!("`{}` is a directory, not a name", shown(&arguments.name));
            return Err(
                Failure::new(Exit::Usage, message).hint("say `ww-ctl data adopt NAME --from DIR`")
            );
        }
        // A directory alone goes by its own name; what is remembered of it is beside it.
        let place = absolute(Path::new(&arguments.name)).map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot tell where that is: {error}"))
        })?;
        let name = place.file_name().and_then(|name| name.to_str());
        let (Some(name), Some(parent)) = (name, place.parent()) else {
            let message = format!("cannot keep data in {}", place.display());
            return Err(Failure::new(Exit::Usage, message));
        };
        let beside = Root::open(parent).ok();
        let is_known = beside
            .as_ref()
            .is_some_and(|root| root.remembered().contains(name));
        Ok(Self {
            name: name.to_owned(),
            root: match given {
                None if is_known => parent.to_owned(),
                given => root_path(given)?,
            },
            from: if is_known {
                None
            } else {
                Some(From::Directory(real(&place)?))
            },
        })
    }

    /// # Errors
    /// When there is nothing like it, or it cannot be adopted.
    pub(super) fn plan(&self, host: &Host, name: &str) -> Result<Plan, Failure> {
        let there = host.seen.iter().find(|one| one.name == name);
        match (&self.from, there) {
            (Some(_), Some(_)) => {
                let message = format!("cannot adopt {name}: there is a container of that name");
                Err(Failure::new(Exit::Refused, message)
                    .hint("take another name, or leave out --from to take that one over"))
            }
            (Some(From::Directory(place)), None) => self.directory(place),
            (Some(From::Volume(volume)), None) => of_volume(host, volume),
            (None, Some(_)) => self.over(host, name),
            (None, None) => self.again(host, name),
        }
    }

    fn directory(&self, place: &Path) -> Result<Plan, Failure> {
        if Trash::of(place).is_some() {
            return Ok(Plan::Trashed(place.to_owned()));
        }
        let real = Root::open(place)?;
        let root = std::fs::canonicalize(&self.root).unwrap_or_else(|_| self.root.clone());
        if root.starts_with(real.path()) {
            let message = format!(
                "cannot adopt {}: the directories of other data containers are in it",
                shown(&real.text())
            );
            return Err(Failure::new(Exit::Refused, message).hint("name one of those"));
        }
        Ok(Plan::Directory(real.path().to_owned()))
    }

    fn over(&self, host: &Host, name: &str) -> Result<Plan, Failure> {
        let Some(one) = host.kept.iter().find(|one| one.seen.name == name) else {
            let message = format!("cannot adopt {name}: it does more than keep data");
            return Err(Failure::new(Exit::Refused, message).hint(
                "`ww-ctl data adopt NAME --from VOLUME` makes a data container of what it has \
                 mounted; `ww-ctl data ls` shows those that only keep data",
            ));
        };
        if one.data.place != DATA {
            let message = format!("cannot adopt {name}: it keeps nothing at {DATA}");
            return Err(Failure::new(Exit::Refused, message).hint(
                "`ww-ctl data adopt NAME --from VOLUME` makes a data container that has it there",
            ));
        }
        let has_volume = one
            .seen
            .placed
            .iter()
            .any(|placed| Kind::of(placed) != Kind::Directory);
        let is_remembered =
            Root::open(&self.root).is_ok_and(|root| root.remembered().contains(name));
        if one.because.is_none() && !has_volume && is_remembered {
            return Ok(Plan::Nothing);
        }
        Ok(Plan::Over(Box::new(one.clone())))
    }

    fn again(&self, host: &Host, name: &str) -> Result<Plan, Failure> {
        // Without a root there is nothing that could be remembered in it.
        if let Ok(root) = Root::open(&self.root)
            && let Some(record) = root.recall(name)?
        {
            return Ok(Plan::Again(Box::new(record)));
        }
        let volume = host.volumes.iter().find(|one| one.name == name);
        if let Some(volume) = volume.filter(|one| one.labels.contains_key(LABEL_DATA)) {
            let record = Record::of_volume(name, &volume.labels).ok_or_else(|| {
                let message = format!("cannot make {name} again: its volume's labels are odd");
                Failure::new(Exit::Failed, message).hint(format!(
                    "`ww-ctl data adopt {name} --from {name}` copies its data"
                ))
            })?;
            return Ok(Plan::Again(Box::new(record)));
        }
        let root = clean(&self.root.to_string_lossy(), 500);
        let message =
            format!("there is no container {name}, and nothing is remembered of one in {root}");
        Err(Failure::new(Exit::Absent, message).hint(format!(
            "`ww-ctl data adopt {name} --from DIR` takes a directory, `--from VOLUME` a volume, \
             --root DIR another root; `ww-ctl data doctor` shows what there is"
        )))
    }
}

fn of_volume(host: &Host, wanted: &str) -> Result<Plan, Failure> {
    let found = host.volumes.iter().find(|one| one.name == wanted);
    let Some(volume) = found else {
        let names: Vec<&str> = host.volumes.iter().map(|one| one.name.as_str()).collect();
        let message = format!("there is no volume `{}`", shown(wanted));
        let hint = nearest(wanted, &names).map_or_else(
            || "a directory is named with a / in it, such as ./DIR".to_owned(),
            |name| format!("did you mean `{}`?", shown(name)),
        );
        return Err(Failure::new(Exit::Absent, message).hint(hint));
    };
    Ok(Plan::Volume(volume.clone()))
}

/// A path as it is meant, links resolved.
fn real(path: &Path) -> Result<PathBuf, Failure> {
    std::fs::canonicalize(path).map_err(|error| {
        let message = format!(
            "cannot adopt {}: {error}",
            clean(&path.to_string_lossy(), 500)
        );
        let exit = if error.kind() == std::io::ErrorKind::NotFound {
            Exit::Absent
        } else {
            Exit::Failed
        };
        Failure::new(exit, message)
    })
}
