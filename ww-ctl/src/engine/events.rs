//! What an Engine tells as it happens.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bollard::models::EventMessage;
use bytes::BytesMut;
use futures::{Stream, TryStreamExt};
use jiff::Timestamp;
use whaleware::paths::LABEL_AGENT;

use super::client::Engine;
use super::error::EngineError;
use super::listing::{Scope, sorted};
use super::probe;
use super::wire::{Answered, Body, get, in_address, line};
use crate::clock::decimal_seconds;
use crate::fleet::{EngineEvent, EngineState, Keeping, Listed};

const FOLLOW: &str = "follow its events";
const RECALL: &str = "recall its events";
/// The longest event, in bytes.
const MAX_LINE: usize = 1024 * 1024;

/// Something happened to a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// Its full id.
    pub id: Arc<str>,
    /// What.
    pub event: EngineEvent,
    /// When, by the Engine's clock.
    pub at: Timestamp,
}

/// Something that happened before, and what the container was then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recalled {
    /// What happened.
    pub told: Told,
    /// The container, as the Engine described it then; what it did is not said.
    pub listed: Listed,
}

impl Engine {
    /// Everything that happens to containers in scope after `since`, by the Engine's clock, what
    /// has happened meanwhile included as far as the Engine remembers. Ends after an error.
    pub(crate) fn events(
        &self,
        scope: Scope,
        since: Timestamp,
    ) -> impl Stream<Item = Result<Told, EngineError>> + Send + use<> {
        let mut out_of_memory = BTreeSet::new();
        self.messages(FOLLOW, scope, since, None)
            .try_filter_map(move |message| {
                let told = read(message, &mut out_of_memory);
                std::future::ready(Ok(told))
            })
    }

    /// What has happened to containers in scope after `since` up to now, as far as the Engine
    /// remembers.
    pub(crate) fn past(
        &self,
        scope: Scope,
        since: Timestamp,
    ) -> impl Stream<Item = Result<Told, EngineError>> + Send + use<> {
        self.recall(scope, since, self.time())
            .map_ok(|recalled| recalled.told)
    }

    /// What has happened between two times, by the Engine's clock, as far as the Engine remembers.
    pub(crate) fn recall(
        &self,
        scope: Scope,
        since: Timestamp,
        until: Timestamp,
    ) -> impl Stream<Item = Result<Recalled, EngineError>> + Send + use<> {
        let mut out_of_memory = BTreeSet::new();
        self.messages(RECALL, scope, since, Some(until))
            .try_filter_map(move |message| {
                let recalled = recalled(message, &mut out_of_memory)
                    .filter(|recalled| recalled.told.at <= until);
                std::future::ready(Ok(recalled))
            })
    }

    /// What the Engine says of containers in scope, one event at a time: bollard would wait for the
    /// end of a line for ever, and read it from its beginning at every piece.
    fn messages(
        &self,
        what: &'static str,
        scope: Scope,
        since: Timestamp,
        until: Option<Timestamp>,
    ) -> impl Stream<Item = Result<EventMessage, EngineError>> + Send + use<> {
        let engine = self.clone();
        let begun = async move {
            let body = engine.begin(what, scope, since, until).await?;
            Ok((engine, body, BytesMut::new()))
        };
        futures::stream::once(begun)
            .map_ok(move |begun| {
                futures::stream::try_unfold(
                    begun,
                    move |(engine, mut body, mut buffer)| async move {
                        let message = engine.message(what, &mut body, &mut buffer).await?;
                        Ok(message.map(|message| (message, (engine, body, buffer))))
                    },
                )
            })
            .try_flatten()
            .try_filter(move |message| std::future::ready(is_in(scope, message)))
    }

    /// Which events are asked for.
    fn wanted(&self, scope: Scope) -> HashMap<String, Vec<String>> {
        // Podman knows labels here only with their values; all are asked for then.
        let scope = if self.is_podman() {
            Scope::Everything
        } else {
            scope
        };
        scope.filters(&[("type", "container")])
    }

