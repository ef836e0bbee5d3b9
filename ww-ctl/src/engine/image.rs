//! Images on the Engine: looked at, and built from a context that is sent as it is read.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::BuildImageOptionsBuilder;
use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::mpsc;

/// How long the Engine may take until its builder says the first word. It does so only when it has
/// the whole context, so this bounds the sending too.
const BUILD_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// A request the Engine did not answer as hoped.
#[derive(Debug, thiserror::Error)]
#[error("cannot {attempt}")]
pub(crate) struct EngineError {
    attempt: String,
    source: Error,
}

impl EngineError {
    /// A request that was to do `attempt`, and why it was not done.
    pub(super) fn new(attempt: impl Into<String>, source: Error) -> Self {
        Self {
            attempt: attempt.into(),
            source,
        }
    }

    /// Whether no Engine was there to answer at all.
    pub(crate) fn is_unreachable(&self) -> bool {
        if let Error::HyperLegacyError { err } = &self.source {
            return err.is_connect();
        }
        matches!(self.source, Error::SocketNotFoundError(_))
    }
}

/// What the Engine knows of an image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Known {
    /// Its id.
    pub(crate) id: String,
    /// The machine it is for.
    pub(crate) architecture: Option<String>,
    /// Its working directory; empty where it names none.
    pub(crate) workdir: String,
    /// Whether it has an entry point.
    pub(crate) entry_point: bool,
    /// The signal that stops it, where it names one.
    pub(crate) stop_signal: Option<String>,
    /// Its labels.
    pub(crate) labels: std::collections::HashMap<String, String>,
}

/// Why nothing was built.
#[derive(Debug)]
pub(crate) enum BuildFailure {
    /// The context could not be read to its end.
    Source(io::Error),
    /// The builder's words.
    Builder(String),
    /// Anything else.
    Engine(EngineError),
}

/// Looks an image up by name or id; none where the Engine has none.
///
/// # Errors
/// When the Engine cannot be asked.
pub(crate) async fn inspect(docker: &Docker, name: &str) -> Result<Option<Known>, EngineError> {
    match docker.inspect_image(name).await {
        Ok(image) => {
            let config = image.config.unwrap_or_default();
            Ok(Some(Known {
                id: image.id.unwrap_or_default(),
                architecture: image.architecture.filter(|name| !name.is_empty()),
                workdir: config.working_dir.unwrap_or_default(),
                entry_point: config.entrypoint.is_some_and(|words| !words.is_empty()),
                stop_signal: config.stop_signal.filter(|signal| !signal.is_empty()),
                labels: config.labels.unwrap_or_default(),
            }))
        }
        Err(Error::DockerResponseServerError {
            status_code: 404, ..
        }) => Ok(None),
        Err(error) => Err(EngineError::new(format!("look up the image {name}"), error)),
    }
}

/// The machine the Engine runs on.
///
/// # Errors
/// When the Engine cannot be asked.
pub(crate) async fn architecture(docker: &Docker) -> Result<Option<String>, EngineError> {
    let version = docker
        .version()
        .await
        .map_err(|error| EngineError::new("ask the Engine for its version", error))?;
    Ok(version.arch)
}

/// Builds and tags an image from a tar stream with a `Dockerfile` in it, passes the builder's lines
/// on as they come, untrusted as they are, and returns the image's id.
///
/// The first generation of builders is asked for: every Engine has it, it needs no session and
/// leaves no cache but images.
///
/// # Errors
/// Of the three kinds of [`BuildFailure`].
pub(crate) async fn build(
    docker: &Docker,
    tag: &str,
    mut context: mpsc::Receiver<io::Result<Bytes>>,
    said: &mut (dyn FnMut(&str) + Send),
) -> Result<String, BuildFailure> {
    let docker = docker.clone().with_timeout(BUILD_TIMEOUT);
    let options = BuildImageOptionsBuilder::new()
        .dockerfile("Dockerfile")
        .t(tag)
        .rm(true)
        .forcerm(true)
        .build();
    // The client reports a body that failed in its own words; the reason is kept here.
    let failed = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&failed);
    let body = futures::stream::poll_fn(move |cx| context.poll_recv(cx)).map(move |piece| {
        piece.map_err(|error| {
            let told = io::Error::new(error.kind(), error.to_string());
            if let Ok(mut slot) = keep.lock() {
                *slot = Some(error);
            }
            told
        })
    });
    let mut lines = docker.build_image(options, None, Some(bollard::body_try_stream(body)));
    let mut id = None;
    while let Some(line) = lines.next().await {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                let source = failed.lock().ok().and_then(|mut slot| slot.take());
                return Err(source.map_or_else(|| failure(tag, error), BuildFailure::Source));
            }
        };
        if let Some(text) = line.stream.as_deref().or(line.status.as_deref()) {
            text.lines()
                .filter(|text| !text.trim().is_empty())
                .for_each(&mut *said);
        }
        id = line.aux.and_then(|aux| aux.id).or(id);
    }
    if let Some(error) = failed.lock().ok().and_then(|mut slot| slot.take()) {
        return Err(BuildFailure::Source(error));
    }
    id.ok_or_else(|| BuildFailure::Builder("it ended without an image".into()))
}

fn failure(tag: &str, error: Error) -> BuildFailure {
    match error {
        Error::DockerStreamError { error } => BuildFailure::Builder(error),
        // What the client got wrong and what the Engine could not do; neither is about reaching it.
        Error::DockerResponseServerError { message, .. } => BuildFailure::Builder(message),
        error => BuildFailure::Engine(EngineError::new(format!("build {tag}"), error)),
    }
}
