//! `restore`: data become what they were in a backup, in one step, and can be what they were before again.

pub(super) mod aside;
mod exchange;
mod found;
pub(super) mod left;
pub(super) mod script;
mod told;
mod users;

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;
use whaleware::env::WW_VAULT;
use whaleware::paths::BACKUP;

use self::exchange::Job;
use self::found::{Found, find};
use super::Context;
use super::interrupts::Interrupts;
use crate::backup::restore::AreaError;
use crate::backup::vault::{PartKind, Restic, Set, Vault};
use crate::cli::Restore;
use crate::engine::{Backing, chain};
use crate::environment::variable;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;

/// The most characters of what others say.
const TEXT: usize = 1000;

pub(super) async fn run(context: &Context, arguments: &Restore) -> Result<Exit, Failure> {
    if !arguments.dry_run {
        context.may_change("restore")?;
    }
    let mut interrupts = Interrupts::hear(context.output)?;
    let stop = CancellationToken::new();
    let mut work = Box::pin(act(context, arguments, stop.clone()));
    let mut came = None;
    loop {
        tokio::select! {
            biased;
            number = interrupts.next() => {
                if came.is_some() {
                    return Err(Failure::new(Exit::Signal(number), "interrupted twice")
                        .hint("the next `ww-ctl restore` puts in order what is left"));
                }
                came = Some(number);
                stop.cancel();
                context.output.say("interrupted; bringing everything to where it is whole");
            }
            done = &mut work => {
                return match (done, came) {
                    (Err(failure), Some(number)) if stop.is_cancelled() => {
                        Err(Failure { exit: Exit::Signal(number), ..failure })
                    }
                    (done, _) => done,
                };
            }
        }
    }
}

async fn act(
    context: &Context,
    arguments: &Restore,
    stop: CancellationToken,
) -> Result<Exit, Failure> {
    let paths = wanted(&arguments.paths)?;
    if let Some(name) = &arguments.undo {
        let found = find(context, name).await?;
        left::settle_for(context, &found).await?;
        return Job::new(context, arguments, &found, stop).undo().await;
    }
    let reference = arguments.backup.clone().unwrap_or_default();
    if let Some(directory) = &arguments.into_dir {
        let set = set(arguments, None, reference).await?;
        return aside::extract_into(context, arguments, &set, directory, paths, stop).await;
    }
    match (&arguments.into, &arguments.name) {
        (Some(new), _) => {
            // Held from here on, so that it is the same one afterwards.
            let held = set(arguments, None, reference.clone()).await?;
            script::refuse(&held)?;
            super::data::make(context, new).await?;
            let done = onto(context, arguments, new, held.reference(), paths, stop).await;
            match done {
                Err(failure) => Err(without(context, new, failure).await),
                done => done,
            }
        }
        (None, Some(name)) => onto(context, arguments, name, reference, paths, stop).await,
        (None, None) => Err(Failure::new(
            Exit::Usage,
            "it is not said whose data are meant",
        )),
    }
}

/// A data container that was made for what could not be put into it is of no use.
async fn without(context: &Context, name: &str, failure: Failure) -> Failure {
    let Err(error) = super::data::unmake(context, name).await else {
        return failure;
    };
    let name = clean(name, 200);
    let words = format!(
        "{name} was made for it and is still there: {}",
        error.message
    );
    context.output.warn(&words);
    failure
}

/// Restores into what is there.
async fn onto(
    context: &Context,
    arguments: &Restore,
    name: &str,
    reference: String,
    paths: Option<Vec<Vec<u8>>>,
    stop: CancellationToken,
) -> Result<Exit, Failure> {
    let found = find(context, name).await?;
    let set = set(arguments, Some(&found), reference).await?;
    if !arguments.dry_run {
        left::settle_for(context, &found).await?;
    }
    let job = Job::new(context, arguments, &found, stop);
    let is_hook = |part: &crate::backup::vault::Part| part.kind == PartKind::Hook;
    if set.manifest.parts.iter().any(is_hook) {
        return job.by_script(set).await;
    }
    if arguments.dry_run {
        return job.forecast(set, paths).await;
    }
    job.restore(set, paths).await
}

