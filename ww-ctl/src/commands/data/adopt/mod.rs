//! `data adopt`.

mod again;
mod over;
mod wanted;

use std::path::{Path, PathBuf};

use super::create::{image, tell, with_what_is_left};
use super::gather::Host;
use super::local::{is_proven, rights};
use super::made::Made;
use super::{Context, place, shown};
use crate::audit;
use crate::cli::DataAdopt;
use crate::commands::interrupts::Interrupts;
use crate::data::{Kind, Record, Root};
use crate::engine::Engine;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use wanted::{Plan, Wanted};

pub(super) async fn run(context: &Context, arguments: &DataAdopt) -> Result<Exit, Failure> {
    context.may_change("adopt a data container")?;
    let wanted = Wanted::of(arguments)?;
    let (target, name) = place(context, &wanted.name)?;
    let mut interrupts = Interrupts::hear(context.output)?;
    let looks = async {
        let engine = Engine::connect(target, context.clock).await?;
        Host::through(target, engine).await
    };
    let host = interrupts.or(looks).await??;
    if !host.is_here {
        let message = format!("cannot adopt {name}: its data are on another machine");
        return Err(Failure::new(Exit::Refused, message).hint("call ww-ctl on that machine"));
    }
    let plan = wanted.plan(&host, name)?;
    if matches!(plan, Plan::Nothing) {
        context
            .output
            .say(&format!("{name} is one of ww-ctl already"));
        return tell(context, target, host.engine, name).await;
    }
    let entry = context
        .audit
        .begin("data adopt", vec![audit::Target::named(&target.name, name)]);
    let job = Job {
        context,
        host: &host,
        name,
        root: &wanted.root,
    };
    let mut made = Made::new(&host.engine);
    let done = job.perform(plan, &mut made, &mut interrupts).await;
    let said = match done {
        Ok(said) => said,
        Err(failure) => {
            let left = made.take_back().await;
            return Err(with_what_is_left(failure, &left));
        }
    };
    drop(made);
    entry.end(Exit::Done, "");
    for line in said {
        context.output.say(&clean(&line, 1000));
    }
    tell(context, target, host.engine, name).await
}

/// One that is to be adopted.
struct Job<'a> {
    context: &'a Context,
    host: &'a Host,
    name: &'a str,
    root: &'a Path,
}

impl Job<'_> {
    /// What is to be said when it is done.
    async fn perform(
        &self,
        plan: Plan,
        made: &mut Made<'_>,
        interrupts: &mut Interrupts,
    ) -> Result<Vec<String>, Failure> {
        interrupts.or(image(&self.host.engine)).await??;
        let root = Root::make(self.root)?;
        made.hold(root.lock()?);
        match plan {
            Plan::Nothing => Ok(Vec::new()),
            Plan::Again(record) => self.again(&root, *record, made, interrupts).await,
            Plan::Trashed(place) => self.trashed(&root, &place, made, interrupts).await,
            Plan::Directory(place) => self.in_place(&root, &place, made, interrupts).await,
            Plan::Volume(volume) => self.volume(&root, &volume, made, interrupts).await,
            Plan::Over(one) => self.over(&root, &one, made, interrupts).await,
        }
    }

    /// Makes the container, proves that it has what it is to have, and writes it down.
    async fn container(
        &self,
        root: &Root,
        mut record: Record,
        made: &mut Made<'_>,
        interrupts: &mut Interrupts,
    ) -> Result<(), Failure> {
        let id = interrupts
            .hold(made.container(&record.creation(true)))
            .await??;
        let engine = &self.host.engine;
        for mount in record
            .mounts
            .iter()
            .filter(|one| one.kind == Kind::Directory)
        {
            let place = PathBuf::from(&mount.source);
            let is_proven = is_proven(engine, &id, &mount.place, &place);
            if !interrupts.or(is_proven).await?? {
                return Err(super::create::elsewhere(&place));
            }
        }
        let Some(data) = record.data().filter(|one| one.kind == Kind::Directory) else {
            // A volume's own labels tell of it.
            return Ok(());
        };
        if let Some((owner, mode)) = rights(Path::new(&data.source)) {
            record.owner = Some(owner);
            record.mode = Some(mode);
        }
        made.record(root, &record)?;
        Ok(())
    }

    /// Those that name a container that is gone by its id: Docker keeps what they have mounted, and nothing that
    /// makes them again finds it.
    fn named_by_id(&self, is_old: impl Fn(&str) -> bool) -> Vec<String> {
        let all = self.host.seen.iter();
        let names = all.filter(|one| one.volumes_from.iter().any(|word| is_old(word)));
        names
            .map(|one| {
                format!(
                    "{} has `--volumes-from` with the old container's id: make it again with \
                     `--volumes-from {}`",
                    shown(&one.name),
                    self.name
                )
            })
            .collect()
    }
}
