//! Static programs that go into images: found where they are expected, and looked at before they are used.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The type of the program header that names a dynamic loader.
const PT_INTERP: u32 = 3;
/// The most program headers looked at; real programs have about ten.
const MAX_HEADERS: u16 = 256;

/// A program that runs on its own: an ELF file that names no dynamic loader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StaticBinary {
    path: PathBuf,
    size: u64,
    machine: u16,
}

/// Why a program cannot go into an image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BinaryError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no program.
    #[error("cannot use {}: it is not an executable program of Linux (ELF)", .0.display())]
    NotElf(PathBuf),
    /// It has no run bit.
    #[error("cannot use {}: it is not executable; run `chmod +x` on it", .0.display())]
    NotExecutable(PathBuf),
    /// It needs a dynamic loader, which no image can be relied on to have.
    #[error("cannot use {}: it is linked dynamically and would not start in an image without the same libraries", .0.display())]
    Dynamic(PathBuf),
    /// It was found nowhere.
    #[error("cannot find {what}: looked for {places}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Where, in words.
        places: String,
    },
}

impl StaticBinary {
    /// Looks at a file.
    ///
    /// # Errors
    /// When it cannot be read, is no ELF program, or needs a dynamic loader.
    pub(crate) fn open(path: &Path) -> Result<Self, BinaryError> {
        let read = |source| BinaryError::Read {
            path: path.into(),
            source,
        };
        let mut file = File::open(path).map_err(read)?;
        let metadata = file.metadata().map_err(read)?;
        if !metadata.is_file() {
            return Err(BinaryError::NotElf(path.into()));
        }
        let found = match inspect(&mut file) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(read(error)),
        };
        let Some(Elf { machine, loader }) = found else {
            return Err(BinaryError::NotElf(path.into()));
        };
        if loader {
            return Err(BinaryError::Dynamic(path.into()));
        }
        if metadata.permissions().mode() & 0o111 == 0 {
            return Err(BinaryError::NotExecutable(path.into()));
        }
        Ok(Self {
            path: path.into(),
            size: metadata.len(),
            machine,
        })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its size in bytes.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// The machine it runs on, in the Engine's words; none for one this program does not know.
    pub(crate) const fn architecture(&self) -> Option<&'static str> {
        match self.machine {
            3 => Some("386"),
            21 => Some("ppc64le"),
            22 => Some("s390x"),
            40 => Some("arm"),
            62 => Some("amd64"),
            183 => Some("arm64"),
            243 => Some("riscv64"),
            _ => None,
        }
    }
}

struct Elf {
    machine: u16,
    loader: bool,
}

/// Reads an ELF header and the types of the program headers; none where it is no ELF file.
fn inspect(file: &mut (impl Read + Seek)) -> io::Result<Option<Elf>> {
    let mut head = [0_u8; 64];
    file.read_exact(&mut head[..52])?;
    let (wide, little) = (head[4], head[5]);
    if &head[..4] != b"\x7fELF" || !(1..=2).contains(&wide) || !(1..=2).contains(&little) {
        return Ok(None);
    }
    let wide = wide == 2;
    if wide {
        file.read_exact(&mut head[52..])?;
    }
    let number = |bytes: &[u8]| {
        let fold = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        if little == 1 {
            bytes.iter().rev().fold(0, fold)
        } else {
            bytes.iter().fold(0, fold)
        }
    };
    let short = |at: usize| u16::try_from(number(&head[at..at + 2])).unwrap_or(u16::MAX);
    let machine = short(18);
    let (offset, size, count) = if wide {
        (number(&head[32..40]), short(54), short(56))
    } else {
        (number(&head[28..32]), short(42), short(44))
    };
    let mut loader = false;
    for index in 0..count.min(MAX_HEADERS) {
        let at = offset.saturating_add(u64::from(index) * u64::from(size));
        file.seek(SeekFrom::Start(at))?;
        let mut kind = [0_u8; 4];
        file.read_exact(&mut kind)?;
        loader |= number(&kind) == u64::from(PT_INTERP);
    }
    Ok(Some(Elf { machine, loader }))
}

