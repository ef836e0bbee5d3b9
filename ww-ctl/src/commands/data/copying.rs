//! Data copied from one directory of this machine to another, until it is done or interrupted.

use std::path::{Path, PathBuf};
use std::pin::pin;

use super::{apart, shown};
use crate::commands::interrupts::{Interrupts, interrupted};
use crate::data::{Copied, CopyError, Copying, Seen, Standing, copy};
use crate::engine::{Backing, chain};
use crate::exit::{Exit, Failure};
use crate::fleet::clean;

/// Copies one, and what has changed meanwhile where it `is_live`.
///
/// # Errors
/// When it is not whole, or a signal comes. Nothing works on it any more then.
pub(super) async fn copied(
    from: PathBuf,
    to: PathBuf,
    is_live: bool,
    interrupts: &mut Interrupts,
) -> Result<(Copied, Vec<String>), Failure> {
    let copying = Copying::new();
    let work = apart({
        let copying = copying.clone();
        move || copy(&from, &to, is_live, &copying)
    });
    let mut work = pin!(work);
    let done = tokio::select! {
        biased;
        number = interrupts.next() => {
            copying.stop();
            let _stopped = work.await;
            return Err(interrupted(number));
        }
        done = &mut work => done?,
    };
    done.map_err(Failure::from)
}

impl From<CopyError> for Failure {
    fn from(error: CopyError) -> Self {
        let hint = match &error {
            CopyError::Open { .. } | CopyError::Read { .. } => {
                "directories of containers belong to root: try it with sudo"
            }
            CopyError::Write { .. } => "is there room for a second copy of the data?",
            CopyError::Part { .. } => "stop what changes them, or what keeps them from being read",
            CopyError::Stopped => "nothing is left of it",
        };
        Self::new(Exit::Failed, clean(&chain(&error), 1000)).hint(hint)
    }
}

/// The containers that run and have this, a part of it or more, by name.
pub(super) fn running(all: &[Seen], backing: &Backing, directory: Option<&Path>) -> Vec<String> {
    having(all, backing, directory)
        .filter(|one| one.standing == Standing::Running)
        .map(|one| shown(&one.name))
        .collect()
}

/// The containers that have this, a part of it or more. A volume may be mounted by its directory, too.
pub(super) fn having<'a>(
    all: &'a [Seen],
    backing: &'a Backing,
    directory: Option<&'a Path>,
) -> impl Iterator<Item = &'a Seen> {
    all.iter().filter(move |one| {
        one.placed.iter().any(|placed| {
            let is_in = directory.is_some_and(|directory| {
                let directory = directory.to_string_lossy().into_owned();
                placed.backing.meets(&Backing::Directory(directory))
            });
            is_in || placed.backing.meets(backing)
        })
    })
}
