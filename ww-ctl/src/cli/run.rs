//! `run`: a container is made as Docker's own tool would make it, its configuration checked first.

use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::syntax::{
    Cpus, Device, ExtraHost, Mount, Network, Pair, Publish, Restart, Size, SwapSize, Tmpfs, Ulimit,
    Volume,
};
use crate::units::parse_duration;

/// What follows the options in the help.
pub(crate) const AFTER: &str = "\
Example: ww-ctl run shop:2 --name shop --data /srv/shop -p 127.0.0.1:8080:80 --set memory=800 --wait

The configuration (--cfg, then each --set over it; or -e CFG=…) becomes the variable CFG. It is
compared with the defaults the image carries: a key they do not have is a warning, another type
than theirs is an error unless --force, a wrong setting under `ww` always is one. To read them a
container of the image is made for a moment, never started, and removed. Nothing is pulled.

Where another container runs that can write to what becomes /data, this is confirmed first, or with
--yes: two that write to the same data destroy it, unless they are made for it.

What cannot be started is removed again. What was started and does not get UP stays as it is.

-v is Docker's here; --verbose has no short form. An option of `docker run` that is not listed does
not exist here: --print prints a line to which it can be added.";

/// `run`.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The image, which must be on that host
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub image: String,
    /// What the container runs instead of the image's own command
    #[arg(value_name = "COMMAND", last = true)]
    pub command: Vec<String>,
    /// The container's name, or HOST/NAME where several hosts are given
    #[arg(long)]
    pub name: String,
    /// What becomes /data: the volumes of a container that exports it, or a directory (with a /)
    #[arg(long, value_name = "CONTAINER|DIR")]
    pub data: Option<String>,
    /// The directory of the host that becomes /backup
    #[arg(long, value_name = "DIR")]
    pub backup: Option<String>,
    /// Configuration as JSON, comments and trailing commas allowed; - for stdin
    #[arg(long, value_name = "FILE")]
    pub cfg: Option<String>,
    /// One value of it: text where the default is one, else JSON if it is any; \. is a dot in a key
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub sets: Vec<String>,
    /// Another type than the default's is a warning only
    #[arg(long)]
    pub force: bool,
    /// Watch until it is UP and not failing
    #[arg(long)]
    pub wait: bool,
    /// Stop watching after this long
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration, requires = "wait")]
    pub timeout: Duration,
    /// Print the line of `docker run` that does the same, its secrets included, and run nothing
    #[arg(long, conflicts_with = "wait")]
    pub print: bool,
    #[command(flatten)]
    pub files: Files,
    #[command(flatten)]
    pub process: Process,
    #[command(flatten)]
    pub net: Net,
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    pub security: Security,
    /// Say also how things are done
    // Has the name of the global flag, and so its meaning, but not its short form.
    #[arg(long, help_heading = "Global options", display_order = 1000)]
    verbose: bool,
}

/// What it has mounted.
#[derive(Debug, Args)]
#[command(next_help_heading = "Docker's: volumes")]
pub(crate) struct Files {
    /// Mount a directory or a volume; a directory that is not there is made
    #[arg(short = 'v', long = "volume", value_name = "[SOURCE:]PLACE[:ro]")]
    pub volumes: Vec<Volume>,
    // What is in brackets would be a link to rustdoc.
    #[arg(
        long = "mount",
        value_name = "MOUNT",
        help = "The same at length: type=bind|volume|tmpfs,source=…,target=…[,readonly]"
    )]
    pub mounts: Vec<Mount>,
    /// Mount all volumes of another container
    #[arg(long, value_name = "CONTAINER[:ro]")]
    pub volumes_from: Vec<String>,
    /// Memory as a directory
    #[arg(long, value_name = "PLACE[:OPTIONS]")]
    pub tmpfs: Vec<Tmpfs>,
    /// A device of the host
    #[arg(long = "device", value_name = "DEVICE")]
    pub devices: Vec<Device>,
    /// The container's root cannot be written; Docker's --read-only
    #[arg(long)]
    pub read_only_root: bool,
}

