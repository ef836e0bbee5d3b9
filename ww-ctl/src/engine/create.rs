//! Making a container as it was described.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bollard::models::{
    ContainerCreateBody, DeviceMapping, EndpointIpamConfig, EndpointSettings, HostConfig,
    HostConfigLogConfig, Mount as Mounted, MountBindOptions, MountBindOptionsPropagationEnum,
    MountTmpfsOptions, MountType, MountVolumeOptions, MountVolumeOptionsDriverConfig,
    NetworkConnectRequest, NetworkingConfig, PortBinding, ResourcesUlimits, RestartPolicy,
    RestartPolicyNameEnum,
};
use bollard::query_parameters::CreateContainerOptionsBuilder;

use super::client::Engine;
use super::error::EngineError;
use crate::fleet::clean;
use crate::syntax::{Device, ExtraHost, Mapping, Mount, MountKind, Network, Pair, Restart, Ulimit};

/// The most characters kept of a warning.
const TEXT: usize = 500;

/// A container that is to be made. It holds secrets (the environment), so it is never printed.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of Docker's own"
)]
#[derive(Default)]
pub(crate) struct Creation {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// What it runs instead of the image's command.
    pub command: Option<Vec<String>>,
    /// Instead of the image's entry point; empty for none.
    pub entrypoint: Option<String>,
    /// `NAME=VALUE` each.
    pub environment: Vec<String>,
    /// Labels besides the image's.
    pub labels: Vec<Pair>,
    /// Its host name.
    pub hostname: Option<String>,
    /// Its user.
    pub user: Option<String>,
    /// Groups besides the user's own.
    pub groups: Vec<String>,
    /// Its working directory.
    pub workdir: Option<String>,
    /// How long Docker waits when it stops it, in seconds.
    pub stop_timeout: Option<i64>,
    /// The signal that stops it.
    pub stop_signal: Option<String>,
    /// Docker's own init before the agent.
    pub init: bool,
    /// When Docker starts it again.
    pub restart: Option<Restart>,
    /// Published ports.
    pub ports: Vec<Mapping>,
    /// `SOURCE:TARGET[:OPTIONS]` each.
    pub binds: Vec<String>,
    /// Places that get a new anonymous volume.
    pub volumes: Vec<String>,
    /// Containers whose volumes are mounted too.
    pub volumes_from: Vec<String>,
    /// Mounts told at length.
    pub mounts: Vec<Mount>,
    /// Places in memory, with their options.
    pub tmpfs: Vec<(String, String)>,
    /// Networks; the first is joined when it is made, the others before it is started.
    pub networks: Vec<Network>,
    /// Servers of names.
    pub dns: Vec<String>,
    /// Domains that are searched.
    pub dns_search: Vec<String>,
    /// Names of hosts it knows.
    pub hosts: Vec<ExtraHost>,
    /// Bytes of memory.
    pub memory: Option<i64>,
    /// Bytes of memory and swap; -1 for no limit.
    pub memory_swap: Option<i64>,
    /// Bytes it should keep to when memory is short.
    pub memory_reservation: Option<i64>,
    /// Processors, in billionths.
    pub nano_cpus: Option<i64>,
    /// Its weight among others.
    pub cpu_shares: Option<i64>,
    /// Which processors.
    pub cpuset: Option<String>,
    /// Bytes of `/dev/shm`.
    pub shm_size: Option<i64>,
    /// How many processes; -1 for no limit.
    pub pids_limit: Option<i64>,
    /// How likely the kernel ends it first.
    pub oom_score_adj: Option<i64>,
    /// Limits of its processes.
    pub ulimits: Vec<Ulimit>,
    /// Capabilities more.
    pub cap_add: Vec<String>,
    /// Capabilities less.
    pub cap_drop: Vec<String>,
    /// All of them, and all devices.
    pub privileged: bool,
    /// Security options as the Engine takes them.
    pub security: Vec<String>,
    /// Nothing of `/proc` and `/sys` is hidden.
    pub unconfined_paths: bool,
    /// Its root cannot be written.
    pub read_only_root: bool,
    /// Devices of the host.
    pub devices: Vec<Device>,
    /// Settings of the kernel.
    pub sysctls: Vec<Pair>,
    /// Where its output goes.
    pub log_driver: Option<String>,
    /// And how.
    pub log_options: Vec<Pair>,
}

