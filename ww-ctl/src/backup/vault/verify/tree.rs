//! What a script wrote lies in a backup as files: they are compared with the list that was made of them.
//!
//! It is their content that is compared, links and names included, and not owners and times: another user, or another
//! file system, cannot give them those they had, and the list has them.

use std::collections::BTreeMap;
use std::io::{self, Read};

use ww_archive::pack::{PackOptions, pack};
use ww_archive::read::{Limits, Reader};
use ww_archive::{Entry, Kind, Problem, Segment, Watch};

use super::{Verdict, shown_path};
use crate::backup::source::Gauge;
use crate::backup::vault::SealError;
use crate::backup::vault::error::VaultError;
use crate::backup::vault::listed::{self, Content, KindOf, Line};
use crate::backup::vault::reader::files;
use crate::backup::vault::set::Set;

/// So many entries are compared: all of them are kept in mind meanwhile.
const MOST: usize = 1_000_000;
/// How much of a file is read at once.
const PIECE: usize = 256 * 1024;

/// What an entry is, without what may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Brief {
    kind: KindOf,
    size: Option<u64>,
    /// By its blocks, or as a whole.
    digest: Option<(bool, String)>,
    target: Option<Vec<u8>>,
}

type Tree = BTreeMap<Vec<u8>, Brief>;

/// Compares what lies in `hook/` with the list.
pub(super) fn compare(
    set: &Set,
    part: usize,
    gauge: &Gauge,
    verdict: &mut Verdict,
) -> Result<(), SealError> {
    let expected = match expected(set, part) {
        Ok(Some(expected)) => expected,
        Ok(None) => {
            let words = format!("what the script wrote has more than {MOST} entries");
            verdict.unchecked.push(words);
            return Ok(());
        }
        Err(reason) => {
            verdict.fault(&format!(
                "hook: its list of files cannot be decoded: {reason}"
            ));
            return Ok(());
        }
    };
    let found = match found(set, &expected, gauge, verdict) {
        Err(SealError::Stopped) => return Err(SealError::Stopped),
        Err(error) => {
            let words = crate::engine::chain(&error);
            verdict.fault(&format!("hook cannot be read: {words}"));
            return Ok(());
        }
        Ok(found) => found,
    };
    for (path, brief) in &expected {
        match found.get(path) {
            None => verdict.fault(&format!("hook: {} is missing", shown_path(path))),
            Some(other) if other != brief => {
                verdict.fault(&format!(
                    "hook: {} is not as it is listed",
                    shown_path(path)
                ));
            }
            Some(_) => {}
        }
    }
    for path in found.keys().filter(|path| !expected.contains_key(*path)) {
        verdict.fault(&format!("hook: {} is not listed", shown_path(path)));
    }
    Ok(())
}

/// What is listed; none if it is too much.
fn expected(set: &Set, part: usize) -> Result<Option<Tree>, String> {
    let failed = |error: VaultError| crate::engine::chain(&error);
    let mut list = files(set, part, None).map_err(failed)?;
    let mut tree = Tree::new();
    while let Some(line) = listed::read(&mut list).map_err(|error| error.to_string())? {
        if tree.len() == MOST {
            return Ok(None);
        }
        // Devices that a container made are not made again here.
        if !matches!(line.kind, KindOf::CharacterDevice | KindOf::BlockDevice) {
            insert(&mut tree, line);
        }
    }
    Ok(Some(tree))
}

/// Notes an entry. A further name of a file is the file: which name comes first is chance.
fn insert(tree: &mut Tree, line: Line) {
    let target = line.target.map(|target| target.0);
    let linked = target.as_ref().filter(|_| line.kind == KindOf::HardLink);
    let linked = linked.and_then(|target| tree.get(target).cloned());
    let whole = line.sha256.map(|digest| (false, digest));
    let blocks = line.blocks_sha256.map(|digest| (true, digest));
    let own = Brief {
        kind: line.kind,
        size: line.size,
        digest: whole.or(blocks),
        target,
    };
    tree.insert(line.path.0, linked.unwrap_or(own));
}

