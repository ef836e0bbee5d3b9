//! A backup that is being written: nobody sees it before all of it is there.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::AsFd;

use ww_archive::read::{Limits, Reader};
use ww_archive::unpack::{UnpackOptions, unpack};
use ww_archive::{Entry, Problem, Watch};

use super::error::VaultError;
use super::id::Id;
use super::manifest::{Manifest, Payload};
use super::place::Place;
use super::seal::{self, SealError, SealOptions, Sealed, nicely};
use super::set::{MANIFEST, Set};
use crate::backup::source::Gauge;

/// What one is called until it is complete.
pub(super) const INCOMING: &str = ".incoming-";
/// What a script wrote, as it wrote it.
pub(crate) const HOOK: &str = "hook";

/// A backup that is being written. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// The directory of all backups of the same.
    above: Place,
    place: Place,
    name: String,
    id: Id,
    published: bool,
}

impl Incoming {
    pub(super) fn new(above: &Place, name: &str, id: &Id) -> Result<Self, VaultError> {
        let place = above.make_new(&hidden(id))?;
        Ok(Self {
            above: above.clone(),
            place,
            name: name.to_owned(),
            id: id.clone(),
            published: false,
        })
    }

    /// What it is going to be called.
    pub(crate) fn id(&self) -> &Id {
        &self.id
    }

    /// Whose it is.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A file for a raw archive, in the vault's file system. It has no name, so it is gone with the last that has it
    /// open.
    ///
    /// # Errors
    /// When there can be none.
    pub(crate) fn spool(&self) -> Result<File, VaultError> {
        self.place.unnamed()
    }

    /// Compresses a raw archive into it, to its end, and lists what is in it. The number is that of the part, from 1.
    ///
    /// # Errors
    /// When the archive is not whole, or there is no room.
    pub(crate) fn seal(
        &self,
        raw: impl Read + Send,
        number: usize,
        options: &SealOptions,
        gauge: &Gauge,
    ) -> Result<Sealed, SealError> {
        self.seal_as("data", raw, number, options, gauge)
    }

    fn seal_as(
        &self,
        stem: &str,
        raw: impl Read + Send,
        number: usize,
        options: &SealOptions,
        gauge: &Gauge,
    ) -> Result<Sealed, SealError> {
        let files = file_name("files", "jsonl.zst", number, options);
        let place = &self.place;
        let sealed = nicely(options.nice, || match &options.repository {
            None => {
                let payload = file_name(stem, "tar.zst", number, options);
                seal::seal(place, (&payload, &files), raw, options, gauge)
            }
            Some(restic) => {
                let payload = file_name(stem, "tar", number, options);
                let tag = format!("{}/{}", self.name, self.id);
                seal::keep(
                    place,
                    (&payload, &files),
                    raw,
                    options,
                    (restic, &tag),
                    gauge,
                )
            }
        });
        sealed.map_err(VaultError::system("write", self.place.path()))?
    }

    /// The same with what a script wrote: as files, so that one can use them without any tool, unless it is encrypted.
    ///
    /// # Errors
    /// When the archive is not whole, or there is no room.
    pub(crate) fn seal_tree(
        &self,
        mut raw: File,
        number: usize,
        options: &SealOptions,
        gauge: &Gauge,
    ) -> Result<Sealed, SealError> {
        let files = file_name("files", "jsonl.zst", number, options);
        if !options.encrypt_to.is_empty() || options.repository.is_some() {
            let failed = || VaultError::system("read", self.place.path());
            raw.rewind().map_err(failed())?;
            return self.seal_as(HOOK, raw, number, options, gauge);
        }
        let (files, sha256, counts) = seal::list(&self.place, &files, &mut raw, options, gauge)?;
        let tree = self.place.make_new(HOOK)?;
        let failed = || VaultError::system("read", self.place.path());
        raw.rewind().map_err(failed())?;
        let unpacked = unpack(
            Reader::new(&raw, Limits::default()),
            tree.fd().as_fd(),
            &UnpackOptions {
                devices: false,
                only: None,
                owners: rustix::process::geteuid().is_root(),
            },
            &mut Unheeding(gauge),
        )?;
        Ok(Sealed {
            payload: Payload {
                file: HOOK.to_owned(),
                bytes: unpacked.bytes,
                sha256,
                raw_bytes: unpacked.bytes,
                encrypted: false,
                snapshot: None,
            },
            files,
            counts,
        })
    }

    /// Gives it its name: from here on it is a backup. All of it is on the disk by then.
    ///
    /// # Errors
    /// When it cannot be done; then it is gone.
    pub(crate) fn publish(mut self, manifest: &Manifest) -> Result<Set, VaultError> {
        let odd = |reason: &str| VaultError::Odd {
            what: "publish",
            path: self.place.path().to_owned(),
            reason: reason.to_owned(),
        };
        if manifest.name != self.name || manifest.id != self.id {
            return Err(odd("its manifest tells of another one"));
        }
        let text = manifest.text().map_err(|error| odd(&error.to_string()))?;
        self.place.write(MANIFEST, &text)?;
        let name = self.id.to_string();
        self.above.rename(&hidden(&self.id), &name)?;
        self.published = true;
        // Whoever can write to the vault may have put something else there.
        if !self.above.below(&name)?.is(&self.place)? {
            return Err(VaultError::Odd {
                what: "publish",
                path: self.above.path().join(&name),
                reason: "something else was put in its place meanwhile".to_owned(),
            });
        }
        Set::open_at(&self.above, &self.name, &self.id)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.published {
            // What cannot be removed now is swept by the next run.
            let _left = self.above.remove(&hidden(&self.id));
        }
    }
}

fn hidden(id: &Id) -> String {
    format!("{INCOMING}{id}")
}

fn file_name(stem: &str, extension: &str, number: usize, options: &SealOptions) -> String {
    let number = match number {
        0 | 1 => String::new(),
        more => format!("-{more}"),
    };
    let age = if options.encrypt_to.is_empty() {
        ""
    } else {
        ".age"
    };
    format!("{stem}{number}.{extension}{age}")
}

/// What a script wrote is listed already; what cannot be put back here is in the list.
struct Unheeding<'a>(&'a Gauge);

impl Watch for Unheeding<'_> {
    fn entry(&mut self, _: &Entry) {}

    fn bytes(&mut self, _: u64) {}

    fn problem(&mut self, _: Problem) {}

    fn is_over(&self) -> bool {
        self.0.is_stopped()
    }
}
