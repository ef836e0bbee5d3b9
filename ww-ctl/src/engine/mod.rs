//! The Docker Engine. The only place that knows bollard; its types do not leave.

mod archive;
mod client;
mod details;
mod endpoint;
mod error;
mod events;
mod image;
mod labelled;
mod listing;
mod logs;
mod ping;

pub(crate) use archive::FileError;
pub(crate) use client::{Engine, ExecOutput};
pub(crate) use details::Details;
pub(crate) use endpoint::{Endpoint, EndpointError, Target, Wanted, resolve};
pub(crate) use error::{EngineError, chain};
pub(crate) use events::Told;
pub(crate) use image::{BuildFailure, Known};
pub(crate) use labelled::Labelled;
pub(crate) use listing::{Exits, Scope};
pub(crate) use logs::{LogLine, LogQuery, Source as LogSource};
