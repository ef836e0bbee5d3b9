//! The content of a backup, and proof at its end that it was all of it and nothing else.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use zstd::stream::read::Decoder;

use super::age::Decrypting;
use super::digest::Sha256;
use super::error::VaultError;
use super::manifest::Payload;
use super::repository::Restic;
use super::set::Set;

/// The largest window that is decompressed: 128 MB, as `zstd` without `--long`.
const WINDOW_LOG: u32 = 27;

/// A raw archive, from its beginning. Read to its end it was all of it, and every byte as it was written; it errs
/// otherwise.
///
/// # Errors
/// When it cannot be opened or decrypted, or is no file.
pub(crate) fn reader(
    set: &Set,
    part: usize,
    identity: Option<&Path>,
) -> Result<Box<dyn Read + Send>, VaultError> {
    content(set, &part_of(set, part)?.payload, identity)
}

/// The list of files, in the same way.
///
/// # Errors
/// When it cannot be opened or decrypted, or is no file.
pub(crate) fn files(
    set: &Set,
    part: usize,
    identity: Option<&Path>,
) -> Result<Box<dyn BufRead + Send>, VaultError> {
    let content = content(set, &part_of(set, part)?.files, identity)?;
    Ok(Box::new(BufReader::new(content)))
}

fn part_of(set: &Set, part: usize) -> Result<&super::manifest::Part, VaultError> {
    set.manifest
        .parts
        .get(part)
        .ok_or_else(|| broken(set, format!("it has no part {}", part + 1)))
}

fn broken(set: &Set, reason: String) -> VaultError {
    VaultError::Broken {
        reference: set.reference(),
        vault: set.place().path().to_owned(),
        reason,
    }
}

fn content(
    set: &Set,
    payload: &Payload,
    identity: Option<&Path>,
) -> Result<Box<dyn Read + Send>, VaultError> {
    if let Some(snapshot) = &payload.snapshot {
        let restic = kept_by(set)?;
        let giving = restic.give(snapshot, &payload.file);
        let giving = giving.map_err(VaultError::system("read", &payload.file))?;
        let checked = Checked::new(giving, payload.raw_bytes, Some(&payload.sha256));
        return Ok(Box::new(checked));
    }
    let path = set.place().path().join(&payload.file);
    let failed = || VaultError::system::<io::Error>("read", &path);
    let file = set.open(&payload.file)?;
    let checked = Checked::new(file, payload.bytes, Some(&payload.sha256));
    let decoded: Box<dyn Read + Send> = if payload.encrypted {
        let Some(identity) = identity else {
            return Err(broken(
                set,
                "it is encrypted, and there is no identity to decrypt it with".to_owned(),
            ));
        };
        let decrypting = Decrypting::new(identity, checked).map_err(failed())?;
        Box::new(decoder(decrypting).map_err(failed())?)
    } else {
        Box::new(decoder(checked).map_err(failed())?)
    };
    Ok(Box::new(Checked::new(decoded, payload.raw_bytes, None)))
}

/// What keeps the content of a set that has none itself.
pub(super) fn kept_by(set: &Set) -> Result<Restic, VaultError> {
    let unmeant = |reason| VaultError::Odd {
        what: "read",
        path: set.place().path().to_owned(),
        reason,
    };
    let restic = Restic::of(set).map_err(unmeant)?;
    restic.ok_or_else(|| unmeant("its content is nowhere".to_owned()))
}

fn decoder<R: Read>(from: R) -> io::Result<Decoder<'static, BufReader<R>>> {
    let mut decoder = Decoder::new(from)?;
    decoder.window_log_max(WINDOW_LOG)?;
    Ok(decoder)
}

/// Errs at the end when it was not all, and before it when it is too much.
pub(super) struct Checked<R> {
    from: R,
    left: u64,
    sha256: Option<(Sha256, String)>,
}

impl<R: Read> Checked<R> {
    /// So many bytes, with this digest.
    pub(super) fn new(from: R, bytes: u64, sha256: Option<&str>) -> Self {
        Self {
            from,
            left: bytes,
            sha256: sha256.map(|sha256| (Sha256::new(), sha256.to_owned())),
        }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = self.from.read(buffer)?;
        let wrong = |reason: &str| Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        if taken as u64 > self.left {
            return wrong("it is damaged: it is longer than it was written");
        }
        self.left -= taken as u64;
        if let Some((sha256, _)) = &mut self.sha256 {
            sha256.add(&buffer[..taken]);
        }
        if taken == 0 && !buffer.is_empty() {
            if self.left > 0 {
                return wrong("it is damaged: it is shorter than it was written");
            }
            if let Some((sha256, expected)) = self.sha256.take()
                && sha256.end() != expected
            {
                return wrong("it is damaged: its SHA-256 is another one than when it was written");
            }
        }
        Ok(taken)
    }
}