/// Finds the agent's binary.
///
/// `given` is what the operator named (`WW_AGENT_BINARY`), which is used or refused, never passed
/// over; `program` is the path of the running `ww-ctl`, beside which the agent is looked for: in the
/// same directory, in `../lib/whaleware/` of an installation, and in the workspace's own build.
///
/// # Errors
/// When there is none, or the first one found cannot go into an image.
pub(crate) fn find_agent(
    given: Option<&Path>,
    program: Option<&Path>,
) -> Result<StaticBinary, BinaryError> {
    if let Some(given) = given {
        return StaticBinary::open(given);
    }
    let mut places = Vec::new();
    if let Some(directory) = program.and_then(Path::parent) {
        places.push(directory.join("ww-agent"));
        if let Some(above) = directory.parent() {
            places.push(above.join("lib/whaleware/ww-agent"));
            places.push(above.join("agent/ww-agent"));
        }
    }
    let mut dynamic = None;
    for place in places.iter().filter(|place| place.exists()) {
        match StaticBinary::open(place) {
            // `cargo build` puts a dynamic one beside `ww-ctl`; the one for images may be a step further.
            Err(error @ BinaryError::Dynamic(_)) => dynamic = dynamic.or(Some(error)),
            other => return other,
        }
    }
    Err(dynamic.unwrap_or_else(|| BinaryError::NotFound {
        what: "the agent's binary",
        places: in_words(&places),
    }))
}

/// A list of paths for people.
pub(crate) fn in_words(places: &[PathBuf]) -> String {
    let places: Vec<_> = places
        .iter()
        .map(|place| place.display().to_string())
        .collect();
    places.join(", ")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::fs;

    /// The smallest file that passes for a program: one header, of a dynamic loader or not.
    pub(crate) fn elf(loader: Option<&str>) -> Vec<u8> {
        let mut bytes = vec![0_u8; 64 + 56];
        bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        bytes[18] = 62;
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = 1;
        bytes[64] = if loader.is_some() { 3 } else { 1 };
        bytes
    }

    fn program(path: &Path, bytes: &[u8]) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn this_very_test_program_needs_a_loader() {
        let own = std::env::current_exe().unwrap();
        assert!(matches!(
            StaticBinary::open(&own),
            Err(BinaryError::Dynamic(_))
        ));
    }

    #[test]
    fn what_is_no_static_program_is_refused_with_its_reason() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        for (bytes, expected) in [
            (b"#!/bin/sh\n".to_vec(), "not an executable program"),
            (vec![b'x'; 4096], "not an executable program"),
            (elf(None)[..70].to_vec(), ""),
            (elf(None)[..60].to_vec(), "not an executable program"),
            (elf(Some("ld.so")), "linked dynamically"),
        ] {
            program(&path, &bytes);
            match StaticBinary::open(&path) {
                Ok(_) => assert_eq!(expected, ""),
                Err(error) => assert!(
                    !expected.is_empty() && error.to_string().contains(expected),
                    "{error}"
                ),
            }
        }
        program(&path, &elf(None));
        assert_eq!(
            StaticBinary::open(&path).unwrap().architecture(),
            Some("amd64")
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(
            StaticBinary::open(&path)
                .unwrap_err()
                .to_string()
                .contains("chmod +x")
        );
    }

    #[test]
    fn the_agent_is_found_beside_installed_or_in_the_workspace() {
        for place in ["bin/ww-agent", "lib/whaleware/ww-agent", "agent/ww-agent"] {
            let dir = tempfile::tempdir().unwrap();
            let ctl = dir.path().join("bin/ww-ctl");
            let missing = find_agent(None, Some(&ctl)).unwrap_err().to_string();
            assert!(missing.contains("lib/whaleware/ww-agent"), "{missing}");
            program(&dir.path().join(place), &elf(None));
            let found = find_agent(None, Some(&ctl)).unwrap();
            assert_eq!(found.path(), dir.path().join(place));
        }
    }

    #[test]
    fn a_dynamic_one_is_passed_over_unless_it_is_the_only_one_or_was_named() {
        let dir = tempfile::tempdir().unwrap();
        let ctl = dir.path().join("release/ww-ctl");
        let beside = dir.path().join("release/ww-agent");
        program(&beside, &elf(Some("ld.so")));
        assert!(
            matches!(find_agent(None, Some(&ctl)), Err(BinaryError::Dynamic(path)) if path == beside)
        );
        let built = dir.path().join("agent/ww-agent");
        program(&built, &elf(None));
        assert_eq!(find_agent(None, Some(&ctl)).unwrap().path(), built);
        assert!(matches!(
            find_agent(Some(&beside), Some(&ctl)),
            Err(BinaryError::Dynamic(_))
        ));
    }
}
