//! What it takes to put one container in another's place. Each call is one request that changes
//! something, so that whoever is interrupted between two of them finds a state that has a name.

use bollard::models::{
    ContainerCreateBody, ContainerUpdateBody, EndpointSettings, NetworkConnectRequest,
    NetworkDisconnectRequest, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder,
};
use bytes::Bytes;
use serde_json::Value;

use super::client::Engine;
use super::error::EngineError;
use super::inspected::Inspected;
use super::policy::Policy;
use super::recreate::{Ingredients, Recipe, differences, recipe};

/// Settings of the host in which a container may differ from the one it replaces: the policy is
/// taken from the old one for the time being, volumes that had no name are mounted by theirs.
const EXPLAINED: [&str; 3] = ["RestartPolicy", "Mounts", "Links"];

impl Engine {
    /// How a container is made again with another image; none where its own image is gone, so that
    /// nobody can tell what was said and what came from the image.
    ///
    /// # Errors
    /// When the Engine cannot be asked.
    pub(crate) async fn recipe(
        &self,
        old: &Inspected,
        image: &str,
        policy: Policy,
    ) -> Result<Option<Recipe>, EngineError> {
        let Some(old_image) = self.inspected_image(old.image_id()).await? else {
            return Ok(None);
        };
        let mut lent = Vec::new();
        let lenders = old.0["HostConfig"]["VolumesFrom"].as_array();
        for lender in lenders.into_iter().flatten().filter_map(Value::as_str) {
            let name = lender.split(':').next().unwrap_or(lender);
            if let Some(lender) = self.inspected(name).await? {
                let mounts = lender.0["Mounts"].as_array().cloned();
                lent.extend(mounts.unwrap_or_default());
            }
        }
        let version = self.inner.quick.client_version();
        Ok(Some(recipe(Ingredients {
            old: &old.0,
            old_image: &old_image,
            lent: &lent,
            image,
            policy,
            api: (version.major_version, version.minor_version),
        })))
    }

    /// Makes a container by a recipe. Its id, and what the Engine has to say about it.
    ///
    /// # Errors
    /// When it cannot be made, with the Engine's reason.
    pub(crate) async fn make(
        &self,
        name: &str,
        recipe: &Recipe,
    ) -> Result<(String, Vec<String>), EngineError> {
        let body = Bytes::from(recipe.body.to_string());
        // The client's own types would lose what they do not know.
        let docker = self.inner.patient.clone();
        let docker = docker.with_request_modifier(move |mut request| {
            *request.body_mut() = bollard::body_full(body.clone());
            request
        });
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let made = docker
            .create_container(Some(options), ContainerCreateBody::default())
            .await
            .map_err(|error| self.error("create the container", &error))?;
        Ok((made.id, made.warnings))
    }

    /// Gives a container another name.
    ///
    /// # Errors
    /// When it cannot have it, with the Engine's reason.
    pub(crate) async fn rename(&self, id: &str, name: &str) -> Result<(), EngineError> {
        let options = RenameContainerOptionsBuilder::new().name(name).build();
        let renamed = self.inner.quick.rename_container(id, options).await;
        renamed.map_err(|error| self.error("rename the container", &error))
    }

    /// Gives a container another restart policy.
    ///
    /// # Errors
    /// When it cannot have it, with the Engine's reason.
    pub(crate) async fn set_policy(&self, id: &str, policy: Policy) -> Result<(), EngineError> {
        let (name, count) = match policy {
            Policy::No => (RestartPolicyNameEnum::NO, 0),
            Policy::Always => (RestartPolicyNameEnum::ALWAYS, 0),
            Policy::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, 0),
            Policy::OnFailure(count) => (RestartPolicyNameEnum::ON_FAILURE, count),
        };
        let body = ContainerUpdateBody {
            restart_policy: Some(RestartPolicy {
                name: Some(name),
                maximum_retry_count: Some(i64::from(count)),
            }),
            ..ContainerUpdateBody::default()
        };
        let updated = self.inner.quick.update_container(id, body).await;
        updated.map_err(|error| self.error("set the container's restart policy", &error))
    }

    /// Removes a container that does not run. Its volumes stay, named or not.
    ///
    /// # Errors
    /// When it runs, or the Engine cannot. One that is gone is no error.
    pub(crate) async fn discard(&self, id: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::new().build();
        let removed = self.inner.patient.remove_container(id, Some(options)).await;
        match removed.map_err(|error| self.error("remove the container", &error)) {
            Err(EngineError::Absent { .. }) => Ok(()),
            other => other,
        }
    }

    /// Whether a container is in the networks it is to be in, and in no other.
    pub(crate) fn is_connected(one: &Inspected, recipe: &Recipe) -> bool {
        let missing = recipe.connect.iter().any(|(name, _)| !one.is_in(name));
        let wrong = recipe.disconnect.as_deref();
        !missing && !wrong.is_some_and(|name| one.is_in(name))
    }

    /// Connects a container to the networks it is to be in.
    ///
    /// # Errors
    /// When the Engine cannot, with its reason.
    pub(crate) async fn connect_networks(
        &self,
        one: &Inspected,
        recipe: &Recipe,
    ) -> Result<(), EngineError> {
        const WHAT: &str = "connect the container to its networks";
        let docker = &self.inner.quick;
        if let Some(name) = recipe.disconnect.as_deref().filter(|name| one.is_in(name)) {
            let body = NetworkDisconnectRequest {
                container: one.id().to_owned(),
                force: None,
            };
            let left = docker.disconnect_network(name, body).await;
            left.map_err(|error| self.error(WHAT, &error))?;
        }
        for (name, endpoint) in recipe.connect.iter().filter(|(name, _)| !one.is_in(name)) {
            let body = serde_json::json!({"Container": one.id(), "EndpointConfig": endpoint});
            let body = Bytes::from(body.to_string());
            let docker = docker.clone().with_request_modifier(move |mut request| {
                *request.body_mut() = bollard::body_full(body.clone());
                request
            });
            let unused = NetworkConnectRequest {
                container: one.id().to_owned(),
                endpoint_config: None::<EndpointSettings>,
            };
            let connected = docker.connect_network(name, unused).await;
            connected.map_err(|error| self.error(WHAT, &error))?;
        }
        Ok(())
    }

    /// What a container that was made by a recipe differs in from the one before, where nobody
    /// meant it.
    pub(crate) fn unmeant(old: &Inspected, new: &Inspected) -> Vec<String> {
        differences(&old.0, &new.0, &EXPLAINED)
    }
}
