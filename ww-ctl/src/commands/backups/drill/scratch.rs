//! The directory of one drill: where no container can write but the drill's own, and gone at its end.

use std::ffi::CString;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use rustix::fs::{Mode, OFlags, openat};

use crate::backup::vault::hex;
use crate::data::{Root, RootError};

/// How its name begins, before the tail.
const PREFIX: &str = ".ww-drill-";
/// How long a tail is.
const TAIL: usize = 8;
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// The directory of a drill. It is locked as long as somebody is at it; dropped, it is gone.
pub(super) struct Scratch {
    root: Root,
    path: PathBuf,
    tail: String,
    _held: Flock<File>,
}

impl Scratch {
    /// A new one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn make(root: &Root) -> Result<Self, RootError> {
        let mut random = [0; TAIL / 2];
        let source = Path::new("/dev/urandom");
        File::open(source)
            .and_then(|mut file| file.read_exact(&mut random))
            .map_err(system("read", source))?;
        let tail = hex::text(&random);
        let path = root.path().join(format!("{PREFIX}{tail}"));
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(system("make", &path))?;
        let gone = || RootError::Odd {
            what: "keep",
            path: path.clone(),
            reason: "another drill took it for one that is over; try again".to_owned(),
        };
        let Some(held) = hold(&path) else {
            return Err(gone());
        };
        // Who found it before it was locked has removed it.
        let own = held.metadata().map_err(system("look at", &path))?;
        if fs::symlink_metadata(&path).is_ok_and(|found| found.ino() == own.ino()) {
            return Ok(Self {
                root: root.clone(),
                path,
                tail,
                _held: held,
            });
        }
        Err(gone())
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What tells it from others.
    pub(super) fn tail(&self) -> &str {
        &self.tail
    }

    /// A new directory in it, as that of a new data container.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn room(&self, name: &str) -> Result<PathBuf, RootError> {
        let path = self.path.join(name);
        let made = DirBuilder::new().create(&path);
        // Whatever the operator's umask takes away.
        made.and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o755)))
            .map_err(system("make", &path))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is found by the next one.
        let _left = remove(&self.root, &format!("{PREFIX}{}", self.tail));
    }
}

/// Whether the drill is over that has, or had, its data at this path.
pub(super) fn is_over(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    if !name.is_some_and(is_one) {
        return false;
    }
    match fs::symlink_metadata(path) {
        Err(error) => error.kind() == io::ErrorKind::NotFound,
        Ok(_) => hold(path).is_some(),
    }
}

/// Removes what drills have left that are over.
///
/// # Errors
/// When it cannot be read, or removed.
pub(super) fn sweep(root: &Root) -> Result<(), RootError> {
    let entries = fs::read_dir(root.path()).map_err(system("read", root.path()))?;
    for entry in entries {
        let name = entry.map_err(system("read", root.path()))?.file_name();
        let Some(name) = name.to_str().filter(|name| is_one(name)) else {
            continue;
        };
        if let Some(_held) = hold(&root.path().join(name)) {
            remove(root, name).map_err(system("remove", &root.path().join(name)))?;
        }
    }
    Ok(())
}

fn is_one(name: &str) -> bool {
    let tail = name.strip_prefix(PREFIX);
    tail.is_some_and(|tail| {
        tail.len() == TAIL
            && tail
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

/// Locks a directory; none where somebody else has, or there is none.
fn hold(path: &Path) -> Option<Flock<File>> {
    let opened = openat(rustix::fs::CWD, path, DIRECTORY, Mode::empty()).ok()?;
    Flock::lock(File::from(opened), FlockArg::LockExclusiveNonblock).ok()
}

fn remove(root: &Root, name: &str) -> io::Result<()> {
    let above = openat(rustix::fs::CWD, root.path(), DIRECTORY, Mode::empty())?;
    let name = CString::new(name)?;
    ww_archive::remove::remove(above.as_fd(), &name)
}

fn system(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RootError {
    move |source| RootError::System {
        what,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_drills_have_left_is_removed() {
        let above = tempfile::tempdir().unwrap();
        let root = Root::open(above.path()).unwrap();
        for name in [
            ".ww-drill-0123abcd",
            ".ww-drill-mine",
            "shop",
            ".ww-drill-0123abcde",
        ] {
            fs::create_dir_all(root.path().join(name).join("data")).unwrap();
        }
        let at_work = Scratch::make(&root).unwrap();
        let own = at_work.room("1").unwrap();
        assert!(is_over(&root.path().join(".ww-drill-0123abcd")));
        assert!(
            is_over(&root.path().join(".ww-drill-00000000")),
            "it is gone"
        );
        assert!(!is_over(&root.path().join("shop")) && !is_over(at_work.path()));
        sweep(&root).unwrap();
        let left = |name: &str| root.path().join(name).exists();
        assert!(!left(".ww-drill-0123abcd"));
        assert!(left(".ww-drill-mine") && left("shop") && left(".ww-drill-0123abcde"));
        assert!(own.exists());
        let path = at_work.path().to_owned();
        drop(at_work);
        assert!(!path.exists());
    }
}
