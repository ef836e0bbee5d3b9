//! Containers and images as an Engine tells of them, nothing left out.

use std::collections::HashMap;

use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::ListContainersOptions;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::client::Engine;
use super::error::EngineError;
use super::policy::Policy;
use crate::fleet::clean;

/// How many containers are looked at closely at a time.
const AT_ONCE: usize = 8;
/// The most bytes an answer may have.
const LARGEST: usize = 16 << 20;
/// The most characters kept of a name.
const TEXT: usize = 256;

/// All that an Engine tells of a container.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Inspected(pub(super) Value);

/// A container that another one's life depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependant {
    /// Its name.
    pub name: String,
    /// What it has of the other: `network`, `IPC`, `processes`.
    pub what: &'static str,
}

impl Inspected {
    fn text(&self, pointer: &str) -> &str {
        let found = self.0.pointer(pointer);
        found.and_then(Value::as_str).unwrap_or_default()
    }

    fn flag(&self, pointer: &str) -> bool {
        self.0.pointer(pointer).and_then(Value::as_bool) == Some(true)
    }

    fn time(&self, pointer: &str) -> Option<Timestamp> {
        let time: Timestamp = self.text(pointer).parse().ok()?;
        // The Engine's zero is the year 1.
        (time > Timestamp::UNIX_EPOCH).then_some(time)
    }

    /// Its full id.
    pub(crate) fn id(&self) -> &str {
        self.text("/Id")
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.text("/Name").trim_start_matches('/')
    }

    /// The id of its image.
    pub(crate) fn image_id(&self) -> &str {
        self.text("/Image")
    }

    /// Its image as it was named, fit for a terminal.
    pub(crate) fn image(&self) -> String {
        clean(self.text("/Config/Image"), TEXT)
    }

    /// Whether it has a process, or is about to be given one again.
    pub(crate) fn is_running(&self) -> bool {
        self.flag("/State/Running")
    }

    /// Whether it has no process at present, and Docker is about to start it again.
    pub(crate) fn is_restarting(&self) -> bool {
        self.flag("/State/Restarting")
    }

    /// How it ended last.
    pub(crate) fn exit_code(&self) -> Option<i64> {
        self.0["State"]["ExitCode"].as_i64()
    }

    /// Whether it is frozen.
    pub(crate) fn is_paused(&self) -> bool {
        self.flag("/State/Paused")
    }

    /// Whether it was ever started.
    pub(crate) fn was_started(&self) -> bool {
        self.time("/State/StartedAt").is_some()
    }

    /// When it was made.
    pub(crate) fn created(&self) -> Option<Timestamp> {
        self.time("/Created")
    }

    /// When it was started last.
    pub(crate) fn started(&self) -> Option<Timestamp> {
        self.time("/State/StartedAt")
    }

    /// When it ended last.
    pub(crate) fn finished(&self) -> Option<Timestamp> {
        self.time("/State/FinishedAt")
    }

    /// Whether Docker removes it as soon as it ends.
    pub(crate) fn goes_at_its_end(&self) -> bool {
        self.flag("/HostConfig/AutoRemove")
    }

    /// Whether it has a terminal.
    pub(crate) fn has_terminal(&self) -> bool {
        self.flag("/Config/Tty")
    }

    /// A label of it.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.0["Config"]["Labels"][name].as_str()
    }

    /// When Docker starts it again by itself; none where that is not understood.
    pub(crate) fn policy(&self) -> Option<Policy> {
        Policy::read(&self.0["HostConfig"]["RestartPolicy"])
    }

    /// What it takes to make it again, and the names of its environment variables: their values may be
    /// secrets, and are left out.
    pub(crate) fn described(&self) -> (Value, Vec<String>) {
        let mut config = self.0["Config"].clone();
        let environment = config.as_object_mut().and_then(|all| all.remove("Env"));
        let environment = environment.unwrap_or_default();
        let pairs = environment.as_array().into_iter().flatten();
        let names = pairs
            .filter_map(Value::as_str)
            .map(|pair| pair.split('=').next().unwrap_or_default().to_owned())
            .collect();
        let described = json!({
            "Config": config,
            "HostConfig": self.0["HostConfig"],
            "Mounts": self.0["Mounts"],
            "Networks": self.0["NetworkSettings"]["Networks"],
        });
        (described, names)
    }

    /// Its environment, `NAME=VALUE` each: it has secrets.
    pub(crate) fn environment(&self) -> Vec<String> {
        let pairs = self.0["Config"]["Env"].as_array().into_iter().flatten();
        pairs.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// How it stands, in Docker's word.
    pub(crate) fn status(&self) -> String {
        clean(self.text("/State/Status"), TEXT)
    }

    /// Whether it is connected to a network.
    pub(super) fn is_in(&self, network: &str) -> bool {
        !self.0["NetworkSettings"]["Networks"][network].is_null()
    }

    /// Whether something is mounted at this place.
    pub(crate) fn has_mounted(&self, place: &str) -> bool {
        let mounts = self.0["Mounts"].as_array();
        let tmpfs = self.0["HostConfig"]["Tmpfs"].as_object();
        mounts
            .into_iter()
            .flatten()
            .filter_map(|mount| mount["Destination"].as_str())
            .chain(tmpfs.into_iter().flatten().map(|(at, _)| at.as_str()))
            .any(|at| at.trim_end_matches('/') == place)
    }

    /// What it has of the container with this id.
    fn depends_on(&self, id: &str) -> Option<Dependant> {
        let parts = [
            ("NetworkMode", "network"),
            ("IpcMode", "IPC"),
            ("PidMode", "processes"),
        ];
        parts.into_iter().find_map(|(name, what)| {
            let mode = self.0["HostConfig"][name].as_str()?;
            let of = mode.strip_prefix("container:")?;
            (of.len() >= 12 && id.starts_with(of)).then(|| Dependant {
                name: clean(self.name(), TEXT),
                what,
            })
        })
    }
}

