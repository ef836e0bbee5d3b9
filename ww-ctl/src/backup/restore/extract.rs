//! The content of a backup as files.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use ww_archive::pack::{PackError, PackOptions, pack};
use ww_archive::read::{Limits, ReadError, Reader};
use ww_archive::unpack::{UnpackError, UnpackOptions, Unpacked, unpack};
use ww_archive::{Entry, Problem, ProblemKind, Watch};

use crate::backup::source::Gauge;
use crate::backup::vault::{Ahead, HOOK, PartKind, Set, VaultError, reader};
use crate::fleet::clean;

/// So many problems are listed.
const LISTED: usize = 20;
/// More files than this that are not as they were are too many to be compared.
const MOST: usize = 1_000_000;
/// The most characters of one.
const TEXT: usize = 400;

/// What is extracted, and how.
pub(crate) struct Wanted<'a> {
    /// The backup.
    pub set: &'a Set,
    /// Which of its parts.
    pub part: usize,
    /// What decrypts it.
    pub identity: Option<&'a Path>,
    /// Only these paths, and what is below them.
    pub only: Option<Vec<Vec<u8>>>,
    /// Devices are made.
    pub devices: bool,
}

/// What was extracted.
#[derive(Debug, Default)]
pub(crate) struct Extracted {
    /// How much.
    pub unpacked: Unpacked,
    /// How often what could not be done as it should have been.
    pub counts: BTreeMap<&'static str, u64>,
    /// The first of it.
    pub listed: Vec<String>,
    /// Those that are therefore not as the list has them.
    pub spared: HashSet<Vec<u8>>,
    /// Those of them that are not there at all.
    pub absent: HashSet<Vec<u8>>,
}

/// Why it was not extracted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExtractError {
    /// The vault has it no more, or not as it was.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The backup is damaged.
    #[error("the backup is damaged")]
    Damaged(#[source] ReadError),
    /// What follows it is damaged.
    #[error("the backup is damaged")]
    Tail(#[source] io::Error),
    /// It cannot be put there.
    #[error(transparent)]
    Unpack(UnpackError),
    /// What a script wrote cannot be read.
    #[error("cannot read what the script wrote")]
    Pack(#[from] PackError),
    /// There is no thread to decode it.
    #[error("cannot begin to decode it")]
    Thread(#[source] io::Error),
    /// More is not as it was than can be kept in mind.
    #[error("more than {MOST} files cannot be made as they were")]
    TooMany,
    /// It was stopped.
    #[error("interrupted")]
    Stopped,
}

impl ExtractError {
    /// Whether it is the backup's fault.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_)
            | Self::Tail(_)
            | Self::Unpack(UnpackError::Order { .. })
            | Self::Vault(VaultError::Broken { .. } | VaultError::Odd { .. }) => true,
            Self::Vault(VaultError::System { source, .. }) => {
                source.kind() == io::ErrorKind::NotFound
            }
            Self::Vault(_)
            | Self::Unpack(_)
            | Self::Pack(_)
            | Self::Thread(_)
            | Self::TooMany
            | Self::Stopped => false,
        }
    }

    /// Whether there is no room left.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Unpack(UnpackError::Write { source, .. })
            if source.kind() == io::ErrorKind::StorageFull || source.kind() == io::ErrorKind::QuotaExceeded)
    }
}

impl From<UnpackError> for ExtractError {
    fn from(error: UnpackError) -> Self {
        match error {
            UnpackError::Read(error) => Self::Damaged(error),
            UnpackError::Stopped => Self::Stopped,
            error @ (UnpackError::NotEmpty
            | UnpackError::Target(_)
            | UnpackError::Write { .. }
            | UnpackError::Order { .. }) => Self::Unpack(error),
        }
    }
}

