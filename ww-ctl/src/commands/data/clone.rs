//! `data clone`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::pin;
use whaleware::paths::{DATA, LABEL_DATA};

use super::copying::{copied, having};
use super::create::{elsewhere, image, tell, with_what_is_left};
use super::gather::{Host, find};
use super::local::{is_proven, rights};
use super::made::Made;
use super::{Context, check_name, free, root_path, shown};
use crate::agent::{Lease, Quiet, Reach};
use crate::audit;
use crate::backup::journal::{How, Touched};
use crate::cli::DataClone;
use crate::commands::backup::is_up;
use crate::commands::interrupts::Interrupts;
use crate::data::{DataContainer, Kind, Record, Recorded, Root, Seen, Standing};
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::units::{duration, size};

/// The longest time services are held down.
const MOST: Duration = Duration::from_secs(3600);
/// How long they may take to stop, and to be UP again.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) async fn run(context: &Context, arguments: &DataClone) -> Result<Exit, Failure> {
    context.may_change("clone data")?;
    let name = arguments.new.as_str();
    check_name(name)?;
    let mut interrupts = Interrupts::hear(context.output)?;
    let (host, one) = interrupts.or(find(context, &arguments.name)).await??;
    interrupts.or(free(&host.engine, "make", name)).await??;
    let Some(from) = host.directory(&one.data.backing).filter(|_| host.is_here) else {
        let message = format!(
            "cannot clone {}: its data are no directory of this machine",
            shown(&one.seen.name)
        );
        return Err(Failure::new(Exit::Refused, message).hint("call ww-ctl on that machine"));
    };
    let writers = if arguments.live {
        Vec::new()
    } else {
        writers(&host, &one, &from)?
    };
    let job = Job {
        context,
        arguments,
        host: &host,
        one: &one,
        from: from.clone(),
    };
    let target = host.target.clone();
    let targets = vec![audit::Target::named(&target.name, name)];
    let entry = context.audit.begin("data clone", targets);
    let mut made = Made::new(&host.engine);
    let done = Box::pin(job.perform(&writers, &mut made, &mut interrupts)).await;
    let back = match done {
        Ok(back) => back,
        Err(failure) => {
            let left = made.take_back().await;
            return Err(with_what_is_left(failure, &left));
        }
    };
    drop(made);
    entry.end(back, "");
    let told = tell(context, &target, host.engine, name).await?;
    Ok(told.max(back))
}

/// Those that may write to it now. Without an agent nobody can make one stand still.
fn writers<'a>(
    host: &'a Host,
    one: &'a DataContainer,
    from: &'a Path,
) -> Result<Vec<&'a Seen>, Failure> {
    let all = having(&host.seen, &one.data.backing, Some(from));
    let all: Vec<&Seen> = all
        .filter(|user| user.standing == Standing::Running && user.id != one.seen.id)
        .filter(|user| user.placed.iter().any(|placed| placed.writable))
        .collect();
    let without: Vec<String> = all
        .iter()
        .filter(|user| !user.has_agent)
        .map(|user| shown(&user.name))
        .collect();
    if without.is_empty() {
        return Ok(all);
    }
    let names = without.join(", ");
    let message = format!(
        "cannot clone {}: {names} may write to it, and has no agent that stops that for a while",
        shown(&one.seen.name)
    );
    Err(Failure::new(Exit::Refused, message).hint(format!(
        "`docker stop {}` first; or --live for a copy of what changes meanwhile",
        without.join(" ")
    )))
}

struct Job<'a> {
    context: &'a Context,
    arguments: &'a DataClone,
    host: &'a Host,
    one: &'a DataContainer,
    from: PathBuf,
}

