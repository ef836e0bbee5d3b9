//! What an Engine tells as it happens.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptions;
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use whaleware::paths::LABEL_AGENT;

use super::client::Engine;
use super::error::EngineError;
use super::listing::{Scope, sorted};
use crate::fleet::{EngineEvent, EngineState, Listed};

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

impl Engine {
    /// Everything that happens to containers in scope after `since`, by the Engine's clock, what
    /// has happened meanwhile included as far as the Engine remembers. Ends after an error.
    pub(crate) fn events(
        &self,
        scope: Scope,
        since: Timestamp,
    ) -> impl Stream<Item = Result<Told, EngineError>> + Send + use<> {
        let options = EventsOptions {
            since: Some(format!(
                "{}.{:09}",
                since.as_second(),
                since.subsec_nanosecond()
            )),
            until: None,
            filters: Some(scope.filters(&[("type", "container")])),
        };
        let engine = self.clone();
        let mut out_of_memory = BTreeSet::new();
        self.inner
            .patient
            .events(Some(options))
            .filter_map(move |message| {
                let told = match message {
                    Ok(message) => read(message, &mut out_of_memory).map(Ok),
                    Err(error) => Some(Err(engine.error("follow its events", &error))),
                };
                std::future::ready(told)
            })
    }
}

fn read(message: EventMessage, out_of_memory: &mut BTreeSet<Arc<str>>) -> Option<Told> {
    let actor = message.actor?;
    let id: Arc<str> = Arc::from(actor.id?);
    let attributes = actor.attributes.unwrap_or_default();
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
        "destroy" => {
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
            "attach",
            "resize",
            "top",
            "health_status: healthy",
        ] {
            assert_eq!(read(message(action, &[]), &mut BTreeSet::new()), None);
        }
    }
}
