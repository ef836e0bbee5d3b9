//! `backup`: a group of containers is made to stand still, read, let go on, and what was read is kept.

pub(super) mod back;
mod chosen;
mod done;
mod encrypt;
mod hold;
mod job;
mod manifest;
mod metrics;
mod plan;
pub(super) mod progress;
mod repository;
mod script;
mod sealing;
mod sweep;
mod timer;

pub(super) use back::is_up;

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use self::chosen::{Chosen, choose};
use self::done::{Done, Report};
use self::job::Job;
use super::Context;
use super::interrupts::Interrupts;
use super::restore::left::settle;
use crate::audit::Target;
use crate::cli::Backup;
use crate::exit::{Exit, Failure};

pub(super) async fn run(context: &Context, arguments: &Backup) -> Result<Exit, Failure> {
    if arguments.install_timer {
        return timer::run(context, arguments).await;
    }
    if !arguments.dry_run {
        context.may_change("back up")?;
    }
    let mut interrupts = Interrupts::hear(context.output)?;
    interrupts
        .or(encrypt::check(&arguments.encrypt_to))
        .await??;
    interrupts.or(repository::check(arguments)).await??;
    let (mut all, mut exit) = interrupts
        .or(Box::pin(choose(context, arguments)))
        .await??;
    if !arguments.dry_run
        && interrupts
            .or(Box::pin(settle_restores(context, &all)))
            .await??
    {
        // What it had stopped runs again.
        (all, exit) = interrupts
            .or(Box::pin(choose(context, arguments)))
            .await??;
    }
    let mut report = Report::new(context);
    if arguments.dry_run {
        for chosen in &all {
            let stop = CancellationToken::new();
            let job = Job::new(context, arguments, chosen, stop);
            let done = interrupts.or(Box::pin(job.tell())).await?;
            report.add(done)?;
        }
        return report.end(exit);
    }
    interrupts
        .or(Box::pin(sweep::sweep(context, &all)))
        .await??;
    let acting = all.iter().flat_map(targets).collect();
    let entry = context.audit.begin("backup", acting);
    for chosen in &all {
        let done = Box::pin(one(context, arguments, chosen, &mut interrupts)).await?;
        for target in targets(chosen) {
            entry.so_far(done.result(target));
        }
        let is_over = matches!(done.exit, Exit::Signal(_));
        report.add(done)?;
        if is_over {
            break;
        }
    }
    let done = std::mem::take(&mut report.done);
    let mut exit = report.end(exit)?;
    if let Some(path) = arguments.metrics_file.clone() {
        let now = context.clock.now().wall;
        let written = apart(move || metrics::write(&path, &done, now)).await?;
        if let Err(failure) = written {
            context.output.failure(&failure);
            exit = exit.max(failure.exit);
        }
    }
    entry.end(exit, "");
    Ok(exit)
}

/// Data that a restore has exchanged in part are of no moment at all: what one that was killed has left is settled
/// before anything is read. Whether there was anything.
async fn settle_restores(context: &Context, all: &[Chosen]) -> Result<bool, Failure> {
    let mut engines = BTreeSet::new();
    let mut was_any = false;
    for one in all {
        if engines.insert(&one.identity.id) {
            let target = context.target(&one.host)?;
            match settle(context, target, &one.engine, &one.identity.id).await {
                Ok(was_one) => was_any |= was_one,
                // The others are backed up all the same.
                Err(failure) => {
                    context.output.failure(&failure);
                    was_any = true;
                }
            }
        }
    }
    Ok(was_any)
}

/// Backs one group up. At the first signal everything is brought back before this returns.
async fn one(
    context: &Context,
    arguments: &Backup,
    chosen: &Chosen,
    interrupts: &mut Interrupts,
) -> Result<Done, Failure> {
    let stop = CancellationToken::new();
    let job = Job::new(context, arguments, chosen, stop.clone());
    let mut work = Box::pin(job.run());
    let mut came = None;
    loop {
        tokio::select! {
            biased;
            number = interrupts.next() => {
                if came.is_some() {
                    return Err(Failure::new(Exit::Signal(number), "interrupted twice")
                        .hint("agents start services by themselves; the next `ww-ctl backup` does the rest"));
                }
                came = Some(number);
                stop.cancel();
                context.output.say("interrupted; bringing back what was stopped");
            }
            done = &mut work => {
                return Ok(match came {
                    Some(number) => done.interrupted(number),
                    None => done,
                });
            }
        }
    }
}

fn targets(chosen: &Chosen) -> Vec<Target> {
    let members = chosen.group.members.iter();
    let target = |member: &crate::backup::groups::Member| Target {
        host: chosen.host.to_string(),
        id: Some(member.id.clone()),
        name: member.name.clone(),
    };
    members.map(target).collect()
}

/// It was stopped by a signal.
fn stopped() -> Failure {
    Failure::new(Exit::Failed, "interrupted")
}

/// Waits for work on files, which may take long.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| gone(&error))
}

/// A thread did not do its work.
fn gone(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, format!("cannot go on: {error}"))
}
