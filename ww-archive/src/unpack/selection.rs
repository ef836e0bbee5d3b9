//! Which entries are wanted.

use crate::entry::{Entry, Kind};

/// Some paths, with what is below and above them; or all.
pub(super) struct Selection {
    /// In order, each with whether it was found. None means all.
    wanted: Option<Vec<(Vec<u8>, bool)>>,
}

impl Selection {
    pub(super) fn new(only: Option<&[Vec<u8>]>) -> Self {
        let wanted = only.map(|paths| {
            let mut wanted: Vec<_> = paths.iter().map(|path| (path.clone(), false)).collect();
            wanted.sort();
            wanted.dedup();
            wanted
        });
        Self { wanted }
    }

    pub(super) fn has(&mut self, entry: &Entry) -> bool {
        let Some(wanted) = &mut self.wanted else {
            return true;
        };
        let path = &entry.path;
        if let Ok(at) = wanted.binary_search_by(|(own, _)| own.cmp(path)) {
            wanted[at].1 = true;
            return true;
        }
        let is_wanted = |path: &[u8]| {
            wanted
                .binary_search_by(|(own, _)| own[..].cmp(path))
                .is_ok()
        };
        let mut above = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        if is_wanted(b"") || above.any(|(at, _)| is_wanted(&path[..at])) {
            return true;
        }
        // A directory that something wanted is in, the root at least.
        entry.kind == Kind::Directory && {
            let inside = [path, &b"/"[..]].concat();
            let next = wanted.partition_point(|(own, _)| *own < inside);
            path.is_empty()
                || wanted
                    .get(next)
                    .is_some_and(|(own, _)| own.starts_with(&inside))
        }
    }

    /// What was wanted and never came.
    pub(super) fn missing(&mut self) -> Vec<Vec<u8>> {
        let wanted = self.wanted.take().unwrap_or_default();
        wanted
            .into_iter()
            .filter(|(_, found)| !found)
            .map(|(path, _)| path)
            .collect()
    }
}
