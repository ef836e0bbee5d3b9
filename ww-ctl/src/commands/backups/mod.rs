//! `backups`: what a vault has.

mod checked;
mod drill;
mod ls;
mod prune;
mod row;
mod show;
mod verify;
mod wanted;

use std::io::ErrorKind::{NotFound, PermissionDenied};
use std::path::PathBuf;
use std::sync::Arc;

use whaleware::env;

pub(super) use self::row::ago;
use super::Context;
use crate::backup::vault::{Listed, Vault, VaultError};
use crate::cli::{Backups, From as Given};
use crate::engine::chain;
use crate::environment::variable;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::selection::matches_glob;

/// The most characters of a word of others.
const TEXT: usize = 1024;

pub(super) async fn run(context: &Context, arguments: &Backups) -> Result<Exit, Failure> {
    match arguments {
        Backups::Ls(arguments) => ls::run(context, arguments).await,
        Backups::Show(arguments) => show::run(context, arguments).await,
        Backups::Verify(arguments) => verify::run(context, arguments).await,
        Backups::Drill(arguments) => drill::run(context, arguments).await,
        Backups::Prune(arguments) => prune::run(context, arguments).await,
    }
}

/// The vault that is meant: an option, or the environment.
///
/// # Errors
/// When none is, or it cannot be opened.
async fn vault(given: &Given) -> Result<Arc<Vault>, Failure> {
    let named = given.from.clone();
    let path = named.or_else(|| variable(env::WW_VAULT).map(PathBuf::from));
    let path = path.ok_or_else(|| {
        Failure::new(Exit::Usage, "it is not said where the backups are")
            .hint("name their directory with --from DIR, or in WW_VAULT")
    })?;
    let opened = apart(move || Vault::open(&path)).await?;
    Ok(Arc::new(opened?))
}

/// Whose backups there are, of those that are meant.
///
/// # Errors
/// When the vault cannot be read, or nothing is meant.
fn meant(vault: &Vault, wanted: &[String]) -> Result<Vec<String>, Failure> {
    let mut names = vault.names()?;
    if wanted.is_empty() {
        return Ok(names);
    }
    let is_meant = |name: &String| wanted.iter().any(|pattern| matches_glob(pattern, name));
    names.retain(is_meant);
    if names.is_empty() {
        let wanted: Vec<String> = wanted.iter().map(|name| clean(name, TEXT)).collect();
        let place = clean(&vault.path().to_string_lossy(), TEXT);
        let message = format!("there is no backup of {} in {place}", wanted.join(", "));
        return Err(Failure::new(Exit::Absent, message)
            .hint("`ww-ctl backups ls` without names shows what there is"));
    }
    Ok(names)
}

/// All that is listed under these names, each with its name.
///
/// # Errors
/// When the vault cannot be read.
fn listed(vault: &Vault, names: Vec<String>) -> Result<Vec<(String, Listed)>, Failure> {
    let mut all = Vec::new();
    for name in names {
        for one in vault.listed(&name)? {
            all.push((name.clone(), one));
        }
    }
    Ok(all)
}

/// Waits for work on files, which may take long.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Failure::new(Exit::Failed, format!("cannot go on: {error}")))
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        let exit = match &error {
            VaultError::Locked { .. } => Exit::Locked,
            VaultError::Absent { .. } => Exit::Absent,
            VaultError::Ambiguous { .. } => Exit::Usage,
            VaultError::Broken { .. } => Exit::Unverified,
            VaultError::System { .. } | VaultError::Odd { .. } => Exit::Failed,
        };
        let hint = match &error {
            VaultError::Locked { .. } => Some("wait until it has ended"),
            VaultError::Absent { .. } => Some("`ww-ctl backups ls` shows what there is"),
            VaultError::Ambiguous { .. } => Some("name it by the whole of its name, NAME/ID"),
            VaultError::Broken { .. } => Some("take another one: `ww-ctl backups ls`"),
            VaultError::System { source, .. } if source.kind() == PermissionDenied => {
                Some("backups belong to who made them, often root: try it with sudo")
            }
            VaultError::System { source, .. } if source.kind() == NotFound => {
                Some("is the directory the right one, and mounted?")
            }
            VaultError::System { .. } | VaultError::Odd { .. } => None,
        };
        let failure = Self::new(exit, clean(&chain(&error), TEXT));
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
