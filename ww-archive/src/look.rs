//! One file of a tree, as an archive would tell of it.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, openat, readlinkat};
use rustix::io::Errno;

use crate::attribute::{Attributes, Owner};
use crate::entry::{Entry, Kind};
use crate::pack::{PackError, PackOptions, sparse};
use crate::problem::ProblemKind;
use crate::status::{self, Status};
use crate::walk::{Found, Visit, Walk};

/// How a directory on the way is opened: nothing is followed, and nothing of it read.
const WAY: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// How what has content or names in it is opened.
const OPEN: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Looks at the files of a tree, one after the other. It is quick where they come in the order of an archive.
pub struct Looker<'a> {
    root: BorrowedFd<'a>,
    attributes: Attributes,
    /// The directory of the last one.
    above: Option<(Vec<u8>, OwnedFd)>,
}

/// A file that was looked at.
pub struct Seen {
    /// What there is to be told of it. It is never a hard link.
    pub entry: Entry,
    /// Which file it is, whatever its names are.
    pub identity: (u64, u64),
    /// A regular file, open for reading.
    pub file: Option<OwnedFd>,
}

impl<'a> Looker<'a> {
    /// In the tree of this directory.
    #[must_use]
    pub fn new(root: BorrowedFd<'a>) -> Self {
        Self {
            root,
            attributes: Attributes::new(),
            above: None,
        }
    }

    /// Looks at what has this path; that of the root is empty.
    ///
    /// # Errors
    /// When there is nothing of this path, a link is on the way, or it cannot be read whole.
    pub fn look(&mut self, path: &[u8]) -> io::Result<Seen> {
        let cut = path.iter().rposition(|byte| *byte == b'/');
        let (above, name) = match cut {
            Some(at) => (&path[..at], &path[at + 1..]),
            None => (&b""[..], path),
        };
        let name = if path.is_empty() { &b"."[..] } else { name };
        let name = CString::new(name)?;
        self.go_to(above)?;
        let Some((_, directory)) = &self.above else {
            return Err(io::ErrorKind::NotFound.into());
        };
        seen(directory.as_fd(), &name, path, &mut self.attributes)
    }

    /// Which file has this path.
    ///
    /// # Errors
    /// The same.
    pub fn identity(&mut self, path: &[u8]) -> io::Result<(u64, u64)> {
        let cut = path.iter().rposition(|byte| *byte == b'/');
        let (above, name) = cut.map_or((&b""[..], path), |at| (&path[..at], &path[at + 1..]));
        let name = CString::new(name)?;
        self.go_to(above)?;
        let Some((_, directory)) = &self.above else {
            return Err(io::ErrorKind::NotFound.into());
        };
        Ok(identity(&status::at(directory.as_fd(), &name)?))
    }

    fn go_to(&mut self, above: &[u8]) -> io::Result<()> {
        let (mut at, rest) = match self.above.take() {
            Some((known, open)) if known == above => {
                self.above = Some((known, open));
                return Ok(());
            }
            Some((known, open)) if is_in(above, &known) => {
                let from = if known.is_empty() { 0 } else { known.len() + 1 };
                (open, &above[from..])
            }
            Some(_) | None => (openat(self.root, c".", WAY, Mode::empty())?, above),
        };
        for name in rest
            .split(|byte| *byte == b'/')
            .filter(|name| !name.is_empty())
        {
            at = openat(&at, name, WAY, Mode::empty())?;
        }
        self.above = Some((above.to_vec(), at));
        Ok(())
    }
}

/// Tells the path of everything in a tree, that of the root first, until it is told to stop by `false`.
///
/// # Errors
/// When the root is no directory or cannot be read.
pub fn paths(root: BorrowedFd<'_>, each: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), PackError> {
    let mut telling = Telling { each, over: false };
    match Walk::new(root, &PackOptions::default())?.run(&mut telling) {
        Err(PackError::Stopped) => Ok(()),
        done => done,
    }
}

struct Telling<'a> {
    each: &'a mut dyn FnMut(&[u8]) -> bool,
    over: bool,
}