/// What runs, and as whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Docker's: process")]
pub(crate) struct Process {
    /// Set a variable; without a value it is taken from the environment here
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,
    /// The same from a file, one a line
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<String>,
    /// Label the container
    #[arg(short, long = "label", value_name = "KEY=VALUE")]
    pub labels: Vec<Pair>,
    #[arg(
        long,
        value_name = "POLICY",
        help = "When Docker starts it again: no, always, unless-stopped, on-failure[:TIMES]"
    )]
    pub restart: Option<Restart>,
    #[arg(short, long, help = "USER[:GROUP], by name or number")]
    pub user: Option<String>,
    /// A group besides
    #[arg(long = "group-add", value_name = "GROUP")]
    pub groups: Vec<String>,
    /// Working directory
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
    /// Instead of the image's entry point
    #[arg(long, value_name = "PROGRAM")]
    pub entrypoint: Option<String>,
    /// Docker's own init as PID 1, the agent below it
    #[arg(long)]
    pub init: bool,
    /// Seconds until `docker stop` kills it
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(0..=i64::from(i32::MAX)))]
    pub stop_timeout: Option<i64>,
    /// The signal that stops it
    #[arg(long, value_name = "SIGNAL")]
    pub stop_signal: Option<String>,
    /// Where its output goes
    #[arg(long, value_name = "DRIVER")]
    pub log_driver: Option<String>,
    /// And how
    #[arg(long = "log-opt", value_name = "KEY=VALUE")]
    pub log_options: Vec<Pair>,
}

/// Where it is reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "Docker's: network")]
pub(crate) struct Net {
    /// Publish a port
    #[arg(short, long, value_name = "[IP:][PORT:]PORT[/udp]")]
    pub publish: Vec<Publish>,
    /// A network; NAME, or name=NAME,alias=…,ip=…
    #[arg(long = "network", visible_alias = "net", value_name = "NETWORK")]
    pub networks: Vec<Network>,
    /// A name it answers to in the first network
    #[arg(long, value_name = "ALIAS")]
    pub network_alias: Vec<String>,
    /// Its address in the first network
    #[arg(long, value_name = "ADDRESS")]
    pub ip: Option<std::net::Ipv4Addr>,
    /// Its own name
    #[arg(long)]
    pub hostname: Option<String>,
    /// A name and address for its /etc/hosts
    #[arg(long = "add-host", value_name = "NAME:ADDRESS")]
    pub extra_hosts: Vec<ExtraHost>,
    /// A server of names
    #[arg(long, value_name = "ADDRESS")]
    pub dns: Vec<std::net::IpAddr>,
    /// A domain that is searched
    #[arg(long, value_name = "DOMAIN")]
    pub dns_search: Vec<String>,
}

/// What it may use.
#[derive(Debug, Args)]
#[command(next_help_heading = "Docker's: limits")]
pub(crate) struct Limits {
    /// Memory, such as 800m
    #[arg(short, long, value_name = "SIZE")]
    pub memory: Option<Size>,
    /// Memory and swap together; -1 for no limit
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true)]
    pub memory_swap: Option<SwapSize>,
    /// What it should keep to when memory is short
    #[arg(long, value_name = "SIZE")]
    pub memory_reservation: Option<Size>,
    /// Processors, such as 1.5
    #[arg(long, value_name = "NUMBER")]
    pub cpus: Option<Cpus>,
    /// Its weight among others; 1024 is usual
    #[arg(long, value_name = "WEIGHT")]
    pub cpu_shares: Option<i64>,
    /// Which processors, such as 0-3
    #[arg(long, value_name = "CPUS")]
    pub cpuset_cpus: Option<String>,
    /// Size of /dev/shm
    #[arg(long, value_name = "SIZE")]
    pub shm_size: Option<Size>,
    /// How many processes; -1 for no limit
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub pids_limit: Option<i64>,
    /// How likely the kernel ends it first, -1000 to 1000
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1000..=1000))]
    pub oom_score_adj: Option<i64>,
    /// A limit of its processes, such as nofile=65536
    #[arg(long = "ulimit", value_name = "NAME=SOFT[:HARD]")]
    pub ulimits: Vec<Ulimit>,
}

/// What it may do.
#[derive(Debug, Args)]
#[command(next_help_heading = "Docker's: rights")]
pub(crate) struct Security {
    /// A capability more
    #[arg(long, value_name = "CAPABILITY")]
    pub cap_add: Vec<String>,
    /// A capability less
    #[arg(long, value_name = "CAPABILITY")]
    pub cap_drop: Vec<String>,
    /// A security option, such as no-new-privileges or seccomp=FILE
    #[arg(long = "security-opt", value_name = "OPTION")]
    pub options: Vec<String>,
    /// A setting of the kernel
    #[arg(long = "sysctl", value_name = "NAME=VALUE")]
    pub sysctls: Vec<Pair>,
    /// Everything
    #[arg(long)]
    pub privileged: bool,
}
