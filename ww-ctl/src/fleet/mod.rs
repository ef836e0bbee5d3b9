//! What is known about the fleet: a pure model fed by events.
//!
//! [`Fleet::apply`] takes an [`Input`] in (a listing or an event of an Engine, a line of an agent)
//! and answers with the [`Change`]s it made. Nothing here waits, connects or reads a clock; the
//! time is passed in. `ls`, `wait`, `restart`, `events` and the dashboard all ask this one model,
//! so they cannot know different things.

mod agent;
mod backed;
mod budget;
mod container;
mod input;
mod kept;
mod model;
mod phrase;
mod rank;
#[cfg(test)]
pub(crate) mod scene;
#[cfg(test)]
mod tests;
mod text;
mod touched;

pub(crate) use agent::{AgentView, Service, clean_service};
pub(crate) use backed::{Backed, LastBackup};
pub(crate) use budget::{stop_limit, stop_words};
pub(crate) use container::{Container, EngineState, Link, Route};
pub(crate) use input::{ContainerKey, EngineEvent, HostName, Input, Keeping, Listed, Stamp};
pub(crate) use kept::{kept_for, kept_name};
pub(crate) use model::{Change, Fleet, HostStatus};
pub(crate) use phrase::{
    failing_words, previous_words, quiesced_words, run_words, service_end, service_word,
    service_words, stage_now, stage_word, stage_words,
};
pub(crate) use rank::{Severity, is_stop_code};
pub(crate) use text::{clean, clean_coloured, is_deceptive};
pub(crate) use touched::Touched;
