//! Images: which there are, a file of one, read through a container that is never started, and a
//! program of one, run where it can do nothing.

use std::collections::HashMap;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListContainersOptionsBuilder, ListImagesOptionsBuilder,
    LogsOptionsBuilder,
};
use futures::{StreamExt, TryStreamExt};
use whaleware::paths;

use super::archive::FileError;
use super::client::Engine;
use super::error::EngineError;

/// The label of such containers, which nobody is to see: there for a moment, and no part of a fleet.
pub(super) const LABEL: &str = "io.whaleware.probe";
/// One that is older was left behind by somebody who was killed.
const LEFT_BEHIND: i64 = 600;
/// The most bytes read of what a program prints.
const PRINTED: usize = 4 * 1024 * 1024;
/// What a program may take: memory in bytes, billionths of a processor, and processes.
const MEMORY: i64 = 256 << 20;
const PROCESSOR: i64 = 1_000_000_000;
const PROCESSES: i64 = 64;

/// What became of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tried {
    /// It could not be started; the Engine's words.
    NotStarted(String),
    /// It had not ended in time, and was.
    Cut,
    /// It has ended.
    Ended {
        /// With this code.
        code: i64,
        /// The first that it wrote to its standard output.
        stdout: Vec<u8>,
        /// And to its standard error.
        stderr: Vec<u8>,
    },
}

impl Engine {
    /// The content of a file of an image; none when there is no such file.
    ///
    /// # Errors
    /// When the Engine cannot be asked, or what has that name is no regular file of bounded size.
    pub(crate) async fn image_file(
        &self,
        image: &str,
        path: &str,
    ) -> Result<Option<Vec<u8>>, FileError> {
        self.sweep().await;
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            // Never run; without one an image that names none would be refused.
            cmd: Some(vec![paths::RUN.to_owned()]),
            labels: Some(HashMap::from([(LABEL.to_owned(), path.to_owned())])),
            host_config: Some(HostConfig {
                network_mode: Some("none".into()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::new().build();
        let made = self.inner.quick.create_container(Some(options), body).await;
        let made = made.map_err(|error| self.error("look into the image", &error))?;
        let file = self.file(&made.id, path).await;
        let removed = self.remove_container(&made.id).await;
        let file = file?;
        removed?;
        Ok(file)
    }

    /// Runs a program of an image, in a container without a network whose files cannot be changed, and
    /// in which it can get no more rights than it has. One that has not ended in
    /// time is ended; what is left behind when the caller is killed ends by itself, or with a later call.
    ///
    /// # Errors
    /// When the Engine cannot be asked.
    pub(crate) async fn try_out(
        &self,
        image: &str,
        words: &[&str],
        limit: Duration,
    ) -> Result<Tried, EngineError> {
        const WHAT: &str = "try a program of the image";
        self.sweep().await;
        let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(words),
            cmd: Some(Vec::new()),
            labels: Some(HashMap::from([(LABEL.to_owned(), String::new())])),
            host_config: Some(HostConfig {
                network_mode: Some("none".into()),
                readonly_rootfs: Some(true),
                security_opt: Some(vec!["no-new-privileges".into()]),
                memory: Some(MEMORY),
                nano_cpus: Some(PROCESSOR),
                pids_limit: Some(PROCESSES),
                // Whatever the Engine's own is: it must be readable again.
                log_config: Some(HostConfigLogConfig {
                    typ: Some("json-file".into()),
                    config: None,
                }),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::new().build();
        let made = self.inner.quick.create_container(Some(options), body).await;
        let made = made.map_err(|error| self.error(WHAT, &error))?;
        let tried = tokio::time::timeout(limit, self.tried(&made.id)).await;
        let tried = tried.unwrap_or(Ok(Tried::Cut));
        let removed = self.remove_container(&made.id).await;
        let tried = tried.map_err(|error| self.error(WHAT, &error))?;
        removed?;
        Ok(tried)
    }

    async fn tried(&self, id: &str) -> Result<Tried, Error> {
        let engine = &self.inner.patient;
        match engine.start_container(id, None).await {
            Ok(()) => {}
            Err(Error::DockerResponseServerError { message, .. }) => {
                return Ok(Tried::NotStarted(message));
            }
            Err(error) => return Err(error),
        }
        let ended = engine.wait_container(id, None).try_next().await;
        let code = match ended {
            Ok(ended) => ended.map_or(-1, |ended| ended.status_code),
            Err(Error::DockerContainerWaitError { code, .. }) => code,
            Err(error) => return Err(error),
        };
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).build();
        let mut pieces = engine.logs(id, Some(options));
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        while let Some(piece) = pieces.next().await {
            match piece? {
                LogOutput::StdErr { message } => stderr.extend_from_slice(&message),
                LogOutput::StdOut { message } | LogOutput::Console { message } => {
                    stdout.extend_from_slice(&message);
                }
                LogOutput::StdIn { .. } => {}
            }
            if stdout.len() + stderr.len() > PRINTED {
                break;
            }
        }
        Ok(Tried::Ended {
            code,
            stdout,
            stderr,
        })
    }

    /// Removes those that somebody who was killed has left behind. The next call tries again where
    /// it does not succeed.
    async fn sweep(&self) {
        let filters = HashMap::from([
            ("label", vec![LABEL.to_owned()]),
            // One that runs was left by a caller who could not wait for it.
            (
                "status",
                ["created", "running", "exited"].map(str::to_owned).to_vec(),
            ),
        ]);
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&filters)
            .build();
        let Ok(listed) = self.inner.quick.list_containers(Some(options)).await else {
            return;
        };
        let now = self.time().as_second();
        let old = listed.into_iter().filter(|one| {
            one.created
                .is_some_and(|created| created.saturating_add(LEFT_BEHIND) < now)
        });
        for id in old.filter_map(|one| one.id) {
            let _next_time = self.remove_container(&id).await;
        }
    }

    /// The names of all images.
    ///
    /// # Errors
    /// When the Engine cannot be asked.
    pub(crate) async fn image_names(&self) -> Result<Vec<String>, EngineError> {
        let options = ListImagesOptionsBuilder::new().build();
        let listed = self.inner.quick.list_images(Some(options)).await;
        let listed = listed.map_err(|error| self.error("list images", &error))?;
        let names = listed.into_iter().flat_map(|image| image.repo_tags);
        Ok(names.filter(|name| name != "<none>:<none>").collect())
    }
}
