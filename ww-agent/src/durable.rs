//! Files that are there completely or not at all, also after the power went.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

/// What the file's mode is to be: scripts of any user read the configuration, whatever the umask.
const MODE: u32 = 0o644;

/// Puts `content` at `path` in one step; everybody may read it. A file that is already as it is to be
/// stays: most starts of a container are its second or later ones.
///
/// # Errors
/// When it cannot be written; what was there before is then untouched.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = parent.join(name);
    if is_there(path, content).unwrap_or(false) {
        return Ok(());
    }
    let create = || {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(O_NOFOLLOW)
            .open(&fresh)
    };
    let written = (|| {
        let mut file = create().or_else(|error| {
            if error.kind() != io::ErrorKind::AlreadyExists {
                return Err(error);
            }
            // Left over from a boot that was cut.
            fs::remove_file(&fresh)?;
            create()
        })?;
        file.write_all(content)?;
        let mode = nix::sys::stat::Mode::from_bits_truncate(MODE);
        nix::sys::stat::fchmod(&file, mode)?;
        fs::rename(&fresh, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written
}

/// Whether there is such a file, of its own and with this content.
fn is_there(path: &Path, content: &[u8]) -> io::Result<bool> {
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(O_NOFOLLOW | O_NONBLOCK)
        .open(path)?;
    let found = file.metadata()?;
    let length = usize::try_from(found.len()).ok();
    if !found.is_file() || found.mode() & 0o7777 != MODE || length != Some(content.len()) {
        return Ok(false);
    }
    let mut read = vec![0; content.len()];
    file.read_exact(&mut read)?;
    Ok(read == content)
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
    fn a_file_that_is_right_stays_and_one_that_is_not_goes() {
        let tree = tempfile::tempdir().unwrap();
        let path = tree.path().join("cfg.json");
        let number = || fs::symlink_metadata(&path).unwrap().ino();
        replace(&path, b"same").unwrap();
        let first = number();
        replace(&path, b"same").unwrap();
        assert_eq!(number(), first);
        fs::write(tree.path().join("cfg.json.new"), "cut").unwrap();
        replace(&path, b"else").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"else");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        replace(&path, b"else").unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        // Somebody else's file with the same content is not taken for it.
        fs::rename(&path, tree.path().join("other")).unwrap();
        std::os::unix::fs::symlink("other", &path).unwrap();
        replace(&path, b"else").unwrap();
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(fs::read_dir(tree.path()).unwrap().count(), 2);
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
