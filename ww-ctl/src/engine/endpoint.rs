//! Where Engines are: `-H`, Docker's contexts, `DOCKER_HOST`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use whaleware::env;

use super::contexts;
use super::ssh::Ssh;
use super::tls::{Material, Tls};
use crate::fleet::{HostName, clean, is_deceptive};

/// Where Docker's socket is when nobody says otherwise.
pub(super) const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// The names it goes by.
pub(super) const DEFAULT_SOCKETS: [&str; 2] = [DEFAULT_SOCKET, "/run/docker.sock"];
/// Docker's port, without encryption and with it.
const PORT: u16 = 2375;
const TLS_PORT: u16 = 2376;
/// The most characters of a host's name.
const NAME: usize = 128;

/// How an Engine is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A socket in the file system.
    Unix(PathBuf),
    /// A port, as `host:port`, without encryption.
    Tcp(String),
    /// A port, with encryption.
    Tls(Arc<Tls>),
    /// A socket of another machine, forwarded by ssh.
    Ssh(Arc<Ssh>),
}

impl Endpoint {
    /// What it is called in messages.
    pub(crate) fn at(&self) -> String {
        match self {
            Self::Unix(path) => path.display().to_string(),
            Self::Tcp(address) => address.clone(),
            Self::Tls(tls) => tls.address.clone(),
            Self::Ssh(ssh) => ssh.to_string(),
        }
    }

    /// As one gives it on the command line; which certificates go with it is said elsewhere.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Unix(path) => format!("unix://{}", path.display()),
            Self::Tcp(address) => format!("tcp://{address}"),
            Self::Tls(tls) => format!("tcp://{}", tls.address),
            Self::Ssh(ssh) => ssh.to_string(),
        }
    }

    /// The options by which Docker's own tool reaches it.
    pub(crate) fn docker_options(&self) -> Vec<String> {
        let mut options = vec!["-H".to_owned(), self.url()];
        match self {
            Self::Unix(_) | Self::Tcp(_) | Self::Ssh(_) => {}
            Self::Tls(tls) => options.extend(tls.docker_options()),
        }
        options
    }

    /// Whether it is the one this machine usually has.
    pub(crate) fn is_the_hosts(&self) -> bool {
        match self {
            Self::Unix(path) => DEFAULT_SOCKETS
                .iter()
                .any(|known| path.as_os_str() == *known),
            Self::Tcp(_) | Self::Tls(_) | Self::Ssh(_) => false,
        }
    }

    /// What it is, in a word that other programs may depend on.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Unix(_) => "unix",
            Self::Tcp(_) => "tcp",
            Self::Tls(_) => "tls",
            Self::Ssh(_) => "ssh",
        }
    }
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
    #[error("cannot use `{url}` as the address of a Docker Engine: {reason}")]
    Malformed {
        /// The address.
        url: String,
        /// Why not.
        reason: String,
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
    /// Certificates or keys that cannot be used.
    #[error("cannot use TLS with `{url}`: {reason}")]
    Certificates {
        /// The address.
        url: String,
        /// Which file, and why.
        reason: String,
    },
}