impl Job<'_> {
    /// How it ends as far as those are concerned that were stopped for it.
    async fn perform(
        &self,
        writers: &[&Seen],
        made: &mut Made<'_>,
        interrupts: &mut Interrupts,
    ) -> Result<Exit, Failure> {
        let name = self.arguments.new.as_str();
        interrupts.or(image(&self.host.engine)).await??;
        let root = Root::make(&root_path(self.arguments.root.as_deref())?)?;
        made.hold(root.lock()?);
        if root.remembered().contains(name) {
            let message = format!("cannot make {name}: another one of that name is remembered");
            return Err(Failure::new(Exit::Refused, message)
                .hint(format!("`ww-ctl data adopt {name}` makes that one again")));
        }
        root.vacant(name)?;
        let stage = root.stage(name)?;
        made.staged(stage.clone());
        let back = self.copy(writers, stage.clone(), interrupts).await?;
        let place = root.settle(&stage, name)?;
        made.settled(&stage, place.clone());
        let mut record = self.record(&root, &place);
        let id = interrupts
            .hold(made.container(&record.creation(true)))
            .await??;
        let is_proven = is_proven(&self.host.engine, &id, DATA, &place);
        if !interrupts.or(is_proven).await?? {
            return Err(elsewhere(&place));
        }
        if let Some((owner, mode)) = rights(&place) {
            record.owner = Some(owner);
            record.mode = Some(mode);
        }
        made.record(&root, &record)?;
        Ok(back)
    }

    fn record(&self, root: &Root, place: &Path) -> Record {
        let now = self.context.clock.now().wall;
        let mut record = Record::new(&self.arguments.new, now, &self.context.by);
        let labels = self.one.seen.labels.iter();
        let theirs = labels.filter(|(key, _)| !key.starts_with(LABEL_DATA));
        record.labels.extend(theirs.cloned());
        record.note("root", root.text());
        record.note("cloned-from", self.one.seen.name.clone());
        record.mounts.push(Recorded {
            place: DATA.to_owned(),
            kind: Kind::Directory,
            source: place.to_string_lossy().into_owned(),
            read_only: false,
        });
        record
    }

    /// Copies while those that write are held down, who are up again when this returns.
    async fn copy(
        &self,
        writers: &[&Seen],
        stage: PathBuf,
        interrupts: &mut Interrupts,
    ) -> Result<Exit, Failure> {
        let output = self.context.output;
        let since = self.context.clock.now().moment;
        let mut quiets = Vec::new();
        for one in writers {
            output.say(&format!("{} goes down", shown(&one.name)));
            // One that is let go of comes back by itself.
            quiets.push(interrupts.or(self.quiesce(one)).await??);
        }
        let done = {
            let work = copied(self.from.clone(), stage, self.arguments.live, interrupts);
            pin!(work);
            tokio::select! {
                biased;
                done = &mut work => done,
                words = ended(&mut quiets) => {
                    // It cannot be given up half-way.
                    let _partial = work.await;
                    let message = format!("the copy is not of one moment: {words}");
                    Err(Failure::new(Exit::Failed, message).hint("try it again, or use --live"))
                }
            }
        };
        let mut back = Exit::Done;
        let mut lapsed = None;
        for (one, quiet) in writers.iter().zip(quiets) {
            if let Err(error) = quiet.resume().await {
                lapsed = Some(format!("{}: {error}", shown(&one.name)));
            }
            back = back.max(self.comes_back(one).await);
        }
        if !writers.is_empty() {
            let out = self.context.clock.now().moment - since;
            output.say(&format!("services were down for {}", duration(out)));
        }
        let (copied, changed) = done?;
        if let Some(words) = lapsed {
            let message = format!("the copy is not of one moment: {words}");
            return Err(Failure::new(Exit::Failed, message).hint("try it again, or use --live"));
        }
        for line in &changed {
            output.warn(&format!("changed meanwhile: {}", clean(line, 500)));
        }
        output.say(&format!(
            "copied {} entries, {}",
            copied.entries,
            size(copied.bytes)
        ));
        Ok(back)
    }

    async fn quiesce(&self, one: &Seen) -> Result<Quiet, Failure> {
        let name = shown(&one.name);
        let fail = |why: String| {
            let message = format!("cannot stop the services of {name}: {why}");
            Failure::new(Exit::Failed, message)
                .hint("--live copies the data with the services up; or stop it first")
        };
        let session = Reach::new(self.host.engine.clone()).connect(&one.id).await;
        let session = session.map_err(|error| fail(error.to_string()))?;
        let lease = Lease {
            most: MOST,
            patience: PATIENCE,
            by: &self.context.by,
        };
        let quiet = session.quiesce(lease, &mut |_| {}).await;
        quiet.map_err(|error| fail(error.to_string()))
    }

    async fn comes_back(&self, one: &Seen) -> Exit {
        let touched = Touched {
            id: one.id.clone(),
            name: one.name.clone(),
            how: How::Quiesced,
            directory: None,
        };
        match is_up(&self.host.engine, &touched, PATIENCE).await {
            Ok(()) => Exit::Done,
            Err(why) => {
                let name = shown(&one.name);
                self.context
                    .output
                    .warn(&format!("{name} is not back: {}", clean(&why, 500)));
                Exit::Down
            }
        }
    }
}

/// Waits until one of them is not held down any more.
async fn ended(quiets: &mut [Quiet]) -> String {
    let all: Vec<_> = quiets
        .iter_mut()
        .map(|quiet| Box::pin(quiet.ended()))
        .collect();
    if all.is_empty() {
        return std::future::pending().await;
    }
    futures::future::select_all(all).await.0
}
