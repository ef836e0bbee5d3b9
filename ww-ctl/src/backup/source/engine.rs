//! The Engine's archive, made into one of ours.
//!
//! The Engine ends its archive in silence when a file gets shorter while it reads it, and says nothing of what goes
//! away or changes. So an end is wanted, and where there is none it is read again.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use tokio::sync::mpsc;
use whaleware::paths::LABEL_AGENT;
use ww_archive::pack::{PackError, Writer};
use ww_archive::pattern::Patterns;
use ww_archive::read::{Limits, ReadError, Reader};
use ww_archive::{Entry, Kind, Problem, ProblemKind};

use super::below::inside;
use super::spool::{Sent, UNDER_WAY};
use super::{Gauge, Outlet, Problems, ReadReport, SourceError, below, place_in};
use crate::engine::{Engine, Inspected, Placed};

/// So often an archive without an end is asked for again.
const ATTEMPTS: u32 = 3;
/// So much of a file is taken at a time.
const PIECE: usize = 128 * 1024;

/// A container that has the data mounted, running or not.
#[derive(Clone)]
pub(crate) struct Archive {
    engine: Engine,
    pub(super) id: String,
    place: String,
    /// What is mounted in it, below.
    mounts: Arc<[Vec<u8>]>,
}

/// Finds a container to read through, or says why there is none. One that only keeps data comes first: the
/// Engine lets nobody do anything with a container while its archive is read.
///
/// # Errors
/// When the Engine cannot be asked, or what is mounted is no directory.
pub(super) async fn find(
    engine: &Engine,
    members: &[Inspected],
    data: &Placed,
) -> Result<Result<Archive, String>, SourceError> {
    let mut able: Vec<(&Inspected, String)> = members
        .iter()
        .filter_map(|member| Some((member, place_in(member, data)?)))
        .collect();
    able.sort_by_key(|(member, _)| (member.is_running(), member.label(LABEL_AGENT).is_some()));
    let Some((member, place)) = able.into_iter().next() else {
        return Ok(Err("no container has it mounted".into()));
    };
    // A directory of that name may also be behind a link: so it is resolved, in the container.
    let sight = engine.sight(member.id(), &format!("{place}/.")).await?;
    if sight.is_none_or(|sight| !sight.is_directory) {
        return Err(PackError::NoDirectory.into());
    }
    // Memory is there only in a container that runs, and empty for the Engine even then.
    let found = below(std::slice::from_ref(member), &place);
    let mounts = found.mounts.iter().map(|placed| placed.place.as_str());
    let mounts = mounts.filter_map(|inner| Some(inside(inner, &place)?.as_bytes().to_vec()));
    Ok(Ok(Archive {
        engine: engine.clone(),
        id: member.id().to_owned(),
        mounts: mounts.collect(),
        place,
    }))
}

impl Archive {
    pub(super) async fn read(
        &self,
        exclude: Patterns,
        into: Outlet,
        gauge: &Arc<Gauge>,
    ) -> Result<ReadReport, SourceError> {
        match into {
            Outlet::File(file) => self.attempts(exclude, file, gauge).await,
            // It may have to begin again, so nothing is handed over before its end.
            Outlet::Feed(feed) => {
                let file = feed.file().map_err(SourceError::Output)?;
                let report = self.attempts(exclude, file, gauge).await?;
                let ended = feed.end_with_file(report.written);
                ended.map_err(SourceError::Output)?;
                Ok(report)
            }
        }
    }

