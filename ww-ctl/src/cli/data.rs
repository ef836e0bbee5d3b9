//! `data`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::data::{Mode, Owner};
use crate::syntax::Pair;

/// `data`.
#[derive(Debug, Subcommand)]
pub(crate) enum Data {
    /// Make a container that only exports /data, never started, and the directory its data lie in
    #[command(
        after_help = "Example: ww-ctl data create shop-data --owner 1000:1000 --mode 0750\n\n\
        Then `docker run --volumes-from shop-data IMAGE` or `ww-ctl run IMAGE --data shop-data` has it at\n\
        /data. The data lie in ROOT/NAME, a directory of the host: no `docker rm -v`, `docker volume\n\
        prune` or `docker system prune --volumes` destroys them, and `ww-ctl data ls` shows them. What it\n\
        takes to make the container again is remembered in ROOT/.ww-data. A directory that has\n\
        something in it is refused; where something fails, nothing is left behind.\n\n\
        On the Engine of another machine the directory is made by that Engine; --seed is for --volume there."
    )]
    Create(DataCreate),
    /// List containers that only keep data, and who uses them
    #[command(after_help = "Example: ww-ctl data ls -o wide\n\n\
        Those made by others are listed too, where there is reason to take one for such: it has no agent,\n\
        was never started or ended with 0, and another has its volumes by --volumes-from; or it was never\n\
        started and has at /data what another has mounted too, or is named after data. -o wide says\n\
        which reason it is.")]
    Ls(DataLs),
    /// Show everything about one
    #[command(after_help = "Example: ww-ctl data show shop-data")]
    Show(DataShow),
    /// Take over a data container that others made, a directory or a volume; or make one again that is gone
    #[command(after_help = "Example: ww-ctl data adopt shop-data\n\n\
        NAME is a container that is gone: made again as it was, from what is remembered in ROOT/.ww-data or\n\
        by its volume. Or one that others made, or one with a volume: replaced by one of the same name,\n\
        mounts and labels. Directories stay where they are. Data in volumes are copied to ROOT/NAME, where\n\
        no prune destroys them; that is refused while anything runs that may write to them. The old\n\
        container and its volume stay, as NAME.before-adopt, and what uses them goes on with the old\n\
        volume until it is made again.\n\n\
        With --from a new one is made of a directory where it is, of one in the trash, which is brought\n\
        back, or of a copy of a volume. A NAME that begins with / or . is a directory that goes by its\n\
        own name. Where something fails all is as it was before.")]
    Adopt(DataAdopt),
    /// Copy the data of one into a new one
    #[command(
        after_help = "Example: ww-ctl data clone shop-data shop-trial-data\n\n\
        What may write to the data is held still by its agent meanwhile, and up again at once; one without\n\
        an agent has to be stopped first. With --live nothing is stopped, and what changes meanwhile is\n\
        told. Owners, permissions, times, links and all else are kept, and both sides counted. The copy\n\
        lies in ROOT/NEW, whatever the other one lies in. Exit code 8: copied, and services are not back."
    )]
    Clone(DataClone),
    /// Put the data of one into the trash, and remove its container
    #[command(after_help = "Example: ww-ctl data rm shop-data\n\n\
        Refused while any container has the data mounted, running or not, and without a backup that was\n\
        verified: in --vault, in WW_VAULT, or in a directory that a container has at /backup. Nothing is\n\
        destroyed: ROOT/NAME is moved to ROOT/.trash/NAME-TIME, from where `data adopt NAME --from` brings\n\
        it back. `data ls --trash` shows what is there. --purge removes it for good, NAME being a data\n\
        container's or one of the trash; --empty-trash removes all; both are confirmed first.")]
    Rm(DataRm),
    /// Tell which data the next prune or `rm -v` would destroy, and what to do about it
    #[command(after_help = "Example: ww-ctl data doctor\n\n\
        Looks at the volumes of all containers, not only of those that ww-ctl knows, and at data that lie in\n\
        a container itself. With names, or patterns with * and ?, at these containers and volumes only.\n\
        Empty volumes are passed over. Also told: data containers whose directory is not there; and what\n\
        is remembered in the root directory of a container that is gone, and directories there that\n\
        belong to none, which are in no danger. Exit code 0: nothing is in danger; 1: something is.")]
    Doctor(DataDoctor),
}

