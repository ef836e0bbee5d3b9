//! Keeping a group still while its data are read.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use whaleware::lifecycle::Moment;
use whaleware::protocol::FromAgent;

use super::Context;
use super::back::{bring_back, is_up};
use super::chosen::Chosen;
use super::plan::Plan;
use super::progress::Progress;
use crate::agent::{Lease, Quiet, Reach, ReachError, StepError};
use crate::backup::journal::{Entry, How, Journal, Touched, UnderWay};
use crate::cli::Backup;
use crate::engine::{Engine, chain};
use crate::exit::{Exit, Failure};
use crate::fleet::clean;

/// How long is waited for a container that is not UP at first.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long is watched after a signal.
const LAST: Duration = Duration::from_secs(5);
/// Between two attempts.
const AGAIN: Duration = Duration::from_millis(500);

/// A group that stands still.
pub(super) struct Hold<'a> {
    chosen: &'a Chosen,
    quiets: Vec<(Touched, Quiet)>,
    frozen: Vec<Touched>,
    /// One whose agent has been asked, and has not told how it ended.
    asked: Option<Touched>,
    entry: Option<Entry>,
    since: Moment,
}

/// What became of it.
#[derive(Debug, Default)]
pub(super) struct Released {
    /// Those that were not still all the time, and why.
    pub lapsed: Vec<String>,
    /// Those that are not back, and why.
    pub missing: Vec<String>,
    /// How long services were not UP; none where none went down.
    pub outage: Option<Duration>,
}

/// Where backups under way are written down.
///
/// # Errors
/// When there is no place for it.
pub(super) fn journal(context: &Context) -> Result<Journal, Failure> {
    let audit = context.audit.path().map(Journal::beside);
    audit.ok_or_else(|| {
        let message = "cannot write down what is about to be stopped: there is no place for it";
        Failure::new(Exit::Failed, message).hint("set HOME, or WW_AUDIT_FILE")
    })
}

/// Writes down what is about to be touched.
///
/// # Errors
/// When that is not on the disk.
pub(super) fn write_down(
    context: &Context,
    chosen: &Chosen,
    touched: Vec<Touched>,
) -> Result<Entry, Failure> {
    let journal = journal(context)?;
    let (at, engine) = (context.clock.now().wall, &chosen.identity.id);
    let mut under_way = UnderWay::new(at, &context.by, engine, &chosen.host, &chosen.group.name);
    under_way.touched = touched;
    journal.begin(under_way).map_err(|error| {
        let words = clean(&chain(&error), 1000);
        let message = format!("cannot write down what is about to be stopped: {words}");
        Failure::new(Exit::Failed, message)
            .hint("nothing was stopped; WW_AUDIT_FILE names a file in another directory")
    })
}

/// Stops what is to be stopped, one after the other. Where one cannot be, all are let go again.
///
/// # Errors
/// When the group cannot be made to stand still.
pub(super) async fn hold<'a>(
    context: &Context,
    arguments: &Backup,
    chosen: &'a Chosen,
    plan: &Plan,
    stop: &CancellationToken,
    progress: &mut Progress,
) -> Result<Hold<'a>, Failure> {
    let touched = plan.touched();
    let entry = if touched.is_empty() {
        None
    } else {
        Some(write_down(context, chosen, touched.clone())?)
    };
    let mut hold = Hold {
        chosen,
        quiets: Vec::new(),
        frozen: Vec::new(),
        asked: None,
        entry,
        since: context.clock.now().moment,
    };
    let (quiesced, paused): (Vec<Touched>, Vec<Touched>) = touched
        .into_iter()
        .partition(|one| one.how == How::Quiesced);
    for one in quiesced {
        let what = format!("{} goes down", clean(&one.name, 200));
        let lease = Lease {
            most: arguments.max_down,
            patience: arguments.max_down,
            by: &context.by,
        };
        let work = quiesce(&chosen.engine, &one, lease);
        let done = progress
            .during(&what, None, stop.run_until_cancelled(work))
            .await;
        if !matches!(done, Some(Err(Unstill { unknown: false, .. }))) {
            hold.asked = Some(one.clone());
        }
        match done.unwrap_or_else(|| Err(super::stopped().into())) {
            Ok(quiet) => {
                hold.asked = None;
                let (name, until) = (clean(&one.name, 200), quiet.report().until);
                progress.detail(&format!("{name} is down, until {until} at the latest"));
                hold.quiets.push((one, quiet));
            }
            Err(Unstill { failure, .. }) => {
                return Err(hold
                    .give_up(context, arguments, failure, stop, progress)
                    .await);
            }
        }
    }
    for one in paused {
        if let Err(error) = chosen.engine.pause(&one.id).await {
            let failure = Failure::from(error);
            return Err(hold
                .give_up(context, arguments, failure, stop, progress)
                .await);
        }
        hold.frozen.push(one);
    }
    if stop.is_cancelled() {
        return Err(hold
            .give_up(context, arguments, super::stopped(), stop, progress)
            .await);
    }
    Ok(hold)
}

/// Why one does not stand still.
struct Unstill {
    failure: Failure,
    /// Whether its services may have been stopped all the same.
    unknown: bool,
}

