//! Containers, images and volumes that carry a label: listed, made, and removed with it.

use std::collections::HashMap;

use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListContainersOptionsBuilder, ListImagesOptionsBuilder,
    ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder,
    RemoveVolumeOptions, StartContainerOptions,
};

use super::image::{Docker, EngineError};

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

/// The containers with a label (`key=value`), stopped ones included.
///
/// # Errors
/// When the Engine cannot be asked.
pub(crate) async fn containers(docker: &Docker, label: &str) -> Result<Vec<Labelled>, EngineError> {
    let options = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&filter(label))
        .build();
    let listed = docker.list_containers(Some(options)).await;
    let listed = listed.map_err(|error| EngineError::new("list containers", error))?;
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
pub(crate) async fn name_taken(docker: &Docker, name: &str) -> Result<bool, EngineError> {
    match docker.inspect_container(name, None).await {
        Ok(_) => Ok(true),
        Err(Error::DockerResponseServerError {
            status_code: 404, ..
        }) => Ok(false),
        Err(error) => Err(EngineError::new(
            format!("look up the container {name}"),
            error,
        )),
    }
}

/// Makes a container and returns its id. Its output is kept, up to a megabyte.
///
/// # Errors
/// When the Engine cannot.
pub(crate) async fn create(
    docker: &Docker,
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
    let made = docker.create_container(Some(options), body).await;
    let made =
        made.map_err(|error| EngineError::new(format!("create the container {name}"), error))?;
    Ok(made.id)
}

/// Starts a container that is there.
///
/// # Errors
/// When the Engine cannot.
pub(crate) async fn start(docker: &Docker, id: &str, name: &str) -> Result<(), EngineError> {
    let started = docker
        .start_container(id, None::<StartContainerOptions>)
        .await;
    started
        .or_else(|error| gone(error, 304))
        .map_err(|error| EngineError::new(format!("start the container {name}"), error))
}

/// Removes a container, running or not, at once: KILL, no orderly stop. One that is gone is no error.
///
/// # Errors
/// When the Engine cannot.
pub(crate) async fn remove_container(
    docker: &Docker,
    id: &str,
    name: &str,
) -> Result<(), EngineError> {
    let options = RemoveContainerOptionsBuilder::new()
        .force(true)
        .v(true)
        .build();
    let removed = docker.remove_container(id, Some(options)).await;
    removed
        .or_else(|error| gone(error, 404))
        .map_err(|error| EngineError::new(format!("remove the container {name}"), error))
}

/// The names of the images with a label, or the ids of those without a name.
///
/// # Errors
/// When the Engine cannot be asked.
pub(crate) async fn images(docker: &Docker, label: &str) -> Result<Vec<String>, EngineError> {
    let options = ListImagesOptionsBuilder::new()
        .filters(&filter(label))
        .build();
    let listed = docker.list_images(Some(options)).await;
    let listed = listed.map_err(|error| EngineError::new("list images", error))?;
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
pub(crate) async fn remove_image(docker: &Docker, name: &str) -> Result<(), EngineError> {
    let options = RemoveImageOptionsBuilder::new().build();
    let removed = docker
        .remove_image(name, Some(options), None)
        .await
        .map(drop);
    removed
        .or_else(|error| gone(error, 404))
        .map_err(|error| EngineError::new(format!("remove the image {name}"), error))
}

/// The names of the volumes with a label.
///
/// # Errors
/// When the Engine cannot be asked.
pub(crate) async fn volumes(docker: &Docker, label: &str) -> Result<Vec<String>, EngineError> {
    let options = ListVolumesOptionsBuilder::new()
        .filters(&filter(label))
        .build();
    let listed = docker.list_volumes(Some(options)).await;
    let listed = listed.map_err(|error| EngineError::new("list volumes", error))?;
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
pub(crate) async fn remove_volume(docker: &Docker, name: &str) -> Result<(), EngineError> {
    let removed = docker
        .remove_volume(name, None::<RemoveVolumeOptions>)
        .await;
    removed
        .or_else(|error| gone(error, 404))
        .map_err(|error| EngineError::new(format!("remove the volume {name}"), error))
}

/// Takes an answer that says "that is so already" for done.
fn gone(error: Error, status: u16) -> Result<(), Error> {
    match error {
        Error::DockerResponseServerError { status_code, .. } if status_code == status => Ok(()),
        other => Err(other),
    }
}
