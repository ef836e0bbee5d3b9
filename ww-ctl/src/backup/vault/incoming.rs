//! A set on its way: it has its name only when all of it is on the disk.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};

use super::files::{directory, empty, file};
use super::{INCOMING, Id, MANIFEST, Manifest, Set, VaultError};

/// A set on its way. It is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(super) path: PathBuf,
    parent: Arc<OwnedFd>,
    pub(super) directory: OwnedFd,
    name: String,
    id: Id,
    /// How many archives are in it.
    pub(super) archives: u32,
    published: bool,
}

impl Incoming {
    pub(super) fn new(path: &Path, parent: Arc<OwnedFd>, id: Id) -> Result<Self, VaultError> {
        let name = format!("{INCOMING}{id}");
        let path = path.join(&name);
        let made = rustix::fs::mkdirat(&*parent, &name, Mode::RWXU);
        made.map_err(|error| VaultError::at("make", &path)(error.into()))?;
        let directory = directory(&*parent, &name).map_err(VaultError::at("open", &path))?;
        Ok(Self {
            path,
            parent,
            directory,
            name,
            id,
            archives: 0,
            published: false,
        })
    }

    /// A file without a name in the vault's file system, for what is read. It goes with its last descriptor.
    ///
    /// # Errors
    /// When there can be none.
    pub(crate) fn spool(&self) -> Result<File, VaultError> {
        const NAME: &str = "spool";
        let mode = Mode::RUSR | Mode::WUSR;
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        if let Ok(unnamed) = rustix::fs::openat(&self.directory, ".", flags, mode) {
            return Ok(File::from(unnamed));
        }
        // Some file systems have none.
        let failed = VaultError::at("make a file in", &self.path);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        let named = file(&self.directory, NAME, flags).map_err(&failed)?;
        let gone = rustix::fs::unlinkat(&self.directory, NAME, AtFlags::empty());
        gone.map_err(|error| failed(error.into()))?;
        Ok(named)
    }

    /// Gives it its name, once all of it is on the disk.
    ///
    /// # Errors
    /// When that cannot be done: there is no set then.
    pub(crate) fn publish(mut self, manifest: Manifest) -> Result<Set, VaultError> {
        let path = self.path.join(MANIFEST);
        let failed = VaultError::at("write", &path);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mut open = file(&self.directory, MANIFEST, flags).map_err(&failed)?;
        let mut text =
            serde_json::to_vec_pretty(&manifest).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        open.write_all(&text)
            .and_then(|()| open.sync_all())
            .map_err(&failed)?;
        let failed = VaultError::at("publish", &self.path);
        let id = self.id.to_string();
        rustix::fs::fsync(&self.directory)
            .and_then(|()| {
                let both = (&*self.parent, &*self.parent);
                let keep = RenameFlags::NOREPLACE;
                rustix::fs::renameat_with(both.0, &self.name, both.1, &id, keep)
            })
            .map_err(|error| failed(error.into()))?;
        // From here on it is there, whether that is on the disk or not.
        self.published = true;
        rustix::fs::fsync(&*self.parent).map_err(|error| failed(error.into()))?;
        Ok(Set {
            id: self.id.clone(),
            manifest,
        })
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.published {
            // What cannot be removed now is swept by the next run.
            let _left = empty(&self.parent, &self.name);
        }
    }
}
