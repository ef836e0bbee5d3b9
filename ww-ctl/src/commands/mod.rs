//! One file a subcommand.

mod act;
mod before;
mod cfg;
mod context;
mod demo;
mod drive;
mod events;
mod image;
mod live;
mod logs;
mod ls;
mod outcome;
mod record;
mod restart;
mod show;
mod start;
mod stop;
mod telling;
mod timeline;
mod top;
mod wait;

pub(crate) use context::Context;

use crate::cli::{Command, Demo};
use crate::exit::{Exit, Failure};

/// Whether a command ends by itself at a signal, taking back what it has done so far.
pub(crate) const fn takes_back(command: &Command) -> bool {
    matches!(command, Command::Demo(Demo::Up))
}

/// Runs a command to its end.
///
/// # Errors
/// When it could not do what it was asked to.
pub(crate) async fn run(context: &Context, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Ls(arguments) => ls::run(context, arguments).await,
        Command::Top(arguments) => top::run(context, arguments).await,
        Command::Show(arguments) => show::run(context, arguments).await,
        Command::Wait(arguments) => wait::run(context, arguments).await,
        Command::Start(arguments) => start::run(context, arguments).await,
        Command::Stop(arguments) => stop::run(context, arguments).await,
        Command::Restart(arguments) => restart::run(context, arguments).await,
        Command::Logs(arguments) => logs::run(context, arguments).await,
        Command::Events(arguments) => events::run(context, arguments).await,
        Command::Cfg(arguments) => cfg::run(context, arguments).await,
        Command::Image(arguments) => image::run(context, arguments).await,
        Command::Demo(arguments) => demo::run(context, arguments).await,
    }
}