    async fn begin(
        &self,
        what: &'static str,
        scope: Scope,
        since: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<Body, EngineError> {
        let version = self.inner.quick.client_version();
        let filters = serde_json::json!(self.wanted(scope)).to_string();
        let end = match until {
            None => String::new(),
            // With an end Podman 4.3 tells nothing.
            Some(_) if self.is_podman() => "&stream=false".to_owned(),
            Some(until) => format!("&until={}", decimal_seconds(until)),
        };
        let path = format!(
            "/v{version}/events?since={}{end}&filters={}",
            decimal_seconds(since),
            in_address(&filters)
        );
        let answered = get(self.endpoint(), &path).await;
        match answered.map_err(|error| self.broken(what, &error))? {
            Answered::Accepted(body) => Ok(body),
            Answered::Refused { status, message } => {
                Err(EngineError::answered(self.at(), what, status, &message))
            }
        }
    }

    /// The next event of an answer; one a line.
    async fn message(
        &self,
        what: &'static str,
        body: &mut Body,
        buffer: &mut BytesMut,
    ) -> Result<Option<EventMessage>, EngineError> {
        loop {
            let line = line(body, buffer, MAX_LINE).await;
            let Some(line) = line.map_err(|error| self.broken(what, &error))? else {
                return Ok(None);
            };
            // What makes no sense is no reason to hide the others.
            if let Ok(message) = serde_json::from_slice(&line) {
                return Ok(Some(message));
            }
        }
    }
}

/// Whether an event is of a container in scope, where that was not asked for.
fn is_in(scope: Scope, message: &EventMessage) -> bool {
    let actor = message.actor.as_ref();
    let attributes = actor.and_then(|actor| actor.attributes.as_ref());
    match scope {
        Scope::Everything => true,
        Scope::Agents => attributes.is_some_and(|all| all.contains_key(LABEL_AGENT)),
    }
}

fn recalled(message: EventMessage, out_of_memory: &mut BTreeSet<Arc<str>>) -> Option<Recalled> {
    let actor = message.actor.clone().unwrap_or_default();
    let told = read(message, out_of_memory)?;
    let mut attributes = actor.attributes.unwrap_or_default();
    if let Some(name) = attributes.remove("oldName") {
        let name = name.trim_start_matches('/').to_owned();
        attributes.insert("name".into(), name);
    }
    let listed = created(told.id.clone(), attributes, told.at);
    Some(Recalled { told, listed })
}

fn read(message: EventMessage, out_of_memory: &mut BTreeSet<Arc<str>>) -> Option<Told> {
    let actor = message.actor?;
    let id: Arc<str> = Arc::from(actor.id?);
    let attributes = actor.attributes.unwrap_or_default();
    if attributes.contains_key(probe::LABEL) {
        return None;
    }
    let at = message
        .time_nano
        .and_then(|nanos| Timestamp::from_nanosecond(i128::from(nanos)).ok())
        .or_else(|| Timestamp::from_second(message.time?).ok())?;
    let event = match message.action?.as_str() {
        "create" => EngineEvent::Known(Box::new(created(id.clone(), attributes, at))),
        "start" => EngineEvent::Started,
        "oom" => {
            out_of_memory.insert(id);
            return None;
        }
        "die" => EngineEvent::Died {
            code: attributes
                .get("exitCode")
                .and_then(|code| code.parse().ok())
                .unwrap_or(-1),
            out_of_memory: out_of_memory.remove(&id),
        },
        "pause" => EngineEvent::Paused,
        "unpause" => EngineEvent::Unpaused,
        "rename" => {
            EngineEvent::Renamed(attributes.get("name")?.trim_start_matches('/').to_owned())
        }
        // As Docker calls it, and as Podman does.
        "destroy" | "remove" => {
            out_of_memory.remove(&id);
            EngineEvent::Removed
        }
        _ => return None,
    };
    Some(Told { id, event, at })
}

/// An event carries the labels among its other attributes.
fn created(id: Arc<str>, mut attributes: HashMap<String, String>, at: Timestamp) -> Listed {
    let name = attributes.remove("name").unwrap_or_default();
    let image = attributes.remove("image").unwrap_or_default();
    Listed {
        id,
        name,
        image,
        has_agent: attributes.contains_key(LABEL_AGENT),
        labels: sorted(attributes),
        engine: EngineState::Created,
        created: Some(at),
        started: None,
        finished: None,
        keeping: Keeping::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::EventActor;

    fn message(action: &str, attributes: &[(&str, &str)]) -> EventMessage {
        EventMessage {
            action: Some(action.into()),
            actor: Some(EventActor {
                id: Some("abc".into()),
                attributes: Some(
                    attributes
                        .iter()
                        .map(|(key, value)| ((*key).into(), (*value).into()))
                        .collect(),
                ),
            }),
            time_nano: Some(1_795_364_100_000_000_001),
            ..EventMessage::default()
        }
    }

    #[test]
    fn a_death_for_want_of_memory_is_told_as_one() {
        let mut oom = BTreeSet::new();
        assert_eq!(read(message("oom", &[]), &mut oom), None);
        let died = |out_of_memory| EngineEvent::Died {
            code: 137,
            out_of_memory,
        };
        let die = message("die", &[("exitCode", "137")]);
        assert_eq!(read(die.clone(), &mut oom).unwrap().event, died(true));
        assert_eq!(read(die, &mut oom).unwrap().event, died(false));
    }

    #[test]
    fn a_new_container_is_known_without_asking_again() {
        let create = message(
            "create",
            &[("name", "shop"), ("image", "shop:1"), (LABEL_AGENT, "1")],
        );
        let told = read(create, &mut BTreeSet::new()).unwrap();
        assert_eq!(told.at.subsec_nanosecond(), 1);
        let EngineEvent::Known(listed) = told.event else {
            panic!("{told:?}");
        };
        assert_eq!((listed.name.as_str(), listed.has_agent), ("shop", true));
        assert_eq!(listed.labels, [(LABEL_AGENT.to_owned(), "1".to_owned())]);
    }

    #[test]
    fn what_does_not_matter_is_passed_over() {
        for action in [
            "exec_start: sh",
            "cleanup",
            "attach",
            "resize",
            "top",
            "health_status: healthy",
        ] {
            assert_eq!(read(message(action, &[]), &mut BTreeSet::new()), None);
        }
        let own = [(LABEL_AGENT, "1"), (probe::LABEL, "/ww/etc/defaults.json")];
        for action in ["create", "destroy"] {
            assert_eq!(read(message(action, &own), &mut BTreeSet::new()), None);
        }
    }
}
