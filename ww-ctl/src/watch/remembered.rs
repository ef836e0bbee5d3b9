//! When a host answered last, remembered from one run to the next: an empty file each, whose time says
//! it. Nothing fails for want of it.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};

use crate::engine::Target;
use crate::environment;

/// What is not older need not be written again.
const FRESH: SignedDuration = SignedDuration::from_secs(5);
/// The longest name of a file.
const NAME: usize = 200;

/// A host has answered.
pub(crate) fn answered(target: &Target, at: Timestamp) {
    if let Some(place) = place() {
        write(&place, target, at);
    }
}

/// When a host answered last, as far as is known.
pub(crate) fn last(target: &Target) -> Option<Timestamp> {
    read(&place()?, target)
}

fn place() -> Option<PathBuf> {
    environment::state().map(|state| state.join("hosts"))
}

fn write(place: &Path, target: &Target, at: Timestamp) {
    if read(place, target).is_some_and(|known| at.duration_since(known).abs() < FRESH) {
        return;
    }
    let file = file(place, target);
    let open = || {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        options.open(&file)
    };
    let opened = open().or_else(|_| {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(place)?;
        open()
    });
    // A full disk, a home that is read-only: the next one who asks is told less.
    let _less = opened.and_then(|file| file.set_modified(SystemTime::from(at)));
}

fn read(place: &Path, target: &Target) -> Option<Timestamp> {
    let metadata = fs::metadata(file(place, target)).ok()?;
    Timestamp::try_from(metadata.modified().ok()?).ok()
}

/// Named after how the host is reached: its name for people is one thing today and another tomorrow.
fn file(place: &Path, target: &Target) -> PathBuf {
    let mut name = String::new();
    for byte in target.endpoint.url().bytes() {
        if byte.is_ascii_alphanumeric() || b".-_@".contains(&byte) {
            name.push(char::from(byte));
        } else {
            let _never = write!(name, "%{byte:02x}");
        }
    }
    // The end tells more than the beginning.
    let cut = name.len().saturating_sub(NAME);
    place.join(&name[cut..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Wanted, resolve};

    #[test]
    fn what_is_remembered_is_by_address_and_not_written_more_often_than_it_helps() {
        let hosts = [
            "unix:///a/docker.sock".to_owned(),
            "ssh://alice@b/x".to_owned(),
        ];
        let wanted = Wanted {
            hosts: &hosts,
            contexts: &[],
            config: None,
            variable: &|_| None,
        };
        let targets = resolve(&wanted).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("state/hosts");
        let at = |second: i64| Timestamp::from_second(1_795_364_100 + second).unwrap();
        assert_eq!(read(&place, &targets[0]), None);
        write(&place, &targets[0], at(0));
        write(&place, &targets[1], at(3));
        write(&place, &targets[1], at(7));
        assert_eq!(read(&place, &targets[0]), Some(at(0)));
        assert_eq!(read(&place, &targets[1]), Some(at(3)));
        write(&place, &targets[1], at(8));
        assert_eq!(read(&place, &targets[1]), Some(at(8)));
        assert!(place.join("ssh%3a%2f%2falice@b%2fx").exists());
        // Where it cannot be written nothing happens.
        write(Path::new("/proc/nowhere"), &targets[0], at(0));
    }
}
