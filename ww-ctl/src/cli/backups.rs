//! `backups`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::backup::vault::Keep;
use crate::units::parse_duration;

/// `backups`.
#[derive(Debug, Subcommand)]
pub(crate) enum Backups {
    /// List the backups of a vault
    #[command(after_help = "Example: ww-ctl backups ls shop --from /srv/backups\n\n\
        CLASS is what was done so that the data are of one moment: hook, svcdown, stopped, paused, live.\n\
        VERIFIED is the best that is known: a drill counts more than a full reading, that more than a\n\
        quick one, and a failure more than all. What is no backup any more is shown as broken, with why.")]
    Ls(BackupsLs),
    /// Show everything about one backup
    #[command(
        after_help = "Example: ww-ctl backups show shop/latest --from /srv/backups\n\n\
        BACKUP is NAME/ID, ID, the end of an ID that only one has, or NAME or NAME/latest for the newest\n\
        complete one."
    )]
    Show(BackupsShow),
    /// Prove that backups are what they were when they were made
    #[command(
        after_help = "Example: ww-ctl backups verify shop --full --from /srv/backups\n\n\
        Without --full: sizes and SHA-256 of all files. With it all is decoded too, and each file of the data\n\
        compared with the list. What was found is written down beside the backup, but not with --read-only;\n\
        `backups prune` never removes the newest that was verified. Code 9 where one is not what it was."
    )]
    Verify(BackupsVerify),
    /// Prove that a container comes up with the data of a backup, without touching any other
    #[command(after_help = DRILL)]
    Drill(BackupsDrill),
    /// Remove backups that are not to be kept
    #[command(after_help = "\
        Example: ww-ctl backups prune --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --from /srv/backups\n\n\
        Counts complete backups only, of each container for itself: a period that has none costs nothing.\n\
        Days are UTC. The newest complete and the newest verified one always stay, so does what is\n\
        incomplete and has no complete one after it; what is broken is not touched. Where the newest has\n\
        less than half of the bytes or entries of one of the three before it, none of that container is\n\
        removed: code 6.")]
    Prune(BackupsPrune),
}

/// What is said after the help of `drill`.
const DRILL: &str = "\
Example: ww-ctl backups drill shop/latest --from /srv/backups

Extracts the backup into a directory of its own and compares the files with its list, makes a
container of the image it was made of with that as its data, starts it, and waits until it is UP and
its check has passed. Then both are removed, whatever came of it. A backup of the image's own script
is given to its `restore` script, once the container is UP on empty data.

The container has no network and publishes nothing. From the backup come its command, user, host
name and limit of memory, but no rights; from the container of the same name, if that is still
there, its environment and, to read, the file of its CFG_FILE and what --with names. It is called
ww-drill-NAME-…, and no backup is made of it. What was found is written down beside the backup.
Only on the machine of the Engine, as root.

Codes: 9 it is damaged, or the container did not come up; 6 there is no image with an agent.";

/// Which vault.
#[derive(Debug, Clone, Args)]
pub(crate) struct From {
    /// The directory that the backups are in [default: that of `WW_VAULT`]
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
}

/// `backups ls`.
#[derive(Debug, Args)]
pub(crate) struct BackupsLs {
    /// Whose backups, or patterns with * and ?; all when none is given
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub vault: From,
}

/// `backups show`.
#[derive(Debug, Args)]
pub(crate) struct BackupsShow {
    /// The backup
    #[arg(value_name = "BACKUP")]
    pub backup: String,
    #[command(flatten)]
    pub vault: From,
}

/// `backups verify`.
#[derive(Debug, Args)]
pub(crate) struct BackupsVerify {
    /// The backups
    #[arg(value_name = "BACKUP", required_unless_present = "all")]
    pub backups: Vec<String>,
    /// Every backup there is
    #[arg(long, conflicts_with = "backups")]
    pub all: bool,
    /// Decode everything, and compare it with the lists of files
    #[arg(long)]
    pub full: bool,
    /// With --full: the age identity that what is encrypted is decrypted with
    #[arg(long, value_name = "FILE", requires = "full")]
    pub identity: Option<PathBuf>,
    #[command(flatten)]
    pub vault: From,
}

/// `backups drill`.
#[derive(Debug, Args)]
pub(crate) struct BackupsDrill {
    /// The backups, one after the other
    #[arg(value_name = "BACKUP", required = true)]
    pub backups: Vec<String>,
    /// Start this image [default: the one the backup was made of]
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// A variable of its environment besides; may be repeated
    #[arg(short, long = "env", value_name = "NAME=VALUE", value_parser = pair)]
    pub environment: Vec<String>,
    /// Mount what the container of that name has at this place too, to read; may be repeated
    #[arg(long, value_name = "PLACE")]
    pub with: Vec<String>,
    /// How long it may take to be UP and to pass, and a `restore` script to run
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration)]
    pub timeout: Duration,
    /// The age identity that what is encrypted is decrypted with
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Extract it in this directory of this machine, where no container can write
    /// [default: that of `WW_DATA_ROOT`, or /srv/whaleware/data]
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    #[command(flatten)]
    pub vault: From,
}

fn pair(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() && !text.contains('\0') => Ok(text.to_owned()),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// `backups prune`.
#[derive(Debug, Args)]
pub(crate) struct BackupsPrune {
    /// Whose backups, or patterns with * and ?; all when none is given
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Keep so many of the newest
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    pub keep_last: u32,
    /// Keep the newest of a day, for so many days
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    pub keep_daily: u32,
    /// Keep the newest of a week, for so many weeks
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    pub keep_weekly: u32,
    /// Keep the newest of a month, for so many months
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    pub keep_monthly: u32,
    /// Keep the newest of a year, for so many years
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    pub keep_yearly: u32,
    /// Only say what would be removed
    #[arg(long)]
    pub dry_run: bool,
    /// Go on where the newest backup has much less in it than those before
    #[arg(long)]
    pub force_shrunk: bool,
    #[command(flatten)]
    pub vault: From,
}

impl BackupsPrune {
    /// What is to be kept.
    pub(crate) const fn keep(&self) -> Keep {
        Keep {
            last: self.keep_last,
            daily: self.keep_daily,
            weekly: self.keep_weekly,
            monthly: self.keep_monthly,
            yearly: self.keep_yearly,
        }
    }
}
