//! Whether data are in a backup that was found to be good.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use whaleware::env::WW_VAULT;

use super::apart;
use super::gather::Host;
use crate::backup::vault::Vault;
use crate::commands::backups::ago;
use crate::engine::Backing;
use crate::environment::variable;
use crate::exit::Failure;
use crate::fleet::clean;

/// Where a container's vault is mounted.
const PLACE: &str = "/backup";

/// The newest backup of these names that was verified, in words; none where there is none. Which vaults were looked
/// into is told, too.
pub(super) async fn backed(
    host: &Host,
    given: Option<&Path>,
    names: Vec<String>,
    now: Timestamp,
) -> Result<(Option<String>, Vec<PathBuf>), Failure> {
    let vaults = vaults(host, given);
    let looked = vaults.clone();
    let found = apart(move || {
        let all = vaults.iter().filter_map(|vault| newest(vault, &names, now));
        all.max_by_key(|(id, _)| id.clone()).map(|(_, words)| words)
    })
    .await?;
    Ok((found, looked))
}

/// The one that is named, the usual one, and those that containers of this machine have.
fn vaults(host: &Host, given: Option<&Path>) -> Vec<PathBuf> {
    if let Some(given) = given {
        return vec![given.to_owned()];
    }
    let mut all: Vec<PathBuf> = variable(WW_VAULT).map(PathBuf::from).into_iter().collect();
    let placed = host.seen.iter().flat_map(|one| &one.placed);
    all.extend(
        placed
            .filter(|placed| placed.place == PLACE)
            .filter_map(|placed| match &placed.backing {
                Backing::Directory(path) => Some(PathBuf::from(path)),
                Backing::Volume(_) => None,
            }),
    );
    all.sort();
    all.dedup();
    all
}

/// What cannot be read is no backup.
fn newest(vault: &Path, names: &[String], now: Timestamp) -> Option<(String, String)> {
    let vault = Vault::open(vault).ok()?;
    let sets = names
        .iter()
        .flat_map(|name| vault.sets(name).unwrap_or_default());
    let good = sets.filter_map(|set| {
        let (_, verified) = set.verified.good()?;
        let words = format!(
            "{}: {} in {}, verified {}",
            ago(set.manifest.begun, now),
            set.reference(),
            vault.path().display(),
            ago(verified.at, now)
        );
        set.manifest
            .complete
            .then(|| (set.id.to_string(), clean(&words, 1000)))
    });
    good.max_by_key(|(id, _)| id.clone())
}
