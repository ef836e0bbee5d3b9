//! What the options say, for the Engine and as the words of `docker run`.

use std::path::{Path, PathBuf};

use whaleware::paths;

use super::given::Given;
use super::line::Words;
use crate::cli::Run;
use crate::engine::{Creation, directory};
use crate::environment;
use crate::exit::{Exit, Failure};
use crate::syntax::{Cpus, Mapping, Mount, MountKind, Network, Source, Volume, is_name};

/// What becomes `/data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Data {
    /// The volumes of this container.
    From(String),
    /// A directory of the host.
    Directory(String),
}

impl Data {
    /// # Errors
    /// When it can be neither.
    pub(super) fn read(text: &str) -> Result<Self, Failure> {
        if text.contains('/') {
            return absolute(text).map(Self::Directory);
        }
        if is_name(text) {
            return Ok(Self::From(text.to_owned()));
        }
        Err(Failure::new(
            Exit::Usage,
            format!("cannot use --data `{text}`: it is neither a container's name nor a directory"),
        )
        .hint("a directory has a slash in it: ./shop or /srv/shop"))
    }
}

/// A container as it is to be made, and the words for `docker run` that make the same.
pub(super) struct Described {
    pub creation: Creation,
    words: Words,
    networks: Vec<Network>,
    data: Option<String>,
}

/// Puts the options together, but for what lies elsewhere: see [`Described::fill`].
///
/// # Errors
/// When they contradict each other.
pub(super) fn describe(arguments: &Run, name: &str) -> Result<Described, Failure> {
    let mut creation = Creation {
        name: name.to_owned(),
        image: arguments.image.clone(),
        command: (!arguments.command.is_empty()).then(|| arguments.command.clone()),
        ..Creation::default()
    };
    let mut words = Words::default();
    words.option("--name", &name);
    process(arguments, &mut creation, &mut words);
    files(arguments, &mut creation, &mut words)?;
    let networks = network(arguments, &mut creation, &mut words)?;
    limits(arguments, &mut creation, &mut words);
    rights(arguments, &mut creation, &mut words);
    let data = match arguments.data.as_deref().map(Data::read).transpose()? {
        Some(Data::From(container)) => Some(container),
        Some(Data::Directory(_)) | None => None,
    };
    Ok(Described {
        creation,
        words,
        networks,
        data,
    })
}

fn process(arguments: &Run, creation: &mut Creation, words: &mut Words) {
    let process = &arguments.process;
    creation.labels.clone_from(&process.labels);
    creation.restart.clone_from(&process.restart);
    creation.user.clone_from(&process.user);
    creation.groups.clone_from(&process.groups);
    creation.workdir.clone_from(&process.workdir);
    creation.entrypoint.clone_from(&process.entrypoint);
    creation.init = process.init;
    creation.stop_timeout = process.stop_timeout;
    creation.stop_signal.clone_from(&process.stop_signal);
    creation.log_driver.clone_from(&process.log_driver);
    creation.log_options.clone_from(&process.log_options);
    words.each("--label", &process.labels);
    words.each("--restart", &process.restart);
    words.each("--user", &process.user);
    words.each("--group-add", &process.groups);
    words.each("--workdir", &process.workdir);
    words.each("--entrypoint", &process.entrypoint);
    words.flag("--init", process.init);
    words.each("--stop-timeout", process.stop_timeout);
    words.each("--stop-signal", &process.stop_signal);
    words.each("--log-driver", &process.log_driver);
    words.each("--log-opt", &process.log_options);
}

