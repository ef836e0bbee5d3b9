//! The command line as it is written.

mod audit;
mod backup;
mod backups;
mod completions;
mod data;
mod events;
mod exec;
mod init;
mod logs;
mod man;
mod restore;
mod run;
mod upgrade;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use whaleware::lifecycle::State;
use whaleware::spelling::nearest;

pub(crate) use audit::{Audit, AuditFilter};
pub(crate) use backup::Backup;
pub(crate) use backups::{
    Backups, BackupsDrill, BackupsLs, BackupsPrune, BackupsShow, BackupsVerify, From,
};
pub(crate) use data::{
    Data, DataAdopt, DataClone, DataCreate, DataDoctor, DataLs, DataRm, DataShow,
};
pub(crate) use events::Events;
pub(crate) use exec::Exec;
pub(crate) use logs::Logs;
pub(crate) use restore::Restore;
pub(crate) use run::Run;
pub(crate) use upgrade::Upgrade;

use crate::selection::{Filter, Selection, meant};
use crate::tui::Speed;
use crate::units::parse_duration;

pub(crate) use completions::Completions;
pub(crate) use init::{Check, Init};
pub(crate) use man::Man;

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 failed, or some failed; 2 wrong usage; 3 no such container; 4 timed out;
5 Engine not reachable; 6 refused; 7 backup incomplete; 8 backup good, a service not back; 9 verify
failed; 10 locked by another run; 128+n ended by signal n.";

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
    /// Docker Engine to talk to, as unix:///path, tcp://host:port, https://host:port or ssh://user@host; may be repeated
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
    /// Only those that match: a name pattern, KEY=VALUE or KEY!=VALUE, where KEY is name, label,
    /// state, health, image, project or host. Of those with one key one is enough, but every label=
    /// and every != must hold
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
    #[command(after_help = "Example: ww-ctl top --filter project=shop\n\n\
        Without a terminal: `ww-ctl top --once > fleet.txt`, `ww-ctl top --batch --interval 10s | tee log`.\n\
        Post-mortems and bug reports: `ww-ctl top --record f.jsonl`, `ww-ctl top --replay f.jsonl --speed 10`.\n\n\
        `?` in it explains every key. Columns, keys, colours and signs are chosen in\n\
        ~/.config/ww-ctl/config.toml, in the section [top].")]
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
    /// Make and start a container, its configuration checked against the image's defaults
    #[command(after_help = run::AFTER)]
    Run(Box<Run>),
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
        stops and starts the whole container.\n\n\
        With --rolling the next is begun when the last is UP and its check, asked for at once, passes;\n\
        UP is enough where there is no monitor. Those that are not well before come first. The first\n\
        that does not come back is the last one begun: code 1, or 4 when its time was over, and those\n\
        that were not touched are named.")]
    Restart(Restart),
    /// Replace containers by ones of another image, and go back where one does not come UP
    #[command(
        after_help = "Example: ww-ctl upgrade shop --image shop:2 --timeout 10m\n\n\
        The new one has the name, ports, mounts, networks, limits, labels and environment of the old one,\n\
        which is stopped in order and kept until the new one is UP and its check has passed; else all is\n\
        put back and the old one started again. Data the new image's `upgrade` has changed by then stay\n\
        changed: take a backup first. Several go one after the other, up to the first that fails.\n\n\
        Interrupted, by Ctrl-C too, it stays as it is: the same call again finishes or undoes it, --undo\n\
        undoes it. Names with .ww-old, .ww-new and .ww-undo tell where it is: leave them to it."
    )]
    Upgrade(Upgrade),
    /// Show what containers have printed
    #[command(after_help = logs::HELP)]
    Logs(Logs),
    /// Tell what happens, as it happens
    #[command(after_help = events::HELP)]
    Events(Events),
    /// Run a program in a container
    #[command(after_help = exec::HELP)]
    Exec(Exec),
    /// Show a container's configuration as its agent has it
    #[command(after_help = "Example: ww-ctl cfg shop .memory\n\n\
        FILTER is a jq filter; `memory` is short for `.memory`. With --diff the code is 0 where both have\n\
        the same, and 1 where they differ; what one does not have is –.")]
    #[command(override_usage = "ww-ctl cfg [OPTIONS] <NAME> [FILTER]\n       \
        ww-ctl cfg [OPTIONS] --diff <A> <B> [PATH]")]
    Cfg(Cfg),
    /// Containers that only say where data lie, for `--volumes-from`
    #[command(subcommand)]
    Data(Data),
    /// Back up what containers keep, each group that shares data at one moment
    #[command(after_help = backup::HELP)]
    Backup(Box<Backup>),
    /// What is in a directory of backups
    #[command(subcommand)]
    Backups(Backups),
    /// Put data back as they were in a backup, and back again
    #[command(after_help = restore::HELP)]
    Restore(Box<Restore>),
    /// Show who did what
    #[command(
        after_help = "Example: ww-ctl audit --since 24h --filter action=restart\n\n\
        Every action that changes something is written down on the machine it was called on, before it\n\
        is begun and when it has ended: who, when, what, on which containers, and how it ended; the\n\
        values of options that may be secrets are left out. One without an end is shown as such.\n\
        Root's is /var/log/whaleware/audit.jsonl, that of others ~/.local/state/ww-ctl/audit.jsonl;\n\
        WW_AUDIT_FILE names another."
    )]
    Audit(Audit),
    /// Write a new image's tree from the template
    #[command(after_help = init::INIT)]
    Init(Init),
    /// Look a tree, or an image, over for mistakes
    #[command(after_help = init::CHECK)]
    Check(Check),
    /// Make images
    #[command(subcommand)]
    Image(Image),
    /// A small fleet to look at
    #[command(subcommand)]
    Demo(Demo),
    /// Print the script that makes a shell complete what is typed, names of containers too
    #[command(after_help = "Example: source <(ww-ctl completions bash)\n\n\
        Names, labels and images are asked of the Engines that -H and -c before them name, for less than\n\
        a second. `make install` puts the scripts for bash, zsh and fish where these find them.")]
    Completions(Completions),
    /// Write the manual, a page a command
    #[command(after_help = "Example: ww-ctl man /usr/local/share/man/man1")]
    Man(Man),
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
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
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
    /// Leave the mouse to the terminal
    #[arg(long)]
    pub no_mouse: bool,
    /// Print one picture as text and leave, for pipes
    #[arg(long)]
    pub once: bool,
    /// Print a picture after the other as text, for pipes
    #[arg(long, conflicts_with = "once")]
    pub batch: bool,
    /// With --batch: between two pictures, 0.1s at least
    #[arg(long, value_name = "TIME", default_value = "2s", requires = "batch", value_parser = parse_interval)]
    pub interval: Duration,
    /// Keep all that happens in this new file, to be shown again by --replay
    #[arg(long, value_name = "FILE", conflicts_with_all = ["once", "replay"])]
    pub record: Option<PathBuf>,
    /// Show what was kept in this file; no Engine is needed
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    pub replay: Option<PathBuf>,
    /// With --replay: so many times as fast as it was
    #[arg(
        long,
        value_name = "N",
        default_value = "1",
        requires = "replay",
        conflicts_with = "once"
    )]
    pub speed: Speed,
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
            .map_err(|error: <State as FromStr>::Err| {
                let near = nearest(&word.to_ascii_lowercase(), &["healthy"])
                    .or_else(|| nearest(&word.to_ascii_uppercase(), &State::ALL.map(State::name)));
                format!("{error}; or `healthy`{}", meant(near))
            })
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
    /// One after the other, the next when the last is UP and passing; stop at the first that is not
    #[arg(long)]
    pub rolling: bool,
    /// With --rolling: so many may be out at once, those included that are not well already
    #[arg(long, value_name = "N", default_value = "1", requires = "rolling", value_parser = at_least_one)]
    pub max_unavailable: NonZeroUsize,
    /// Do not watch until they are UP again
    #[arg(long, conflicts_with = "rolling")]
    pub no_wait: bool,
    /// Stop watching after this long; with --rolling, each
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration, conflicts_with = "no_wait")]
    pub timeout: Duration,
}

/// `cfg`.
#[derive(Debug, Args)]
pub(crate) struct Cfg {
    /// The container's name or id
    #[arg(required_unless_present = "diff")]
    pub name: Option<String>,
    /// A jq filter; everything when none is given
    pub filter: Option<String>,
    /// Say which layer each value came from; FILTER is a plain path then, such as .db.host
    #[arg(long)]
    pub origin: bool,
    /// Where the configurations of two containers differ, or what is below PATH in them
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    pub diff: Vec<String>,
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
    /// Directory whose content becomes /ww, or that has it as ww/
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

/// Of no time at all there would be no end of pictures.
fn parse_interval(text: &str) -> Result<Duration, String> {
    parse_duration(text).and_then(|length| {
        if length < Duration::from_millis(100) {
            return Err("expected 0.1s or more".to_owned());
        }
        Ok(length)
    })
}

fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .map_err(|_| "expected how many, from 1 on".to_owned())
}