/// A container that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Created {
    /// Its full id.
    pub id: String,
    /// What the Engine had to say about it.
    pub warnings: Vec<String>,
}

impl Engine {
    /// Makes a container, which is not started. Where it cannot be made whole, nothing is left of it.
    ///
    /// # Errors
    /// When the Engine cannot, with its reason.
    pub(crate) async fn create(&self, wanted: &Creation) -> Result<Created, EngineError> {
        let options = CreateContainerOptionsBuilder::new()
            .name(&wanted.name)
            .build();
        let made = self
            .inner
            .quick
            .create_container(Some(options), body(wanted))
            .await
            .map_err(|error| self.error("create the container", &error))?;
        for network in wanted.networks.iter().skip(1) {
            if let Err(error) = self.join(&made.id, network).await {
                let removed = self.remove_container(&made.id).await;
                return Err(removed.err().unwrap_or(error));
            }
        }
        let warnings = made.warnings.iter().map(|words| clean(words, TEXT));
        Ok(Created {
            warnings: warnings.collect(),
            id: made.id,
        })
    }

    async fn join(&self, id: &str, network: &Network) -> Result<(), EngineError> {
        let request = NetworkConnectRequest {
            container: id.to_owned(),
            endpoint_config: Some(endpoint(network)),
        };
        let joined = self.inner.quick.connect_network(&network.name, request);
        joined
            .await
            .map_err(|error| self.error("connect the container to its network", &error))
    }
}

fn body(wanted: &Creation) -> ContainerCreateBody {
    let inside = wanted.ports.iter().map(|one| one.inside.clone());
    ContainerCreateBody {
        image: Some(wanted.image.clone()),
        cmd: wanted.command.clone(),
        entrypoint: wanted.entrypoint.clone().map(|program| vec![program]),
        env: some(wanted.environment.clone()),
        labels: pairs(&wanted.labels),
        hostname: wanted.hostname.clone(),
        user: wanted.user.clone(),
        working_dir: wanted.workdir.clone(),
        stop_timeout: wanted.stop_timeout,
        stop_signal: wanted.stop_signal.clone(),
        exposed_ports: some(inside.collect()),
        volumes: some(wanted.volumes.clone()),
        host_config: Some(host(wanted)),
        networking_config: networking(wanted.networks.first()),
        ..ContainerCreateBody::default()
    }
}

fn host(wanted: &Creation) -> HostConfig {
    let mut host = HostConfig {
        binds: some(wanted.binds.clone()),
        volumes_from: some(wanted.volumes_from.clone()),
        mounts: some(wanted.mounts.iter().map(mounted).collect()),
        port_bindings: ports(&wanted.ports),
        network_mode: wanted.networks.first().map(|network| network.name.clone()),
        restart_policy: Some(policy(wanted.restart.as_ref())),
        dns: some(wanted.dns.clone()),
        dns_search: some(wanted.dns_search.clone()),
        extra_hosts: some(wanted.hosts.iter().map(|one| one.line.clone()).collect()),
        group_add: some(wanted.groups.clone()),
        init: wanted.init.then_some(true),
        readonly_rootfs: wanted.read_only_root.then_some(true),
        log_config: wanted.log(),
        ..limits(wanted)
    };
    if !wanted.tmpfs.is_empty() {
        host.tmpfs = Some(wanted.tmpfs.iter().cloned().collect());
    }
    host
}

