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
}

/// `data show`.
#[derive(Debug, Args)]
pub(crate) struct DataShow {
    /// The data container's name
    #[arg(value_name = "NAME")]
    pub name: String,
}
