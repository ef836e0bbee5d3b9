//! All that the Engines have to do with data.

use std::path::PathBuf;

use futures::future::join_all;
use whaleware::spelling::nearest;

use super::{Context, shown};
use crate::data::{DataContainer, Seen, survey};
use crate::engine::{Backing, Engine, EngineError, Target, Volume};
use crate::exit::{Exit, Failure};
use crate::watch::Absent;

/// One host, as far as data are concerned.
pub(super) struct Host {
    /// Which.
    pub target: Target,
    /// Its Engine.
    pub engine: Engine,
    /// Whether its directories are this machine's.
    pub is_here: bool,
    /// All its containers.
    pub seen: Vec<Seen>,
    /// Those that only keep data.
    pub kept: Vec<DataContainer>,
    /// All its volumes.
    pub volumes: Vec<Volume>,
}

impl Host {
    async fn look(target: &Target, context: &Context) -> Result<Self, EngineError> {
        let engine = Engine::connect(target, context.clock).await?;
        Self::through(target, engine).await
    }

    /// The same through an Engine that is reached already.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(super) async fn through(target: &Target, engine: Engine) -> Result<Self, EngineError> {
        let (containers, volumes, is_here) =
            futures::try_join!(engine.all_inspected(), engine.volumes(), engine.is_here())?;
        let seen: Vec<Seen> = containers.iter().map(Seen::of).collect();
        Ok(Self {
            target: target.clone(),
            kept: survey(&seen),
            engine,
            is_here,
            seen,
            volumes,
        })
    }

    /// The directory on the host in which something lies; none where that is not known.
    pub(super) fn directory(&self, backing: &Backing) -> Option<PathBuf> {
        match backing {
            Backing::Directory(path) => Some(PathBuf::from(path)),
            Backing::Volume(name) => {
                let volume = self.volumes.iter().find(|volume| volume.name == *name)?;
                volume.directory.as_ref().map(PathBuf::from)
            }
        }
    }
}

/// Looks at all hosts, and how it ends when all else goes well: with [`Exit::Engine`] when one did not
/// answer, which has been said then.
///
/// # Errors
/// When none answers.
pub(super) async fn hosts(context: &Context) -> Result<(Vec<Host>, Exit), Failure> {
    let looks = context
        .targets
        .iter()
        .map(|target| Host::look(target, context));
    let looked = join_all(looks).await;
    let mut hosts = Vec::new();
    let mut absent = Vec::new();
    for (target, looked) in context.targets.iter().zip(looked) {
        match looked {
            Ok(host) => hosts.push(host),
            Err(error) => absent.push(Absent {
                target: target.clone(),
                error,
            }),
        }
    }
    let exit = context.weigh(&context.targets, absent)?;
    Ok((hosts, exit))
}

/// The one data container that is meant by `NAME`, `HOST/NAME` or the beginning of its id.
///
/// # Errors
/// When there is none or several, or the only host it may be on does not answer.
pub(super) async fn find(
    context: &Context,
    wanted: &str,
) -> Result<(Host, DataContainer), Failure> {
    let (hosts, exit) = hosts(context).await?;
    let (host, name) = match wanted.rsplit_once('/') {
        Some((host, name)) => (Some(host), name),
        None => (None, wanted),
    };
    let may = |one: &Host| host.is_none_or(|host| &*one.target.name == host);
    let mut found: Vec<(Host, DataContainer)> = Vec::new();
    let mut names = Vec::new();
    let mut others = false;
    for host in hosts {
        names.extend(host.kept.iter().map(|one| one.seen.name.clone()));
        if !may(&host) {
            continue;
        }
        others |= host.seen.iter().any(|one| one.name == name);
        let is_meant = |one: &&DataContainer| one.seen.name == name || is_id(name, &one.seen.id);
        let one = host.kept.iter().find(is_meant).cloned();
        if let Some(one) = one {
            found.push((host, one));
        }
    }
    if found.len() > 1 {
        let all: Vec<String> = found
            .iter()
            .map(|(host, one)| format!("{}/{}", host.target.name, one.seen.name))
            .collect();
        let message = format!(
            "`{}` means {} containers: {}",
            shown(wanted),
            all.len(),
            all.join(", ")
        );
        return Err(Failure::new(Exit::Usage, message).hint("say which one, as HOST/NAME"));
    }
    if let Some(found) = found.pop() {
        return Ok(found);
    }
    Err(absent(wanted, name, &names, others, exit))
}

fn absent(wanted: &str, name: &str, names: &[String], is_other: bool, exit: Exit) -> Failure {
    let wanted = shown(wanted);
    if exit != Exit::Done {
        let message = format!("no data container `{wanted}` is on the hosts that answer");
        return Failure::new(exit, message).hint("it may be on one that did not answer; try again");
    }
    if is_other {
        let message = format!("`{wanted}` is a container that does more than keep data");
        return Failure::new(Exit::Absent, message)
            .hint("`ww-ctl data ls` shows those that only keep data");
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let message = format!("there is no data container `{wanted}`");
    let meant = nearest(name, &names).map_or_else(String::new, |meant| {
        format!("did you mean `{}`? ", shown(meant))
    });
    Failure::new(Exit::Absent, message).hint(format!(
        "{meant}`ww-ctl data ls` shows what there is; where only the container is gone, `ww-ctl data \
         adopt DIR` makes it again"
    ))
}

fn is_id(word: &str, id: &str) -> bool {
    word.len() >= 4 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) && id.starts_with(word)
}
