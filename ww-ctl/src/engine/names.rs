//! What an Engine has, by name only: for a shell that is to complete a word at once.

use bollard::models::ContainerSummaryStateEnum;
use bollard::query_parameters::{ListContainersOptionsBuilder, ListImagesOptionsBuilder};

use super::client::Engine;
use super::error::EngineError;
use super::listing::Scope;

/// A container, as far as its name tells it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// Whether it has a process.
    pub running: bool,
}

impl Engine {
    /// The containers in scope, by one request.
    ///
    /// # Errors
    /// When the Engine does not answer.
    pub(crate) async fn names(&self, scope: Scope) -> Result<Vec<Named>, EngineError> {
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&scope.filters(&[]))
            .build();
        let listed = self.inner.quick.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| self.error("list the containers", &error))?;
        let named = listed.into_iter().map(|one| {
            let mut names = one.names.unwrap_or_default();
            // Links add names with a second slash; the container's own has none.
            names.sort_by_key(|name| name.trim_start_matches('/').contains('/'));
            let name = names.into_iter().next().unwrap_or_default();
            Named {
                name: name.trim_start_matches('/').to_owned(),
                image: one.image.unwrap_or_default(),
                labels: one.labels.unwrap_or_default().into_iter().collect(),
                running: matches!(
                    one.state,
                    Some(ContainerSummaryStateEnum::RUNNING | ContainerSummaryStateEnum::PAUSED)
                ),
            }
        });
        Ok(named.collect())
    }

    /// The names of the images in scope.
    ///
    /// # Errors
    /// When the Engine does not answer.
    pub(crate) async fn tags(&self, scope: Scope) -> Result<Vec<String>, EngineError> {
        let options = ListImagesOptionsBuilder::new()
            .filters(&scope.filters(&[]))
            .build();
        let listed = self.inner.quick.list_images(Some(options)).await;
        let listed = listed.map_err(|error| self.error("list the images", &error))?;
        let tags = listed.into_iter().flat_map(|image| image.repo_tags);
        Ok(tags.filter(|tag| !tag.starts_with("<none>")).collect())
    }
}
