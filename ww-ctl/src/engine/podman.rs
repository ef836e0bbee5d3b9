//! What differs with Podman behind Docker's API.

use std::collections::HashMap;

use bollard::models::{ContainerInspectResponse, ContainerSummary};
use bollard::query_parameters::ListContainersOptions;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::client::Engine;
use super::error::EngineError;
use super::wire::{Answered, get, in_address};

const LIST: &str = "list the containers";
const INSPECT: &str = "inspect the container";
/// The longest answer, in bytes.
const MAX: usize = 64 * 1024 * 1024;

impl Engine {
    /// All containers that pass these filters, running or not.
    ///
    /// # Errors
    /// When the Engine does not answer.
    pub(super) async fn summaries(
        &self,
        filters: HashMap<String, Vec<String>>,
    ) -> Result<Vec<ContainerSummary>, EngineError> {
        if self.is_podman() {
            let filters = in_address(&serde_json::json!(filters).to_string());
            let path = format!("containers/json?all=true&filters={filters}");
            return self.lenient(LIST, &path).await;
        }
        let options = ListContainersOptions {
            all: true,
            filters: Some(filters),
            ..ListContainersOptions::default()
        };
        let answer = self.inner.quick.list_containers(Some(options)).await;
        answer.map_err(|error| self.error(LIST, &error))
    }

    /// Everything about one container.
    ///
    /// # Errors
    /// When it is gone, or the Engine is.
    pub(super) async fn inspect(&self, id: &str) -> Result<ContainerInspectResponse, EngineError> {
        if self.is_podman() {
            let path = format!("containers/{id}/json");
            return self.lenient(INSPECT, &path).await;
        }
        let answer = self.inner.quick.inspect_container(id, None).await;
        answer.map_err(|error| self.error(INSPECT, &error))
    }

    /// An answer in which a container may be in a state that Docker has no word for: one such would
    /// make the whole of it unreadable.
    async fn lenient<T: DeserializeOwned>(
        &self,
        what: &'static str,
        path: &str,
    ) -> Result<T, EngineError> {
        let path = format!("/v{}/{path}", self.inner.quick.client_version());
        let answered = get(self.endpoint(), &path).await;
        let mut body = match answered.map_err(|error| self.broken(what, &error))? {
            Answered::Accepted(body) => body,
            Answered::Refused { status, message } => {
                return Err(EngineError::answered(self.at(), what, status, &message));
            }
        };
        let text = body.all(MAX).await;
        let text = text.map_err(|error| self.broken(what, &error))?;
        let read = serde_json::from_slice::<Value>(&text).and_then(|mut value| {
            translate(&mut value);
            serde_json::from_value(value)
        });
        read.map_err(|error| self.broken(what, &error.into()))
    }
}

/// States in Docker's words, in a listing or in one container.
fn translate(value: &mut Value) {
    if let Value::Array(all) = value {
        all.iter_mut().for_each(translate);
        return;
    }
    let Some(state) = value.get_mut("State") else {
        return;
    };
    let word = if state.is_object() {
        state.get_mut("Status")
    } else {
        Some(state)
    };
    let Some(Value::String(word)) = word else {
        return;
    };
    let known = match word.as_str() {
        "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead"
        | "stopping" | "" => return,
        "configured" | "initialized" => "created",
        // It has ended and was not tidied up yet.
        "stopped" => "exited",
        _ => "dead",
    };
    known.clone_into(word);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_state_has_a_word_that_docker_knows() {
        for (podman, docker) in [
            ("running", "running"),
            ("stopping", "stopping"),
            ("stopped", "exited"),
            ("initialized", "created"),
            ("bad state", "dead"),
        ] {
            let mut all = json!([{"Id": "a", "State": podman}, {"Id": "b", "State": "exited"}]);
            translate(&mut all);
            let read: Vec<ContainerSummary> = serde_json::from_value(all).unwrap();
            let states = read.iter().filter_map(|one| one.state);
            let words: Vec<String> = states.map(|state| state.to_string()).collect();
            assert_eq!(words, [docker, "exited"]);
            let mut one = json!({"Id": "a", "State": {"Status": podman, "Running": false}});
            translate(&mut one);
            let read: ContainerInspectResponse = serde_json::from_value(one).unwrap();
            let word = read.state.and_then(|state| state.status);
            assert_eq!(word.map(|word| word.to_string()).as_deref(), Some(docker));
        }
        let mut odd = json!({"State": 3});
        translate(&mut odd);
        assert_eq!(odd, json!({"State": 3}));
    }
}