/// What it may use and do.
fn limits(wanted: &Creation) -> HostConfig {
    // An empty list hides nothing; none at all hides what Docker usually hides.
    let paths = wanted.unconfined_paths.then(Vec::new);
    HostConfig {
        memory: wanted.memory,
        memory_swap: wanted.memory_swap,
        memory_reservation: wanted.memory_reservation,
        nano_cpus: wanted.nano_cpus,
        cpu_shares: wanted.cpu_shares,
        cpuset_cpus: wanted.cpuset.clone(),
        shm_size: wanted.shm_size,
        pids_limit: wanted.pids_limit,
        oom_score_adj: wanted.oom_score_adj,
        ulimits: ulimits(&wanted.ulimits),
        cap_add: capabilities(&wanted.cap_add),
        cap_drop: capabilities(&wanted.cap_drop),
        privileged: wanted.privileged.then_some(true),
        security_opt: some(wanted.security.clone()),
        masked_paths: paths.clone(),
        readonly_paths: paths,
        devices: some(wanted.devices.iter().map(device).collect()),
        sysctls: pairs(&wanted.sysctls),
        ..HostConfig::default()
    }
}

impl Creation {
    fn log(&self) -> Option<HostConfigLogConfig> {
        let options = pairs(&self.log_options);
        (self.log_driver.is_some() || options.is_some()).then(|| HostConfigLogConfig {
            typ: self.log_driver.clone(),
            config: options,
        })
    }
}

/// What is not said is left to the Engine.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn pairs(pairs: &[Pair]) -> Option<HashMap<String, String>> {
    let map = pairs
        .iter()
        .map(|pair| (pair.key.clone(), pair.value.clone()));
    (!pairs.is_empty()).then(|| map.collect())
}

fn ports(mappings: &[Mapping]) -> Option<HashMap<String, Option<Vec<PortBinding>>>> {
    let mut ports: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for mapping in mappings {
        let bindings = ports.entry(mapping.inside.clone()).or_default();
        bindings.get_or_insert_default().push(PortBinding {
            host_ip: Some(mapping.ip.clone()),
            host_port: Some(mapping.port.clone()),
        });
    }
    (!ports.is_empty()).then_some(ports)
}

/// Docker's own tool says so too where nothing is said.
fn policy(restart: Option<&Restart>) -> RestartPolicy {
    let name = match restart.map_or("no", |restart| &restart.policy) {
        "always" => RestartPolicyNameEnum::ALWAYS,
        "unless-stopped" => RestartPolicyNameEnum::UNLESS_STOPPED,
        "on-failure" => RestartPolicyNameEnum::ON_FAILURE,
        _ => RestartPolicyNameEnum::NO,
    };
    RestartPolicy {
        name: Some(name),
        maximum_retry_count: Some(restart.map_or(0, |restart| restart.retries)),
    }
}

/// As the kernel writes them, in order.
fn capabilities(words: &[String]) -> Option<Vec<String>> {
    let whole = |word: &String| {
        let word = word.to_ascii_uppercase();
        if word == "ALL" || word.starts_with("CAP_") {
            word
        } else {
            format!("CAP_{word}")
        }
    };
    let words: BTreeSet<String> = words.iter().map(whole).collect();
    some(words.into_iter().collect())
}

/// In the order of their names; the last word on each counts.
fn ulimits(limits: &[Ulimit]) -> Option<Vec<ResourcesUlimits>> {
    let last: BTreeMap<&str, &Ulimit> = limits
        .iter()
        .map(|limit| (limit.name.as_str(), limit))
        .collect();
    some(last.into_values().map(ulimit).collect())
}

fn ulimit(limit: &Ulimit) -> ResourcesUlimits {
    ResourcesUlimits {
        name: Some(limit.name.clone()),
        soft: Some(limit.soft),
        hard: Some(limit.hard),
    }
}

fn device(device: &Device) -> DeviceMapping {
    DeviceMapping {
        path_on_host: Some(device.outside.clone()),
        path_in_container: Some(device.inside.clone()),
        cgroup_permissions: Some(device.rights.clone()),
    }
}