/// Makes the files of a part in an empty directory. When this returns all of the backup was as it was written.
///
/// # Errors
/// When it was not, or they cannot be made. What was made by then is of no use.
pub(crate) fn extract(
    wanted: &Wanted<'_>,
    target: BorrowedFd<'_>,
    gauge: &Gauge,
) -> Result<Extracted, ExtractError> {
    let part = wanted.set.manifest.parts.get(wanted.part);
    let is_tree = part.is_some_and(|part| part.kind == PartKind::Hook && part.payload.file == HOOK);
    if is_tree {
        return copy(wanted, target, gauge);
    }
    // Files are made meanwhile.
    let content = reader(wanted.set, wanted.part, wanted.identity)?;
    let mut content = Ahead::of(content).map_err(ExtractError::Thread)?;
    let extracted = from(&mut content, wanted, target, gauge)?;
    // What is behind the archive belongs to what was written.
    io::copy(&mut content, &mut io::sink()).map_err(ExtractError::Tail)?;
    Ok(extracted)
}

fn from<R: Read>(
    content: R,
    wanted: &Wanted<'_>,
    target: BorrowedFd<'_>,
    gauge: &Gauge,
) -> Result<Extracted, ExtractError> {
    let options = UnpackOptions {
        devices: wanted.devices,
        only: wanted.only.clone(),
        owners: true,
    };
    let mut watching = Watching {
        gauge,
        extracted: Extracted::default(),
        too_many: false,
    };
    let unpacked = unpack(
        Reader::new(content, Limits::default()),
        target,
        &options,
        &mut watching,
    );
    if watching.too_many {
        return Err(ExtractError::TooMany);
    }
    let mut extracted = watching.extracted;
    extracted.unpacked = unpacked?;
    Ok(extracted)
}

/// What a script wrote lies in the vault as files.
fn copy(
    wanted: &Wanted<'_>,
    target: BorrowedFd<'_>,
    gauge: &Gauge,
) -> Result<Extracted, ExtractError> {
    let tree = wanted.set.tree()?;
    let (from_tree, mut into) = io::pipe().map_err(ExtractError::Tail)?;
    std::thread::scope(|scope| {
        let packing = scope.spawn(move || {
            let mut watching = Silent(gauge);
            pack(
                tree.fd().as_fd(),
                &PackOptions::default(),
                &mut into,
                &mut watching,
            )
        });
        let extracted = from(from_tree, wanted, target, gauge);
        let packed = packing.join();
        let extracted = extracted?;
        match packed {
            Ok(packed) => drop(packed?),
            Err(_) => return Err(ExtractError::Stopped),
        }
        Ok(extracted)
    })
}

struct Watching<'a> {
    gauge: &'a Gauge,
    extracted: Extracted,
    too_many: bool,
}

impl Watch for Watching<'_> {
    fn entry(&mut self, _: &Entry) {
        self.gauge.add(1, 0);
    }

    fn bytes(&mut self, count: u64) {
        self.gauge.add(0, count);
    }

    fn problem(&mut self, problem: Problem) {
        let extracted = &mut self.extracted;
        *extracted.counts.entry(problem.kind.name()).or_default() += 1;
        if extracted.listed.len() < LISTED {
            let path = String::from_utf8_lossy(&problem.path).into_owned();
            let words = format!("{path}: {}", problem.text);
            extracted.listed.push(clean(&words, TEXT));
        }
        if extracted.spared.len() == MOST {
            self.too_many = true;
            return;
        }
        if matches!(
            problem.kind,
            ProblemKind::DeviceSkipped | ProblemKind::Missing
        ) {
            extracted.absent.insert(problem.path.clone());
        }
        extracted.spared.insert(problem.path);
    }

    fn is_over(&self) -> bool {
        self.too_many || self.gauge.is_stopped()
    }
}

struct Silent<'a>(&'a Gauge);

impl Watch for Silent<'_> {
    fn entry(&mut self, _: &Entry) {}

    fn bytes(&mut self, _: u64) {}

    fn problem(&mut self, _: Problem) {}

    fn is_over(&self) -> bool {
        self.0.is_stopped()
    }
}
