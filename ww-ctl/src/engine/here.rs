//! Whether an Engine sees the directories of this machine.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use jiff::Timestamp;

use super::client::Engine;
use super::error::EngineError;
use crate::environment;

impl Engine {
    /// Whether what it says of directories is about this machine, as far as can be told without
    /// touching anything: a socket may lead to a virtual machine, or by ssh to another one.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(crate) async fn is_here(&self) -> Result<bool, EngineError> {
        if !self.is_local() {
            return Ok(false);
        }
        Ok(self.machine().await? == environment::hostname())
    }

    /// Whether it sees a directory of this machine at a place of a container: both must see the
    /// same time of its last change, to the nanosecond.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(crate) async fn sees(
        &self,
        id: &str,
        place: &str,
        directory: &Metadata,
    ) -> Result<bool, EngineError> {
        let sight = self.sight(id, place).await?;
        let told = sight
            .filter(|sight| sight.is_directory)
            .and_then(|sight| sight.changed);
        Ok(told.is_some() && told == changed(directory))
    }
}

fn changed(directory: &Metadata) -> Option<Timestamp> {
    let nanos = i32::try_from(directory.mtime_nsec()).ok()?;
    Timestamp::new(directory.mtime(), nanos).ok()
}
