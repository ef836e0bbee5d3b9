//! The operator's tool: sees a fleet of whaleware containers live and acts on it safely.

mod agent;
mod audit;
mod backup;
mod cli;
mod clock;
mod commands;
mod completion;
mod data;
mod demo;
mod engine;
mod environment;
mod exit;
mod fleet;
mod image;
mod output;
mod selection;
mod syntax;
mod table;
mod tui;
mod units;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use tokio::signal::unix::{Signal, SignalKind, signal};
use whaleware::env;

use crate::cli::{Cli, Format};
use crate::clock::Clock;
use crate::commands::Context;
use crate::exit::{Exit, Failure};
use crate::output::Output;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(shell) = environment::variable(env::WW_COMPLETE)
        && completion::is_asked(&arguments)
    {
        return completion::answer(&shell, arguments);
    }
    let (cli, spoken) = match parse(arguments) {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version come this way too, and say so by their code.
            let _unread = error.print();
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
            return exit.into();
        }
    };
    let output = Output::new(Context::verbosity(&cli.global), cli.global.no_color);
    let output = match cli.global.format {
        Format::Wide => output.uncut(),
        Format::Table | Format::Json | Format::Jsonl | Format::Name => output,
    };
    let exit = run(&cli, spoken, output).unwrap_or_else(|failure| {
        output.failure(&failure);
        failure.exit
    });
    exit.into()
}

/// What was asked for, and the words for the audit journal.
fn parse(arguments: Vec<OsString>) -> Result<(Cli, Vec<String>), clap::Error> {
    let mut command = Cli::command();
    let matches = command.try_get_matches_from_mut(arguments)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    Ok((cli, audit::spoken(&command, &matches)))
}

fn run(cli: &Cli, spoken: Vec<String>, output: Output) -> Result<Exit, Failure> {
    if let Some(exit) = commands::run_alone(cli, output)? {
        return Ok(exit);
    }
    let context = Context::new(&cli.global, spoken, output, Clock::start())?;
    let cannot = |error: std::io::Error| {
        Failure::new(Exit::Failed, format!("cannot begin to work: {error}"))
            .hint("is there memory left, and are file descriptors (ulimit -n)?")
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(cannot)?;
    let ended = runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
        let ends = !commands::takes_back(&cli.command);
        // What is left behind would stay until the next call. Under `nohup` it goes on.
        let hang_up = SignalKind::hangup();
        let mut gone = if ends && !environment::ignores(hang_up.as_raw_value()) {
            Some(signal(hang_up).map_err(cannot)?)
        } else {
            None
        };
        tokio::select! {
            ended = commands::run(&context, &cli.command) => ended,
            exit = told(&mut interrupt, SignalKind::interrupt()), if ends => Ok(exit),
            exit = told(&mut terminate, SignalKind::terminate()), if ends => Ok(exit),
            Some(exit) = async { Some(told(gone.as_mut()?, hang_up).await) } => Ok(exit),
        }
    });
    // A thread that hangs in a container's file system is left behind, not waited for.
    runtime.shutdown_background();
    match &ended {
        Ok(exit) => context.audit.finish(*exit, ""),
        Err(failure) => context.audit.finish(failure.exit, &failure.message),
    }
    ended
}

async fn told(signal: &mut Signal, kind: SignalKind) -> Exit {
    while signal.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
    Exit::Signal(u8::try_from(kind.as_raw_value()).unwrap_or(0))
}
