//! One backup of a vault.

use std::fs::File;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::digest;
use super::error::VaultError;
use super::id::Id;
use super::incoming::HOOK;
use super::manifest::{self, Manifest};
use super::place::Place;

/// What a backup says of itself.
pub(super) const MANIFEST: &str = "manifest.json";
/// What was found out about it afterwards.
pub(super) const VERIFIED: &str = "verified.json";
/// The most bytes of that.
const LARGEST: u64 = 64 * 1024;
/// What stands for a digest while it is computed.
const NO_DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The most characters of a word in it.
const TEXT: usize = 1024;

/// One backup, complete when it was written.
#[derive(Debug, Clone)]
pub(crate) struct Set {
    /// Whose it is.
    pub name: String,
    /// What it is called.
    pub id: Id,
    /// What it says of itself.
    pub manifest: Arc<Manifest>,
    /// What was found out about it since.
    pub verified: Verifications,
    place: Place,
}

/// What was found out about a backup, the last of each way to do so.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Verifications {
    /// By sizes and digests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quick: Option<Verified>,
    /// By reading all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full: Option<Verified>,
    /// By starting its image on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<Verified>,
    /// SHA-256 of this text with zeros in this place.
    #[serde(default)]
    digest: String,
}

/// What was found out at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verified {
    /// When.
    pub at: Timestamp,
    /// Whether all was well.
    pub ok: bool,
    /// By which version of `ww-ctl`.
    pub version: String,
    /// What was wrong, or what there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A way to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum How {
    /// By sizes and digests.
    Quick,
    /// By reading all of it.
    Full,
    /// By starting its image on it.
    Drill,
}

impl Verified {
    /// As of now.
    pub(crate) fn new(at: Timestamp, ok: bool, text: Option<String>) -> Self {
        Self {
            at,
            ok,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            text,
        }
    }
}

impl Verifications {
    /// What was found out in one way.
    pub(crate) const fn get(&self, how: How) -> Option<&Verified> {
        match how {
            How::Quick => self.quick.as_ref(),
            How::Full => self.full.as_ref(),
            How::Drill => self.drill.as_ref(),
        }
    }

    /// The most thorough good one; none where the last of any way was not good.
    pub(crate) fn good(&self) -> Option<(How, &Verified)> {
        let found = [How::Drill, How::Full, How::Quick];
        let mut found = found
            .into_iter()
            .filter_map(|how| Some((how, self.get(how)?)));
        let latest_bad = found
            .clone()
            .filter(|(_, verified)| !verified.ok)
            .map(|(_, verified)| verified.at)
            .max();
        found.find(|(_, verified)| verified.ok && latest_bad.is_none_or(|bad| bad < verified.at))
    }

    /// Whether the last that was found out is that it is not good.
    pub(crate) fn is_bad(&self) -> bool {
        let mut all = [How::Quick, How::Full, How::Drill].into_iter();
        all.any(|how| self.get(how).is_some_and(|one| !one.ok)) && self.good().is_none()
    }
}

impl Set {
    /// The one with this name in the directory of all of the same.
    pub(super) fn open_at(above: &Place, name: &str, id: &Id) -> Result<Self, VaultError> {
        let place = above.below(id.as_str())?;
        let broken = |reason: String| VaultError::Broken {
            reference: format!("{name}/{id}"),
            vault: above.path().to_owned(),
            reason,
        };
        let text = place
            .read(MANIFEST, manifest::LARGEST)?
            .ok_or_else(|| broken("it has no manifest".to_owned()))?;
        let manifest =
            Manifest::read(&text).map_err(|error| broken(crate::engine::chain(&error)))?;
        if manifest.name != name || manifest.id != *id {
            return Err(broken("its manifest tells of another one".to_owned()));
        }
        // What was found out and cannot be read any more was not found out.
        let verified = place
            .read(VERIFIED, LARGEST)
            .ok()
            .flatten()
            .and_then(|text| read_verified(&text));
        Ok(Self {
            name: name.to_owned(),
            id: id.clone(),
            manifest: Arc::new(manifest),
            verified: verified.unwrap_or_default(),
            place,
        })
    }

    /// As one asks for it: `NAME/ID`.
    pub(crate) fn reference(&self) -> String {
        format!("{}/{}", self.name, self.id)
    }

    /// Keeps it from being pruned as long as this, or a clone of it, lasts.
    ///
    /// # Errors
    /// When it is being removed, or gone.
    pub(crate) fn hold(&self) -> Result<(), VaultError> {
        if self.place.share() {
            return Ok(());
        }
        let above = self.place.path().ancestors().nth(2);
        Err(VaultError::Absent {
            reference: self.reference(),
            vault: above.unwrap_or(self.place.path()).to_owned(),
            known: ": somebody has just removed it".to_owned(),
        })
    }

    /// The directory it is in.
    pub(crate) const fn place(&self) -> &Place {
        &self.place
    }

    /// A file of it, whatever is in there.
    ///
    /// # Errors
    /// When it is not there, or no file.
    pub(crate) fn open(&self, file: &str) -> Result<File, VaultError> {
        self.place.open(file)
    }

    /// What a script wrote, as files.
    ///
    /// # Errors
    /// When it is not there.
    pub(crate) fn tree(&self) -> Result<Place, VaultError> {
        self.place.below(HOOK)
    }

    /// All its bytes as they lie in the vault.
    pub(crate) fn bytes(&self) -> u64 {
        self.manifest.bytes()
    }

    /// Whether what was found out is not as it was written down.
    pub(crate) fn is_verified_damaged(&self) -> bool {
        match self.place.read(VERIFIED, LARGEST) {
            Ok(None) => false,
            Ok(Some(text)) => read_verified(&text).is_none(),
            Err(_) => true,
        }
    }

    /// Writes down what was found out.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn record_verified(
        &mut self,
        how: How,
        mut verified: Verified,
    ) -> Result<(), VaultError> {
        if let Some(text) = &mut verified.text {
            *text = crate::fleet::clean(text, TEXT);
        }
        // Another run may have found out something else meanwhile.
        let text = self.place.read(VERIFIED, LARGEST).ok().flatten();
        let mut all = text
            .and_then(|text| read_verified(&text))
            .unwrap_or_default();
        let own = match how {
            How::Quick => &mut all.quick,
            How::Full => &mut all.full,
            How::Drill => &mut all.drill,
        };
        *own = Some(verified);
        NO_DIGEST.clone_into(&mut all.digest);
        let odd = |error: serde_json::Error| VaultError::Odd {
            what: "write",
            path: self.place.path().join(VERIFIED),
            reason: error.to_string(),
        };
        let mut text = serde_json::to_string_pretty(&all).map_err(odd)?;
        text.push('\n');
        digest::seal(&mut text, NO_DIGEST);
        self.place.write(VERIFIED, &text)?;
        self.verified = all;
        Ok(())
    }
}

fn read_verified(text: &str) -> Option<Verifications> {
    let read: Verifications = serde_json::from_str(text).ok()?;
    digest::holds(text, &read.digest).then_some(read)
}
