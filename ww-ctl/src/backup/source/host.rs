//! The directory itself, on this machine.

use std::fs::{File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::libc::{O_DIRECTORY, O_NOFOLLOW};
use ww_archive::pack::{PackOptions, pack};
use ww_archive::pattern::Patterns;
use ww_archive::{Entry, Problem, Watch, measure};

use super::{Gauge, Measured, Outlet, Problems, ReadReport, SourceError, place_in};
use crate::engine::{Backing, Engine, Inspected, Placed};
use crate::fleet::clean;

/// So often both sides are looked at: something may be made or removed in between.
const LOOKS: u32 = 3;
/// The most characters of a name.
const TEXT: usize = 256;

/// A directory of this machine that the Engine sees, too. It is held open: what its path leads to
/// later is of no interest.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    root: Arc<File>,
}

/// Opens it, or says why it is not read here.
///
/// # Errors
/// When the Engine cannot be asked.
pub(super) async fn find(
    engine: &Engine,
    members: &[Inspected],
    data: &Placed,
) -> Result<Result<Host, String>, SourceError> {
    if !nix::unistd::Uid::effective().is_root() {
        return Ok(Err("which only root may read whole".into()));
    }
    if !engine.is_here().await? {
        return Ok(Err("which is not the Engine's".into()));
    }
    let Some(path) = directory(engine, data).await? else {
        return Ok(Err("where its driver does not keep it".into()));
    };
    let root = match open(path.clone()).await {
        Ok(root) => root,
        Err(error) => return Ok(Err(format!("{}: {error}", path.display()))),
    };
    let mut having: Vec<(&Inspected, String)> = members
        .iter()
        .filter_map(|member| Some((member, place_in(member, data)?)))
        .collect();
    // Those that do not run are not held up by being asked.
    having.sort_by_key(|(member, _)| member.is_running());
    for (member, place) in &having {
        if !is_had(engine, member, place, &root).await? {
            let name = clean(member.name(), TEXT);
            let path = path.display();
            return Ok(Err(format!("{path}, which is not what {name} has")));
        }
    }
    let Some((member, place)) = having.first() else {
        return Ok(Err("which no container has mounted".into()));
    };
    // With mapped users the numbers on this side are not those of the containers.
    let owner = engine.beginning(member.id(), &format!("{place}/.")).await?;
    let found = root.metadata().map_err(SourceError::Output)?;
    if (owner.uid, owner.gid) != (found.uid(), found.gid()) {
        return Ok(Err("whose owners have other numbers there".into()));
    }
    Ok(Ok(Host {
        root: Arc::new(root),
    }))
}

/// Where it is on this machine, once it is proven that it is there and the users have the same numbers.
///
/// # Errors
/// When the Engine cannot be asked.
pub(crate) async fn place(
    engine: &Engine,
    members: &[Inspected],
    data: &Placed,
) -> Result<Result<PathBuf, String>, SourceError> {
    if let Err(reason) = find(engine, members, data).await? {
        return Ok(Err(reason));
    }
    let nowhere = "where its driver does not keep it";
    Ok(directory(engine, data).await?.ok_or_else(|| nowhere.into()))
}

/// Whether a container has it mounted. The Engine goes by the path anew whenever it is asked, even where one that
/// runs has another directory from before; so that one's own view is looked at.
async fn is_had(
    engine: &Engine,
    member: &Inspected,
    place: &str,
    root: &File,
) -> Result<bool, SourceError> {
    let id = member.id();
    if member.is_running() {
        let pid = engine.details(id).await?.pid;
        let place = place.to_owned();
        let looked = tokio::task::spawn_blocking(move || identity(pid?, &place));
        let found = root.metadata().map_err(SourceError::Output)?;
        return Ok(looked.await.ok().flatten() == Some((found.dev(), found.ino())));
    }
    for _ in 0..LOOKS {
        let found = root.metadata().map_err(SourceError::Output)?;
        if engine.sees(id, place, &found).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a process has at a place, as the kernel knows it.
fn identity(pid: i32, place: &str) -> Option<(u64, u64)> {
    let root = File::open(format!("/proc/{pid}/root")).ok()?;
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let inner = openat2(&root, place, how).ok()?;
    let found = File::from(inner).metadata().ok()?;
    Some((found.dev(), found.ino()))
}

async fn directory(engine: &Engine, data: &Placed) -> Result<Option<PathBuf>, SourceError> {
    Ok(match &data.backing {
        Backing::Directory(path) => Some(PathBuf::from(path)),
        Backing::Volume(name) => {
            let volume = engine.volume(name).await?;
            volume
                .and_then(|volume| volume.directory)
                .map(PathBuf::from)
        }
    })
}

/// On a thread of its own: what is mounted there may hang. A link at its end is not followed, somebody may
/// have put it there.
async fn open(path: PathBuf) -> std::io::Result<File> {
    let opened = tokio::task::spawn_blocking(move || {
        OpenOptions::new()
            .read(true)
            .custom_flags(O_DIRECTORY | O_NOFOLLOW)
            .open(path)
    });
    opened.await.unwrap_or_else(|error| Err(error.into()))
}

impl Host {
    pub(super) async fn measure(&self, exclude: Patterns) -> Result<Measured, SourceError> {
        let root = self.root.clone();
        let options = PackOptions { exclude };
        let walked = tokio::task::spawn_blocking(move || measure::measure(root.as_fd(), &options));
        let found = walked.await.map_err(|_| SourceError::Stopped)??;
        Ok(Measured {
            bytes: found.bytes,
            entries: found.entries,
        })
    }

    pub(super) async fn read(
        &self,
        exclude: Patterns,
        mut into: Outlet,
        gauge: Arc<Gauge>,
    ) -> Result<ReadReport, SourceError> {
        let root = self.root.clone();
        let options = PackOptions { exclude };
        let read = tokio::task::spawn_blocking(move || {
            let mut watch = Watching {
                gauge: &gauge,
                problems: Problems::default(),
            };
            let packed = pack(root.as_fd(), &options, &mut into, &mut watch)?;
            into.end().map_err(SourceError::Output)?;
            Ok(ReadReport {
                entries: packed.entries,
                bytes: packed.bytes,
                written: packed.written,
                problems: watch.problems,
            })
        });
        read.await.map_err(|_| SourceError::Stopped)?
    }
}

struct Watching<'a> {
    gauge: &'a Gauge,
    problems: Problems,
}

impl Watch for Watching<'_> {
    fn entry(&mut self, _entry: &Entry) {
        self.gauge.add(1, 0);
    }

    fn bytes(&mut self, count: u64) {
        self.gauge.add(0, count);
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.add(&problem);
    }

    fn is_over(&self) -> bool {
        self.gauge.is_stopped()
    }
}
