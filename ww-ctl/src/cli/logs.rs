//! `logs`, as it is written.

use clap::Args;

use super::Names;
use crate::units::When;

/// What cannot be said in a line.
pub(super) const HELP: &str = "\
Example: ww-ctl logs shop db -f --tail 20

Lines of several containers are told in the order in which they were printed, by the clocks of
their Engines, each with its container's name before it. -f waits 150 ms for one that is late, goes
on when a container is started again, and ends with Ctrl-C, or when all of them are removed.

On a terminal nothing reaches it that it would obey but colours, and a line is cut after 16384
characters, which a … at its end says. A file or a pipe gets every byte as it was printed. JSON has
`host`, `id`, `name`, `time`, `stream` and `line`; a line of more than 64 KiB comes in pieces, all
but the last with `\"whole\": false`.";

/// `logs`.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    pub names: Names,
    /// Go on with what is printed from now on
    #[arg(short, long)]
    pub follow: bool,
    /// Only so many of the last lines of each
    #[arg(long, value_name = "N")]
    pub tail: Option<u32>,
    /// Only from then on: a time as RFC 3339, or how long ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<When>,
    /// Only up to then
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    pub until: Option<When>,
    /// Show when each line was printed
    #[arg(short, long)]
    pub timestamps: bool,
    /// No names before the lines
    #[arg(long)]
    pub no_prefix: bool,
}
