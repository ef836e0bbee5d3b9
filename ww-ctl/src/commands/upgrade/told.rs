//! What is told of an exchange in the end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, json};
use whaleware::lifecycle::Moment;

use super::job::Job;
use super::plan::Goal;
use super::slot::Found;
use crate::commands::outcome::Outcome;
use crate::exit::{Exit, Failure};
use crate::fleet::ContainerKey;
use crate::units::duration;

/// What is known of the two containers.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The id and the image of the one before.
    pub before: Option<(String, String)>,
    /// The same of the one to come.
    pub after: Option<(String, String)>,
    /// When the old one began to stop, if this run has done it.
    pub down: Option<Moment>,
    /// For how long nothing was UP.
    pub outage: Option<Duration>,
    /// What came of starting the old one again.
    pub revival: Option<Result<(), String>>,
    /// Whether anything was done at all.
    pub acted: bool,
}

impl Job<'_> {
    /// How it has ended.
    pub(super) fn outcome(self, ended: Result<Found, Failure>) -> Outcome {
        let took = self.context.clock.now().moment - self.begun;
        let name = &self.slot.name;
        let (failure, key) = match ended {
            Ok(found) => {
                let key = found.seen.main.as_ref().map(|main| main.id.clone());
                let goes_on = found.seen.main.is_some_and(|main| main.running);
                (self.verdict(goes_on), key)
            }
            Err(failure) => {
                let reason = self.wrong.as_ref().map(|wrong| wrong.message.clone());
                let message = match reason {
                    Some(reason) => {
                        format!("{reason}; and it was not put back: {}", failure.message)
                    }
                    None => failure.message,
                };
                let failure = Failure { message, ..failure };
                (failure, None)
            }
        };
        let known = self.told.before.as_ref().or(self.told.after.as_ref());
        let id = key.or_else(|| known.map(|(id, _)| id.clone()));
        let key = ContainerKey {
            host: self.slot.host.clone(),
            id: Arc::from(id.unwrap_or_default()),
        };
        let side = |told: &Option<(String, String)>| match told {
            Some((id, image)) => (json!(id), json!(image)),
            None => (json!(null), json!(null)),
        };
        let (old_id, old_image) = side(&self.told.before);
        let (new_id, new_image) = side(&self.told.after);
        let more = Map::from_iter([
            ("old_id".to_owned(), old_id),
            ("old_image".to_owned(), old_image),
            ("new_id".to_owned(), new_id),
            ("new_image".to_owned(), new_image),
        ]);
        Outcome::new(&self.live.fleet, key, failure.exit, failure.message, took)
            .hinting(failure.hint)
            .named(name)
            .telling(more)
    }

    /// What has come of it, where there is nothing left to do; whether what has the name runs.
    fn verdict(&self, goes_on: bool) -> Failure {
        let image = |told: &Option<(String, String)>, unknown: &str| {
            told.as_ref()
                .map_or_else(|| unknown.to_owned(), |(_, image)| image.clone())
        };
        let old = image(&self.told.before, "it");
        let new = image(
            &self.told.after,
            self.arguments.image.as_deref().unwrap_or("it"),
        );
        let back = match &self.told.revival {
            Some(Ok(())) => format!("put back, {old} is UP again"),
            Some(Err(reason)) => format!("put back, but {old} is not UP: {reason}"),
            None if goes_on => format!("nothing was done to {old}, which runs on"),
            None => format!("put back; {old} is left stopped, as it was not UP before either"),
        };
        let up = !matches!(self.told.revival, Some(Err(_)));
        match (&self.wrong, self.wish.goal) {
            (Some(wrong), _) => {
                let exit = if up { wrong.exit } else { Exit::Failed };
                let message = format!("{new}: {}; {back}", wrong.message);
                Failure {
                    exit: exit.max(Exit::Failed),
                    message,
                    hint: wrong.hint.clone(),
                }
            }
            (None, Goal::Forward) if !self.told.acted => {
                Failure::new(Exit::Done, format!("is of {} already", self.image()))
            }
            (None, Goal::Forward) => {
                let down = self.told.outage.map(duration);
                let down = down.map_or_else(String::new, |down| format!(", was down for {down}"));
                Failure::new(
                    Exit::Done,
                    format!("upgraded from {old} to {new}, UP{down}"),
                )
            }
            (None, Goal::Undo | Goal::Back) if !self.told.acted => {
                Failure::new(Exit::Done, "no upgrade is pending, nothing to undo")
            }
            (None, Goal::Undo | Goal::Back) => {
                let exit = if up { Exit::Done } else { Exit::Failed };
                Failure::new(exit, back)
            }
        }
    }
}
