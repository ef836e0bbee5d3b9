//! `events`, as it is written.

use clap::Args;

use super::Filters;
use crate::units::When;

/// What cannot be said in a line.
pub(super) const HELP: &str = "\
Example: ww-ctl events --filter project=shop -o jsonl
         ww-ctl events shop --since 1h --until now

--since begins with what has happened since then: starts, ends, removals and names as far as the
Engine remembers, states and failures of scripts and services as far as the agents do (`ww-ctl show
NAME --history`), those of containers that do not run any more included; health is not kept. All of
it in the order of its times, each once; then what happens goes on, nothing left out between.";

/// `events`.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Names of containers; all when none is given
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub filters: Filters,
    /// Also what has happened since then: a time as RFC 3339, or how long ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<When>,
    /// Only up to then; `now` for what has been
    #[arg(long, value_name = "TIME", requires = "since")]
    pub until: Option<When>,
}