/// The backup that is meant.
async fn set(
    arguments: &Restore,
    found: Option<&Found>,
    reference: String,
) -> Result<Set, Failure> {
    let vault = vault(arguments, found)?;
    let set = apart(move || Vault::open(&vault)?.find(&reference)).await?;
    let set = set?;
    set.hold()?;
    if let Err(reason) = Restic::of(&set) {
        let message = format!("cannot restore {}: {reason}", set.reference());
        return Err(Failure::new(Exit::Refused, message).hint("nothing was touched"));
    }
    Ok(set)
}

fn vault(arguments: &Restore, found: Option<&Found>) -> Result<PathBuf, Failure> {
    if let Some(given) = &arguments.from {
        return Ok(given.clone());
    }
    if let Some(usual) = variable(WW_VAULT) {
        return Ok(PathBuf::from(usual));
    }
    let members = found.map(Found::members).unwrap_or_default();
    let placed = members.iter().flat_map(crate::engine::Inspected::placed);
    let mut mounted = placed.filter(|one| one.place == BACKUP);
    match mounted.next().map(|one| one.backing) {
        Some(Backing::Directory(path)) => Ok(PathBuf::from(path)),
        Some(Backing::Volume(_)) | None => Err(Failure::new(
            Exit::Usage,
            "it is not said where the backups are",
        )
        .hint("--from DIR, or the variable WW_VAULT")),
    }
}

/// Paths below the data, as archives have them.
fn wanted(paths: &[PathBuf]) -> Result<Option<Vec<Vec<u8>>>, Failure> {
    use std::os::unix::ffi::OsStrExt;
    use std::path::Component;
    if paths.is_empty() {
        return Ok(None);
    }
    let plain = |path: &PathBuf| {
        let mut names: Vec<&[u8]> = Vec::new();
        for component in path.components() {
            match component {
                Component::Normal(name) => names.push(name.as_bytes()),
                Component::CurDir => {}
                Component::RootDir | Component::ParentDir | Component::Prefix(_) => {
                    let path = clean(&path.to_string_lossy(), TEXT);
                    let message = format!("`{path}` is not relative to the data");
                    return Err(Failure::new(Exit::Usage, message)
                        .hint("--path etc/shop.conf is what lies at /data/etc/shop.conf"));
                }
            }
        }
        if names.is_empty() {
            let message = "the root of the data is everything there is";
            return Err(Failure::new(Exit::Usage, message).hint("leave --path out"));
        }
        Ok(names.join(&b'/'))
    };
    paths
        .iter()
        .map(plain)
        .collect::<Result<Vec<_>, _>>()
        .map(Some)
}

/// What an error beside the data means.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it is what errors are mapped by"
)]
fn of_area(error: AreaError) -> Failure {
    let exit = match &error {
        AreaError::Locked(_) => Exit::Locked,
        AreaError::Unfit { .. } | AreaError::NothingKept(_) => Exit::Refused,
        AreaError::System { .. } => Exit::Failed,
    };
    let is_full = error.is_full();
    let failure = Failure::new(exit, clean(&chain(&error), TEXT));
    match error {
        AreaError::Locked(_) => failure.hint("wait until that has ended"),
        AreaError::NothingKept(_) => {
            failure.hint("only the last restore of a container can be undone")
        }
        AreaError::Unfit { .. } => failure.hint(
            "`--into NEWNAME` makes a data container with the backup, `--into-dir DIR` extracts it",
        ),
        AreaError::System { .. } if is_full => {
            failure.hint("no room is left beside the data, which are as they were; make some")
        }
        AreaError::System { .. } => failure,
    }
}

/// It was stopped by a signal.
fn stopped() -> Failure {
    Failure::new(Exit::Failed, "interrupted")
}

fn shown(path: &Path) -> String {
    clean(&path.to_string_lossy(), 500)
}

/// Waits for work on files, which may take long.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Failure::new(Exit::Failed, format!("cannot go on: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_below_the_data_and_no_others() {
        let plain = |path: &str| wanted(&[PathBuf::from(path)]);
        assert_eq!(
            plain("./etc//shop.conf").unwrap().unwrap(),
            [b"etc/shop.conf"]
        );
        for path in ["/etc/shadow", "../x", "a/../../x", ".", ""] {
            assert_eq!(plain(path).unwrap_err().exit, Exit::Usage, "{path}");
        }
        assert_eq!(wanted(&[]).unwrap(), None);
    }
}
