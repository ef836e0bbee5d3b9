//! Where Engines are: `-H`, Docker's contexts, `DOCKER_HOST`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use whaleware::env;

use crate::fleet::HostName;

/// Where Docker's socket is when nobody says otherwise.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// The names it goes by.
pub(super) const DEFAULT_SOCKETS: [&str; 2] = [DEFAULT_SOCKET, "/run/docker.sock"];
/// The most bytes read of one of Docker's configuration files.
const MAX_FILE: u64 = 1 << 20;

/// How an Engine is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A socket in the file system.
    Unix(PathBuf),
    /// A port, as `host:port`, without encryption.
    Tcp(String),
}

/// An Engine to talk to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its name for people: `local`, a context's name, an address.
    pub name: HostName,
    /// How it is reached.
    pub endpoint: Endpoint,
}

/// Why it is not known where an Engine is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndpointError {
    /// A form of address that is not understood.
    #[error("cannot use `{0}` as the address of a Docker Engine")]
    Malformed(String),
    /// A form that is understood but not yet possible.
    #[error("cannot reach `{url}`: {what} is not supported yet")]
    NotYet {
        /// The address.
        url: String,
        /// `ssh` or `TLS`.
        what: &'static str,
    },
    /// No such context.
    #[error("there is no Docker context `{name}`")]
    NoContext {
        /// The name that was given.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A file of Docker's configuration cannot be read.
    #[error("cannot read Docker's configuration {path}")]
    Config {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl EndpointError {
    /// What to do next.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Malformed(_) => {
                "give -H unix:///path/to/docker.sock or -H tcp://host:port".into()
            }
            Self::NotYet { .. } => "run ww-ctl on that host, or forward its socket: ssh -nNT -L \
                 /tmp/there.sock:/var/run/docker.sock HOST, then -H unix:///tmp/there.sock"
                .into(),
            Self::NoContext { known, .. } => {
                format!("there are: {}; see `docker context ls`", known.join(", "))
            }
            Self::Config { .. } => {
                "look at the file's permissions, or name the Engine with -H".into()
            }
        }
    }
}

/// What was said about where the Engines are.
pub(crate) struct Wanted<'a> {
    /// `-H`, in order.
    pub hosts: &'a [String],
    /// `-c`, in order.
    pub contexts: &'a [String],
    /// Docker's configuration directory.
    pub config: Option<&'a Path>,
    /// Reads the environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// The Engines to talk to, in the order of precedence that `docker` has: `-H` and `-c`, then
/// `DOCKER_HOST`, then `DOCKER_CONTEXT`, then the current context, then the default socket.
///
/// # Errors
/// When an address is not understood, a context does not exist or cannot be read.
pub(crate) fn resolve(wanted: &Wanted<'_>) -> Result<Vec<Target>, EndpointError> {
    let mut targets = Vec::new();
    for url in wanted.hosts {
        targets.push(from_url(url, None, wanted)?);
    }
    for name in wanted.contexts {
        targets.push(from_context(name, wanted)?);
    }
    if targets.is_empty() {
        let target = if let Some(url) = (wanted.variable)(env::DOCKER_HOST) {
            from_url(&url, None, wanted)?
        } else if let Some(name) = (wanted.variable)(env::DOCKER_CONTEXT) {
            from_context(&name, wanted)?
        } else if let Some(name) = current_context(wanted.config)? {
            from_context(&name, wanted)?
        } else {
            local()
        };
        targets.push(target);
    }
    let mut unique: Vec<Target> = Vec::new();
    for target in targets {
        if !unique.iter().any(|known| known.endpoint == target.endpoint) {
            unique.push(target);
        }
    }
    Ok(unique)
}

fn local() -> Target {
    Target {
        name: Arc::from("local"),
        endpoint: Endpoint::Unix(DEFAULT_SOCKET.into()),
    }
}