/// What there is.
fn found(
    set: &Set,
    expected: &Tree,
    gauge: &Gauge,
    verdict: &mut Verdict,
) -> Result<Tree, SealError> {
    let place = set.tree()?;
    let failed = |source| SealError::Write {
        file: "hook".to_owned(),
        source,
    };
    let (from, mut to) = io::pipe().map_err(failed)?;
    std::thread::scope(|scope| {
        let packing = scope.spawn(move || {
            let mut told = Told {
                gauge,
                problems: Vec::new(),
            };
            let packed = pack(place.fd(), &PackOptions::default(), &mut to, &mut told);
            packed.map(|_| told.problems)
        });
        // The pipe is closed when this is done, so that the other side ends as well.
        let tree = read(from, expected, gauge);
        match packing.join() {
            Ok(Ok(problems)) => {
                for problem in problems {
                    let path = shown_path(&problem.path);
                    verdict.fault(&format!("hook: {path}: {}", problem.text));
                }
            }
            Ok(Err(error)) if tree.is_ok() => return Err(error.into()),
            Ok(Err(_)) | Err(_) => {}
        }
        tree
    })
}

fn read(from: impl Read, expected: &Tree, gauge: &Gauge) -> Result<Tree, SealError> {
    let mut reader = Reader::new(from, Limits::default());
    let mut tree = Tree::new();
    let mut piece = vec![0; PIECE];
    while let Some(mut entry) = reader.next()? {
        let mut line = Line::of(&entry);
        if entry.kind == Kind::File {
            let wanted = expected
                .get(&entry.path)
                .and_then(|one| one.digest.as_ref());
            let by_blocks = wanted.map_or(entry.segments.is_some(), |(blocks, _)| *blocks);
            content(&mut reader, &mut entry, by_blocks, gauge, &mut piece)?.end(&mut line);
        }
        insert(&mut tree, line);
        if tree.len() > MOST {
            break;
        }
    }
    Ok(tree)
}

/// Digests a file in the way its list did, wherever this file system keeps holes.
fn content(
    reader: &mut Reader<impl Read>,
    entry: &mut Entry,
    by_blocks: bool,
    gauge: &Gauge,
    piece: &mut [u8],
) -> Result<Content, SealError> {
    let whole = Segment {
        offset: 0,
        length: entry.size,
    };
    let segments = entry.segments.take().unwrap_or_else(|| vec![whole]);
    if by_blocks {
        entry.segments = Some(segments.clone());
    }
    let mut content = Content::of(entry);
    let mut at = 0;
    let end = Segment {
        offset: entry.size,
        length: 0,
    };
    for segment in segments.into_iter().chain([end]) {
        // Blocks know where they are.
        if !by_blocks {
            let hole = io::repeat(0).take(segment.offset.saturating_sub(at));
            add(&mut content, hole, gauge, piece)?;
        }
        add(&mut content, reader.take(segment.length), gauge, piece)?;
        at = segment.offset.saturating_add(segment.length);
    }
    Ok(content)
}

fn add(
    content: &mut Content,
    mut from: impl Read,
    gauge: &Gauge,
    piece: &mut [u8],
) -> Result<(), SealError> {
    loop {
        if gauge.is_stopped() {
            return Err(SealError::Stopped);
        }
        let taken = from.read(piece).map_err(|source| SealError::Write {
            file: "hook".to_owned(),
            source,
        })?;
        if taken == 0 {
            return Ok(());
        }
        content.add(&piece[..taken]);
    }
}

/// Keeps what went wrong.
struct Told<'a> {
    gauge: &'a Gauge,
    problems: Vec<Problem>,
}

impl Watch for Told<'_> {
    fn entry(&mut self, _: &Entry) {
        self.gauge.add(1, 0);
    }

    fn bytes(&mut self, count: u64) {
        self.gauge.add(0, count);
    }

    fn problem(&mut self, problem: Problem) {
        if self.problems.len() < super::FAULTS {
            self.problems.push(problem);
        }
    }

    fn is_over(&self) -> bool {
        self.gauge.is_stopped()
    }
}
