//! Files with several names: where each was seen first.

use std::collections::BTreeMap;

use crate::status::Status;

/// The files of which not every name was seen yet. A million of them take some 50 MB.
#[derive(Default)]
pub(crate) struct Links {
    first: BTreeMap<Key, First>,
    /// The last names of their paths, one after the other, each behind its length.
    names: Vec<u8>,
    directories: Vec<Directory>,
    /// The directory of the last path, and of those in [`Self::directories`] that are above it: how long their paths
    /// are, and which they are.
    current: Vec<u8>,
    above: Vec<(usize, usize)>,
}

/// Which file. Its number alone may meanwhile be another's, so the time it was made at is in it, mixed with the device.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    inode: u64,
    origin: u64,
}

/// The first name of a file.
struct First {
    directory: u32,
    /// How many names were not seen yet.
    left: u32,
    name: usize,
}

/// A directory, by what is after the path of another.
struct Directory {
    above: Option<usize>,
    rest: Vec<u8>,
}

impl Links {
    /// The path under which this file was seen before.
    pub(crate) fn seen(&mut self, status: &Status) -> Option<Vec<u8>> {
        if status.links < 2 {
            return None;
        }
        let key = key(status);
        let first = self.first.get_mut(&key)?;
        first.left = first.left.saturating_sub(1);
        let (directory, name, done) = (first.directory, first.name, first.left == 0);
        if done {
            self.first.remove(&key);
        }
        let mut path = self.path(usize::try_from(directory).ok()?);
        if !path.is_empty() {
            path.push(b'/');
        }
        let (length, name) = self.names.get(name..)?.split_first()?;
        path.extend_from_slice(name.get(..usize::from(*length))?);
        Some(path)
    }

    /// This file is in the archive under this path.
    pub(crate) fn add(&mut self, status: &Status, path: &[u8]) {
        if status.links < 2 {
            return;
        }
        let cut = path.iter().rposition(|byte| *byte == b'/');
        let (directory, name) = cut.map_or((&b""[..], path), |at| (&path[..at], &path[at + 1..]));
        let directory = u32::try_from(self.directory(directory));
        let (Ok(directory), Ok(length)) = (directory, u8::try_from(name.len())) else {
            return;
        };
        let at = self.names.len();
        self.names.push(length);
        self.names.extend_from_slice(name);
        self.first.insert(
            key(status),
            First {
                directory,
                left: status.links - 1,
                name: at,
            },
        );
    }

    fn directory(&mut self, path: &[u8]) -> usize {
        let same = self
            .current
            .iter()
            .zip(path)
            .take_while(|(own, other)| own == other)
            .count();
        let holds = |length: usize| {
            length <= same
                && (length == 0 || length == path.len() || path.get(length) == Some(&b'/'))
        };
        while self.above.last().is_some_and(|(length, _)| !holds(*length)) {
            self.above.pop();
        }
        self.current.clear();
        self.current.extend_from_slice(path);
        match self.above.last() {
            Some((length, directory)) if *length == path.len() => *directory,
            other => {
                let (length, above) =
                    other.map_or((0, None), |(length, above)| (*length, Some(*above)));
                let rest = path.get(length..).unwrap_or_default();
                let rest = rest.strip_prefix(b"/").unwrap_or(rest).to_vec();
                self.directories.push(Directory { above, rest });
                let directory = self.directories.len() - 1;
                self.above.push((path.len(), directory));
                directory
            }
        }
    }

    fn path(&self, directory: usize) -> Vec<u8> {
        let mut parts = Vec::new();
        let mut next = Some(directory);
        while let Some(directory) = next.and_then(|at| self.directories.get(at)) {
            if !directory.rest.is_empty() {
                parts.push(directory.rest.as_slice());
            }
            next = directory.above;
        }
        parts.reverse();
        parts.join(&b'/')
    }
}

fn key(status: &Status) -> Key {
    let origin = status.birth.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ status.identity.device;
    Key {
        inode: status.identity.inode,
        origin,
    }
}

#[cfg(test)]
mod tests {
    use super::Links;

    #[test]
    fn a_directory_is_known_by_those_above_it() {
        let mut links = Links::default();
        let paths: [&[u8]; 9] = [
            b"",
            b"a",
            b"a/b",
            b"a/b/c",
            b"a/bc",
            b"a/bc",
            b"x/y/z",
            b"x/y/zz/1",
            b"a",
        ];
        let directories: Vec<usize> = paths.iter().map(|path| links.directory(path)).collect();
        for (path, directory) in paths.iter().zip(directories) {
            assert_eq!(links.path(directory), *path, "{}", path.escape_ascii());
        }
        assert_eq!(links.directories.len(), 8);
    }
}