    async fn attempts(
        &self,
        exclude: Patterns,
        mut into: File,
        gauge: &Arc<Gauge>,
    ) -> Result<ReadReport, SourceError> {
        let exclude = Arc::new(exclude);
        let begin = into.stream_position().map_err(SourceError::Output)?;
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            into.set_len(begin).map_err(SourceError::Output)?;
            let back = into.seek(SeekFrom::Start(begin));
            back.map_err(SourceError::Output)?;
            gauge.set(0, 0);
            let file = into.try_clone().map_err(SourceError::Output)?;
            match self.attempt(exclude.clone(), file, gauge).await {
                Err(SourceError::Cut(why)) => last = why,
                other => return other,
            }
        }
        Err(SourceError::Cut(format!(
            "{last}; {ATTEMPTS} times: files get shorter while the Engine reads them"
        )))
    }

    async fn attempt(
        &self,
        exclude: Arc<Patterns>,
        mut into: File,
        gauge: &Arc<Gauge>,
    ) -> Result<ReadReport, SourceError> {
        let (send, receive) = mpsc::channel(UNDER_WAY);
        let (mounts, watch) = (self.mounts.clone(), gauge.clone());
        let making = tokio::task::spawn_blocking(move || {
            let mut maker = Maker {
                exclude: &exclude,
                mounts: &mounts,
                gauge: &watch,
                problems: Problems::default(),
            };
            maker.make(Sent::new(receive), &mut into)
        });
        // The directory itself, not a link to it, and all names relative to it.
        let path = format!("{}/.", self.place);
        let given = tokio::select! {
            given = self.engine.give(&self.id, &path, send) => given,
            () = gauge.stopped() => return Err(SourceError::Stopped),
        };
        let made = making.await.map_err(|_| SourceError::Stopped)?;
        match (made, given) {
            // Without a place for it nothing else matters.
            (Err(error @ (SourceError::Pack(_) | SourceError::Output(_))), _)
            | (Err(error), Ok(_)) => Err(error),
            (_, Err(crate::engine::EngineError::Broken { reason, .. })) => {
                Err(SourceError::Cut(reason))
            }
            (_, Err(error)) => Err(error.into()),
            (Ok(report), Ok(_)) => Ok(report),
        }
    }
}

/// Makes the archive.
struct Maker<'a> {
    exclude: &'a Patterns,
    mounts: &'a [Vec<u8>],
    gauge: &'a Gauge,
    problems: Problems,
}

impl Maker<'_> {
    fn make(&mut self, sent: Sent, into: &mut File) -> Result<ReadReport, SourceError> {
        let mut reader = Reader::new(sent, Limits::default());
        let mut writer = Writer::new(into);
        let mut piece = vec![0; PIECE];
        while let Some(entry) = reader.next().map_err(|error| cut(&error))? {
            if self.gauge.is_stopped() {
                return Err(SourceError::Stopped);
            }
            if !self.takes(&entry) {
                continue;
            }
            writer.entry(&entry)?;
            self.gauge.add(1, 0);
            loop {
                let taken = match reader.read(&mut piece) {
                    Ok(0) => break,
                    Ok(taken) => taken,
                    Err(error) => return Err(SourceError::Cut(error.to_string())),
                };
                writer.content(&piece[..taken])?;
                self.gauge.add(0, taken as u64);
            }
        }
        reader.finish().map_err(|error| cut(&error))?;
        let packed = writer.end()?;
        Ok(ReadReport {
            entries: packed.entries,
            bytes: packed.bytes,
            written: packed.written,
            problems: std::mem::take(&mut self.problems),
        })
    }

    /// Whether an entry is wanted. What is not is told once, at its top.
    fn takes(&mut self, entry: &Entry) -> bool {
        if above(&entry.path).any(|top| self.left_out(top).is_some()) {
            return false;
        }
        match (self.left_out(&entry.path), &entry.kind) {
            (Some(ProblemKind::MountPoint), kind) => {
                let text = "another file system is mounted there, its files are not in here";
                self.problem(ProblemKind::MountPoint, entry, text);
                // The directory is there all the same.
                *kind == Kind::Directory
            }
            (Some(kind), _) => {
                self.problem(kind, entry, "matches a pattern");
                false
            }
            (None, Kind::HardLink { target }) if self.is_without(target) => {
                let text = "it is another name of what was left out, and the Engine gives it once";
                self.problem(ProblemKind::Missing, entry, text);
                false
            }
            (None, _) => true,
        }
    }

    /// Why a path is left out, whatever is above it.
    fn left_out(&self, path: &[u8]) -> Option<ProblemKind> {
        if self.exclude.matches(path) {
            Some(ProblemKind::Excluded)
        } else if self.mounts.iter().any(|mount| mount == path) {
            Some(ProblemKind::MountPoint)
        } else {
            None
        }
    }

    fn is_without(&self, path: &[u8]) -> bool {
        let mut all = above(path).chain([path]);
        all.any(|one| self.left_out(one).is_some())
    }

    fn problem(&mut self, kind: ProblemKind, entry: &Entry, text: &str) {
        self.problems.add(&Problem {
            kind,
            path: entry.path.clone(),
            text: text.to_owned(),
        });
    }
}

fn cut(error: &ReadError) -> SourceError {
    SourceError::Cut(crate::engine::chain(error))
}

/// The directories a path is in, the root apart.
fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    ends.map(|(end, _)| &path[..end])
}
