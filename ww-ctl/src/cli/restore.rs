//! `restore`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::units::parse_duration;

/// What is said after the help.
pub(super) const HELP: &str = "\
Example: ww-ctl restore shop/latest shop --from /srv/backup

BACKUP is NAME/ID, ID, the end of an ID that only one has, or NAME or NAME/latest for the newest. It is
looked for in --from DIR, else in WW_VAULT, else in the directory mounted at NAME's /backup.

All of it is extracted beside the data, its digests proven and the files compared with the list of the
backup, before anything is touched. Then those that use the data and run are stopped in order, the
directories exchanged in one step, the same started again and watched until they are UP. What was
there before is kept beside it, for `restore --undo NAME`, until the next restore of the same.
Interrupted or killed, either the old data or the new are there whole; the next call starts what was
stopped. With --path only that comes into place beside what else is there.

A backup of the image's own script is given to its `restore` script, with the services up.
Only on the machine the data are on, as root.

Codes: 8 the data are there, and a service is not back; 9 the backup is not what it was when it was
made, nothing was touched; 10 another restore of the same is under way.";

/// `restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup
    #[arg(value_name = "BACKUP", required_unless_present = "undo")]
    pub backup: Option<String>,
    /// The container whose data are to be what they were
    #[arg(value_name = "NAME", required_unless_present_any = ["undo", "into", "into_dir"])]
    pub name: Option<String>,
    /// The directory that the backups are in
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
    /// The age identity that what is encrypted is decrypted with
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Only this, and what is below it, relative to the data; may be repeated
    #[arg(long = "path", value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Make a new data container of this name with it; nothing is stopped
    #[arg(long, value_name = "NEWNAME", conflicts_with_all = ["name", "into_dir", "undo", "dry_run"])]
    pub into: Option<String>,
    /// Only extract it into this directory, which is new or empty
    #[arg(long, value_name = "DIR", conflicts_with_all = ["name", "undo", "dry_run"])]
    pub into_dir: Option<PathBuf>,
    /// Say what would be changed, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Make devices that are in it, too: who can write one can do anything to this machine
    #[arg(long)]
    pub devices: bool,
    /// Go back to what was there before the last restore of this container
    #[arg(long, value_name = "NAME", conflicts_with_all = ["backup", "name", "from", "identity", "paths", "dry_run", "devices"])]
    pub undo: Option<String>,
    /// How long services may take to be UP again, and a `restore` script to run
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration)]
    pub timeout: Duration,
}
