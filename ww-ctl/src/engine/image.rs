//! Images on the Engine: looked at, and built from a context that is sent as it is read.

use std::collections::HashMap;
use std::io;

use bollard::errors::Error;
use bollard::query_parameters::BuildImageOptionsBuilder;
use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::mpsc;

use super::client::Engine;
use super::error::EngineError;

/// What the Engine knows of an image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Known {
    /// Its id, `sha256:…`.
    pub(crate) id: String,
    /// The machine it is for.
    pub(crate) architecture: Option<String>,
    /// Its working directory; empty where it names none.
    pub(crate) workdir: String,
    /// The words of its entry point.
    pub(crate) entry_point: Vec<String>,
    /// The words of its command, which follow those of the entry point.
    pub(crate) command: Vec<String>,
    /// Where every container of it gets a volume without a name.
    pub(crate) volumes: Vec<String>,
    /// The signal that stops it, where it names one.
    pub(crate) stop_signal: Option<String>,
    /// Its labels.
    pub(crate) labels: HashMap<String, String>,
    /// The environment it sets, `NAME=VALUE` each.
    pub(crate) environment: Vec<String>,
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

impl Engine {
    /// Looks an image up by name or id; none where the Engine has none.
    ///
    /// # Errors
    /// When the Engine cannot be asked, or the name cannot be one.
    pub(crate) async fn image(&self, name: &str) -> Result<Option<Known>, EngineError> {
        match self.inner.quick.inspect_image(name).await {
            Ok(image) => {
                let config = image.config.unwrap_or_default();
                Ok(Some(Known {
                    id: image.id.unwrap_or_default(),
                    architecture: image.architecture.filter(|name| !name.is_empty()),
                    workdir: config.working_dir.unwrap_or_default(),
                    entry_point: config.entrypoint.unwrap_or_default(),
                    command: config.cmd.unwrap_or_default(),
                    volumes: config.volumes.unwrap_or_default(),
                    stop_signal: config.stop_signal.filter(|signal| !signal.is_empty()),
                    labels: config.labels.unwrap_or_default(),
                    environment: config.env.unwrap_or_default(),
                }))
            }
            Err(Error::DockerResponseServerError {
                status_code: 404, ..
            }) => Ok(None),
            Err(error) => Err(self.error("look up an image", &error)),
        }
    }

    /// The machine the Engine runs on.
    ///
    /// # Errors
    /// When the Engine cannot be asked.
    pub(crate) async fn architecture(&self) -> Result<Option<String>, EngineError> {
        let version = self.inner.quick.version().await;
        Ok(version
            .map_err(|error| self.error("ask for the version", &error))?
            .arch)
    }

    /// Builds and tags an image from a tar stream with a `Dockerfile` in it, passes the builder's
    /// lines on as they come, untrusted as they are, and returns the image's id.
    ///
    /// The first generation of builders is asked for: every Engine has it, it needs no session and
    /// leaves no cache but images. Its cache is not used: it saves little here, and an image that
    /// is removed meanwhile takes cached steps away from under another build.
    ///
    /// # Errors
    /// Of the three kinds of [`BuildFailure`].
    pub(crate) async fn build_image(
        &self,
        tag: &str,
        mut context: mpsc::Receiver<io::Result<Bytes>>,
        said: &mut (dyn FnMut(&str) + Send),
    ) -> Result<String, BuildFailure> {
        let options = BuildImageOptionsBuilder::new()
            .dockerfile("Dockerfile")
            .t(tag)
            .rm(true)
            .forcerm(true)
            .nocache(true)
            .build();
        // The client reports a body that failed in its own words; the reason is kept here.
        let (keep, mut failed) = mpsc::channel(1);
        let body = futures::stream::poll_fn(move |cx| context.poll_recv(cx)).map(move |piece| {
            piece.map_err(|error| {
                let told = io::Error::new(error.kind(), error.to_string());
                drop(keep.try_send(error));
                told
            })
        });
        // Its first answer comes when it has the whole context, which may take long.
        let docker = &self.inner.patient;
        let mut lines = docker.build_image(options, None, Some(bollard::body_try_stream(body)));
        let mut id = None;
        while let Some(line) = lines.next().await {
            let line = line.map_err(|error| match (failed.try_recv(), error) {
                (Ok(source), _) => BuildFailure::Source(source),
                (
                    Err(_),
                    Error::DockerStreamError { error: message }
                    | Error::DockerResponseServerError { message, .. },
                ) => BuildFailure::Builder(message),
                (Err(_), error) => BuildFailure::Engine(self.error("build an image", &error)),
            })?;
            if let Some(text) = line.stream.as_deref().or(line.status.as_deref()) {
                text.lines()
                    .filter(|text| !text.trim().is_empty())
                    .for_each(&mut *said);
            }
            id = line.aux.and_then(|aux| aux.id).or(id);
        }
        if let Ok(source) = failed.try_recv() {
            return Err(BuildFailure::Source(source));
        }
        id.ok_or_else(|| BuildFailure::Builder("it ended without an image".into()))
    }
}
