//! What a word on the command line could become, for a shell that asks while somebody types.
//!
//! The scripts of `ww-ctl completions` call `ww-ctl -- WORD…` with [`env::WW_COMPLETE`] set. Whatever
//! goes wrong then, nothing is said: it would be written into somebody's prompt.

mod bash;
mod candidates;
mod zsh;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Arg, CommandFactory, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use clap_complete::env::{Elvish, Fish, Powershell, Shells};
use whaleware::env;

use self::bash::Bash;
use self::candidates::{Line, Wanted};
use self::zsh::Zsh;
use crate::cli::Cli;

/// The name of the program, as it is called.
const PROGRAM: &str = "ww-ctl";
/// The shells that can ask.
const SHELLS: Shells<'static> = Shells(&[&Bash, &Zsh, &Fish, &Elvish, &Powershell]);

/// The script that makes a shell ask.
///
/// # Errors
/// When there is no such shell.
pub(crate) fn script(shell: &str) -> io::Result<Vec<u8>> {
    let mut script = Vec::new();
    SHELLS
        .completer(shell)
        .ok_or_else(|| io::Error::other("there is no such shell"))?
        .write_registration(env::WW_COMPLETE, PROGRAM, PROGRAM, PROGRAM, &mut script)?;
    Ok(script)
}

/// Whether a shell asks with these arguments, that of the program's own name included.
pub(crate) fn is_asked(arguments: &[OsString]) -> bool {
    arguments.get(1).is_some_and(|word| word == "--") && arguments.len() > 2
}

/// Answers a shell.
pub(crate) fn answer(shell: &str, arguments: Vec<OsString>) -> ExitCode {
    let Some(shell) = SHELLS.completer(shell) else {
        return ExitCode::FAILURE;
    };
    let words: Vec<OsString> = arguments.into_iter().skip(2).collect();
    let line = Arc::new(Line::new(&words));
    let mut command = decorate(Cli::command(), "", &line);
    let directory = std::env::current_dir().ok();
    let mut answer = Vec::new();
    let written = shell
        .write_complete(&mut command, words, directory.as_deref(), &mut answer)
        .and_then(|()| io::stdout().lock().write_all(&answer));
    if written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Every argument with what can be told of its values. What they are is known by the name its help
/// gives them: a new command need not say it again.
fn decorate(command: clap::Command, name: &str, line: &Arc<Line>) -> clap::Command {
    let is_base = |argument: &Arg| argument.get_long() == Some("base");
    command
        .mut_args(|argument| {
            let value = argument
                .get_value_names()
                .and_then(|names| names.first())
                .map_or("", |name| name.as_str());
            let wanted = match value {
                "NAME" if argument.is_positional() => Wanted::names_for(name),
                "NAME" if argument.get_long() == Some("context") => Wanted::Contexts,
                "CONTAINER" | "CONTAINER|DIR" | "A" => Wanted::Names,
                "FILTER" if argument.get_long() == Some("filter") && name != "audit" => {
                    Wanted::Filters
                }
                "STATE" => Wanted::Goals,
                "BACKUP" => Wanted::Backups,
                "IMAGE" if is_base(&argument) => Wanted::Images,
                "IMAGE" => Wanted::AgentImages,
                "DIR" => return argument.value_hint(ValueHint::DirPath),
                "FILE" => return argument.value_hint(ValueHint::FilePath),
                _ => return argument,
            };
            let line = Arc::clone(line);
            let complete = move |current: &std::ffi::OsStr| line.complete(wanted, current);
            argument.add(ArgValueCompleter::new(complete))
        })
        .mut_subcommands(|command| {
            let name = command.get_name().to_owned();
            decorate(command, &name, line)
        })
}