/// `data create`.
#[derive(Debug, Args)]
pub(crate) struct DataCreate {
    /// The container's name, and the directory's; HOST/NAME where several hosts are asked
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The directory on the host below which it gets one [default: /srv/whaleware/data, or `WW_DATA_ROOT`]
    #[arg(long, value_name = "DIR", conflicts_with = "volume")]
    pub root: Option<PathBuf>,
    /// A volume of that name instead of a directory, where directories of the host cannot be had
    #[arg(long)]
    pub volume: bool,
    /// Who owns /data itself, in numbers
    #[arg(long, value_name = "UID:GID")]
    pub owner: Option<Owner>,
    /// The permissions of /data itself, in octal
    #[arg(long, value_name = "MODE")]
    pub mode: Option<Mode>,
    /// Copy this image's /data in, which --volumes-from never does
    #[arg(long, value_name = "IMAGE")]
    pub seed: Option<String>,
    /// A label for the container
    #[arg(short, long = "label", value_name = "KEY=VALUE")]
    pub labels: Vec<Pair>,
}

/// `data ls`.
#[derive(Debug, Args)]
pub(crate) struct DataLs {
    /// Names of data containers, or patterns with * and ?; all when none is given
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// How much the data are, which has to be counted; only on this machine
    #[arg(long)]
    pub size: bool,
    /// What is in the trash instead, on this machine
    #[arg(long, conflicts_with_all = ["names", "size"])]
    pub trash: bool,
    /// The directory on the host whose trash that is [default: /srv/whaleware/data, or `WW_DATA_ROOT`]
    #[arg(long, value_name = "DIR", requires = "trash")]
    pub root: Option<PathBuf>,
}

/// `data show`.
#[derive(Debug, Args)]
pub(crate) struct DataShow {
    /// The data container's name
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// `data doctor`.
#[derive(Debug, Args)]
pub(crate) struct DataDoctor {
    /// Names of containers or volumes, or patterns with * and ?; all when none is given
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// The directory on the host data containers have theirs below [default: /srv/whaleware/data, or `WW_DATA_ROOT`]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

/// `data adopt`.
#[derive(Debug, Args)]
pub(crate) struct DataAdopt {
    /// The data container's name, HOST/NAME where several hosts are asked; or a directory
    #[arg(value_name = "NAME")]
    pub name: String,
    /// A directory (with a / in it) or a volume that gets a new data container of that name
    #[arg(long, value_name = "DIR|VOLUME")]
    pub from: Option<String>,
    /// The directory on the host below which data are copied, and what is remembered lies [default: /srv/whaleware/data, or `WW_DATA_ROOT`]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

/// `data clone`.
#[derive(Debug, Args)]
pub(crate) struct DataClone {
    /// The data container whose data are copied
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The new one, on the same host
    #[arg(value_name = "NEW")]
    pub new: String,
    /// Copy with the services up, whatever changes meanwhile
    #[arg(long)]
    pub live: bool,
    /// The directory on the host below which the new one gets its own [default: /srv/whaleware/data, or `WW_DATA_ROOT`]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

/// `data rm`.
#[derive(Debug, Args)]
pub(crate) struct DataRm {
    /// The data container's name
    #[arg(value_name = "NAME", required_unless_present = "empty_trash")]
    pub name: Option<String>,
    /// The vault that has a backup of it
    #[arg(long, value_name = "DIR")]
    pub vault: Option<PathBuf>,
    /// Go on without one that was verified; confirmed first
    #[arg(long, conflicts_with = "vault")]
    pub without_backup: bool,
    /// Remove for good what is in the trash of it
    #[arg(long, conflicts_with_all = ["vault", "without_backup"])]
    pub purge: bool,
    /// Remove for good all that is in the trash
    #[arg(long, conflicts_with_all = ["name", "vault", "without_backup", "purge"])]
    pub empty_trash: bool,
    /// The directory on the host data containers have theirs below [default: /srv/whaleware/data, or `WW_DATA_ROOT`]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
}
