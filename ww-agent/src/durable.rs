//! Files that are there completely or not at all, also after the power went.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::O_NOFOLLOW;

/// Puts `content` at `path` in one step; everybody may read it.
///
/// Scripts of any user read the configuration, so its mode is 0644 whatever the umask is.
///
/// # Errors
/// When it cannot be written; what was there before is then untouched.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = parent.join(name);
    // Left over from a boot that was cut.
    let _ = fs::remove_file(&fresh);
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(O_NOFOLLOW)
            .open(&fresh)?;
        file.write_all(content)?;
        let mode = nix::sys::stat::Mode::from_bits_truncate(0o644);
        nix::sys::stat::fchmod(&file, mode)?;
        fs::rename(&fresh, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written
}

/// Makes the mark that `firstboot` has succeeded, so that it lasts.
///
/// # Errors
/// When it cannot be made or not be made to last.
pub(crate) fn mark(path: &Path) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent)?;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .open(path)?;
    file.sync_all()?;
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_replaced_whole_and_can_be_read_by_all() {
        let tree = tempfile::tempdir().unwrap();
        let path = tree.path().join("cfg.json");
        replace(&path, b"long old content").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        assert_eq!(fs::read_dir(tree.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_mark_makes_its_directory_and_stands_being_made_twice() {
        let tree = tempfile::tempdir().unwrap();
        let path = tree.path().join("data/whaleup");
        mark(&path).unwrap();
        mark(&path).unwrap();
        assert!(path.exists());
    }
}
