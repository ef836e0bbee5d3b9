//! Paths of an archive as paths below a root.

use super::Limits;
use super::error::Fault;
use crate::shown::Shown;

pub(super) struct Paths {
    limits: Limits,
    /// The first name of every path, if it is left out.
    first: Option<Vec<u8>>,
}

impl Paths {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            first: None,
        }
    }

    /// Relative to the root, without `./`, an end `/`, and the name that is left out.
    pub(super) fn relative(&mut self, path: &[u8]) -> Result<Vec<u8>, Fault> {
        let refused = |reason| Fault::Path {
            path: Shown(path).to_string(),
            reason,
        };
        self.is_short(path)?;
        if path.is_empty() {
            return Err(refused("is empty"));
        }
        if path.starts_with(b"/") {
            return Err(refused("is absolute"));
        }
        if path.contains(&0) {
            return Err(refused("has a NUL in it"));
        }
        let mut rest = path;
        while let Some(after) = rest.strip_prefix(b"./") {
            rest = after;
        }
        let rest = rest.strip_suffix(b"/").unwrap_or(rest);
        if matches!(rest, b"" | b".") {
            return Ok(Vec::new());
        }
        for name in rest.split(|byte| *byte == b'/') {
            match name {
                b"" => return Err(refused("has an empty name in it")),
                b"." => return Err(refused("has '.' in it")),
                b".." => return Err(refused("has '..' in it")),
                name if name.len() > 255 => {
                    return Err(refused("has a name of more than 255 bytes"));
                }
                _ => {}
            }
        }
        if !self.limits.strip_first {
            return Ok(rest.to_vec());
        }
        let (first, rest) = match rest.iter().position(|byte| *byte == b'/') {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => (rest, &b""[..]),
        };
        match &self.first {
            None => self.first = Some(first.to_vec()),
            Some(known) if known == first => {}
            Some(_) => return Err(refused("is not below the first one")),
        }
        Ok(rest.to_vec())
    }

    /// The target of a symbolic link, which is kept as it is.
    pub(super) fn target(&self, target: &[u8]) -> Result<Vec<u8>, Fault> {
        let refused = |reason| Fault::Path {
            path: Shown(target).to_string(),
            reason,
        };
        self.is_short(target)?;
        if target.is_empty() {
            return Err(refused("is where a link points, and empty"));
        }
        if target.contains(&0) {
            return Err(refused("is where a link points, and has a NUL in it"));
        }
        Ok(target.to_vec())
    }

    fn is_short(&self, path: &[u8]) -> Result<(), Fault> {
        if path.len() > self.limits.path {
            return Err(Fault::Path {
                path: Shown(path).to_string(),
                reason: "is too long",
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Limits;
    use super::Paths;

    fn relative(path: &[u8]) -> Option<Vec<u8>> {
        Paths::new(Limits::default()).relative(path).ok()
    }

    #[test]
    fn paths_stay_below_the_root() {
        for (path, expected) in [
            (&b"./"[..], Some(&b""[..])),
            (b".", Some(b"")),
            (b"./a/", Some(b"a")),
            (b"././a/b", Some(b"a/b")),
            (b"a", Some(b"a")),
            (b"...", Some(b"...")),
            (b"..a/b..", Some(b"..a/b..")),
            (b"\xff", Some(b"\xff")),
            (b"", None),
            (b"/", None),
            (b"/a", None),
            (b".//a", None),
            (b"a//b", None),
            (b"a//", None),
            (b"..", None),
            (b"../a", None),
            (b"a/..", None),
            (b"a/../b", None),
            (b"./..", None),
            (b"a/./b", None),
            (b"a\0b", None),
        ] {
            assert_eq!(
                relative(path).as_deref(),
                expected,
                "{}",
                path.escape_ascii()
            );
        }
        assert_eq!(relative(&[b'x'; 256]), None);
        assert_eq!(relative(&b"x/".repeat(40_000)), None);
    }

    #[test]
    fn the_first_name_is_left_out_if_it_is_always_the_same() {
        let mut paths = Paths::new(Limits {
            strip_first: true,
            ..Limits::default()
        });
        assert_eq!(paths.relative(b"data/").ok(), Some(b"".to_vec()));
        assert_eq!(paths.relative(b"data/a/b").ok(), Some(b"a/b".to_vec()));
        assert!(paths.relative(b"date/a").is_err());
    }
}
