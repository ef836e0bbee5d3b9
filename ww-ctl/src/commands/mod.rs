//! One file a subcommand.

mod act;
mod acting;
mod audit;
mod backup;
mod backups;
mod before;
mod cfg;
mod check;
mod completions;
mod context;
mod data;
mod demo;
mod drive;
mod events;
mod exec;
mod formats;
mod hosts;
mod image;
mod init;
mod interrupts;
mod live;
mod logs;
mod ls;
mod man;
mod measures;
mod outcome;
mod outputs;
mod own;
mod pictures;
mod printed;
mod proof;
mod record;
mod restart;
mod restore;
mod rolling;
mod run;
#[cfg(test)]
#[expect(
    dead_code,
    reason = "shared with the tests of the whole tool, not all of it is used here"
)]
#[path = "../../../tests/e2e/shape.rs"]
mod shape;
mod show;
mod start;
mod stop;
mod telling;
mod timeline;
mod top;
mod turns;
mod upgrade;
mod wait;
mod wanted;

pub(crate) use context::Context;

use crate::cli::{Backups, Cli, Command, Demo};
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Whether a command ends by itself at a signal, taking back what it has done so far, or giving back
/// the terminal.
pub(crate) const fn takes_back(command: &Command) -> bool {
    matches!(
        command,
        Command::Backup(_)
            | Command::Backups(Backups::Drill(_))
            | Command::Restore(_)
            | Command::Demo(Demo::Up)
            | Command::Run(_)
            | Command::Exec(_)
            | Command::Data(_)
    )
}

/// Runs a command that needs no Engine; none for any other.
///
/// # Errors
/// When it could not do what it was asked to, or any command when it cannot be printed as wanted.
pub(crate) fn run_alone(cli: &Cli, output: Output) -> Result<Option<Exit>, Failure> {
    let format = cli.global.format;
    formats::check(&cli.command, format)?;
    if let Command::Completions(arguments) = &cli.command {
        return completions::run(arguments, output).map(Some);
    }
    if let Command::Man(arguments) = &cli.command {
        context::may_change(cli.global.read_only, "write the manual")?;
        return man::run(arguments, format, output).map(Some);
    }
    if let Command::Init(arguments) = &cli.command {
        context::may_change(cli.global.read_only, "write a template")?;
        return init::run(arguments, format, output).map(Some);
    }
    if let Command::Check(arguments) = &cli.command
        && let Some(tree) = &arguments.directory
    {
        return check::run_tree(tree, arguments.root.as_deref(), format, output).map(Some);
    }
    Ok(None)
}

/// Runs a command to its end.
///
/// # Errors
/// When it could not do what it was asked to.
pub(crate) async fn run(context: &Context, command: &Command) -> Result<Exit, Failure> {
    let exit = match command {
        Command::Ls(arguments) => ls::run(context, arguments).await,
        Command::Top(arguments) => top::run(context, arguments).await,
        Command::Show(arguments) => show::run(context, arguments).await,
        Command::Wait(arguments) => wait::run(context, arguments).await,
        Command::Run(arguments) => run::run(context, arguments).await,
        Command::Start(arguments) => start::run(context, arguments).await,
        Command::Stop(arguments) => stop::run(context, arguments).await,
        Command::Restart(arguments) => restart::run(context, arguments).await,
        Command::Upgrade(arguments) => upgrade::run(context, arguments).await,
        Command::Logs(arguments) => logs::run(context, arguments).await,
        Command::Events(arguments) => events::run(context, arguments).await,
        Command::Exec(arguments) => exec::run(context, arguments).await,
        Command::Cfg(arguments) => cfg::run(context, arguments).await,
        Command::Data(arguments) => data::run(context, arguments).await,
        Command::Backup(arguments) => Box::pin(backup::run(context, arguments)).await,
        Command::Backups(arguments) => Box::pin(backups::run(context, arguments)).await,
        Command::Restore(arguments) => Box::pin(restore::run(context, arguments)).await,
        Command::Audit(arguments) => audit::run(context, arguments),
        Command::Check(arguments) => check::run(context, arguments).await,
        Command::Image(arguments) => image::run(context, arguments).await,
        Command::Demo(arguments) => demo::run(context, arguments).await,
        // They were run alone.
        Command::Completions(_) | Command::Man(_) | Command::Init(_) => Ok(Exit::Done),
    };
    exit.map(|exit| context.all_told(exit))
}
