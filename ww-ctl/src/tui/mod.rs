//! The dashboard, `ww-ctl top`.
//!
//! ```text
//!   terminal ─ keys, size ─┐                       ┌─ Cmd ── runtime (the only part that acts)
//!   feed ─ Input ──────────┼─ Msg ─> update(Model) ┤
//!   feed ─ Reply ──────────┘                       └─ Cmd::Draw ─> view(&Model) ─> terminal
//! ```
//!
//! [`update::update`] is synchronous and the only thing that changes the [`model::Model`];
//! [`view::view`] neither changes it nor waits. What happens in the world happens in [`runtime`].
//! Every message carries its time, so a record of the messages replays the same screens.

mod asking;
mod columns;
mod configuration;
mod confirm;
mod filter;
mod history;
mod keymap;
mod lanes;
mod lineup;
mod logs;
mod measured;
mod model;
mod msg;
mod operation;
mod own;
mod palette;
mod path;
mod plain;
mod pointer;
mod rows;
mod runtime;
mod settings;
mod shell;
mod sort;
mod tally;
mod tape;
mod tenths;
mod term;
mod theme;
mod typing;
mod update;
mod value;
mod view;
mod winding;

#[cfg(test)]
mod tests;

pub(crate) use configuration::Setting;
pub(crate) use model::{Access, FeedStatus};
pub(crate) use msg::{Answer, Errand, Printed, Reply, Request, Said, Verb};
pub(crate) use own::Frames;
pub(crate) use plain::Plain;
pub(crate) use runtime::{Ended, Feed, Start, TuiError, run};
pub(crate) use settings::Settings;
pub(crate) use shell::Shell;
pub(crate) use tape::{End, Recorder, Replay, ReplayError, Speed, Tape};
pub(crate) use term::is_terminal;
pub(crate) use theme::{Look, Tint};
