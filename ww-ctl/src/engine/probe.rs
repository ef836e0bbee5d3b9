//! Images: which there are, and a file of one, read through a container that is never started.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListContainersOptionsBuilder, ListImagesOptionsBuilder,
};
use whaleware::paths;

use super::archive::FileError;
use super::client::Engine;
use super::error::EngineError;

/// The label of such containers, which nobody is to see: there for a moment, and no part of a fleet.
pub(super) const LABEL: &str = "io.whaleware.probe";
/// One that is older was left behind by somebody who was killed.
const LEFT_BEHIND: i64 = 600;

impl Engine {
    /// The content of a file of an image; none when there is no such file.
    ///
    /// # Errors
    /// When the Engine cannot be asked, or what has that name is no regular file of bounded size.
    pub(crate) async fn image_file(
        &self,
        image: &str,
        path: &str,
    ) -> Result<Option<Vec<u8>>, FileError> {
        self.sweep().await;
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            // Never run; without one an image that names none would be refused.
            cmd: Some(vec![paths::RUN.to_owned()]),
            labels: Some(HashMap::from([(LABEL.to_owned(), path.to_owned())])),
            host_config: Some(HostConfig {
                network_mode: Some("none".into()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::new().build();
        let made = self.inner.quick.create_container(Some(options), body).await;
        let made = made.map_err(|error| self.error("look into the image", &error))?;
        let file = self.file(&made.id, path).await;
        let removed = self.remove_container(&made.id).await;
        let file = file?;
        removed?;
        Ok(file)
    }

    /// Removes those that somebody who was killed has left behind. The next call tries again where
    /// it does not succeed.
    async fn sweep(&self) {
        let filters = HashMap::from([
            ("label", vec![LABEL.to_owned()]),
            ("status", vec!["created".to_owned()]),
        ]);
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&filters)
            .build();
        let Ok(listed) = self.inner.quick.list_containers(Some(options)).await else {
            return;
        };
        let now = self.time().as_second();
        let old = listed.into_iter().filter(|one| {
            one.created
                .is_some_and(|created| created.saturating_add(LEFT_BEHIND) < now)
        });
        for id in old.filter_map(|one| one.id) {
            let _next_time = self.remove_container(&id).await;
        }
    }

    /// The names of all images.
    ///
    /// # Errors
    /// When the Engine cannot be asked.
    pub(crate) async fn image_names(&self) -> Result<Vec<String>, EngineError> {
        let options = ListImagesOptionsBuilder::new().build();
        let listed = self.inner.quick.list_images(Some(options)).await;
        let listed = listed.map_err(|error| self.error("list images", &error))?;
        let names = listed.into_iter().flat_map(|image| image.repo_tags);
        Ok(names.filter(|name| name != "<none>:<none>").collect())
    }
}