fn files(arguments: &Run, creation: &mut Creation, words: &mut Words) -> Result<(), Failure> {
    let files = &arguments.files;
    let mut taken: Vec<(String, &str)> = Vec::new();
    let mut take = |place: &str, by: &'static str| {
        let place = directory(place);
        if let Some((_, before)) = taken.iter().find(|(known, _)| *known == place) {
            return Err(Failure::new(
                Exit::Usage,
                format!("{place} is mounted twice: by {before} and by {by}"),
            ));
        }
        taken.push((place, by));
        Ok(())
    };
    match arguments.data.as_deref().map(Data::read).transpose()? {
        Some(Data::Directory(source)) => {
            take(paths::DATA, "--data")?;
            bind(creation, words, &format!("{source}:{}", paths::DATA));
        }
        Some(Data::From(container)) => {
            take(paths::DATA, "--data")?;
            words.option("--volumes-from", &container);
            creation.volumes_from.push(container);
        }
        None => {}
    }
    if let Some(backup) = &arguments.backup {
        take(paths::BACKUP, "--backup")?;
        let source = absolute(backup)?;
        bind(creation, words, &format!("{source}:{}", paths::BACKUP));
    }
    for volume in &files.volumes {
        take(&volume.target, "--volume")?;
        match source(volume)? {
            None => {
                words.option("-v", &volume.target);
                creation.volumes.push(volume.target.clone());
            }
            Some(source) => {
                let options = volume.options.as_ref();
                let options = options.map_or_else(String::new, |options| format!(":{options}"));
                bind(
                    creation,
                    words,
                    &format!("{source}:{}{options}", volume.target),
                );
            }
        }
    }
    for mount in &files.mounts {
        take(&mount.target, "--mount")?;
        words.option("--mount", &mount.text);
        creation.mounts.push(mount.clone());
    }
    for tmpfs in &files.tmpfs {
        take(&tmpfs.target, "--tmpfs")?;
        words.option("--tmpfs", &tmpfs.text);
        let entry = (tmpfs.target.clone(), tmpfs.options.clone());
        creation.tmpfs.push(entry);
    }
    words.each("--volumes-from", &files.volumes_from);
    creation
        .volumes_from
        .extend(files.volumes_from.iter().cloned());
    words.each("--device", files.devices.iter().map(|one| &one.text));
    creation.devices.clone_from(&files.devices);
    words.flag("--read-only", files.read_only_root);
    creation.read_only_root = files.read_only_root;
    Ok(())
}

fn bind(creation: &mut Creation, words: &mut Words, line: &str) {
    words.option("-v", &line);
    creation.binds.push(line.to_owned());
}

/// What is mounted, a relative path made absolute.
fn source(volume: &Volume) -> Result<Option<String>, Failure> {
    match &volume.source {
        None => Ok(None),
        Some(Source::Volume(name)) => Ok(Some(name.clone())),
        Some(Source::Path(path)) => absolute(path).map(Some),
    }
}

/// A path as the Engine takes it: from the root on, and without a colon, which ends it.
fn absolute(path: &str) -> Result<String, Failure> {
    let whole = if Path::new(path).is_absolute() {
        PathBuf::from(path)
    } else {
        let here = environment::here().map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!(
                    "cannot make `{path}` absolute: the current directory is not known: {error}"
                ),
            )
        })?;
        here.join(path)
    };
    let text = whole.to_str().filter(|text| !text.contains(':'));
    text.map(directory).ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            format!(
                "cannot mount `{}`: Docker takes no path with a colon in it, or that is not UTF-8",
                whole.display()
            ),
        )
        .hint("a --mount type=bind takes one with a colon")
    })
}

