//! `completions`: what makes a shell complete this program's command line.

use crate::cli::Completions;
use crate::completion::script;
use crate::exit::{Exit, Failure};
use crate::output::Output;

pub(super) fn run(arguments: &Completions, output: Output) -> Result<Exit, Failure> {
    let shell = arguments.shell.name();
    let script = script(shell).map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("cannot make the script for {shell}: {error}"),
        )
    })?;
    output.bytes(&script)?;
    Ok(Exit::Done)
}
