//! `data rm`.

use std::path::{Path, PathBuf};

use super::backed::backed;
use super::copying::having;
use super::gather::{Host, find};
use super::trash::{self, path, print};
use super::{Context, apart, root_path, shown};
use crate::audit;
use crate::cli::DataRm;
use crate::commands::interrupts::Interrupts;
use crate::data::{DataContainer, Kind, Mode, Owner, Record, Recorded, Root, Trash};
use crate::exit::{Exit, Failure};
use crate::fleet::clean;

pub(super) async fn run(context: &Context, arguments: &DataRm) -> Result<Exit, Failure> {
    context.may_change("remove data")?;
    match &arguments.name {
        Some(name) if !arguments.purge => remove(context, arguments, name).await,
        name => purge(context, arguments, name.as_deref()).await,
    }
}

/// Removes for good what is in the trash.
async fn purge(context: &Context, arguments: &DataRm, name: Option<&str>) -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::hear(context.output)?;
    let place = root_path(arguments.root.as_deref())?;
    let mut all = trash::all(&place).await?;
    all.retain(|one| name.is_none_or(|name| one.name() == name || one.path().ends_with(name)));
    let Some(first) = all.first() else {
        let message = format!(
            "there is nothing{} in the trash of {}",
            name.map_or_else(String::new, |name| format!(" of {}", shown(name))),
            clean(&place.to_string_lossy(), 500)
        );
        if name.is_none() {
            print(context, &all, &message)?;
            return Ok(Exit::Done);
        }
        return Err(Failure::new(Exit::Absent, message)
            .hint("`ww-ctl data ls --trash` shows what there is"));
    };
    let root = first.root().clone();
    let paths: Vec<String> = all.iter().map(path).collect();
    let question = format!("remove for good {}", paths.join(", "));
    interrupts.or(context.confirm(&question)).await??;
    let entry = context.audit.begin("data purge", Vec::new());
    let _lock = root.lock()?;
    let gone = all.clone();
    let work = apart(move || gone.iter().try_for_each(Trash::destroy));
    interrupts.hold(work).await???;
    entry.end(Exit::Done, "");
    print(context, &all, "")?;
    Ok(Exit::Done)
}

async fn remove(context: &Context, arguments: &DataRm, name: &str) -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::hear(context.output)?;
    let (host, one) = interrupts.or(find(context, name)).await??;
    let name = one.seen.name.as_str();
    let directory = removable(&host, &one)?;
    at_rest(&host, &one, &directory)?;
    interrupts
        .or(kept_elsewhere(context, arguments, &host, &one))
        .await??;
    let targets = vec![audit::Target::named(&host.target.name, name)];
    let entry = context.audit.begin("data rm", targets);
    let root = root_of(arguments, &directory, name)?;
    let _lock = root.lock()?;
    let record = record(context, &root, &one, &directory)?;
    is_one_file_system(&root, &directory)?;
    // From now on nobody new can have its volumes.
    interrupts.hold(host.engine.discard(&one.seen.id)).await??;
    let again = format!(
        "the container is removed, its data are untouched; `ww-ctl data adopt {name} --from {}` \
         makes it again",
        clean(&directory.to_string_lossy(), 500)
    );
    let look = Host::through(&host.target, host.engine.clone());
    let now = interrupts.hold(look).await??;
    at_rest(&now, &one, &directory).map_err(|failure| failure.hint(again.clone()))?;
    let at = context.clock.now().wall;
    let put = {
        let root = root.clone();
        apart(move || Trash::put(&root, &record, &directory, at))
    };
    let put = interrupts.hold(put).await??;
    let put = put.map_err(|error| Failure::from(error).hint(again))?;
    root.forget(name)?;
    entry.end(Exit::Done, "");
    context.output.say(&format!(
        "`ww-ctl data adopt {name} --from {}` brings it back, `ww-ctl data rm --purge {name}` \
         removes it for good",
        path(&put)
    ));
    print(context, &[put], "")?;
    Ok(Exit::Done)
}

