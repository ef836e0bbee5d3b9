//! Which backups are to be looked into.

use std::sync::Arc;

use super::{TEXT, apart, listed};
use crate::backup::vault::{Listed, Set, Vault, VaultError};
use crate::exit::Failure;
use crate::fleet::clean;

/// What is to be looked into, or is known to be broken.
pub(super) enum Wanted {
    Set(Box<Set>),
    Broken { reference: String, reason: String },
}

impl Wanted {
    pub(super) fn reference(&self) -> String {
        match self {
            Self::Set(set) => set.reference(),
            Self::Broken { reference, .. } => reference.clone(),
        }
    }
}

/// Those that are named.
///
/// # Errors
/// When one is not there.
pub(super) async fn named(vault: &Arc<Vault>, names: &[String]) -> Result<Vec<Wanted>, Failure> {
    let (vault, names) = (vault.clone(), names.to_owned());
    let find = move |name: String| match vault.find(&name) {
        Ok(set) => {
            set.hold()?;
            Ok(Wanted::Set(Box::new(set)))
        }
        Err(VaultError::Broken {
            reference, reason, ..
        }) => Ok(Wanted::Broken {
            reference: clean(&reference, TEXT),
            reason: clean(&reason, TEXT),
        }),
        Err(error) => Err(Failure::from(error)),
    };
    apart(move || names.into_iter().map(find).collect()).await?
}

/// All that there are.
///
/// # Errors
/// When the vault cannot be read.
pub(super) async fn all(vault: &Arc<Vault>) -> Result<Vec<Wanted>, Failure> {
    let vault = vault.clone();
    let found = apart(move || listed(&vault, vault.names()?)).await??;
    let all = found.into_iter().map(|(name, one)| match one {
        Listed::Set(set) => Wanted::Set(Box::new(set)),
        Listed::Broken { id, reason } => Wanted::Broken {
            reference: clean(&format!("{name}/{id}"), TEXT),
            reason: clean(&reason, TEXT),
        },
    });
    Ok(all.collect())
}
