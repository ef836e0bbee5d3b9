//! What was extracted, as it lies on the disk, against what the backup lists.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;

use ww_archive::look::{Looker, Seen, paths};
use ww_archive::{Entry, Segment};

use super::extract::Extracted;
use crate::backup::source::Gauge;
use crate::backup::vault::{Content, KindOf, Line, read_line};
use crate::fleet::clean;

/// So many differences are told.
const TOLD: usize = 20;
/// The most characters of one.
const TEXT: usize = 400;
/// What of a file is looked at at once.
const PIECE: usize = 256 * 1024;

/// What is not as it is listed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Compared {
    /// How many.
    pub differing: u64,
    /// The first of them, in words.
    pub told: Vec<String>,
    /// How many were as they are listed.
    pub same: u64,
}

impl Compared {
    fn differs(&mut self, path: &[u8], why: &str) {
        self.differing += 1;
        if self.told.len() < TOLD {
            let path = String::from_utf8_lossy(path);
            self.told.push(clean(&format!("{path}: {why}"), TEXT));
        }
    }
}

/// Whether a path is one of these, or below one of them.
pub(super) fn is_wanted(path: &[u8], only: Option<&[Vec<u8>]>) -> bool {
    only.is_none_or(|only| {
        only.iter().any(|wanted| {
            wanted.is_empty()
                || path
                    .strip_prefix(&wanted[..])
                    .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
        })
    })
}

/// Compares a tree with a list.
///
/// # Errors
/// When the list cannot be read, or it is stopped. What cannot be read of the tree differs.
pub(crate) fn compare(
    list: &mut dyn BufRead,
    root: BorrowedFd<'_>,
    only: Option<&[Vec<u8>]>,
    extracted: &Extracted,
    gauge: &Gauge,
) -> io::Result<Compared> {
    let mut compared = Compared::default();
    let mut looker = Looker::new(root);
    let mut piece = vec![0; PIECE];
    let mut listed = 0_u64;
    while let Some(line) = read_line(list)? {
        let path = &line.path.0;
        if extracted.absent.contains(path) || !is_wanted(path, only) {
            continue;
        }
        if gauge.is_stopped() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        listed += 1;
        let is_spared = extracted.spared.contains(path);
        match differs(&mut looker, &line, is_spared, &mut piece) {
            Ok(None) => compared.same += 1,
            Ok(Some(why)) => compared.differs(path, why),
            Err(error) => compared.differs(path, &error.to_string()),
        }
        gauge.add(1, line.size.unwrap_or(0));
    }
    // Of some paths the directories above them are there, too.
    if only.is_none() {
        let mut there = 0_u64;
        paths(root, &mut |_| {
            there += 1;
            true
        })
        .map_err(io::Error::other)?;
        if there > listed {
            let more = there - listed;
            compared.differs(b"", &format!("{more} more are there than are listed"));
        }
    }
    Ok(compared)
}

fn differs(
    looker: &mut Looker<'_>,
    line: &Line,
    is_spared: bool,
    piece: &mut [u8],
) -> io::Result<Option<&'static str>> {
    if let (KindOf::HardLink, Some(target)) = (line.kind, &line.target) {
        let own = looker.identity(&line.path.0)?;
        let is_same = looker.identity(&target.0)? == own;
        return Ok((!is_same).then_some("it is another file than what it is listed as a name of"));
    }
    let seen = looker.look(&line.path.0)?;
    let mut found = Line::of(&seen.entry);
    digest(&seen, line, &mut found, piece)?;
    Ok(difference(line, &found, is_spared))
}

/// In what they differ, if they do.
pub(super) fn difference(line: &Line, found: &Line, is_spared: bool) -> Option<&'static str> {
    let checks = [
        (line.kind == found.kind, false, "it is of another kind"),
        (line.size == found.size, false, "its size is another one"),
        (
            line.sha256 == found.sha256 && line.blocks_sha256 == found.blocks_sha256,
            false,
            "its content is another one",
        ),
        (line.target == found.target, false, "it leads elsewhere"),
        (line.device == found.device, false, "it is another device"),
        // The kernel does not keep one for links.
        (
            line.kind == KindOf::Symlink || line.mode == found.mode,
            true,
            "its mode is another one",
        ),
        (
            (line.uid, line.gid) == (found.uid, found.gid),
            true,
            "its owner is another one",
        ),
        (line.mtime == found.mtime, true, "its time is another one"),
        (
            line.xattrs_sha256 == found.xattrs_sha256,
            true,
            "its attributes are other ones",
        ),
    ];
    checks
        .into_iter()
        .find(|(same, sparable, _)| !(*same || is_spared && *sparable))
        .map(|(_, _, why)| why)
}

/// Digests the content in the way it is listed: where this file system keeps holes makes no difference.
fn digest(seen: &Seen, listed: &Line, found: &mut Line, piece: &mut [u8]) -> io::Result<()> {
    let Some(file) = &seen.file else {
        return Ok(());
    };
    let mut file = File::from(file.try_clone()?);
    let whole = vec![Segment {
        offset: 0,
        length: seen.entry.size,
    }];
    let segments = match (&listed.blocks_sha256, &seen.entry.segments) {
        (None, _) => None,
        (Some(_), Some(segments)) => Some(segments.clone()),
        (Some(_), None) => Some(whole),
    };
    let entry = Entry {
        segments: segments.clone(),
        ..seen.entry.clone()
    };
    let mut content = Content::of(&entry);
    match segments {
        None => loop {
            let taken = file.read(piece)?;
            if taken == 0 {
                break;
            }
            content.add(&piece[..taken]);
        },
        Some(segments) => {
            for Segment { offset, length } in segments {
                let (mut at, end) = (offset, offset + length);
                while at < end {
                    let most = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
                    let taken = file.read_at(&mut piece[..most], at)?;
                    if taken == 0 {
                        break;
                    }
                    content.add(&piece[..taken]);
                    at += taken as u64;
                }
            }
        }
    }
    content.end(found);
    Ok(())
}
