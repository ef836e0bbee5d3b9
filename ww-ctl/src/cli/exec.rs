//! `exec`, as it is written.

use clap::Args;

/// What cannot be said in a line.
pub(super) const HELP: &str = "\
Example: ww-ctl exec shop -- sh
         ww-ctl exec shop -- psql -c 'select 1' > one.txt
         tar c site | ww-ctl exec shop -- tar x -C /data

On a terminal the program gets a terminal too, which follows the size of yours; Ctrl-C and all other
keys go to the program, and what it prints is shown as it is. Ctrl-@ Ctrl-] Ctrl-^, one after the
other, leaves it running and comes back. Otherwise stdin, stdout and stderr are passed on byte for
byte, each by itself, and the end of stdin is the end of the program's input.

What ends ww-ctl itself by a signal does not end the program in the container.

Exit codes: the program's own; 128+n when signal n ended it, 126 or 127 when it cannot be run or is
not there, as Docker tells them. Where ww-ctl itself has something to say, which begins with
`ww-ctl:`, the usual codes: 1 it does not run, 2 wrong usage, 3 no such container, 5 no Engine,
6 refused.";

/// `exec`.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[derive(Debug, Args)]
pub(crate) struct Exec {
    /// The container's name or id
    pub name: String,
    /// Give the program a terminal, whatever is here
    #[arg(short, long, conflicts_with = "no_tty")]
    pub tty: bool,
    /// Give it none
    #[arg(short = 'T', long)]
    pub no_tty: bool,
    /// Pass stdin on, as is done anyway
    #[arg(short, long, conflicts_with = "no_stdin")]
    pub interactive: bool,
    /// Leave stdin alone; the program finds none
    #[arg(short, long)]
    pub no_stdin: bool,
    /// As whom it runs: a user or user:group, by name or number
    #[arg(short, long, value_name = "USER")]
    pub user: Option<String>,
    /// Where it runs
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
    /// A variable of its environment; without a value, that of ww-ctl; may be repeated
    #[arg(short, long, value_name = "NAME[=VALUE]", value_parser = variable)]
    pub env: Vec<String>,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<String>,
}

fn variable(text: &str) -> Result<String, String> {
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    if name.is_empty() {
        return Err("a variable has a name, such as LANG=C".into());
    }
    Ok(text.to_owned())
}