impl Visit for Telling<'_> {
    fn file(&mut self, found: &Found<'_>) -> Result<(), PackError> {
        self.over |= !(self.each)(found.path);
        Ok(())
    }

    fn directory(
        &mut self,
        path: &[u8],
        _: &Status,
        _: Option<BorrowedFd<'_>>,
    ) -> Result<(), PackError> {
        self.over |= !(self.each)(path);
        Ok(())
    }

    fn problem(&mut self, _: ProblemKind, _: &[u8], _: String) {}

    fn is_over(&self) -> bool {
        self.over
    }
}

/// Whether a path is below another one.
fn is_in(path: &[u8], above: &[u8]) -> bool {
    above.is_empty() || (path.starts_with(above) && path.get(above.len()) == Some(&b'/'))
}

fn identity(status: &Status) -> (u64, u64) {
    (status.identity.device, status.identity.inode)
}

fn seen(
    directory: BorrowedFd<'_>,
    name: &CStr,
    path: &[u8],
    attributes: &mut Attributes,
) -> io::Result<Seen> {
    let mut status = status::at(directory, name)?;
    let (major, minor) = status.device;
    let kind = match status.kind {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink {
            target: readlinkat(directory, name, Vec::new())?.into_bytes(),
        },
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        FileType::CharacterDevice => Kind::CharacterDevice { major, minor },
        FileType::BlockDevice => Kind::BlockDevice { major, minor },
        FileType::Unknown => return Err(Errno::NOTSUP.into()),
    };
    let open = match kind {
        Kind::File | Kind::Directory => Some(openat(directory, name, OPEN, Mode::empty())?),
        Kind::Symlink { .. }
        | Kind::HardLink { .. }
        | Kind::Fifo
        | Kind::Socket
        | Kind::CharacterDevice { .. }
        | Kind::BlockDevice { .. } => None,
    };
    if let Some(open) = &open {
        status = status::of(open.as_fd())?;
    }
    let mut unread = None;
    let owner = match &open {
        Some(open) => Owner::Open(open.as_fd()),
        None => Owner::Named(directory, name),
    };
    let xattrs = attributes.read(owner, &mut |_, text| unread = Some(text));
    if let Some(text) = unread {
        return Err(io::Error::other(text));
    }
    let file = open.filter(|_| kind == Kind::File);
    let entry = Entry {
        path: path.to_vec(),
        kind,
        mode: status.mode,
        uid: status.uid,
        gid: status.gid,
        mtime: status.mtime,
        size: if file.is_some() { status.size } else { 0 },
        xattrs,
        segments: file
            .as_ref()
            .and_then(|file| sparse::segments(file.as_fd(), &status)),
    };
    Ok(Seen {
        identity: identity(&status),
        entry,
        file,
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_is_followed_on_the_way() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fs::create_dir_all(path.join("a/b/c")).unwrap();
        fs::write(path.join("a/b/file"), "abc").unwrap();
        fs::hard_link(path.join("a/b/file"), path.join("a/other")).unwrap();
        symlink("a", path.join("link")).unwrap();
        let root = File::open(path).unwrap();
        let mut looker = Looker::new(root.as_fd());
        assert_eq!(looker.look(b"").unwrap().entry.kind, Kind::Directory);
        let file = looker.look(b"a/b/file").unwrap();
        assert_eq!((file.entry.size, file.file.is_some()), (3, true));
        assert_eq!(looker.look(b"a/other").unwrap().identity, file.identity);
        assert_eq!(looker.identity(b"a/other").unwrap(), file.identity);
        assert!(looker.look(b"a/b/c").is_ok());
        let link = looker.look(b"link").unwrap().entry.kind;
        let target = b"a".to_vec();
        assert_eq!(link, Kind::Symlink { target });
        assert!(looker.look(b"link/other").is_err());
        assert!(looker.look(b"a/none").is_err());
        assert!(looker.look(b"a/b/file").is_ok());
        let mut all = Vec::new();
        let mut each = |path: &[u8]| {
            all.push(String::from_utf8(path.to_vec()).unwrap());
            true
        };
        paths(root.as_fd(), &mut each).unwrap();
        all.sort();
        assert_eq!(
            all,
            ["", "a", "a/b", "a/b/c", "a/b/file", "a/other", "link"]
        );
    }
}