impl EndpointError {
    /// What to do next.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Malformed { .. } => "give -H unix:///path/to/docker.sock, tcp://HOST:PORT, \
                                       https://HOST:PORT or ssh://USER@HOST"
                .into(),
            Self::NoContext { known, .. } => {
                format!("there are: {}; see `docker context ls`", known.join(", "))
            }
            Self::Config { .. } => {
                "look at the file's permissions, or name the Engine with -H".into()
            }
            Self::Certificates { .. } => "ca.pem, cert.pem and key.pem are looked for in \
                                          DOCKER_CERT_PATH, else in ~/.docker; those of a context \
                                          come with it (docker context create --docker \
                                          host=…,ca=…,cert=…,key=…)"
                .into(),
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
/// `DOCKER_HOST`, then `DOCKER_CONTEXT`, then the current context, then the default socket. One that
/// is named twice is one; two that would have the same name are told apart.
///
/// # Errors
/// When an address is not understood, a context does not exist or cannot be read.
pub(crate) fn resolve(wanted: &Wanted<'_>) -> Result<Vec<Target>, EndpointError> {
    let mut targets = Vec::new();
    for url in wanted.hosts {
        targets.push(by_address(url, wanted)?);
    }
    for name in wanted.contexts {
        targets.push(by_context(name, wanted)?);
    }
    if targets.is_empty() {
        let target = if let Some(url) = (wanted.variable)(env::DOCKER_HOST) {
            by_address(&url, wanted)?
        } else if let Some(name) = (wanted.variable)(env::DOCKER_CONTEXT) {
            by_context(&name, wanted)?
        } else if let Some(name) = contexts::current(wanted.config)? {
            by_context(&name, wanted)?
        } else {
            local()
        };
        targets.push(target);
    }
    let mut unique: Vec<Target> = Vec::new();
    for mut target in targets {
        if unique.iter().any(|known| known.endpoint == target.endpoint) {
            continue;
        }
        let is_taken = |name: &str| unique.iter().any(|known| *known.name == *name);
        if is_taken(&target.name) {
            // The way it is reached tells it from the other, where its name does not.
            let way = target.endpoint.url();
            let numbered = (2..).map(|number| format!("{}#{number}", target.name));
            let free = std::iter::once(way)
                .chain(numbered)
                .find(|name| !is_taken(name));
            target.name = Arc::from(free.unwrap_or_default());
        }
        unique.push(target);
    }
    Ok(unique)
}

fn local() -> Target {
    Target {
        name: Arc::from("local"),
        endpoint: Endpoint::Unix(DEFAULT_SOCKET.into()),
    }
}

fn target(name: &str, endpoint: Endpoint) -> Target {
    Target {
        name: Arc::from(clean(name, NAME)),
        endpoint,
    }
}

/// An address as it is given by hand; what its certificates are is said by the environment.
fn by_address(url: &str, wanted: &Wanted<'_>) -> Result<Target, EndpointError> {
    let (endpoint, short) = understand(url, &Security::Environment(wanted))?;
    Ok(target(&short, endpoint))
}

fn by_context(name: &str, wanted: &Wanted<'_>) -> Result<Target, EndpointError> {
    if name == contexts::DEFAULT {
        return match (wanted.variable)(env::DOCKER_HOST) {
            Some(url) => by_address(&url, wanted),
            None => Ok(local()),
        };
    }
    let context = contexts::find(name, wanted.config)?;
    let security = Security::Context(context.material.as_ref());
    let (endpoint, _) = understand(&context.host, &security)?;
    Ok(target(name, endpoint))
}

/// Where it is said whether to use TLS, and with which certificates.
enum Security<'a> {
    /// In the environment, as for an address given by hand.
    Environment(&'a Wanted<'a>),
    /// In the context the address is of; none when it has nothing to say.
    Context(Option<&'a Material>),
}

impl Security<'_> {
    /// The certificates; none where TLS is not asked for. `demanded` when the address asks for it.
    fn material(&self, demanded: bool) -> Option<Material> {
        match self {
            Self::Context(material) => match material {
                Some(material) => Some((*material).clone()),
                None if demanded => Some(Material::verifying()),
                None => None,
            },
            Self::Environment(wanted) => {
                let verify = (wanted.variable)(env::DOCKER_TLS_VERIFY).is_some();
                let unverified = (wanted.variable)(env::DOCKER_TLS).is_some();
                let dir = (wanted.variable)(env::DOCKER_CERT_PATH)
                    .map(PathBuf::from)
                    .or_else(|| wanted.config.map(Path::to_owned));
                if !(verify || unverified || demanded) {
                    return None;
                }
                let checked = verify || !unverified;
                // Docker's own tool wants the authority to be there where it is told to verify.
                Some(Material::in_directory(dir.as_deref(), checked, verify))
            }
        }
    }
}

