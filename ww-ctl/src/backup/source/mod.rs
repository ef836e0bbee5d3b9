//! Where the data of a container are read from, and how.
//!
//! There are three ways, and all give the same archive, [`ww_archive::pack`]'s: the directory itself where it is on this
//! machine, the agent in a container that runs, and the Engine. What happens to the files meanwhile is told and ends
//! none of them.

mod agent;
mod below;
mod engine;
mod gauge;
mod host;
mod outlet;
mod problems;
mod spool;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use ww_archive::pack::PackError;
use ww_archive::pattern::{PatternError, Patterns};

pub(crate) use below::{Below, below, is_below};
pub(crate) use gauge::Gauge;
pub(crate) use host::place;
pub(crate) use outlet::Outlet;
pub(crate) use problems::{Noted, Problems, Weight};

use crate::engine::{Engine, EngineError, Inspected, Placed};

/// Why data could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// No way leads to them.
    #[error("cannot read what is mounted at {place}: {reason}")]
    NoWay {
        /// Where it is mounted.
        place: String,
        /// Why each way is none.
        reason: String,
    },
    /// The Engine could not do its part.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// It began, and did not come to its end.
    #[error("the archive was cut short: {0}")]
    Cut(String),
    /// A pattern of what is to be left out is none.
    #[error("cannot leave out what is to be left out")]
    Pattern(#[from] PatternError),
    /// The directory cannot be read, or what is read has no place.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// What is read has no place.
    #[error("cannot write what was read")]
    Output(#[source] io::Error),
    /// It was stopped on request.
    #[error("the reading was stopped")]
    Stopped,
}

impl SourceError {
    /// Whether who was to take what is read has given up: that one knows why.
    pub(crate) fn is_untaken(&self) -> bool {
        match self {
            Self::Output(error) | Self::Pack(PackError::Output(error)) => {
                error.kind() == io::ErrorKind::BrokenPipe
            }
            Self::NoWay { .. }
            | Self::Engine(_)
            | Self::Cut(_)
            | Self::Pattern(_)
            | Self::Pack(_)
            | Self::Stopped => false,
        }
    }
}

/// How much there is to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Measured {
    /// Bytes of content.
    pub bytes: u64,
    /// Entries, the root among them.
    pub entries: u64,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ReadReport {
    /// Entries, the root among them: alone it is an empty directory.
    pub entries: u64,
    /// Bytes of content.
    pub bytes: u64,
    /// Bytes of the archive.
    pub written: u64,
    /// What is not in it, or not as it was.
    pub problems: Problems,
}

/// A way to data.
#[derive(Clone)]
pub(crate) enum Source {
    /// The directory itself.
    Host(host::Host),
    /// The agent in a container.
    Agent(agent::Within),
    /// The Engine's archive.
    Engine(engine::Archive),
}

/// The best way to what is mounted somewhere, given all containers that have it, as they stand now.
///
/// The directory itself is read fastest, and services may be down as long.
///
/// # Errors
/// When there is none, with the reason why each is none.
pub(crate) async fn best(
    engine: &Engine,
    members: &[Inspected],
    data: &Placed,
) -> Result<Source, SourceError> {
    let mut reasons = Vec::new();
    match host::find(engine, members, data).await? {
        Ok(host) => return Ok(Source::Host(host)),
        Err(reason) => reasons.push(format!("not as a directory of this machine, {reason}")),
    }
    match agent::find(engine, members, data).await? {
        Ok(within) => return Ok(Source::Agent(within)),
        Err(reason) => reasons.push(format!("not by an agent, {reason}")),
    }
    match engine::find(engine, members, data).await? {
        Ok(archive) => Ok(Source::Engine(archive)),
        Err(reason) => {
            reasons.push(format!("not through the Engine, {reason}"));
            Err(SourceError::NoWay {
                place: data.place.clone(),
                reason: reasons.join("; "),
            })
        }
    }
}

impl Source {
    /// A directory of a container, by the agent in it, which must run.
    pub(crate) fn within(engine: &Engine, id: &str, directory: &str) -> Self {
        Self::Agent(agent::Within::new(engine, id, directory))
    }

    /// What it is called in a manifest.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Host(_) => "host",
            Self::Agent(_) => "agent",
            Self::Engine(_) => "engine",
        }
    }

    /// What of a tree gets lost on this way, whatever happens.
    pub(crate) const fn loses(&self) -> &'static [&'static str] {
        match self {
            Self::Host(_) => &[],
            // The kernel shows them to nobody in a container that is not privileged.
            Self::Agent(_) => &["trusted extended attributes"],
            Self::Engine(_) => &[
                "extended attributes but file capabilities",
                "access control lists",
                "holes",
                "fractions of a second in times",
                "sockets",
                "paths longer than the kernel takes",
                "word of what changed while it was read",
            ],
        }
    }

    /// How much there is to read; none where nobody can tell without reading it.
    ///
    /// # Errors
    /// When it cannot be found out.
    pub(crate) async fn measure(
        &self,
        exclude: &[String],
    ) -> Result<Option<Measured>, SourceError> {
        match self {
            Self::Host(host) => host.measure(patterns(exclude)?).await.map(Some),
            Self::Agent(within) => within.measure(exclude).await.map(Some),
            Self::Engine(_) => Ok(None),
        }
    }

    /// Writes the data as an archive into a file, from where it stands, which is not synced, or to who takes it
    /// meanwhile. What is written when this fails or is given up is no archive.
    ///
    /// # Errors
    /// When it cannot be read to its end. Nothing that happens to the files is an error.
    pub(crate) async fn read(
        &self,
        exclude: &[String],
        into: impl Into<Outlet>,
        gauge: Arc<Gauge>,
    ) -> Result<ReadReport, SourceError> {
        let into = into.into();
        let patterns = patterns(exclude)?;
        // A thread may be at work for this; it ends with this call in any case.
        let guard = gauge.guard();
        let read = match self {
            Self::Host(host) => host.read(patterns, into, gauge.clone()).await,
            Self::Agent(within) => within.read(exclude, into, &gauge).await,
            Self::Engine(archive) => archive.read(patterns, into, &gauge).await,
        };
        if gauge.is_stopped() {
            return Err(SourceError::Stopped);
        }
        guard.disarm();
        read
    }
}

fn patterns(exclude: &[String]) -> Result<Patterns, PatternError> {
    Patterns::new(exclude.iter().map(String::as_bytes))
}

/// Where the same is mounted in a container.
fn place_in(member: &Inspected, data: &Placed) -> Option<String> {
    let mut placed = member.placed().into_iter();
    let same = placed.find(|one| one.backing == data.backing);
    same.map(|one| one.place)
}
