//! `data`: containers that only say where data lie.

mod adopt;
mod backed;
mod clone;
mod copying;
mod create;
mod doctor;
mod gather;
mod local;
mod ls;
mod made;
mod measure;
mod rm;
mod row;
mod show;
mod trash;

use std::path::{Path, PathBuf};

use whaleware::{env, paths};

use super::Context;
use crate::cli::Data;
use crate::data::{Root, RootError};
use crate::engine::{Engine, EngineError, Target, chain};
use crate::environment::variable;
use crate::exit::{Exit, Failure};
use crate::fleet::{clean, kept_for};
use crate::syntax::is_name;

/// The longest name: the directory, its record and what it is called in the trash have to fit.
const LONGEST_NAME: usize = 128;
/// The most characters shown of a name.
const SHOWN: usize = 200;

pub(super) async fn run(context: &Context, arguments: &Data) -> Result<Exit, Failure> {
    match arguments {
        Data::Create(arguments) => create::run(context, arguments).await,
        Data::Ls(arguments) => ls::run(context, arguments).await,
        Data::Show(arguments) => show::run(context, arguments).await,
        Data::Adopt(arguments) => adopt::run(context, arguments).await,
        Data::Clone(arguments) => clone::run(context, arguments).await,
        Data::Rm(arguments) => rm::run(context, arguments).await,
        Data::Doctor(arguments) => doctor::run(context, arguments).await,
    }
}

/// Makes a data container with a directory, and nothing in it.
///
/// # Errors
/// When it cannot be made: nothing of it is left then.
pub(super) async fn make(context: &Context, name: &str) -> Result<(), Failure> {
    let arguments = crate::cli::DataCreate {
        name: name.to_owned(),
        root: None,
        volume: false,
        owner: None,
        mode: None,
        seed: None,
        labels: Vec::new(),
    };
    create::make(context, &arguments).await.map(drop)
}

/// Takes back one that [`make`] has made, as long as nothing is in it.
///
/// # Errors
/// When something of it is left.
pub(super) async fn unmake(context: &Context, name: &str) -> Result<(), Failure> {
    let (target, name) = place(context, name)?;
    let root = Root::open(&root_path(None)?)?;
    let _lock = root.lock()?;
    root.vacant(name)?;
    let engine = Engine::connect(target, context.clock).await?;
    if let Some(one) = engine.inspected(name).await? {
        engine.discard(one.id()).await?;
    }
    let directory = root.place(name);
    std::fs::remove_dir(&directory).map_err(|error| {
        let directory = clean(&directory.to_string_lossy(), 500);
        Failure::new(Exit::Failed, format!("cannot remove {directory}: {error}"))
    })?;
    Ok(root.forget(name)?)
}

/// On which host, and under which name, a data container is to be made.
///
/// # Errors
/// When the name cannot be one, or it is not clear which host is meant.
fn place<'a, 'b>(context: &'a Context, wanted: &'b str) -> Result<(&'a Target, &'b str), Failure> {
    let (host, name) = match wanted.rsplit_once('/') {
        Some((host, name)) => (Some(host), name),
        None => (None, wanted),
    };
    check_name(name)?;
    let mut targets = context.targets.iter();
    let found = match host {
        Some(host) => targets.find(|target| &*target.name == host),
        None if context.has_several_hosts() => None,
        None => targets.next(),
    };
    found.map(|target| (target, name)).ok_or_else(|| {
        let all = context.targets.iter();
        let all: Vec<String> = all
            .map(|target| format!("{}/{name}", target.name))
            .collect();
        let message = format!("it is not clear on which host `{}` is meant", shown(wanted));
        Failure::new(Exit::Usage, message).hint(format!("say {}", all.join(" or ")))
    })
}

fn check_name(name: &str) -> Result<(), Failure> {
    if is_name(name) && name.len() <= LONGEST_NAME && kept_for(name).is_none() {
        return Ok(());
    }
    let message = format!("`{}` cannot be the name of a data container", shown(name));
    Err(Failure::new(Exit::Usage, message).hint(format!(
        "a name has letters, digits, _ . and -, from 2 to {LONGEST_NAME}, begins with a letter or \
         digit, and is none of those an upgrade gives (.ww-…)"
    )))
}

/// Whether a name is free among the containers of an Engine.
async fn free(engine: &Engine, what: &str, name: &str) -> Result<(), Failure> {
    // An Engine takes the beginning of an id for a name.
    let taken = engine.inspected(name).await?;
    let Some(taken) = taken.filter(|taken| taken.name() == name) else {
        return Ok(());
    };
    let message = format!("cannot {what} {name}: there is a container of that name");
    let hint = if taken.label(paths::LABEL_DATA).is_some() {
        format!("it keeps data already: `ww-ctl data show {name}`; nothing was changed")
    } else {
        format!(
            "`ww-ctl data adopt {name}` takes it over if it only keeps data; or take another name"
        )
    };
    Err(Failure::new(Exit::Refused, message).hint(hint))
}

/// The root directory that is meant: an option, the environment, or the usual one.
fn root_path(given: Option<&Path>) -> Result<PathBuf, Failure> {
    let path = given.map(Path::to_owned);
    let path = path.or_else(|| variable(env::WW_DATA_ROOT).map(PathBuf::from));
    let path = path.unwrap_or_else(|| PathBuf::from(paths::DATA_ROOT));
    crate::data::absolute(&path).map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("cannot tell where {} is: {error}", path.display()),
        )
    })
}

/// Waits for work on files, which may take long.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Failure::new(Exit::Failed, format!("cannot go on: {error}")))
}

fn shown(name: &str) -> String {
    clean(name, SHOWN)
}

impl From<RootError> for Failure {
    fn from(error: RootError) -> Self {
        let exit = match &error {
            RootError::Path { .. } | RootError::Odd { .. } => Exit::Refused,
            RootError::System { .. } => Exit::Failed,
            RootError::Locked { .. } => Exit::Locked,
        };
        let hint = match &error {
            RootError::Locked { .. } => Some("wait until it has ended"),
            RootError::System { source, .. }
                if source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                Some("directories of containers belong to root: try it with sudo, or use --volume")
            }
            RootError::Path { .. } => Some("name another one with --root DIR"),
            RootError::Odd { .. } | RootError::System { .. } => None,
        };
        let failure = Self::new(exit, clean(&chain(&error), 1000));
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// An Engine's failure with what was being done.
fn during(what: &str, error: EngineError) -> Failure {
    let failure = Failure::from(error);
    Failure {
        message: format!("cannot {what}: {}", failure.message),
        ..failure
    }
}
