//! Docker's own contexts, as `docker context` keeps them.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::endpoint::EndpointError;
use super::tls::Material;
use crate::fleet::clean;

/// The context that stands for the environment and the usual socket.
pub(super) const DEFAULT: &str = "default";
/// The most bytes read of one of Docker's configuration files.
const MAX_FILE: u64 = 1 << 20;

/// The most characters told of a context's name.
const NAME: usize = 128;

/// What a context says of its Engine.
pub(super) struct Found {
    /// Its address.
    pub host: String,
    /// Its certificates; none where it has nothing to say about TLS.
    pub material: Option<Material>,
}

#[derive(Deserialize)]
struct ConfigFile {
    #[serde(rename = "currentContext")]
    current: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextFile {
    name: String,
    #[serde(default)]
    endpoints: Endpoints,
}

#[derive(Deserialize, Default)]
struct Endpoints {
    docker: Option<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    #[serde(rename = "Host")]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    unverified: bool,
}

/// The context that is used where none is named; none for [`DEFAULT`].
///
/// # Errors
/// When the configuration is there and cannot be read.
pub(super) fn current(config: Option<&Path>) -> Result<Option<String>, EndpointError> {
    let Some(path) = config.map(|dir| dir.join("config.json")) else {
        return Ok(None);
    };
    let file: Option<ConfigFile> = match read(&path) {
        // Somebody else's HOME, as under sudo or setpriv; Docker's own tool goes on as well.
        Err(EndpointError::Config { source, .. })
            if source.kind() == ErrorKind::PermissionDenied =>
        {
            None
        }
        other => other?,
    };
    Ok(file
        .and_then(|file| file.current)
        .filter(|name| !name.is_empty() && name != DEFAULT))
}

/// Looks a context up.
///
/// # Errors
/// When there is none of this name, or it cannot be read.
pub(super) fn find(name: &str, config: Option<&Path>) -> Result<Found, EndpointError> {
    let mut known = vec![DEFAULT.to_owned()];
    let mut unread = None;
    if let Some(dir) = config {
        let contexts = dir.join("contexts");
        // The directories are named by a hash of the name; the name itself is in the file.
        for entry in entries(&contexts.join("meta"))? {
            // One that cannot be read is no reason to do without the others.
            let context = match read::<ContextFile>(&entry.join("meta.json")) {
                Ok(Some(context)) => context,
                Ok(None) => continue,
                Err(error) => {
                    unread = unread.or(Some(error));
                    continue;
                }
            };
            if context.name == name
                && let Some(endpoint) = context.endpoints.docker
            {
                let files = entry
                    .file_name()
                    .map(|hash| contexts.join("tls").join(hash).join("docker"))
                    .filter(|dir| dir.exists());
                let material = (files.is_some() || endpoint.unverified)
                    .then(|| Material::in_directory(files.as_deref(), !endpoint.unverified, false));
                return Ok(Found {
                    host: endpoint.host,
                    material,
                });
            }
            known.push(clean(&context.name, NAME));
        }
    }
    // It may be the one that is meant.
    if let Some(error) = unread {
        return Err(error);
    }
    known[1..].sort_unstable();
    Err(EndpointError::NoContext {
        name: name.to_owned(),
        known,
    })
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, EndpointError> {
    let failed = |source| EndpointError::Config {
        path: dir.to_owned(),
        source,
    };
    match fs::read_dir(dir) {
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.path()).map_err(failed))
            .collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed(error)),
    }
}

/// A JSON file; none when it does not exist.
fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, EndpointError> {
    let failed = |source| EndpointError::Config {
        path: path.to_owned(),
        source,
    };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut text).map_err(failed)?;
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|error| failed(error.into()))
}