fn network(
    arguments: &Run,
    creation: &mut Creation,
    words: &mut Words,
) -> Result<Vec<Network>, Failure> {
    let net = &arguments.net;
    let mut networks = net.networks.clone();
    if !net.network_alias.is_empty() || net.ip.is_some() {
        let first = networks.first_mut().ok_or_else(|| {
            Failure::new(Exit::Usage, "--network-alias and --ip need a --network of their own")
                .hint("names and addresses of one's choice exist in networks that were made: docker network create NAME")
        })?;
        first.aliases.extend(net.network_alias.iter().cloned());
        first.ip = net.ip.or(first.ip);
    }
    if let Some(odd) = networks
        .iter()
        .find(|network| network.is_builtin() && !network.is_plain())
    {
        return Err(Failure::new(
            Exit::Usage,
            format!(
                "`{}` is Docker's own network, in which there are no aliases and addresses of one's choice",
                odd.name
            ),
        ));
    }
    if networks.len() > 1
        && let Some(odd) = networks.iter().find(|network| {
            network.name.starts_with("container:")
                || ["host", "none"].contains(&network.name.as_str())
        })
    {
        return Err(Failure::new(
            Exit::Usage,
            format!("the network `{}` goes with no other", odd.name),
        ));
    }
    if let Some(first) = networks.first() {
        words.option("--network", &first.name);
        words.each("--network-alias", &first.aliases);
        words.each("--ip", first.ip);
        words.each("--ip6", first.ip6);
    }
    words.each("--publish", net.publish.iter().map(|one| &one.text));
    words.each("--hostname", &net.hostname);
    words.each("--add-host", net.extra_hosts.iter().map(|one| &one.text));
    words.each("--dns", &net.dns);
    words.each("--dns-search", &net.dns_search);
    let mappings = net.publish.iter().flat_map(|one| &one.mappings);
    creation.ports = mappings.cloned().collect::<Vec<Mapping>>();
    creation.networks.clone_from(&networks);
    creation.hostname.clone_from(&net.hostname);
    creation.hosts.clone_from(&net.extra_hosts);
    creation.dns = net.dns.iter().map(ToString::to_string).collect();
    creation.dns_search.clone_from(&net.dns_search);
    Ok(networks)
}

fn limits(arguments: &Run, creation: &mut Creation, words: &mut Words) {
    let limits = &arguments.limits;
    creation.memory = limits.memory.map(|size| size.0);
    creation.memory_swap = limits.memory_swap.map(|size| size.0);
    creation.memory_reservation = limits.memory_reservation.map(|size| size.0);
    creation.nano_cpus = limits.cpus.map(|cpus| cpus.0);
    creation.cpu_shares = limits.cpu_shares;
    creation.cpuset.clone_from(&limits.cpuset_cpus);
    creation.shm_size = limits.shm_size.map(|size| size.0);
    creation.pids_limit = limits.pids_limit;
    creation.oom_score_adj = limits.oom_score_adj;
    creation.ulimits.clone_from(&limits.ulimits);
    words.each("--memory", creation.memory);
    words.each("--memory-swap", creation.memory_swap);
    words.each("--memory-reservation", creation.memory_reservation);
    words.each("--cpus", limits.cpus.map(number));
    words.each("--cpu-shares", limits.cpu_shares);
    words.each("--cpuset-cpus", &limits.cpuset_cpus);
    words.each("--shm-size", creation.shm_size);
    words.each("--pids-limit", limits.pids_limit);
    words.each("--oom-score-adj", limits.oom_score_adj);
    words.each("--ulimit", limits.ulimits.iter().map(|one| &one.text));
}

