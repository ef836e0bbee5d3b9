//! `backup`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::Names;
use crate::units::parse_duration;

/// What is said after the help.
pub(super) const HELP: &str = "\
Example: ww-ctl backup shop --to /srv/backup

A set goes to DIR/NAME/ID, where DIR is what --to says, else the host directory mounted at the
container's /backup, else WW_VAULT. It appears only when it is whole and on the disk.

Where the image has a `backup` script it runs with the services up, and what it wrote is kept. Else
the services are stopped (svcdown) for as long as the data are read, and started again at once; then
the data are compressed. The agent starts them by itself when ww-ctl is killed. --live, and
ww.backup.mode \"live\", leave them up, which is noted. Containers without an agent that can write to
the data are paused. Containers that share data are one group, backed up together and named after the
data-only container; stopped ones are taken as they are. Without names: every group that has a
whaleware container in it.

With --repo the content goes to a repository of `restic`, which keeps what is the same only once, and
compresses and encrypts by itself; the manifest and the list of files go to the vault. The password is
restic's own affair (RESTIC_PASSWORD_FILE). What reads it later is told of it by RESTIC_REPOSITORY.

Codes: 7 published, but something is missing in it or it is not as still as was asked for; 8 good,
but a service is not back; 10 another backup of the same is under way. 75 of the `backup` script is
`nothing to do`, and good.";

/// `backup`.
#[expect(
    clippy::struct_excessive_bools,
    clippy::doc_markdown,
    reason = "each is a flag of the command line, whose help shows these comments as they are"
)]
#[derive(Debug, Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    pub names: Names,
    /// The vault, a directory of this machine
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Leave services up while data are read
    #[arg(long)]
    pub live: bool,
    /// Leave out what matches, below /data; may be repeated. `*` within a name, `**` any number of names
    #[arg(long, value_name = "PATTERN")]
    pub exclude: Vec<String>,
    /// Take data that are empty for what they should be
    #[arg(long)]
    pub allow_empty: bool,
    /// Encrypt to this recipient of `age`, which must be installed; may be repeated
    #[arg(long, value_name = "RECIPIENT", value_parser = NonEmptyStringValueParser::new())]
    pub encrypt_to: Vec<String>,
    /// Have `restic`, which must be installed, keep the content in this repository instead of the vault
    #[arg(long, value_name = "REPO", conflicts_with = "encrypt_to", value_parser = NonEmptyStringValueParser::new())]
    pub repo: Option<String>,
    /// How long services may be down: after that they come back, whatever has been read
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_duration)]
    pub max_down: Duration,
    /// How long services may take to be UP again
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration)]
    pub timeout: Duration,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Write how it went into this file, for the textfile collector of node_exporter
    #[arg(long, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
    /// Write units for systemd that do the same by themselves; they are shown first
    #[arg(long, conflicts_with = "dry_run")]
    pub install_timer: bool,
    /// With --install-timer: only show them
    #[arg(long, requires = "install_timer")]
    pub print: bool,
    /// With --install-timer: when, as systemd's OnCalendar has it
    #[arg(
        long,
        value_name = "TIME",
        default_value = "*-*-* 03:00:00",
        requires = "install_timer"
    )]
    pub on_calendar: String,
    /// With --install-timer: below this directory instead of /
    #[arg(long, value_name = "DIR", requires = "install_timer", hide = true)]
    pub destdir: Option<PathBuf>,
}
