//! What `svc.d` holds: services, what is left out on purpose, and what cannot be one.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use whaleware::lifecycle::MAIN_SERVICE;

use crate::log;

/// More files in `svc.d` than this are a mistake.
pub(crate) const MOST: usize = 32;

/// What editors, `patch` and package managers leave behind.
const LEFT_BEHIND: [&str; 9] = [
    "~",
    ".bak",
    ".orig",
    ".rej",
    ".swp",
    ".dpkg-old",
    ".dpkg-dist",
    ".dpkg-new",
    ".dpkg-tmp",
];

/// The directory as it was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// The services, in the order they are started.
    pub(crate) names: Vec<String>,
    /// What is left out on purpose, in words that are safe to print.
    pub(crate) left_out: Vec<String>,
    /// What cannot be a service, and why, in words that are safe to print.
    pub(crate) faults: Vec<String>,
}

/// Lists the directory; nothing when it is not there.
pub(crate) fn list(directory: &Path) -> Listing {
    let mut listing = Listing::default();
    if let Err(error) = fill(directory, &mut listing) {
        // A link to nowhere is not nothing.
        let is_absent =
            error.kind() == io::ErrorKind::NotFound && directory.symlink_metadata().is_err();
        if !is_absent {
            let text = format!("cannot read {}: {error}", whaleware::paths::SERVICES);
            listing.faults.push(text);
        }
    }
    listing.names.sort_unstable();
    listing.left_out.sort_unstable();
    listing.faults.sort_unstable();
    let found = listing.names.len();
    if found > MOST {
        let text = format!(
            "{} holds {found} services; there may be {MOST}",
            whaleware::paths::SERVICES
        );
        listing.faults.push(text);
    }
    listing
}

fn fill(directory: &Path, listing: &mut Listing) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        if is_left_out(&name) {
            listing
                .left_out
                .push(log::plain(&name.to_string_lossy(), 64));
            continue;
        }
        match fault(&name) {
            Some(fault) => listing.faults.push(fault),
            None => listing.names.push(name.to_string_lossy().into_owned()),
        }
    }
    Ok(())
}

/// Whether a file of this name is no service, and nobody thinks that it is: it is hidden, or left
/// behind by an editor, `patch` or a package manager.
pub(crate) fn is_left_out(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(b".") || LEFT_BEHIND.iter().any(|end| name.ends_with(end.as_bytes()))
}

/// Why no service can be called this; none when one can.
pub(crate) fn fault(name: &OsStr) -> Option<String> {
    let shown = || log::plain(&name.to_string_lossy(), 64);
    let Some(text) = name.to_str() else {
        return Some(format!(
            "a service cannot be called {}: it is not UTF-8",
            shown()
        ));
    };
    if text == MAIN_SERVICE {
        let text = format!("a service cannot be called {text}: the command of `run -- CMD` is");
        return Some(text);
    }
    text.chars().any(char::is_control).then(|| {
        format!(
            "a service cannot be called {}: it has a control character in it",
            shown()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_what_the_documentation_says() {
        for name in [
            ".hidden",
            ".",
            "web~",
            "web.bak",
            "web.orig",
            "web.rej",
            "web.swp",
            "web.dpkg-old",
            "web.dpkg-dist",
            "web.dpkg-new",
            "web.dpkg-tmp",
        ] {
            assert!(is_left_out(OsStr::new(name)), "{name}");
        }
        for name in [
            "web",
            "10-web",
            "web.sh",
            "bak",
            "web.backup",
            "dpkg-old",
            "main",
            "a b",
        ] {
            assert!(!is_left_out(OsStr::new(name)), "{name}");
        }
        assert!(is_left_out(OsStr::from_bytes(b".\xff")));
    }

    #[test]
    fn a_name_that_is_no_services_is_a_fault_and_printable() {
        for name in [&b"main"[..], b"a\x1b[2J", b"a\xff", b"a\nb"] {
            let fault = fault(OsStr::from_bytes(name)).unwrap();
            assert!(fault.starts_with("a service cannot be called "), "{fault}");
            assert!(!fault.chars().any(char::is_control), "{fault}");
        }
        assert_eq!(fault(OsStr::new("web")), None);
    }

    #[test]
    fn a_directory_that_is_not_there_is_no_fault_and_one_that_cannot_be_read_is() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("svc.d");
        assert_eq!(list(&directory), Listing::default());
        std::os::unix::fs::symlink("/nowhere/at/all", &directory).unwrap();
        assert!(list(&directory).faults[0].starts_with("cannot read /ww/usr/svc.d: "));
        fs::remove_file(&directory).unwrap();
        fs::write(&directory, "").unwrap();
        assert!(list(&directory).faults[0].starts_with("cannot read /ww/usr/svc.d: "));
        fs::remove_file(&directory).unwrap();
        fs::create_dir(&directory).unwrap();
        for number in 0..MOST {
            fs::write(directory.join(format!("s{number:02}")), "").unwrap();
        }
        fs::write(directory.join("s.bak"), "").unwrap();
        let listing = list(&directory);
        assert_eq!((listing.names.len(), listing.faults.len()), (MOST, 0));
        assert_eq!(listing.left_out, ["s.bak"]);
        fs::write(directory.join("one-more"), "").unwrap();
        assert_eq!(
            list(&directory).faults,
            ["/ww/usr/svc.d holds 33 services; there may be 32"]
        );
    }
}