fn from_url(url: &str, name: Option<&str>, wanted: &Wanted<'_>) -> Result<Target, EndpointError> {
    let not_yet = |what| EndpointError::NotYet {
        url: url.to_owned(),
        what,
    };
    let malformed = || EndpointError::Malformed(url.to_owned());
    let (scheme, rest) = match url.split_once("://") {
        Some(parts) => parts,
        None if url.starts_with('/') => ("unix", url),
        None => return Err(malformed()),
    };
    let (endpoint, short) = match scheme {
        "unix" => {
            let path = if rest.is_empty() {
                DEFAULT_SOCKET
            } else {
                rest
            };
            if !path.starts_with('/') {
                return Err(malformed());
            }
            (Endpoint::Unix(path.into()), short_path(path))
        }
        "tcp" | "http" => {
            if (wanted.variable)(env::DOCKER_TLS_VERIFY).is_some() {
                return Err(not_yet("TLS"));
            }
            let address = rest.trim_end_matches('/');
            if address.is_empty() || address.contains('/') {
                return Err(malformed());
            }
            let has_port = address
                .rsplit_once(':')
                .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            let full = if has_port {
                address.to_owned()
            } else if address.contains(':') && !address.ends_with(']') {
                return Err(malformed());
            } else {
                format!("{address}:2375")
            };
            (Endpoint::Tcp(full), address.to_owned())
        }
        "https" => return Err(not_yet("TLS")),
        "ssh" => return Err(not_yet("ssh")),
        _ => return Err(malformed()),
    };
    Ok(Target {
        name: Arc::from(name.unwrap_or(&short)),
        endpoint,
    })
}

/// `local` for the usual socket, else what tells one socket from another.
fn short_path(path: &str) -> String {
    match path {
        _ if DEFAULT_SOCKETS.contains(&path) => "local".into(),
        _ => path
            .trim_start_matches('/')
            .trim_end_matches(".sock")
            .rsplit('/')
            .take(2)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
            .join("/"),
    }
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
    endpoints: ContextEndpoints,
}

#[derive(Deserialize, Default)]
struct ContextEndpoints {
    docker: Option<ContextEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextEndpoint {
    host: String,
}

fn current_context(config: Option<&Path>) -> Result<Option<String>, EndpointError> {
    let Some(path) = config.map(|dir| dir.join("config.json")) else {
        return Ok(None);
    };
    let file: Option<ConfigFile> = match read(&path) {
        // Somebody else's HOME, as under sudo or setpriv; Docker's own tool goes on as well.
        Err(EndpointError::Config { source, .. })
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            None
        }
        other => other?,
    };
    Ok(file
        .and_then(|file| file.current)
        .filter(|name| !name.is_empty() && name != "default"))
}

fn from_context(name: &str, wanted: &Wanted<'_>) -> Result<Target, EndpointError> {
    if name == "default" {
        return match (wanted.variable)(env::DOCKER_HOST) {
            Some(url) => from_url(&url, None, wanted),
            None => Ok(local()),
        };
    }
    let mut known = vec!["default".to_owned()];
    if let Some(dir) = wanted.config {
        let contexts = dir.join("contexts");
        // The directories are named by a hash of the name; the name itself is in the file.
        for entry in entries(&contexts.join("meta"))? {
            let Some(context) = read::<ContextFile>(&entry.join("meta.json"))? else {
                continue;
            };
            if context.name == name
                && let Some(endpoint) = context.endpoints.docker
            {
                let tls = entry
                    .file_name()
                    .is_some_and(|hash| contexts.join("tls").join(hash).exists());
                if tls {
                    return Err(EndpointError::NotYet {
                        url: endpoint.host,
                        what: "TLS",
                    });
                }
                return from_url(&endpoint.host, Some(name), wanted);
            }
            known.push(context.name);
        }
    }
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
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed(error)),
    }
}

