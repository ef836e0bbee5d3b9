//! A static busybox on this machine, for images made from nothing.

use std::path::{Path, PathBuf};

use crate::image::binary::{BinaryError, StaticBinary};

/// What to do where there is none, in one line.
pub(crate) const HINT: &str =
    "install a static one (Debian: `apt-get install busybox-static`) or name one with WW_BUSYBOX";

/// Finds a static busybox: `given` (`WW_BUSYBOX`), which is used or refused, never passed over; the
/// system's own; or the one in the workspace's build directory, two above `program`, the running `ww-ctl`.
///
/// # Errors
/// When there is none that needs no other files; [`HINT`] says what to do.
pub(crate) fn find(
    given: Option<&Path>,
    program: Option<&Path>,
) -> Result<StaticBinary, BinaryError> {
    if let Some(given) = given {
        return StaticBinary::open(given);
    }
    let mut places: Vec<_> = ["/bin/busybox", "/usr/bin/busybox"]
        .map(PathBuf::from)
        .into();
    if let Some(target) = program.and_then(Path::parent).and_then(Path::parent) {
        places.push(target.join("busybox"));
    }
    first(&places)
}

/// The first that is static: a dynamic one, as many systems have, is passed over.
fn first(places: &[PathBuf]) -> Result<StaticBinary, BinaryError> {
    let found = places
        .iter()
        .find_map(|place| StaticBinary::open(place).ok());
    let missing = || BinaryError::NotFound {
        what: "a statically linked busybox",
        places: crate::image::binary::in_words(places),
    };
    found.ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::binary::tests::elf;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_dynamic_one_is_passed_over_and_a_named_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let [dynamic, fixed] = ["dynamic", "fixed"].map(|name| dir.path().join(name));
        fs::write(&dynamic, elf(Some("ld.so"))).unwrap();
        fs::write(&fixed, elf(None)).unwrap();
        for path in [&dynamic, &fixed] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        assert_eq!(
            first(&[dynamic.clone(), fixed.clone()]).unwrap().path(),
            fixed
        );
        let error = first(std::slice::from_ref(&dynamic))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("cannot find a statically linked busybox"),
            "{error}"
        );
        assert!(matches!(
            find(Some(&dynamic), None),
            Err(BinaryError::Dynamic(_))
        ));
    }
}