fn mounted(mount: &Mount) -> Mounted {
    let mut mounted = Mounted {
        target: Some(mount.target.clone()),
        read_only: mount.read_only.then_some(true),
        ..Mounted::default()
    };
    match &mount.kind {
        MountKind::Bind {
            source,
            propagation,
        } => {
            mounted.typ = Some(MountType::BIND);
            mounted.source = Some(source.clone());
            mounted.bind_options = propagation.as_ref().map(|word| MountBindOptions {
                propagation: word.parse::<MountBindOptionsPropagationEnum>().ok(),
                ..MountBindOptions::default()
            });
        }
        MountKind::Volume {
            source,
            no_copy,
            labels,
            driver,
            driver_options,
        } => {
            mounted.typ = Some(MountType::VOLUME);
            mounted.source.clone_from(source);
            let is_plain =
                !no_copy && labels.is_empty() && driver.is_none() && driver_options.is_empty();
            mounted.volume_options = (!is_plain).then(|| MountVolumeOptions {
                no_copy: no_copy.then_some(true),
                labels: map(labels),
                driver_config: (driver.is_some() || !driver_options.is_empty()).then(|| {
                    MountVolumeOptionsDriverConfig {
                        name: driver.clone(),
                        options: map(driver_options),
                    }
                }),
                ..MountVolumeOptions::default()
            });
        }
        MountKind::Tmpfs { size, mode } => {
            mounted.typ = Some(MountType::TMPFS);
            mounted.tmpfs_options = (size.is_some() || mode.is_some()).then(|| MountTmpfsOptions {
                size_bytes: *size,
                mode: mode.map(i64::from),
                ..MountTmpfsOptions::default()
            });
        }
    }
    mounted
}

fn map(pairs: &[(String, String)]) -> Option<HashMap<String, String>> {
    (!pairs.is_empty()).then(|| pairs.iter().cloned().collect())
}

/// Docker's own networks take nothing but their name.
fn networking(network: Option<&Network>) -> Option<NetworkingConfig> {
    let network = network.filter(|network| !(network.is_builtin() && network.is_plain()))?;
    let endpoints = HashMap::from([(network.name.clone(), endpoint(network))]);
    Some(NetworkingConfig {
        endpoints_config: Some(endpoints),
    })
}

fn endpoint(network: &Network) -> EndpointSettings {
    let addressed = network.ip.is_some() || network.ip6.is_some();
    EndpointSettings {
        aliases: some(network.aliases.clone()),
        ipam_config: addressed.then(|| EndpointIpamConfig {
            ipv4_address: network.ip.map(|ip| ip.to_string()),
            ipv6_address: network.ip6.map(|ip| ip.to_string()),
            ..EndpointIpamConfig::default()
        }),
        ..EndpointSettings::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_left_to_the_engine() {
        let wanted = Creation {
            name: "shop".into(),
            image: "shop:1".into(),
            ..Creation::default()
        };
        let body = serde_json::to_value(body(&wanted)).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "Image": "shop:1",
                "HostConfig": {"RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}}
            })
        );
    }

    #[test]
    fn capabilities_are_written_as_the_kernel_does() {
        let words = ["net_admin", "CAP_MKNOD", "all", "NET_ADMIN"].map(str::to_owned);
        assert_eq!(
            capabilities(&words).unwrap(),
            ["ALL", "CAP_MKNOD", "CAP_NET_ADMIN"]
        );
        assert_eq!(capabilities(&[]), None);
    }

    #[test]
    fn one_port_may_be_published_twice() {
        let mapping = |ip: &str| Mapping {
            inside: "80/tcp".into(),
            ip: ip.into(),
            port: "8080".into(),
        };
        let published = ports(&[mapping("127.0.0.1"), mapping("127.0.0.2")]).unwrap();
        assert_eq!(published["80/tcp"].as_ref().map(Vec::len), Some(2));
    }
}