/// A JSON file; none when it does not exist.
fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, EndpointError> {
    use std::io::Read;
    let failed = |source| EndpointError::Config {
        path: path.to_owned(),
        source,
    };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut text).map_err(failed)?;
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|error| failed(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(
        hosts: &[&str],
        contexts: &[&str],
        config: Option<&Path>,
        environment: &[(&str, &str)],
    ) -> Result<Vec<(String, Endpoint)>, String> {
        let owned = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let variable = |name: &str| {
            environment
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        resolve(&Wanted {
            hosts: &owned(hosts),
            contexts: &owned(contexts),
            config,
            variable: &variable,
        })
        .map(|targets| {
            targets
                .into_iter()
                .map(|target| (target.name.to_string(), target.endpoint))
                .collect()
        })
        .map_err(|error| error.to_string())
    }

    fn unix(name: &str, path: &str) -> (String, Endpoint) {
        (name.into(), Endpoint::Unix(path.into()))
    }

    fn tcp(name: &str, address: &str) -> (String, Endpoint) {
        (name.into(), Endpoint::Tcp(address.into()))
    }

    #[test]
    fn addresses_are_understood_and_named_shortly() {
        let all = [
            "unix:///var/run/docker.sock",
            "unix:///run/user/1000/docker.sock",
            "/tmp/there.sock",
            "tcp://ops2:2376",
            "tcp://ops3",
            "tcp://[::1]:2375/",
            "tcp://ops2:2376",
        ];
        assert_eq!(
            names(&all, &[], None, &[]).unwrap(),
            [
                unix("local", "/var/run/docker.sock"),
                unix("1000/docker", "/run/user/1000/docker.sock"),
                unix("tmp/there", "/tmp/there.sock"),
                tcp("ops2:2376", "ops2:2376"),
                tcp("ops3", "ops3:2375"),
                tcp("[::1]:2375", "[::1]:2375"),
            ]
        );
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (url, expected) in [
            (
                "ssh://ops2",
                "cannot reach `ssh://ops2`: ssh is not supported yet",
            ),
            (
                "https://ops2",
                "cannot reach `https://ops2`: TLS is not supported yet",
            ),
            (
                "ops2",
                "cannot use `ops2` as the address of a Docker Engine",
            ),
            (
                "tcp://",
                "cannot use `tcp://` as the address of a Docker Engine",
            ),
            (
                "unix://run/x",
                "cannot use `unix://run/x` as the address of a Docker Engine",
            ),
        ] {
            assert_eq!(names(&[url], &[], None, &[]).unwrap_err(), expected);
        }
        let error = names(&["tcp://a:1"], &[], None, &[("DOCKER_TLS_VERIFY", "1")]);
        assert_eq!(
            error.unwrap_err(),
            "cannot reach `tcp://a:1`: TLS is not supported yet"
        );
    }

    #[test]
    fn precedence_is_dockers() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path();
        let meta = config.join("contexts/meta/abc");
        fs::create_dir_all(&meta).unwrap();
        fs::write(
            meta.join("meta.json"),
            r#"{"Name":"far","Metadata":{},"Endpoints":{"docker":{"Host":"tcp://far:2375","SkipTLSVerify":false}}}"#,
        )
        .unwrap();
        let config = Some(config);
        let local = unix("local", "/var/run/docker.sock");
        let found = names(&[], &[], config, &[]).unwrap();
        assert_eq!(found, std::slice::from_ref(&local));
        fs::write(
            dir.path().join("config.json"),
            r#"{"currentContext":"far"}"#,
        )
        .unwrap();
        let far = tcp("far", "far:2375");
        let found = names(&[], &[], config, &[]).unwrap();
        assert_eq!(found, std::slice::from_ref(&far));
        let environment = [("DOCKER_HOST", "tcp://near")];
        let near = tcp("near", "near:2375");
        assert_eq!(names(&[], &[], config, &environment).unwrap(), [near]);
        assert_eq!(
            names(&[], &["far", "default"], config, &[]).unwrap(),
            [far, local]
        );
        assert_eq!(
            names(&[], &["fare"], config, &[]).unwrap_err(),
            "there is no Docker context `fare`"
        );
    }
}
