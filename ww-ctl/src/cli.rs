//! The command line as it is written.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use whaleware::lifecycle::State;

use crate::selection::{Filter, Selection};
use crate::units::parse_duration;

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 failed, or some failed; 2 wrong usage; 3 no such container; 4 timed out;
5 Engine not reachable; 6 refused; 128+n ended by signal n.";

/// Sees a fleet of whaleware containers live, and acts on it safely.
#[derive(Debug, Parser)]
#[command(name = "ww-ctl", version, max_term_width = 100, after_help = EXIT_CODES)]
#[command(disable_help_subcommand = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What holds for every command.
#[expect(
    clippy::struct_excessive_bools,
    clippy::doc_markdown,
    reason = "each is a flag of the command line, whose help shows these comments as they are"
)]
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Docker Engine to talk to, as unix:///path or tcp://host:port; may be repeated
    #[arg(short = 'H', long = "host", value_name = "URL", global = true)]
    pub hosts: Vec<String>,
    /// Docker context to use; may be repeated
    #[arg(short = 'c', long = "context", value_name = "NAME", global = true)]
    pub contexts: Vec<String>,
    /// How data is printed: table, wide, json, jsonl, name
    #[arg(
        hide_possible_values = true,
        short = 'o',
        long = "output",
        value_name = "FORMAT",
        global = true,
        default_value = "table"
    )]
    pub format: Format,
    /// No colours; NO_COLOR in the environment does the same
    #[arg(long = "no-color", global = true)]
    pub no_color: bool,
    /// Refuse everything that would change something
    #[arg(long, global = true)]
    pub read_only: bool,
    /// Answer confirmations with yes
    #[arg(long, short = 'y', global = true)]
    pub yes: bool,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say also how things are done
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns that fit the terminal
    Table,
    /// All columns, nothing cut
    Wide,
    /// One JSON document
    Json,
    /// One JSON object a line
    Jsonl,
    /// Names only
    Name,
}

/// Which containers are meant.
#[expect(
    clippy::struct_field_names,
    reason = "a field is named after what stands on the command line"
)]
#[derive(Debug, Clone, Args)]
pub(crate) struct Names {
    /// Names of containers: a name, the beginning of an id, a pattern with * and ?, HOST/NAME
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Every whaleware container
    #[arg(long, conflicts_with = "names")]
    pub all: bool,
    #[command(flatten)]
    pub filters: Filters,
}

/// Which of them.
#[derive(Debug, Clone, Args)]
pub(crate) struct Filters {
    /// Only those that match: a name pattern, or name=, label=, state=, health=, image=, project=
    #[arg(long = "filter", value_name = "FILTER")]
    pub filters: Vec<Filter>,
}

impl Names {
    /// As a selection.
    pub(crate) fn selection(&self) -> Selection {
        Selection {
            names: self.names.clone(),
            all: self.all,
            filters: self.filters.filters.clone(),
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List containers, the worst first
    #[command(after_help = "Example: ww-ctl ls --filter state=ERROR")]
    Ls(Ls),
    /// Show the fleet live on the whole terminal
    #[command(after_help = "Example: ww-ctl top --filter project=shop")]
    Top(Top),
    /// Show everything about one container
    #[command(after_help = "Example: ww-ctl show shop --history -n 20\n\n\
        --evidence and --history also answer for a container that does not run: what its agent kept\n\
        in /data/.ww is read through the Engine then. Code 1 where nothing is kept. In the history LASTED\n\
        is how long the state of its line lasted; lasted_ms of JSON how long the state before it did.")]
    Show(Show),
    /// Wait until containers are in a state
    #[command(
        after_help = "Example: ww-ctl wait shop db --for healthy --timeout 5m\n\n\
        `healthy` is UP and not failing. Returns 1 at once when one can no longer get there, 4 when\n\
        the time is over; either way every laggard is named."
    )]
    Wait(Wait),
    /// Start containers and watch until they are UP
    #[command(after_help = "Example: ww-ctl start shop")]
    Start(Start),
    /// Stop containers in order and watch until they have ended
    #[command(after_help = "Example: ww-ctl stop shop\n\n\
        The agent is asked how long each stage may take (drain, services, svcdown, grace), which is\n\
        said beforehand, and Docker is told to wait that long: without a cap in the configuration\n\
        (ww.stop.timeout), for as long as it takes. Each stage is told with its time and its limit.\n\n\
        More than one container, or none by its name, is confirmed first, or with --yes.")]
    Stop(Stop),
    /// Restart the services in containers and watch until they are UP again
    #[command(after_help = "Example: ww-ctl restart shop --timeout 2m\n\n\
        Sends SIGHUP: the agent runs svcdown and svcup, the container stays. With --container Docker\n\
        stops and starts the whole container.")]
    Restart(Restart),
    /// Show what containers have printed
    #[command(after_help = "Example: ww-ctl logs shop -f --tail 20")]
    Logs(Logs),
    /// Tell what happens, as it happens
    #[command(after_help = "Example: ww-ctl events --filter project=shop -o jsonl")]
    Events(Events),
    /// Show a container's configuration as its agent has it
    #[command(after_help = "Example: ww-ctl cfg shop .memory\n\n\
        FILTER is a jq filter; `memory` is short for `.memory`.")]
    Cfg(Cfg),
    /// Make images
    #[command(subcommand)]
    Image(Image),
    /// A small fleet to look at
    #[command(subcommand)]
    Demo(Demo),
}

