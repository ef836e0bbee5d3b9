//! How much is in a directory.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The bytes of the files in a directory and all below it on the same file system, each file counted
/// once however many names it has. What goes away meanwhile is no error.
///
/// # Errors
/// When a directory cannot be read.
pub(super) fn measure(directory: &Path) -> io::Result<u64> {
    let device = fs::symlink_metadata(directory)?.dev();
    let mut waiting: Vec<PathBuf> = vec![directory.to_owned()];
    let mut seen = BTreeSet::new();
    let mut bytes: u64 = 0;
    while let Some(next) = waiting.pop() {
        let entries = match fs::read_dir(&next) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            read => read?,
        };
        for entry in entries {
            let Ok(entry) = entry else { continue };
            // Not the metadata of what a link leads to.
            let Ok(found) = entry.metadata() else {
                continue;
            };
            if found.dev() != device {
                continue;
            }
            if found.is_dir() {
                waiting.push(entry.path());
            } else if found.is_file() && (found.nlink() == 1 || seen.insert(found.ino())) {
                bytes = bytes.saturating_add(found.len());
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_counts_once_and_a_link_leads_nowhere() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("d")).unwrap();
        fs::write(at("d/a"), "12345").unwrap();
        fs::hard_link(at("d/a"), at("b")).unwrap();
        fs::write(at("c"), "123").unwrap();
        std::os::unix::fs::symlink("/usr", at("usr")).unwrap();
        assert_eq!(measure(directory.path()).unwrap(), 8);
    }
}
