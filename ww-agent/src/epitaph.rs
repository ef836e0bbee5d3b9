//! The cause of an end in error, left for whoever runs the container.
//!
//! Orchestrators mount a small file for it (`/dev/termination-log`); where there is none, nothing is
//! made. It is written in place: the file itself is the mount.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use whaleware::paths;

use crate::environment::Environment;
use crate::log;

/// The most bytes that are read of it.
const MOST: usize = 4096;

/// Writes the cause, as far as that can be done.
pub(crate) fn leave(environment: &Environment, cause: &str) {
    let opened = OpenOptions::new()
        .write(true)
        .truncate(true)
        .custom_flags(O_NOFOLLOW | O_NONBLOCK)
        .open(environment.path(paths::TERMINATION_LOG));
    if let Ok(mut file) = opened {
        // Best effort: the log and the socket have said it, too.
        let _ = file.write_all(cut(&log::plain(cause, MOST)).as_bytes());
    }
}

/// As much as is read, between two letters.
fn cut(text: &str) -> &str {
    let end = (0..=MOST.min(text.len()))
        .rev()
        .find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_left_than_is_read_and_nothing_of_what_was_there() {
        let tree = tempfile::tempdir().unwrap();
        let mut environment = Environment::read();
        environment.root = tree.path().to_owned();
        let path = environment.path(paths::TERMINATION_LOG);
        leave(&environment, "there is no such file");
        assert!(!path.exists());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, [b'o'; 9000]).unwrap();
        leave(&environment, &"\u{e9}".repeat(5000));
        assert_eq!(std::fs::read(&path).unwrap().len(), MOST);
        leave(&environment, "short\nenough");
        assert_eq!(std::fs::read(&path).unwrap(), b"shortenough");
    }

    #[test]
    fn it_is_cut_between_two_letters() {
        assert_eq!(cut("short"), "short");
        let long = "a".to_owned() + &"\u{e9}".repeat(3000);
        assert_eq!(cut(&long).len(), MOST - 1);
        assert!(long.starts_with(cut(&long)));
    }
}