/// `ls`.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Names of containers; all when none is given
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Containers without an agent too
    #[arg(short, long)]
    pub all: bool,
    #[command(flatten)]
    pub filters: Filters,
}

/// `top`.
#[derive(Debug, Args)]
pub(crate) struct Top {
    /// Names of containers; all when none is given
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Containers without an agent too
    #[arg(short, long)]
    pub all: bool,
    #[command(flatten)]
    pub filters: Filters,
}

/// `show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The container's name or id
    pub name: String,
    /// What was seen when the watchdog struck: 0 for the last time, 1 for the one before
    #[arg(
        long,
        value_name = "N",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "0",
        conflicts_with = "history"
    )]
    pub evidence: Option<u32>,
    /// What has happened, in this boot and those before it
    #[arg(long)]
    pub history: bool,
    /// Only so many of the last lines of the history
    #[arg(
        short = 'n',
        long = "lines",
        value_name = "N",
        requires = "history",
        default_value = "100"
    )]
    pub lines: usize,
}

/// `wait`.
#[derive(Debug, Args)]
pub(crate) struct Wait {
    #[command(flatten)]
    pub names: Names,
    /// A state such as UP or DOCKERDOWN, or `healthy`
    #[arg(long = "for", value_name = "STATE", value_parser = Goal::parse)]
    pub goal: Goal,
    /// Give up after this long
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    pub timeout: Duration,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// This state.
    State(State),
    /// UP and not failing.
    Healthy,
}

impl Goal {
    fn parse(word: &str) -> Result<Self, String> {
        if word.eq_ignore_ascii_case("healthy") {
            return Ok(Self::Healthy);
        }
        word.parse()
            .map(Self::State)
            .map_err(|error| format!("{error}; or `healthy`"))
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::State(state) => state.fmt(formatter),
            Self::Healthy => formatter.pad("healthy"),
        }
    }
}

/// `start`.
#[derive(Debug, Args)]
pub(crate) struct Start {
    #[command(flatten)]
    pub names: Names,
    /// Do not watch until they are UP
    #[arg(long)]
    pub no_wait: bool,
    /// Stop watching after this long
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration, conflicts_with = "no_wait")]
    pub timeout: Duration,
}

/// `stop`.
#[derive(Debug, Args)]
pub(crate) struct Stop {
    #[command(flatten)]
    pub names: Names,
    /// Do not watch until they have ended
    #[arg(long)]
    pub no_wait: bool,
    /// Stop watching after this long; the stop itself goes on
    #[arg(long, value_name = "TIME", value_parser = parse_duration, conflicts_with = "no_wait")]
    pub timeout: Option<Duration>,
}

/// `restart`.
#[derive(Debug, Args)]
pub(crate) struct Restart {
    #[command(flatten)]
    pub names: Names,
    /// Restart the whole container through Docker
    #[arg(long)]
    pub container: bool,
    /// Do not watch until they are UP again
    #[arg(long)]
    pub no_wait: bool,
    /// Stop watching after this long
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration, conflicts_with = "no_wait")]
    pub timeout: Duration,
}

/// `logs`.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    pub names: Names,
    /// Go on with what is printed from now on
    #[arg(short, long)]
    pub follow: bool,
    /// Only so many of the last lines
    #[arg(long, value_name = "N")]
    pub tail: Option<u32>,
    /// Only from then on: a time as RFC 3339, or how long ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Show when each line was printed
    #[arg(short, long)]
    pub timestamps: bool,
}

/// `events`.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Names of containers; all when none is given
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub filters: Filters,
}

/// `cfg`.
#[derive(Debug, Args)]
pub(crate) struct Cfg {
    /// The container's name or id
    pub name: String,
    /// A jq filter; everything when none is given
    pub filter: Option<String>,
    /// Say which layer each value came from; FILTER is a plain path then, such as .db.host
    #[arg(long)]
    pub origin: bool,
}

/// `image`.
#[derive(Debug, Subcommand)]
pub(crate) enum Image {
    /// Put the agent and a tree of scripts onto a base image
    #[command(
        after_help = "Example: ww-ctl image build --base debian:trixie --tree ./shop -t shop:1"
    )]
    Build(ImageBuild),
}

/// `image build`.
#[derive(Debug, Args)]
pub(crate) struct ImageBuild {
    /// The image to begin with, or `scratch`
    #[arg(long, value_name = "IMAGE")]
    pub base: String,
    /// Directory whose content becomes /ww
    #[arg(long, value_name = "DIR")]
    pub tree: Option<PathBuf>,
    /// The new image's name
    #[arg(short, long, value_name = "TAG")]
    pub tag: String,
    /// The image's version, where the tree's ww.version does not tell it
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
    /// Let Docker itself check the health too
    #[arg(long)]
    pub healthcheck: bool,
    /// Do not look for mistakes in the tree first
    #[arg(long)]
    pub no_check: bool,
}

/// `demo`.
#[derive(Debug, Subcommand)]
pub(crate) enum Demo {
    /// Build and start it
    #[command(after_help = "Example: ww-ctl demo up && ww-ctl top")]
    Up,
    /// Remove all of it
    #[command(after_help = "Example: ww-ctl demo down")]
    Down,
}