impl From<Failure> for Unstill {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            unknown: true,
        }
    }
}

async fn quiesce(engine: &Engine, one: &Touched, lease: Lease<'_>) -> Result<Quiet, Unstill> {
    let reach = Reach::new(engine.clone());
    let name = clean(&one.name, 200);
    let deadline = Instant::now() + PATIENCE;
    loop {
        // One that is not UP yet may be on its way back from a backup that was killed.
        let tries = Instant::now() < deadline;
        match reach.connect(&one.id).await {
            Ok(session) => match session.quiesce(lease, &mut |_: &FromAgent| {}).await {
                Ok(quiet) => return Ok(quiet),
                Err(StepError::Refused(_) | StepError::Lapsed(_)) if tries => {}
                Err(error) => {
                    let unknown = !matches!(error, StepError::Busy(_) | StepError::Refused(_));
                    let failure = refused(&name, &error);
                    return Err(Unstill { failure, unknown });
                }
            },
            Err(ReachError::NotListening) if tries => {}
            Err(error) => {
                let message = format!("cannot reach the agent of {name}: {error}");
                let failure = Failure::new(Exit::Failed, message);
                let unknown = false;
                return Err(Unstill { failure, unknown });
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

impl Hold<'_> {
    /// Waits until one of those that are down is not any more, and says why. Nothing is lost when the call is given
    /// up.
    pub(super) async fn ended(&mut self) -> String {
        let all = self.quiets.iter_mut();
        let all: Vec<_> = all.map(|(_, quiet)| Box::pin(quiet.ended())).collect();
        if all.is_empty() {
            return std::future::pending().await;
        }
        futures::future::select_all(all).await.0
    }

    async fn give_up(
        self,
        context: &Context,
        arguments: &Backup,
        failure: Failure,
        stop: &CancellationToken,
        progress: &mut Progress,
    ) -> Failure {
        let released = self.release(context, arguments, stop, progress).await;
        with_missing(failure, &released.missing)
    }

    /// Lets all go on again, the last one first, and watches until they are back.
    pub(super) async fn release(
        mut self,
        context: &Context,
        arguments: &Backup,
        stop: &CancellationToken,
        progress: &mut Progress,
    ) -> Released {
        let engine = &self.chosen.engine;
        let mut released = Released::default();
        for one in self.frozen.iter().rev() {
            match bring_back(engine, one).await {
                Ok(_) => {}
                Err(error) => progress.warn(&format!("cannot unpause {}: {error}", one.name)),
            }
        }
        let went_down = !self.quiets.is_empty();
        let mut resumed = Vec::new();
        while let Some((one, quiet)) = self.quiets.pop() {
            if let Err(error) = quiet.resume().await {
                released
                    .lapsed
                    .push(format!("{}: {error}", clean(&one.name, 200)));
            }
            resumed.push(one);
        }
        resumed.extend(self.asked.take());
        let mut all_thawed = true;
        for one in resumed.iter().chain(&self.frozen) {
            let name = clean(&one.name, 200);
            let what = format!("{name} is coming back");
            let coming = is_up(engine, one, arguments.timeout);
            let coming = until_stopped(stop, coming);
            if let Some(Err(why)) = progress.during(&what, None, coming).await {
                all_thawed &= one.how != How::Paused;
                released.missing.push(format!("{name}: {why}"));
            }
        }
        let outage = context.clock.now().moment - self.since;
        released.outage = went_down.then_some(outage);
        if let Some(entry) = self.entry.take().filter(|_| all_thawed)
            && let Err(error) = entry.end()
        {
            progress.warn(&chain(&error));
        }
        released
    }
}

/// Watches for some time after a signal, too: what was killed has to be started, and then comes by itself.
async fn until_stopped<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    let mut work = Box::pin(work);
    tokio::select! {
        biased;
        done = &mut work => return Some(done),
        () = stop.cancelled() => {}
    }
    tokio::time::timeout(LAST, work).await.ok()
}

/// A failure, with those that are not back besides.
pub(super) fn with_missing(failure: Failure, missing: &[String]) -> Failure {
    if missing.is_empty() {
        return failure;
    }
    let message = format!("{}; and not back: {}", failure.message, missing.join("; "));
    Failure { message, ..failure }
}

/// What a refusal means.
pub(super) fn refused(name: &str, error: &StepError) -> Failure {
    let exit = if matches!(error, StepError::Busy(_)) {
        Exit::Locked
    } else {
        Exit::Failed
    };
    let failure = Failure::new(exit, format!("cannot stop the services of {name}: {error}"));
    match error {
        StepError::Busy(_) => failure.hint("wait until that has ended"),
        StepError::Refused(_) => failure.hint(format!(
            "only what is UP can be stopped and started again; `ww-ctl show {name}` tells what it \
             is at; --live reads the data as they are"
        )),
        StepError::Lapsed(_)
        | StepError::Cut(_)
        | StepError::Forbidden(_)
        | StepError::Unknown
        | StepError::Other { .. }
        | StepError::Overdue(_)
        | StepError::Session(_) => failure.hint("--live reads the data with the services up"),
    }
}
