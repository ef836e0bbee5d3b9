//! Containers, images and volumes that carry a label: listed, made, and removed with it.

use std::collections::HashMap;

use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListContainersOptionsBuilder, ListImagesOptionsBuilder,
    ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder,
    RemoveVolumeOptions,
};

use super::client::Engine;
use super::error::EngineError;

/// A container with the label, or one that has the name of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Labelled {
    /// Its id.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// The id of its image.
    pub(crate) image: String,
    /// Whether it runs.
    pub(crate) running: bool,
}

fn filter(label: &str) -> HashMap<&'static str, Vec<String>> {
    HashMap::from([("label", vec![label.to_owned()])])
}

impl Engine {
    /// The containers with a label (`key=value`), stopped ones included.
    ///
    /// # Errors
    /// When the Engine cannot be asked.
    pub(crate) async fn labelled_containers(
        &self,
        label: &str,
    ) -> Result<Vec<Labelled>, EngineError> {
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&filter(label))
            .build();
        let listed = self.inner.quick.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| self.error("list containers", &error))?;
        let found = listed.into_iter().map(|one| Labelled {
            id: one.id.unwrap_or_default(),
            name: one
                .names
                .unwrap_or_default()
                .first()
                .map(|name| name.trim_start_matches('/').to_owned())
                .unwrap_or_default(),
            image: one.image_id.unwrap_or_default(),
            running: one
                .state
                .is_some_and(|state| state.to_string() == "running"),
        });
        Ok(found.collect())
    }

    /// Whether any container has this name.
    ///
    /// # Errors
    /// When the Engine cannot be asked.
    pub(crate) async fn container_exists(&self, name: &str) -> Result<bool, EngineError> {
        match self.inner.quick.inspect_container(name, None).await {
            Ok(_) => Ok(true),
            Err(Error::DockerResponseServerError {
                status_code: 404, ..
            }) => Ok(false),
            Err(error) => Err(self.error("look up the container", &error)),
        }
    }

    /// Makes a container and returns its id. Its output is kept, up to a megabyte.
    ///
    /// # Errors
    /// When the Engine cannot.
    pub(crate) async fn create_container(
        &self,
        name: &str,
        image: &str,
        labels: HashMap<String, String>,
    ) -> Result<String, EngineError> {
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let log = HostConfigLogConfig {
            typ: Some("json-file".into()),
            config: Some(HashMap::from([("max-size".into(), "1m".into())])),
        };
        let body = ContainerCreateBody {
            image: Some(image.into()),
            hostname: Some(name.into()),
            labels: Some(labels),
            host_config: Some(HostConfig {
                log_config: Some(log),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let made = self.inner.quick.create_container(Some(options), body).await;
        let made = made.map_err(|error| self.error("create the container", &error))?;
        Ok(made.id)
    }

    /// Removes a container, running or not, at once: KILL, no orderly stop. One that is gone is no error.
    ///
    /// # Errors
    /// When the Engine cannot.
    pub(crate) async fn remove_container(&self, id: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::new()
            .force(true)
            .v(true)
            .build();
        let removed = self.inner.quick.remove_container(id, Some(options)).await;
        removed
            .or_else(accept_gone)
            .map_err(|error| self.error("remove the container", &error))
    }

    /// The names of the images with a label, or the ids of those without a name.
    ///
    /// # Errors
    /// When the Engine cannot be asked.
    pub(crate) async fn labelled_images(&self, label: &str) -> Result<Vec<String>, EngineError> {
        let options = ListImagesOptionsBuilder::new()
            .filters(&filter(label))
            .build();
        let listed = self.inner.quick.list_images(Some(options)).await;
        let listed = listed.map_err(|error| self.error("list images", &error))?;
        let names = listed.into_iter().flat_map(|image| {
            let named: Vec<_> = image
                .repo_tags
                .into_iter()
                .filter(|tag| tag != "<none>:<none>")
                .collect();
            if named.is_empty() {
                vec![image.id]
            } else {
                named
            }
        });
        Ok(names.collect())
    }

    /// Removes an image by name or id, with the layers nothing else needs. One that is gone is no error.
    ///
    /// # Errors
    /// When the Engine cannot, as when a container still uses it.
    pub(crate) async fn remove_image(&self, name: &str) -> Result<(), EngineError> {
        let options = RemoveImageOptionsBuilder::new().build();
        let removed = self
            .inner
            .quick
            .remove_image(name, Some(options), None)
            .await
            .map(drop);
        removed
            .or_else(accept_gone)
            .map_err(|error| self.error("remove the image", &error))
    }

    /// The names of the volumes with a label.
    ///
    /// # Errors
    /// When the Engine cannot be asked.
    pub(crate) async fn labelled_volumes(&self, label: &str) -> Result<Vec<String>, EngineError> {
        let options = ListVolumesOptionsBuilder::new()
            .filters(&filter(label))
            .build();
        let listed = self.inner.quick.list_volumes(Some(options)).await;
        let listed = listed.map_err(|error| self.error("list volumes", &error))?;
        Ok(listed
            .volumes
            .unwrap_or_default()
            .into_iter()
            .map(|volume| volume.name)
            .collect())
    }

    /// Removes a volume. One that is gone is no error.
    ///
    /// # Errors
    /// When the Engine cannot.
    pub(crate) async fn remove_volume(&self, name: &str) -> Result<(), EngineError> {
        let removed = self
            .inner
            .quick
            .remove_volume(name, None::<RemoveVolumeOptions>)
            .await;
        removed
            .or_else(accept_gone)
            .map_err(|error| self.error("remove the volume", &error))
    }
}

/// Takes "there is no such thing" for done.
fn accept_gone(error: Error) -> Result<(), Error> {
    let gone = matches!(
        error,
        Error::DockerResponseServerError {
            status_code: 404,
            ..
        }
    );
    if gone { Ok(()) } else { Err(error) }
}
