//! The operator's tool: sees a fleet of whaleware containers live and acts on it safely.

mod agent;
mod cli;
mod clock;
mod commands;
mod demo;
mod engine;
mod environment;
mod exit;
mod fleet;
mod image;
mod output;
mod selection;
mod table;
mod tui;
mod units;
mod watch;

use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::Cli;
use crate::clock::Clock;
use crate::commands::Context;
use crate::exit::{Exit, Failure};
use crate::output::Output;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
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
    let exit = run(&cli, output).unwrap_or_else(|failure| {
        output.failure(&failure);
        failure.exit
    });
    exit.into()
}

fn run(cli: &Cli, output: Output) -> Result<Exit, Failure> {
    let context = Context::new(&cli.global, output, Clock::start())?;
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
        tokio::select! {
            ended = commands::run(&context, &cli.command) => ended,
            exit = told(&mut interrupt, SignalKind::interrupt()), if ends => Ok(exit),
            exit = told(&mut terminate, SignalKind::terminate()), if ends => Ok(exit),
        }
    });
    // A thread that hangs in a container's file system is left behind, not waited for.
    runtime.shutdown_background();
    ended
}

async fn told(signal: &mut Signal, kind: SignalKind) -> Exit {
    while signal.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
    Exit::Signal(u8::try_from(kind.as_raw_value()).unwrap_or(0))
}