/// The directory, if it can be moved aside.
fn removable(host: &Host, one: &DataContainer) -> Result<PathBuf, Failure> {
    let name = shown(&one.seen.name);
    let refuse = |why: &str, hint: String| {
        let message = format!("cannot remove {name}: {why}");
        Err(Failure::new(Exit::Refused, message).hint(hint))
    };
    if !host.is_here {
        let hint = "call ww-ctl on that machine".to_owned();
        return refuse("its data are on another machine", hint);
    }
    if Kind::of(&one.data) != Kind::Directory {
        return refuse(
            "its data lie in a volume, which cannot be put aside",
            format!("`ww-ctl data adopt {name}` brings them into a directory"),
        );
    }
    let directory = host.directory(&one.data.backing).unwrap_or_default();
    if super::local::rights(&directory).is_none() {
        return refuse(
            &format!("{} is not there", clean(&directory.to_string_lossy(), 500)),
            format!("`docker rm {name}` if its data are gone for good"),
        );
    }
    Ok(directory)
}

/// Whoever has the data mounted, running or not, would have nothing there any more.
fn at_rest(host: &Host, one: &DataContainer, directory: &Path) -> Result<(), Failure> {
    let users = having(&host.seen, &one.data.backing, Some(directory));
    let names: Vec<String> = users
        .filter(|user| user.id != one.seen.id)
        .map(|user| shown(&user.name))
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let message = format!(
        "cannot remove {}: {} has its data mounted",
        shown(&one.seen.name),
        names.join(", ")
    );
    Err(Failure::new(Exit::Refused, message)
        .hint("remove those containers first: what they keep here goes to the trash"))
}

/// Without a backup that was verified it has to be said that none is wanted.
async fn kept_elsewhere(
    context: &Context,
    arguments: &DataRm,
    host: &Host,
    one: &DataContainer,
) -> Result<(), Failure> {
    let name = shown(&one.seen.name);
    if arguments.without_backup {
        let question = format!("remove {name}, whether there is a backup of it or not");
        return context.confirm(&question).await;
    }
    let names = vec![one.seen.name.clone()];
    let now = context.clock.now().wall;
    let (found, looked) = backed(host, arguments.vault.as_deref(), names, now).await?;
    if let Some(words) = found {
        // What has changed since is in no backup: how old it may be is for who removes to judge.
        context.output.say(&format!("backed up {words}"));
        return Ok(());
    }
    let looked: Vec<String> = looked
        .iter()
        .map(|path| clean(&path.to_string_lossy(), 500))
        .collect();
    let place = if looked.is_empty() {
        "no vault is known".to_owned()
    } else {
        format!("looked into {}", looked.join(", "))
    };
    let message = format!("cannot remove {name}: there is no verified backup of it ({place})");
    Err(Failure::new(Exit::Refused, message).hint(format!(
        "`ww-ctl backup {name} --to DIR` and `ww-ctl backups verify {name} --from DIR`, then --vault \
         DIR; or --yes --without-backup"
    )))
}

/// Where it is remembered, else the one that was named.
fn root_of(arguments: &DataRm, directory: &Path, name: &str) -> Result<Root, Failure> {
    let beside = directory
        .parent()
        .and_then(|parent| Root::open(parent).ok());
    if let Some(root) = beside
        && root.remembered().contains(name)
    {
        return Ok(root);
    }
    Ok(Root::make(&root_path(arguments.root.as_deref())?)?)
}

/// What it takes to make it again.
fn record(
    context: &Context,
    root: &Root,
    one: &DataContainer,
    directory: &Path,
) -> Result<Record, Failure> {
    let name = one.seen.name.as_str();
    let mut record = root.recall(name)?.unwrap_or_else(|| {
        let mut record = Record::new(name, context.clock.now().wall, &context.by);
        record.labels.extend(one.seen.labels.iter().cloned());
        record.mounts = one.seen.placed.iter().map(Recorded::of).collect();
        record
    });
    let rights = super::local::rights(directory);
    record.owner = rights.map(|(owner, _): (Owner, Mode)| owner);
    record.mode = rights.map(|(_, mode)| mode);
    Ok(record)
}

fn is_one_file_system(root: &Root, directory: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| std::fs::metadata(path).map(|found| found.dev()).ok();
    if device(root.path()) == device(directory) {
        return Ok(());
    }
    let message = format!(
        "cannot put {} aside: the trash of {} is on another file system",
        clean(&directory.to_string_lossy(), 500),
        clean(&root.text(), 500)
    );
    Err(Failure::new(Exit::Refused, message).hint("name a root on the same one with --root DIR"))
}