impl Engine {
    /// All that is known of a container, by name or id; none where there is none.
    ///
    /// # Errors
    /// When the Engine cannot be asked.
    pub(crate) async fn inspected(&self, name: &str) -> Result<Option<Inspected>, EngineError> {
        let docker = as_json(&self.inner.quick);
        let answer = read(docker.export_container(name)).await;
        let answer = self.answered("inspect the container", answer)?;
        Ok(answer.map(Inspected))
    }

    /// All that is known of an image, by name or id; none where there is none.
    pub(super) async fn inspected_image(&self, name: &str) -> Result<Option<Value>, EngineError> {
        let docker = as_json(&self.inner.quick);
        let answer = read(docker.export_image(name)).await;
        self.answered("look up an image", answer)
    }

    /// The containers whose names have this in them, running or not.
    ///
    /// # Errors
    /// When the Engine cannot be asked. One that goes away meanwhile is no error.
    pub(crate) async fn inspected_like(&self, name: &str) -> Result<Vec<Inspected>, EngineError> {
        self.inspected_all(Some(name)).await
    }

    /// For each of these containers those that have its network, its IPC or its processes.
    ///
    /// # Errors
    /// When the Engine cannot be asked.
    pub(crate) async fn dependants(
        &self,
        ids: &[&str],
    ) -> Result<Vec<Vec<Dependant>>, EngineError> {
        let mut all = self.inspected_all(None).await?;
        all.sort_by(|one, other| one.name().cmp(other.name()));
        let of = |id: &&str| all.iter().filter_map(|one| one.depends_on(id)).collect();
        Ok(ids.iter().map(of).collect())
    }

    pub(super) async fn inspected_all(
        &self,
        name: Option<&str>,
    ) -> Result<Vec<Inspected>, EngineError> {
        let named = name.map(|name| HashMap::from([("name".to_owned(), vec![name.to_owned()])]));
        let options = ListContainersOptions {
            all: true,
            filters: named,
            ..ListContainersOptions::default()
        };
        let listed = self.inner.quick.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| self.error("list the containers", &error))?;
        let ids = listed.into_iter().filter_map(|one| one.id);
        futures::stream::iter(ids)
            .map(|id| async move { self.inspected(&id).await })
            .buffer_unordered(AT_ONCE)
            .try_filter_map(|one| std::future::ready(Ok(one)))
            .try_collect()
            .await
    }

    fn answered(
        &self,
        what: &'static str,
        answer: Result<Vec<u8>, Error>,
    ) -> Result<Option<Value>, EngineError> {
        let bytes = match answer {
            Ok(bytes) => bytes,
            Err(Error::DockerResponseServerError {
                status_code: 404, ..
            }) => return Ok(None),
            Err(error) => return Err(self.error(what, &error)),
        };
        let parsed = serde_json::from_slice(&bytes);
        parsed.map(Some).map_err(|_| EngineError::Broken {
            at: self.inner.at.clone(),
            what,
            reason: "its answer is not understood".into(),
        })
    }
}

/// The same client, whose requests for an archive ask for the description instead: what comes back
/// as bytes has every field the Engine knows, also those that the client's own types lack.
fn as_json(docker: &Docker) -> Docker {
    docker.clone().with_request_modifier(|mut request| {
        let asked = request.uri().to_string();
        let told = asked
            .rsplit_once('/')
            .and_then(|(thing, _archive)| format!("{thing}/json").parse().ok());
        if let Some(uri) = told {
            *request.uri_mut() = uri;
        }
        request
    })
}

async fn read(
    pieces: impl futures::Stream<Item = Result<bytes::Bytes, Error>>,
) -> Result<Vec<u8>, Error> {
    let mut pieces = std::pin::pin!(pieces);
    let mut all = Vec::new();
    while let Some(piece) = pieces.next().await {
        all.extend_from_slice(&piece?);
        if all.len() > LARGEST {
            break;
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_started_has_no_times() {
        let one = Inspected(json!({
            "Created": "2026-11-22T16:15:00.123456789Z",
            "State": {"StartedAt": "0001-01-01T00:00:00Z", "FinishedAt": "0001-01-01T00:00:00Z"},
        }));
        assert!(!one.was_started());
        assert_eq!(one.finished(), None);
        assert!(one.created().is_some());
    }

    #[test]
    fn what_makes_it_again_has_no_values_of_variables() {
        let one = Inspected(json!({
            "Config": {"Env": ["PASSWORD=se=cret", "EMPTY"], "Image": "shop:1"},
            "HostConfig": {"Binds": ["/srv/shop:/data"]},
        }));
        let (described, names) = one.described();
        assert_eq!(names, ["PASSWORD", "EMPTY"]);
        assert!(!described.to_string().contains("cret"), "{described}");
        assert_eq!(described["Config"]["Image"], "shop:1");
        assert_eq!(described["HostConfig"]["Binds"][0], "/srv/shop:/data");
    }

    #[test]
    fn one_that_lives_in_anothers_network_depends_on_it() {
        let one = |mode: &str| {
            Inspected(json!({"Name": "/proxy", "HostConfig": {"PidMode": "", "NetworkMode": mode}}))
        };
        let id = "0123456789abcdef";
        let found = one("container:0123456789abcdef").depends_on(id).unwrap();
        assert_eq!((found.name.as_str(), found.what), ("proxy", "network"));
        for mode in ["container:fedcba9876543210", "container:", "front"] {
            assert_eq!(one(mode).depends_on(id), None, "{mode}");
        }
    }
}