/// What an address means, and its short name.
fn understand(url: &str, security: &Security<'_>) -> Result<(Endpoint, String), EndpointError> {
    let malformed = |reason: &str| EndpointError::Malformed {
        url: clean(url, NAME),
        reason: reason.to_owned(),
    };
    if url.chars().any(is_deceptive) {
        return Err(malformed("there are control characters in it"));
    }
    let (scheme, rest) = match url.split_once("://") {
        Some(parts) => parts,
        None if url.starts_with('/') => ("unix", url),
        None => return Err(malformed("it does not say how it is reached")),
    };
    match scheme {
        "unix" => {
            let path = if rest.is_empty() {
                DEFAULT_SOCKET
            } else {
                rest
            };
            if !path.starts_with('/') {
                return Err(malformed("the path must be absolute (unix:///path)"));
            }
            Ok((Endpoint::Unix(path.into()), short_path(path)))
        }
        "tcp" | "http" | "https" => {
            let material = match scheme {
                "http" => None,
                _ => security.material(scheme == "https"),
            };
            let default = if material.is_some() { TLS_PORT } else { PORT };
            let (address, short) = address(rest, default).map_err(malformed)?;
            let endpoint = match material {
                None => Endpoint::Tcp(address),
                Some(material) => {
                    let refused = |reason| EndpointError::Certificates {
                        url: clean(url, NAME),
                        reason,
                    };
                    Endpoint::Tls(Arc::new(Tls::new(address, material).map_err(refused)?))
                }
            };
            Ok((endpoint, short))
        }
        "ssh" => {
            let ssh = Ssh::parse(rest).map_err(|reason| malformed(&reason))?;
            let short = ssh.short();
            Ok((Endpoint::Ssh(Arc::new(ssh)), short))
        }
        _ => Err(malformed("unix, tcp, http, https and ssh are understood")),
    }
}

