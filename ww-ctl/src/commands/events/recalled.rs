//! What an Engine remembers, told as if it happened now.

use jiff::Timestamp;

use super::Teller;
use super::line::Event;
use crate::engine::Recalled;
use crate::fleet::{ContainerKey, EngineEvent, Fleet, HostName, Input, Stamp};
use crate::selection::Selection;

/// A fleet of its own that lives through it again.
pub(super) struct Recall {
    host: HostName,
    fleet: Fleet,
    teller: Teller,
    /// Whether one was meant of all that it told of.
    pub has_known: bool,
}

impl Recall {
    pub(super) fn new(host: &HostName, selection: &Selection, since: Timestamp) -> Self {
        Self {
            host: host.clone(),
            fleet: Fleet::new([host.clone()]),
            teller: Teller::since(selection.clone(), since),
            has_known: false,
        }
    }

    /// Takes in what happened next; what there is to tell of it. `now` is of interest only for how
    /// long things last.
    pub(super) fn take(&mut self, recalled: Recalled, now: Stamp) -> Vec<Event> {
        let Recalled { told, listed } = recalled;
        let key = ContainerKey {
            host: self.host.clone(),
            id: told.id,
        };
        let then = Stamp {
            wall: told.at,
            ..now
        };
        let is_new = matches!(told.event, EngineEvent::Known(_));
        if !is_new && self.fleet.get(&key).is_none() {
            // It was made before; that is no news.
            let event = EngineEvent::Known(Box::new(listed));
            let key = key.clone();
            self.fleet.apply(Input::Engine { key, event }, then);
        }
        if let Some(container) = self.fleet.get(&key) {
            self.teller.knows(container);
        }
        let event = told.event;
        self.has_known |= !self.teller.known.is_empty();
        let changes = self.fleet.apply(Input::Engine { key, event }, then);
        let (fleet, teller) = (&self.fleet, &mut self.teller);
        let told: Vec<Event> = changes
            .into_iter()
            .flat_map(|change| teller.tell(fleet, change, then.wall))
            .collect();
        self.has_known |= !told.is_empty();
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Told;
    use crate::fleet::EngineState;
    use crate::fleet::scene::{HOST, at, listed};
    use std::sync::Arc;

    #[test]
    fn what_an_engine_remembers_is_told_with_its_times_and_names() {
        let mut recall = Recall::new(
            &Arc::from(HOST),
            &Selection::one("name-a"),
            Timestamp::UNIX_EPOCH,
        );
        let died = EngineEvent::Died {
            code: 137,
            out_of_memory: false,
        };
        let mut told = Vec::new();
        for (second, id, event) in [
            (1, "a", EngineEvent::Started),
            (2, "b", EngineEvent::Started),
            (3, "a", died),
            (4, "a", EngineEvent::Renamed("old".into())),
            (5, "a", EngineEvent::Removed),
        ] {
            let recalled = Recalled {
                told: Told {
                    id: Arc::from(id),
                    event,
                    at: Timestamp::from_second(second).unwrap(),
                },
                listed: listed(id, EngineState::Created),
            };
            told.extend(recall.take(recalled, at(0)));
        }
        let told: Vec<String> = told
            .iter()
            .map(|event| {
                let name = event.container.as_ref().map_or("", |(_, name)| name);
                format!(
                    "{} {name} {} {}",
                    event.at.as_second(),
                    event.word,
                    event.text
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                "1 name-a DOCKERUP ",
                "3 name-a DOCKERDOWN exited 137",
                "4 old RENAMED was name-a",
                "5 old REMOVED ",
            ]
        );
    }
}
