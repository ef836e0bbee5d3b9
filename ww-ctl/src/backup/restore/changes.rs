//! What a restore would change, without doing any of it.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead};
use std::os::fd::BorrowedFd;

use ww_archive::look::{Looker, paths};

use super::compare::{difference, is_wanted};
use crate::backup::source::Gauge;
use crate::backup::vault::{KindOf, Line, read_line};
use crate::fleet::clean;

/// So many names are told of each.
const TOLD: usize = 20;
/// The most characters of one.
const TEXT: usize = 400;

/// What would be changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// What would be there that is not.
    pub added: Names,
    /// What would not be there any more.
    pub removed: Names,
    /// What would be another one, as far as its size, time, owner and mode tell.
    pub changed: Names,
    /// What would stay as it is.
    pub same: u64,
}

/// Some names of many.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first: Vec<String>,
}

impl Names {
    fn add(&mut self, path: &[u8]) {
        self.count += 1;
        if self.first.len() < TOLD {
            let path = String::from_utf8_lossy(path);
            self.first.push(clean(&path, TEXT));
        }
    }
}

/// What would be changed in a tree by what is listed.
///
/// # Errors
/// When the list or the tree cannot be read, or it is stopped.
pub(crate) fn changes(
    list: &mut dyn BufRead,
    root: BorrowedFd<'_>,
    only: Option<&[Vec<u8>]>,
    gauge: &Gauge,
) -> io::Result<Changes> {
    let mut changes = Changes::default();
    let mut looker = Looker::new(root);
    let mut listed = HashSet::new();
    while let Some(line) = read_line(list)? {
        if gauge.is_stopped() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let path = &line.path.0;
        if !is_wanted(path, only) {
            continue;
        }
        listed.insert(short(path));
        match is_as(&mut looker, &line) {
            Ok(true) => changes.same += 1,
            Ok(false) => changes.changed.add(path),
            Err(_) => changes.added.add(path),
        }
    }
    let mut each = |path: &[u8]| {
        if is_wanted(path, only) && !listed.contains(&short(path)) {
            changes.removed.add(path);
        }
        !gauge.is_stopped()
    };
    paths(root, &mut each).map_err(io::Error::other)?;
    if gauge.is_stopped() {
        return Err(io::ErrorKind::Interrupted.into());
    }
    Ok(changes)
}

fn is_as(looker: &mut Looker<'_>, line: &Line) -> io::Result<bool> {
    if let (KindOf::HardLink, Some(target)) = (line.kind, &line.target) {
        let own = looker.identity(&line.path.0)?;
        return Ok(looker.identity(&target.0).is_ok_and(|target| target == own));
    }
    let seen = looker.look(&line.path.0)?;
    let mut found = Line::of(&seen.entry);
    found.sha256.clone_from(&line.sha256);
    found.blocks_sha256.clone_from(&line.blocks_sha256);
    Ok(difference(line, &found, false).is_none())
}

/// Enough of a path to tell it from others: what this says is a forecast.
fn short(path: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}