/// `host:port`, and as it was given.
fn address(rest: &str, default: u16) -> Result<(String, String), &'static str> {
    let address = rest.trim_end_matches('/');
    if address.is_empty() {
        return Err("there is no host in it");
    }
    if address.contains(['/', '?', '#', '@']) || address.contains(char::is_whitespace) {
        return Err("it is HOST:PORT and no more");
    }
    let bare = match address.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => {
            if host.is_empty() {
                return Err("there is no host in it");
            }
            if host.contains(':') && !host.ends_with(']') {
                return Err("an IPv6 address is put in brackets");
            }
            return Ok((address.to_owned(), address.to_owned()));
        }
        Some(_) if address.ends_with(']') && address.starts_with('[') => address,
        Some(_) => return Err("its port is no number up to 65535"),
        None => address,
    };
    Ok((format!("{bare}:{default}"), bare.to_owned()))
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
        for (url, reason) in [
            ("ops2", "it does not say how it is reached"),
            ("tcp://", "there is no host in it"),
            ("tcp://:2375", "there is no host in it"),
            ("tcp://ops2:docker", "its port is no number up to 65535"),
            ("tcp://fe80::1:2375", "an IPv6 address is put in brackets"),
            ("tcp://ops2/v1.41", "it is HOST:PORT and no more"),
            ("unix://run/x", "the path must be absolute (unix:///path)"),
            ("ssh://", "there is no host in it"),
            ("ssh://-oProxyCommand=reboot", "its host begins with a dash"),
            (
                "npipe:////./pipe/docker_engine",
                "unix, tcp, http, https and ssh are understood",
            ),
        ] {
            assert_eq!(
                names(&[url], &[], None, &[]).unwrap_err(),
                format!("cannot use `{url}` as the address of a Docker Engine: {reason}")
            );
        }
    }

    #[test]
    fn of_two_with_one_name_each_is_told_from_the_other_and_one_twice_is_one() {
        let found = names(
            &[
                "unix:///a/run/docker.sock",
                "unix:///b/run/docker.sock",
                "ssh://ops2",
                "tcp://ops2",
                "ssh://ops2/",
                "ssh://ops2/run/user/1/docker.sock",
            ],
            &[],
            None,
            &[],
        );
        let names: Vec<String> = found.unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "run/docker",
                "unix:///b/run/docker.sock",
                "ops2",
                "tcp://ops2:2375",
                "ssh://ops2/run/user/1/docker.sock",
            ]
        );
    }

    #[test]
    fn tls_is_used_where_docker_would_use_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap();
        let kind = |url: &str, environment: &[(&str, &str)]| {
            let found = names(&[url], &[], None, environment)?;
            Ok::<_, String>((found[0].1.kind(), found[0].1.at()))
        };
        let known = |kind, at: &str| Ok((kind, at.to_owned()));
        assert_eq!(kind("tcp://a", &[]), known("tcp", "a:2375"));
        let unverified = [("DOCKER_TLS", "1"), ("DOCKER_CERT_PATH", path)];
        assert_eq!(kind("tcp://a", &unverified), known("tls", "a:2376"));
        assert_eq!(kind("http://a", &unverified), known("tcp", "a:2375"));
        // To verify takes an authority, and a certificate its key.
        let verified = [("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", path)];
        let missing = kind("tcp://a", &verified).unwrap_err();
        let expected = format!(
            "cannot use TLS with `tcp://a`: cannot read {path}/ca.pem: No such file or directory"
        );
        assert!(missing.starts_with(&expected), "{missing}");
        let options = names(&["tcp://a"], &[], None, &unverified).unwrap();
        assert_eq!(
            options[0].1.docker_options(),
            ["-H", "tcp://a:2376", "--tls"]
        );
        std::fs::write(dir.path().join("ca.pem"), "no certificate").unwrap();
        assert_eq!(
            kind("https://a", &verified).unwrap_err(),
            format!("cannot use TLS with `https://a`: {path}/ca.pem has no certificate in PEM")
        );
        std::fs::write(dir.path().join("cert.pem"), "").unwrap();
        assert_eq!(
            kind("tcp://a", &unverified).unwrap_err(),
            format!("cannot use TLS with `tcp://a`: {path}/cert.pem has no certificate in PEM")
        );
    }

    #[test]
    fn a_context_brings_its_certificates_and_the_environments_are_not_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path();
        for (hash, name, host, skip) in [
            ("a1", "plain", "tcp://a", false),
            ("b2", "open", "tcp://b", true),
            ("c3", "far", "ssh://alice@c", false),
            ("d4", "broken", "tcp://d", false),
        ] {
            let meta = config.join("contexts/meta").join(hash);
            std::fs::create_dir_all(&meta).unwrap();
            let text = format!(
                r#"{{"Name":"{name}","Endpoints":{{"docker":{{"Host":"{host}","SkipTLSVerify":{skip}}}}}}}"#
            );
            std::fs::write(meta.join("meta.json"), text).unwrap();
        }
        let material = config.join("contexts/tls/d4/docker");
        std::fs::create_dir_all(&material).unwrap();
        std::fs::write(material.join("ca.pem"), "").unwrap();
        let environment = [("DOCKER_TLS_VERIFY", "1")];
        let found = names(&[], &["plain", "open", "far"], Some(config), &environment).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|(name, endpoint)| (name.as_str(), endpoint.kind(), endpoint.at()))
            .collect();
        assert_eq!(
            found,
            [
                ("plain", "tcp", "a:2375".to_owned()),
                ("open", "tls", "b:2376".to_owned()),
                ("far", "ssh", "ssh://alice@c".to_owned()),
            ]
        );
        let error = names(&[], &["broken"], Some(config), &[]).unwrap_err();
        assert!(
            error.ends_with("ca.pem has no certificate in PEM"),
            "{error}"
        );
    }

    #[test]
    fn precedence_is_dockers() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path();
        let meta = config.join("contexts/meta/abc");
        std::fs::create_dir_all(&meta).unwrap();
        std::fs::write(
            meta.join("meta.json"),
            r#"{"Name":"far","Metadata":{},"Endpoints":{"docker":{"Host":"tcp://far:2375","SkipTLSVerify":false}}}"#,
        )
        .unwrap();
        let config = Some(config);
        let local = unix("local", "/var/run/docker.sock");
        let found = names(&[], &[], config, &[]).unwrap();
        assert_eq!(found, std::slice::from_ref(&local));
        std::fs::write(
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
