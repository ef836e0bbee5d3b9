//! What an Engine knows about one container beyond its listing.

use bollard::models::{ContainerInspectResponse, HostConfig, RestartPolicyNameEnum};

use super::client::Engine;
use super::error::EngineError;
use crate::fleet::clean;

/// The most characters kept of a path or an address.
const TEXT: usize = 1024;
/// The most entries of a list.
const ENTRIES: usize = 256;

/// What an Engine knows about one container. Every text in it is clean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Details {
    /// Its process as the Engine's host numbers it; none when it does not run.
    pub pid: Option<i32>,
    /// The host name it is given.
    pub hostname: Option<String>,
    /// Whether it has a terminal.
    pub tty: bool,
    /// What is mounted in it.
    pub mounts: Vec<Mount>,
    /// Which ports it has.
    pub ports: Vec<Port>,
    /// Docker's restart policy, as `--restart` has it.
    pub restart_policy: String,
    /// How often Docker has restarted it.
    pub restart_count: i64,
}

/// Something mounted in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Where.
    pub target: String,
    /// `bind`, `volume`, `tmpfs` …
    pub kind: String,
    /// The host's directory or the volume's name.
    pub source: String,
    /// Whether it can be written.
    pub writable: bool,
}

/// A port of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Port {
    /// Inside, with its protocol: `80/tcp`.
    pub inside: String,
    /// On the host, where it is published: `0.0.0.0:8080`.
    pub outside: Vec<String>,
}

impl Engine {
    /// What is known about one container.
    ///
    /// # Errors
    /// When it is gone or the Engine is.
    pub(crate) async fn details(&self, id: &str) -> Result<Details, EngineError> {
        Ok(read(self.inspect(id).await?))
    }
}

fn read(answer: ContainerInspectResponse) -> Details {
    let text = |value: Option<String>| clean(&value.unwrap_or_default(), TEXT);
    let state = answer.state.unwrap_or_default();
    let mut mounts: Vec<Mount> = answer
        .mounts
        .unwrap_or_default()
        .into_iter()
        .take(ENTRIES)
        .map(|mount| Mount {
            target: text(mount.destination),
            kind: mount.typ.unwrap_or_default(),
            source: text(mount.name.or(mount.source)),
            writable: mount.rw.unwrap_or(false),
        })
        .collect();
    mounts.sort_by(|one, other| one.target.cmp(&other.target));
    let mut ports: Vec<Port> = answer
        .network_settings
        .and_then(|network| network.ports)
        .unwrap_or_default()
        .into_iter()
        .take(ENTRIES)
        .map(|(inside, bindings)| Port {
            inside: clean(&inside, TEXT),
            outside: bindings
                .unwrap_or_default()
                .into_iter()
                .take(ENTRIES)
                .map(|one| address(&text(one.host_ip), &text(one.host_port)))
                .collect(),
        })
        .collect();
    ports.sort_by(|one, other| one.inside.cmp(&other.inside));
    let config = answer.config.unwrap_or_default();
    Details {
        pid: state
            .pid
            .and_then(|pid| i32::try_from(pid).ok())
            .filter(|pid| *pid > 0),
        hostname: config
            .hostname
            .map(|name| clean(&name, TEXT))
            .filter(|name| !name.is_empty()),
        tty: config.tty.unwrap_or(false),
        mounts,
        ports,
        restart_policy: policy(answer.host_config.unwrap_or_default()),
        restart_count: answer.restart_count.unwrap_or(0),
    }
}

fn address(ip: &str, port: &str) -> String {
    if ip.contains(':') {
        format!("[{ip}]:{port}")
    } else {
        format!("{ip}:{port}")
    }
}

fn policy(host: HostConfig) -> String {
    let policy = host.restart_policy.unwrap_or_default();
    let name = policy.name.unwrap_or(RestartPolicyNameEnum::NO);
    match (name, policy.maximum_retry_count.unwrap_or(0)) {
        (RestartPolicyNameEnum::NO | RestartPolicyNameEnum::EMPTY, _) => "no".into(),
        (RestartPolicyNameEnum::ON_FAILURE, limit) if limit > 0 => format!("on-failure:{limit}"),
        (name, _) => name.to_string(),
    }
}