fn number(cpus: Cpus) -> String {
    let text = format!("{}.{:09}", cpus.0 / 1_000_000_000, cpus.0 % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn rights(arguments: &Run, creation: &mut Creation, words: &mut Words) {
    let rights = &arguments.security;
    creation.cap_add.clone_from(&rights.cap_add);
    creation.cap_drop.clone_from(&rights.cap_drop);
    creation.sysctls.clone_from(&rights.sysctls);
    creation.privileged = rights.privileged;
    words.each("--cap-add", &rights.cap_add);
    words.each("--cap-drop", &rights.cap_drop);
    words.each("--security-opt", &rights.options);
    words.each("--sysctl", &rights.sysctls);
    words.flag("--privileged", rights.privileged);
}

impl Described {
    /// Puts in what was read. `cfg` is what is to be the variable `CFG`, if it is not among the
    /// others.
    pub(super) fn fill(&mut self, arguments: &Run, given: Given, cfg: Option<&str>) {
        let words = &mut self.words;
        words.each("--env-file", &arguments.process.env_file);
        words.each("-e", &arguments.process.env);
        self.creation.environment = given.environment;
        if let Some(cfg) = cfg {
            let variable = format!("CFG={cfg}");
            words.option("-e", &variable);
            self.creation.environment.push(variable);
        }
        self.creation.security = given.security;
        self.creation.unconfined_paths = given.unconfined_paths;
    }

    /// The commands that make and start the same, each as its words; one unless it is to be in
    /// several networks, which not every Engine can do in one. `docker` is how Docker's tool is
    /// called, with the options that say which Engine.
    pub(super) fn commands(&self, docker: &[String]) -> Vec<Vec<String>> {
        let call = |words: &[&str]| -> Vec<String> {
            let words = words.iter().map(|&word| word.to_owned());
            docker.iter().cloned().chain(words).collect()
        };
        let [_, others @ ..] = self.networks.as_slice() else {
            return vec![self.whole(call(&["run", "-d"]))];
        };
        if others.is_empty() {
            return vec![self.whole(call(&["run", "-d"]))];
        }
        let name = self.creation.name.as_str();
        let mut commands = vec![self.whole(call(&["create"]))];
        for network in others {
            let mut join = call(&["network", "connect"]);
            let mut words = Words::default();
            words.each("--alias", &network.aliases);
            words.each("--ip", network.ip);
            words.each("--ip6", network.ip6);
            join.extend(words.0);
            join.extend([network.name.clone(), name.to_owned()]);
            commands.push(join);
        }
        commands.push(call(&["start", name]));
        commands
    }

    fn whole(&self, mut call: Vec<String>) -> Vec<String> {
        call.extend(self.words.0.iter().cloned());
        call.push(self.creation.image.clone());
        call.extend(self.creation.command.iter().flatten().cloned());
        call
    }

    /// Whether this container was given as the one that has the data.
    pub(super) fn is_data(&self, container: &str) -> bool {
        self.data.as_deref() == Some(container)
    }

    /// What of the options becomes `/data`.
    pub(super) fn data(&self) -> Option<DataSource> {
        let creation = &self.creation;
        let is_data = |place: &str| directory(place) == paths::DATA;
        for line in &creation.binds {
            let mut parts = line.split(':');
            let (source, place) = (parts.next()?, parts.next()?);
            if is_data(place) {
                let read_only = parts
                    .next()
                    .is_some_and(|options| options.split(',').any(|option| option == "ro"));
                let source = if source.starts_with('/') {
                    DataSource::Directory(source.to_owned())
                } else {
                    DataSource::Volume(source.to_owned())
                };
                return (!read_only).then_some(source);
            }
        }
        if let Some(mount) = creation.mounts.iter().find(|mount| is_data(&mount.target)) {
            return mounted(mount);
        }
        let hidden = creation
            .volumes
            .iter()
            .chain(creation.tmpfs.iter().map(|(place, _)| place));
        if hidden.into_iter().any(|place| is_data(place)) {
            return None;
        }
        (!creation.volumes_from.is_empty())
            .then(|| DataSource::Containers(creation.volumes_from.clone()))
    }
}

fn mounted(mount: &Mount) -> Option<DataSource> {
    if mount.read_only {
        return None;
    }
    match &mount.kind {
        MountKind::Bind { source, .. } => Some(DataSource::Directory(source.clone())),
        MountKind::Volume { source, .. } => source.clone().map(DataSource::Volume),
        MountKind::Tmpfs { .. } => None,
    }
}

/// Where `/data` comes from, to be written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DataSource {
    /// A directory of the host.
    Directory(String),
    /// A volume.
    Volume(String),
    /// One of the containers whose volumes are mounted.
    Containers(Vec<String>),
}

#[cfg(test)]
mod tests {
    use super::super::line::line;
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn described(words: &[&str]) -> Result<Described, Failure> {
        let all = ["ww-ctl", "run", "shop:1", "--name", "shop"];
        let cli = Cli::try_parse_from(all.iter().chain(words)).unwrap();
        let Command::Run(arguments) = cli.command else {
            panic!("run")
        };
        describe(&arguments, "shop")
    }

    fn failure(words: &[&str]) -> Failure {
        described(words).map(drop).unwrap_err()
    }

    #[test]
    fn a_line_can_be_given_to_a_shell() {
        let given = described(&[
            "--data",
            "/srv/it's here",
            "-p",
            "127.0.0.1:80:80",
            "-m",
            "1g",
            "--cpus",
            "1.50",
            "--",
            "sh",
            "-c",
            "echo $HOME",
        ]);
        let commands = given
            .unwrap_or_else(|failure| panic!("{failure:?}"))
            .commands(&["docker".into()]);
        assert_eq!(
            line(&commands),
            r"docker run -d --name shop -v '/srv/it'\''s here:/data' --publish 127.0.0.1:80:80 --memory 1073741824 --cpus 1.5 shop:1 sh -c 'echo $HOME'"
        );
    }

    #[test]
    fn several_networks_take_several_commands() {
        let given = described(&[
            "--network",
            "front",
            "--network-alias",
            "web",
            "--network",
            "name=back,alias=db,ip=10.0.0.2",
        ]);
        let given = given.unwrap_or_else(|failure| panic!("{failure:?}"));
        assert_eq!(
            line(&given.commands(&["docker".into(), "-H".into(), "tcp://a:1".into()])),
            "docker -H tcp://a:1 create --name shop --network front --network-alias web shop:1 && \
             docker -H tcp://a:1 network connect --alias db --ip 10.0.0.2 back shop && \
             docker -H tcp://a:1 start shop"
        );
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (words, expected) in [
            (
                &["--data", "/a", "-v", "/b:/data/"][..],
                "/data is mounted twice: by --data and by --volume",
            ),
            (
                &["--data", "shop-data", "-v", "/b:/data/"],
                "/data is mounted twice: by --data and by --volume",
            ),
            (
                &["--backup", "/a", "--tmpfs", "/backup"],
                "/backup is mounted twice",
            ),
            (
                &["--data", "a:b"],
                "neither a container's name nor a directory",
            ),
            (&["--data", "/a:b"], "no path with a colon"),
            (&["--network-alias", "web"], "need a --network"),
            (
                &["--network", "bridge", "--ip", "10.0.0.1"],
                "Docker's own network",
            ),
            (
                &["--network", "host", "--network", "front"],
                "goes with no other",
            ),
        ] {
            let failure = failure(words);
            assert_eq!(failure.exit, Exit::Usage, "{words:?}");
            assert!(failure.message.contains(expected), "{words:?}: {failure:?}");
        }
    }

    #[test]
    fn where_the_data_come_from_is_known() {
        let data = |words: &[&str]| {
            described(words)
                .unwrap_or_else(|failure| panic!("{failure:?}"))
                .data()
        };
        let directory = |path: &str| Some(DataSource::Directory(path.into()));
        let volume = |name: &str| Some(DataSource::Volume(name.into()));
        assert_eq!(data(&[]), None);
        assert_eq!(data(&["--data", "/srv/../srv/a/"]), directory("/srv/a"));
        assert_eq!(data(&["-v", "/srv/a:/data/"]), directory("/srv/a"));
        assert_eq!(data(&["-v", "/srv/a:/data:ro,z"]), None);
        assert_eq!(data(&["-v", "shop:/data"]), volume("shop"));
        assert_eq!(data(&["-v", "/data"]), None);
        assert_eq!(
            data(&["--mount", "source=shop,target=/data"]),
            volume("shop")
        );
        assert_eq!(
            data(&["--mount", "type=bind,src=/a,dst=/data"]),
            directory("/a")
        );
        assert_eq!(data(&["--mount", "type=bind,src=/a,dst=/data,ro"]), None);
        assert_eq!(
            data(&[
                "--data",
                "shop-data",
                "--volumes-from",
                "more:ro",
                "-v",
                "/a:/b"
            ]),
            Some(DataSource::Containers(vec![
                "shop-data".into(),
                "more:ro".into()
            ]))
        );
        assert_eq!(
            data(&["--volumes-from", "shop-data", "-v", "/a:/data"]),
            directory("/a")
        );
    }
}
