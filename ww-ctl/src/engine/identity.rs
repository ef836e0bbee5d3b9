//! What an Engine is, however it is reached.

use super::client::Engine;
use super::error::EngineError;
use crate::fleet::clean;

/// The most characters kept of a word.
const TEXT: usize = 256;

/// What an Engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Its own id.
    pub id: String,
    /// The name of its machine.
    pub machine: String,
    /// Its version.
    pub version: String,
    /// Where it is reached.
    pub endpoint: String,
}

impl Engine {
    /// What it is.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(crate) async fn identity(&self) -> Result<Identity, EngineError> {
        let info = self.inner.quick.info().await;
        let info = info.map_err(|error| self.error("ask for its id", &error))?;
        let word = |word: Option<String>| clean(&word.unwrap_or_default(), TEXT);
        Ok(Identity {
            id: word(info.id),
            machine: word(info.name),
            version: word(info.server_version),
            endpoint: clean(self.at(), TEXT),
        })
    }

    /// Freezes a container.
    ///
    /// # Errors
    /// When it does not run or is frozen already, is gone, or the Engine is.
    pub(crate) async fn pause(&self, id: &str) -> Result<(), EngineError> {
        let frozen = self.inner.quick.pause_container(id).await;
        frozen.map_err(|error| self.error("pause the container", &error))
    }

    /// The digests by which registries know an image; none where it is gone or has none.
    ///
    /// # Errors
    /// When the Engine cannot be asked.
    pub(crate) async fn image_digests(&self, id: &str) -> Result<Vec<String>, EngineError> {
        let image = self.inspected_image(id).await?.unwrap_or_default();
        let all = image["RepoDigests"].as_array();
        let all = all.into_iter().flatten().filter_map(|one| one.as_str());
        Ok(all.map(|one| clean(one, TEXT)).collect())
    }
}
